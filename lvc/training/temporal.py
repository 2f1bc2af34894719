"""Training of the temporal family, in two stages.

joint: analysis, synthesis and prior together on short clips, rounding passed straight through, at a random quality for
each clip, so that one weight file serves all rates. prior: analysis and synthesis stand still, and the prior alone
learns the rounded latents as they will be coded; where the rate of quiet latents is won.
"""

import copy
import math
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from lvc import checkpoints
from lvc.checkpoints import Checkpoint, Metadata
from lvc.errors import InputError, ModelError, OptionError
from lvc.models.temporal import AFTER_KEY, CRF_LEVELS, KEY, PREDICTED, Temporal, held, round_through
from lvc.output import check_output
from lvc.prediction import prediction_tables
from lvc.training.data import ClipSampler, Frames, spread
from lvc.training.loop import (
    Clock,
    Position,
    Progress,
    TrainingOptions,
    as_json,
    fast_bfloat16,
    last_path,
    learning_rate_at,
    seeded,
)
from lvc.training.validation import Validation, to_input

JOINT, PRIOR = "joint", "prior"
CLIP_LENGTH = {JOINT: 3, PRIOR: 6}
# What a bit counts in frames of each kind: in a group of 64 nearly all are predicted, but keyframes must be learned too.
BIT_WEIGHTS = {KEY: 0.15, AFTER_KEY: 0.35, PREDICTED: 2.5}
BEST_WEIGHT, LEAST_WEIGHT = 1500.0, 4.0  # bits a frame that one unit of squared error (of 255 levels) is worth, at crf 0 and 63
EVEN_QUALITIES = 0.4  # exponent that keeps the best qualities' large losses from drowning the others
PASSES_TRAINED = 2  # of the prior's passes at each joint step, drawn anew: a third of the work, the same gradient on average
CLIP_NORM = 1.0
AVERAGE = 0.999  # of the exponential average of the weights, which is what is kept
VALIDATION_CRF = 24
VALIDATION_LENGTH = 8
EPOCH_STEPS = 500  # steps from validation to validation


@dataclass(frozen=True)
class TemporalOptions:
    """steps of both stages together. batch: clips to a step. joint_share: of the steps, before the prior is trained alone."""

    steps: int = 20_000
    batch: int = 4
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


def error_weight(crf: Tensor) -> Tensor:
    """Bits a frame that one unit of mean squared error is worth at qualities crf [T]."""
    return BEST_WEIGHT * (LEAST_WEIGHT / BEST_WEIGHT) ** (crf / (CRF_LEVELS - 1))


def clip_references(latents: Tensor, length: int) -> tuple[Tensor, Tensor, Tensor]:
    """References and relations of clips' latents [clips * length, C, h, w], as coding will have them: (near, far, relation)."""
    clips = latents.view(-1, length, *latents.shape[1:])
    zero = torch.zeros_like(clips[:, :1])
    near = torch.cat((zero, clips[:, :-1]), dim=1)
    far = torch.cat((zero, clips[:, :1], clips[:, :-2]), dim=1)
    relation = torch.tensor([KEY, AFTER_KEY, *[PREDICTED] * (length - 2)], device=latents.device).repeat(len(clips))
    return near.flatten(0, 1), far.flatten(0, 1), relation


