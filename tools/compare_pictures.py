"""Draws PSNR against bits a pixel of lvc's single-picture models beside JPEG, WebP, AVIF and HEVC, and shows the
pictures themselves.

    python tools/compare_pictures.py frames/ --split test --limit 64 --lvc bits2.safetensors --lvc bits10.safetensors
    --lvc bits10.safetensors@bits:6 -o curves/ python tools/compare_pictures.py astronaut coffee chelsea rocket
    motorcycle_left --lvc gdn.safetensors -o curves/ python tools/compare_pictures.py photo.png --lvc gdn.safetensors -o
    curves/

A source is a picture, one of scikit-image's own by name, or a data set of `lvc build-dataset`. Writes points.json,
table.md, rd.png (low and high rates have a panel each) and pictures.png. Bits are of whole files, headers and all; for
a data set lvc makes one file of all frames, and the others make one a frame. "packets" is lvc's without header and
index. PSNR is the mean of per-picture dB in RGB. "HEVC intra" is what a BPG file holds, a single picture by x265: BPG's
own encoder is in no package registry. It counts the slices' bytes alone, without the parameter sets that BPG writes in
a dozen bytes. --also adds columns of what training can make small, means over pictures: mae, ms-ssim (1 less it),
perceptual; 0 for the same picture.
"""

import argparse
import io
import json
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field, replace
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import torch
from av.codec.context import Flags
from PIL import Image

import lvc
from lvc.cli.options import spec_of
from lvc.codecs.learning.clips import spread
from lvc.codecs.networks.training.loss import DISTORTIONS, distortion_of
from lvc.dataset.read import FrameStore
from lvc.errors import InputError, LvcError
from lvc.quality.metrics import mean_of_psnr, mean_squared_error, ssim
from lvc.weights import checkpoints

# Pillow's format, its qualities from low to high, and what else it is told
CLASSICAL = {
    "JPEG": ("JPEG", (1, 5, 10, 20, 35, 50, 70, 85, 95, 98, 100), {"optimize": True, "subsampling": "4:4:4"}),
    "JPEG 4:2:0": ("JPEG", (1, 5, 10, 20, 35, 50, 70, 85, 95, 98, 100), {"optimize": True, "subsampling": "4:2:0"}),
    "WebP": ("WEBP", (0, 10, 25, 50, 75, 90), {"method": 4}),
    "AVIF": ("AVIF", (5, 15, 30, 45, 60, 75, 90), {"speed": 6, "subsampling": "4:4:4"}),
}
HEVC, HEVC_QUANTISERS = "HEVC intra", (51, 46, 41, 36, 31, 26, 21, 16, 11)
HEVC_OPTIONS = "keyint=1:info=0:log-level=none:pools=1:frame-threads=1"
SHOWN = 3  # pictures of each codec in pictures.png


@dataclass(frozen=True)
class Point:
    """bits_per_pixel: of whole files. packet_bits_per_pixel: lvc's without header and index, None of others."""

    codec: str
    setting: str
    bits_per_pixel: float
    packet_bits_per_pixel: float | None
    psnr: float
    ssim: float
    also: dict[str, float] = field(default_factory=dict)


def read_sources(names: list[str], options: argparse.Namespace) -> list[np.ndarray]:
    """Batches of pictures of one size, uint8 [T, 3, H, W] each."""
    return [batch for name in names for batch in read_source(name, options)]


def read_source(name: str, options: argparse.Namespace) -> Iterator[np.ndarray]:
    path = Path(name)
    if path.is_dir():
        source = FrameStore(path).split(options.split)
        if not len(source):
            raise InputError(f"{path}: has no frames of the split {options.split}")
        yield source.frames(spread(len(source), options.limit))
        return
    if not path.exists():
        import skimage.data

        path = Path(skimage.data.__file__).parent / f"{name}.png"
        path = path if path.exists() else path.with_suffix(".jpg")
        if not path.exists():
            raise InputError(f"{name}: is no file, no folder and no picture that scikit-image ships")
    with Image.open(path) as picture:
        yield np.asarray(picture.convert("RGB")).transpose(2, 0, 1)[None]


def classical(name: str, batches: list[np.ndarray]) -> Iterator[tuple[Point, list[np.ndarray]]]:
    kind, qualities, more = CLASSICAL[name]
    for quality in qualities:
        total, decoded = 0, []
        for batch in batches:
            files = [coded_by_pillow(picture, kind, quality, more) for picture in batch]
            total += sum(map(len, files))
            decoded.append(
                np.stack([np.asarray(Image.open(io.BytesIO(file)).convert("RGB")).transpose(2, 0, 1) for file in files])
            )
        yield point_of(name, f"quality {quality}", batches, decoded, total, None), decoded


def hevc(batches: list[np.ndarray]) -> Iterator[tuple[Point, list[np.ndarray]]]:
    for quantiser in HEVC_QUANTISERS:
        made = [[coded_by_x265(picture, quantiser) for picture in batch] for batch in batches]
        total = sum(size for one in made for size, _ in one)
        decoded = [np.stack([picture for _, picture in one]) for one in made]
        yield point_of(HEVC, f"QP {quantiser}", batches, decoded, total, None), decoded


