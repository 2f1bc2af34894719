"""Training of the palette family: clips of many games are coded one after another; what is learned of patterns is kept.

Coding itself learns, so there is nothing else to train: a step is a clip coded as an encoder would, at any quality,
with what it knows of colours empty at first.
"""

import copy
import math
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np

from lvc.codecs.checkpoint import Checkpoint
from lvc.codecs.learning.clips import Frames, spread
from lvc.codecs.learning.progress import Clock, Position, Progress, Validation, as_json, end_of
from lvc.codecs.learning.trainer import RunSettings, WeightsFiles
from lvc.codecs.palette.bitstream import PaletteFrames, game_of
from lvc.codecs.palette.colours import rgb
from lvc.codecs.palette.context_model import ContextModel, forget_colours, initial_model, keep
from lvc.codecs.palette.fit_game import fit_game
from lvc.codecs.palette.model import Palette, check_matches
from lvc.codecs.palette.rate_distortion import choose, choose_cheapest, whole_pictures
from lvc.codecs.palette.references import MOST_COLOURS
from lvc.entropy.bits import BitCounter, BitWriter
from lvc.errors import InputError, ModelError, OptionError
from lvc.quality.metrics import mean_squared_error

CLIP_LENGTHS = 9, 24, 64  # frames: the first a keyframe
FIRST_RATE, LAST_RATE = 12, 4  # of learning the weights
KEPT_COUNT = 30  # bits that an adaptive probability counts when a file begins, so that it goes on learning
LEVELS = 32  # of quality, from the best: what coarser ones ask for is mostly coded like these, see rate_distortion.py
SEARCHED = 0.9  # of the clips are coded with motion
EPOCH_STEPS = 100
VALIDATION_CRF = 32
VALIDATION_LENGTH = 24


@dataclass(frozen=True)
class PaletteOptions:
    """steps: clips that are coded."""

    steps: int = 1500
    seed: int = 0
    limit_seconds: float | None = None
    validation_clips: int = 6

    def __post_init__(self):
        for name in ("steps", "validation_clips"):
            if not (isinstance(getattr(self, name), int) and getattr(self, name) >= 1):
                raise OptionError(f"{name} must be a whole number from 1, not {getattr(self, name)!r}")


def coded_clip(model: Palette, contexts: ContextModel, source: Frames, rng: np.random.Generator) -> float:
    """Codes a clip of the source at any quality, with motion or without, and teaches the contexts: bits a frame."""
    starts: list[int] = []
    for length in (int(rng.choice(CLIP_LENGTHS)), *CLIP_LENGTHS[::-1]):
        if starts := list(source.clips(length)):
            break
    else:
        raise InputError(f"there is no recording of {CLIP_LENGTHS[0]} frames to train on")
    start = int(rng.choice(starts))
    pictures = whole_pictures(source.frames(range(start, start + length)).transpose(0, 2, 3, 1))
    palette = None
    if (
        model.config.colours
    ):  # of a game that is known nothing is forgotten, and so nothing learned of colours that others lack
        palette = np.unique(model.colours)
    else:
        forget_colours(contexts)
    chosen = choose(
        PaletteFrames(model, contexts, most=length),
        pictures,
        int(rng.integers(LEVELS)),
        search=rng.random() < SEARCHED,
        palette=palette,
    )
    return chosen.bits / length


def validate_palette(model: Palette, source: Frames, *, clips: int) -> Validation:
    """Clips of the source coded at VALIDATION_CRF: real bits of predicted frames, and PSNR."""
    length = next((length for length in (VALIDATION_LENGTH, CLIP_LENGTHS[0]) if len(source.clips(length))), None)
    if length is None:
        raise InputError(f"there is no recording of {CLIP_LENGTHS[0]} frames to validate on")
    starts = np.asarray(source.clips(length), np.int64)
    starts = starts[spread(len(starts), clips)]
    bits, errors = 0, []
    for start in starts:
        pictures = whole_pictures(source.frames(range(start, start + length)).transpose(0, 2, 3, 1))
        chosen, _ = choose_cheapest(
            lambda: (PaletteFrames(model, most=length), [BitCounter()] * length),
            pictures,
            VALIDATION_CRF,
            known=game_of(model).colours,
            search=True,
        )
        coding = PaletteFrames(model)
        for part in (slice(0, 1), slice(1, None)):
            writer = BitWriter()
            coding.code_frames(
                chosen.symbols[part], len(chosen.symbols[part]), writer, chosen.symbols.shape[1:], chosen.plans[part]
            )
        bits += 8 * len(writer.finish())
        errors += [mean_squared_error(*pair) for pair in zip(pictures, rgb(chosen.symbols[:, 0]).astype(np.uint8))]
    return Validation.of(errors, bits=bits / (len(starts) * (length - 1)))


