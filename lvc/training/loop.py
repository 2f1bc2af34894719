"""Training from the first step to the finished weights file, one record of progress after another.

    for progress in train(model, store, Path("model.safetensors"), options=TrainingOptions(), ...):
        ...

Every step draws its randomness from (seed, step) and every epoch its order from (seed, epoch), so that nothing but the
weights, the optimiser and the numbers in `Position` carries over, and a resumed run gives the curve of an unbroken one.

Memory is 16 bytes a parameter, for weights, gradients and Adam's two moments: 3.1 GB for fc-vanilla and 13.3 GB for
fc-multilayer at S1's sizes. Their blocks could be trained a few at a time, as S1 did, but then one run is several with
curves, ends and best weights of their own, each reading all frames again; where memory is short, `code` and `hidden`
make smaller models.
"""

import dataclasses
import json
import math
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from functools import cached_property
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from lvc.codecs import family as models
from lvc.codecs.in_torch import device_of
from lvc.codecs.networks.model import Model, contexts
from lvc.codecs.neural.quantize import Quantiser, Round, check_combination
from lvc.entropy.priors import HYPERPRIOR, check_spec
from lvc.errors import InputError, ModelError, OptionError
from lvc.frames import Geometry
from lvc.output import check_output
from lvc.training.adversary import Adversary
from lvc.training.adversary import step as adversary_step
from lvc.training.data import ClipSampler, Frames, spread
from lvc.training.loss import ChannelDensity, parts_of, training_loss
from lvc.training.start import start_from
from lvc.training.team import ALONE, Team
from lvc.training.validation import Validation, fit_hyper_tables, fit_tables, latent_statistics, to_input, validate
from lvc.weights import checkpoints
from lvc.weights.checkpoints import Checkpoint, Metadata

PRECISIONS = ("auto", "float32", "bfloat16")
SCHEDULES = ("cosine", "constant", "cyclic")
CYCLES, LOWEST_OF_CYCLE = 4, 0.1
FACTORISED = "factorised"
INITIAL_FRAMES = 128  # what a model may look at before its first step
DENSITY_FRAMES = 16  # of them, that the density of a hyperprior's side information starts from
WARM_UP_STEPS = 20  # Adam's second moments are guesses before
LOWEST_LR = 0.02  # of the highest, where the cosine ends
FREE_ON_RESUME = ("epochs", "steps", "patience", "limit_seconds")
DENSITY_LR = 10.0  # times the model's: three numbers a channel have far to go, and nothing to spoil


@dataclass(frozen=True)
class TrainingOptions:
    """epochs: passes over the training frames. steps: an earlier end, or None. lr: the highest of Adam's learning rate,
    which falls to a fiftieth over the run with the schedule "cosine";
    "cyclic" goes up and down between a tenth and the whole of it, four times (Smith, WACV 2017).
    patience: epochs without a better validation before an early stop, or None for none.
    distortion: parts with weights as `parts_of` reads them, or None for the model's own. adversarial: weight beside it of
    what an adversary tells from the source; 0 trains none. input_noise: deviation of noise that frames in 0..1 get on
    their way in, and not as the target (Vincent et al., ICML 2008); 0 adds none. rate_weight: of bits a pixel beside the distortion,
    for latents that are rounded; 0 trains no rate. rounding_from: share of the run after which quantising itself replaces
    the noise that stands for it; the rate keeps the noise, since whole numbers hardly tell it which way is cheaper (Minnen and
    Singh, ICIP 2020, section 3.3). clip: the greatest norm of a step's gradient, to which longer ones are cut, or None for any
    (Pascanu et al., ICML 2013).
    precision: "auto" takes bfloat16 where `fast_bfloat16` says so.
    validation_frames, fit_frames: at most so many, evenly spread. limit_seconds: an end by the clock, which no seed repeats.
    """

    epochs: int = 30
    steps: int | None = None
    batch: int = 16
    lr: float = 1e-3
    schedule: str = "cosine"
    seed: int = 0
    patience: int | None = None
    distortion: str | None = None
    rate_weight: float = 1e-3
    adversarial: float = 0.0
    input_noise: float = 0.0
    rounding_from: float = 0.6
    clip: float | None = None
    precision: str = "auto"
    validation_frames: int | None = 256
    fit_frames: int | None = 512
    limit_seconds: float | None = None

    def __post_init__(self):
        for name, least in (("epochs", 1), ("batch", 1), ("seed", 0)):
            check_whole(name, getattr(self, name), least)
        for name in ("steps", "patience", "validation_frames", "fit_frames"):
            if getattr(self, name) is not None:
                check_whole(name, getattr(self, name), 1)
        for name, value in (("lr", self.lr), ("clip", self.clip), ("limit_seconds", self.limit_seconds)):
            if value is not None and not (is_number(value) and value > 0):
                raise OptionError(f"{name} must be a number above 0, not {value!r}")
        for name in ("rate_weight", "adversarial", "input_noise"):
            if not (is_number(getattr(self, name)) and getattr(self, name) >= 0):
                raise OptionError(f"{name} must be a number from 0, not {getattr(self, name)!r}")
        if not (is_number(self.rounding_from) and 0 <= self.rounding_from <= 1):
            raise OptionError(f"rounding_from must be a share from 0 to 1, not {self.rounding_from!r}")
        for name, choices in (("precision", PRECISIONS), ("schedule", SCHEDULES)):
            if getattr(self, name) not in choices:
                raise OptionError(f"{name} must be one of {', '.join(filter(None, choices))}, not {getattr(self, name)!r}")
        if self.distortion is not None:
            parts_of(self.distortion)


