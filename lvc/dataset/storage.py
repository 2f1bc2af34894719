"""One file of losslessly compressed frames for each recording, read at random without decoding video.

    magic        8 bytes "LVCFRAM1"
    blobs        zlib streams of uint8 [3, H, W]
    frame index  for each frame: offset u64, length u32, against_still u8, pts i64
    still index  for each run of 16 frames: offset u64, length u32, 0 where no frame needs the still
    header       UTF-8 JSON: width, height, time_base, and what the builder wants to remember
    trailer      index offset u64, frame count u32, header length u32, CRC-32 of indices and header u32, magic again

All little-endian. Each run of 16 frames has a still, the median of some of its frames: the background of a
game. A frame is stored as it is or as the difference from its still, modulo 256, whichever is smaller; a still that
saves less than it costs is left out.
Measured at 200x160 on Ms. Pac-Man: 4.6 kB a frame (96 kB raw, 12.1 kB as PNG, 11.5 kB as plain zlib) at 4,000
frames a second read at random, twice as fast as PNG; chains of differences are no smaller and ten times slower.
"""

import json
import os
import struct
import zlib
from fractions import Fraction
from pathlib import Path
from typing import BinaryIO

import numpy as np

from lvc.errors import InputError
from lvc.frames import FrameBatch, Geometry

MAGIC = b"LVCFRAM1"
RUN = 16  # frames that share a still; more of them make the still a worse guess, fewer make it cost more
STILL_SAMPLES = 9  # frames of a run that the median is taken of: odd, so that the median is a pixel that was seen
LEVEL = 6  # of zlib
MAX_HEADER_BYTES = 1 << 20

FRAME_INDEX = np.dtype([("offset", "<u8"), ("length", "<u4"), ("against_still", "u1"), ("pts", "<i8")])
STILL_INDEX = np.dtype([("offset", "<u8"), ("length", "<u4")])
TRAILER = struct.Struct("<QIII8s")


class FrameFileWriter:
    """Appends batches of frames to a file object, and the index with `finish()`."""

    def __init__(self, file: BinaryIO):
        self.file = file
        self.offset = file.write(MAGIC)
        self.pending: list[np.ndarray] = []
        self.pts: list[int] = []
        self.frames: list[tuple[int, int, bool]] = []
        self.stills: list[tuple[int, int]] = []

    def write(self, batch: FrameBatch) -> None:
        self.pts.extend(batch.pts)
        for frame in batch.data:
            # Whose planes zlib packs in fewer bytes
            self.pending.append(np.ascontiguousarray(frame.transpose(2, 0, 1)))
            if len(self.pending) == RUN:
                self.flush()

    def flush(self) -> None:
        if not self.pending:
            return
        still = still_of(np.stack(self.pending))
        packed_still = zlib.compress(still.tobytes(), LEVEL)
        plain = [zlib.compress(frame.tobytes(), LEVEL) for frame in self.pending]
        differences = [zlib.compress((frame - still).tobytes(), LEVEL) for frame in self.pending]
        saved = sum(max(0, len(whole) - len(difference)) for whole, difference in zip(plain, differences))
        pays = saved > len(packed_still)
        self.stills.append(self.append(packed_still) if pays else (self.offset, 0))
        for whole, difference in zip(plain, differences):
            against_still = pays and len(difference) < len(whole)
            self.frames.append((*self.append(difference if against_still else whole), against_still))
        self.pending = []

    def append(self, blob: bytes) -> tuple[int, int]:
        offset = self.offset
        self.offset += self.file.write(blob)
        return offset, len(blob)

    def finish(self, header: dict) -> None:
        """Writes the index and `header`, a JSON object that must hold width, height and time_base."""
        self.flush()
        frames = np.zeros(len(self.frames), FRAME_INDEX)
        for number, (entry, pts) in enumerate(zip(self.frames, self.pts)):
            frames[number] = (*entry, pts)
        stills = np.array(self.stills, STILL_INDEX)
        text = json.dumps(header).encode()
        index = frames.tobytes() + stills.tobytes() + text
        self.file.write(index)
        self.file.write(TRAILER.pack(self.offset, len(frames), len(text), zlib.crc32(index), MAGIC))