class TemporalRun:
    """The model under training, its average, and the optimiser of the stage under way."""

    def __init__(self, model: Temporal, options: TemporalOptions, device: torch.device):
        self.options, self.device = options, device
        self.model = model.to(device, memory_format=torch.channels_last)
        self.average = copy.deepcopy(self.model).requires_grad_(False)
        self.autocast = fast_bfloat16(model, device)
        self.position = Position()
        self.stage, self.optimiser = None, None

    def enter(self, stage: str) -> None:
        """Starts a stage from the average so far."""
        if stage == self.stage:
            return
        if self.stage is not None:
            self.model.load_state_dict(self.average.state_dict())
        self.stage = stage
        self.model.requires_grad_(stage == JOINT)
        self.model.prior.requires_grad_(True)
        trained = [parameter for parameter in self.model.parameters() if parameter.requires_grad]
        self.optimiser = torch.optim.Adam(trained, lr=self.options.lr, betas=(0.9, 0.98), fused=True)
        self.since = 0

    def step(self, frames: Tensor, learning_rate: float) -> dict[str, float]:
        """One step on clips of frames [clips * length, 3, H, W] in 0..1; gives its figures."""
        length = CLIP_LENGTH[self.stage]
        self.model.train()
        for group in self.optimiser.param_groups:
            group["lr"] = learning_rate
        with seeded(self.options.seed, self.position.step, self.device):
            crf = (torch.rand(len(frames) // length, device=self.device) * (CRF_LEVELS - 1)).repeat_interleave(length)
            passes = torch.randperm(self.model.prior.passes)[:PASSES_TRAINED].tolist()
        if self.stage == PRIOR:
            crf = crf.round()
        with torch.autocast(self.device.type, torch.bfloat16, enabled=self.autocast):
            loss, figures = self.joint_loss(frames, crf, length, passes) if self.stage == JOINT else self.prior_loss(frames, crf, length)
        if not math.isfinite(loss.item()):
            raise ModelError(f"training has failed at step {self.position.step + 1}: the loss is {loss.item()}; try a lower learning rate")
        self.optimiser.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self.optimiser.param_groups[0]["params"], CLIP_NORM)
        self.optimiser.step()
        self.since += 1
        kept = min(AVERAGE, self.since / (self.since + 9))
        with torch.no_grad():
            for averaged, current in zip(self.average.parameters(), self.model.parameters()):
                averaged.lerp_(current, 1 - kept)
        return {"loss": loss.item(), **figures}

    def joint_loss(self, frames: Tensor, crf: Tensor, length: int, passes: list[int]) -> tuple[Tensor, dict]:
        symbols = round_through(self.model.analyse(frames, crf).float())
        decoded = self.model.decode(symbols, crf).float()
        near, far, relation = clip_references(symbols.detach(), length)
        bits = self.model.prior.rate(symbols, near, far, relation, crf, soft=True, passes=passes).float()
        error = ((decoded - frames) ** 2).mean(dim=(1, 2, 3)) * 255**2
        weight = error_weight(crf)
        loss = ((bits * bit_weights(relation) + weight * error) / weight**EVEN_QUALITIES).mean() / 50
        return loss, {"bytes": bits[relation == PREDICTED].mean().item() / 8, "psnr": (10 * torch.log10(255**2 / error.detach())).mean().item()}

    def prior_loss(self, frames: Tensor, crf: Tensor, length: int) -> tuple[Tensor, dict]:
        with torch.no_grad():
            symbols = held(self.model.analyse(frames, crf).float(), length)
        near, far, relation = clip_references(symbols, length)
        bits = self.model.prior.rate(symbols, near, far, relation, crf).float()
        # Each quality counts by its share of bits, not by their number.
        loss = (bits * bit_weights(relation) / error_weight(crf) ** (EVEN_QUALITIES / 2)).mean() / 50
        return loss, {"bytes": bits[relation == PREDICTED].mean().item() / 8}

    def state(self) -> dict[str, Tensor]:
        """The tensors that `restore` needs beside the average, which is the file's model."""
        state = {f"model.{name}": tensor for name, tensor in self.model.state_dict().items()}
        for number, moments in self.optimiser.state_dict()["state"].items():
            state |= {f"optimiser.{number}.{name}": moment for name, moment in moments.items()}
        state["since"] = torch.tensor(self.since)
        return state

    def restore(self, path: Path, stage_at: Callable[[int], str]) -> None:
        """Goes on where the last file stands; raises ModelError or OptionError for another run's file."""
        checkpoint = checkpoints.load_file(path)
        kept, tensors = checkpoint.metadata.training, checkpoints.load_state(path)
        if checkpoint.metadata.config != as_json(asdict(self.model.config)):
            raise OptionError(f"{path}: is of another model than asked for: {checkpoint.metadata.config}")
        try:
            self.position = Position(**kept["position"])
            self.average.load_state_dict(checkpoint.model.state_dict())
            self.enter(stage_at(max(self.position.step - 1, 0)))
            self.model.load_state_dict({name.removeprefix("model."): tensor for name, tensor in tensors.items() if name.startswith("model.")})
            self.optimiser.load_state_dict({"state": self.moments(tensors), "param_groups": self.optimiser.state_dict()["param_groups"]})
            self.since = int(tensors["since"])
        except (KeyError, TypeError, ValueError, RuntimeError) as error:
            raise ModelError(f"{path}: holds no state of training to go on from; {type(error).__name__}: {error}") from error

    def moments(self, tensors: dict[str, Tensor]) -> dict[int, dict[str, Tensor]]:
        parameters, state = self.optimiser.param_groups[0]["params"], {}
        for name, tensor in tensors.items():
            if name.startswith("optimiser."):
                _, number, part = name.split(".")
                # The fused step walks memory, so a moment is laid out as its parameter is.
                kept = torch.empty_like(parameters[int(number)]).copy_(tensor) if tensor.ndim else tensor.clone()
                state.setdefault(int(number), {})[part] = kept
        return state


def bit_weights(relation: Tensor) -> Tensor:
    """What each frame's bits count; the predicted frames of a clip share theirs."""
    table = torch.tensor([BIT_WEIGHTS[kind] for kind in (KEY, AFTER_KEY, PREDICTED)], device=relation.device)
    return table[relation]


@torch.no_grad()
def validate_temporal(model: Temporal, source: Frames, *, clips: int, device: torch.device) -> Validation:
    """Figures at one quality over clips of validation frames: PSNR, and the bits of a predicted frame as the prior estimates them."""
    starts = np.asarray(source.clips(VALIDATION_LENGTH), np.int64)
    if not len(starts):
        raise InputError(f"there is no recording of {VALIDATION_LENGTH} frames to validate on")
    model.eval()
    decibels, bits = [], []
    for start in starts[spread(len(starts), clips)]:
        frames = to_input(source.frames(range(start, start + VALIDATION_LENGTH)), device)
        crf = torch.full((len(frames),), float(VALIDATION_CRF), device=device)
        symbols = held(model.analyse(frames, crf), VALIDATION_LENGTH)
        error = ((model.decode(symbols, crf).clamp(0, 1) - frames) ** 2).mean(dim=(1, 2, 3))
        decibels += (10 * torch.log10(1 / error.clamp_min(1e-10))).tolist()
        near, far, relation = clip_references(symbols, VALIDATION_LENGTH)
        bits += model.prior.rate(symbols, near, far, relation, crf)[relation == PREDICTED].tolist()
    mean = float(np.mean(decibels))
    return Validation(psnr=mean, psnr_lowest=min(decibels), distortion=10 ** (-mean / 10), bits=float(np.mean(bits)), frames=len(decibels))


def train_temporal(
    model: Temporal,
    training: Frames,
    validation: Frames,
    output: Path,
    *,
    options: TemporalOptions,
    name: str,
    description: str = "",
    dataset: dict | None = None,
    device: str | torch.device = "cpu",
    workers: int = 1,
    resume: bool = False,
    overwrite: bool = False,
    should_stop: Callable[[], bool] = lambda: False,
) -> Iterator[Progress]:
    """Trains both stages and writes `output`: float16 networks, the prior in integers, its tables.

    Beside it `<stem>.last.safetensors` keeps the state, from where `resume` goes on. Raises as `loop.train` does.
    """
    last = last_path(output)
    for path in (output, last):
        check_output(path, overwrite=overwrite or resume)
    samplers = {stage: ClipSampler(training, batch=options.batch, seed=options.seed, length=length) for stage, length in CLIP_LENGTH.items()}
    run = TemporalRun(model, options, checkpoints.device_of(device))
    position = run.position

    def stage_at(step: int, share: float | None = None) -> str:
        return JOINT if max(step / options.steps, share or 0.0) < options.joint_share else PRIOR

    if resume:
        run.restore(last, stage_at)
        position = run.position
    clock = Clock(position)
    schedule = TrainingOptions(lr=options.lr)
    blank = Metadata(
        name=name,
        model=model.name,
        config=as_json(asdict(model.config)),
        geometry=model.geometry,
        quantiser={"name": "round"},
        entropy={"name": "prediction"},
        description=description,
    )

    def facts() -> dict:
        position.seconds = clock.seconds()
        return {"dataset": dataset or {}, "options": asdict(options), "position": asdict(position)}

    def share_done() -> float:
        return max(position.step / options.steps, clock.seconds() / (options.limit_seconds or math.inf))

    def record(terms: dict | None = None, **more) -> Progress:
        frames = options.batch * CLIP_LENGTH[run.stage or JOINT]
        return Progress(
            position.epoch + 1, position.step, options.steps, share_done(), clock.seconds(), clock.steps() * frames / max(clock.run_seconds(), 1e-9), terms or {}, **more
        )

    ended = None
    while ended is None:
        stage = stage_at(position.step, share_done())
        run.enter(stage)
        losses = []
        for frames in samplers[stage].batches(position.epoch, start=position.batch, workers=workers):
            share = share_done()
            if share >= 1:
                ended = "all steps done" if position.step >= options.steps else f"the limit of {options.limit_seconds:g} seconds"
                break
            if stage_at(position.step, share) != stage:
                break
            # Each stage has a cosine of its own.
            inside = share / options.joint_share if stage == JOINT else (share - options.joint_share) / (1 - options.joint_share)
            learning_rate = learning_rate_at(schedule, run.since, inside)
            terms = run.step(to_input(frames, run.device), learning_rate)
            position.step += 1
            position.batch += 1
            losses.append(terms["loss"])
            yield record(terms, learning_rate=learning_rate)
            if should_stop():
                checkpoints.save(last, Checkpoint(replace(blank, training=facts()), run.average), overwrite=True, state=run.state())
                yield record(ended="interrupted")
                return
            if position.batch == EPOCH_STEPS:
                break
        figures = validate_temporal(run.average, validation, clips=options.validation_clips, device=run.device)
        position.figures = asdict(figures)
        position.epoch, position.batch = position.epoch + 1, 0
        checkpoints.save(last, Checkpoint(replace(blank, training=facts()), run.average), overwrite=True, state=run.state())
        yield record({"loss": float(np.mean(losses))} if losses else {}, validation=figures, best=True)
    exact = run.average.exact()
    exact.for_coding()  # raises before anything is written that could not code
    copies, residuals = prediction_tables()
    metadata = replace(blank, config=as_json(asdict(exact.config)), training=facts())
    checkpoints.save(output, Checkpoint(metadata, exact, {"copies": copies, "residuals": residuals}), overwrite=True, half=True)
    yield record(ended=ended)
