"""Latents to whole-number symbols and back; one small class for each way.

`quantise` gives symbols int32 [T, ...] and parameters float32 [T, P] that travel with each frame. It raises ModelError
where latents are not finite or too large. `dequantise` inverts it, and raises FormatError for symbols or parameters
that no `quantise` gives, since both come from files.
"""

import dataclasses
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from lvc.errors import FormatError, ModelError, OptionError

LEVELS = 256
MOST_BITS = 12  # beyond, the adaptive coder's tables of differences would outgrow their limit
INT32 = (-(2**31), 2**31 - 1)


@dataclass(frozen=True)
class Quantised:
    """symbols: int32 [T, ...]. parameters: float32 [T, P]; P may be 0."""

    symbols: Tensor
    parameters: Tensor


@dataclass(frozen=True)
class Quantiser:
    """What all quantisers share: a name, the symbols' bounds, and how many parameters go with each frame."""

    name: ClassVar[str]
    alphabet: ClassVar[tuple[int, int] | None]
    parameter_count: ClassVar[int] = 0
    noisy: ClassVar[bool] = False  # whether training puts noise in the place of quantising

    def spec(self) -> dict:
        """The name and the options, as JSON holds them; `build(**spec)` gives the quantiser again."""
        return {"name": self.name, **dataclasses.asdict(self)}

    def perturb(self, latents: Tensor) -> Tensor:
        """What training puts in the place of quantising: here nothing."""
        return latents

    def quantise(self, latents: Tensor) -> Quantised:
        raise NotImplementedError

    def dequantise(self, symbols: Tensor, parameters: Tensor) -> Tensor:
        raise NotImplementedError

    def _check_latents(self, latents: Tensor) -> Tensor:
        if not torch.isfinite(latents).all():
            raise ModelError(f"quantiser {self.name}: the model gave latents that are not finite")
        return latents.float()

    def _check_symbols(self, symbols: Tensor, parameters: Tensor) -> None:
        if parameters.shape != (len(symbols), self.parameter_count) or not torch.isfinite(parameters).all():
            raise FormatError(
                f"quantiser {self.name}: expected {self.parameter_count} finite parameters for each of {len(symbols)} "
                "frames, "
                f"not {list(parameters.shape)}"
            )
        low, high = self.alphabet or INT32
        if symbols.numel() and not (low <= symbols.min() and symbols.max() <= high):
            raise FormatError(f"quantiser {self.name}: expected symbols from {low} to {high}")


@dataclass(frozen=True)
class NoQuantiser(Quantiser):
    """Keeps float32 latents: a symbol is the bits of one."""

    name = "none"
    alphabet = INT32

    def quantise(self, latents: Tensor) -> Quantised:
        latents = self._check_latents(latents)
        return Quantised(latents.contiguous().view(torch.int32), no_parameters(latents))

    def dequantise(self, symbols: Tensor, parameters: Tensor) -> Tensor:
        self._check_symbols(symbols, parameters)
        latents = symbols.to(torch.int32).contiguous().view(torch.float32)
        if not torch.isfinite(latents).all():
            raise FormatError("quantiser none: expected the bits of finite numbers")
        return latents


@dataclass(frozen=True)
class Naive(Quantiser):
    """Maps low … high to 0 … 255 and rounds; with the bounds 0 … 1 that is times 255 (S1).
    Latents beyond are clipped.
    """

    name = "naive"
    alphabet = (0, LEVELS - 1)

    low: float = 0.0
    high: float = 1.0

    def __post_init__(self):
        check_bounds(self)

    def quantise(self, latents: Tensor) -> Quantised:
        latents = self._check_latents(latents)
        symbols = ((latents - self.low) * ((LEVELS - 1) / (self.high - self.low))).round().clamp(0, LEVELS - 1)
        return Quantised(symbols.to(torch.int32), no_parameters(latents))

    def dequantise(self, symbols: Tensor, parameters: Tensor) -> Tensor:
        self._check_symbols(symbols, parameters)
        return symbols * ((self.high - self.low) / (LEVELS - 1)) + self.low


@dataclass(frozen=True)
class Scale(Quantiser):
    """Maps each frame's own smallest and largest latent to 0 and 255, and rounds; the two go with the frame (S1)."""

    name = "scale"
    alphabet = (0, LEVELS - 1)
    parameter_count = 2

    def quantise(self, latents: Tensor) -> Quantised:
        latents = self._check_latents(latents)
        flat = latents.flatten(1)
        bounds = torch.stack(flat.aminmax(dim=1), dim=1)
        # In double: the width of a frame's range may exceed float32.
        low, high = bounds.double()[:, :1], bounds.double()[:, 1:]
        width = (high - low).where(high > low, 1.0)
        symbols = ((flat.double() - low) * ((LEVELS - 1) / width)).round().clamp(0, LEVELS - 1)
        return Quantised(symbols.to(torch.int32).view_as(latents), bounds)

    def dequantise(self, symbols: Tensor, parameters: Tensor) -> Tensor:
        self._check_symbols(symbols, parameters)
        low, high = parameters.double()[:, :1], parameters.double()[:, 1:]
        if (low > high).any():
            raise FormatError("quantiser scale: expected a frame's smallest latent before its largest")
        share = symbols.flatten(1).double() / (LEVELS - 1)
        return (low * (1 - share) + high * share).float().view(symbols.shape)


