"""The temporal family: each frame alone becomes integer latents, and time is taken by the prior.

Analysis and synthesis are ordinary float networks. Everything that decides a symbol's probability is computed from
integers that were decoded before, by `IntegerPrior` (time in the prior as in Mentzer et al., "VCT", NeurIPS 2022).
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from lvc.codecs.crf import CRF_LEVELS, distortion_weight
from lvc.codecs.integer.layers import ACTIVATION_LIMIT, ACTIVATION_SCALE, ExactConv, IntegerConv, clipped, round_through
from lvc.codecs.integer.scales import SCALE_LEVELS, SCALE_LOWEST, SCALE_STEP, logistic_mass
from lvc.codecs.temporal.integer_prior import CodingPrior
from lvc.errors import OptionError
from lvc.frames import Geometry

STRIDE = 8
CRF_KNOTS = 5  # gains are learned at five qualities and interpolated between
LATENT_LIMIT = 127  # what the prior sees of a latent; the latent itself may be larger
HOLD = 0.7  # of a symbol
SAME_LIMIT, BACK_LIMIT = 1.6, 1.2  # squared symbols of added error that saving a position's bits is worth

# What the prior says of each latent, and the tables that stand for it.
COPY_LEVELS, COPY_STEP = 64, 1 / 3  # log-odds of "the same as in the reference", in steps of a third
MEAN_FRACTIONS = 4  # the mean is known to a quarter of a symbol

# How a frame relates to the frames before it.
KEY, PREDICTED = 0, 1
RELATIONS = 2
HISTORY = 4  # frames before that the prior sees: sprites that take turns in being drawn come back
MODE_PHASES = 2
DILATIONS = 1, 2, 2
STEADY_BATCH = 256
STEADY_REACH = 5  # frames on either side that decide what the scenery is
MODES, MODE_UNIT = 3, 16  # planes of the same, back, new: MODE_UNIT or 0
BLOCK = 3 * STRIDE * STRIDE  # pixels' components at one position


@dataclass(frozen=True)
class TemporalConfig:
    """width, height: what it was trained on; others are taken too. channels: latents at each position. groups: how many
    of them are coded together, and phases: in how many passes over the positions, 1, 2 or 4 (see `phase_of`). features,
    detail: width of the networks at strides 8 and 4. trunk, context: width of the prior's. placed: channels whose
    transform is learned for each position by itself, for one game with a fixed layout; with them come position maps in
    the prior. finest: the trained level that crf 0 stands for; below it more bits bring no more quality. exact: the
    prior in integers, as shipped.
    """

    width: int = 200
    height: int = 160
    channels: int = 48
    groups: tuple[int, ...] = (4, 12, 32)
    phases: tuple[int, ...] = (4, 2, 1)
    features: int = 128
    detail: int = 48
    trunk: int = 96
    context: int = 64
    placed: int = 0
    finest: int = 0
    exact: bool = False

    def __post_init__(self):
        object.__setattr__(self, "groups", tuple(self.groups))  # JSON gives lists
        object.__setattr__(self, "phases", tuple(self.phases))
        if len(self.phases) != len(self.groups) or not set(self.phases) <= {1, 2, 4}:
            raise OptionError(f"phases {self.phases} must say 1, 2 or 4 for each of {len(self.groups)} groups")
        if sum(self.groups) != self.channels or min(self.groups) < 1:
            raise OptionError(f"groups {self.groups} must add up to the {self.channels} channels")
        if not 0 <= self.placed < self.channels:
            raise OptionError(f"placed must be from 0 to {self.channels - 1}, not {self.placed!r}")
        if not 0 <= self.finest < CRF_LEVELS - 1:
            raise OptionError(f"finest must be from 0 to {CRF_LEVELS - 2}, not {self.finest!r}")

    def trained_level(self, crf):
        """The level of training, 0 (best) to 63, that crf (a number or a tensor) stands for."""
        return self.finest + crf * ((CRF_LEVELS - 1 - self.finest) / (CRF_LEVELS - 1))

    @property
    def map_size(self) -> tuple[int, int]:
        return -(-self.height // STRIDE), -(-self.width // STRIDE)


class PriorOutput:
    """What the prior says of some latents: integers, ACTIVATION_SCALE to the unit, each [T, C, h, w].

    copy: log-odds that the latent equals its reference. mean: of the latent otherwise. scale: log2 of its logistic's
    scale.
    """

    def __init__(self, copy: Tensor, mean: Tensor, scale: Tensor):
        self.copy, self.mean, self.scale = copy, mean, scale

    def bits(self, latents: Tensor, reference: Tensor) -> Tensor:
        """Bits of each latent [T, C, h, w]: differentiable in the prior's parameters, for whole-number latents."""
        same = latents == reference
        likelihood = logistic_mass(latents, self.mean.float() / ACTIVATION_SCALE, self.log2_scale())
        other = torch.where(same, torch.zeros_like(likelihood), -torch.log2(likelihood))
        return flag_bits(self.copy, same.float()) + other

    def log2_scale(self) -> Tensor:
        highest = SCALE_LOWEST + (SCALE_LEVELS - 1) * SCALE_STEP
        return (self.scale.float() / ACTIVATION_SCALE).clamp(SCALE_LOWEST, highest)

    def soft_bits(self, latents: Tensor, reference: Tensor) -> Tensor:
        """As `bits`, but differentiable in the latents too: "the same" becomes a narrow logistic around the
        reference.
        """
        odds = (self.copy.float() / ACTIVATION_SCALE).clamp(-10, 10)
        copied = logistic_mass(latents, reference, torch.full_like(latents, -3.0))
        other = logistic_mass(latents, self.mean.float() / ACTIVATION_SCALE, self.log2_scale())
        chance = torch.sigmoid(odds)
        return -torch.log2(chance * copied + (1 - chance) * other)


