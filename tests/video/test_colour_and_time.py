"""Colours and times laid bare: sources whose pixels and times are known, over containers, codecs, pixel formats,
matrices, ranges, B-frames, variable rates and offsets, pair by pair. Each is read right, or refused by name.

What is put in is computed here, by the formulas of ITU-R BT.601, BT.709, BT.2020 and SMPTE 240M, and not by swscale,
which reads it. `make test-inputs` runs all, `make test` every 16th.
"""

import itertools
import random
from fractions import Fraction

import av
import numpy as np
import pytest

from lvc.errors import InputError
from lvc.frames import Geometry
from lvc.video.sample import Sampling, sampled_frames

BLOCK, FRAMES = 16, 12
SIZES = [Geometry(96, 64), Geometry(90, 58), Geometry(91, 59)]  # macroblocks that are whole, and cut; odd ones
COUNT, REFUSED = 480, 60  # combinations that are tried, and how many of them at most are to be refused
WEIGHTS = {
    "ITU709": (0.2126, 0.0722),
    "ITU601": (0.299, 0.114),
    "SMPTE240M": (0.212, 0.087),
    "BT2020": (0.2627, 0.0593),
    "FCC": (0.30, 0.11),
}
CODE = {None: 2, "ITU709": 1, "FCC": 4, "ITU601": 6, "SMPTE240M": 7, "YCgCo": 8, "BT2020": 9}  # of H.273
X264 = {"qp": "0", "preset": "ultrafast"}
CODECS = {  # options that lose nothing, or little; levels that may be lost
    "libx264": (X264, 0),
    "libx264rgb": (X264, 0),
    "libx265": ({"preset": "ultrafast", "x265-params": "lossless=1:log-level=none"}, 0),
    "ffv1": ({}, 0),
    "libvpx-vp9": ({"lossless": "1", "deadline": "realtime", "cpu-used": "8"}, 0),
    "mpeg4": ({"qscale": "1"}, 10),
    "mjpeg": ({"qscale": "1"}, 10),
}
FORMATS = {
    "libx264": ["yuv420p", "yuv422p", "yuv444p", "yuv420p10le", "yuv444p10le", "gray"],
    "libx264rgb": ["rgb24"],
    "libx265": ["yuv420p", "yuv444p", "yuv420p10le"],
    "ffv1": ["yuv420p", "yuv422p", "yuv444p", "yuv420p10le", "yuv444p16le", "gray", "bgr0"],
    "libvpx-vp9": ["yuv420p", "yuv444p"],
    "mpeg4": ["yuv420p"],
    "mjpeg": ["yuvj420p", "yuvj444p"],
}
CONTAINERS = {
    "mp4": {"libx264", "libx264rgb", "libx265", "libvpx-vp9", "mpeg4", "mjpeg"},
    "mov": {"libx264", "libx264rgb", "libx265", "mpeg4", "mjpeg"},
    "mkv": set(CODECS),
    "avi": {"libx264", "libx264rgb", "ffv1", "mpeg4", "mjpeg"},
    "ts": {"libx264", "libx265", "mpeg4"},
    "flv": {"libx264"},
    "nut": {"libx264", "ffv1", "mpeg4", "mjpeg"},
    "webm": {"libvpx-vp9"},
}
FACTORS = {
    "container": list(CONTAINERS),
    "size": SIZES,
    "picture": [(codec, form) for codec, forms in FORMATS.items() for form in forms],
    "matrix": [None, "ITU709", "ITU601", "BT2020", "SMPTE240M", "FCC", "YCgCo"],
    "range": [None, "limited", "full"],
    "transfer": [None, "BT709", "PQ", "HLG", "BT2020 primaries"],
    "b_frames": [0, 3],
    "variable": [False, True],
    "offset": [0, 3, -2],  # frames
}
TRANSFERS = {None: (2, 2), "BT709": (1, 1), "PQ": (16, 9), "HLG": (18, 9), "BT2020 primaries": (1, 9)}
# Formats whose muxers keep the times as they are put in; others shift them to begin where they like.
ABSOLUTE = ("mkv", "webm")
EDITED = ("mp4", "mov")


