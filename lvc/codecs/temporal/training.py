"""Training of the temporal family, in two stages.

joint: analysis, synthesis and prior together on short clips, rounding passed straight through, at a random quality for
each clip, so that one weight file serves all rates. prior: analysis and synthesis stand still, and the prior alone
learns the rounded latents as they will be coded. Both see windows of the frames, drawn where something moves.
"""

import copy
import math
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from lvc.codecs.checkpoint import Checkpoint, Metadata
from lvc.codecs.crf import CRF_LEVELS
from lvc.codecs.in_torch import device_of
from lvc.codecs.integer.layers import straight_through
from lvc.codecs.learning.clips import ClipSampler, Frames, moving_windows, spread
from lvc.codecs.learning.inputs import to_input
from lvc.codecs.learning.optimising import adam, fast_bfloat16, learning_rate_at, moments_of
from lvc.codecs.learning.progress import Clock, Position, Progress, Validation, as_json, end_of
from lvc.codecs.learning.seeding import seeded
from lvc.codecs.learning.team import ALONE, Team
from lvc.codecs.learning.trainer import RunSettings, WeightsFiles
from lvc.codecs.temporal.model import (
    KEY,
    PREDICTED,
    STEADY_REACH,
    STRIDE,
    References,
    Temporal,
    following,
    held_clips,
    steadied,
)
from lvc.codecs.temporal.prediction import prediction_tables
from lvc.errors import InputError, ModelError, OptionError
from lvc.quality.metrics import mean_squared_error

JOINT, PRIOR = "joint", "prior"
CLIP_LENGTH = {JOINT: 3, PRIOR: 8}
LEAD = {JOINT: 8, PRIOR: 0}  # how far before a clip of the joint stage lies the frame that its references begin with
SIDE = {JOINT: 10, PRIOR: 12}  # blocks of a window
KEY_WEIGHT = {JOINT: 0.1, PRIOR: 0.05}  # of a keyframe's bits, which are few of a file's; a predicted frame's weigh 1
EVEN_QUALITIES = {
    JOINT: 0.4,
    PRIOR: 0.2,
}  # exponent that keeps the best qualities' large losses from drowning the others
PASSES_TRAINED = (
    3  # of the prior's passes over latents at each step, drawn anew: half of the work, the same gradient on average
)
CLIP_NORM = 1.0
SHARED_RATE = (
    0.2  # learning rate of the linear transforms, less than the networks': they start from the principal directions
)
SCENERY_BATCH = 64  # frames
START_FRAMES = 1500  # that give the principal directions
AVERAGE = 0.999  # of the exponential average of the weights, which is what is kept
VALIDATION_CRF = 24
VALIDATION_LENGTH = 8
EPOCH_STEPS = 500  # steps from validation to validation


@dataclass(frozen=True)
class TemporalOptions:
    """steps of both stages together. batch: clips to a step. joint_share:
    of the steps, before the prior is trained alone.
    """

    steps: int = 20_000
    batch: int = 8
    lr: float = 1e-3
    seed: int = 0
    joint_share: float = 0.7
    limit_seconds: float | None = None
    validation_clips: int = 12

    def __post_init__(self):
        for name in ("steps", "batch", "validation_clips"):
            if not (isinstance(getattr(self, name), int) and getattr(self, name) >= 1):
                raise OptionError(f"{name} must be a whole number from 1, not {getattr(self, name)!r}")
        if not 0 <= self.joint_share <= 1:
            raise OptionError(f"joint_share must be from 0 to 1, not {self.joint_share!r}")


def chains_of(symbols: Tensor) -> References:
    """The references of every frame of clips' symbols [clips, length, C, h, w]: [clips * length, C, h, w] each."""
    chains = [following(None, torch.zeros_like(symbols[:, 0]))]  # a keyframe is predicted from zeros
    references: References | None = None
    for frame in symbols.unbind(dim=1)[:-1]:
        references = following(references, frame)
        chains.append(references)
    return joined(chains)


def joined(chains: list[References]) -> References:
    """The references of several frames of each clip, [clips, C, h, w] each, as of one batch, clip after clip."""
    recent = tuple(torch.stack(parts, dim=1).flatten(0, 1) for parts in zip(*(chain.recent for chain in chains)))
    return References(recent, torch.stack([chain.background for chain in chains], dim=1).flatten(0, 1))


