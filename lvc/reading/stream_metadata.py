"""What header and index of a file say, under lvc's names and under torchcodec's."""

from dataclasses import dataclass
from fractions import Fraction


@dataclass(frozen=True)
class Metadata:
    """What the header and the index say, without decoding.

    Sizes in pixels, times in seconds, rates in frames or bits a second. The properties below are torchcodec's further
    names for what a stream says; all is exact here, so that what is said "from the header" and "from the content" is
    one.
    """

    num_frames: int
    width: int
    height: int
    time_base: Fraction
    begin_stream_seconds: float
    end_stream_seconds: float
    average_fps: float | None
    keyint: int
    model: dict
    quantiser: dict
    entropy: dict
    crf: int | None
    source: dict
    file_bytes: int

    codec = "lvc"
    media_type = "video"
    stream_index = 0
    pixel_format = "rgb24"
    # Not stored: frames are upright, in sRGB, and shown at the size that they have.
    pixel_aspect_ratio = rotation = color_primaries = color_space = color_transfer_characteristic = None

    @property
    def duration_seconds(self) -> float:
        """From the start of the first frame to the end of the last one."""
        return self.end_stream_seconds - self.begin_stream_seconds

    @property
    def bit_rate(self) -> float | None:
        """Bits a second of the whole file; None for a file without frames."""
        return 8 * self.file_bytes / self.duration_seconds if self.duration_seconds else None

    @property
    def duration_seconds_from_header(self) -> float:
        return self.duration_seconds

    @property
    def begin_stream_seconds_from_header(self) -> float:
        return self.begin_stream_seconds

    @property
    def begin_stream_seconds_from_content(self) -> float:
        return self.begin_stream_seconds

    @property
    def end_stream_seconds_from_content(self) -> float:
        return self.end_stream_seconds

    @property
    def num_frames_from_header(self) -> int:
        return self.num_frames

    @property
    def num_frames_from_content(self) -> int:
        return self.num_frames

    @property
    def average_fps_from_header(self) -> float | None:
        return self.average_fps
