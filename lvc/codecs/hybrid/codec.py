"""Groups coded by the hybrid block codec: one payload a group, decoded frame by frame, exact on every machine."""

import struct
from collections.abc import Callable, Sequence

import numpy as np

from lvc.codecs.calibration import FittedCodec, Point
from lvc.codecs.checkpoint import Checkpoint
from lvc.codecs.codec import CodedGroup, Fit, Settings, Traits, psnr_of_frames
from lvc.codecs.hybrid.kernels import Decoding, encode
from lvc.codecs.hybrid.statistics import FRESH, TRAINED, statistics_named
from lvc.codecs.hybrid.tools import EVERY_BIT, STATISTICS, mask_of
from lvc.codecs.pictures import PictureGroupDecoder
from lvc.container.layout import Packet
from lvc.errors import FormatError, OptionError
from lvc.frames import pictures_digest

MOST_KEPT = 64  # pictures between frames, where they are small
KEPT_BYTES = 1 << 27
STEP, HYBRID = "step", "hybrid"
LEVELS = range(97)  # quantiser indices, twelve to the octave of the step
TRIED = tuple(range(0, 97, 12))
HEADER = struct.Struct("<BBI")  # pictures kept, statistics, tools that are off
LONGER = 64  # frames of a longer trial, which is coded at effort 0


def pictures_kept(frames: int, height: int, width: int) -> int:
    """How many pictures a group's decoder keeps, 2 to MOST_KEPT: all of a short group, fewer of large ones."""
    return max(2, min(MOST_KEPT, frames, KEPT_BYTES // (6 * (height + 96) * (width + 96))))


class HybridCodec(FittedCodec):
    """Codes groups with whole numbers alone. The quantiser's spec has the index of its step, `level`.

    A payload begins with how many pictures are kept, which statistics it starts from, and which tools are off (a byte
    each, and four).
    """

    tried_levels, levels = TRIED, LEVELS

    def __init__(self, checkpoint: Checkpoint, settings: Settings, traits: Traits):
        super().__init__(checkpoint, settings, traits)
        self.quantiser_spec = {"name": STEP} if settings.quantiser is None else settings.quantiser
        self.entropy_spec = {"name": HYBRID} if settings.entropy is None else settings.entropy
        if self.quantiser_spec["name"] != STEP or self.entropy_spec["name"] != HYBRID:
            raise OptionError("hybrid has a quantiser and an entropy coder of its own: name neither")
        level = self.quantiser_spec.get("level")
        if level is not None and not (type(level) is int and level in LEVELS):
            raise OptionError(f"a hybrid quantiser has levels {LEVELS[0]} to {LEVELS[-1]}, not {level!r:.40}")
        self.without = mask_of(settings.without)
        self.statistics = FRESH if STATISTICS in settings.without else TRAINED
        self.group_frame_bytes = 3 * settings.geometry.width * settings.geometry.height

    def encode_group(self, frames: np.ndarray) -> CodedGroup:
        slots = pictures_kept(len(frames), *frames.shape[1:3])
        payload, shown, _ = encode(
            frames,
            slots=slots,
            effort=self.settings.effort,
            quantiser=self.level_of(frames),
            statistics=statistics_named(self.statistics),
            without=self.without,
        )
        digest = pictures_digest(shown)
        head = HEADER.pack(slots, self.statistics, self.without)
        packet = Packet(frame_count=len(frames), payload=head + payload)
        return CodedGroup((packet,), digest, pictures=shown)

    def trial(self, runs: Sequence[np.ndarray], level: int) -> Point:
        """At effort 0, whose quality at a level is within 0.2 dB of the others'."""
        psnr, size = [], 0
        for run in runs:
            slots = pictures_kept(len(run), *run.shape[1:3])
            payload, shown, _ = encode(
                np.ascontiguousarray(run),
                slots=slots,
                effort=0,
                quantiser=level,
                statistics=statistics_named(self.statistics),
                without=self.without,
            )
            psnr.append(psnr_of_frames(run, shown))
            size += len(payload)
        return Point(level, float(np.concatenate(psnr).mean()), size / sum(map(len, runs)))

    def longer_trial(self, fit: Fit, runs: Sequence[np.ndarray]) -> Callable[[int], Point]:
        del fit
        begun = [run[:LONGER] for run in runs]
        return lambda level: self.trial(begun, level)

    def open_group(self, packets: tuple[Packet, ...]) -> PictureGroupDecoder:
        count = self.frames_of(packets)
        if len(packets) != 1:
            raise FormatError(f"a group of {len(packets)} packets; the hybrid codec's has one")
        payload = packets[0].payload
        if len(payload) < HEADER.size:
            raise FormatError(f"a hybrid group begins with {HEADER.size} bytes, not {len(payload)}")
        slots, number, without = HEADER.unpack_from(payload)
        if without & ~EVERY_BIT:
            raise FormatError(f"a hybrid group without the tools {without:#x}: no such tools are known")
        height, width = self.geometry.height, self.geometry.width
        if not 2 <= slots <= pictures_kept(MOST_KEPT, height, width):
            most = pictures_kept(MOST_KEPT, height, width)
            raise FormatError(f"a hybrid group of {width}x{height} keeps 2 to {most} pictures, not {slots}")
        decoding = Decoding(payload[HEADER.size :], height, width, slots, without, statistics_named(number))
        pictures = (decoding.next_picture() for _ in range(count))
        return PictureGroupDecoder(count, pictures, geometry=self.geometry, state_bytes=decoding.nbytes)
