"""What a training of a single-frame network changes, and one step of it.

Every step draws its randomness from (seed, step) and every epoch its order from (seed, epoch), so that nothing but the
weights, the optimiser and the numbers in `Position` carries over, and a resumed run gives the curve of an unbroken one.

Memory is 16 bytes a parameter, for weights, gradients and Adam's two moments: 3.1 GB for fc-vanilla and 13.3 GB for
fc-multilayer at S1's sizes. Their blocks could be trained a few at a time, as S1 did, but then one run is several with
curves, ends and best weights of their own, each reading all frames again; where memory is short, `code` and `hidden`
make smaller models.
"""

import dataclasses
import math
from collections.abc import Callable, Iterator
from dataclasses import asdict
from functools import cached_property
from pathlib import Path

import torch
from torch import Tensor

from lvc.codecs.learning.clips import Frames, spread
from lvc.codecs.learning.inputs import to_input
from lvc.codecs.learning.optimising import adam, fast_bfloat16, moments_of, restore_moments
from lvc.codecs.learning.progress import Position, Validation, as_json
from lvc.codecs.learning.seeding import seeded
from lvc.codecs.learning.team import ALONE, Team
from lvc.codecs.learning.trainer import WeightsFiles
from lvc.codecs.networks.model import Model, contexts
from lvc.codecs.networks.training.adversary import Adversary
from lvc.codecs.networks.training.adversary import step as adversary_step
from lvc.codecs.networks.training.loss import ChannelDensity, training_loss
from lvc.codecs.networks.training.options import TrainingOptions
from lvc.codecs.neural.quantize import Quantiser, Round
from lvc.errors import ModelError, OptionError

INITIAL_FRAMES = 128  # what a model may look at before its first step
DENSITY_FRAMES = 16  # of them, that the density of a hyperprior's side information starts from
FREE_ON_RESUME = ("epochs", "steps", "patience", "limit_seconds")
DENSITY_LR = 10.0  # times the model's: three numbers a channel have far to go, and nothing to spoil