@dataclass(frozen=True)
class KMeans(Quantiser):
    """256 centroids for each frame, sorted, and the number of the nearest one for each latent (S1).

    Lloyd's rounds in one dimension: sorted latents are cut halfway between centroids, and each piece gives its mean.
    """

    name = "kmeans"
    alphabet = (0, LEVELS - 1)
    parameter_count = LEVELS

    rounds: int = 20

    def __post_init__(self):
        if not (isinstance(self.rounds, int) and 0 <= self.rounds <= 1000):
            raise OptionError(f"quantiser kmeans: expected 0 to 1000 rounds, not {self.rounds!r}")

    def quantise(self, latents: Tensor) -> Quantised:
        flat = self._check_latents(latents).flatten(1).double()
        ordered = flat.sort(dim=1).values
        sums = torch.cat((ordered.new_zeros(len(flat), 1), ordered.cumsum(dim=1)), dim=1)  # [T, N+1]
        # Start half at quantiles and half evenly over the range: quantiles alone starve the tails.
        count = flat.shape[1]
        ranks = torch.linspace(0, count - 1, LEVELS // 2, device=flat.device, dtype=torch.float64).round().long()
        even = torch.linspace(0, 1, LEVELS - LEVELS // 2, device=flat.device, dtype=torch.float64)
        low, high = ordered[:, :1], ordered[:, -1:]
        centroids = torch.cat((ordered[:, ranks], low * (1 - even) + high * even), dim=1).sort(dim=1).values
        for _ in range(self.rounds):
            cuts = torch.searchsorted(ordered, halfway(centroids))
            edges = torch.nn.functional.pad(cuts, (1, 0))
            edges = torch.nn.functional.pad(edges, (0, 1), value=count)
            sizes = edges.diff(dim=1)
            means = sums.gather(1, edges).diff(dim=1) / sizes.clamp_min(1)
            centroids = torch.where(sizes > 0, means, centroids).sort(dim=1).values
        # What travels is float32, so labels are chosen among float32 centroids.
        centroids = centroids.float()
        labels = torch.searchsorted(halfway(centroids.double()), flat)
        return Quantised(labels.to(torch.int32).view(latents.shape), centroids)

    def dequantise(self, symbols: Tensor, parameters: Tensor) -> Tensor:
        self._check_symbols(symbols, parameters)
        return parameters.gather(1, symbols.flatten(1).long()).view(symbols.shape)


@dataclass(frozen=True)
class Round(Quantiser):
    """The nearest multiple of `step`; in training uniform noise of that width (Balle et al., ICLR 2017, section 2)."""

    name = "round"
    alphabet = None
    noisy = True

    step: float = 1.0

    def __post_init__(self):
        if not (is_number(self.step) and 2.0**-64 <= self.step <= 2.0**64):
            raise OptionError(f"quantiser round: expected a step above 0, not {self.step!r}")

    def quantise(self, latents: Tensor) -> Quantised:
        symbols = (self._check_latents(latents).double() / self.step).round()
        if symbols.numel() and symbols.abs().max() >= 2**31:
            raise ModelError(
                f"quantiser round: a latent of {self.step * symbols.abs().max():.3g} needs more than 32 bits at step "
                f"{self.step}"
            )
        return Quantised(symbols.to(torch.int32), no_parameters(latents))

    def dequantise(self, symbols: Tensor, parameters: Tensor) -> Tensor:
        self._check_symbols(symbols, parameters)
        return (symbols.double() * self.step).float()

    def perturb(self, latents: Tensor) -> Tensor:
        return latents + (torch.rand_like(latents) - 0.5) * self.step


@dataclass(frozen=True)
class Bits(Quantiser):
    """`bits` bits a latent: floor(f * 2^B + 0.5) for f from 0 to 1 over low … high, at most 2^B - 1 (S4).

    In training uniform noise as wide as a step, on latents that are cut off where the greatest symbol is.
    """

    name = "bits"
    noisy = True

    bits: int = 2
    low: float = 0.0
    high: float = 1.0

    def __post_init__(self):
        if not (type(self.bits) is int and 1 <= self.bits <= MOST_BITS):
            raise OptionError(f"quantiser bits: expected 1 to {MOST_BITS} bits, not {self.bits!r}")
        check_bounds(self)

    @property
    def alphabet(self) -> tuple[int, int]:
        return 0, (1 << self.bits) - 1

    @property
    def step(self) -> float:
        return (self.high - self.low) / (1 << self.bits)

    def quantise(self, latents: Tensor) -> Quantised:
        latents = self._check_latents(latents)
        symbols = ((latents - self.low) / self.step + 0.5).floor().clamp(*self.alphabet)
        return Quantised(symbols.to(torch.int32), no_parameters(latents))

    def dequantise(self, symbols: Tensor, parameters: Tensor) -> Tensor:
        self._check_symbols(symbols, parameters)
        return symbols * self.step + self.low

    def perturb(self, latents: Tensor) -> Tensor:
        return latents.clamp(self.low, self.high - self.step) + (torch.rand_like(latents) - 0.5) * self.step


QUANTISERS: dict[str, type[Quantiser]] = {kind.name: kind for kind in (NoQuantiser, Naive, Scale, KMeans, Round, Bits)}


def build(name: str, *, latent_range: tuple[float, float] | None = None, **options) -> Quantiser:
    """The quantiser of that name. latent_range: the model's bounds, which `naive` and `bits` cut into steps.

    Raises OptionError for an unknown name or option, listing the choices.
    """
    if name not in QUANTISERS:
        raise OptionError(f"there is no quantiser {name!r}; choose from {', '.join(QUANTISERS)}")
    kind = QUANTISERS[name]
    known = [field.name for field in dataclasses.fields(kind)]
    for option in options:
        if option not in known:
            raise OptionError(f"quantiser {name} has no option {option!r}; it has {', '.join(known) or 'none'}")
    if kind in (Naive, Bits) and latent_range is not None:
        options = {"low": float(latent_range[0]), "high": float(latent_range[1]), **options}
    return kind(**options)


def check_combination(checkpoint, quantiser: dict, entropy: dict) -> None:
    """Raises OptionError, with the reason, where a model, a quantiser and an entropy model cannot go together.

    checkpoint: its `model` says by `latent_range` and `rounded_latents` what its latents are, its `quantiser` and
    `entropy` say what it was trained with. quantiser, entropy: specs {"name": …}.
    """
    name, coder = quantiser.get("name"), entropy.get("name")
    model, family = checkpoint.model, checkpoint.name
    if name == "round" and not model.rounded_latents:
        raise OptionError(
            f"quantiser round needs a model trained with its noise, and {family} was not; choose naive, scale, kmeans "
            "or none"
        )
    bounds = quantiser.get("low"), quantiser.get("high")
    if (
        name in (Naive.name, Bits.name)
        and model.latent_range is None
        and bounds in ((None, None), (Naive.low, Naive.high))
    ):
        raise OptionError(
            f"quantiser {name} needs latents of known bounds, and those of {family} have none; choose scale"
        )
    if name == "none" and coder != "raw":
        raise OptionError(
            f"quantiser none keeps the bits of floats, in which entropy {coder} finds nothing; choose raw"
        )
    if name == "kmeans" and coder == "factorised":
        raise OptionError(
            "entropy factorised cannot code kmeans: a label means another value in each frame; choose adaptive or raw"
        )
    if coder == "hyperprior" and name != "round":
        raise OptionError(f"entropy hyperprior knows the spread of rounded latents; quantiser {name} gives others")
    given, learned = (build(**spec, latent_range=model.latent_range) for spec in (quantiser, checkpoint.quantiser))
    if coder in ("factorised", "hyperprior") and given != learned:
        raise OptionError(
            f"entropy {coder} was learned for quantiser {described(checkpoint.quantiser)}, and {described(quantiser)} "
            "has other symbols; "
            "choose adaptive"
        )


def described(spec: dict) -> str:
    """A spec as a person writes it: the name, and the options that are given."""
    return " ".join([str(spec.get("name")), *(f"{key}={value}" for key, value in spec.items() if key != "name")])


def check_bounds(quantiser) -> None:
    low, high = quantiser.low, quantiser.high
    if not (is_number(low) and is_number(high) and low < high):
        raise OptionError(f"quantiser {quantiser.name}: expected bounds low < high, not {low!r} and {high!r}")


def no_parameters(latents: Tensor) -> Tensor:
    return latents.new_zeros(len(latents), 0, dtype=torch.float32)


def halfway(centroids: Tensor) -> Tensor:
    """The cuts [T, K-1] between sorted centroids [T, K], halved first so that huge ones do not overflow."""
    return centroids[:, :-1] / 2 + centroids[:, 1:] / 2


def is_number(value) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and abs(value) < float("inf")
