"""The temporal family: each frame alone becomes integer latents, and time is taken by the prior.

Analysis and synthesis are ordinary float networks. Everything that decides a symbol's probability is computed from
integers that were decoded before, by `IntegerPrior`, whose layers hold integers in float32 and stay below 2**24, so
that any order of summation gives the same bits (Balle et al., "Integer networks for data compression with latent-variable
models", ICLR 2019; time in the prior as in Mentzer et al., "VCT", NeurIPS 2022).
"""

from dataclasses import dataclass, replace

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from lvc.errors import ModelError, OptionError
from lvc.frames import Geometry
from lvc.models.coding import CodingPrior

STRIDE = 8
CRF_LEVELS = 64
CRF_KNOTS = 5  # gains are learned at five qualities and interpolated between
ACTIVATION_SCALE = 16  # an activation of 1.0 is the integer 16
ACTIVATION_LIMIT = 255
LATENT_LIMIT = 127  # what the prior sees of a latent; the latent itself may be larger
HOLD = 0.7  # of a symbol
EXACT_LIMIT = 2**24  # whole numbers up to here are exact in float32

# What the prior says of each latent, and the tables that stand for it.
COPY_LEVELS, COPY_STEP = 64, 1 / 3  # log-odds of "the same as in the reference", in steps of a third
SCALE_LEVELS, SCALE_STEP, SCALE_LOWEST = 36, 1 / 4, -3.0  # log2 of the logistic's scale
MEAN_FRACTIONS = 4  # the mean is known to a quarter of a symbol

# How a frame relates to the frames it is predicted from.
KEY, AFTER_KEY, PREDICTED = 0, 1, 2
RELATIONS = 3