class Pass(NamedTuple):
    """One pass over latents: channels start … stop-1, in phase `phase` of `phases`."""

    start: int
    stop: int
    phase: int
    phases: int

    @property
    def size(self) -> int:
        return self.stop - self.start


class References(NamedTuple):
    """What a frame is predicted from, each [T, C, h, w]: the frames before it, the latest first, and at each position
    the last latents that stood still for a frame.
    """

    recent: tuple[Tensor, ...]
    background: Tensor

    @property
    def near(self) -> Tensor:
        return self.recent[0]

    def after(self, latents: Tensor) -> "References":
        """The references of the frame that follows `latents`."""
        still = (latents == self.near).all(dim=1, keepdim=True)
        return References((latents, *self.recent[:-1]), torch.where(still, latents, self.background))

    def map(self, change: Callable[[Tensor], Tensor]) -> "References":
        return References(tuple(change(part) for part in self.recent), change(self.background))


def following(references: References | None, latents: Tensor) -> References:
    """The references of the frame after `latents`; references: what these were predicted from, None for a keyframe."""
    return References((latents,) * HISTORY, latents) if references is None else references.after(latents)


class IntegerPrior(nn.Module):
    """Predicts a frame's latents from earlier ones, and from the part of it that is known already.

    First the modes of all positions: the same as the frame before, back to what last stood still, or new. Then the
    latents of new positions, group by group of channels, each in phases: some positions first, then others that see
    them. A keyframe is all new.
    """

    def __init__(self, config: TemporalConfig):
        super().__init__()
        channels, trunk, context = config.channels, config.trunk, config.context
        self.channels, self.trained_level = channels, config.trained_level
        conv = ExactConv if config.exact else IntegerConv
        latents: dict[str, Any] = {"input_scale": 1, "input_limit": 2 * LATENT_LIMIT, "gain": 0.5}
        # Which channels each pass codes, in which phase of how many.
        starts = [sum(config.groups[:group]) for group in range(len(config.groups))]
        self.schedule = [
            Pass(start, start + size, phase, phases)
            for start, size, phases in zip(starts, config.groups, config.phases)
            for phase in range(phases)
        ]
        passes = len(self.schedule)
        self.first = conv((HISTORY + 1) * channels, trunk, 3, **{**latents, "input_limit": LATENT_LIMIT})
        self.blocks = nn.ModuleList(conv(trunk, trunk, 3, gain=0.7, dilation=dilation) for dilation in DILATIONS)
        self.mode_known = conv(MODES, context, 3)
        self.mode_around = nn.ModuleList(conv(trunk, context, 1) for _ in range(MODE_PHASES))
        self.mode_last = nn.ModuleList(conv(context, 2, 1, gain=0.5) for _ in range(MODE_PHASES))
        self.known = nn.ModuleList(conv(2 * channels + MODES, context, 3, **latents) for _ in range(passes))
        self.around = nn.ModuleList(conv(trunk, context, 1) for _ in range(passes))
        self.middle = nn.ModuleList(conv(context, context, 1) for _ in range(passes))
        self.last = nn.ModuleList(conv(context, 3 * step.size, 1, gain=0.5) for step in self.schedule)
        if config.exact:
            # Interpolated and rounded once, where the model was trained.
            self.register_buffer("offsets", torch.zeros(RELATIONS, CRF_LEVELS, trunk, dtype=torch.int32))
            self.register_buffer(
                "position", torch.zeros(trunk, *config.map_size, dtype=torch.int16) if config.placed else None
            )
            self.coding: CodingPrior | None = None
            return
        self.relation = nn.Parameter(torch.zeros(RELATIONS, trunk))
        self.quality = nn.Parameter(torch.zeros(CRF_KNOTS, trunk))
        self.position = nn.Parameter(torch.zeros(trunk, *config.map_size)) if config.placed else None
        with torch.no_grad():
            for head in self.mode_last:
                head.bias[0] = 2.0  # at first most positions are likely to stay
            for step, head in zip(self.schedule, self.last):
                head.bias[2 * step.size :] = 1.0  # and the scale is two symbols

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
        self.coding = CodingPrior(self, activation_limit=ACTIVATION_LIMIT)

    def offset(self, relation: Tensor, crf: Tensor) -> Tensor:
        """Whole numbers [T, trunk] that relation [T] and quality [T] add to the first features."""
        if isinstance(self.first, ExactConv):
            return self.offsets[relation, crf.long()].float()
        return round_through(
            (self.relation[relation] + at_quality(self.quality, self.trained_level(crf))) * ACTIVATION_SCALE
        )

    @property
    def passes(self) -> int:
        return len(self.schedule)

    def trunk(self, references: References, relation: Tensor, crf: Tensor, corners: Tensor | None = None) -> Tensor:
        """Features [T, trunk, h, w] of the references, for relations [T] and qualities [T] (0..63).

        corners: first row and column [T, 2] of each window into the position maps; none for whole frames.
        """
        seen = torch.cat((*references.recent, references.background), dim=1).clamp(-LATENT_LIMIT, LATENT_LIMIT)
        features = self.first(seen) + self.offset(relation, crf)[:, :, None, None]
        if self.position is not None:
            features = features + window(self.whole_position(), features.shape[2:], corners)
        features = clipped(features)
        for block in self.blocks:
            features = clipped(features + block(features))
        return features

    def whole_position(self) -> Tensor:
        return (
            self.position.float()
            if isinstance(self.first, ExactConv)
            else round_through(self.position * ACTIVATION_SCALE)
        )

    def position_map(self, rows: int, columns: int) -> Tensor | None:
        """What the position maps add for frames of this size: [rows * columns, trunk], or none."""
        if self.position is None:
            return None
        return window(self.whole_position(), torch.Size((rows, columns)), None)[0].flatten(1).t().contiguous()

    def mode_head(self, phase: int, features: Tensor, modes: Tensor) -> tuple[Tensor, Tensor]:
        """Log-odds [T, h, w] that positions are the same, and else that they are back; modes: planes known so far."""
        x = self.mode_around[phase](features)
        if phase:
            x = x + self.mode_known(modes)
        same, back = self.mode_last[phase](clipped(x)).unbind(dim=1)
        return same, back

    def head(self, index: int, features: Tensor, known: Tensor, near: Tensor, modes: Tensor) -> PriorOutput:
        """What pass `index` says of its channels; `known` holds latents so far, and `near` where unknown; modes:
        planes of all.
        """
        near, known = near.clamp(-LATENT_LIMIT, LATENT_LIMIT), known.clamp(-LATENT_LIMIT, LATENT_LIMIT)
        x = clipped(self.known[index](torch.cat((known, known - near, modes), dim=1)) + self.around[index](features))
        x = clipped(x + self.middle[index](x))
        copy, mean, scale = self.last[index](x).chunk(3, dim=1)
        step = self.schedule[index]
        return PriorOutput(copy, mean + near[:, step.start : step.stop] * ACTIVATION_SCALE, scale)

    def known_mask(self, index: int, rows: int, columns: int, device=None) -> Tensor:
        """Which latents [C, h, w] of new positions are known before pass `index`: True or False."""
        step = self.schedule[index]
        mask = torch.zeros(self.channels, rows, columns, dtype=torch.bool, device=device)
        mask[: step.start] = True
        mask[step.start : step.stop] = phase_of(rows, columns, step.phases, device) < step.phase
        return mask

    def rate(
        self,
        latents: Tensor,
        references: References,
        relation: Tensor,
        crf: Tensor,
        *,
        soft: bool = False,
        passes=None,
        corners=None,
    ) -> Tensor:
        """Bits of each frame [T] for training: the passes side by side, each seeing what it will know when coding.

        passes: indices of those of latents to count (all by default); their sum is scaled up to all. corners: see
        `trunk`.
        """
        passes = range(self.passes) if passes is None else passes
        features = self.trunk(references, relation, crf, corners)
        rows, columns = latents.shape[2:]
        predicted = (relation != KEY).float()[:, None, None]
        near, background = references.near.detach(), references.background.detach()
        with torch.no_grad():
            same = (latents == near).all(dim=1).float() * predicted
            could = (background != near).any(dim=1).float() * (1 - same) * predicted
            back = (latents == background).all(dim=1).float() * could
            new = (1 - same) * (1 - back)
            modes = torch.stack((same, back, new), dim=1) * MODE_UNIT
        total = 0
        phases = phase_of(rows, columns, MODE_PHASES, latents.device)
        for phase in range(MODE_PHASES):
            odds_same, odds_back = self.mode_head(phase, features, modes * (phases < phase))
            bits = flag_bits(odds_same, same) * predicted + flag_bits(odds_back, back) * could
            total = total + (bits * (phases == phase)).sum(dim=(1, 2))
        for index in passes:
            step = self.schedule[index]
            mask = self.known_mask(index, rows, columns, latents.device) | (new == 0)[:, None]
            output = self.head(index, features, torch.where(mask, latents, near), near, modes)
            measure = output.soft_bits if soft else output.bits
            bits = measure(latents[:, step.start : step.stop], near[:, step.start : step.stop]).sum(dim=1)
            here = phase_of(rows, columns, step.phases, latents.device) == step.phase
            total = total + (bits * here * new).sum(dim=(1, 2)) * (self.passes / len(passes))
        return total


