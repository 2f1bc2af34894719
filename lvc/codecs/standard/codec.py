"""Groups coded by standard video codecs: one stream a group, closed, and frames that are the same on every machine."""

from collections.abc import Callable, Iterator, Sequence

import numpy as np

from lvc.codecs.calibration import FittedCodec, Point, runs_of
from lvc.codecs.checkpoint import Checkpoint
from lvc.codecs.codec import RESTORATION, CodedGroup, Fit, Settings, Traits, psnr_of_frames
from lvc.codecs.pictures import PictureGroupDecoder
from lvc.codecs.restoration import coding as restoration
from lvc.codecs.restoration.group import named, shipped
from lvc.codecs.standard.colour import planes_of
from lvc.codecs.standard.decoding import decoded_samples
from lvc.codecs.standard.encoding import LOSSLESS_STREAMS, encoder_of, lossless_payload
from lvc.codecs.standard.streams import STREAMS
from lvc.container.layout import Packet
from lvc.errors import FormatError, OptionError
from lvc.frames import pictures_digest

# Of encoders: the highest effort is six times as slow as the next, and its gain in quality at the same level is tried
# on short runs alone. Whole groups show a little less of it (0.05 to 0.5 dB of 0.5 to 1.1).
TRIED_EFFORT, KEPT_GAIN = 1, 0.8
CONSTANT = "constant"  # the quantiser's name where one level serves a whole file


