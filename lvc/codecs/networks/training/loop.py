"""Training from the first step to the finished weights file, one record of progress after another.

for progress in train(model, store, validation, Path("model.safetensors"), options=TrainingOptions(), ...):
    ...
"""

import math
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from lvc.codecs.checkpoint import Checkpoint, Metadata
from lvc.codecs.in_torch import device_of
from lvc.codecs.learning.clips import ClipSampler, Frames
from lvc.codecs.learning.inputs import to_input
from lvc.codecs.learning.optimising import learning_rate_at
from lvc.codecs.learning.progress import Clock, Progress, Validation, last_path
from lvc.codecs.learning.trainer import RunSettings, WeightsFiles
from lvc.codecs.networks.model import Model
from lvc.codecs.networks.training.options import TrainingOptions
from lvc.codecs.networks.training.run import Run
from lvc.codecs.networks.training.start import start_from
from lvc.codecs.networks.training.validation import fit_hyper_tables, fit_tables, latent_statistics, validate
from lvc.codecs.neural.quantize import Quantiser, check_combination
from lvc.entropy.priors import HYPERPRIOR, check_spec
from lvc.errors import InputError, OptionError

FACTORISED = "factorised"


def train(
    model: Model,
    training: Frames,
    validation: Frames,
    output: Path,
    *,
    quantiser: Quantiser,
    entropy: dict,
    options: TrainingOptions,
    settings: RunSettings,
) -> Iterator[Progress]:
    """Trains and writes `output`, the best weights, and beside it `<stem>.last.safetensors`, from where a run is
    resumed.

    A resumed run's weights are those of the last file, and options may differ from that run's in its ends alone
    (epochs, steps, patience, limit_seconds). Each process of a team takes `options.batch` frames of a step. Weights to
    start from: see `start_from`. What is raised: as of `Trainer.train`.
    """
    team = settings.team
    blank = settings.metadata(model, quantiser=quantiser.spec(), entropy=entropy)
    check_goes_together(model, blank, options)
    sampler = ClipSampler(training, batch=options.batch, seed=options.seed, part=team.rank, parts=team.count)
    if not len(validation):
        raise InputError("the data set has no validation frames: build it with a recording or more for validation")
    last = settings.check_outputs(output)
    run = Run(model, quantiser, options, device=device_of(settings.device), team=team)
    if settings.resume:
        run.restore(last, settings.files)
    else:
        run.initialise(training)
        if settings.start is not None:
            start_from(model, settings.start)
    kept = Kept(run, blank, settings.dataset or {}, settings.files, Clock(run.position))
    loop = Loop(run, kept, sampler, validation, output)
    yield from loop.records(settings.workers, settings.should_stop)
    if loop.ended == "interrupted":
        return
    if team.leads:  # what is left is one process's work
        loop.finish(training, entropy["name"])
    yield loop.record(ended=loop.ended or "all steps done")


def check_goes_together(model: Model, metadata: Metadata, options: TrainingOptions) -> None:
    """Raises OptionError for a model, a quantiser, an entropy model and options that cannot be trained together."""
    if (check_spec(metadata.entropy) == HYPERPRIOR) != (model.hyper is not None):
        raise OptionError(
            "entropy hyperprior goes with a model that has one, and with no other: gdn-attention with --option hyper=48"
        )
    if model.hyper is not None and not options.rate_weight > 0:
        raise OptionError("a hyperprior is trained by its rate alone: rate_weight must be above 0")
    check_combination(Checkpoint(metadata, model), metadata.quantiser, metadata.entropy)


@dataclass(frozen=True)
class Kept:
    """What a run writes: its weights, with all that says where it stands. blank:
    the metadata before anything is known.
    """

    run: Run
    blank: Metadata
    dataset: dict
    files: WeightsFiles
    clock: Clock

    def write(self, path: Path, *, tables: dict | None = None, latents: dict | None = None, state: Any = None) -> None:
        run = self.run
        if not run.team.leads:
            return
        run.position.seconds = self.clock.seconds()
        facts = {
            "dataset": self.dataset,
            "options": asdict(run.options),
            "processes": run.team.count,
            "position": asdict(run.position),
        }
        run.model.settle()
        # What was there before the run was checked at its start; from there on it is this run's own.
        self.files.save(
            path,
            Checkpoint(replace(self.blank, training=facts, latents=latents or {}), run.model, tables or {}),
            overwrite=True,
            state=state,
        )