def coded_by_x265(picture: np.ndarray, quantiser: int) -> tuple[int, np.ndarray]:
    """Bytes of the slices of a picture uint8 [3, H, W], and the picture decoded;
    in JPEG's YCbCr at full resolution, as BPG has it.
    """
    encoder = av.CodecContext.create("libx265", "w")
    encoder.height, encoder.width = picture.shape[1:]
    encoder.pix_fmt, encoder.time_base = "yuv444p", Fraction(1, 25)
    encoder.options = {"preset": "veryslow", "tune": "psnr", "x265-params": f"qp={quantiser}:{HEVC_OPTIONS}"}
    encoder.flags |= Flags.global_header  # parameter sets apart from the slices
    planes = np.asarray(Image.fromarray(np.ascontiguousarray(picture.transpose(1, 2, 0))).convert("YCbCr")).transpose(
        2, 0, 1
    )
    frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(planes), format="yuv444p")
    packets = [*encoder.encode(frame), *encoder.encode(None)]
    decoder = av.CodecContext.create("hevc", "r")
    decoder.extradata = encoder.extradata
    [decoded] = [frame for packet in [*packets, None] for frame in decoder.decode(packet)]
    pixels = Image.fromarray(np.ascontiguousarray(decoded.to_ndarray().transpose(1, 2, 0)), "YCbCr").convert("RGB")
    # The packet repeats them.
    return sum(len(bytes(packet).removeprefix(encoder.extradata)) for packet in packets), np.asarray(pixels).transpose(
        2, 0, 1
    )


def coded_by_pillow(picture: np.ndarray, kind: str, quality: int, more: dict) -> bytes:
    memory = io.BytesIO()
    Image.fromarray(np.ascontiguousarray(picture.transpose(1, 2, 0))).save(memory, kind, quality=quality, **more)
    return memory.getvalue()


def learned(text: str, batches: list[np.ndarray], folder: Path) -> tuple[Point, list[np.ndarray]]:
    """lvc's files, made and read again. text: WEIGHTS, or WEIGHTS@QUANTISER for another quantiser than that of
    training.
    """
    weights, _, other = text.partition("@")
    checkpoint = checkpoints.load(weights)
    spec = spec_of(other, "--lvc") if other else checkpoint.quantiser
    entropy = {"name": "raw" if spec["name"] == "none" else "adaptive"} if other else checkpoint.entropy
    output, total, packets, decoded = folder / "coded.lvc", 0, 0, []
    for batch in batches:
        geometry = lvc.Geometry(batch.shape[3], batch.shape[2])
        with lvc.Writer(
            output,
            geometry=geometry,
            time_base=Fraction(1, 3),
            model=checkpoint,
            quantiser=spec,
            entropy=entropy,
            overwrite=True,
        ) as writer:
            writer.write(lvc.FrameBatch(batch.transpose(0, 2, 3, 1), tuple(range(len(batch))), Fraction(1, 3)))
        total += output.stat().st_size
        with lvc.open(output, model=weights) as reader:
            frames = reader.frames(0, len(reader)).data.transpose(0, 3, 1, 2)
            packets += sum(len(packet.payload) for group in reader.container.groups() for packet in group.packets)
        decoded.append(np.asarray(frames))
    setting = f"{spec['name']} {spec['bits']}" if spec["name"] == "bits" else f"{spec['name']}, {entropy['name']}"
    return point_of(f"lvc {checkpoint.name}", setting, batches, decoded, total, packets), decoded


def point_of(codec: str, setting: str, batches, decoded, total: int, packets: int | None) -> Point:
    pairs = [pair for one, other in zip(batches, decoded) for pair in zip(one, other)]
    pixels = sum(len(batch) * batch.shape[2] * batch.shape[3] for batch in batches)
    similar = [
        value
        for value in (ssim(one.transpose(1, 2, 0), other.transpose(1, 2, 0)) for one, other in pairs)
        if value is not None
    ]
    per_pixel = None if packets is None else 8 * packets / pixels
    return Point(
        codec,
        setting,
        8 * total / pixels,
        per_pixel,
        mean_of_psnr(mean_squared_error(*pair) for pair in pairs),
        float(np.mean(similar)),
    )


def distances(names: list[str], batches: list[np.ndarray], decoded: list[np.ndarray]) -> dict[str, float]:
    """Means over pictures of training's measures, by name."""
    sums = dict.fromkeys(names, 0.0)
    for one, other in zip(batches, decoded):
        for pair in zip(one, other):
            source, found = (torch.from_numpy(np.array(picture))[None].float() / 255 for picture in pair)
            for name in names:
                sums[name] += distortion_of(found, source, kind=name).item()
    return {name: total / sum(map(len, batches)) for name, total in sums.items()}