def flag_bits(odds: Tensor, flags: Tensor) -> Tensor:
    """Bits of flags (1 or 0) whose log-odds of 1 the prior gives, ACTIVATION_SCALE to the unit."""
    odds = limited_odds(odds)
    return F.softplus(torch.where(flags > 0, -odds, odds)) / 0.6931471805599453


def limited_odds(odds: Tensor) -> Tensor:
    return (odds.float() / ACTIVATION_SCALE).clamp(-(COPY_LEVELS / 2) * COPY_STEP, (COPY_LEVELS / 2 - 1) * COPY_STEP)


def window(maps: Tensor, size: torch.Size, corners: Tensor | None) -> Tensor:
    """What maps [..., H, W] say of windows of size (h, w): [T, ..., h, w] at corners [T, 2], or of whole frames [1,
    ..., h, w].
    """
    if corners is not None:
        return torch.stack(
            [maps[..., row : row + size[0], column : column + size[1]] for row, column in corners.tolist()]
        )
    if maps.shape[-2:] != size:
        # Another size than trained for: the nearest entries, exactly the same choice on every machine.
        rows = torch.arange(size[0], device=maps.device) * maps.shape[-2] // size[0]
        columns = torch.arange(size[1], device=maps.device) * maps.shape[-1] // size[1]
        maps = maps[..., rows, :][..., columns]
    return maps[None]


