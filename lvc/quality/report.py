"""The quality report of one `.lvc` file against its source: figures by frame, and JSON, CSV and HTML made of them.

Frames are matched by their exact timestamps, so a variable frame rate or a dropped frame cannot shift the scores.
Everything streams: memory holds the figures, and a bounded number of compressed pictures.
"""

import base64
import csv
import heapq
import json
import math
import os
from bisect import bisect_left
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from fractions import Fraction
from importlib import resources

import cv2
import numpy as np

from lvc.errors import InputError
from lvc.frames import FrameBatch
from lvc.quality.metrics import (
    SSIM_VARIANT,
    Summary,
    mean_of_psnr,
    mean_squared_error,
    psnr_of_mean_mse,
    psnr_of_mse,
    ssim,
)

SCHEMA_VERSION = 1
# A page of 1,000 frames stays below 3 MB: base64 makes 4/3 of these bytes.
PICTURE_BYTES = 2_050_000
# Source frames that wait to be compared; decoding is cheapest a keyframe group at a time.
PENDING_BYTES = 64 << 20
SHOWN_PIXELS = 1 << 20
# How a picture is stored, best first. For game frames lossless WebP is half the size of a JPEG of 39 dB, and lossy
# WebP, which halves the chroma, is at 25 dB: worse than what is to be judged, and only there for pictures like noise.
ENCODINGS = (
    (".webp", (cv2.IMWRITE_WEBP_QUALITY, 101)),  # above 100: lossless
    (".jpg", (cv2.IMWRITE_JPEG_QUALITY, 95, cv2.IMWRITE_JPEG_SAMPLING_FACTOR, cv2.IMWRITE_JPEG_SAMPLING_FACTOR_444)),
    (".jpg", (cv2.IMWRITE_JPEG_QUALITY, 85, cv2.IMWRITE_JPEG_SAMPLING_FACTOR, cv2.IMWRITE_JPEG_SAMPLING_FACTOR_444)),
    (".webp", (cv2.IMWRITE_WEBP_QUALITY, 80)),
)


@dataclass(frozen=True)
class FrameScore:
    """The figures of one frame: `payload_bytes` are its own in the file, `kind` is "key" or "predicted"."""

    index: int
    pts: int
    pts_seconds: float
    kind: str
    payload_bytes: float
    mse: float
    ssim: float | None

    @property
    def psnr(self) -> float | None:
        """dB, or None for a frame that is identical to its source."""
        return psnr_of_mse(self.mse)

    @property
    def identical(self) -> bool:
        return self.mse == 0


@dataclass(frozen=True)
class ComparedFrame:
    """A score with the pixels that it was made from: uint8 [H, W, 3] each."""

    score: FrameScore
    source: np.ndarray
    decoded: np.ndarray


class Comparison:
    """Iterates once over the frames that a file and its source have in common, in order of time.

    reader: as `lvc.open` gives. source: batches of source frames, in order of time, at the reader's geometry.
    Raises InputError where a size differs, or where no frame of the source has a timestamp of the file.
    """

    def __init__(self, reader, source: Iterable[FrameBatch]):
        self._reader = reader
        self._source = source
        self.source_frames = 0
        self.matched_frames = 0
        # Each of these is computed by the reader when it is asked for.
        self._pts, self._kinds, self._sizes = reader.pts, reader.frame_types, reader.frame_bytes
        self._key_frames = [n for n, kind in enumerate(self._kinds) if kind == "key"]

    @property
    def unmatched_source_frames(self) -> int:
        return self.source_frames - self.matched_frames

    @property
    def unmatched_decoded_frames(self) -> int:
        return len(self._reader) - self.matched_frames

    def __iter__(self) -> Iterator[ComparedFrame]:
        reader = self._reader
        index_at = {pts * reader.time_base: index for index, pts in enumerate(self._pts)}
        pending: list[tuple[int, np.ndarray]] = []
        pending_group = -1
        pending_bytes = 0
        for batch in self._source:
            if batch.geometry != reader.geometry:
                raise InputError(f"the source's frames are {batch.geometry}; the file's are {reader.geometry}")
            for seconds, frame in zip(batch.pts_seconds, batch.data):
                self.source_frames += 1
                index = index_at.pop(seconds, None)
                if index is None:
                    continue
                group = bisect_left(self._key_frames, index + 1)
                if pending and (group != pending_group or pending_bytes >= PENDING_BYTES):
                    yield from self._compared(pending)
                    pending, pending_bytes = [], 0
                pending_group = group
                pending_bytes += frame.nbytes
                pending.append((index, frame))
        if pending:
            yield from self._compared(pending)
        if not self.matched_frames:
            raise InputError(
                f"none of the {self.source_frames} source frames has the timestamp of one of the file's {len(reader)} "
                "frames: "
                "was the file made from this source, with the same sampling?"
            )

    def _compared(self, pending: list[tuple[int, np.ndarray]]) -> Iterator[ComparedFrame]:
        decoded = self._reader.frames_at([index for index, _ in pending]).data
        for (index, source), frame in zip(pending, decoded):
            self.matched_frames += 1
            score = FrameScore(
                index=index,
                pts=self._pts[index],
                pts_seconds=float(self._pts[index] * self._reader.time_base),
                kind=self._kinds[index],
                payload_bytes=float(self._sizes[index]),
                mse=mean_squared_error(source, frame),
                ssim=ssim(source, frame),
            )
            yield ComparedFrame(score, source, frame)