def as_markdown(points: list[Point]) -> str:
    also = list(points[0].also) if points else []
    head = ["codec", "setting", "bits a pixel (whole files)", "packets alone", "PSNR dB", "SSIM", *also]
    lines = [f"| {' | '.join(head)} |", "|---" * len(head) + "|"]
    for one in points:
        packets = "" if one.packet_bits_per_pixel is None else f"{one.packet_bits_per_pixel:.4f}"
        more = "".join(f" {one.also[name]:.4f} |" for name in also)
        lines.append(
            f"| {one.codec} | {one.setting} | {one.bits_per_pixel:.4f} | {packets} | {one.psnr:.2f} | {one.ssim:.4f} "
            f"|{more}"
        )
    return "\n".join(lines) + "\n"


def draw(points: list[Point], path: Path) -> None:
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot
    from matplotlib.ticker import FormatStrFormatter, LogLocator, NullFormatter

    figure, panels = pyplot.subplots(1, 2, figsize=(12, 5), layout="constrained")
    rates = [one.bits_per_pixel for one in points]
    middle = (min(rates) * max(rates)) ** 0.5
    names = list(dict.fromkeys(one.codec for one in points))
    colours = pyplot.get_cmap("tab10" if len(names) <= 10 else "tab20").colors
    for number, name in enumerate(names):
        mine = sorted((one.bits_per_pixel, one.psnr) for one in points if one.codec == name)
        for axes in panels:
            axes.plot(
                *zip(*mine),
                color=colours[number % len(colours)],
                marker="*" if name.startswith("lvc") else ".",
                markersize=13 if name.startswith("lvc") else 7,
                label=name,
            )
    for axes, title, (low, high) in zip(
        panels, ("low rates", "high rates"), ((min(rates) / 1.2, middle), (middle, max(rates) * 1.2))
    ):
        axes.set(xlabel="bits a pixel", ylabel="PSNR RGB dB", xscale="log", xlim=(low, high), title=title)
        axes.grid(alpha=0.3, which="both")
        axes.xaxis.set(
            major_locator=LogLocator(subs=(1, 2, 5)),
            major_formatter=FormatStrFormatter("%g"),
            minor_formatter=NullFormatter(),
        )
    figure.legend(*panels[0].get_legend_handles_labels(), loc="outside lower center", ncols=6, frameon=False)
    figure.savefig(path, dpi=110)
    pyplot.close(figure)


def contact_sheet(batches: list[np.ndarray], rows: list[list[np.ndarray]]) -> Image.Image:
    """The source's first pictures in a row, each codec's in a row below."""
    chosen = [
        (number, place)
        for number, batch in enumerate(batches)
        for place in range(0, len(batch), max(1, len(batch) // SHOWN))
    ][:SHOWN]
    height = min(batches[number].shape[2] for number, _ in chosen)
    pictures = []
    for row in (batches, *rows):
        line = []
        for number, place in chosen:
            picture = Image.fromarray(np.ascontiguousarray(row[number][place].transpose(1, 2, 0)))
            line.append(np.asarray(picture.resize((picture.width * height // picture.height, height))))
        pictures.append(np.concatenate(line, axis=1))
    return Image.fromarray(np.concatenate(pictures))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("sources", nargs="+", metavar="SOURCE", help="pictures, names of scikit-image's, data sets")
    parser.add_argument(
        "--lvc",
        action="append",
        default=[],
        metavar="WEIGHTS[@QUANTISER]",
        help="a weights file, and a quantiser as in @bits:6; repeatable",
    )
    parser.add_argument("--codecs", default=",".join((*CLASSICAL, HEVC)), help="some of %(default)s")
    parser.add_argument("--split", default="test", help="split of a data set (%(default)s)")
    parser.add_argument("--limit", type=int, default=64, help="frames of a data set, evenly spread (%(default)s)")
    parser.add_argument("--also", default="", metavar="NAMES", help=f"further columns, some of {','.join(DISTORTIONS)}")
    parser.add_argument("-o", "--output", type=Path, required=True, help="folder")
    options = parser.parse_args()
    try:
        return compare(options)
    except LvcError as error:
        print(f"compare_pictures: {error}", file=sys.stderr)
        return 1


def compare(options: argparse.Namespace) -> int:
    batches = read_sources(options.sources, options)
    options.output.mkdir(parents=True, exist_ok=True)
    made_points, rows = [], []
    for name in filter(None, options.codecs.split(",")):
        made = list(hevc(batches) if name == HEVC else classical(name, batches))
        made_points += made
        rows.append(made[0][1])
    with tempfile.TemporaryDirectory() as folder:
        for weights in options.lvc:
            made_points.append(learned(weights, batches, Path(folder)))
            rows.append(made_points[-1][1])
    also = [name for name in options.also.split(",") if name]
    points = [
        replace(point, also=distances(also, batches, decoded)) if also else point for point, decoded in made_points
    ]
    (options.output / "points.json").write_text(json.dumps([asdict(point) for point in points], indent=1) + "\n")
    (options.output / "table.md").write_text(as_markdown(points))
    draw(points, options.output / "rd.png")
    contact_sheet(batches, rows).save(options.output / "pictures.png")
    print(as_markdown(points), end="")
    return 0


if __name__ == "__main__":
    sys.exit(main())
