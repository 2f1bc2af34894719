"""Finds the quality level that meets a target."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from lvc.codecs.codec import GroupCodec
from lvc.codecs.crf import CRF_LEVELS
from lvc.errors import OptionError
from lvc.quality.metrics import mean_of_psnr, mean_squared_error, ssim

GROUP_BYTES, HEADER_BYTES = 64, 800  # at most, beside the payloads: record, table and index entry; header and trailer


@dataclass(frozen=True)
class Trial:
    """What some frames came to: bytes a frame with what a file adds, the squared error of each frame,
    and the mean SSIM where it was asked for.
    """

    bytes_per_frame: float
    errors: tuple[float, ...]
    ssim: float | None = None

    @property
    def frames(self) -> int:
        return len(self.errors)

    @property
    def psnr(self) -> float | None:
        """Mean dB in RGB of the frames that are not identical to their source; None where all are."""
        return mean_of_psnr(self.errors)

    @property
    def identical(self) -> int:
        """Frames that are identical to their source."""
        return sum(not error for error in self.errors)

    @property
    def mse(self) -> float:
        return sum(self.errors) / len(self.errors)

    def reaches(self, decibels: float) -> bool:
        """Whether the mean PSNR is that high, or there is no error."""
        return self.psnr is None or self.psnr >= decibels


@dataclass(frozen=True)
class Target:
    """What a file must reach, as cheaply (or as well) as it can: one of a mean PSNR in dB, a mean SSIM,
    or at most so many bytes a frame.
    """

    min_psnr: float | None = None
    min_ssim: float | None = None
    bytes_per_frame: float | None = None

    def __post_init__(self):
        given = {name: value for name, value in vars(self).items() if value is not None}
        if len(given) != 1:
            raise OptionError("one of min_psnr, min_ssim and bytes_per_frame was expected")
        if not all(value > 0 for value in given.values()) or (self.min_ssim or 0) >= 1:
            raise OptionError("a target is above 0, and one of SSIM below 1")

    def met(self, trial: Trial) -> bool:
        """True if what a trial came to reaches the target."""
        if self.min_psnr is not None:
            return trial.reaches(self.min_psnr)
        if self.min_ssim is not None:
            return trial.ssim >= self.min_ssim
        return trial.bytes_per_frame <= self.bytes_per_frame

    def __str__(self) -> str:
        if self.min_psnr is not None:
            return f"a PSNR of {self.min_psnr:g} dB"
        return (
            f"an SSIM of {self.min_ssim:g}" if self.min_ssim is not None else f"{self.bytes_per_frame:g} bytes a frame"
        )


def tried(
    codec: GroupCodec, frames: np.ndarray, native: np.ndarray | None = None, *, similarity: bool = False
) -> Trial:
    """Codes frames uint8 [T, H, W, 3] as one group, and measures them; SSIM, which takes longest, only with
    `similarity`.

    native: the game's own pixels, for a codec of these.
    """
    coded = codec.encode_group(frames if codec.grid is None else native)
    decoded = codec.decoded_pictures(coded)
    errors = tuple(mean_squared_error(one, other) for one, other in zip(frames, decoded))
    similarities = (
        [1.0 if (value := ssim(one, other)) is None else value for one, other in zip(frames, decoded)]
        if similarity
        else None
    )
    return Trial(
        (coded.payload_bytes + GROUP_BYTES) / len(frames),
        errors,
        None if similarities is None else float(np.mean(similarities)),
    )


def joined(trials: Sequence[Trial]) -> Trial:
    """The groups of a file together."""
    counts = [trial.frames for trial in trials]

    def mean(name: str) -> float:
        return float(np.average([getattr(trial, name) for trial in trials], weights=counts))

    similarity = None if trials[0].ssim is None else mean("ssim")
    return Trial(
        mean("bytes_per_frame") + HEADER_BYTES / sum(counts),
        tuple(error for trial in trials for error in trial.errors),
        similarity,
    )


def level_for(
    target: Target, trial_at: Callable[[int], Trial], *, start: int | None = None, levels: int = CRF_LEVELS
) -> int | None:
    """The quality level that meets the target at the least cost (bytes, or quality for a target of bytes); None where
    none does.

    trial_at: what a level comes to; bytes and quality fall as levels rise. The ends of the search are tried themselves:
    the level given met the target, and its neighbour on the other side did not. start: a level that is thought to be
    near. levels: from 0, how many there are.
    """
    # Depth 0 meets the target most easily, the last depth hardest.
    level_at = (lambda depth: depth) if target.bytes_per_frame is None else (lambda depth: levels - 1 - depth)
    good, bad = -1, levels  # all up to `good` meet it, all from `bad` on do not
    # From `start` in strides that double; without it by halves, as each stride then leads out of the range.
    depth, stride = (levels // 2, levels) if start is None else (level_at(start), 1)
    while bad - good > 1:
        if not good < depth < bad:
            depth = (good + bad) // 2
        if target.met(trial_at(level_at(depth))):
            good, depth = depth, depth + stride
        else:
            bad, depth = depth, depth - stride
        stride *= 2
    return None if good < 0 else level_at(good)
