"""The integer prior laid out for coding: the same whole numbers as `IntegerPrior`, several times sooner.

Every layer becomes a product of rows (one for each position, im2col) with a matrix, so that 8-bit products can be used
where the processor sums them exactly, and later layers are evaluated only where a pass codes. All sums stay below 2**24,
so float32 and 8-bit products, any batch and any split of a sum give the same numbers.
"""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

ROWS_OF_TEST = 64


@dataclass(frozen=True)
class Start:
    """What a frame's references say before any of it is known: for each pass what its layers add, [T * places, context]."""

    base: list[Tensor]
    around: list[Tensor]


class CodingPrior:
    """A frozen prior, on its device, ready to say the tables of each pass. Latents are int8 [T, h, w, C] here.

    layers: see `IntegerPrior`; they are within their bounds. eight_bits: whether sums of 8-bit products are exact here
    (by default tried out).
    """

    def __init__(self, prior, *, activation_limit: int, latent_limit: int, eight_bits: bool | None = None):
        self.groups, self.channels, self.passes = prior.groups, prior.channels, prior.passes
        self.prior, self.limit, self.latent_limit = prior, activation_limit, latent_limit
        self.device = prior.first.weight.device
        if eight_bits is None:
            eight_bits = sums_of_8_bits_are_exact(prior.blocks[0].weight.shape[1] * 9, self.device)
        self.eight_bits = eight_bits
        self.dtype = torch.int8 if eight_bits else torch.float32
        # 0 … 255 as 8 bits with a sign: less 128, which the constant of the sum makes up for.
        self.shifted = 128 if eight_bits else 0
        c = self.channels

        # conv(near, far, near - far) is linear: so are its sums over near and far alone.
        near, far, both = prior.first.weight.int().split(c, dim=1)
        self.first = Product(rows_of(torch.cat((near + both, far - both), dim=1)), prior.first, eight_bits)
        self.blocks = [Product(rows_of(block.weight.int()), block, eight_bits, shifted=self.shifted) for block in prior.blocks]
        # conv(known, known - near) is a sum over near, for all passes at once, and one over known - near, which is mostly
        # zero and has only the channels that are known.
        parts = [layer.weight.int().split(c, dim=1) for layer in prior.known]
        self.known = [
            rows_of((a + b)[:, : self.known_channels(index)]).float() * 2.0 ** -prior.known[index].shift.float() for index, (a, b) in enumerate(parts)
        ]
        self.near, self.around = [], []
        for parity in (0, 1):
            passes = range(parity, self.passes, 2)
            self.near.append(Product(torch.cat([rows_of(parts[p][0]) for p in passes], 1), [prior.known[p] for p in passes], eight_bits))
            self.around.append(
                Product(
                    torch.cat([rows_of(prior.around[p].weight.int()) for p in passes], 1), [prior.around[p] for p in passes], eight_bits, shifted=self.shifted
                )
            )
        self.middle = [FloatLayer(layer) for layer in prior.middle]
        self.last = [FloatLayer(layer) for layer in prior.last]
        self._sizes: dict[tuple[int, int], Places] = {}

    def known_channels(self, index: int) -> int:
        """How many channels have known latents before pass `index`."""
        start, stop = self.prior.span(index)
        return stop if index % 2 else start

    def places(self, rows: int, columns: int) -> "Places":
        if (rows, columns) not in self._sizes:
            self._sizes[rows, columns] = Places(rows, columns, self.prior, self.device)
        return self._sizes[rows, columns]

    def start(self, near: np.ndarray, far: np.ndarray, relation: np.ndarray, crf: int) -> Start:
        """near, far: int8 [T, h, w, C] within the latents' limit. relation: [T]."""
        count, rows, columns = near.shape[:3]
        places = self.places(rows, columns)
        both = torch.from_numpy(np.concatenate((near, far), axis=3)).to(self.device, self.dtype)
        features = self.first(patches(both, 5, 0))
        features = features.view(count, rows * columns, -1)
        features += self.prior.offsets[torch.from_numpy(relation), crf].to(self.device).float()[:, None]
        if places.position is not None:
            features += places.position
        features = features.view(count * rows * columns, -1).clamp_(0, self.limit)
        for block in self.blocks:
            x = patches(self._narrow(features).view(count, rows, columns, -1), 3, -self.shifted)
            features = block(x).add_(features).clamp_(0, self.limit)
        narrow = self._narrow(features).view(count, rows * columns, -1)
        close = patches(both[..., : self.channels], 3, 0).view(count, rows * columns, -1)
        base, around = [None] * self.passes, [None] * self.passes
        for parity in (0, 1):
            at = places.at[parity]
            wide = self.near[parity].scaled(close.index_select(1, at).flatten(0, 1)).chunk(len(self.groups), dim=1)
            about = self.around[parity](narrow.index_select(1, at).flatten(0, 1)).chunk(len(self.groups), dim=1)
            base[parity::2], around[parity::2] = wide, about
        return Start(base, around)

    def _narrow(self, features: Tensor) -> Tensor:
        return (features - self.shifted).to(self.dtype) if self.eight_bits else features

    def say(self, index: int, start: Start, difference: Tensor, places: "Places") -> np.ndarray:
        """What pass `index` says of its latents: int32 [3, T, G, places], the log-odds of a copy, the mean less the
        reference's, and the scale. difference: float32 [T, (h + 2) * (w + 2), C], known latents less near, zero where unknown
        and around the frame; both were limited before.
        """
        count, channels = len(difference), self.known_channels(index)
        x = start.base[index]
        if channels:
            taken = difference[..., :channels].index_select(1, places.patches[index % 2]).view(len(x), 9 * channels)
            x = torch.addmm(x, taken, self.known[index])
            x.floor_()
        else:
            x = x.floor()
        x.add_(start.around[index]).clamp_(0, self.limit)
        x = self.middle[index](x).add_(x).clamp_(0, self.limit)
        said = self.last[index](x).to(torch.int32).cpu().numpy()
        return np.ascontiguousarray(said.reshape(count, -1, 3, self.groups[index // 2]).transpose(2, 0, 3, 1))


class Places:
    """Which positions each parity of the checkerboard codes, in order, and where their patches lie."""

    def __init__(self, rows: int, columns: int, prior, device):
        row, column = np.divmod(np.arange(rows * columns), columns)
        even = (row + column) % 2 == 0
        self.flat = np.flatnonzero(even), np.flatnonzero(~even)
        self.order = np.concatenate(self.flat)  # of coding
        self.inverse = np.argsort(self.order)
        self.spans = slice(0, len(self.flat[0])), slice(len(self.flat[0]), None)
        self.at = [torch.from_numpy(flat).to(device) for flat in self.flat]
        # The same positions in a frame with a border of one.
        self.bordered = [(row[flat] + 1) * (columns + 2) + column[flat] + 1 for flat in self.flat]
        steps = (np.arange(-1, 2)[:, None] * (columns + 2) + np.arange(-1, 2)).ravel()
        self.patches = [torch.from_numpy((bordered[:, None] + steps).ravel()).to(device) for bordered in self.bordered]
        self.bordered = [torch.from_numpy(bordered).to(device) for bordered in self.bordered]
        self.position = None
        if prior.position is not None:
            self.position = prior.position_map(torch.Size((rows, columns))).flatten(1).t().contiguous()


class Product:
    """Rows [M, K] times an integer matrix [K, N]: layers' sums, rescaled as theirs.

    shifted: what was taken from each entry of the rows.
    """

    def __init__(self, weight: Tensor, layers, eight_bits: bool, *, shifted: int = 0):
        layers = layers if isinstance(layers, list) else [layers]
        self.factor = torch.exp2(-torch.cat([layer.shift.float() for layer in layers]))
        bias = torch.cat([layer.bias for layer in layers]) + shifted * weight.sum(dim=0)
        self.constant = bias.float() * self.factor + 0.5
        self.eight_bits = eight_bits
        if not eight_bits:
            self.weight = weight.float() * self.factor
            return
        self.weight = weight.clamp(-127, 127).to(torch.int8)
        # What does not fit 8 bits: a second product takes less time than to pick the columns concerned.
        rest = weight - self.weight
        self.rest = rest.to(torch.int8) if rest.any() else None

    def scaled(self, rows: Tensor) -> Tensor:
        """The sum with its constant and factor, not yet floored."""
        if not self.eight_bits:
            return torch.addmm(self.constant, rows, self.weight)
        total = torch._int_mm(rows, self.weight)
        if self.rest is not None:
            total += torch._int_mm(rows, self.rest)
        return total.float().mul_(self.factor).add_(self.constant)

    def __call__(self, rows: Tensor) -> Tensor:
        return self.scaled(rows).floor_()


class FloatLayer:
    """A 1x1 layer over rows [M, K] of whole numbers in float32: small ones gain nothing from 8 bits."""

    def __init__(self, layer):
        factor = torch.exp2(-layer.shift.float())
        self.weight = rows_of(layer.weight.int()).float() * factor
        self.constant = layer.bias.float() * factor + 0.5

    def __call__(self, rows: Tensor) -> Tensor:
        return torch.addmm(self.constant, rows, self.weight).floor_()


def rows_of(weight: Tensor) -> Tensor:
    """[O, I, K, K] as [K * K * I, O], in the order of `patches`."""
    return weight.permute(2, 3, 1, 0).flatten(0, 2).contiguous()


def patches(x: Tensor, kernel: int, border: int) -> Tensor:
    """[T, h, w, C] with a border as [T * h * w, kernel * kernel * C]."""
    count, rows, columns, channels = x.shape
    pad = kernel // 2
    wide = x.new_full((count, rows + 2 * pad, columns + 2 * pad, channels), border)
    wide[:, pad : pad + rows, pad : pad + columns] = x
    frame, row, column, _ = wide.stride()
    # One row of a patch lies in one piece.
    lines = [wide.as_strided((count, rows, columns, kernel * channels), (frame, row, column, 1), line * row) for line in range(kernel)]
    return torch.cat(lines, dim=3).view(count * rows * columns, -1)


def sums_of_8_bits_are_exact(length: int, device: torch.device) -> bool:
    """Whether products of 8-bit rows of this length are summed without saturation, as processors from VNNI on do.

    Older ones add pairs of products in 16 bits, which the largest pairs overflow; and where the library has no such
    product the answer is no.
    """
    if device.type != "cpu" or not hasattr(torch, "_int_mm"):
        return False
    generator = torch.Generator().manual_seed(0)
    rows = torch.randint(-128, 128, (ROWS_OF_TEST, length), generator=generator)
    weight = torch.randint(-127, 128, (length, ROWS_OF_TEST), generator=generator)
    rows[::4], rows[1::4] = -128, 127
    weight[:, ::4], weight[:, 1::4] = -127, 127
    try:
        found = torch._int_mm(rows.to(torch.int8), weight.to(torch.int8))
    except RuntimeError:
        return False
    return torch.equal(found.double(), rows.double() @ weight.double())
