"""How far a training is: where it stands, what it tells after each step, and what it was worth."""

import json
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

from lvc.quality.metrics import PEAK, mean_of_psnr, psnr_of_mse


@dataclass(frozen=True)
class Validation:
    """What a model is worth on frames that it was not trained on.

    psnr: mean over frames of the dB in RGB, after quantising and in 8 bits, without those that are identical; None
    where all are.
    psnr_lowest: of the worst frame. distortion: the mean of the training loss's distortion. bits: of a frame; None
    where they are not counted.
    frames: that were measured, and identical: those of them that came back as they were.
    """

    psnr: float | None
    psnr_lowest: float | None
    distortion: float
    bits: float | None
    frames: int
    identical: int = 0

    @classmethod
    def of(cls, errors: Sequence[float], *, bits: float | None, distortion: float | None = None) -> Self:
        """The figures of frames with these squared errors, in levels of 255 squared; distortion: by default their mean,
        in 0..1.
        """
        mean = sum(errors) / len(errors)
        return cls(
            psnr=mean_of_psnr(errors),
            psnr_lowest=psnr_of_mse(max(errors)),
            distortion=mean / PEAK**2 if distortion is None else distortion,
            bits=bits,
            frames=len(errors),
            identical=sum(not error for error in errors),
        )

    def told(self) -> str:
        """The mean PSNR as a person reads it."""
        return "without loss" if self.psnr is None else f"{self.psnr:.2f} dB"


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

    def record(
        self, terms: dict[str, float] | None = None, *, steps: int, share: float, frames_a_step: int = 1, **more
    ) -> Progress:
        """Progress of a run of so many steps, with where it is and how fast it was."""
        speed = self.steps() * frames_a_step / max(self.run_seconds(), 1e-9)
        position = self.position
        return Progress(position.epoch + 1, position.step, steps, share, self.seconds(), speed, terms or {}, **more)


def end_of(step: int, steps: int, limit_seconds: float | None) -> str:
    """Why a run is over whose share is done: by its steps or by the clock."""
    return "all steps done" if step >= steps else f"the limit of {limit_seconds:g} seconds"


def last_path(output: Path) -> Path:
    """Where the state of a run is kept: model.safetensors -> model.last.safetensors."""
    return output.with_name(f"{output.stem}.last{output.suffix}")


def as_json(value):
    """What JSON makes of a configuration: lists for tuples."""
    return json.loads(json.dumps(value))
