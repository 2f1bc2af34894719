"""Draws rate-distortion curves of classical codecs, and of lvc, on the same sampled frames.

    python tools/compare_codecs.py game.mp4 -o curves/ --codecs x264,x265,vp9,libaom --crf libaom=32,44,56
    python tools/compare_codecs.py dataset/ --split test -o curves/
    python tools/compare_codecs.py frames.npy -o curves/
    python tools/compare_codecs.py --plot curves/*.json -o curves/

Writes one JSON file a codec in CompressAI's form, the picture rd.png and the table table.md with BD-rates. Rates are
packet bytes, without a container (for lvc the whole file, container and all). PSNR is the mean of per-frame dB in RGB.
All video codecs are given the same 8-bit full-range BT.601 planes, converted here and not timed, at 4:4:4 unless the
codec has only 4:2:0. native-libaom and native-x265 are given the pixels that the game drew itself instead, as lvc codes
them where a recording shows them. All frames are held in memory, about 7 bytes a pixel.
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np

from lvc.errors import InputError, LvcError, OptionError
from lvc.frames import Geometry
from lvc.native.pixel_grid import PixelGrid
from lvc.native.sample import frames_with_native
from lvc.quality.bdrate import bd_rate
from lvc.quality.metrics import mean_of_psnr, mean_squared_error, psnr_of_mean_mse, ssim
from lvc.video.demux import probe
from lvc.video.sample import Sampling


@dataclass(frozen=True)
class Sampled:
    """The frames that every codec is given: uint8 [T, 3, H, W]; `video` is the recording they come from, if any,
    and `native` what the game drew itself, shown by `grid`.
    """

    frames: np.ndarray
    rate: Fraction
    name: str
    video: Path | None = None
    sampling: Sampling | None = None
    native: np.ndarray | None = None
    grid: PixelGrid | None = None


@dataclass(frozen=True)
class Coded:
    """What one codec made of all frames at one quality."""

    quality: float
    total_bytes: int
    frames: np.ndarray  # uint8 [T, 3, H, W], RGB
    encode_seconds: float
    decode_seconds: float


def sampled(source: Path, options: argparse.Namespace) -> Sampled:
    if source.is_dir():
        from lvc.dataset.read import FrameStore

        split = FrameStore(source).split(options.split)
        frames = np.asarray(split.frames(range(len(split))))
        return Sampled(frames=frames, rate=options.rate or Fraction(3), name=f"{source.name} ({options.split})")
    if source.suffix == ".npy":
        frames = np.load(source, allow_pickle=False)
        if frames.ndim == 4 and frames.shape[3] == 3 and frames.shape[1] != 3:
            frames = frames.transpose(0, 3, 1, 2)
        if frames.dtype != np.uint8 or frames.ndim != 4 or frames.shape[1] != 3 or not len(frames):
            raise InputError(
                f"{source}: expected uint8 [T, 3, H, W] or [T, H, W, 3], not {frames.dtype} {frames.shape}"
            )
        return Sampled(frames=frames, rate=options.rate or Fraction(3), name=source.stem)
    sampling = Sampling(every=options.every, geometry=Geometry.parse(options.size))
    batches = list(frames_with_native(source, sampling))
    average_rate = probe(source).average_rate or Fraction(30)
    return Sampled(
        frames=np.concatenate([batch.data for batch in batches]).transpose(0, 3, 1, 2),
        rate=options.rate or average_rate / options.every,
        name=source.stem,
        video=source,
        sampling=sampling,
        native=None
        if batches[0].native is None
        else np.concatenate([batch.native for batch in batches]).transpose(0, 3, 1, 2),
        grid=batches[0].grid,
    )


# BT.601, full range (as JPEG): every level of the three planes is used, so the conversion costs the least.
_TO_YUV = np.array([[0.299, 0.587, 0.114], [-0.168736, -0.331264, 0.5], [0.5, -0.418688, -0.081312]], np.float32)
_TO_RGB = np.linalg.inv(_TO_YUV.astype(np.float64)).astype(np.float32)
_OFFSET = np.array([0, 128, 128], np.float32)[:, None, None]


def to_yuv(rgb: np.ndarray) -> np.ndarray:
    """uint8 [3, H, W] RGB to uint8 [3, H, W] Y, U, V."""
    planes = np.tensordot(_TO_YUV, rgb.astype(np.float32), axes=1) + _OFFSET
    return np.clip(np.rint(planes), 0, 255).astype(np.uint8)


def to_rgb(planes: np.ndarray) -> np.ndarray:
    rgb = np.tensordot(_TO_RGB, planes.astype(np.float32) - _OFFSET, axes=1)
    return np.clip(np.rint(rgb), 0, 255).astype(np.uint8)


def to_420(planes: np.ndarray) -> np.ndarray:
    """Planes of even sides to PyAV's yuv420p array [H * 3 / 2, W]; chroma is the mean of 2x2."""
    height, width = planes.shape[1:]
    chroma = [cv2.resize(plane, (width // 2, height // 2), interpolation=cv2.INTER_AREA) for plane in planes[1:]]
    return np.concatenate([planes[0].ravel(), chroma[0].ravel(), chroma[1].ravel()]).reshape(height * 3 // 2, width)


def from_420(packed: np.ndarray, height: int, width: int) -> np.ndarray:
    flat, luma = packed.ravel(), height * width
    halves = flat[luma:].reshape(2, height // 2, width // 2)
    chroma = [cv2.resize(half, (width, height), interpolation=cv2.INTER_LINEAR) for half in halves]
    return np.stack([flat[:luma].reshape(height, width), *chroma])


@dataclass(frozen=True)
class PyavCodec:
    name: str
    encoder: str
    description: str
    options: dict
    crfs: tuple[int, ...]
    pixel_format: str = "yuv444p"

    def points(self, source: Sampled, crfs: tuple[float, ...], keyint: int | None):
        return [self.point(source, crf, keyint) for crf in crfs]

    def point(self, source: Sampled, crf: float, keyint: int | None) -> Coded:
        height, width = source.frames.shape[2:]
        subsampled = self.pixel_format == "yuv420p"
        if subsampled and (height % 2 or width % 2):
            raise OptionError(f"{self.name} takes 4:2:0 alone, which needs even sides, not {width}x{height}")
        arrays = [to_420(planes) if subsampled else planes for planes in map(to_yuv, source.frames)]

        encoder = av.CodecContext.create(self.encoder, "w")
        encoder.width, encoder.height, encoder.pix_fmt = width, height, self.pixel_format
        encoder.framerate, encoder.time_base = source.rate, 1 / source.rate
        encoder.color_range = av.video.reformatter.ColorRange.JPEG
        encoder.options = {**self.options, "crf": f"{crf:g}"}
        encoder.thread_type = "FRAME"  # PyAV's default of slices costs x264 a tenth of its rate on small frames
        if self.encoder == "libvpx-vp9":
            encoder.bit_rate = 0  # or crf is only a bound
        if keyint:
            encoder.gop_size = keyint
        packets = []
        started = time.perf_counter()
        for number, array in enumerate(arrays):
            frame = av.VideoFrame.from_ndarray(array, format=self.pixel_format)
            frame.pts = number
            packets += encoder.encode(frame)
        packets += encoder.encode(None)
        encode_seconds = time.perf_counter() - started

        decoder = av.CodecContext.create(packets_codec(self.encoder), "r")
        if encoder.extradata:
            decoder.extradata = encoder.extradata
        decoded = []
        started = time.perf_counter()
        for packet in packets:
            decoded += decoder.decode(packet)
        decoded += decoder.decode(None)
        decode_seconds = time.perf_counter() - started
        if len(decoded) != len(arrays):
            raise InputError(f"{self.name}: {len(arrays)} frames went in and {len(decoded)} came out")
        frames = []
        for frame in sorted(decoded, key=lambda frame: frame.pts):
            planes = frame.to_ndarray()
            frames.append(to_rgb(from_420(planes, height, width) if subsampled else planes))
        # Parameter sets sent apart from the packets are needed to decode, so they count.
        total = sum(packet.size for packet in packets) + len(encoder.extradata or b"")
        return Coded(crf, total, np.stack(frames), encode_seconds, decode_seconds)


def packets_codec(encoder: str) -> str:
    return {"libx264": "h264", "libx265": "hevc", "libvpx-vp9": "vp9", "libsvtav1": "libdav1d"}[encoder]


@dataclass(frozen=True)
class LibaomCodec:
    """libaom with its screen tools; PyAV's wheel has no libaom, so an ffmpeg binary runs it."""

    name: str = "libaom"
    description: str = "libaom AV1 4:4:4, tune-content=screen, palette, intrabc, cpu-used 1"
    crfs: tuple[int, ...] = (20, 32, 44, 56)

    def points(self, source: Sampled, crfs: tuple[float, ...], keyint: int | None):
        ffmpeg = shutil.which("ffmpeg")
        if ffmpeg is None:
            raise InputError("libaom needs an ffmpeg binary with libaom-av1 on the PATH; there is none")
        return [self.point(ffmpeg, source, crf, keyint) for crf in crfs]

    def point(self, ffmpeg: str, source: Sampled, crf: float, keyint: int | None) -> Coded:
        height, width = source.frames.shape[2:]
        raw = b"".join(to_yuv(frame).tobytes() for frame in source.frames)
        shape = ["-f", "rawvideo", "-pix_fmt", "yuv444p", "-s", f"{width}x{height}", "-r", str(source.rate)]
        with tempfile.TemporaryDirectory() as folder:
            stream = Path(folder) / "stream.ivf"
            command = [ffmpeg, "-v", "error", *shape, "-color_range", "pc", "-i", "-", "-color_range", "pc"]
            command += ["-c:v", "libaom-av1", "-crf", f"{crf:g}", "-b:v", "0", "-cpu-used", "1", "-pix_fmt", "yuv444p"]
            command += ["-aom-params", "tune-content=screen:enable-palette=1:enable-intrabc=1", "-row-mt", "1"]
            command += ["-g", str(keyint)] if keyint else []
            encode_seconds = run([*command, str(stream)], raw)[1]
            with av.open(str(stream)) as container:
                total = sum(packet.size for packet in container.demux(video=0))
            decoded, decode_seconds = run(
                [ffmpeg, "-v", "error", "-i", str(stream), "-f", "rawvideo", "-pix_fmt", "yuv444p", "-"], b""
            )
        planes = np.frombuffer(decoded, np.uint8).reshape(-1, 3, height, width)
        if len(planes) != len(source.frames):
            raise InputError(f"libaom: {len(source.frames)} frames went in and {len(planes)} came out")
        return Coded(crf, total, np.stack([to_rgb(frame) for frame in planes]), encode_seconds, decode_seconds)


def run(command: list[str], data: bytes) -> tuple[bytes, float]:
    started = time.perf_counter()
    result = subprocess.run(command, check=False, input=data, capture_output=True)
    if result.returncode:
        last = result.stderr.decode(errors="replace").strip().splitlines()[-1:]
        raise InputError(f"ffmpeg failed with {result.returncode}: {' '.join(last)}")
    return result.stdout, time.perf_counter() - started


@dataclass(frozen=True)
class PictureCodec:
    """Every frame as a picture of its own, as data sets of frames are often kept."""

    name: str
    suffix: str
    description: str
    quality_flag: int
    crfs: tuple[int, ...]  # here qualities of cv2: higher is better
    flags: tuple[int, ...] = ()

    def points(self, source: Sampled, crfs: tuple[float, ...], keyint: int | None):
        return [self.point(source, int(crf)) for crf in crfs]

    def point(self, source: Sampled, quality: int) -> Coded:
        pictures = [np.ascontiguousarray(frame.transpose(1, 2, 0)[:, :, ::-1]) for frame in source.frames]
        started = time.perf_counter()
        coded = [
            cv2.imencode(self.suffix, picture, [self.quality_flag, quality, *self.flags])[1] for picture in pictures
        ]
        encode_seconds = time.perf_counter() - started
        started = time.perf_counter()
        decoded = [cv2.imdecode(data, cv2.IMREAD_COLOR) for data in coded]
        decode_seconds = time.perf_counter() - started
        frames = np.stack([picture[:, :, ::-1].transpose(2, 0, 1) for picture in decoded])
        return Coded(quality, sum(map(len, coded)), frames, encode_seconds, decode_seconds)


@dataclass(frozen=True)
class NativeCodec:
    """Another codec on the pixels that the game drew itself, which lvc shows as frames:
    what these pixels alone are worth.
    """

    inner: PyavCodec | LibaomCodec

    @property
    def name(self) -> str:
        return f"native-{self.inner.name}"

    @property
    def description(self) -> str:
        return f"{self.inner.description}, on the game's own pixels, shown as lvc shows them"

    @property
    def crfs(self) -> tuple[int, ...]:
        return self.inner.crfs

    def points(self, source: Sampled, crfs: tuple[float, ...], keyint: int | None):
        from lvc.codecs.palette.colours import packed
        from lvc.native.shown import Screen

        if source.native is None:
            raise OptionError(f"{source.name} does not show a game's own pixels")
        screen = Screen(source.grid, Geometry(source.frames.shape[3], source.frames.shape[2]))
        points = self.inner.points(replace(source, frames=source.native), crfs, keyint)
        return [
            replace(
                point, frames=screen.show(packed(point.frames.transpose(0, 2, 3, 1))[:, None]).transpose(0, 3, 1, 2)
            )
            for point in points
        ]


@dataclass(frozen=True)
class LvcCodec:
    """lvc through its public API, on the recording itself; the rate is that of the whole file."""

    model: str
    crfs: tuple[float | None, ...] = (None,)
    name: str = "lvc"
    device: str = "cpu"

    @property
    def description(self) -> str:
        return f"lvc, model {Path(self.model).stem}; the whole file, container and all"

    def points(self, source: Sampled, crfs: tuple[float | None, ...], keyint: int | None):
        return lvc_points(source, model=self.model, crfs=crfs, keyint=keyint, device=self.device)


def lvc_points(
    source: Sampled, *, model: str, crfs=(None,), keyint: int | None = None, device: str = "cpu"
) -> list[Coded]:
    """One point a crf; None is the model's own quality. The times include reading, sampling and the model."""
    import lvc

    if source.video is None:
        raise OptionError("lvc is measured on a recording; a folder or .npy holds only frames")
    options = {"model": model, "device": device, "sampling": source.sampling}
    if keyint:
        options["keyint"] = keyint
    points = []
    with tempfile.TemporaryDirectory() as folder:
        for number, crf in enumerate(crfs):
            output = Path(folder) / f"{number}.lvc"
            started = time.perf_counter()
            lvc.encode(source.video, output, crf=None if crf is None else int(crf), **options)
            encode_seconds = time.perf_counter() - started
            started = time.perf_counter()
            reader = lvc.open(output, model=model, device=device)
            frames = reader.frames(0, len(reader)).data.transpose(0, 3, 1, 2)
            decode_seconds = time.perf_counter() - started
            reader.close()
            if frames.shape != source.frames.shape:
                raise InputError(
                    f"lvc gave {list(frames.shape)} for {list(source.frames.shape)}: is --every or --size its own?"
                )
            points.append(Coded(crf, output.stat().st_size, np.asarray(frames), encode_seconds, decode_seconds))
    return points


CODECS = {
    codec.name: codec
    for codec in (
        PyavCodec("x264", "libx264", "x264 4:4:4, preset veryslow", {"preset": "veryslow"}, (18, 22, 26, 30, 34)),
        PyavCodec(
            "x265",
            "libx265",
            "x265 4:4:4, preset veryslow",
            {"preset": "veryslow", "x265-params": "log-level=none"},
            (18, 22, 26, 30, 34),
        ),
        PyavCodec(
            "vp9",
            "libvpx-vp9",
            "VP9 4:4:4, deadline best, tune-content screen",
            {"deadline": "best", "tune-content": "screen", "lag-in-frames": "25", "auto-alt-ref": "1"},
            (20, 28, 35, 42, 50),
        ),
        PyavCodec(
            "svt-av1",
            "libsvtav1",
            "SVT-AV1 4:2:0 (it has no other), preset 2, scm 1",
            {"preset": "2", "svtav1-params": "scm=1"},
            (20, 32, 44, 56),
            pixel_format="yuv420p",
        ),
        LibaomCodec(),
        PictureCodec("png", ".png", "PNG, a picture a frame, level 9", cv2.IMWRITE_PNG_COMPRESSION, (9,)),
        PictureCodec(
            "jpeg",
            ".jpg",
            "JPEG 4:4:4, a picture a frame, optimised tables",
            cv2.IMWRITE_JPEG_QUALITY,
            (30, 50, 70, 85, 95),
            (cv2.IMWRITE_JPEG_SAMPLING_FACTOR, cv2.IMWRITE_JPEG_SAMPLING_FACTOR_444, cv2.IMWRITE_JPEG_OPTIMIZE, 1),
        ),
        PictureCodec("webp", ".webp", "WebP 4:2:0, a picture a frame", cv2.IMWRITE_WEBP_QUALITY, (30, 50, 70, 85, 95)),
        PictureCodec("webp-lossless", ".webp", "WebP lossless, a picture a frame", cv2.IMWRITE_WEBP_QUALITY, (101,)),
    )
}


CODECS |= {codec.name: codec for codec in (NativeCodec(CODECS["x265"]), NativeCodec(CODECS["libaom"]))}


def curve(name: str, description: str, source: Sampled, points: list[Coded]) -> dict:
    """CompressAI's form; times are seconds a frame. A lossless point has null for its PSNR."""
    count, _, height, width = source.frames.shape
    results = {key: [] for key in ("quality", "bpp", "bytes_per_frame", "psnr-rgb", "psnr-of-mean-mse", "ssim-rgb")}
    results |= {"encoding_time": [], "decoding_time": []}
    for point in points:
        mses = [mean_squared_error(*pair) for pair in zip(source.frames, point.frames)]
        ssims = [ssim(*pair) for pair in zip(source.frames.transpose(0, 2, 3, 1), point.frames.transpose(0, 2, 3, 1))]
        results["quality"].append(point.quality)
        results["bpp"].append(round(point.total_bytes * 8 / (count * height * width), 6))
        results["bytes_per_frame"].append(round(point.total_bytes / count, 2))
        results["psnr-rgb"].append(rounded(mean_of_psnr(mses), 4))
        results["psnr-of-mean-mse"].append(rounded(psnr_of_mean_mse(mses), 4))
        results["ssim-rgb"].append(None if None in ssims else round(sum(ssims) / count, 6))
        results["encoding_time"].append(round(point.encode_seconds / count, 6))
        results["decoding_time"].append(round(point.decode_seconds / count, 6))
    description = f"{description}; {source.name}, {count} frames of {width}x{height} at {source.rate} frames/s"
    return {"name": name, "description": description, "results": results}


def rounded(value: float | None, digits: int) -> float | None:
    return None if value is None else round(value, digits)


def compared(curves: list[dict], anchor: str) -> str:
    """The table of all points, and BD-rates against the anchor, in markdown."""
    lines = [
        "| codec | quality | bytes a frame | PSNR dB | SSIM | encode frames/s | decode frames/s |",
        "|---|---|---|---|---|---|---|",
    ]
    for each in curves:
        r = each["results"]
        for n in range(len(r["bpp"])):
            psnr = "lossless" if r["psnr-rgb"][n] is None else f"{r['psnr-rgb'][n]:.2f}"
            quality = "" if r["quality"][n] is None else f"{r['quality'][n]:g}"
            lines.append(
                f"| {each['name']} | {quality} "
                f"| {r['bytes_per_frame'][n]:.0f} | {psnr} | {r['ssim-rgb'][n]:.4f} "
                f"| {1 / r['encoding_time'][n]:.1f} | {1 / r['decoding_time'][n]:.0f} |"
            )
    anchors = [each for each in curves if each["name"] == anchor]
    if anchors:
        lines += ["", f"| codec | BD-rate against {anchor} (PCHIP, PSNR RGB) |", "|---|---|"]
        for each in curves:
            if each is not anchors[0]:
                lines.append(f"| {each['name']} | {bd_cell(anchors[0], each)} |")
    return "\n".join(lines) + "\n"


def bd_cell(anchor: dict, other: dict) -> str:
    pairs = []
    for each in (anchor, other):
        points = zip(each["results"]["bpp"], each["results"]["psnr-rgb"])
        pairs += zip(*[point for point in points if point[1] is not None]) or ((), ())
    if len(pairs) != 4:
        return "no lossy point"
    try:
        return f"{bd_rate(*pairs):+.1f} %"
    except OptionError as error:
        return str(error)


def draw(curves: list[dict], path: Path) -> None:
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure, (psnr_axes, ssim_axes) = pyplot.subplots(1, 2, figsize=(12, 5), layout="constrained")
    for each in curves:
        r = each["results"]
        known = [n for n in range(len(r["bpp"])) if r["psnr-rgb"][n] is not None]
        if not known:
            continue
        rates = [r["bytes_per_frame"][n] for n in known]
        style = {"marker": "o", "markersize": 4, "linewidth": 3 if each["name"].startswith("lvc") else 1.5}
        psnr_axes.plot(rates, [r["psnr-rgb"][n] for n in known], label=each["name"], **style)
        ssim_axes.plot(rates, [r["ssim-rgb"][n] for n in known], **style)
    for axes, label in ((psnr_axes, "PSNR RGB, mean of per-frame dB"), (ssim_axes, "SSIM")):
        axes.set(xlabel="bytes a frame", ylabel=label, xscale="log")
        axes.grid(alpha=0.3, which="both")
    figure.legend(loc="outside lower center", ncols=8, frameon=False)
    figure.savefig(path, dpi=130)
    pyplot.close(figure)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("source", nargs="?", type=Path, help="a recording, a dataset folder or a .npy of frames")
    parser.add_argument(
        "-o", "--output", type=Path, required=True, help="folder for the JSON files, rd.png and table.md"
    )
    parser.add_argument("--plot", type=Path, nargs="+", default=[], help="JSON files of earlier runs to draw as well")
    parser.add_argument("--codecs", default="x264,x265,vp9,libaom", help=f"some of {','.join(CODECS)}")
    parser.add_argument("--crf", action="append", default=[], metavar="CODEC=A,B,C", help="other qualities for a codec")
    parser.add_argument(
        "--lvc", action="append", default=[], metavar="MODEL", help="also lvc with this model; repeatable"
    )
    parser.add_argument("--keyint", type=int, help="frames between keyframes for every codec (default: each one's own)")
    parser.add_argument("--every", type=int, default=10, help="keep every N-th frame of a recording (10)")
    parser.add_argument("--size", default="200x160", help="size of the frames of a recording (200x160)")
    parser.add_argument("--rate", type=Fraction, help="frames a second of the sampled frames, as told to the encoders")
    parser.add_argument("--split", default="test", help="split of a dataset (test)")
    parser.add_argument("--limit", type=int, help="only the first N sampled frames")
    parser.add_argument("--anchor", default="libaom", help="codec that BD-rates are against (libaom)")
    options = parser.parse_args()
    os.environ.setdefault("SVT_LOG", "1")  # errors alone
    try:
        return compare(options)
    except LvcError as error:
        print(f"compare_codecs: {error}", file=sys.stderr)
        return 1


def compare(options: argparse.Namespace) -> int:
    options.output.mkdir(parents=True, exist_ok=True)
    curves = [json.loads(path.read_text()) for path in options.plot]
    if options.source is not None:
        qualities = {}
        for text in options.crf:
            name, _, values = text.partition("=")
            qualities[name] = tuple(float(value) for value in values.split(","))
        names = [name for name in options.codecs.split(",") if name]
        unknown = sorted(set(names) - set(CODECS) | set(qualities) - set(CODECS) - {"lvc"})
        if unknown:
            raise OptionError(f"no codec {', '.join(unknown)}; there are {', '.join(CODECS)}")
        codecs = [CODECS[name] for name in names]
        codecs += [LvcCodec(model=model, name=f"lvc-{Path(model).stem}") for model in options.lvc]
        source = sampled(options.source, options)
        if options.limit:
            if options.lvc:
                raise OptionError("--limit cuts the sampled frames, and lvc codes the whole recording: leave one out")
            source = replace(source, frames=source.frames[: options.limit])
        for codec in codecs:
            key = "lvc" if isinstance(codec, LvcCodec) else codec.name
            points = codec.points(source, qualities.get(key, codec.crfs), options.keyint)
            result = curve(codec.name, codec.description, source, points)
            (options.output / f"{codec.name}.json").write_text(json.dumps(result, indent=1) + "\n")
            curves.append(result)
            print(f"{codec.name}: {result['results']['bytes_per_frame']} bytes a frame", file=sys.stderr)
    table = compared(curves, options.anchor)
    (options.output / "table.md").write_text(table)
    draw(curves, options.output / "rd.png")
    print(table, end="")
    return 0


if __name__ == "__main__":
    sys.exit(main())
