"""What the other rooms see of a codec family, and all that they may ask: its traits, and how it codes the frames of a
group.

    Family -> open -> GroupCodec -> encode_group -> CodedGroup: packets for a file, and their digest
                                 -> open_group -> GroupDecoder -> latents, pictures

A group is a keyframe and the frames that need it; it decodes alone. Frames are uint8 [T, H, W, 3] in RGB throughout.
"""

from abc import ABC, abstractmethod
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from types import ModuleType
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from lvc.codecs.checkpoint import Checkpoint
from lvc.codecs.crf import CRF_LEVELS, distortion_weight
from lvc.container.layout import Packet
from lvc.errors import FormatError, OptionError
from lvc.frames import Geometry, Latents
from lvc.native.pixel_grid import PixelGrid

if TYPE_CHECKING:
    import torch

    from lvc.codecs.learning.trainer import Trainer

MAX_GROUP_BYTES = 1 << 29  # that the decoded frames of a group may take in memory
SYMBOLS, PICTURES = "symbols", "pictures"
RESTORATION = "restoration"  # a tool that every lossy family may have, or not
NO_RESTORATION = frozenset({RESTORATION})


def tools_off(restoration: bool, without: Collection[str]) -> frozenset[str]:
    """The tools to leave out, as two options say it."""
    return frozenset(without) if restoration else frozenset(without) | NO_RESTORATION


@dataclass(frozen=True, kw_only=True)
class Traits:
    """What the other rooms know of a family, or of one of its models, without knowing which it is.

    variable_rate: coded at a crf, 0 (best) to 63. predicts: frames need those of their group before them, so a group
    should end with its scene.
    needs_torch: coding loads torch. takes_native: codes a game's own pixels, with a grid by which they are shown.
    any_size: frames of every size are coded alike; otherwise those of the weights' size best, or alone.
    side_by_side: groups are coded in several threads at once; otherwise one group uses all cores.
    lossless: frames come back as they were. digest_of: SYMBOLS or PICTURES, what a group's digest is made of.
    no_latents: why there are no integer latents to hand out; empty where there are.
    renders_latents: pictures are made of a frame's latents alone, by `GroupCodec.render`; otherwise only a group's
    decoder has them.
    efforts: how hard the encoder may look, and usual_effort: if not told; no efforts where there is no choice.
    fitted: frames of the recording choose the quantiser, see `GroupCodec.fitted`. usual_keyint: frames of a group, if
    not told. finds_scenes: the encoder finds cuts between scenes by itself, and groups need not end there.
    tools: names of what an encoder can do without, beside restoration.
    """

    variable_rate: bool = False
    predicts: bool = False
    needs_torch: bool = False
    takes_native: bool = False
    any_size: bool = False
    side_by_side: bool = False
    lossless: bool = False
    digest_of: str = SYMBOLS
    no_latents: str = ""
    renders_latents: bool = True
    efforts: range = range(0)
    usual_effort: int = 0
    usual_keyint: int = 64
    fitted: bool = False
    finds_scenes: bool = False
    tools: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Settings:
    """How frames are to be coded, as `family.open_codec` has checked it.

    geometry: of the frames that are shown. quantiser, entropy: specs, or None for the weights' own. crf: 0 to 63, None
    where there is one rate.
    without: tools that the encoder leaves out, of the traits' tools; with RESTORATION decoded frames are not restored,
    unless the quantiser's spec says it.
    effort: of the traits' efforts. device: name of torch's, "cpu" or "cuda:0". grid: how a game's own pixels, which are
    coded then, are shown.
    """

    geometry: Geometry
    quantiser: dict | None = None
    entropy: dict | None = None
    crf: int | None = None
    effort: int = 0
    device: str = "cpu"
    grid: PixelGrid | None = None
    without: frozenset[str] = NO_RESTORATION

    @property
    def coded_geometry(self) -> Geometry:
        """Size of the frames that are coded."""
        return self.geometry if self.grid is None else self.grid.native


@dataclass(frozen=True)
class CodedGroup:
    """A group as a file holds it, with what the encoder knows of it.

    latents: of its frames, and pictures: uint8 [T, H, W, 3] as they decode; None where the encoder does not have them.
    """

    packets: tuple[Packet, ...]
    digest: int
    latents: Latents | None = None
    pictures: np.ndarray | None = None

    @property
    def payload_bytes(self) -> int:
        return sum(len(packet.payload) for packet in self.packets)


@dataclass(frozen=True)
class Fit:
    """What a codec comes to on some frames of a recording: mean PSNR in dB over frames, payload bytes a frame, and the
    quantiser's spec that gives it, where that is chosen by the frames; else None.

    slope: dB that one level of that quantiser takes, where there is one."""

    frames: int
    psnr: float
    bytes_per_frame: float
    quantiser: dict | None = None
    slope: float = 0.0