def still_of(frames: np.ndarray) -> np.ndarray:
    """The median over time of at most 9 of the frames, uint8 [T, 3, H, W] to uint8 [3, H, W]."""
    count = min(len(frames), STILL_SAMPLES)
    count -= 1 - count % 2
    chosen = frames[np.linspace(0, len(frames) - 1, count).astype(int)]
    return np.partition(chosen, count // 2, axis=0)[count // 2]


class FrameFile:
    """Reads single frames of a frame file.

    header: the JSON object. geometry, time_base, pts (int64 [T]). The file stays open until `close()` or the
    end of the object; reading is by position, so that threads and forked processes may share it.
    Raises InputError for a file that is missing, damaged or no frame file.
    """

    def __init__(self, path: Path):
        self.path = Path(path)
        try:
            self.file = open(self.path, "rb")  # noqa: SIM115  closed with the object: it is held open for reading
            size = os.fstat(self.file.fileno()).st_size
            self.load_index(size)
        except OSError as error:
            raise InputError(f"{self.path}: {error.strerror or error}") from error

    def load_index(self, size: int) -> None:
        if size < len(MAGIC) + TRAILER.size or self.pread(len(MAGIC), 0) != MAGIC:
            raise InputError(f"{self.path}: is no frame file of a data set")
        trailer = TRAILER.unpack(self.pread(TRAILER.size, size - TRAILER.size))
        index_offset, count, header_length, checksum, magic = trailer
        runs = -(-count // RUN)
        index_length = count * FRAME_INDEX.itemsize + runs * STILL_INDEX.itemsize + header_length
        if (
            magic != MAGIC
            or header_length > MAX_HEADER_BYTES
            or index_offset + index_length + TRAILER.size != size
            or zlib.crc32(index := self.pread(index_length, index_offset)) != checksum
        ):
            raise InputError(f"{self.path}: is damaged: its index does not fit; build the data set again")
        self.frame_index = np.frombuffer(index, FRAME_INDEX, count)
        self.still_index = np.frombuffer(index, STILL_INDEX, runs, count * FRAME_INDEX.itemsize)
        for entries in (self.frame_index, self.still_index):
            if np.any(entries["offset"] > index_offset) or np.any(entries["length"] > index_offset - entries["offset"]):
                raise InputError(f"{self.path}: is damaged: its index points outside the file")
        try:
            self.header = json.loads(index[index_length - header_length :])
            self.geometry = Geometry(width=self.header["width"], height=self.header["height"])
            self.time_base = Fraction(self.header["time_base"])
        except (ValueError, KeyError, TypeError, ZeroDivisionError) as error:
            raise InputError(f"{self.path}: is damaged: its header does not say size and time base") from error
        self.pts = self.frame_index["pts"]

    def __len__(self) -> int:
        return len(self.frame_index)

    def frame(self, number: int, still) -> np.ndarray:
        """Frame `number`, uint8 [3, H, W], read-only; `still(run)` gives the still of a run, from a cache perhaps."""
        entry = self.frame_index[number]
        picture = self.picture(entry)
        return picture + still(number // RUN) if entry["against_still"] else picture

    def still(self, run: int) -> np.ndarray:
        """The still of a run of 16 frames, uint8 [3, H, W], read-only."""
        return self.picture(self.still_index[run])

    def picture(self, entry) -> np.ndarray:
        expected = 3 * self.geometry.height * self.geometry.width
        try:
            # One byte more than expected is asked for, so that a longer picture is noticed but not unpacked.
            unpacker = zlib.decompressobj()
            pixels = unpacker.decompress(self.pread(int(entry["length"]), int(entry["offset"])), expected + 1)
        except zlib.error as error:
            raise InputError(f"{self.path}: is damaged at byte {entry['offset']}: {error}") from error
        if len(pixels) != expected or not unpacker.eof:
            raise InputError(
                f"{self.path}: is damaged at byte {entry['offset']}: a picture of {self.geometry} was expected"
            )
        return np.frombuffer(pixels, np.uint8).reshape(3, self.geometry.height, self.geometry.width)

    def pread(self, length: int, offset: int) -> bytes:
        return os.pread(self.file.fileno(), length, offset)

    def close(self) -> None:
        self.file.close()
