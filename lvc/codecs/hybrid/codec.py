"""Groups coded by the hybrid block codec: one payload a group, decoded frame by frame, exact on every machine."""

import numpy as np

from lvc.codecs.checkpoint import Checkpoint
from lvc.codecs.codec import CodedGroup, GroupCodec, Settings, Traits
from lvc.codecs.crf import psnr_of_crf
from lvc.codecs.hybrid.kernels import Decoding, encode
from lvc.codecs.pictures import PictureGroupDecoder
from lvc.container.layout import Packet
from lvc.errors import FormatError, OptionError
from lvc.frames import pictures_digest

MOST_KEPT = 64  # pictures between frames, where they are small
KEPT_BYTES = 1 << 27
STEP, HYBRID = "step", "hybrid"
HIGHEST_INDEX = 96
TRIAL_FRAMES = 6
DB_PER_INDEX = 0.36  # that a quantiser index is worth, about


def pictures_kept(frames: int, height: int, width: int) -> int:
    """How many pictures a group's decoder keeps, 2 to MOST_KEPT: all of a short group, fewer of large ones."""
    return max(2, min(MOST_KEPT, frames, KEPT_BYTES // (6 * (height + 96) * (width + 96))))


class HybridCodec(GroupCodec):
    """Codes groups with whole numbers alone.

    A payload begins with how many pictures are kept and which tools are off (one byte, two bytes).
    """

    def __init__(self, checkpoint: Checkpoint, settings: Settings, traits: Traits):
        super().__init__(checkpoint, settings, traits)
        self.quantiser_spec = {"name": STEP} if settings.quantiser is None else settings.quantiser
        self.entropy_spec = {"name": HYBRID} if settings.entropy is None else settings.entropy
        if self.quantiser_spec["name"] != STEP or self.entropy_spec["name"] != HYBRID:
            raise OptionError("hybrid has a quantiser and an entropy coder of its own: name neither")
        self.group_frame_bytes = 3 * settings.geometry.width * settings.geometry.height

    def encode_group(self, frames: np.ndarray) -> CodedGroup:
        slots = pictures_kept(len(frames), *frames.shape[1:3])
        payload, shown, _ = encode(
            frames, slots=slots, effort=self.settings.effort, quantiser=self.quantiser_of(frames)
        )
        digest = pictures_digest(shown)
        return CodedGroup(
            (Packet(frame_count=len(frames), payload=bytes([slots, 0, 0]) + payload),), digest, pictures=shown
        )

    def quantiser_of(self, frames: np.ndarray) -> int:
        """The index whose pictures have about the PSNR that crf means, by trials on a few of the group's frames."""
        start = max(0, (len(frames) - TRIAL_FRAMES) // 2)
        few, wanted = np.ascontiguousarray(frames[start : start + TRIAL_FRAMES]), psnr_of_crf(self.crf)
        index = round((60.0 - wanted) / DB_PER_INDEX)
        for _ in range(2):
            index = min(HIGHEST_INDEX, max(0, index))
            _, shown, _ = encode(few, slots=max(2, len(few)), effort=0, quantiser=index)
            error = ((shown.astype(np.float64) - few) ** 2).mean(axis=(1, 2, 3))
            psnr = float(np.mean(10 * np.log10(255**2 / np.maximum(error, 255**2 / 1e6))))
            index += round((min(psnr, 60.0) - wanted) / DB_PER_INDEX)
        return min(HIGHEST_INDEX, max(0, index))

    def open_group(self, packets: tuple[Packet, ...]) -> PictureGroupDecoder:
        count = self.frames_of(packets)
        if len(packets) != 1:
            raise FormatError(f"a group of {len(packets)} packets; the hybrid codec's has one")
        payload = packets[0].payload
        if len(payload) < 3:
            raise FormatError(f"a hybrid group begins with 3 bytes, not {len(payload)}")
        slots, without = payload[0], int.from_bytes(payload[1:3], "little")
        height, width = self.geometry.height, self.geometry.width
        if not 2 <= slots <= pictures_kept(MOST_KEPT, height, width):
            most = pictures_kept(MOST_KEPT, height, width)
            raise FormatError(f"a hybrid group of {width}x{height} keeps 2 to {most} pictures, not {slots}")
        decoding = Decoding(payload[3:], height, width, slots, without)
        pictures = (decoding.next_picture() for _ in range(count))
        return PictureGroupDecoder(count, pictures, geometry=self.geometry, state_bytes=decoding.nbytes)