class Loop:
    """The passes over the training frames, with a validation after each. ended:
    why they are over, or None where all steps are done.
    """

    def __init__(self, run: Run, kept: Kept, sampler: ClipSampler, validation: Frames, output: Path):
        self.run, self.kept, self.sampler, self.validation, self.output = run, kept, sampler, validation, output
        options, whole = run.options, run.options.epochs * len(sampler)
        self.steps = min(whole, options.steps or whole)
        self.ended: str | None = None

    def share_done(self) -> float:
        return max(
            self.run.position.step / self.steps,
            self.kept.clock.seconds() / (self.run.options.limit_seconds or math.inf),
        )

    def record(self, terms: dict[str, float] | None = None, **more) -> Progress:
        frames = self.sampler.batch
        return self.kept.clock.record(terms, steps=self.steps, share=self.share_done(), frames_a_step=frames, **more)

    def records(self, workers: int, should_stop: Callable[[], bool]) -> Iterator[Progress]:
        """Trains until all steps are done, or something ends it earlier."""
        position, last = self.run.position, last_path(self.output)
        while position.step < self.steps and self.ended is None:
            yield from self._pass(workers, should_stop)
            if self.ended == "interrupted":
                return
            yield self._validated()
            # Otherwise the pass was cut short, and a resumed run goes on within it
            if position.batch == len(self.sampler):
                position.epoch, position.batch, position.loss_sum = position.epoch + 1, 0, 0.0
            self.kept.write(last, state=self.run.state())
            patience = self.run.options.patience
            if patience is not None and position.stale >= patience:
                self.ended = f"no better validation in {position.stale} epochs"

    def _pass(self, workers: int, should_stop: Callable[[], bool]) -> Iterator[Progress]:
        """The rest of the pass under way, a record after each step."""
        run, position, options = self.run, self.run.position, self.run.options
        for frames in self.sampler.batches(position.epoch, start=position.batch, workers=workers):
            [share] = run.team.largest(self.share_done())
            learning_rate = learning_rate_at(options.lr, position.step, share, schedule=options.schedule)
            rounding = run.quantiser.noisy and share >= options.rounding_from
            terms = run.step(to_input(frames, run.device), learning_rate, rounding=rounding)
            position.step += 1
            position.batch += 1
            position.loss_sum += terms["loss"]
            yield self.record(terms, learning_rate=learning_rate)
            late = options.limit_seconds is not None and self.kept.clock.seconds() >= options.limit_seconds
            stopped, late = run.team.largest(should_stop(), late)
            if stopped:
                self.ended = "interrupted"
                self.kept.write(last_path(self.output), state=run.state())
                yield self.record(ended=self.ended)
                return
            if late:
                self.ended = f"the limit of {options.limit_seconds:g} seconds"
            if self.ended or position.step >= self.steps:
                return

    def _validated(self) -> Progress:
        """Validates, and writes the weights where they are the best so far."""
        run, position = self.run, self.run.position

        def measure() -> Validation:
            return validate(
                run.model,
                run.quantiser,
                self.validation,
                limit=run.options.validation_frames,
                distortion=run.distortion,
                device=run.device,
            )

        figures = run.team.broadcast(measure)
        score = run.score(figures)
        better = position.best is None or score > position.best
        position.stale = 0 if better else position.stale + 1
        mean_loss = position.loss_sum / position.batch
        position.history.append(
            {"epoch": position.epoch + 1, "step": position.step, "loss": mean_loss, **asdict(figures)}
        )
        if better:
            position.best, position.best_step, position.figures = score, position.step, asdict(figures)
            self.kept.write(self.output)
        return self.record({"loss": mean_loss}, validation=figures, best=better)

    def finish(self, training: Frames, entropy: str) -> None:
        """Writes the best weights with the tables and statistics that coding needs."""
        run, position = self.run, self.run.position
        model, options = run.model, run.options
        if position.best_step != position.step and self.output.exists():
            model.load_state_dict(self.kept.files.load_file(self.output).model.state_dict())
        tables = {}
        if entropy == FACTORISED:
            tables[FACTORISED] = fit_tables(model, run.quantiser, training, limit=options.fit_frames, device=run.device)
        if entropy == HYPERPRIOR:
            tables = fit_hyper_tables(model, run.quantiser, training, limit=options.fit_frames, device=run.device)
        statistics = latent_statistics(model, self.validation, limit=options.validation_frames, device=run.device)
        self.kept.write(self.output, tables=tables, latents=statistics)