def phase_of(rows: int, columns: int, phases: int, device=None) -> Tensor:
    """The phase in which each position [h, w] is coded, of 1, 2 or 4: all at once; a checkerboard's two colours; the
    four places of each 2x2 square, its diagonals first.
    """
    row = torch.arange(rows, device=device)[:, None]
    column = torch.arange(columns, device=device)
    if phases == 1:
        return torch.zeros(rows, columns, dtype=torch.long, device=device)
    colour = (row + column) % 2
    return colour if phases == 2 else 2 * colour + row % 2


def at_quality(knots: Tensor, crf: Tensor) -> Tensor:
    """Interpolates knots [CRF_KNOTS, N] at qualities crf [T] (0..63), giving [T, N]."""
    place = crf.float() * ((CRF_KNOTS - 1) / (CRF_LEVELS - 1))
    below = place.floor().clamp(0, CRF_KNOTS - 2).long()
    share = (place - below)[:, None]
    return knots[below] * (1 - share) + knots[below + 1] * share


def held(latents: Tensor, references: References | None) -> Tensor:
    """Whole-number latents [T, C, h, w], each rounded near those it is predicted from; plainly without references.

    A latent that is nearer than HOLD to the symbol before keeps it. Plain rounding lets quiet latents, which lie
    between two symbols, flip from frame to frame: two thirds of all changes, and nearly half of the bytes, for 0.1 to
    0.6 dB. A position keeps all of its symbols, or goes back to those that last stood still, where the error that adds
    is worth less than bits.
    """
    rounded = torch.round(latents)
    if references is None:
        return rounded
    least = (latents - rounded).square()

    def added(reference: Tensor) -> Tensor:
        return ((latents - reference).square() - least).sum(dim=1, keepdim=True)

    symbols = torch.where((latents - references.near).abs() < HOLD, references.near, rounded)
    symbols = torch.where(added(references.background) < BACK_LIMIT, references.background, symbols)
    return torch.where(added(references.near) < SAME_LIMIT, references.near, symbols)