def start_transforms(model: Temporal, source: Frames) -> None:
    """Sets the model's linear transforms from START_FRAMES of the training frames, evenly spread.

    Raises InputError where no recording is long enough to tell what stands still.
    """
    reach = STEADY_REACH if model.config.placed else 0
    starts = np.asarray(source.clips(2 * reach + 1), np.int64)
    if not len(starts):
        raise InputError(f"there is no recording of {2 * reach + 1} frames to train on")
    frames, steady = [], []
    for start in starts[spread(len(starts), START_FRAMES)]:
        around = source.frames(range(start, start + 2 * reach + 1))
        frames.append(around[reach])
        if reach:
            steady.append(np.median(around, axis=0).astype(np.uint8))
    cpu = torch.device("cpu")
    model.start_from(to_input(np.stack(frames), cpu), to_input(np.stack(steady), cpu) if reach else None)


@torch.no_grad()
def sceneries(model: Temporal, source: Frames, device: torch.device) -> Tensor | None:
    """The steadied scenery of every frame of the source, float16 [N, placed, h, w]; none without placed channels."""
    if not model.config.placed:
        return None
    follows = {start + 1 for start in source.clips(2)}
    firsts = [number for number in range(len(source)) if number not in follows]
    found = []
    for first, last in zip(firsts, [*firsts[1:], len(source)]):
        chunks = [range(start, min(start + SCENERY_BATCH, last)) for start in range(first, last, SCENERY_BATCH)]
        found.append(
            steadied(torch.cat([model.scenery(to_input(source.frames(chunk), device)) for chunk in chunks])).half()
        )
    return torch.cat(found)


