"""docs/format/prediction.md is complete: a decoder made from that page alone gives the same latents."""

import numpy as np
import pytest

from lvc.codecs.temporal.prediction import PredictedLatents, prediction_tables
from lvc.entropy.coder import SymbolReader, SymbolWriter
from lvc.frames import Geometry
from tests.builders.temporal import random_model, random_symbols

SIZES = {"channels": 6, "groups": (2, 1, 3), "phases": (1, 4, 2), "trunk": 16, "context": 8}


class Plain:
    """Decodes the frames of a group; weights: arrays of the prior by name."""

    def __init__(self, weights: dict, groups, phases, copies, residuals, crf: int):
        self.weights, self.copies, self.residuals, self.crf = weights, copies, residuals, crf
        starts = np.cumsum([0, *groups])
        self.passes = [
            (start, stop, p, count) for start, stop, count in zip(starts, starts[1:], phases) for p in range(count)
        ]
        self.recent: list[np.ndarray] = []
        self.background = None

    def layer(self, name: str, x: np.ndarray) -> np.ndarray:
        weight, bias, shift = (self.weights[f"{name}.{part}"].astype(np.int64) for part in ("weight", "bias", "shift"))
        size, apart = weight.shape[2], 2 if name in ("blocks.1", "blocks.2") else 1
        edge, (rows, columns) = apart * (size // 2), x.shape[1:]
        x = np.pad(x.astype(np.int64), ((0, 0), (edge, edge), (edge, edge)))
        total = np.broadcast_to(bias[:, None, None], (len(bias), rows, columns)).copy()
        for i in range(size):
            for j in range(size):
                seen = x[:, i * apart : i * apart + rows, j * apart : j * apart + columns]
                total += np.einsum("oi,iyx->oyx", weight[:, :, i, j], seen)
        return np.floor(total / 2.0 ** shift[:, None, None] + 0.5).astype(np.int64)  # exact below 2**53

    def frame(self, reader: SymbolReader, shape: tuple[int, int, int]) -> np.ndarray:
        key, zeros = not self.recent, np.zeros(shape, np.int64)
        near = zeros if key else self.recent[0]
        background = zeros if key else self.background
        features = self._features([zeros] * 4 if key else self.recent, background, int(not key))
        modes = np.full(shape[1:], 2) if key else self._modes(reader, features, near, background)
        found = self._latents(reader, features, near, np.where(modes == 1, background, near), modes)
        if key:
            self.recent, self.background = [found] * 4, found
        else:
            still = (found == near).all(axis=0)
            self.recent, self.background = [found, *self.recent[:3]], np.where(still, found, background)
        return found

    def _features(self, recent, background, relation: int) -> np.ndarray:
        x = self.layer("first", cut(np.concatenate([*recent, background])))
        x += self.weights["offsets"][relation, self.crf][:, None, None]
        if (maps := self.weights.get("position")) is not None:
            rows, columns = (np.arange(size) * whole // size for size, whole in zip(x.shape[1:], maps.shape[1:]))
            x += maps[:, rows][:, :, columns]
        x = clip(x)
        for number in range(3):
            x = clip(x + self.layer(f"blocks.{number}", x))
        return x

    def _flags(self, reader, odds: list[int]) -> list[bool]:
        tables = [min(max((3 * int(o) + 520) // 16, 0), 63) for o in odds]
        return [symbol == 0 for symbol in reader.code_by_size(None, self.copies, np.array(tables, int))]

    def _modes(self, reader, features, near, background) -> np.ndarray:
        modes = np.full(features.shape[1:], -1)
        for phase in range(2):
            y = self.layer(f"mode_around.{phase}", features)
            if phase:
                y += self.layer("mode_known", planes(modes))
            same, back = self.layer(f"mode_last.{phase}", clip(y))
            here = [place for place in np.ndindex(modes.shape) if sum(place) % 2 == phase]
            later = []
            for place, flag in zip(here, self._flags(reader, [same[place] for place in here])):
                modes[place] = 0 if flag else 2
                if not flag and (background[:, *place] != near[:, *place]).any():
                    later.append(place)
            for place, flag in zip(later, self._flags(reader, [back[place] for place in later])):
                modes[place] = 1 if flag else 2
        return modes

    def _latents(self, reader, features, near, latents, modes) -> np.ndarray:
        latents = latents.copy()
        for number, (start, stop, phase, phases) in enumerate(self.passes):
            seen = np.concatenate([cut(latents), cut(latents) - cut(near), planes(modes)])
            x = clip(self.layer(f"known.{number}", seen) + self.layer(f"around.{number}", features))
            x = clip(x + self.layer(f"middle.{number}", x))
            odds, means, scales = np.split(self.layer(f"last.{number}", x), 3)
            here = [
                (channel, row, column)
                for row, column in np.ndindex(modes.shape)
                if modes[row, column] == 2 and phase_of(row, column, phases) == phase
                for channel in range(start, stop)
            ]
            at = [(channel - start, row, column) for channel, row, column in here]
            flags = self._flags(reader, [odds[place] for place in at])
            changed = [pair for pair, same in zip(zip(here, at), flags) if not same]
            quarters = [int(means[place] + 16 * cut(near[latent]) + 2) >> 2 for latent, place in changed]
            levels = [min(max((4 * int(scales[place]) + 8) // 16 + 12, 0), 35) for _, place in changed]
            tables = [4 * level + q % 4 for level, q in zip(levels, quarters)]
            symbols = reader.code_by_size(None, self.residuals, np.array(tables, int))
            for (latent, _), symbol, q in zip(changed, symbols, quarters):
                latents[latent] = symbol + (q >> 2)
        return latents


def phase_of(row: int, column: int, phases: int) -> int:
    colour = (row + column) % 2
    return {1: 0, 2: colour, 4: 2 * colour + row % 2}[phases]


def planes(modes: np.ndarray) -> np.ndarray:
    return 16 * (modes == np.arange(3)[:, None, None])


def cut(x):
    return np.clip(x, -127, 127)


def clip(x: np.ndarray) -> np.ndarray:
    return np.clip(x, 0, 255)


@pytest.mark.parametrize("placed", [0, 2])
def test_frames_are_decoded_by_the_page_alone(placed):
    model = random_model(seed=3, geometry=Geometry(48, 40), **SIZES, placed=placed)
    model.prior.prepare()
    copies, residuals = prediction_tables()
    shape = 6, 4, 7  # not the size that position maps are for
    symbols = random_symbols(7, shape, seed=2)
    writer = SymbolWriter()
    PredictedLatents(model.prior, copies, residuals, crf=20).code_frames(symbols, len(symbols), writer, shape)
    weights = {name: value.numpy() for name, value in model.prior.state_dict().items()}
    plain = Plain(weights, SIZES["groups"], SIZES["phases"], copies, residuals, 20)
    reader = SymbolReader(writer.finish())
    for frame in symbols:
        assert np.array_equal(plain.frame(reader, shape), frame)
