"""Training of the palette family: its networks learn the yes or no of every decision that coding makes.

In rounds: clips are coded with the networks so far, as an encoder chooses their colours, and all decisions are kept with what was
known before each; then the networks learn them. A later round's decisions are those of a better encoder.
"""

import copy
import math
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from lvc import checkpoints
from lvc.checkpoints import Checkpoint, Metadata
from lvc.entropy.coder import SymbolWriter, Unwritten
from lvc.errors import InputError, ModelError, OptionError
from lvc.flags import ODDS_LIMIT, flag_tables
from lvc.models.integer_layers import ACTIVATION_SCALE
from lvc.models.palette import BLOCK_FACTS, PIXEL_FACTS, SIDE, FlagNetwork, Palette
from lvc.models.temporal import CRF_LEVELS
from lvc.output import check_output
from lvc.palette.choice import choose
from lvc.palette.colours import rgb
from lvc.palette.facts import CANDIDATES
from lvc.palette.walk import Odds, PaletteFrames
from lvc.training.data import Frames, spread
from lvc.training.loop import (
    Clock,
    Position,
    Progress,
    TrainingOptions,
    as_json,
    last_path,
    learning_rate_at,
    moments_of,
    restore_moments,
    seeded,
)
from lvc.training.team import ALONE, Team
from lvc.training.validation import Validation

CLIP_LENGTH = 9  # frames: the first a keyframe
KEPT_OF_A_PASS, KEPT_OF_BLOCKS = 500, 300  # decisions, drawn where there are more
KEY_SHARE = 3  # of so many clips one gives its keyframe's decisions
KEY_WEIGHT = 0.5  # of a keyframe's decisions beside those of predicted frames
SEARCHED = 0.9  # of the clips are coded with moves
AVERAGE = 0.999  # of the exponential average of the weights, which is what is kept
EPOCH_STEPS = 2000
VALIDATION_CRF = 32


@dataclass(frozen=True)
class PaletteOptions:
    """steps of all rounds together. batch: decisions of each kind to a step. clips: coded for each round."""

    steps: int = 50_000
    batch: int = 1536
    lr: float = 3e-3
    seed: int = 0
    rounds: int = 3
    clips: int = 500
    limit_seconds: float | None = None
    validation_clips: int = 6

    def __post_init__(self):
        for name in ("steps", "batch", "rounds", "clips", "validation_clips"):
            if not (isinstance(getattr(self, name), int) and getattr(self, name) >= 1):
                raise OptionError(f"{name} must be a whole number from 1, not {getattr(self, name)!r}")


class Decisions:
    """Facts, packed to bits, and answers of one kind of decision; weight: how many each stands for."""

    def __init__(self, facts: int):
        self.count_of_facts = facts
        self.parts: list[tuple[np.ndarray, np.ndarray, np.ndarray]] = []

    def add(self, facts: np.ndarray, answers: np.ndarray, weight: float) -> None:
        self.parts.append((np.packbits(facts.astype(bool), axis=1), answers, np.full(len(answers), weight, np.float32)))

    def __len__(self) -> int:
        return sum(len(answers) for _, answers, _ in self.parts)

    def drawn(self, rng: np.random.Generator, count: int) -> tuple[Tensor, Tensor, Tensor]:
        """Facts float32 [N, F], answers and weights [N] of so many decisions."""
        if len(self.parts) > 1:
            self.parts = [tuple(np.concatenate(kind) for kind in zip(*self.parts))]
        facts, answers, weights = self.parts[0]
        here = rng.integers(len(answers), size=count)
        unpacked = np.unpackbits(facts[here], axis=1, count=self.count_of_facts).astype(np.float32)
        return torch.from_numpy(unpacked), torch.from_numpy(answers[here].astype(np.float32)), torch.from_numpy(weights[here])


class Collector:
    """Keeps the decisions of coding, some of each pass."""

    def __init__(self, rng: np.random.Generator):
        self.rng, self.keyframes = rng, False
        self.block, self.key, self.predicted = Decisions(BLOCK_FACTS), Decisions(PIXEL_FACTS), Decisions(PIXEL_FACTS)

    def blocks(self, facts: np.ndarray, coded: np.ndarray) -> None:
        here, weight = self._some(len(coded), KEPT_OF_BLOCKS)
        self.block.add(facts[here], coded[here], weight)

    def pixels(self, odds: Odds, colours: np.ndarray) -> None:
        if not (odds.predicted or self.keyframes):
            return
        here, weight = self._some(len(colours), KEPT_OF_A_PASS)
        for rank in range(CANDIDATES):
            here = here[odds.candidates.counts[here] > rank]
            if not len(here):
                return
            right = odds.candidates.colours[here, rank] == colours[here]
            (self.predicted if odds.predicted else self.key).add(odds.facts(here, rank), right, weight)
            here = here[~right]

    def _some(self, count: int, most: int) -> tuple[np.ndarray, float]:
        if count <= most:
            return np.arange(count), 1.0
        return self.rng.choice(count, most, replace=False), count / most


