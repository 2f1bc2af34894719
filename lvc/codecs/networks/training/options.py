"""The options of the training of single-frame networks."""

import math
from dataclasses import dataclass

from lvc.codecs.learning.optimising import SCHEDULES
from lvc.codecs.networks.training.loss import parts_of
from lvc.errors import OptionError

PRECISIONS = ("auto", "float32", "bfloat16")


@dataclass(frozen=True)
class TrainingOptions:
    """epochs: passes over the training frames. steps: an earlier end, or None. lr: the highest of Adam's learning rate,
    which falls to a fiftieth over the run with the schedule "cosine";
    "cyclic" goes up and down between a tenth and the whole of it, four times (Smith, WACV 2017).
    patience: epochs without a better validation before an early stop, or None for none.
    distortion: parts with weights as `parts_of` reads them, or None for the model's own. adversarial: weight beside it
    of what an adversary tells from the source; 0 trains none. input_noise: deviation of noise that frames in 0..1 get
    on their way in, and not as the target (Vincent et al., ICML 2008); 0 adds none. rate_weight: of bits a pixel beside
    the distortion, for latents that are rounded; 0 trains no rate. rounding_from: share of the run after which
    quantising itself replaces the noise that stands for it; the rate keeps the noise, since whole numbers hardly tell
    it which way is cheaper (Minnen and Singh, ICIP 2020, section 3.3). clip: the greatest norm of a step's gradient, to
    which longer ones are cut, or None for any (Pascanu et al., ICML 2013).
    precision: "auto" takes bfloat16 where `fast_bfloat16` says so.
    validation_frames, fit_frames: at most so many, evenly spread. limit_seconds: an end by the clock, which no seed
    repeats.
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
                raise OptionError(
                    f"{name} must be one of {', '.join(filter(None, choices))}, not {getattr(self, name)!r}"
                )
        if self.distortion is not None:
            parts_of(self.distortion)


def check_whole(name: str, value, least: int) -> None:
    if not (type(value) is int and value >= least):
        raise OptionError(f"{name} must be a whole number from {least}, not {value!r}")


def is_number(value) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)
