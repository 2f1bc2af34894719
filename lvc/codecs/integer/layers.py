"""Integer layers: convolutions whose sums are whole numbers, exact in any order of summation.

Integers are held in float32 and stay below 2**24 (Balle et al., "Integer networks for data compression with
latent-variable models", ICLR 2019). Training sees the rounding; coding has the integers alone.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from lvc.errors import ModelError

ACTIVATION_SCALE = 16  # an activation of 1.0 is the integer 16
ACTIVATION_LIMIT = 255
EXACT_LIMIT = 2**24  # whole numbers up to here are exact in float32


def straight_through(rounded: Tensor, smooth: Tensor) -> Tensor:
    """The value of `rounded` with the gradient of `smooth`."""
    return smooth + (rounded - smooth).detach()


def floor_through(x: Tensor) -> Tensor:
    return straight_through(torch.floor(x), x)


def round_through(x: Tensor) -> Tensor:
    return straight_through(torch.floor(x + 0.5), x)


class _Layer(nn.Module):
    """What both forms of a layer are made with: `input_scale` integers to the unit of its inputs, which are within
    0 … input_limit or as far on both sides; gain: of the first weights.
    """

    def __init__(
        self,
        inputs: int,
        outputs: int,
        kernel: int,
        *,
        input_scale: int = ACTIVATION_SCALE,
        input_limit: int = ACTIVATION_LIMIT,
        gain: float = 1.0,
        dilation: int = 1,
    ):
        super().__init__()
        self.dilation, self.input_scale, self.input_limit = dilation, input_scale, input_limit
        self._make((outputs, inputs, kernel, kernel), gain)

    def _make(self, shape: tuple[int, int, int, int], gain: float) -> None:
        """Makes the tensors; shape: of the weights."""
        raise NotImplementedError


class IntegerConv(_Layer):
    """A convolution over integers: integer weights of 8 bits, a power-of-two scale for each output, an exact sum.

    Takes integers held in floats, `input_scale` to the unit; gives integers, ACTIVATION_SCALE to the unit, not clamped.
    """

    def _make(self, shape: tuple[int, int, int, int], gain: float) -> None:
        outputs, inputs, kernel, _ = shape
        bound = gain * (3.0 / (inputs * kernel * kernel)) ** 0.5
        self.weight = nn.Parameter(torch.empty(shape).uniform_(-bound, bound))
        self.bias = nn.Parameter(torch.zeros(outputs))

    def integers(self) -> tuple[Tensor, Tensor, Tensor]:
        """Integer weights [O, I, K, K] within +-127, biases [O], and the factors [O], powers of two,
        that rescale the sum.
        """
        with torch.no_grad():
            largest = self.weight.abs().amax(dim=(1, 2, 3)).clamp_min(2.0**-12)
            # As fine as 8 bits allow, and as the worst sum allows; a tenth is left for rounding and the bias.
            room = 0.9 * EXACT_LIMIT / self.input_limit / self.weight.abs().sum(dim=(1, 2, 3)).clamp_min(2.0**-12)
            bits = torch.floor(torch.log2(torch.minimum(127.0 / largest, room)))
            unit = torch.exp2(bits)
            factor = ACTIVATION_SCALE / (unit * self.input_scale)
        scaled = self.weight * unit[:, None, None, None]
        weight = straight_through(torch.floor(scaled + 0.5).clamp(-127, 127), scaled)
        bias = round_through(self.bias * (ACTIVATION_SCALE / factor))
        return weight, bias, factor

    def forward(self, x: Tensor) -> Tensor:
        weight, bias, factor = self.integers()
        return floor_through(
            F.conv2d(x, weight, bias, padding=self.dilation * (weight.shape[2] // 2), dilation=self.dilation)
            * factor[:, None, None]
            + 0.5
        )

    def exact(self) -> "ExactConv":
        """The same layer with its integers alone, for coding."""
        layer = ExactConv(
            self.weight.shape[1],
            self.weight.shape[0],
            self.weight.shape[2],
            input_limit=self.input_limit,
            dilation=self.dilation,
        )
        weight, bias, factor = (part.detach() for part in self.integers())
        layer.weight.copy_(weight)
        layer.bias.copy_(bias)
        layer.shift.copy_(torch.round(-torch.log2(factor)))
        return layer


class ExactConv(_Layer):
    """An `IntegerConv` for coding: weights int8, biases int32, shifts int8 (the sum is divided by 2**shift,
    and floored).
    """

    def _make(self, shape: tuple[int, int, int, int], gain: float) -> None:
        del gain  # the weights are those of a trained layer
        self.register_buffer("weight", torch.zeros(shape, dtype=torch.int8))
        self.register_buffer("bias", torch.zeros(shape[0], dtype=torch.int32))
        self.register_buffer("shift", torch.zeros(shape[0], dtype=torch.int8))
        self.ready: tuple[Tensor, Tensor, Tensor] | None = None

    def prepare(self) -> None:
        """Checks that no sum can leave the range where float32 is exact,
        and lays the integers out for the convolution.
        """
        worst = self.weight.double().abs().sum(dim=(1, 2, 3)) * self.input_limit + self.bias.double().abs()
        factor = torch.exp2(-self.shift.double())
        # Rescaled and with the half that rounds, in the units that it then has.
        worst = torch.maximum(worst, (worst * factor + 0.5) / factor.clamp_max(0.5))
        if worst.max().item() >= EXACT_LIMIT:
            raise ModelError(
                f"a sum of an integer layer can reach {worst.max().item():.0f}; it must stay below {EXACT_LIMIT}"
            )
        weight = self.weight.float().contiguous(memory_format=torch.channels_last)
        self.ready = weight, self.bias.float(), torch.exp2(-self.shift.float())[:, None, None]

    def forward(self, x: Tensor) -> Tensor:
        weight, bias, factor = self.ready
        return torch.floor(
            F.conv2d(x, weight, bias, padding=self.dilation * (weight.shape[2] // 2), dilation=self.dilation)
            .mul_(factor)
            .add_(0.5)
        )


def clipped(x: Tensor) -> Tensor:
    return x.clamp(0, ACTIVATION_LIMIT)
