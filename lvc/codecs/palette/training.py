"""Training of the palette family: clips of many games are coded one after another; what is learned of patterns is kept.

Coding itself learns, so there is nothing else to train: a step is a clip coded as an encoder would, at any quality,
with what it knows of colours empty at first.
"""

import copy
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np

from lvc.codecs.checkpoint import Checkpoint, Metadata
from lvc.codecs.learning.clips import Frames, spread
from lvc.codecs.learning.progress import Clock, Position, Progress, Validation, as_json, last_path
from lvc.codecs.learning.team import ALONE, Team
from lvc.codecs.learning.trainer import WeightsFiles
from lvc.codecs.palette.bitstream import PaletteFrames, game_of
from lvc.codecs.palette.colours import rgb
from lvc.codecs.palette.context_model import ContextModel, forget_colours, initial_model, keep
from lvc.codecs.palette.fit_game import fit_game
from lvc.codecs.palette.model import Palette, check_matches
from lvc.codecs.palette.rate_distortion import choose, choose_cheapest, whole_pictures
from lvc.codecs.palette.references import MOST_COLOURS
from lvc.entropy.bits import BitWriter
from lvc.errors import InputError, ModelError, OptionError
from lvc.output import check_output
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
            lambda: (PaletteFrames(model, most=length), ()),
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
    files: WeightsFiles,
    name: str,
    description: str = "",
    dataset: dict | None = None,
    device: str = "cpu",
    workers: int = 1,
    resume: bool = False,
    overwrite: bool = False,
    should_stop: Callable[[], bool] = lambda: False,
    team: Team = ALONE,
) -> Iterator[Progress]:
    """Codes clips and writes `output`: what was learned of patterns.

    Beside it `<stem>.last.safetensors` keeps the state, from where `resume` goes on. One process on its processor
    does it, whatever `device` and `workers` say. The others, and what is raised: as of `Trainer.train`, and
    OptionError for a team of several.
    """
    del device, workers  # which other families make use of
    if team.count > 1:
        raise OptionError(f"{model.name} is trained by one process: it takes minutes")
    last = last_path(output)
    for path in (output, last):
        check_output(path, overwrite=overwrite or resume)
    position = Position()
    blank = Metadata(
        name=name,
        model=model.name,
        config=as_json(asdict(model.config)),
        geometry=model.geometry,
        quantiser={"name": "round"},
        entropy={"name": "mixing"},
        description=description,
    )
    contexts = initial_model(model, FIRST_RATE)
    if resume:
        position = restore(last, model, contexts, files)
    clock = Clock(position)
    if model.config.colours and not position.step:
        fit_game(model, training, rate=FIRST_RATE, seed=options.seed)

    def checkpoint() -> Checkpoint:
        position.seconds = clock.seconds()
        taught = copy.deepcopy(model)
        keep(contexts, taught, KEPT_COUNT)
        return Checkpoint(
            replace(
                blank, training={"dataset": dataset or {}, "options": asdict(options), "position": asdict(position)}
            ),
            taught,
        )

    def save_last() -> None:
        files.save(last, checkpoint(), overwrite=True, state=state_of(contexts))

    def worth() -> Validation:
        figures = validate_palette(checkpoint().model, validation, clips=options.validation_clips)
        position.figures = asdict(figures)
        position.epoch += 1
        save_last()
        return figures

    def share_done() -> float:
        return min(1.0, max(position.step / options.steps, clock.seconds() / (options.limit_seconds or float("inf"))))

    def record(terms: dict | None = None, **more) -> Progress:
        return Progress(
            position.epoch + 1,
            position.step,
            options.steps,
            share_done(),
            clock.seconds(),
            clock.steps() / max(clock.run_seconds(), 1e-9),
            terms or {},
            **more,
        )

    losses, ended = [], None
    while ended is None:
        contexts.rate = rate = round(FIRST_RATE + (LAST_RATE - FIRST_RATE) * share_done())
        bits = coded_clip(model, contexts, training, np.random.default_rng([options.seed, position.step]))
        position.step += 1
        losses.append(bits)
        yield record({"loss": bits}, learning_rate=float(rate))
        if share_done() >= 1:
            ended = end_of(position.step, options)
        if should_stop():
            save_last()
            yield record(ended="interrupted")
            return
        if ended or position.step % EPOCH_STEPS == 0:
            yield record({"loss": float(np.mean(losses))}, validation=worth(), best=True)
            losses = []
    taught = checkpoint()
    taught.model.for_coding()  # raises before anything is written that could not code
    files.save(output, taught, overwrite=True)
    yield record(ended=ended)


def end_of(step: int, options: PaletteOptions) -> str:
    return "all steps done" if step >= options.steps else f"the limit of {options.limit_seconds:g} seconds"


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
