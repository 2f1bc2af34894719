"""The integer prior laid out for coding: the same whole numbers as `IntegerPrior`, several times sooner.

Every layer becomes a product of rows (one for each position, im2col) with a matrix, so that 8-bit products can be used
where the processor sums them exactly, and the heads are evaluated only at positions that are coded. All sums stay below
2**24, so float32 and 8-bit products, any batch and any split of a sum give the same numbers.
"""

import numpy as np
import torch
from torch import Tensor

ROWS_OF_TEST = 64


class CodingPrior:
    """A frozen prior, ready to say the tables of each pass: the trunk runs on its device for many frames at once, the
    heads on the processor for the few positions that are coded. Latents are [positions, C] here, positions row after
    row.

    layers: see `IntegerPrior`; they are within their bounds. eight_bits: whether sums of 8-bit products are exact here
    (by default tried out).
    """

    def __init__(self, prior, *, activation_limit: int, eight_bits: bool | None = None):
        self.prior, self.schedule, self.limit = prior, prior.schedule, activation_limit
        self.device = prior.first.weight.device
        if eight_bits is None:
            eight_bits = sums_of_8_bits_are_exact(prior.blocks[0].weight.shape[1] * 9, self.device)
        self.eight_bits = eight_bits
        self.dtype = torch.int8 if eight_bits else torch.float32
        # 0 … 255 as 8 bits with a sign: less 128, which the constant of the sum makes up for.
        self.shifted = 128 if eight_bits else 0
        self.first = Product(rows_of(prior.first.weight.int()), prior.first, eight_bits)
        self.blocks = [
            Product(rows_of(block.weight.int()), block, eight_bits, shifted=self.shifted) for block in prior.blocks
        ]
        self.dilations = [block.dilation for block in prior.blocks]
        self.mode_known = Rows(prior.mode_known)
        self.mode_around, self.mode_last, self.known, self.around, self.middle, self.last = (
            [Rows(layer) for layer in layers]
            for layers in (prior.mode_around, prior.mode_last, prior.known, prior.around, prior.middle, prior.last)
        )
        self._positions: dict[tuple[int, int], Tensor | None] = {}

    def features(self, references: np.ndarray, relation: np.ndarray, crf: int) -> np.ndarray:
        """What the trunk says of frames from their references int8 [T, h, w, K], which are the recent frames' latents,
        the latest first, and the background reference, limited: float32 [T, h * w, trunk]. relation: [T].
        """
        count, rows, columns = references.shape[:3]
        features = self.first(patches(torch.from_numpy(references).to(self.device, self.dtype), 3, 0)).view(
            count, rows * columns, -1
        )
        features += self.prior.offsets[torch.from_numpy(relation), crf].to(self.device).float()[:, None]
        position = self._position(rows, columns)
        if position is not None:
            features += position
        features = features.view(count * rows * columns, -1).clamp_(0, self.limit)
        for block, dilation in zip(self.blocks, self.dilations):
            narrow = (features - self.shifted).to(self.dtype) if self.eight_bits else features
            x = patches(narrow.view(count, rows, columns, -1), 3, -self.shifted, dilation)
            features = block(x).add_(features).clamp_(0, self.limit)
        return features.view(count, rows * columns, -1).cpu().numpy()

    def _position(self, rows: int, columns: int) -> Tensor | None:
        if (rows, columns) not in self._positions:
            self._positions[rows, columns] = self.prior.position_map(rows, columns)
        return self._positions[rows, columns]

    def predict_modes(self, phase: int, features: np.ndarray, around: np.ndarray) -> np.ndarray:
        """Log-odds, int32 [N, 2], that N positions are the same, and else that they are back.

        features: float32 [N, trunk]. around: float32 [N, 9 * MODES], the planes known of each and its neighbours.
        """
        x = self.mode_around[phase](features)
        if phase:
            x += self.mode_known(around)
        return self.mode_last[phase](self._clipped(x)).astype(np.int32)

    def predict(self, index: int, features: np.ndarray, around: np.ndarray) -> np.ndarray:
        """What pass `index` says of the latents of N positions: int32 [N, 3, G], the log-odds of a copy, the mean less
        the reference's, and the scale. around: float32 [N, 9 * (2 * C + MODES)].
        """
        x = self.known[index](around)
        x += self.around[index](features)
        x = self._clipped(x)
        y = self.middle[index](x)
        y += x
        return self.last[index](self._clipped(y)).astype(np.int32).reshape(len(x), 3, -1)

    def _clipped(self, x: np.ndarray) -> np.ndarray:
        return np.minimum(np.maximum(x, 0, out=x), self.limit, out=x)


class Rows:
    """A layer over rows [N, K] of whole numbers in float32, on the processor."""

    def __init__(self, layer):
        factor = torch.exp2(-layer.shift.float())
        self.weight = (rows_of(layer.weight.int()).float() * factor).cpu().numpy()
        self.constant = (layer.bias.float() * factor + 0.5).cpu().numpy()

    def __call__(self, rows: np.ndarray) -> np.ndarray:
        total = rows @ self.weight
        total += self.constant
        return np.floor(total, out=total)


class Product:
    """Rows [M, K] times an integer matrix [K, N]: a layer's sums, rescaled as its.

    shifted: what was taken from each entry of the rows.
    """

    def __init__(self, weight: Tensor, layer, eight_bits: bool, *, shifted: int = 0):
        self.factor = torch.exp2(-layer.shift.float())
        bias = layer.bias + shifted * weight.sum(dim=0)
        self.constant = bias.float() * self.factor + 0.5
        self.eight_bits = eight_bits
        if not eight_bits:
            self.weight = weight.float() * self.factor
            return
        self.weight = weight.to(torch.int8)

    def __call__(self, rows: Tensor) -> Tensor:
        if not self.eight_bits:
            return torch.addmm(self.constant, rows, self.weight).floor_()
        return torch._int_mm(rows, self.weight).float().mul_(self.factor).add_(self.constant).floor_()


def rows_of(weight: Tensor) -> Tensor:
    """[O, I, K, K] as [K * K * I, O], in the order of `patches`."""
    return weight.permute(2, 3, 1, 0).flatten(0, 2).contiguous()


def patches(x: Tensor, kernel: int, border: int, dilation: int = 1) -> Tensor:
    """[T, h, w, C] with a border as [T * h * w, kernel * kernel * C]."""
    count, rows, columns, channels = x.shape
    pad = dilation * (kernel // 2)
    wide = x.new_full((count, rows + 2 * pad, columns + 2 * pad, channels), border)
    wide[:, pad : pad + rows, pad : pad + columns] = x
    frame, row, column, _ = wide.stride()
    size, stride = (count, rows, columns, kernel, channels), (frame, row, column, dilation * column, 1)
    lines = [wide.as_strided(size, stride, line * dilation * row) for line in range(kernel)]
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
