"""Which model serves a recording: those that could are tried on some of its frames, and the cheapest at the wanted
quality is taken."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from lvc.codecs.calibration import BYTES_A_DECIBEL
from lvc.codecs.checkpoint import Checkpoint
from lvc.codecs.codec import Fit
from lvc.codecs.crf import DEFAULT_CRF, psnr_of_crf
from lvc.codecs.family import family_of, model_names, open_codec, traits_of
from lvc.errors import OptionError
from lvc.frames import Geometry
from lvc.native.pixel_grid import PixelGrid
from lvc.weights import checkpoints

AUTO = "auto"  # in place of a model's name
TOO_FAR = 1.5  # dB below the wanted quality, from which on a model does not serve
# dB above it, from which on a model that codes the game's own pixels is taken without a standard codec being tried. On
# the sample clips such models are 5 to 10 above, and AV1 takes 2.9 to 8 times their bytes; to try it takes 8 s of
# processor time of the 12 s that a clip of 60 s takes.
CLEARLY_ABOVE = 3.0


@dataclass(frozen=True)
class Run:
    """Some frames of a recording in a row, uint8 [T, H, W, 3], and the game's own pixels of each, uint8 [T, h, w, 3],
    or None."""

    frames: np.ndarray
    native: np.ndarray | None = None


@dataclass(frozen=True)
class Candidate:
    """A model that was tried. cost: bytes a frame at the wanted quality; infinite where it does not come near that."""

    checkpoint: Checkpoint
    fit: Fit
    cost: float


def candidates(
    runs: Sequence[Run],
    geometry: Geometry,
    *,
    grid: PixelGrid | None = None,
    crf: int | None = None,
    effort: int | None = None,
    device: str = "cpu",
    names: Sequence[str] | None = None,
) -> list[Candidate]:
    """Models of variable rate on runs of a recording, the cheapest at the quality that crf means first.

    grid: by which the runs' native pixels are shown. names: models to try; by default those that are shipped or need
    no weights.
    Raises OptionError where there is none.
    """
    wanted = psnr_of_crf(DEFAULT_CRF if crf is None else crf)
    found: list[Candidate] = []

    def suited() -> bool:
        return any(one.fit.psnr >= wanted for one in found)

    def settled() -> bool:
        native = (one for one in found if grid is not None and traits_of(one.checkpoint).takes_native)
        return any(one.fit.psnr >= wanted + CLEARLY_ABOVE for one in native)

    for checkpoint in tried_models(names, effort, device, suited, settled):
        traits = traits_of(checkpoint)
        used = grid if traits.takes_native else None
        # Models of few colours are far from others or near each other at any effort; the others' bytes depend on it.
        tried_effort = min(traits.efforts, default=None) if traits.takes_native else effort
        codec = open_codec(
            checkpoint,
            geometry=geometry,
            crf=crf,
            effort=tried_effort if traits.efforts else None,
            device=device,
            grid=used,
        )
        fit = codec.fitted(pairs_of(runs, used))
        found.append(Candidate(checkpoint, fit, cost_of(fit, wanted)))
    if not found:
        raise OptionError("no model of variable rate is at hand; name one with --model")
    # Where none comes near the wanted quality, the one that comes nearest.
    return sorted(found, key=lambda one: (one.cost, -one.fit.psnr))


def pairs_of(runs: Sequence[Run], grid: PixelGrid | None) -> list[tuple[np.ndarray, np.ndarray]]:
    """Of each run the frames that are coded and those that are shown; with a grid of those runs that show its
    pixels."""
    if grid is None:
        return [(run.frames, run.frames) for run in runs]
    return [
        (run.native, run.frames)
        for run in runs
        if run.native is not None and run.native.shape[1:3] == (grid.native.height, grid.native.width)
    ]


def cost_of(fit: Fit, wanted: float) -> float:
    """Bytes a frame at the wanted PSNR; more quality than that is worth nothing, and less as many bytes as would mend
    it."""
    short = max(0.0, wanted - fit.psnr)
    return float("inf") if short > TOO_FAR else fit.bytes_per_frame * BYTES_A_DECIBEL**short


def tried_models(
    names: Sequence[str] | None,
    effort: int | None,
    device: str,
    suited: Callable[[], bool],
    settled: Callable[[], bool],
) -> Iterator[Checkpoint]:
    """Models to try in turn. Of what ships, what has one rate is not even loaded: it is a network of single frames, to
    which all else is to be preferred.

    suited: whether one of those before serves; then no network is loaded, which none of them needs. settled: whether
    one of them serves so well that no standard codec is tried.
    """
    if names is not None:
        yield from (checkpoints.load(name, device=device) for name in names)
        return
    traits = {name: checkpoints.family_traits(name) for name in checkpoints.shipped()}
    needs_torch = {name: traits[name].needs_torch for name in traits if traits[name].variable_rate}
    for name in (name for name in needs_torch if not needs_torch[name]):
        yield checkpoints.load(name, device=device)
    for model in [] if settled() else standard_models(effort):
        yield family_of(model).without_weights(model)
    for name in (name for name in needs_torch if needs_torch[name]):
        if suited():
            return
        yield checkpoints.load(name, device=device)


def standard_models(effort: int | None) -> list[str]:
    """Models without weights that code any picture at a wanted quality, and whose encoder is at hand."""
    found = []
    for model in model_names(weights=False):
        family = family_of(model)
        checkpoint = family.without_weights(model)
        if family.traits_of(checkpoint).variable_rate and family.serves(model, effort):
            found.append(model)
    return found