class TemporalRun:
    """The model under training, its average, and the optimiser of the stage under way."""

    def __init__(self, model: Temporal, options: TemporalOptions, device: torch.device, team: Team = ALONE):
        self.options, self.device, self.team = options, device, team
        self.model = model.to(device, memory_format=torch.channels_last)
        self.average = copy.deepcopy(self.model).requires_grad_(False)
        self.autocast = fast_bfloat16(model, device)
        self.position = Position()
        self.stage: str | None = None
        self.optimiser: torch.optim.Adam | None = None

    def stage_at(self, step: int, share: float = 0.0) -> str:
        """Which stage a step is of, when `share` of the run is done by the clock."""
        return JOINT if max(step / self.options.steps, share) < self.options.joint_share else PRIOR

    def enter(self, stage: str) -> None:
        """Starts a stage from the average so far."""
        if stage == self.stage:
            return
        if self.stage is not None:
            self.model.load_state_dict(self.average.state_dict())
        self.stage = stage
        self.model.requires_grad_(stage == JOINT)
        self.model.prior.requires_grad_(True)
        parameters: dict[float, list[Tensor]] = {1.0: [], SHARED_RATE: []}
        shared = {id(parameter) for parameter in self.model.blockwise.parameters()}
        for parameter in self.model.parameters():
            if parameter.requires_grad:
                parameters[SHARED_RATE if id(parameter) in shared else 1.0].append(parameter)
        groups = [{"params": some, "share": share} for share, some in parameters.items() if some]
        self.optimiser = adam(groups, lr=self.options.lr, betas=(0.9, 0.98))
        # A step trains some of the prior's passes.
        self.objective = self.team.over(
            self.joint_loss if stage == JOINT else self.prior_loss, self.model, all_used=False
        )
        self.since = 0

    def step(self, frames: np.ndarray, scenery: Tensor | None, learning_rate: float) -> dict[str, float]:
        """One step on clips of frames uint8 [clips * length, 3, H, W] with their scenery; gives its figures."""
        stage = self.stage
        length = CLIP_LENGTH[stage] + (LEAD[stage] > 0)
        self.model.train()
        for group in self.optimiser.param_groups:
            group["lr"] = learning_rate * group["share"]
        windows, corners = moving_windows(
            frames,
            length,
            SIDE[stage],
            STRIDE,
            np.random.default_rng([self.options.seed, self.position.step, *filter(None, [self.team.rank])]),
        )
        frames, corners = to_input(windows, self.device), torch.from_numpy(corners)
        every = corners.repeat_interleave(length, dim=0)
        if scenery is not None:
            rows, columns = frames.shape[2] // STRIDE, frames.shape[3] // STRIDE
            parts = (
                part[:, row : row + rows, column : column + columns]
                for part, (row, column) in zip(scenery, every.tolist())
            )
            scenery = torch.stack([part.float() for part in parts])
        with seeded(self.options.seed, self.position.step, self.device, self.team.rank):
            crf = torch.rand(len(corners), device=self.device) * (CRF_LEVELS - 1)
            passes = torch.randperm(self.model.prior.passes)[:PASSES_TRAINED].tolist()
        with torch.autocast(self.device.type, torch.bfloat16, enabled=self.autocast):
            loss, figures = self.objective(
                frames, scenery, crf if stage == JOINT else crf.round(), length, corners, passes
            )
        figures = self.team.mean({"loss": loss.item(), **figures})
        if not math.isfinite(figures["loss"]):
            raise ModelError(
                f"training has failed at step {self.position.step + 1}: the loss is {figures['loss']}; try a lower "
                "learning rate"
            )
        self.optimiser.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(
            [parameter for group in self.optimiser.param_groups for parameter in group["params"]], CLIP_NORM
        )
        self.optimiser.step()
        self.since += 1
        kept = min(AVERAGE, self.since / (self.since + 9))
        with torch.no_grad():
            for averaged, current in zip(self.average.parameters(), self.model.parameters()):
                averaged.lerp_(current, 1 - kept)
        return figures

    def joint_loss(
        self, frames: Tensor, scenery: Tensor | None, crf: Tensor, length: int, corners: Tensor, passes: list[int]
    ) -> tuple[Tensor, dict]:
        """The loss of clips: the error of all frames, the bits of the first as a keyframe, and of the last as a
        predicted one.
        """
        every, places = crf.repeat_interleave(length), corners.repeat_interleave(length, dim=0)
        latents = self.model.analyse(frames, every, scenery, corners=places).float()
        with torch.no_grad():
            symbols, references = held_clips(latents.view(-1, length, *latents.shape[1:]))
        symbols = straight_through(symbols.flatten(0, 1), latents)
        decoded = self.model.decode(symbols, every, corners=places).float()
        error = ((decoded - frames) ** 2).mean(dim=(1, 2, 3)) * 255**2
        coded = symbols.view(-1, length, *symbols.shape[1:])[:, [0, -1]].flatten(0, 1)
        references = joined([references.map(torch.zeros_like), references])
        relation = torch.tensor([KEY, PREDICTED], device=self.device).repeat(len(crf))
        bits = self.model.prior.rate(
            coded,
            references,
            relation,
            crf.repeat_interleave(2),
            soft=True,
            passes=passes,
            corners=corners.repeat_interleave(2, dim=0),
        ).view(-1, 2)
        weight, share = self.model.distortion_weight(crf), self.share(frames)
        loss = weight * error.view(-1, length).mean(dim=1) * share + bits[:, 1] + KEY_WEIGHT[JOINT] * bits[:, 0]
        loss = (loss / weight ** EVEN_QUALITIES[JOINT]).mean() / share / 50
        return loss, {"bytes": bits[:, 1].mean().item() / 8 / share, "mse": error.detach().mean().item()}

    def prior_loss(
        self, frames: Tensor, scenery: Tensor | None, crf: Tensor, length: int, corners: Tensor, passes: list[int]
    ) -> tuple[Tensor, dict]:
        every, places = crf.repeat_interleave(length), corners.repeat_interleave(length, dim=0)
        with torch.no_grad():
            latents = self.model.analyse(frames, every, scenery, corners=places).float()
            symbols, _ = held_clips(latents.view(-1, length, *latents.shape[1:]))
        relation = torch.tensor([KEY, *[PREDICTED] * (length - 1)], device=self.device).repeat(len(crf))
        bits = self.model.prior.rate(
            symbols.flatten(0, 1), chains_of(symbols), relation, every, passes=passes, corners=places
        )
        share = self.share(frames)
        bits = bits.view(-1, length) / share
        loss = bits[:, 1:].mean(dim=1) + KEY_WEIGHT[PRIOR] * bits[:, 0]
        loss = (loss / self.model.distortion_weight(crf) ** EVEN_QUALITIES[PRIOR]).mean() / 50
        return loss, {"bytes": bits[:, 1:].mean().item() / 8}

    def share(self, frames: Tensor) -> float:
        """How much of the frame that the model is for a window covers."""
        rows, columns = self.model.config.map_size
        return frames.shape[2] * frames.shape[3] / (STRIDE * STRIDE * rows * columns)

    def state(self) -> dict[str, Tensor]:
        """The tensors that `restore` needs beside the average, which is the file's model."""
        state = {f"model.{name}": tensor for name, tensor in self.model.state_dict().items()}
        state |= moments_of(self.optimiser, "optimiser")
        state["since"] = torch.tensor(self.since)
        return state

    def restore(self, path: Path, files: WeightsFiles) -> None:
        """Goes on where the last file stands; raises ModelError or OptionError for another run's file."""
        checkpoint = files.load_file(path)
        kept, tensors = checkpoint.metadata.training, files.load_state(path)
        if checkpoint.metadata.config != as_json(asdict(self.model.config)):
            raise OptionError(f"{path}: is of another model than asked for: {checkpoint.metadata.config}")
        try:
            self.position = Position(**kept["position"])
            self.average.load_state_dict(checkpoint.model.state_dict())
            self.enter(self.stage_at(max(self.position.step - 1, 0)))
            self.model.load_state_dict(
                {name.removeprefix("model."): tensor for name, tensor in tensors.items() if name.startswith("model.")}
            )
            self.optimiser.load_state_dict(
                {"state": self.moments(tensors), "param_groups": self.optimiser.state_dict()["param_groups"]}
            )
            self.since = int(tensors["since"])
        except (KeyError, TypeError, ValueError, RuntimeError) as error:
            raise ModelError(
                f"{path}: holds no state of training to go on from; {type(error).__name__}: {error}"
            ) from error

    def moments(self, tensors: dict[str, Tensor]) -> dict[int, dict[str, Tensor]]:
        parameters = [parameter for group in self.optimiser.param_groups for parameter in group["params"]]
        state: dict[int, dict[str, Tensor]] = {}
        for name, tensor in tensors.items():
            if name.startswith("optimiser."):
                _, number, part = name.split(".")
                # The fused step walks memory, so a moment is laid out as its parameter is.
                kept = torch.empty_like(parameters[int(number)]).copy_(tensor) if tensor.ndim else tensor.clone()
                state.setdefault(int(number), {})[part] = kept
        return state