class Run:
    """All that a run changes, or needs at each step; nothing of it lives in the module.

    team: the processes that each train on a part of every batch.
    density: of rounded latents, or of the side information where there is some, if a rate is trained, else None; then
    symbol_step, the distance between symbols, is not set either.
    """

    def __init__(
        self, model: Model, quantiser: Quantiser, options: TrainingOptions, *, device: torch.device, team: Team = ALONE
    ):
        self.model, self.quantiser, self.options, self.device, self.team = (
            model.to(device),
            quantiser,
            options,
            device,
            team,
        )
        self.distortion = options.distortion or model.distortion
        self.density = None
        if isinstance(quantiser, Round) and options.rate_weight > 0:
            channels = contexts(model.latent_shape()) if model.hyper is None else model.hyper.channels
            self.density = ChannelDensity(channels).to(device)
            self.symbol_step = quantiser.step
        groups = [{"params": list(model.parameters()), "factor": 1.0}]
        if self.density is not None:
            groups.append({"params": list(self.density.parameters()), "factor": DENSITY_LR})
        self.optimiser = adam(groups, lr=options.lr)
        self.adversary = self.adversary_optimiser = None
        if options.adversarial > 0:
            with seeded(options.seed, -1, device):
                self.adversary = Adversary().to(device)
            self.adversary_optimiser = adam(self.adversary.parameters(), lr=options.lr)
        self.autocast = options.precision == "bfloat16" or (
            options.precision == "auto" and fast_bfloat16(model, device)
        )
        self.position = Position()

    def initialise(self, source: Frames) -> None:
        frames = source.frames(spread(len(source), INITIAL_FRAMES))
        x = to_input(frames, self.device)
        with seeded(self.options.seed, -1, self.device), torch.no_grad():
            self.model.initialise(x)
            if self.density is not None and self.model.hyper is not None:
                symbols = self.model.analyse(x[:: max(1, len(x) // DENSITY_FRAMES)]) / self.symbol_step
                self.density.initialise(self.model.hyper.side(symbols))

    # Made at the first step, when the weights are those that the run begins or goes on with.

    @cached_property
    def shared_objective(self) -> Callable:
        return self.team.over(self.objective, self.model, *filter(None, [self.density]))

    @cached_property
    def shared_adversary_loss(self) -> Callable:
        return self.team.over(self.adversary.loss, self.adversary)

    def step(self, target: Tensor, learning_rate: float, *, rounding: bool) -> dict[str, float]:
        """One step of Adam on frames [T, 3, H, W] in 0..1; gives the terms of the loss, of all processes' frames."""
        self.model.train()
        for group in self.optimiser.param_groups:
            group["lr"] = learning_rate * group["factor"]
        with seeded(self.options.seed, self.position.step, self.device, self.team.rank):
            terms, frames = self.shared_objective(target, rounding)
            self.optimiser.zero_grad(set_to_none=True)
            terms["loss"].backward()
        figures = self.team.mean({name: term.item() for name, term in terms.items()})
        if not math.isfinite(figures["loss"]):
            raise ModelError(
                f"training has failed at step {self.position.step + 1}: the loss is {figures['loss']}; try a lower "
                "learning rate"
            )
        if self.options.clip is not None:
            torch.nn.utils.clip_grad_norm_(
                (part for group in self.optimiser.param_groups for part in group["params"]), self.options.clip
            )
        self.optimiser.step()
        if self.adversary is not None:
            self.adversary_optimiser.param_groups[0]["lr"] = learning_rate
            loss = adversary_step(self.shared_adversary_loss, self.adversary_optimiser, frames, target)
            figures |= self.team.mean({"adversary": loss})
        return figures

    def objective(self, target: Tensor, rounding: bool) -> tuple[dict[str, Tensor], Tensor]:
        """The terms of the loss, and the decoded frames."""
        seen: list[Tensor] = []

        def perturb(latents: Tensor) -> Tensor:
            seen.append(self.quantiser.perturb(latents.float()))
            return self.rounded(latents) if rounding else seen[-1]

        source = noisy(target, self.options.input_noise) if self.options.input_noise > 0 else target
        with torch.autocast(self.device.type, torch.bfloat16, enabled=self.autocast):
            result = self.model(source, perturb)
        extra = dict(result.extra_loss)
        if self.adversary is not None:
            extra["adversarial"] = self.options.adversarial * self.adversary.fooled(result.frames)
        bits = None if self.density is None else self.bits(seen[0] / self.symbol_step)
        terms = training_loss(
            result.frames,
            target,
            distortion=self.distortion,
            bits=bits,
            rate_weight=self.options.rate_weight,
            extra=extra,
        )
        return terms, result.frames

    def bits(self, symbols: Tensor) -> Tensor:
        """Estimated bits of each frame [T] for symbols [T, …], with noise or whole."""
        if self.model.hyper is None:
            return self.density.bits(symbols)
        bits, side = self.model.hyper.rate(symbols)
        return bits + self.density.bits(side)

    def rounded(self, latents: Tensor) -> Tensor:
        """What decoding will see of the latents, with their gradient passed through."""
        latents = latents.float()
        with torch.no_grad():
            quantised = self.quantiser.quantise(latents.detach())
            error = self.quantiser.dequantise(quantised.symbols, quantised.parameters) - latents
        return latents + error

    def score(self, figures: Validation) -> float:
        """Higher is better: PSNR, or where a rate is trained minus the loss by validation's distortion and bits."""
        if self.density is None:
            return math.inf if figures.psnr is None else figures.psnr
        pixels = self.model.geometry.width * self.model.geometry.height
        return -(figures.distortion + self.options.rate_weight * figures.bits / pixels)

    def state(self) -> dict[str, Tensor]:
        """The tensors beside the model's that `restore` needs, by name."""
        state = moments_of(self.optimiser, "optimiser")
        if self.adversary is not None:
            state |= moments_of(self.adversary_optimiser, "adversary_optimiser")
            state |= {f"adversary.{name}": tensor for name, tensor in self.adversary.state_dict().items()}
        if self.density is not None:
            state |= {f"density.{name}": tensor for name, tensor in self.density.state_dict().items()}
        return state

    def restore(self, path: Path, files: WeightsFiles) -> None:
        """Puts model, optimiser, density and position where they were;
        raises ModelError or OptionError for another run's file.
        """
        checkpoint = files.load_file(path)
        kept, metadata = checkpoint.metadata.training, checkpoint.metadata
        if (metadata.model, metadata.config) != (self.model.name, as_json(asdict(self.model.config))):
            raise OptionError(f"{path}: is of another model than asked for: {metadata.model} {metadata.config}")
        processes = ("processes", kept.get("processes", 1), self.team.count)
        for what, stored, asked in (
            ("quantiser", metadata.quantiser, self.quantiser.spec()),
            processes,
            *self.compared(kept.get("options")),
        ):
            if stored != asked:
                raise OptionError(
                    f"{path}: was trained with {what} {stored}, not {asked}; a run goes on with its own options, or "
                    "starts again without --resume"
                )
        tensors = files.load_state(path)
        try:
            self.position = Position(**kept["position"])
            self.model.load_state_dict(checkpoint.model.state_dict())
            if self.density is not None:
                self.density.load_state_dict(
                    {
                        name.removeprefix("density."): tensor
                        for name, tensor in tensors.items()
                        if name.startswith("density.")
                    }
                )
            restore_moments(self.optimiser, "optimiser", tensors)
            if self.adversary is not None:
                self.adversary.load_state_dict(
                    {
                        name.removeprefix("adversary."): tensor
                        for name, tensor in tensors.items()
                        if name.startswith("adversary.")
                    }
                )
                restore_moments(self.adversary_optimiser, "adversary_optimiser", tensors)
        except (KeyError, TypeError, ValueError, RuntimeError) as error:
            raise ModelError(
                f"{path}: holds no state of training to go on from; {type(error).__name__}: {error}"
            ) from error

    def compared(self, stored: dict | None) -> Iterator[tuple[str, object, object]]:
        stored = stored if isinstance(stored, dict) else {}
        for part in dataclasses.fields(self.options):
            if part.name not in FREE_ON_RESUME:
                # Runs of an earlier lvc do not tell of options that there were not.
                yield part.name, stored.get(part.name, part.default), getattr(self.options, part.name)


def noisy(frames: Tensor, deviation: float) -> Tensor:
    """Frames [T, 3, H, W] in 0..1 with normal noise of that deviation, cut off at 0 and 1 as pixels are;
    grey ones stay grey.
    """
    grey = bool((frames == frames[:, :1]).all())
    return (frames + deviation * torch.randn_like(frames[:, :1] if grey else frames)).clamp(0, 1)