def whole_pictures(frames: np.ndarray) -> np.ndarray:
    """uint8 [T, H, W, 3] of frames [T, 3, H, W], cut to whole blocks."""
    height, width = (side // SIDE * SIDE for side in frames.shape[2:])
    return np.ascontiguousarray(frames[:, :, :height, :width].transpose(0, 2, 3, 1))


def collected(model: Palette, source: Frames, clips: int, rng: np.random.Generator) -> Collector:
    """The decisions of coding clips of the source at all qualities, some mirrored, with this model."""
    starts = np.asarray(source.clips(CLIP_LENGTH), np.int64)
    if not len(starts):
        raise InputError(f"there is no recording of {CLIP_LENGTH} frames to train on")
    exact, tables, found = model.exact().for_coding(), flag_tables(), Collector(rng)
    for number in range(clips):
        start = int(rng.choice(starts))
        pictures = whole_pictures(source.frames(range(start, start + CLIP_LENGTH)))
        pictures = pictures[:, :: rng.choice((1, 1, -1)), :: rng.choice((1, -1))]
        chosen = choose(PaletteFrames(exact, tables), np.ascontiguousarray(pictures), int(rng.integers(CRF_LEVELS)), search=rng.random() < SEARCHED)
        found.keyframes = number % KEY_SHARE == 0
        PaletteFrames(exact, tables, found).code_frames(chosen.symbols, CLIP_LENGTH, Unwritten(), chosen.symbols.shape[1:], chosen.moves)
    return found


def bits_of(network: FlagNetwork, decisions: tuple[Tensor, Tensor, Tensor]) -> Tensor:
    """Mean bits of decisions; those that stand for many count by the root of how many."""
    facts, answers, weights = decisions
    odds = (network(facts) / ACTIVATION_SCALE).clamp(-ODDS_LIMIT, ODDS_LIMIT)
    bits = F.binary_cross_entropy_with_logits(odds, answers, reduction="none") / math.log(2)
    return (bits * weights.sqrt()).sum() / len(answers)


@torch.no_grad()
def validate_palette(model: Palette, source: Frames, *, clips: int) -> Validation:
    """Clips of the source coded at VALIDATION_CRF: real bits of predicted frames, and PSNR."""
    exact, tables = model.exact().for_coding(), flag_tables()
    starts = np.asarray(source.clips(CLIP_LENGTH), np.int64)
    if not len(starts):
        raise InputError(f"there is no recording of {CLIP_LENGTH} frames to validate on")
    bits, decibels, errors = 0, [], []
    starts = starts[spread(len(starts), clips)]
    for start in starts:
        pictures = whole_pictures(source.frames(range(start, start + CLIP_LENGTH)))
        chosen = choose(PaletteFrames(exact, tables), pictures, VALIDATION_CRF, search=True)
        coding, sizes = PaletteFrames(exact, tables), []
        for part in (slice(0, 1), slice(1, None)):
            writer = SymbolWriter()
            coding.code_frames(chosen.symbols[part], len(chosen.symbols[part]), writer, chosen.symbols.shape[1:], chosen.moves[part])
            sizes.append(len(writer.finish()))
        bits += 8 * sizes[1]
        squared = np.square(rgb(chosen.symbols[:, 0]) - pictures.astype(np.int16), dtype=np.int32).mean(axis=(1, 2, 3))
        errors += squared.tolist()
        decibels += (10 * np.log10(255.0**2 / np.maximum(squared, 1 / pictures[0].size))).tolist()
    predicted = len(starts) * (CLIP_LENGTH - 1)
    return Validation(float(np.mean(decibels)), float(np.min(decibels)), float(np.mean(errors)) / 255**2, bits / predicted, len(decibels))


def train_palette(
    model: Palette,
    training: Frames,
    validation: Frames,
    output: Path,
    *,
    options: PaletteOptions,
    name: str,
    description: str = "",
    dataset: dict | None = None,
    device: str | torch.device = "cpu",
    workers: int = 1,
    resume: bool = False,
    overwrite: bool = False,
    should_stop: Callable[[], bool] = lambda: False,
    team: Team = ALONE,
) -> Iterator[Progress]:
    """Trains in rounds and writes `output`: the networks in integers, and their tables.

    Beside it `<stem>.last.safetensors` keeps the state, from where `resume` goes on. The networks are so small that they are
    trained by one process on its processor, whatever `device` says. Raises as `loop.train` does, and OptionError for a team of several.
    """
    if team.count > 1:
        raise OptionError(f"{model.name} is trained by one process: it takes minutes")
    last = last_path(output)
    for path in (output, last):
        check_output(path, overwrite=overwrite or resume)
    average, gathered = copy.deepcopy(model).requires_grad_(False), copy.deepcopy(model).requires_grad_(False)
    optimiser = torch.optim.Adam(model.parameters(), lr=options.lr, betas=(0.9, 0.98))
    position, schedule = Position(), TrainingOptions(lr=options.lr)
    blank = Metadata(
        name=name,
        model=model.name,
        config=as_json(asdict(model.config)),
        geometry=model.geometry,
        quantiser={"name": "round"},
        entropy={"name": "palette"},
        description=description,
    )
    if resume:
        position = restore(last, model, average, gathered, optimiser)
    clock = Clock(position)

    def facts() -> dict:
        position.seconds = clock.seconds()
        return {"dataset": dataset or {}, "options": asdict(options), "position": asdict(position)}

    def state() -> dict[str, Tensor]:
        networks = {"model": model, "gathered": gathered}
        kept = {f"{kind}.{key}": tensor for kind, network in networks.items() for key, tensor in network.state_dict().items()}
        return kept | moments_of(optimiser, "optimiser")

    def save_last() -> None:
        checkpoints.save(last, Checkpoint(replace(blank, training=facts()), average), overwrite=True, state=state())

    def share_done() -> float:
        return min(1.0, max(position.step / options.steps, clock.seconds() / (options.limit_seconds or math.inf)))

    def record(terms: dict | None = None, **more) -> Progress:
        return Progress(
            position.epoch + 1, position.step, options.steps, share_done(), clock.seconds(), clock.steps() * options.batch / max(clock.run_seconds(), 1e-9), terms or {}, **more
        )

    found, losses, ended = None, [], None
    while ended is None:
        share = share_done()
        number = min(int(share * options.rounds), options.rounds - 1)
        if found is None or number != position.batch:
            # `batch` of the position says which round it is; a resumed run codes the same clips with the same networks again.
            if number != position.batch or position.step == 0:
                gathered.load_state_dict(average.state_dict())
            position.batch = number
            found = collected(gathered, training, options.clips, np.random.default_rng([options.seed, number]))
            continue
        learning_rate = learning_rate_at(schedule, position.step, share)
        for group in optimiser.param_groups:
            group["lr"] = learning_rate
        rng = np.random.default_rng([options.seed, number, position.step])
        with seeded(options.seed, position.step, torch.device("cpu")):
            bits = {
                "predicted": bits_of(model.pixels, found.predicted.drawn(rng, options.batch)),
                "key": bits_of(model.pixels, found.key.drawn(rng, options.batch)),
                "blocks": bits_of(model.blocks, found.block.drawn(rng, options.batch)),
            }
            loss = bits["predicted"] + KEY_WEIGHT * bits["key"] + bits["blocks"]
        if not math.isfinite(loss.item()):
            raise ModelError(f"training has failed at step {position.step + 1}: the loss is {loss.item()}; try a lower learning rate")
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimiser.step()
        position.step += 1
        kept = min(AVERAGE, position.step / (position.step + 9))
        with torch.no_grad():
            for averaged, current in zip(average.parameters(), model.parameters()):
                averaged.lerp_(current, 1 - kept)
        losses.append(loss.item())
        yield record({"loss": loss.item(), **{kind: value.item() for kind, value in bits.items()}}, learning_rate=learning_rate)
        if share_done() >= 1:
            ended = "all steps done" if position.step >= options.steps else f"the limit of {options.limit_seconds:g} seconds"
        if should_stop():
            save_last()
            yield record(ended="interrupted")
            return
        if ended or position.step % EPOCH_STEPS == 0:
            figures = validate_palette(average, validation, clips=options.validation_clips)
            position.figures = asdict(figures)
            position.epoch += 1
            save_last()
            yield record({"loss": float(np.mean(losses))}, validation=figures, best=True)
            losses = []
    exact = average.exact()
    exact.for_coding()  # raises before anything is written that could not code
    metadata = replace(blank, config=as_json(asdict(exact.config)), training=facts())
    checkpoints.save(output, Checkpoint(metadata, exact, {"flags": flag_tables()}), overwrite=True)
    yield record(ended=ended)


def restore(path: Path, model: Palette, average: Palette, gathered: Palette, optimiser: torch.optim.Optimizer) -> Position:
    """Puts everything where the last file stands; raises ModelError or OptionError for another run's file."""
    checkpoint = checkpoints.load_file(path)
    if checkpoint.metadata.config != as_json(asdict(model.config)):
        raise OptionError(f"{path}: is of another model than asked for: {checkpoint.metadata.config}")
    tensors = checkpoints.load_state(path)
    try:
        average.load_state_dict(checkpoint.model.state_dict())
        for kind, network in (("model", model), ("gathered", gathered)):
            network.load_state_dict({key.removeprefix(f"{kind}."): tensor for key, tensor in tensors.items() if key.startswith(f"{kind}.")})
        restore_moments(optimiser, "optimiser", tensors)
        return Position(**checkpoint.metadata.training["position"])
    except (KeyError, TypeError, ValueError, RuntimeError) as error:
        raise ModelError(f"{path}: is no state of such a training: {error}") from error