def train_palette(
    model: Palette,
    training: Frames,
    validation: Frames,
    output: Path,
    *,
    options: PaletteOptions,
    settings: RunSettings,
) -> Iterator[Progress]:
    """Codes clips and writes `output`: what was learned of patterns.

    Beside it `<stem>.last.safetensors` keeps the state, from where a run is resumed. One process on its processor
    does it, whatever device and workers are set. What is raised: as of `Trainer.train`, and OptionError for a team of
    several.
    """
    if settings.team.count > 1:
        raise OptionError(f"{model.name} is trained by one process: it takes minutes")
    last = settings.check_outputs(output)
    run = PaletteRun(model, training, validation, last, options, settings)
    if settings.resume:
        run.restore()
    elif model.config.colours:
        fit_game(model, training, rate=FIRST_RATE, seed=options.seed)
    yield from run.records()
    if run.ended == "interrupted":
        return
    taught = run.checkpoint()
    taught.model.for_coding()  # raises before anything is written that could not code
    settings.files.save(output, taught, overwrite=True)
    yield run.record(ended=run.ended)


class PaletteRun:
    """Clips coded one after another, with a validation after each EPOCH_STEPS of them. ended: why they are over.

    last: where its state is kept.
    """

    def __init__(
        self,
        model: Palette,
        training: Frames,
        validation: Frames,
        last: Path,
        options: PaletteOptions,
        settings: RunSettings,
    ):
        self.model, self.training, self.validation, self.last = model, training, validation, last
        self.options, self.settings = options, settings
        self.blank = settings.metadata(model, quantiser={"name": "round"}, entropy={"name": "mixing"})
        self.contexts = initial_model(model, FIRST_RATE)
        self.clock = Clock(Position())
        self.ended: str | None = None

    @property
    def position(self) -> Position:
        return self.clock.position

    def restore(self) -> None:
        """Puts everything where the last file stands; raises ModelError or OptionError for another run's file."""
        self.clock = Clock(restore(self.last, self.model, self.contexts, self.settings.files))

    def checkpoint(self) -> Checkpoint:
        """The model with what was learned so far."""
        self.position.seconds = self.clock.seconds()
        taught = copy.deepcopy(self.model)
        keep(self.contexts, taught, KEPT_COUNT)
        facts = {
            "dataset": self.settings.dataset or {},
            "options": asdict(self.options),
            "position": asdict(self.position),
        }
        return Checkpoint(replace(self.blank, training=facts), taught)

    def keep(self) -> None:
        self.settings.files.save(self.last, self.checkpoint(), overwrite=True, state=state_of(self.contexts))

    def share_done(self) -> float:
        options = self.options
        by_clock = self.clock.seconds() / (options.limit_seconds or math.inf)
        return min(1.0, max(self.position.step / options.steps, by_clock))

    def record(self, terms: dict[str, float] | None = None, **more) -> Progress:
        return self.clock.record(terms, steps=self.options.steps, share=self.share_done(), **more)

    def records(self) -> Iterator[Progress]:
        """Codes clips to the end, or until something ends it earlier."""
        position, options = self.position, self.options
        losses: list[float] = []
        while self.ended is None:
            self.contexts.rate = rate = round(FIRST_RATE + (LAST_RATE - FIRST_RATE) * self.share_done())
            rng = np.random.default_rng([options.seed, position.step])
            losses.append(coded_clip(self.model, self.contexts, self.training, rng))
            position.step += 1
            yield self.record({"loss": losses[-1]}, learning_rate=float(rate))
            if self.share_done() >= 1:
                self.ended = end_of(position.step, options.steps, options.limit_seconds)
            if self.settings.should_stop():
                self.ended = "interrupted"
                self.keep()
                yield self.record(ended=self.ended)
            elif self.ended or position.step % EPOCH_STEPS == 0:
                yield self.record({"loss": float(np.mean(losses))}, validation=self.validated(), best=True)
                losses = []

    def validated(self) -> Validation:
        figures = validate_palette(self.checkpoint().model, self.validation, clips=self.options.validation_clips)
        self.position.figures = asdict(figures)
        self.position.epoch += 1
        self.keep()
        return figures


def state_of(contexts: ContextModel) -> dict[str, np.ndarray]:
    """All that a context model knows; the names are those of the file."""
    return {"slots": contexts.probabilities.astype(np.int64), "weights": contexts.weights, "guesses": contexts.matches}


def restore(path: Path, model: Palette, contexts: ContextModel, files: WeightsFiles) -> Position:
    """Puts everything where the last file stands; raises ModelError or OptionError for another run's file."""
    checkpoint = files.load_file(path)
    if checkpoint.metadata.config != as_json(asdict(model.config)):
        raise OptionError(f"{path}: is of another model than asked for: {checkpoint.metadata.config}")
    tensors = files.load_state(path)
    try:
        contexts.probabilities[:] = tensors["slots"].astype(np.uint32)
        contexts.weights[:], contexts.matches[:] = tensors["weights"], tensors["guesses"]
        for part, kept in checkpoint.model.arrays().items():
            getattr(model, part)[:] = kept
        check_matches(contexts.matches, model.config.colours or MOST_COLOURS)
        return Position(**checkpoint.metadata.training["position"])
    except (KeyError, TypeError, ValueError, RuntimeError) as error:
        raise ModelError(f"{path}: is no state of such a training: {error}") from error