def check_whole(name: str, value, least: int) -> None:
    if not (type(value) is int and value >= least):
        raise OptionError(f"{name} must be a whole number from {least}, not {value!r}")


def is_number(value) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)


@dataclass
class Position:
    """Where a run is: all that is kept of it beside tensors.

    step: how many are done. epoch, batch: done of the pass under way; loss_sum: of those batches.
    best: the best validation's score, with its figures and step. stale: epochs since. seconds: of training so far.
    history: a dict for each validation.
    """

    step: int = 0
    epoch: int = 0
    batch: int = 0
    loss_sum: float = 0.0
    best: float | None = None
    best_step: int = 0
    figures: dict = field(default_factory=dict)
    stale: int = 0
    seconds: float = 0.0
    history: list[dict] = field(default_factory=list)


@dataclass(frozen=True)
class Progress:
    """One record of a run: after a step, with `validation` after an epoch, and with `ended` when it is over.

    epoch: from 1. step of steps: batches of the whole run; share: of the run that is done, by steps or by the clock.
    seconds: of training so far. frames_per_second: since this run began or was resumed, validation included.
    terms: of the step's loss by name, or the epoch's mean "loss". learning_rate: of the step. best: whether the
    validation is the best so far. ended: why the run is over.
    """

    epoch: int
    step: int
    steps: int
    share: float
    seconds: float
    frames_per_second: float
    terms: dict[str, float]
    learning_rate: float | None = None
    validation: Validation | None = None
    best: bool = False
    ended: str | None = None


