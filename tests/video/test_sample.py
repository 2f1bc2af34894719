"""Sampled frames: which, when, what colour, whatever the source; and damage told with its place."""

import gc
import struct
import tracemalloc
from fractions import Fraction

import av
import cv2
import numpy as np
import pytest

from lvc.errors import InputError, OptionError
from lvc.frames import Geometry
from lvc.video.sample import Sampling, sampled_frames

SMALL = Geometry(48, 32)
LOSSLESS = {"crf": "1"}


def read(path, **options):
    sampling = Sampling(**{"every": 1, "geometry": SMALL, **options})
    batches = list(sampled_frames(path, sampling, batch=8))
    data = np.concatenate([batch.data for batch in batches])
    return data, [seconds for batch in batches for seconds in batch.pts_seconds]


def area(picture, geometry):
    """Average over areas by summing whole pixels: only for sizes that divide."""
    height, width = picture.shape[:2]
    blocks = picture.reshape(geometry.height, height // geometry.height, geometry.width, width // geometry.width, 3)
    return blocks.mean((1, 3))


@pytest.mark.parametrize("every", [1, 2, 7, 10, 100])
def test_every_nth_frame_with_its_timestamp(tmp_path, make_recording, gameplay, every):
    path = make_recording(tmp_path / "game.mp4", gameplay(53))
    data, seconds = read(path, every=every)
    assert seconds == [Fraction(number, 30) for number in range(0, 53, every)]
    assert data.shape == (len(seconds), 32, 48, 3)


def test_batches_are_cut_and_own_their_memory(tmp_path, make_recording, gameplay):
    path = make_recording(tmp_path / "game.mp4", gameplay(21))
    batches = list(sampled_frames(path, Sampling(every=1, geometry=SMALL), batch=8))
    assert [len(batch) for batch in batches] == [8, 8, 5]
    assert not np.shares_memory(batches[0].data, batches[1].data)


def test_variable_rate_keeps_exact_timestamps(tmp_path, make_recording, gameplay):
    pts = np.cumsum([0, *np.random.default_rng(0).integers(1, 4000, 29)]).tolist()
    path = make_recording(tmp_path / "vfr.mp4", gameplay(30), pts=pts, time_base=Fraction(1, 90_000))
    _, seconds = read(path, every=3)
    assert seconds == [Fraction(value, 90_000) for value in pts[::3]]


def test_fps_takes_the_first_frame_from_each_tick(tmp_path, make_recording, gameplay):
    pts = [0, 90, 110, 240, 250, 260, 700, 790, 800]  # milliseconds; ticks of 10 a second: 0, 100, 200, ...
    path = make_recording(tmp_path / "vfr.mkv", gameplay(9), pts=pts, time_base=Fraction(1, 1000))
    _, seconds = read(path, every=None, fps=Fraction(10))
    assert [round(1000 * second) for second in seconds] == [0, 110, 240, 700, 800]


@pytest.mark.parametrize(
    ("fps", "rate"), [(30000 / 1001, Fraction(30000, 1001)), (1 / 0.03, Fraction(100, 3)), (33.3333, Fraction(100, 3))]
)
def test_a_float_is_the_rate_that_is_meant(tmp_path, make_recording, gameplay, fps, rate):
    for given in (fps, np.float64(fps), rate):
        assert Sampling(every=None, fps=given).as_json() == {"fps": str(rate)}
    # Ten minutes after its start a frame at each tick is the first one there: a rate that is off by 1e-7 misses some.
    chosen = Sampling(every=None, fps=fps).chooser(1 / rate)
    assert all(chosen(number) for number in range(20_000))
    path = make_recording(tmp_path / "a.mp4", gameplay(30), rate=rate, time_base=1 / rate)
    assert len(read(path, every=None, fps=fps)[0]) == 30


def test_fps_of_a_steady_recording_is_every_nth(tmp_path, make_recording, gameplay):
    path = make_recording(tmp_path / "game.mp4", gameplay(60))
    assert read(path, every=None, fps=Fraction(3))[1] == read(path, every=10)[1]


@pytest.mark.parametrize(
    ("codec", "pixel_format", "suffix"),
    [
        ("libx264", "yuv420p", "mp4"),
        ("libx264", "yuv422p", "mp4"),
        ("libx264", "yuv444p", "mkv"),
        ("libx264", "yuv420p10le", "mp4"),
        ("libx264", "yuv444p10le", "mkv"),
        ("libx264rgb", "rgb24", "mkv"),
        ("ffv1", "bgra", "mkv"),
        ("ffv1", "yuv420p16le", "mkv"),
        ("mpeg4", "yuv420p", "avi"),
        ("libvpx-vp9", "yuv420p", "webm"),
    ],
)
def test_colours_of_every_kind_of_source(tmp_path, make_recording, gameplay, codec, pixel_format, suffix):
    # Blocks of 8 pixels halve to blocks of 4, so that chroma at half resolution loses nothing inside a block.
    pictures = gameplay(3, 96, 64)
    options = {"qscale": "1"} if codec == "mpeg4" else {} if codec == "ffv1" else LOSSLESS
    path = make_recording(
        tmp_path / f"game.{suffix}", pictures, codec=codec, pixel_format=pixel_format, options=options
    )
    data, _ = read(path)
    wanted = np.stack([area(picture, SMALL) for picture in pictures])
    subsampled = "420" in pixel_format or "422" in pixel_format
    error = np.abs(data - wanted).mean()
    # The bound for subsampled chroma is its smearing over the edges of the maze's blocks.
    assert error < (14 if subsampled else 2.5)
    assert np.abs((data - wanted).mean()) < 1.5, "a wrong range or matrix shifts all colours"


@pytest.mark.parametrize("colorspace", ["ITU709", "ITU601"])
@pytest.mark.parametrize("color_range", ["MPEG", "JPEG"])
def test_matrix_and_range_of_the_stream_are_respected(tmp_path, make_recording, colorspace, color_range):
    from av.video.reformatter import ColorRange, Colorspace

    colours = np.array([[255, 0, 0], [0, 255, 0], [0, 0, 255], [200, 120, 40], [255, 255, 255], [16, 16, 16]], np.uint8)
    picture = np.repeat(np.repeat(colours[None], 32, 0), 16, 1)  # six bars, 16 pixels wide
    path = make_recording(
        tmp_path / "bars.mp4",
        [picture] * 2,
        pixel_format="yuv444p",
        options=LOSSLESS,
        colorspace=Colorspace[colorspace],
        color_range=ColorRange[color_range],
    )
    data, _ = read(path, geometry=Geometry(96, 32))
    middle = data[0, 16, 8::16]
    assert np.abs(middle.astype(int) - colours).max() <= 4


def test_area_average_matches_opencv(tmp_path, make_recording, gameplay):
    pictures = gameplay(1, 250, 190)  # 250 / 48 and 190 / 32 are no whole numbers
    path = make_recording(tmp_path / "game.mkv", pictures, codec="ffv1", pixel_format="bgra")
    data, _ = read(path)
    wanted = cv2.resize(pictures[0], (48, 32), interpolation=cv2.INTER_AREA)
    assert np.abs(data[0].astype(int) - wanted).mean() < 1


@pytest.mark.parametrize("size", [(1, 1), (3, 5), (97, 61), (200, 2)])
def test_odd_and_tiny_sizes(tmp_path, make_recording, gameplay, size):
    pictures = gameplay(2, *size)
    path = make_recording(tmp_path / "odd.mkv", pictures, codec="ffv1", pixel_format="yuv444p")
    data, _ = read(path)
    assert data.shape == (2, 32, 48, 3)
    assert np.abs(data.mean((1, 2)) - np.stack(pictures).mean((1, 2))).max() < 12


TURNS = {  # of the pictures clockwise: matrix of tkhd (ISO/IEC 14496-12, section 8.3.2): x' = ax + cy, y' = bx + dy
    0: (1, 0, 0, 1),
    90: (0, 1, -1, 0),
    180: (-1, 0, 0, -1),
    270: (0, -1, 1, 0),
}


def turned(path, matrix):
    """Writes a display matrix into an mp4: (a, b, c, d) of its upper left."""
    content = bytearray(path.read_bytes())
    start = content.index(b"tkhd") + 4 + 40
    a, b, c, d = (round(value * 65536) for value in matrix)
    struct.pack_into(">9i", content, start, a, b, 0, c, d, 0, 0, 0, 1 << 30)
    path.write_bytes(content)
    return path


@pytest.mark.parametrize("turn", TURNS)
def test_rotation_flags_turn_the_picture(tmp_path, make_recording, turn):
    picture = np.zeros((64, 96, 3), np.uint8)
    picture[:32, :48] = (255, 0, 0)  # red top left
    picture[:32, 48:] = (0, 255, 0)  # green top right
    path = turned(
        make_recording(tmp_path / "turned.mp4", [picture] * 2, pixel_format="yuv444p", options=LOSSLESS), TURNS[turn]
    )
    data, _ = read(path)
    wanted = np.rot90(picture, -turn // 90)
    corners = [(4, 4), (4, -5), (-5, 4), (-5, -5)]
    for row, column in corners:
        assert np.abs(data[0, row, column].astype(int) - wanted[row, column]).max() <= 4


@pytest.mark.parametrize(
    ("matrix", "reason"), [((0.7071, 0.7071, -0.7071, 0.7071), "only quarter turns"), ((-1, 0, 0, 1), "mirrored")]
)
def test_other_matrices_are_refused(tmp_path, make_recording, gameplay, matrix, reason):
    path = turned(make_recording(tmp_path / "turned.mp4", gameplay(2)), matrix)
    with pytest.raises(InputError, match=rf"turned\.mp4: .*{reason}"):
        read(path)


def test_a_recording_cut_off_gives_its_frames_and_then_says_so(tmp_path, make_recording, gameplay):
    pictures = [picture ^ np.uint8(number) for number, picture in enumerate(gameplay(240, 160, 120))]
    path = make_recording(tmp_path / "cut.mp4", pictures, options={"g": "15"})
    content = path.read_bytes()
    moved = fast_start(content)
    path.write_bytes(moved[: len(moved) * 6 // 10])
    seen = []
    with pytest.raises(InputError, match=r"cut\.mp4: (was cut off|is damaged)"):
        for batch in sampled_frames(path, Sampling(every=1, geometry=SMALL)):
            seen.extend(batch.pts)
    assert 60 < len(seen) < 240


def fast_start(content: bytes) -> bytes:
    """Moves moov before mdat and its chunk offsets with it: cut behind it, such a file can still be opened."""
    boxes, position = {}, 0
    while position < len(content):
        length, kind = struct.unpack_from(">I4s", content, position)
        boxes[kind] = content[position : position + length]
        position += length
    moov = bytearray(boxes.pop(b"moov"))
    start = moov.index(b"stco") + 4
    count = struct.unpack_from(">I", moov, start + 4)[0]
    for entry in range(count):
        place = start + 8 + 4 * entry
        struct.pack_into(">I", moov, place, struct.unpack_from(">I", moov, place)[0] + len(moov))
    return boxes.pop(b"ftyp") + bytes(moov) + b"".join(boxes.values())


def test_without_its_index_an_mp4_is_refused(tmp_path, make_recording, gameplay):
    path = make_recording(tmp_path / "cut.mp4", gameplay(30))
    path.write_bytes(path.read_bytes()[:-200])
    with pytest.raises(InputError, match=r"cut\.mp4: cannot be read as a video"):
        read(path)


def test_sampling_that_makes_no_sense_is_refused():
    for options in (
        {"every": 0},
        {"every": 1.5},
        {"every": None},
        {"every": 10, "fps": Fraction(3)},
        {"every": None, "fps": 0},
    ):
        with pytest.raises(OptionError):
            Sampling(**options)


def test_memory_does_not_grow_with_the_recording(tmp_path, make_recording, gameplay):
    def peak(count):
        path = make_recording(tmp_path / f"{count}.mp4", gameplay(20) * (count // 20), options={"preset": "ultrafast"})
        tracemalloc.start()
        for _ in sampled_frames(path, Sampling(every=1, geometry=SMALL), batch=8):
            pass
        size = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return size

    kept = 720 * 3 * 32 * 48  # bytes, if the frames were kept
    assert peak(800) < peak(80) + kept / 8


def test_decoded_pictures_are_let_go_at_once(tmp_path, make_recording, gameplay):
    # Of 1080p a picture is 3 MB, and the garbage collector, which counts objects, would come much too late.
    path = make_recording(tmp_path / "game.mp4", gameplay(120))
    gc.collect()
    gc.disable()
    try:
        read(path)
        # Isinstance would ask weak references, too, which may be dead
        alive = sum(type(thing) is av.VideoFrame for thing in gc.get_objects())
    finally:
        gc.enable()
    assert alive <= 2