@torch.no_grad()
def validate_temporal(model: Temporal, source: Frames, *, clips: int, device: torch.device) -> Validation:
    """Figures at one quality over clips of validation frames: PSNR, and the bits of a predicted frame as the prior
    estimates them.
    """
    starts = np.asarray(source.clips(VALIDATION_LENGTH), np.int64)
    if not len(starts):
        raise InputError(f"there is no recording of {VALIDATION_LENGTH} frames to validate on")
    model.eval()
    errors, bits = [], []
    for start in starts[spread(len(starts), clips)]:
        shown = source.frames(range(start, start + VALIDATION_LENGTH))
        frames = to_input(shown, device)
        crf = torch.full((len(frames),), float(VALIDATION_CRF), device=device)
        scenery = model.scenery(frames)
        symbols = held_clips(model.analyse(frames, crf, None if scenery is None else steadied(scenery))[None])[0][0]
        decoded = (model.synthesise(symbols, crf) * 255).round().to(torch.uint8).cpu().numpy()
        errors += [mean_squared_error(*pair) for pair in zip(shown, decoded)]
        relation = torch.tensor([KEY, *[PREDICTED] * (VALIDATION_LENGTH - 1)], device=device)
        bits += model.prior.rate(symbols, chains_of(symbols[None]), relation, crf)[1:].tolist()
    return Validation.of(errors, bits=float(np.mean(bits)))


def train_temporal(
    model: Temporal,
    training: Frames,
    validation: Frames,
    output: Path,
    *,
    options: TemporalOptions,
    settings: RunSettings,
) -> Iterator[Progress]:
    """Trains both stages and writes `output`: float16 networks, the prior in integers, its tables.

    Beside it `<stem>.last.safetensors` keeps the state, from where a run is resumed. Each process of a team takes
    `options.batch` clips to a step. What is raised: as of `Trainer.train`.
    """
    team = settings.team
    last = settings.check_outputs(output)
    samplers = {
        stage: ClipSampler(
            training,
            batch=options.batch,
            seed=options.seed,
            length=length,
            lead=LEAD[stage],
            part=team.rank,
            parts=team.count,
        )
        for stage, length in CLIP_LENGTH.items()
    }
    if not settings.resume:
        start_transforms(model, training)
    run = TemporalRun(model, options, device_of(settings.device), team)
    if settings.resume:
        run.restore(last, settings.files)
    blank = settings.metadata(model, quantiser={"name": "round"}, entropy={"name": "prediction"})
    scenery = sceneries(run.average, training, run.device)
    loop = TemporalLoop(run, samplers, scenery, validation, blank, settings.dataset or {}, settings.files)
    yield from loop.records(last, settings.workers, settings.should_stop)
    if loop.ended == "interrupted":
        return
    if team.leads:  # what is left is one process's work
        loop.finish(output)
    yield loop.record(ended=loop.ended)