@dataclass(frozen=True)
class PicturePair:
    """Source and decoded frame as WebP or JPEG for the page; `note` says where they are not exact."""

    source: bytes
    decoded: bytes
    note: str

    @property
    def size(self) -> int:
        return len(self.source) + len(self.decoded)

    @classmethod
    def within(cls, frames: "ShownFrames", allowance: int) -> "PicturePair":
        """Lossless where both fit into `allowance` bytes, else the larger lossy, else both smaller as well."""
        for divisor in (1, 2, 4, 8):
            source, source_is_exact = _picture(_shrunk(frames.source, divisor), allowance // 2)
            decoded, decoded_is_exact = _picture(_shrunk(frames.decoded, divisor), allowance - len(source))
            shrunk = divisor * frames.divisor
            notes = [] if source_is_exact and decoded_is_exact else ["lossy preview"]
            notes += [f"1/{shrunk} of the width and height"] if shrunk > 1 else []
            pair = cls(source, decoded, ", ".join(notes))
            if pair.size <= allowance:
                break
        return pair


@dataclass(frozen=True)
class ShownFrames:
    """The pixels of a frame that may be shown, uint8 [h, w, 3] of at most a megapixel: 1 / `divisor` of each side."""

    source: np.ndarray
    decoded: np.ndarray
    divisor: int

    @classmethod
    def of(cls, compared: ComparedFrame) -> "ShownFrames":
        height, width = compared.source.shape[:2]
        divisor = math.ceil(math.sqrt(height * width / SHOWN_PIXELS))
        # Copies: a view would keep the whole batch that it is cut from.
        source, decoded = (_shrunk(frame, divisor).copy() for frame in (compared.source, compared.decoded))
        return cls(source, decoded, divisor)


def _shrunk(frame: np.ndarray, divisor: int) -> np.ndarray:
    if divisor == 1:
        return frame
    height, width = frame.shape[:2]
    size = (max(1, width // divisor), max(1, height // divisor))
    return cv2.resize(np.ascontiguousarray(frame), size, interpolation=cv2.INTER_AREA)


def _picture(frame: np.ndarray, allowance: int) -> tuple[bytes, bool]:
    """uint8 [h, w, 3] in the best encoding that takes at most `allowance` bytes, or the smallest;
    and whether it is lossless.
    """
    picture = np.ascontiguousarray(frame[:, :, ::-1])
    for suffix, parameters in ENCODINGS:
        data = cv2.imencode(suffix, picture, parameters)[1].tobytes()
        if len(data) <= allowance:
            break
    return data, (suffix, parameters) == ENCODINGS[0]


class ReportBuilder:
    """Collects compared frames; keeps their figures, the worst of them as pictures, and samples over the whole time."""

    def __init__(self, frame_count: int, *, worst: int = 12, samples: int = 30, picture_bytes: int = PICTURE_BYTES):
        """frame_count: of the file, to spread the samples. picture_bytes: for all pictures together."""
        self._scores: list[FrameScore] = []
        # A heap of (mse, -index, pixels), the least bad first. Pixels, because a frame among the worst so far is
        # mostly pushed out again, and lossless pictures cost more time than all metrics.
        self._worst: list[tuple[float, int, ShownFrames]] = []
        self._worst_count = worst
        self._sampled_indices = {int(n) for n in np.linspace(0, max(0, frame_count - 1), samples).round()}
        self._samples: dict[int, PicturePair] = {}
        self._bytes_left = picture_bytes
        self._pictures_left = worst + len(self._sampled_indices)  # every worst frame may be none of the samples

    def add(self, compared: ComparedFrame) -> None:
        score = compared.score
        self._scores.append(score)
        is_sample = score.index in self._sampled_indices
        entry = (score.mse, -score.index)
        full = len(self._worst) >= self._worst_count
        is_worst = self._worst_count > 0 and not score.identical and not (full and entry <= self._worst[0][:2])
        if not (is_sample or is_worst):
            return
        frames = ShownFrames.of(compared)
        if is_sample:
            self._samples[score.index] = self._stored(frames)
        if is_worst:
            push = heapq.heapreplace if full else heapq.heappush
            push(self._worst, (*entry, frames))

    def _stored(self, frames: ShownFrames) -> PicturePair:
        """The pictures of a frame, in its share of the bytes that are left:
        what one does not need the next ones have.
        """
        pair = PicturePair.within(frames, max(0, self._bytes_left) // self._pictures_left)
        self._bytes_left -= pair.size
        self._pictures_left -= 1
        return pair

    def finish(self, comparison: Comparison, reader, *, path: str | os.PathLike, source: str | os.PathLike) -> "Report":
        """The report of all that was added; `path` and `source` are the names that it states."""
        metadata = reader.metadata
        worst = {
            -index: self._samples.get(-index) or self._stored(frames)
            for _, index, frames in sorted(self._worst, reverse=True, key=lambda entry: entry[:2])
        }
        return Report(
            scores=sorted(self._scores, key=lambda score: score.index),
            worst=list(worst),
            pictures=self._samples | worst,
            path=os.fspath(path),
            source=os.fspath(source),
            file_bytes=metadata.file_bytes,
            width=reader.geometry.width,
            height=reader.geometry.height,
            frame_count=len(reader),
            time_base=reader.time_base,
            model=metadata.model,
            header={
                "keyint": metadata.keyint,
                "crf": metadata.crf,
                "quantiser": metadata.quantiser,
                "entropy": metadata.entropy,
                "source": metadata.source,
            },
            unmatched_source_frames=comparison.unmatched_source_frames,
        )


@dataclass(frozen=True)
class Report:
    """All figures of one file, in order of time; `worst` are indices of frames, worst first."""

    scores: list[FrameScore]
    worst: list[int]
    pictures: dict[int, PicturePair]
    path: str
    source: str
    file_bytes: int
    width: int
    height: int
    frame_count: int
    time_base: Fraction
    model: dict
    header: dict
    unmatched_source_frames: int

    def totals(self) -> dict:
        """Headline figures; sizes in bytes, times in seconds, PSNR in dB (None where no frame differs)."""
        mses = [score.mse for score in self.scores]
        raw_bytes = self.frame_count * self.width * self.height * 3
        ssims = Summary.of(score.ssim for score in self.scores)
        return {
            "frames": self.frame_count,
            "measured_frames": len(self.scores),
            "identical_frames": sum(score.identical for score in self.scores),
            "key_frames": sum(score.kind == "key" for score in self.scores),
            "unmatched_source_frames": self.unmatched_source_frames,
            "unmatched_decoded_frames": self.frame_count - len(self.scores),
            "file_bytes": self.file_bytes,
            "payload_bytes": round(sum(score.payload_bytes for score in self.scores), 2),
            "raw_bytes": raw_bytes,
            "ratio_to_raw": round(raw_bytes / self.file_bytes, 3),
            "bytes_per_frame": round(self.file_bytes / self.frame_count, 3),
            "bits_per_pixel": round(self.file_bytes * 8 / (self.frame_count * self.width * self.height), 6),
            "seconds": round(self._seconds(), 6),
            "psnr_mean_of_frames": _rounded(mean_of_psnr(mses), 6),
            "psnr_of_mean_mse": _rounded(psnr_of_mean_mse(mses), 6),
            "ssim_mean": _rounded(None if ssims is None else ssims.average, 6),
        }

    def _seconds(self) -> float:
        """From the first frame to the end of the last, which is taken to stay as long as the one before it."""
        times = [score.pts_seconds for score in self.scores]
        return times[-1] - times[0] + (times[-1] - times[-2] if len(times) > 1 else 0.0)

    def as_json(self) -> dict:
        """The schema of ffmpeg-quality-metrics (`n` counts from 1), and under "lvc" what only this format knows.

        The PSNR of an identical frame is null beside "identical": true.
        """
        psnr_rows, ssim_rows, lvc_rows = [], [], []
        for score in self.scores:
            n = score.index + 1
            row = {"n": n, "psnr_avg": _rounded(score.psnr, 4), "mse_avg": _rounded(score.mse, 6)}
            psnr_rows.append(row | {"identical": True} if score.identical else row)
            ssim_rows.append({"n": n, "ssim_avg": _rounded(score.ssim, 6)})
            lvc_rows.append(
                {
                    "n": n,
                    "pts": score.pts,
                    "pts_seconds": round(score.pts_seconds, 6),
                    "type": score.kind,
                    "bytes": _whole(score.payload_bytes),
                }
            )
        summaries = {
            "psnr": {
                "psnr_avg": Summary.of(score.psnr for score in self.scores),
                "mse_avg": Summary.of(score.mse for score in self.scores),
            },
            "ssim": {"ssim_avg": Summary.of(score.ssim for score in self.scores)},
        }
        return {
            "psnr": psnr_rows,
            "ssim": ssim_rows,
            "global": {
                metric: {name: _rounded_summary(summary) for name, summary in columns.items()}
                for metric, columns in summaries.items()
            },
            "input_file_dist": self.path,
            "input_file_ref": self.source,
            "lvc": {
                "schema": SCHEMA_VERSION,
                "totals": self.totals(),
                "model": {"name": self.model["name"], "sha256": self.model["sha256"]},
                "geometry": {"width": self.width, "height": self.height},
                "time_base": str(self.time_base),
                "header": self.header,
                "metrics": {
                    "psnr": "RGB, over all samples of a frame, peak 255; identical frames have none",
                    "psnr_mean_of_frames": "mean of the per-frame dB; identical frames are left out",
                    "psnr_of_mean_mse": "dB of the mean squared error of all frames, identical ones included",
                    "ssim": SSIM_VARIANT,
                },
                "worst": [index + 1 for index in self.worst],
                "frames": lvc_rows,
            },
        }

    def write_json(self, file) -> None:
        """Writes `as_json` to a text file object."""
        json.dump(self.as_json(), file, indent=1, allow_nan=False)
        file.write("\n")

    def write_csv(self, file) -> None:
        """Writes one row a frame to a text file object opened with newline=""."""
        rows = csv.writer(file, lineterminator="\n")
        rows.writerow(["n", "pts", "pts_seconds", "type", "bytes", "psnr", "mse", "ssim", "identical"])
        for score in self.scores:
            rows.writerow(
                [
                    score.index + 1,
                    score.pts,
                    f"{score.pts_seconds:.6f}",
                    score.kind,
                    _whole(score.payload_bytes),
                    "" if score.psnr is None else f"{score.psnr:.4f}",
                    f"{score.mse:.6f}",
                    "" if score.ssim is None else f"{score.ssim:.6f}",
                    str(score.identical).lower(),
                ]
            )

    def write_html(self, file) -> None:
        """Writes the page to a text file object in UTF-8; it asks for nothing outside itself."""
        template = resources.files("lvc.quality").joinpath("report.html").read_text(encoding="utf-8")
        # "</script>" or "<!--" in a file's name must not end the element that holds the data.
        data = json.dumps(self._page_data(), allow_nan=False, separators=(",", ":")).replace("<", "\\u003c")
        before, after = template.split("@@DATA@@")
        file.write(before)
        file.write(data)
        file.write(after)

    def _page_data(self) -> dict:
        return {
            "name": os.path.basename(self.path),
            "source": os.path.basename(self.source),
            "width": self.width,
            "height": self.height,
            "totals": self.totals(),
            "model": {"name": self.model["name"], "sha256": self.model["sha256"]},
            "header": {name: _in_words(value) for name, value in self.header.items()},
            "ssim_variant": SSIM_VARIANT,
            "worst": self.worst,
            "frames": {
                "index": [score.index for score in self.scores],
                "seconds": [round(score.pts_seconds, 4) for score in self.scores],
                "key": [int(score.kind == "key") for score in self.scores],
                "bytes": [_whole(score.payload_bytes) for score in self.scores],
                "psnr": [_rounded(score.psnr, 3) for score in self.scores],
                "ssim": [_rounded(score.ssim, 5) for score in self.scores],
            },
            "pictures": {
                str(index): {"source": _data_uri(pair.source), "decoded": _data_uri(pair.decoded), "note": pair.note}
                for index, pair in sorted(self.pictures.items())
            },
        }


def _in_words(value) -> str:
    """A value of the header for the page's foot; lists (tables, weights) are too long for it."""
    if isinstance(value, dict):
        return ", ".join(f"{key} {each}" for key, each in value.items() if isinstance(each, str | int | float))
    return "" if value is None else str(value)


def _data_uri(picture: bytes) -> str:
    kind = "webp" if picture.startswith(b"RIFF") else "jpeg"
    return f"data:image/{kind};base64," + base64.b64encode(picture).decode("ascii")


def _rounded(value: float | None, digits: int) -> float | None:
    return None if value is None else round(value, digits)


def _rounded_summary(summary: Summary | None) -> dict | None:
    return None if summary is None else {name: round(value, 6) for name, value in asdict(summary).items()}


def _whole(size: float) -> int | float:
    """Bytes as a whole number, where they are: packets that hold several frames share theirs out."""
    return int(size) if float(size).is_integer() else round(size, 2)