BEST_KNOWN_PSNR = (
    60.0  # dB that a frame counts as at most, where codecs are compared: one that comes back exactly has none
)


def psnr_of_frames(frames: np.ndarray, decoded: np.ndarray) -> np.ndarray:
    """PSNR in dB of each frame, at most BEST_KNOWN_PSNR, float64 [T]. Both uint8 [T, H, W, 3]."""
    error = np.square(frames.astype(np.int16) - decoded, dtype=np.int32).mean(axis=(1, 2, 3))
    return np.minimum(10 * np.log10(255**2 / np.maximum(error, 1e-9)), BEST_KNOWN_PSNR)


class GroupDecoder(ABC):
    """Decodes the frames of a group of packets in order, and goes on from where it is when more of them are asked for.

    frame_count: frames in the group. Raises FormatError for impossible payloads; after an error it is of no further
    use.
    """

    frame_count: int

    @property
    @abstractmethod
    def decoded(self) -> int:
        """How many frames are decoded."""

    @property
    @abstractmethod
    def digest(self) -> int:
        """CRC-32 of what the traits' digest_of says, of the frames that are decoded."""

    @property
    @abstractmethod
    def nbytes(self) -> int:
        """Memory that it holds on to, about."""

    @abstractmethod
    def advance(self, stop: int) -> None:
        """Decodes until `stop` frames are there, or leaves them where they are already."""

    def pack(self) -> None:  # noqa: B027  most have nothing to make small
        """Makes what is kept small, where all frames are decoded: asked of groups that stay in a cache."""

    def latents(self, places) -> Latents:
        """Latents of the frames at these places of the group: a slice, or whole numbers below `decoded`;
        where the traits' no_latents is empty.
        """
        raise NotImplementedError

    @abstractmethod
    def pictures(self, places) -> "np.ndarray | torch.Tensor":
        """Frames uint8 [N, H, W, 3] at these places of the group: a slice, or whole numbers below `decoded`."""