class TemporalLoop:
    """The steps of both stages, with a validation after each EPOCH_STEPS of them. ended: why they are over.

    scenery: of every training frame, where the model has placed channels. blank: the metadata before anything is known.
    """

    def __init__(
        self,
        run: TemporalRun,
        samplers: dict[str, ClipSampler],
        scenery: Tensor | None,
        validation: Frames,
        blank: Metadata,
        dataset: dict,
        files: WeightsFiles,
    ):
        self.run, self.samplers, self.scenery, self.validation = run, samplers, scenery, validation
        self.blank, self.dataset, self.files = blank, dataset, files
        self.clock = Clock(run.position)
        self.ended: str | None = None

    def facts(self) -> dict:
        run = self.run
        run.position.seconds = self.clock.seconds()
        return {
            "dataset": self.dataset,
            "options": asdict(run.options),
            "processes": run.team.count,
            "position": asdict(run.position),
        }

    def keep(self, last: Path) -> None:
        if self.run.team.leads:
            self.files.save(
                last,
                Checkpoint(replace(self.blank, training=self.facts()), self.run.average),
                overwrite=True,
                state=self.run.state(),
            )

    def share_done(self) -> float:
        options = self.run.options
        return self.run.team.largest(
            max(self.run.position.step / options.steps, self.clock.seconds() / (options.limit_seconds or math.inf))
        )[0]

    def record(self, terms: dict | None = None, **more) -> Progress:
        run = self.run
        frames = run.options.batch * run.team.count * CLIP_LENGTH[run.stage or JOINT]
        share = self.share_done()
        return self.clock.record(terms, steps=run.options.steps, share=share, frames_a_step=frames, **more)

    def records(self, last: Path, workers: int, should_stop: Callable[[], bool]) -> Iterator[Progress]:
        """Trains to the end, or until something ends it earlier; `last` is written after each validation."""
        run, position = self.run, self.run.position
        while self.ended is None:
            run.enter(run.stage_at(position.step, self.share_done()))
            losses: list[float] = []
            yield from self._steps(losses, workers, should_stop)
            if self.ended == "interrupted":
                self.keep(last)
                yield self.record(ended=self.ended)
                return
            figures = run.team.broadcast(
                lambda: validate_temporal(
                    run.average, self.validation, clips=run.options.validation_clips, device=run.device
                )
            )
            position.figures = asdict(figures)
            position.epoch, position.batch = position.epoch + 1, 0
            self.keep(last)
            yield self.record({"loss": float(np.mean(losses))} if losses else {}, validation=figures, best=True)

    def _steps(self, losses: list[float], workers: int, should_stop: Callable[[], bool]) -> Iterator[Progress]:
        """Steps of the stage under way up to the next validation, a record after each;
        their losses are added to the list.
        """
        run, position, options = self.run, self.run.position, self.run.options
        stage, sampler = run.stage, self.samplers[run.stage]
        chosen = sampler.indices(position.epoch)[position.batch :]
        for indices, frames in zip(chosen, sampler.batches(position.epoch, start=position.batch, workers=workers)):
            share = self.share_done()
            if share >= 1:
                self.ended = end_of(position.step, options.steps, options.limit_seconds)
                return
            if run.stage_at(position.step, share) != stage:
                return
            # Each stage has a cosine of its own.
            inside = (
                share / options.joint_share
                if stage == JOINT
                else (share - options.joint_share) / (1 - options.joint_share)
            )
            learning_rate = learning_rate_at(options.lr, run.since, inside)
            terms = run.step(
                frames, None if self.scenery is None else self.scenery[torch.from_numpy(indices)], learning_rate
            )
            position.step += 1
            position.batch += 1
            losses.append(terms["loss"])
            yield self.record(terms, learning_rate=learning_rate)
            if run.team.largest(should_stop())[0]:
                self.ended = "interrupted"
                return
            if position.batch == EPOCH_STEPS:
                return

    def finish(self, output: Path) -> None:
        """Writes the average as it ships: the prior in integers, with the tables that its output means."""
        exact = self.run.average.exact()
        exact.for_coding()  # raises before anything is written that could not code
        copies, residuals = prediction_tables()
        metadata = replace(self.blank, config=as_json(asdict(exact.config)), training=self.facts())
        self.files.save(
            output, Checkpoint(metadata, exact, {"copies": copies, "residuals": residuals}), overwrite=True, half=True
        )