def makes_sense(one: dict) -> bool:
    """Whether there is such a source: the container holds the codec, and what is tagged is stored."""
    codec, form = one["picture"]
    tagged = codec in ("libx264", "libx265") or (codec == "ffv1" and one["container"] == "mkv")
    coloured = form not in ("gray", "rgb24", "bgr0")
    return (
        codec in CONTAINERS[one["container"]]
        # Odd sides are of formats that halve nothing.
        and (one["size"] != SIZES[2] or "444" in form or not form.startswith("yuv"))
        and (one["matrix"] is None or (tagged and coloured))
        and (one["range"] is None or (tagged and coloured) or (codec == "mjpeg" and one["range"] == "full"))
        and (codec != "mjpeg" or one["range"] == "full")
        and (one["transfer"] is None or tagged)
        and (one["b_frames"] == 0 or codec in ("libx264", "libx264rgb", "libx265", "mpeg4"))
        and not (one["container"] == "avi" and one["offset"])  # AVI begins at 0
        # Which primaries a matrix of BT.2020 implies is left to the tag.
        and not (one["matrix"] == "YCgCo" and codec == "libx265")
    )


def refused_for(one: dict) -> str | None:
    if one["transfer"] in ("PQ", "HLG"):
        return f"is HDR or of a wide gamut ({one['transfer']}"
    if one["transfer"] == "BT2020 primaries":
        return "is HDR or of a wide gamut (BT.2020)"
    return "by the matrix YCgCo" if one["matrix"] == "YCgCo" else None


def pairs_of(one: dict) -> set:
    """The pairs of values that stand in a combination."""
    return {((a, str(one[a])), (b, str(one[b]))) for a, b in itertools.combinations(FACTORS, 2)}


def combinations() -> list[dict]:
    """COUNT of them that make sense: of those to be read until every pair of values stands in one, and then at random.

    At most REFUSED of them are to be refused.
    """
    generator = random.Random(15)
    names = list(FACTORS)
    everything = [dict(zip(names, values)) for values in itertools.product(*FACTORS.values())]
    possible = [one for one in everything if makes_sense(one)]
    generator.shuffle(possible)
    read = [one for one in possible if refused_for(one) is None]
    refused = [one for one in possible if refused_for(one) is not None]
    chosen = [*paired(read), *paired(refused)[:REFUSED]]
    seen = {named(one) for one in chosen}
    return chosen + [one for one in read if named(one) not in seen][: COUNT - len(chosen)]


def paired(possible: list[dict]) -> list[dict]:
    """Some of these in which all pairs of values stand that stand in any: the one that adds most of 40, and so on."""
    missing = set().union(*map(pairs_of, possible))
    chosen, rest = [], iter(possible)
    while missing:
        best = max(itertools.islice(rest, 40), key=lambda one: len(pairs_of(one) & missing), default=None)
        if best is None:  # the last pairs are rare: those that have them
            for one in possible:
                if pairs_of(one) & missing:
                    chosen.append(one)
                    missing -= pairs_of(one)
        elif pairs_of(best) & missing:
            chosen.append(best)
            missing -= pairs_of(best)
    return chosen


def named(one: dict) -> str:
    codec, form = one["picture"]
    words = [one["container"], str(one["size"]), codec, form, one["matrix"], one["range"], one["transfer"]]
    words += ["B" * bool(one["b_frames"]), "VFR" * one["variable"], f"{one['offset']:+d}" if one["offset"] else ""]
    return " ".join(filter(None, words))