class Run:
    """All that a run changes, or needs at each step; nothing of it lives in the module.

    team: the processes that each train on a part of every batch.
    density: of rounded latents, or of the side information where there is some, if a rate is trained, else None.
    """

    def __init__(self, model: Model, quantiser: Quantiser, options: TrainingOptions, *, device: torch.device, team: Team = ALONE):
        self.model, self.quantiser, self.options, self.device, self.team = model.to(device), quantiser, options, device, team
        self.distortion = options.distortion or model.distortion
        self.density = None
        if isinstance(quantiser, Round) and options.rate_weight > 0:
            channels = contexts(model.latent_shape()) if model.hyper is None else model.hyper.channels
            self.density = ChannelDensity(channels).to(device)
        groups = [{"params": list(model.parameters()), "factor": 1.0}]
        if self.density is not None:
            groups.append({"params": list(self.density.parameters()), "factor": DENSITY_LR})
        self.optimiser = torch.optim.Adam(groups, lr=options.lr, fused=True)
        self.adversary = self.adversary_optimiser = None
        if options.adversarial > 0:
            with seeded(options.seed, -1, device):
                self.adversary = Adversary().to(device)
            self.adversary_optimiser = torch.optim.Adam(self.adversary.parameters(), lr=options.lr, fused=True)
        self.autocast = options.precision == "bfloat16" or (options.precision == "auto" and fast_bfloat16(model, device))
        self.position = Position()

    def initialise(self, source: Frames) -> None:
        frames = source.frames(spread(len(source), INITIAL_FRAMES))
        x = to_input(frames, self.device)
        with seeded(self.options.seed, -1, self.device), torch.no_grad():
            self.model.initialise(x)
            if self.density is not None and self.model.hyper is not None:
                symbols = self.model.analyse(x[:: max(1, len(x) // DENSITY_FRAMES)]) / self.quantiser.step
                self.density.initialise(self.model.hyper.side(symbols))

    # Made at the first step, when the weights are those that the run begins or goes on with.

    @cached_property
    def shared_objective(self) -> Callable:
        return self.team.over(self.objective, self.model, *filter(None, [self.density]))

    @cached_property
    def shared_adversary_loss(self) -> Callable:
        return self.team.over(self.adversary.loss, self.adversary)

    def step(self, target: Tensor, learning_rate: float, *, rounding: bool) -> dict[str, float]:
        """One step of Adam on frames [T, 3, H, W] in 0..1; gives the terms of the loss, of all processes' frames."""
        self.model.train()
        for group in self.optimiser.param_groups:
            group["lr"] = learning_rate * group["factor"]
        with seeded(self.options.seed, self.position.step, self.device, self.team.rank):
            terms, frames = self.shared_objective(target, rounding)
            self.optimiser.zero_grad(set_to_none=True)
            terms["loss"].backward()
        figures = self.team.mean({name: term.item() for name, term in terms.items()})
        if not math.isfinite(figures["loss"]):
            raise ModelError(f"training has failed at step {self.position.step + 1}: the loss is {figures['loss']}; try a lower learning rate")
        if self.options.clip is not None:
            torch.nn.utils.clip_grad_norm_((part for group in self.optimiser.param_groups for part in group["params"]), self.options.clip)
        self.optimiser.step()
        if self.adversary is not None:
            self.adversary_optimiser.param_groups[0]["lr"] = learning_rate
            loss = adversary_step(self.shared_adversary_loss, self.adversary_optimiser, frames, target)
            figures |= self.team.mean({"adversary": loss})
        return figures

    def objective(self, target: Tensor, rounding: bool) -> tuple[dict[str, Tensor], Tensor]:
        """The terms of the loss, and the decoded frames."""
        seen: list[Tensor] = []

        def perturb(latents: Tensor) -> Tensor:
            seen.append(self.quantiser.perturb(latents.float()))
            return self.rounded(latents) if rounding else seen[-1]

        source = noisy(target, self.options.input_noise) if self.options.input_noise > 0 else target
        with torch.autocast(self.device.type, torch.bfloat16, enabled=self.autocast):
            result = self.model(source, perturb)
        extra = dict(result.extra_loss)
        if self.adversary is not None:
            extra["adversarial"] = self.options.adversarial * self.adversary.fooled(result.frames)
        bits = None if self.density is None else self.bits(seen[0] / self.quantiser.step)
        terms = training_loss(
            result.frames,
            target,
            distortion=self.distortion,
            bits=bits,
            rate_weight=self.options.rate_weight,
            extra=extra,
        )
        return terms, result.frames

    def bits(self, symbols: Tensor) -> Tensor:
        """Estimated bits of each frame [T] for symbols [T, …], with noise or whole."""
        if self.model.hyper is None:
            return self.density.bits(symbols)
        bits, side = self.model.hyper.rate(symbols)
        return bits + self.density.bits(side)

    def rounded(self, latents: Tensor) -> Tensor:
        """What decoding will see of the latents, with their gradient passed through."""
        latents = latents.float()
        with torch.no_grad():
            quantised = self.quantiser.quantise(latents.detach())
            error = self.quantiser.dequantise(quantised.symbols, quantised.parameters) - latents
        return latents + error

    def score(self, figures: Validation) -> float:
        """Higher is better: PSNR, or where a rate is trained minus the loss by validation's distortion and bits."""
        if self.density is None:
            return figures.psnr
        pixels = self.model.geometry.width * self.model.geometry.height
        return -(figures.distortion + self.options.rate_weight * figures.bits / pixels)

    def state(self) -> dict[str, Tensor]:
        """The tensors beside the model's that `restore` needs, by name."""
        state = moments_of(self.optimiser, "optimiser")
        if self.adversary is not None:
            state |= moments_of(self.adversary_optimiser, "adversary_optimiser")
            state |= {f"adversary.{name}": tensor for name, tensor in self.adversary.state_dict().items()}
        if self.density is not None:
            state |= {f"density.{name}": tensor for name, tensor in self.density.state_dict().items()}
        return state

    def restore(self, path: Path) -> None:
        """Puts model, optimiser, density and position where they were; raises ModelError or OptionError for another run's file."""
        checkpoint = checkpoints.load_file(path)
        kept, metadata = checkpoint.metadata.training, checkpoint.metadata
        if (metadata.model, metadata.config) != (self.model.name, as_json(asdict(self.model.config))):
            raise OptionError(f"{path}: is of another model than asked for: {metadata.model} {metadata.config}")
        processes = ("processes", kept.get("processes", 1), self.team.count)
        for what, stored, asked in (("quantiser", metadata.quantiser, self.quantiser.spec()), processes, *self.compared(kept.get("options"))):
            if stored != asked:
                raise OptionError(f"{path}: was trained with {what} {stored}, not {asked}; a run goes on with its own options, or starts again without --resume")
        tensors = checkpoints.load_state(path)
        try:
            self.position = Position(**kept["position"])
            self.model.load_state_dict(checkpoint.model.state_dict())
            if self.density is not None:
                self.density.load_state_dict({name.removeprefix("density."): tensor for name, tensor in tensors.items() if name.startswith("density.")})
            restore_moments(self.optimiser, "optimiser", tensors)
            if self.adversary is not None:
                self.adversary.load_state_dict({name.removeprefix("adversary."): tensor for name, tensor in tensors.items() if name.startswith("adversary.")})
                restore_moments(self.adversary_optimiser, "adversary_optimiser", tensors)
        except (KeyError, TypeError, ValueError, RuntimeError) as error:
            raise ModelError(f"{path}: holds no state of training to go on from; {type(error).__name__}: {error}") from error

    def compared(self, stored: dict | None) -> Iterator[tuple[str, object, object]]:
        stored = stored if isinstance(stored, dict) else {}
        for part in dataclasses.fields(self.options):
            if part.name not in FREE_ON_RESUME:
                # Runs of an earlier lvc do not tell of options that there were not.
                yield part.name, stored.get(part.name, part.default), getattr(self.options, part.name)


def noisy(frames: Tensor, deviation: float) -> Tensor:
    """Frames [T, 3, H, W] in 0..1 with normal noise of that deviation, cut off at 0 and 1 as pixels are; grey ones stay grey."""
    grey = bool((frames == frames[:, :1]).all())
    return (frames + deviation * torch.randn_like(frames[:, :1] if grey else frames)).clamp(0, 1)


def moments_of(optimiser: torch.optim.Optimizer, prefix: str) -> dict[str, Tensor]:
    """Adam's moments by name, as `restore_moments` takes them."""
    return {f"{prefix}.{number}.{name}": moment for number, moments in optimiser.state_dict()["state"].items() for name, moment in moments.items()}


def restore_moments(optimiser: torch.optim.Optimizer, prefix: str, tensors: dict[str, Tensor]) -> None:
    """Raises KeyError or ValueError where the tensors are not those of this optimiser."""
    state = {}
    for number, parameter in enumerate(parameter for group in optimiser.param_groups for parameter in group["params"]):
        state[number] = {"step": tensors[f"{prefix}.{number}.step"].clone()}
        for name in ("exp_avg", "exp_avg_sq"):
            stored = tensors[f"{prefix}.{number}.{name}"]
            if stored.shape != parameter.shape:
                raise ValueError(f"{name} {number} has the shape {list(stored.shape)}, {list(parameter.shape)} expected")
            # The fused step walks memory, so a moment is laid out as its parameter is.
            state[number][name] = torch.empty_like(parameter).copy_(stored)
    optimiser.load_state_dict({"state": state, "param_groups": optimiser.state_dict()["param_groups"]})


def train(
    model: Model,
    training: Frames,
    validation: Frames,
    output: Path,
    *,
    quantiser: Quantiser,
    entropy: dict,
    options: TrainingOptions,
    name: str | None = None,
    description: str = "",
    dataset: dict | None = None,
    device: str | torch.device = "cpu",
    workers: int = 1,
    resume: bool = False,
    start: Path | None = None,
    overwrite: bool = False,
    should_stop: Callable[[], bool] = lambda: False,
    team: Team = ALONE,
) -> Iterator[Progress]:
    """Trains and writes `output`, the best weights, and beside it `<stem>.last.safetensors`, from where `resume` goes on.

    With resume the weights are those of the last file, and options may differ from that run's in its ends alone
    (epochs, steps, patience, limit_seconds). should_stop is asked after each step; a yes saves and ends the run.
    team: the processes that do this together, each on `options.batch` frames of a step; the leader writes.
    start: weights to begin with, see `start_from`. dataset: what the weights should remember of the data, JSON. Raises InputError for a split without frames,
    OptionError, ModelError where the loss is no number any more, OutputError.
    """
    blank = Metadata(
        name=name or model.name,
        model=model.name,
        config=as_json(asdict(model.config)),
        geometry=model.geometry,
        quantiser=quantiser.spec(),
        entropy=entropy,
        description=description,
    )
    if (check_spec(entropy) == HYPERPRIOR) != (model.hyper is not None):
        raise OptionError("entropy hyperprior goes with a model that has one, and with no other: gdn-attention with --option hyper=48")
    if model.hyper is not None and not options.rate_weight > 0:
        raise OptionError("a hyperprior is trained by its rate alone: rate_weight must be above 0")
    check_combination(Checkpoint(blank, model), blank.quantiser, entropy)
    sampler = ClipSampler(training, batch=options.batch, seed=options.seed, part=team.rank, parts=team.count)
    if not len(validation):
        raise InputError("the data set has no validation frames: build it with a recording or more for validation")
    last = last_path(output)
    for path in (output, last) if team.leads else ():
        check_output(path, overwrite=overwrite or resume, inputs=() if start is None or resume else (Path(start),))
    run = Run(model, quantiser, options, device=device_of(device), team=team)
    if resume:
        run.restore(last)
    else:
        run.initialise(training)
        if start is not None:
            start_from(model, start)
    position = run.position
    clock = Clock(position)
    steps = min(options.epochs * len(sampler), options.steps or options.epochs * len(sampler))

    def write(path: Path, *, tables=None, latents=None, state=None) -> None:
        if not team.leads:
            return
        position.seconds = clock.seconds()
        training_facts = {"dataset": dataset or {}, "options": asdict(options), "processes": team.count, "position": asdict(position)}
        metadata = replace(blank, training=training_facts, latents=latents or {})
        model.settle()
        # What was there before the run was checked above; from here on it is this run's own.
        checkpoints.save(path, Checkpoint(metadata, model, tables or {}), overwrite=True, state=state)

    def share_done() -> float:
        return max(position.step / steps, clock.seconds() / (options.limit_seconds or math.inf))

    def record(terms: dict[str, float] | None = None, **more) -> Progress:
        speed = clock.steps() * sampler.batch / max(clock.run_seconds(), 1e-9)
        return Progress(position.epoch + 1, position.step, steps, share_done(), clock.seconds(), speed, terms or {}, **more)

    ended = None
    while position.step < steps and ended is None:
        for frames in sampler.batches(position.epoch, start=position.batch, workers=workers):
            [share] = team.largest(share_done())
            learning_rate = learning_rate_at(options, position.step, share)
            rounding = quantiser.noisy and share >= options.rounding_from
            terms = run.step(to_input(frames, run.device), learning_rate, rounding=rounding)
            position.step += 1
            position.batch += 1
            position.loss_sum += terms["loss"]
            yield record(terms, learning_rate=learning_rate)
            stopped, late = team.largest(should_stop(), options.limit_seconds is not None and clock.seconds() >= options.limit_seconds)
            if stopped:
                write(last, state=run.state())
                yield record(ended="interrupted")
                return
            if late:
                ended = f"the limit of {options.limit_seconds:g} seconds"
            if ended or position.step >= steps:
                break

        figures = team.told(
            lambda: validate(model, quantiser, validation, limit=options.validation_frames, distortion=run.distortion, device=run.device)
        )
        score = run.score(figures)
        better = position.best is None or score > position.best
        position.stale = 0 if better else position.stale + 1
        mean_loss = position.loss_sum / position.batch
        position.history.append({"epoch": position.epoch + 1, "step": position.step, "loss": mean_loss, **asdict(figures)})
        if better:
            position.best, position.best_step, position.figures = score, position.step, asdict(figures)
            write(output)
        yield record({"loss": mean_loss}, validation=figures, best=better)
        if position.batch == len(sampler):  # otherwise the pass was cut short, and a resumed run goes on within it
            position.epoch, position.batch, position.loss_sum = position.epoch + 1, 0, 0.0
        write(last, state=run.state())
        if options.patience is not None and position.stale >= options.patience:
            ended = f"no better validation in {position.stale} epochs"

    if not team.leads:  # what is left is one process's work
        yield record(ended=ended or "all steps done")
        return
    if position.best_step != position.step and output.exists():
        model.load_state_dict(checkpoints.load_file(output).model.state_dict())
    tables = {}
    if entropy["name"] == FACTORISED:
        tables[FACTORISED] = fit_tables(model, quantiser, training, limit=options.fit_frames, device=run.device)
    if entropy["name"] == HYPERPRIOR:
        tables = fit_hyper_tables(model, quantiser, training, limit=options.fit_frames, device=run.device)
    statistics = latent_statistics(model, validation, limit=options.validation_frames, device=run.device)
    write(output, tables=tables, latents=statistics)
    yield record(ended=ended or "all steps done")


class Clock:
    """Seconds and steps of a run, and since it was started or resumed."""

    def __init__(self, position: Position):
        self.position, self.earlier_seconds, self.earlier_steps = position, position.seconds, position.step
        self.started = time.monotonic()

    def run_seconds(self) -> float:
        return time.monotonic() - self.started

    def seconds(self) -> float:
        return self.earlier_seconds + self.run_seconds()

    def steps(self) -> int:
        return self.position.step - self.earlier_steps


def new_model(name: str, *, geometry: Geometry, seed: int, **options) -> Model:
    """A model whose first weights depend on the seed alone; raises OptionError."""
    with seeded(seed, -1, torch.device("cpu")):
        model = models.build(name, geometry=geometry, **options)
    return model


@contextmanager
def seeded(seed: int, step: int, device: torch.device, rank: int = 0) -> Iterator[None]:
    """Draws inside depend on (seed, step), and on the process among several; the caller's generators are left as they were."""
    with torch.random.fork_rng([device] if device.type == "cuda" else []):
        torch.manual_seed(int(np.random.SeedSequence([seed, step + 1, rank] if rank else [seed, step + 1]).generate_state(1, np.uint64)[0] >> np.uint64(1)))
        yield


def learning_rate_at(options: TrainingOptions, step: int, share: float) -> float:
    """The learning rate of a step, when `share` of the run is done."""
    warm = min(1.0, (step + 1) / WARM_UP_STEPS)
    if options.schedule == "constant":
        return options.lr * warm
    if options.schedule == "cyclic":
        height = 1 - abs(2 * (min(share, 1.0) * CYCLES % 1) - 1)
        return options.lr * warm * (LOWEST_OF_CYCLE + (1 - LOWEST_OF_CYCLE) * height)
    return options.lr * warm * (LOWEST_LR + (1 - LOWEST_LR) * 0.5 * (1 + math.cos(math.pi * min(share, 1.0))))


def fast_bfloat16(model: Model, device: torch.device) -> bool:
    """Whether bfloat16 pays: on CUDA, and for convolutions on processors with instructions for it.

    Measured on one core: conv4 and conv5 1.6 times as fast; fully connected ones no faster at 32 or 64 frames to a
    step, because their weights are converted at each.
    """
    if device.type == "cuda":
        return torch.cuda.is_bf16_supported()
    convolves = any(isinstance(part, torch.nn.Conv2d) for part in model.modules())
    return convolves and device.type == "cpu" and torch.cpu._is_avx512_bf16_supported()


def last_path(output: Path) -> Path:
    """Where the state of a run is kept: model.safetensors -> model.last.safetensors."""
    return output.with_name(f"{output.stem}.last{output.suffix}")


def as_json(value):
    """What JSON makes of a configuration: lists for tuples."""
    return json.loads(json.dumps(value))