def held_clips(clips: Tensor) -> tuple[Tensor, References | None]:
    """Whole-number latents [clips, length, C, h, w] of clips of frames, the first of each a keyframe,
    and what the last was held to.
    """
    symbols, references, last = [], None, None
    for frame in clips.unbind(dim=1):
        last = references
        symbols.append(held(frame, references))
        references = following(references, symbols[-1])
    return torch.stack(symbols, dim=1), last


class Residual(nn.Module):
    def __init__(self, width: int):
        super().__init__()
        self.spread = nn.Conv2d(width, width, 3, padding=1)
        self.mix = nn.Conv2d(width, width, 1)

    def forward(self, x: Tensor) -> Tensor:
        return x + self.mix(F.leaky_relu(self.spread(x), 0.1))


def whole_blocks(frames: Tensor) -> Tensor:
    """Frames [T, 3, H, W] continued to multiples of 8 by their last row and column."""
    return F.pad(frames, (0, -frames.shape[3] % STRIDE, 0, -frames.shape[2] % STRIDE), mode="replicate")


class Blockwise(nn.Module):
    """Linear transforms of blocks of 8x8 pixels, beside the networks.

    The first `placed` channels have a transform and a mean of their own at each position. They carry the scenery, what
    stands
    still: their latents are steadied over time. All other channels, and the networks, see what the scenery leaves.
    """

    def __init__(self, channels: int, placed: int, map_size: tuple[int, int]):
        super().__init__()
        self.placed = placed
        directions = torch.linalg.qr(torch.randn(BLOCK, channels - placed)).Q
        self.gather = nn.Parameter(directions.t().contiguous())
        self.spread = nn.Parameter(directions.clone())
        if placed:
            self.register_buffer("mean", torch.zeros(BLOCK, *map_size))
            self.register_buffer("maps", torch.zeros(placed, BLOCK, *map_size))

    def scenery(self, blocks: Tensor) -> Tensor:
        """Latents [T, placed, h, w] of blocks [T, BLOCK, h, w], each frame alone."""
        size = blocks.shape[2:]
        blocks = blocks - window(self.mean, size, None)
        maps = window(self.maps, size, None)
        return torch.stack([(maps[:, channel] * blocks).sum(dim=1) for channel in range(self.placed)], dim=1)

    def place(self, scenery: Tensor, corners: Tensor | None) -> Tensor:
        """Blocks of the latents of the scenery."""
        size = scenery.shape[2:]
        maps = window(self.maps, size, corners)
        total = window(self.mean, size, corners).repeat(1 if corners is not None else len(scenery), 1, 1, 1)
        for channel in range(self.placed):
            total = torch.addcmul(total, maps[:, channel], scenery[:, channel : channel + 1])
        return total

    def synthesise(self, latents: Tensor, corners: Tensor | None) -> Tensor:
        """Blocks [T, BLOCK, h, w] of latents [T, C, h, w]."""
        shared = F.conv2d(latents[:, self.placed :], self.spread[:, :, None, None])
        return shared + self.place(latents[:, : self.placed], corners) if self.placed else shared

    @torch.no_grad()
    def start_from(self, blocks: Tensor, steady: Tensor | None) -> None:
        """Sets the transforms to the principal directions of training blocks [N, BLOCK, h, w], N in the hundreds or
        more;
        steady: alike, of the scenery alone.
        """
        rest = blocks.flatten(2).permute(2, 0, 1)  # [places, N, BLOCK]
        if self.placed:
            still = steady.flatten(2).permute(2, 0, 1)
            mean = still.mean(dim=1, keepdim=True)
            still = still - mean
            directions = principal(torch.bmm(still.transpose(1, 2), still), self.placed)  # [places, BLOCK, placed]
            rest = rest - mean - still @ directions @ directions.transpose(1, 2)
            self.maps.copy_(directions.permute(2, 1, 0).reshape(self.maps.shape))
            self.mean.copy_(mean[:, 0].t().reshape(self.mean.shape))
        rest = rest.flatten(0, 1)
        directions = principal((rest.t() @ rest)[None], self.spread.shape[1])[0]
        self.gather.copy_(directions.t())
        self.spread.copy_(directions)