def colours_of(form: str, size: Geometry) -> np.ndarray:
    """uint8 [FRAMES, rows, columns, 3]: a block each; the last row tells the frame's number in black and white."""
    generator = np.random.default_rng(7)
    rows, columns = -(-size.height // BLOCK), -(-size.width // BLOCK)
    colours = generator.integers(0, 256, (FRAMES, rows, columns, 3)).astype(np.uint8)
    colours[:, 0] = [[255, 0, 0], [0, 255, 0], [0, 0, 255], [255, 255, 255], [0, 0, 0], [255, 255, 0]]
    for number in range(FRAMES):
        colours[number, -1] = [[255 * (number >> bit & 1)] * 3 for bit in range(columns)]
    if form == "gray":
        colours[:] = colours[..., :1]
    return colours


def planes_of(colours: np.ndarray, form: str, matrix: str | None, full: bool) -> list[np.ndarray]:
    """Planes of pictures of blocks, computed in real numbers and rounded once."""
    bits = int(form.split("p")[1].removesuffix("le") or 8) if form.startswith("yuv4") and form[-1] == "e" else 8
    rgb = colours.astype(float) / 255
    if form == "gray":
        level = 255 * rgb[..., 0] if full else 16 + 219 * rgb[..., 0]
        return [enlarged(np.rint(level), BLOCK, BLOCK).astype(np.uint8)]
    red, blue = WEIGHTS.get(matrix or "ITU601", WEIGHTS["ITU601"])
    luma = rgb @ [red, 1 - red - blue, blue]
    chroma = [(rgb[..., 2] - luma) / (2 - 2 * blue), (rgb[..., 0] - luma) / (2 - 2 * red)]
    most, unit = 2**bits - 1, 2 ** (bits - 8)
    kind = np.uint8 if bits == 8 else np.uint16
    values = [luma * most if full else (16 + 219 * luma) * unit]
    values += [(one * most if full else 224 * one * unit) + 128 * unit for one in chroma]
    halves = {"420": (2, 2), "422": (1, 2), "444": (1, 1)}[form.removeprefix("yuvj").removeprefix("yuv")[:3]]
    sizes = [(BLOCK, BLOCK)] + [(BLOCK // halves[0], BLOCK // halves[1])] * 2
    return [enlarged(np.clip(np.rint(value), 0, most), *size).astype(kind) for value, size in zip(values, sizes)]


def enlarged(values: np.ndarray, height: int, width: int) -> np.ndarray:
    return np.repeat(np.repeat(values, height, axis=-2), width, axis=-1)


def frame_of(colours: np.ndarray, form: str, matrix: str | None, full: bool, size: Geometry) -> av.VideoFrame:
    if form in ("rgb24", "bgr0"):
        whole = np.repeat(np.repeat(colours, BLOCK, axis=0), BLOCK, axis=1)[: size.height, : size.width]
        frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(whole), format="rgb24")
        return frame if form == "rgb24" else frame.reformat(format="bgr0")
    frame = av.VideoFrame(size.width, size.height, form)
    for plane, values in zip(frame.planes, planes_of(colours, form, matrix, full)):
        lines = np.zeros((plane.height, plane.line_size), np.uint8)
        whole = np.ascontiguousarray(values[: plane.height, : plane.width]).view(np.uint8)
        lines[:, : whole.shape[1]] = whole
        plane.update(lines.tobytes())
    return frame


def made(path, one: dict) -> tuple[np.ndarray, list[Fraction]]:
    """Writes a source; gives its colours and times."""
    (codec, form), size = one["picture"], one["size"]
    colours = colours_of(form, size)
    # H.264 says of grey, as of colours, that it is of limited range; FFV1 says nothing, and FFmpeg takes it for full.
    full = one["range"] == "full" or form.startswith("yuvj") or (codec, form) == ("ffv1", "gray")
    base = Fraction(1, 30)
    steps = [1, 2, 1, 1, 3, 1, 1, 2, 1, 4, 1] if one["variable"] else [1] * (FRAMES - 1)
    pts = [one["offset"] + sum(steps[:number]) for number in range(FRAMES)]
    options, _ = CODECS[codec]
    with av.open(str(path), "w") as output:
        stream = output.add_stream(codec, rate=30, options={"threads": "1", **options})
        stream.width, stream.height, stream.pix_fmt, stream.time_base = size.width, size.height, form, base
        context = stream.codec_context
        context.time_base = base
        if one["b_frames"]:
            context.max_b_frames = one["b_frames"]
        else:
            context.max_b_frames = 0
        transfer, primaries = TRANSFERS[one["transfer"]]
        tags = {"color_trc": transfer, "color_primaries": primaries}
        if form not in ("gray", "rgb24", "bgr0"):
            tags |= {
                "colorspace": CODE[one["matrix"]],
                "color_range": 2 if full else {"limited": 1}.get(one["range"], 0),
            }
        for name, value in tags.items():
            if value not in ((2,) if name != "color_range" else (0,)):
                setattr(context, name, value)
        for number in range(FRAMES):
            frame = frame_of(colours[number], form, one["matrix"], full, size)
            frame.pts, frame.time_base = pts[number], base
            for name, value in tags.items():
                setattr(frame, name, value)
            output.mux(stream.encode(frame))
        output.mux(stream.encode(None))
    return colours, [time * base for time in pts]


def middles(data: np.ndarray) -> np.ndarray:
    """Mean colours [T, rows, columns, 3] of the middle halves of blocks; of a block that is cut, up to its edge."""
    edges = [range(0, side, BLOCK) for side in data.shape[1:3]]
    found = np.empty((len(data), *map(len, edges), 3))
    for row, top in enumerate(edges[0]):
        for column, left in enumerate(edges[1]):
            inside = [
                slice(start + BLOCK // 4, side if start + BLOCK >= side else start + 3 * BLOCK // 4)
                for start, side in zip((top, left), data.shape[1:3])
            ]
            found[:, row, column] = data[:, *inside].mean(axis=(1, 2))
    return found


ALL = combinations()
SPARE = [one if place % 16 == 0 else pytest.param(one, marks=pytest.mark.inputs) for place, one in enumerate(ALL)]


@pytest.mark.parametrize("one", SPARE, ids=lambda one: named(one))
def test_colours_and_times_are_those_that_were_put_in(tmp_path, one):
    path = tmp_path / f"source.{one['container']}"
    colours, times = made(path, one)
    notes = []
    try:
        batches = list(sampled_frames(path, Sampling(every=1, geometry=one["size"]), notes=notes))
    except InputError as error:
        assert refused_for(one) is not None and refused_for(one) in str(error)
        return
    assert refused_for(one) is None
    data = np.concatenate([batch.data for batch in batches])
    # The muxer's edit list leaves out what is before 0, by a player's reading too.
    first = -one["offset"] if one["offset"] < 0 and one["container"] in EDITED else 0
    colours, times = colours[first:], times[first:]
    count = FRAMES - first
    assert len(data) == count, "every frame, once"
    found = middles(data)
    numbers = ((found[:, -1, :, 0] > 127) << np.arange(found.shape[2])).sum(axis=1)
    assert numbers.tolist() == list(range(first, FRAMES)), "in the order of display"
    # Half a level of each plane's rounding, which blue's weight of chroma makes 1.1 at limited range, and what
    # swscale's quick arithmetic adds.
    assert np.abs(found - colours).max() <= 3 + CODECS[one["picture"][0]][1]
    seconds = [time for batch in batches for time in batch.pts_seconds]
    tick = batches[0].time_base
    apart = [abs((time - seconds[0]) - (exact - times[0])) for time, exact in zip(seconds, times)]
    assert max(apart) <= (tick if tick > Fraction(1, 10_000) else Fraction(1, 90_000)), (
        "at their times, as far as ticks tell"
    )
    if one["container"] in ABSOLUTE and one["offset"] >= 0:
        assert abs(seconds[0] - times[0]) <= tick


def test_every_pair_of_values_is_tried():
    assert len(ALL) == COUNT and len({named(one) for one in ALL}) == COUNT
    assert sum(refused_for(one) is not None for one in ALL) <= REFUSED
    tried = set().union(*(pairs_of(one) for one in ALL if refused_for(one) is None))
    values = itertools.product(*FACTORS.values())
    everything = (dict(zip(FACTORS, those)) for those in values)
    for one in everything:
        if makes_sense(one) and refused_for(one) is None:
            assert pairs_of(one) <= tried, one