@dataclass(frozen=True)
class TemporalConfig:
    """width, height: what it was trained on; others are taken too. channels: latents at each position. groups: how many of
    them each pair of passes codes. features, detail: width of the networks at strides 8 and 4. trunk, context: width of
    the prior's. maps: learned position maps, for one game with a fixed layout. exact: the prior in integers, as shipped.
    """

    width: int = 200
    height: int = 160
    channels: int = 16
    groups: tuple[int, ...] = (4, 4, 8)
    features: int = 128
    detail: int = 48
    trunk: int = 96
    context: int = 64
    maps: bool = False
    exact: bool = False

    def __post_init__(self):
        object.__setattr__(self, "groups", tuple(self.groups))  # JSON gives a list
        if sum(self.groups) != self.channels or min(self.groups) < 1:
            raise OptionError(f"groups {self.groups} must add up to the {self.channels} channels")

    @property
    def map_size(self) -> tuple[int, int]:
        return -(-self.height // STRIDE), -(-self.width // STRIDE)


def straight_through(rounded: Tensor, smooth: Tensor) -> Tensor:
    """The value of `rounded` with the gradient of `smooth`."""
    return smooth + (rounded - smooth).detach()


def floor_through(x: Tensor) -> Tensor:
    return straight_through(torch.floor(x), x)


def round_through(x: Tensor) -> Tensor:
    return straight_through(torch.floor(x + 0.5), x)


class IntegerConv(nn.Module):
    """A convolution over integers: integer weights of 8 bits, a power-of-two scale for each output, an exact sum.

    Takes integers held in floats, `input_scale` to the unit; gives integers, ACTIVATION_SCALE to the unit, not clamped.
    """

    def __init__(self, inputs: int, outputs: int, kernel: int, *, input_scale: int = ACTIVATION_SCALE, input_limit: int = ACTIVATION_LIMIT, gain: float = 1.0):
        super().__init__()
        self.padding, self.input_scale, self.input_limit = kernel // 2, input_scale, input_limit
        bound = gain * (3.0 / (inputs * kernel * kernel)) ** 0.5
        self.weight = nn.Parameter(torch.empty(outputs, inputs, kernel, kernel).uniform_(-bound, bound))
        self.bias = nn.Parameter(torch.zeros(outputs))

    def integers(self) -> tuple[Tensor, Tensor, Tensor]:
        """Integer weights [O, I, K, K] within +-127, biases [O], and the factors [O], powers of two, that rescale the sum."""
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
        return floor_through(F.conv2d(x, weight, bias, padding=self.padding) * factor[:, None, None] + 0.5)

    def exact(self) -> "ExactConv":
        """The same layer with its integers alone, for coding."""
        layer = ExactConv(self.weight.shape[1], self.weight.shape[0], self.weight.shape[2], input_scale=self.input_scale, input_limit=self.input_limit)
        weight, bias, factor = (part.detach() for part in self.integers())
        layer.weight.copy_(weight)
        layer.bias.copy_(bias)
        layer.shift.copy_(torch.round(-torch.log2(factor)))
        return layer


class ExactConv(nn.Module):
    """An `IntegerConv` for coding: weights int8, biases int32, shifts int8 (the sum is divided by 2**shift, and floored)."""

    def __init__(self, inputs: int, outputs: int, kernel: int, *, input_scale: int = ACTIVATION_SCALE, input_limit: int = ACTIVATION_LIMIT, gain: float = 1.0):
        super().__init__()
        self.padding, self.input_limit = kernel // 2, input_limit
        self.register_buffer("weight", torch.zeros(outputs, inputs, kernel, kernel, dtype=torch.int8))
        self.register_buffer("bias", torch.zeros(outputs, dtype=torch.int32))
        self.register_buffer("shift", torch.zeros(outputs, dtype=torch.int8))
        self.ready: tuple[Tensor, Tensor, Tensor] | None = None

    def prepare(self) -> None:
        """Checks that no sum can leave the range where float32 is exact, and lays the integers out for the convolution."""
        worst = self.weight.double().abs().sum(dim=(1, 2, 3)) * self.input_limit + self.bias.double().abs()
        factor = torch.exp2(-self.shift.double())
        # Rescaled and with the half that rounds, in the units that it then has.
        worst = torch.maximum(worst, (worst * factor + 0.5) / factor.clamp_max(0.5))
        if worst.max().item() >= EXACT_LIMIT:
            raise ModelError(f"a sum of an integer layer can reach {worst.max().item():.0f}; it must stay below {EXACT_LIMIT}")
        weight = self.weight.float().contiguous(memory_format=torch.channels_last)
        self.ready = weight, self.bias.float(), torch.exp2(-self.shift.float())[:, None, None]

    def forward(self, x: Tensor) -> Tensor:
        weight, bias, factor = self.ready
        return torch.floor(F.conv2d(x, weight, bias, padding=self.padding).mul_(factor).add_(0.5))


def clipped(x: Tensor) -> Tensor:
    return x.clamp(0, ACTIVATION_LIMIT)


class PriorOutput:
    """What the prior says of some latents: integers, ACTIVATION_SCALE to the unit, each [T, C, h, w].

    copy: log-odds that the latent equals its reference. mean: of the latent otherwise. scale: log2 of its logistic's scale.
    """

    def __init__(self, copy: Tensor, mean: Tensor, scale: Tensor):
        self.copy, self.mean, self.scale = copy, mean, scale

    def bits(self, latents: Tensor, reference: Tensor) -> Tensor:
        """Bits of each latent [T, C, h, w]: differentiable in the prior's parameters, for whole-number latents."""
        odds = (self.copy.float() / ACTIVATION_SCALE).clamp(-(COPY_LEVELS / 2) * COPY_STEP, (COPY_LEVELS / 2 - 1) * COPY_STEP)
        same = latents == reference
        likelihood = logistic_mass(latents, self.mean.float() / ACTIVATION_SCALE, self.log2_scale())
        flag = torch.where(same, F.softplus(-odds), F.softplus(odds))
        return (flag - torch.where(same, torch.zeros_like(odds), torch.log(likelihood))) / 0.6931471805599453

    def log2_scale(self) -> Tensor:
        highest = SCALE_LOWEST + (SCALE_LEVELS - 1) * SCALE_STEP
        return (self.scale.float() / ACTIVATION_SCALE).clamp(SCALE_LOWEST, highest)

    def soft_bits(self, latents: Tensor, reference: Tensor) -> Tensor:
        """As `bits`, but differentiable in the latents too: "the same" becomes a narrow logistic around the reference."""
        odds = (self.copy.float() / ACTIVATION_SCALE).clamp(-10, 10)
        copied = logistic_mass(latents, reference, torch.full_like(latents, -3.0))
        other = logistic_mass(latents, self.mean.float() / ACTIVATION_SCALE, self.log2_scale())
        chance = torch.sigmoid(odds)
        return -torch.log2(chance * copied + (1 - chance) * other)


def logistic_mass(latents: Tensor, mean: Tensor, log2_scale: Tensor) -> Tensor:
    """Probability of the unit interval around each latent under a logistic, at least 2**-20."""
    distance = (latents - mean).abs()
    inverse = torch.exp2(-log2_scale)
    mass = torch.sigmoid((0.5 - distance) * inverse) - torch.sigmoid((-0.5 - distance) * inverse)
    return mass.clamp_min(2.0**-20)


class IntegerPrior(nn.Module):
    """Predicts a frame's latents from two earlier frames' latents and from the part of it that is known already.

    A frame is coded in passes: for each group of channels the even positions of a checkerboard, then the odd ones.
    """

    def __init__(self, config: TemporalConfig):
        super().__init__()
        channels, trunk, context = config.channels, config.trunk, config.context
        self.groups = config.groups
        self.channels = channels
        conv = ExactConv if config.exact else IntegerConv
        latents = {"input_scale": 1, "input_limit": 2 * LATENT_LIMIT, "gain": 0.5}
        passes = 2 * len(config.groups)
        self.first = conv(3 * channels, trunk, 5, **latents)
        self.blocks = nn.ModuleList(conv(trunk, trunk, 3, gain=0.7) for _ in range(3))
        self.known = nn.ModuleList(conv(2 * channels, context, 3, **latents) for _ in range(passes))
        self.around = nn.ModuleList(conv(trunk, context, 1) for _ in range(passes))
        self.middle = nn.ModuleList(conv(context, context, 1) for _ in range(passes))
        self.last = nn.ModuleList(conv(context, 3 * config.groups[p // 2], 1, gain=0.5) for p in range(passes))
        if config.exact:
            # Interpolated and rounded once, where the model was trained.
            self.register_buffer("offsets", torch.zeros(RELATIONS, CRF_LEVELS, trunk, dtype=torch.int32))
            self.register_buffer("position", torch.zeros(trunk, *config.map_size, dtype=torch.int16) if config.maps else None)
            self.coding: CodingPrior | None = None
            return
        self.relation = nn.Parameter(torch.zeros(RELATIONS, trunk))
        self.quality = nn.Parameter(torch.zeros(CRF_KNOTS, trunk))
        self.position = nn.Parameter(torch.zeros(trunk, *config.map_size)) if config.maps else None
        with torch.no_grad():
            for index, head in enumerate(self.last):
                head.bias[: config.groups[index // 2]] = 1.0  # at first a copy is likely, and the scale one symbol

    def exact(self, config: TemporalConfig) -> "IntegerPrior":
        """This prior in integers alone, for coding; `config` is its own, with exact set."""
        prior = IntegerPrior(config)
        with torch.no_grad():
            for name, module in self.named_modules():
                if isinstance(module, IntegerConv):
                    prior.set_submodule(name, module.exact())
            levels = torch.arange(CRF_LEVELS)
            for relation in range(RELATIONS):
                prior.offsets[relation] = self.offset(torch.full((CRF_LEVELS,), relation), levels).int()
            if self.position is not None:
                prior.position.copy_(round_through(self.position * ACTIVATION_SCALE))
        return prior

    def prepare(self) -> None:
        """Readies an exact prior for coding; raises ModelError where a layer could leave the exact range."""
        for module in self.modules():
            if isinstance(module, ExactConv):
                module.prepare()
        self.coding = CodingPrior(self, activation_limit=ACTIVATION_LIMIT, latent_limit=LATENT_LIMIT)

    def offset(self, relation: Tensor, crf: Tensor) -> Tensor:
        """Whole numbers [T, trunk] that relation [T] and quality [T] add to the first features."""
        if isinstance(self.first, ExactConv):
            return self.offsets[relation, crf.long()].float()
        return round_through((self.relation[relation] + at_quality(self.quality, crf)) * ACTIVATION_SCALE)

    @property
    def passes(self) -> int:
        return 2 * len(self.groups)

    def span(self, index: int) -> tuple[int, int]:
        """First and last+1 channel that pass `index` codes."""
        start = sum(self.groups[: index // 2])
        return start, start + self.groups[index // 2]

    def trunk(self, near: Tensor, far: Tensor, relation: Tensor, crf: Tensor) -> Tensor:
        """Features [T, trunk, h, w] of the reference latents [T, C, h, w], for relations [T] and qualities [T] (0..63)."""
        near, far = near.clamp(-LATENT_LIMIT, LATENT_LIMIT), far.clamp(-LATENT_LIMIT, LATENT_LIMIT)
        features = self.first(torch.cat((near, far, near - far), dim=1)) + self.offset(relation, crf)[:, :, None, None]
        if self.position is not None:
            features = features + self.position_map(near.shape[2:])
        features = clipped(features)
        for block in self.blocks:
            features = clipped(features + block(features))
        return features

    def position_map(self, size: torch.Size) -> Tensor:
        exact = isinstance(self.first, ExactConv)
        integers = self.position.float() if exact else round_through(self.position * ACTIVATION_SCALE)
        if integers.shape[1:] != size:
            # Another size than trained for: the nearest entries, exactly the same choice on every machine.
            rows = torch.arange(size[0], device=integers.device) * integers.shape[1] // size[0]
            columns = torch.arange(size[1], device=integers.device) * integers.shape[2] // size[1]
            integers = integers[:, rows][:, :, columns]
        return integers

    def head(self, index: int, features: Tensor, known: Tensor, near: Tensor) -> PriorOutput:
        """What pass `index` says of its channels at all positions; `known` holds latents so far, and `near` where unknown."""
        near, known = near.clamp(-LATENT_LIMIT, LATENT_LIMIT), known.clamp(-LATENT_LIMIT, LATENT_LIMIT)
        x = torch.cat((known, known - near), dim=1)
        x = clipped(self.known[index](x) + self.around[index](features))
        x = clipped(x + self.middle[index](x))
        copy, mean, scale = self.last[index](x).chunk(3, dim=1)
        start, stop = self.span(index)
        return PriorOutput(copy, mean + near[:, start:stop] * ACTIVATION_SCALE, scale)

    def known_mask(self, index: int, rows: int, columns: int, device) -> Tensor:
        """Which latents [C, h, w] are known before pass `index`: 1 or 0."""
        start, stop = self.span(index)
        mask = torch.zeros(self.channels, rows, columns, device=device)
        mask[:start] = 1
        if index % 2:
            mask[start:stop] = even_positions(rows, columns, device)
        return mask

    def rate(self, latents: Tensor, near: Tensor, far: Tensor, relation: Tensor, crf: Tensor, *, soft: bool = False, passes=None) -> Tensor:
        """Bits of each frame [T] for training: the passes side by side, each seeing what it will know when coding.

        passes: indices of those to count (all by default); the sum is scaled up to all.
        """
        passes = range(self.passes) if passes is None else passes
        features = self.trunk(near, far, relation, crf)
        rows, columns = latents.shape[2:]
        even = even_positions(rows, columns, latents.device)
        total = 0
        for index in passes:
            mask = self.known_mask(index, rows, columns, latents.device)
            output = self.head(index, features, torch.where(mask.bool(), latents, near), near)
            start, stop = self.span(index)
            measure = output.soft_bits if soft else output.bits
            bits = measure(latents[:, start:stop], near[:, start:stop])
            total = total + (bits * (1 - even if index % 2 else even)).sum(dim=(1, 2, 3))
        return total * (self.passes / len(passes))


def even_positions(rows: int, columns: int, device=None) -> Tensor:
    """A checkerboard [h, w]: 1 where row + column is even."""
    return ((torch.arange(rows, device=device)[:, None] + torch.arange(columns, device=device)) % 2 == 0).float()


def at_quality(knots: Tensor, crf: Tensor) -> Tensor:
    """Interpolates knots [CRF_KNOTS, N] at qualities crf [T] (0..63), giving [T, N]."""
    place = crf.float() * ((CRF_KNOTS - 1) / (CRF_LEVELS - 1))
    below = place.floor().clamp(0, CRF_KNOTS - 2).long()
    share = (place - below)[:, None]
    return knots[below] * (1 - share) + knots[below + 1] * share


def held(latents: Tensor, length: int) -> Tensor:
    """Whole-number latents [clips * length, C, h, w] of clips of consecutive frames, each rounded near the one before.

    A latent that is nearer than HOLD to the symbol before keeps it. Plain rounding lets quiet latents, which lie between two
    symbols, flip from frame to frame: two thirds of all changes, and nearly half of the bytes, for 0.1 to 0.6 dB.
    """
    clips = latents.view(-1, length, *latents.shape[1:])
    symbols = torch.round(clips)
    for number in range(1, length):
        before = symbols[:, number - 1]
        symbols[:, number] = torch.where((clips[:, number] - before).abs() < HOLD, before, symbols[:, number])
    return symbols.view_as(latents)


class Residual(nn.Module):
    def __init__(self, width: int):
        super().__init__()
        self.spread = nn.Conv2d(width, width, 3, padding=1)
        self.mix = nn.Conv2d(width, width, 1)

    def forward(self, x: Tensor) -> Tensor:
        return x + self.mix(F.leaky_relu(self.spread(x), 0.1))


class Temporal(nn.Module):
    """Analysis and synthesis of single frames at stride 8, with the integer prior over time."""

    any_geometry = True
    rounded_latents = True
    latent_range = None

    def __init__(self, name: str, config: TemporalConfig):
        super().__init__()
        self.name, self.config = name, config
        self.geometry = Geometry(config.width, config.height)
        c, width, detail = config.channels, config.features, config.detail
        self.analysis = nn.Sequential(
            nn.PixelUnshuffle(4),
            nn.Conv2d(48, 64, 3, padding=1),
            nn.LeakyReLU(0.1),
            nn.Conv2d(64, width, 4, stride=2, padding=1),
            Residual(width),
            Residual(width),
            nn.Conv2d(width, c, 1),
        )
        self.enter = nn.Conv2d(c, width, 3, padding=1)
        self.position = nn.Parameter(torch.zeros(width, *config.map_size)) if config.maps else None
        self.deep = Residual(width)
        self.enlarge = nn.Conv2d(width, 4 * detail, 1)
        self.fine = Residual(detail)
        self.pixels = nn.Conv2d(detail, 48, 3, padding=1)
        # log of the factor from latent to symbol; about e**2 = 7 symbols to the unit in the middle
        start = torch.linspace(3.0, 0.5, CRF_KNOTS)[:, None].repeat(1, c)
        self.gain = nn.Parameter(start)
        self.inverse_gain = nn.Parameter(-start.clone())
        self.prior = IntegerPrior(config)

    def exact(self) -> "Temporal":
        """This model as it ships: the same analysis and synthesis, the prior in integers."""
        config = replace(self.config, exact=True)
        model = Temporal(self.name, config)
        own = {name: value for name, value in self.state_dict().items() if not name.startswith("prior.")}
        model.load_state_dict(own, strict=False)
        model.prior = self.prior.exact(config)
        return model

    def for_coding(self) -> "Temporal":
        """Ready to code; raises ModelError where a layer of the prior could leave the range in which it is exact."""
        self.prior.prepare()
        return self.to(memory_format=torch.channels_last)

    def latent_shape(self, geometry: Geometry | None = None) -> tuple[int, int, int]:
        geometry = geometry or self.geometry
        return self.config.channels, -(-geometry.height // STRIDE), -(-geometry.width // STRIDE)

    def analyse(self, frames: Tensor, crf: Tensor) -> Tensor:
        """Latents [T, C, h, w], in symbols but not yet rounded, of frames [T, 3, H, W] in 0..1 at qualities crf [T].

        Frames whose sides are no multiples of 8 are continued by their last row and column.
        """
        frames = F.pad(frames, (0, -frames.shape[3] % STRIDE, 0, -frames.shape[2] % STRIDE), mode="replicate")
        return self.analysis(frames - 0.5) * torch.exp(at_quality(self.gain, crf))[:, :, None, None]

    def synthesise(self, symbols: Tensor, crf: Tensor, *, geometry: Geometry | None = None) -> Tensor:
        """Frames float32 [T, 3, H, W] in 0..1 of symbols [T, C, h, w] at qualities crf [T]."""
        geometry = geometry or self.geometry
        return self.decode(symbols, crf)[:, :, : geometry.height, : geometry.width].float().clamp(0, 1)

    def decode(self, symbols: Tensor, crf: Tensor) -> Tensor:
        """Frames [T, 3, 8h, 8w], not clamped, so that training has a gradient everywhere."""
        x = self.enter(symbols * torch.exp(at_quality(self.inverse_gain, crf))[:, :, None, None])
        if self.position is not None:
            x = x + (self.position if self.position.shape[1:] == x.shape[2:] else F.interpolate(self.position[None], x.shape[2:]))
        x = self.deep(F.leaky_relu(x, 0.1))
        x = F.pixel_shuffle(self.enlarge(x), 2)
        x = self.fine(F.leaky_relu(x, 0.1))
        return F.pixel_shuffle(self.pixels(F.leaky_relu(x, 0.1)), 4) + 0.5