def steadied(latents: Tensor, *, reach: int = STEADY_REACH) -> Tensor:
    """The median over time of each of consecutive frames' values [T, ...]: what passes leaves no trace, what stays
    does.

    reach: frames on either side; the first and last frame are continued.
    """
    wide = torch.cat(
        (latents[:1].expand(reach, *latents.shape[1:]), latents, latents[-1:].expand(reach, *latents.shape[1:]))
    )
    # A part at a time: the medians need many times the memory of what they are of.
    parts = (wide[start : start + STEADY_BATCH + 2 * reach] for start in range(0, len(latents), STEADY_BATCH))
    return torch.cat([part.unfold(0, 2 * reach + 1, 1).median(dim=-1).values for part in parts])


def principal(products: Tensor, count: int) -> Tensor:
    """The `count` strongest eigenvectors [B, N, count] of symmetric matrices [B, N, N], the strongest first."""
    products = products.double()
    size = products.shape[1]
    # A little of everything, unequal, where a block never changes: no direction is undefined.
    slight = (
        torch.linspace(1.0, 2.0, size, dtype=torch.float64, device=products.device)
        * 1e-6
        * products.diagonal(dim1=1, dim2=2).mean().clamp_min(1e-6)
    )
    return torch.linalg.eigh(products + torch.diag(slight)).eigenvectors[..., -count:].flip(-1).float()


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
            nn.Conv2d(width, c - config.placed, 1),
        )
        self.blockwise = Blockwise(c, config.placed, config.map_size)
        self.enter = nn.Conv2d(c, width, 3, padding=1)
        self.deep = Residual(width)
        self.enlarge = nn.Conv2d(width, 4 * detail, 1)
        self.fine = Residual(detail)
        self.pixels = nn.Conv2d(detail, 48, 1)
        with torch.no_grad():  # at first the linear transforms do all
            self.analysis[-1].weight.zero_()
            self.pixels.weight.zero_()
            self.pixels.bias.zero_()
        # log of the factor from latent to symbol; a latent of 1 is 255 levels in one direction of a block
        start = torch.linspace(2.3, 0.2, CRF_KNOTS)[:, None].repeat(1, c)
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

    def scenery(self, frames: Tensor) -> Tensor | None:
        """Latents [T, placed, h, w] of what frames [T, 3, H, W] in 0..1 show, not yet steadied;
        none without placed channels.
        """
        return (
            self.blockwise.scenery(F.pixel_unshuffle(whole_blocks(frames) - 0.5, STRIDE))
            if self.config.placed
            else None
        )

    def analyse(
        self, frames: Tensor, crf: Tensor, scenery: Tensor | None = None, *, corners: Tensor | None = None
    ) -> Tensor:
        """Latents [T, C, h, w], in symbols but not yet rounded, of frames [T, 3, H, W] in 0..1 at qualities crf [T].

        Frames whose sides are no multiples of 8 are continued by their last row and column. scenery: the latents of
        that, steadied; needed where there are placed channels. corners: see `IntegerPrior.trunk`.
        """
        frames = whole_blocks(frames) - 0.5
        blocks = F.pixel_unshuffle(frames, STRIDE)
        if scenery is not None:
            blocks = blocks - self.blockwise.place(scenery, corners)
            frames = F.pixel_shuffle(blocks, STRIDE)
        latents = self.analysis(frames) + F.conv2d(blocks, self.blockwise.gather[:, :, None, None])
        if scenery is not None:
            latents = torch.cat((scenery, latents), dim=1)
        return latents * torch.exp(at_quality(self.gain, self.config.trained_level(crf)))[:, :, None, None]

    def distortion_weight(self, crf):
        """Bits a frame that one unit of mean squared error (of 255 levels) is worth at qualities crf,
        a number or a tensor.
        """
        return distortion_weight(self.config.trained_level(crf))

    def symbol_weights(self, crf: int) -> Tensor:
        """Bits a squared symbol of error in each channel [C] is worth at this quality,
        from the linear transforms alone.
        """
        level = torch.tensor([float(self.config.trained_level(crf))], device=self.inverse_gain.device)
        unit = torch.exp(at_quality(self.inverse_gain, level))[0]
        return self.distortion_weight(crf) * (255 * unit).square() / (3 * self.geometry.width * self.geometry.height)

    def start_from(self, frames: Tensor, steady: Tensor | None) -> None:
        """Sets the linear transforms to the principal directions of training frames [N, 3, H, W] in 0..1, N in the
        hundreds or more; steady: alike, the median over time around each, needed where there are placed channels.
        """
        blocks, still = (
            None if part is None else F.pixel_unshuffle(whole_blocks(part) - 0.5, STRIDE) for part in (frames, steady)
        )
        self.blockwise.start_from(blocks, still)

    def synthesise(self, symbols: Tensor, crf: Tensor, *, geometry: Geometry | None = None) -> Tensor:
        """Frames float32 [T, 3, H, W] in 0..1 of symbols [T, C, h, w] at qualities crf [T]."""
        geometry = geometry or self.geometry
        return self.decode(symbols, crf)[:, :, : geometry.height, : geometry.width].float().clamp(0, 1)

    def decode(self, symbols: Tensor, crf: Tensor, *, corners: Tensor | None = None) -> Tensor:
        """Frames [T, 3, 8h, 8w], not clamped, so that training has a gradient everywhere."""
        latents = symbols * torch.exp(at_quality(self.inverse_gain, self.config.trained_level(crf)))[:, :, None, None]
        x = self.deep(F.leaky_relu(self.enter(latents), 0.1))
        x = F.pixel_shuffle(self.enlarge(x), 2)
        x = self.fine(F.leaky_relu(x, 0.1))
        pixels = F.pixel_shuffle(self.pixels(F.leaky_relu(x, 0.1)), STRIDE // 2)
        return pixels + F.pixel_shuffle(self.blockwise.synthesise(latents, corners), STRIDE) + 0.5