class GroupCodec(ABC):
    """Codes and decodes groups of frames of one geometry, with one checkpoint, at one quality. Threads may share it.

    quantiser_spec, entropy_spec: what the header says, JSON objects with a name. group_frame_bytes: memory that a
    decoded frame of a group takes. latent_shape, parameter_count: of one frame's latents, where there are any.
    """

    latent_shape: tuple[int, ...] = ()
    parameter_count: int = 0
    quantiser_spec: dict
    entropy_spec: dict
    group_frame_bytes: int

    def __init__(self, checkpoint: Checkpoint, settings: Settings, traits: Traits):
        self.checkpoint, self.settings, self.traits = checkpoint, settings, traits

    @property
    def geometry(self) -> Geometry:
        """Size of the frames that are shown."""
        return self.settings.geometry

    @property
    def grid(self) -> PixelGrid | None:
        return self.settings.grid

    @property
    def crf(self) -> int | None:
        return self.settings.crf

    @property
    def device(self) -> str:
        return self.settings.device

    @abstractmethod
    def encode_group(self, frames: np.ndarray) -> CodedGroup:
        """Codes the frames of one group, uint8 [T, H, W, 3] of `settings.coded_geometry`."""

    def fitted(self, runs: Sequence[tuple[np.ndarray, np.ndarray]]) -> Fit:
        """Tries the codec on runs of a recording's frames, and chooses by them what it chooses by frames.

        runs: of each the frames that are coded and those that are shown, uint8 [T, H, W, 3]; the same twice without a
        grid.
        """
        psnr, size = [], 0
        for coded_frames, shown in runs:
            coded = self.encode_group(coded_frames)
            psnr.append(psnr_of_frames(shown, self.decoded_pictures(coded)))
            size += coded.payload_bytes
        psnr = np.concatenate(psnr)
        return Fit(len(psnr), float(psnr.mean()), size / len(psnr))

    def settled(self, fit: Fit, runs: Sequence[np.ndarray]) -> Fit:
        """The fit corrected on longer runs of frames uint8 [T, H, W, 3], for families that choose a quantiser by
        frames: asked of the one that was taken, as it costs about what coding these frames costs.
        """
        del runs
        return fit

    @abstractmethod
    def open_group(self, packets: tuple[Packet, ...]) -> GroupDecoder:
        """The decoder of a group's packets; raises FormatError where they have too many frames,
        before anything is decoded.
        """

    def render(self, latents: Latents) -> "np.ndarray | torch.Tensor":
        """Frames uint8 [T, H, W, 3] of latents, of networks on their device;
        for families whose traits say renders_latents.
        """
        raise NotImplementedError

    def frame_bits(self, packets: tuple[Packet, ...]) -> np.ndarray:
        """Bits that each frame of a group costs, float64 [frames], where frames share a packet: here evenly."""
        return np.concatenate(
            [np.full(packet.frame_count, 8 * len(packet.payload) / packet.frame_count) for packet in packets]
        )

    @property
    def distortion_weight(self) -> float:
        """Bits a frame that one unit of mean squared error (of 255 levels) is worth at this quality,
        by which models are compared.
        """
        return distortion_weight(0 if self.crf is None else self.crf)

    def decoded_pictures(self, coded: CodedGroup, places=slice(None)) -> np.ndarray:
        """Frames uint8 [N, H, W, 3] of a group that was coded just now, as they decode."""
        if coded.pictures is not None:
            return coded.pictures[places]
        if coded.latents is not None and self.traits.renders_latents:
            latents = coded.latents
            return as_numpy(self.render(Latents(latents.symbols[places], latents.parameters[places])))
        decoder = self.open_group(coded.packets)
        decoder.advance(decoder.frame_count)
        return as_numpy(decoder.pictures(places))

    def check_group_frames(self, frames: int) -> None:
        """Raises OptionError for a group of so many frames that they would fill the memory."""
        if frames > self.most_group_frames:
            raise OptionError(
                f"groups of {frames} frames of {self.geometry}: {self.most_group_frames} with this model at most; "
                "choose a smaller keyint"
            )

    @property
    def most_group_frames(self) -> int:
        return max(1, MAX_GROUP_BYTES // self.group_frame_bytes)

    def frames_of(self, packets: tuple[Packet, ...]) -> int:
        """How many frames a group of packets has; FormatError where they are too many, before one is decoded."""
        frames = sum(packet.frame_count for packet in packets)
        try:
            self.check_group_frames(frames)
        except OptionError as error:
            raise FormatError(str(error)) from error
        return frames

    def packet_runs(self, count: int) -> list[int]:
        """How many frames each packet of a group of `count` holds: with prediction the keyframe, then all the others
        in one stream, because a stream of its own costs a frame 3 bytes of 50."""
        if not self.traits.predicts:
            return [1] * count
        return [size for size in (min(count, 1), count - 1) if size > 0]


def as_numpy(pictures: "np.ndarray | torch.Tensor") -> np.ndarray:
    return pictures if isinstance(pictures, np.ndarray) else pictures.cpu().numpy()


@dataclass(frozen=True)
class ModelKind:
    """Where one of a family's models lies: a module, the class of such models and of their options,
    and the name's own defaults.
    """

    module: str
    model: str
    config: str
    defaults: Mapping = field(default_factory=dict)


class Family(ABC):
    """One way to code frames. Its module is imported when it is first asked for, and loads no more than its traits
    need.

    traits: of all its models, where `traits_of` does not know better. models: by the names that weights files have for
    them.
    trained: whether there is a trainer.
    """

    traits: ClassVar[Traits]
    models: ClassVar[Mapping[str, ModelKind]] = {}
    trained: ClassVar[bool] = False

    def traits_of(self, checkpoint: Checkpoint) -> Traits:
        """The traits of a codec with these weights, at their own settings."""
        return self.traits

    def levels(self, checkpoint: Checkpoint) -> range:
        """What a search for a target goes through, the best quality first."""
        return range(CRF_LEVELS)

    def at_level(self, checkpoint: Checkpoint, level: int) -> dict:
        """The options of `open_codec` that a level means."""
        return {"crf": level}

    def serves(self, model: str, effort: int | None) -> bool:
        """True if a model without weights is tried where nobody has named one: its encoder is at hand, and fast enough
        for the effort.
        """
        return True

    def note(self, model: str) -> str:
        """What a person should know who gets this model without having named it; empty for nothing."""
        return ""

    @abstractmethod
    def open(self, checkpoint: Checkpoint, settings: Settings) -> GroupCodec:
        """The codec for these weights; raises OptionError for what cannot go together,
        ModelError for weights that cannot code.
        """

    def tensors(self) -> ModuleType:
        """What keeps the weights of such models in files: `in_numpy` or `in_torch`,
        or a module with the same functions.
        """
        raise NotImplementedError

    def trainer(self) -> "Trainer":
        """How such models are trained, where they are."""
        raise NotImplementedError

    def without_weights(self, model: str) -> Checkpoint:
        """What stands for the weights of a family that has none, with NO_WEIGHTS for their digest."""
        raise NotImplementedError