class StandardCodec(FittedCodec):
    """Codes groups by an encoder that is at hand, and decodes them by FFmpeg's decoders.

    The quantiser's spec has the encoder's level, chosen for the whole file from its frames; a group for which there
    is none gets one of its own. It names the restoration too, where groups begin with such a head.
    """

    def __init__(self, checkpoint: Checkpoint, settings: Settings, traits: Traits):
        super().__init__(checkpoint, settings, traits)
        model = checkpoint.metadata.model
        self.quantiser_spec = {"name": CONSTANT} if settings.quantiser is None else settings.quantiser
        self.entropy_spec = {"name": model} if settings.entropy is None else settings.entropy
        if self.quantiser_spec["name"] != CONSTANT or self.entropy_spec["name"] != model:
            raise OptionError(f"{model} has a quantiser and an entropy coder of its own: name neither")
        self._lossless = traits.lossless
        level = self.quantiser_spec.get("level")
        if level is not None and not (type(level) is int and level >= 0):
            raise OptionError(f"a quantiser's level is a whole number from 0, not {level!r:.40}")
        self._basis = None
        if not self._lossless and "restoration" in self.quantiser_spec:
            self._basis = named(self.quantiser_spec["restoration"])
        elif not self._lossless and RESTORATION not in settings.without and settings.effort:
            self._basis = shipped()
            self.quantiser_spec = {**self.quantiser_spec, "restoration": self._basis.name}
        self.group_frame_bytes = 3 * settings.geometry.width * settings.geometry.height

    def encode_group(self, frames: np.ndarray) -> CodedGroup:
        payload = lossless_payload(frames) if self._lossless else self._lossy(frames)
        return CodedGroup((Packet(frame_count=len(frames), payload=payload),), self._digest(payload))

    def _lossy(self, frames: np.ndarray) -> bytes:
        encoder = encoder_of(self.checkpoint.metadata.model)
        level = self.level_of(frames)
        if level not in encoder.levels:
            raise OptionError(f"{encoder.name} has levels {encoder.levels[0]} to {encoder.levels[-1]}, not {level}")
        return self._coded(frames, level, self.settings.effort)

    def _coded(self, frames: np.ndarray, level: int, effort: int, *, restored: bool = True) -> bytes:
        """The payload of frames at a level and an effort; restored: whether to look for filters, if there are any."""
        encoder = encoder_of(self.checkpoint.metadata.model)
        stream = encoder.encode(frames, level, effort)
        if self._basis is None:
            return stream
        if not restored or not effort:  # the choice takes as long as coding at the lowest effort
            return restoration.NOTHING + stream
        head = restoration.head_of(
            self._basis,
            lambda: decoded_samples(STREAMS[self.checkpoint.metadata.model], stream, self.geometry),
            lambda number: planes_of(frames[number : number + 1])[0],
            strength=encoder.strength(level),
            stream_bytes=len(stream),
            effort=effort,
        )
        return head + stream

    @property
    def tried_levels(self) -> Sequence[int]:
        return encoder_of(self.checkpoint.metadata.model).grid

    @property
    def levels(self) -> range:
        return encoder_of(self.checkpoint.metadata.model).levels

    @property
    def has_level(self) -> bool:
        return self._lossless or super().has_level

    def trial(self, runs: Sequence[np.ndarray], level: int) -> Point:
        effort = min(self.settings.effort, TRIED_EFFORT)
        gained = encoder_of(self.checkpoint.metadata.model).gain if self.settings.effort > effort else 0.0
        return self._trial(runs, level, effort=effort, gained=gained, restored=False)

    def longer_trial(self, fit: Fit, runs: Sequence[np.ndarray]) -> Callable[[int], Point]:
        effort, gained = min(self.settings.effort, TRIED_EFFORT), 0.0
        if self.settings.effort > effort:
            few, level = runs_of(runs), fit.quantiser["level"]
            here, there = (
                self._trial(few, level, effort=one, restored=False) for one in (effort, self.settings.effort)
            )
            gained = KEPT_GAIN * (there.psnr - here.psnr)
        return lambda level: self._trial(runs, level, effort=effort, gained=gained)

    def _trial(
        self, runs: Sequence[np.ndarray], level: int, *, effort: int, gained: float = 0.0, restored: bool = True
    ) -> Point:
        """What runs of frames come to at a level and an effort. gained: dB by which another effort is better. restored:
        of runs as long as groups alone, as filters do not pay before."""
        payloads = [self._coded(run, level, effort, restored=restored) for run in runs]
        psnr = [
            psnr_of_frames(run, np.stack(list(self.frames_of_payload(payload)))) for run, payload in zip(runs, payloads)
        ]
        bytes_per_frame = sum(map(len, payloads)) / sum(map(len, runs))
        return Point(level, float(np.concatenate(psnr).mean()) + gained, bytes_per_frame)

    def quantiser_at(self, level: int) -> dict:
        quantiser = {"name": CONSTANT, "level": level, "encoder": encoder_of(self.checkpoint.metadata.model).name}
        if self._basis is not None:
            quantiser["restoration"] = self._basis.name
        return quantiser

    def _digest(self, payload: bytes) -> int:
        digest = 0
        for frame in self.frames_of_payload(payload):
            digest = pictures_digest(frame, digest)
        return digest

    def frames_of_payload(self, payload: bytes) -> Iterator[np.ndarray]:
        """Frames uint8 [H, W, 3] of a group's payload, each decoded when it is asked for; raises FormatError."""
        name = self.checkpoint.metadata.model
        if self._lossless:
            if not payload or payload[0] >= len(LOSSLESS_STREAMS):
                raise FormatError(
                    f"a lossless group begins with the number of its codec, below {len(LOSSLESS_STREAMS)}"
                )
            name, payload = LOSSLESS_STREAMS[payload[0]], payload[1:]
        restored = iter
        if self._basis is not None:
            restored, payload = restoration.parted(self._basis, payload, self.geometry)
        stream = STREAMS[name]
        samples = restored(decoded_samples(stream, payload, self.geometry))
        return (np.ascontiguousarray(stream.frame(planes)) for planes in samples)

    def open_group(self, packets: tuple[Packet, ...]) -> PictureGroupDecoder:
        count = self.frames_of(packets)
        if len(packets) != 1:
            raise FormatError(f"a group of {len(packets)} packets; a standard codec's has one")
        payload = packets[0].payload
        frames = self.frames_of_payload(payload)
        return PictureGroupDecoder(count, frames, geometry=self.geometry, state_bytes=len(payload))

    def frame_bits(self, packets: tuple[Packet, ...]) -> np.ndarray:
        """Bits of each frame: for AV1 and FFV1, whose frames are stored in the order in which they are shown, else
        evenly."""
        payload = packets[0].payload
        name = LOSSLESS_STREAMS[payload[0]] if self._lossless else self.checkpoint.metadata.model
        stream = STREAMS[name]
        if not stream.in_order:
            return super().frame_bits(packets)
        coded = payload[int(self._lossless) :]
        if self._basis is not None:
            coded = restoration.parted(self._basis, payload, self.geometry)[1]
        _, parts = stream.packets(coded)
        bits = np.array([8.0 * len(part) for part in parts])
        bits += (8 * len(payload) - bits.sum()) / len(bits)  # lengths and headers
        return bits
