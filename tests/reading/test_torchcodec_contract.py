"""The contract with users of torchcodec's decoder: each line below is tried on an lvc file and, where torchcodec is
installed, on an mp4 of the same recording. The same frames, times and kinds of error are expected, but for the
differences that are named here, each of which stands in docs/torchcodec.md too.
"""

import dataclasses
import io
import pickle
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

import lvc
from lvc.frames import FrameBatch, Geometry
from lvc.reading.given_times import GivenTime

DOCUMENT = Path(__file__).parents[2] / "docs/torchcodec.md"
TENTH = Fraction(1, 10)
COUNT = 20
# Frame 12 is shown for three tenths of a second, all others for one.
TICKS = [number if number <= 12 else number + 2 for number in range(COUNT)]
TIMES = [ticks / 10 for ticks in TICKS]
END = 2.2


@pytest.fixture(scope="module")
def recording(tmp_path_factory, make_recording):
    """(lvc file, mp4) of the same 20 pictures of noise, 40x32, which any codec keeps apart."""
    folder = tmp_path_factory.mktemp("contract")
    # Grey blocks of 8x8: what survives H.264's halved colours.
    blocks = np.random.default_rng(3).integers(0, 256, (COUNT, 4, 5), np.uint8)
    pictures = np.repeat(blocks.repeat(8, 1).repeat(8, 2)[..., None], 3, axis=3)
    coded = folder / "game.lvc"
    with lvc.Writer(
        coded, geometry=Geometry(40, 32), time_base=TENTH, frame_duration=1, model="lossless", keyint=6
    ) as writer:
        writer.write(FrameBatch(pictures, tuple(TICKS), TENTH))
    film = make_recording(
        folder / "game.mp4",
        list(pictures),
        pts=TICKS,
        time_base=TENTH,
        rate=10,
        options={"crf": "4", "g": "6", "bf": "0"},
    )
    return coded, film


@pytest.fixture(scope="module")
def ours(recording):
    with lvc.VideoDecoder(recording[0]) as decoder:
        yield decoder


@pytest.fixture(scope="module")
def theirs(recording):
    decoders = pytest.importorskip("torchcodec.decoders", exc_type=(ImportError, RuntimeError))
    return decoders.VideoDecoder(str(recording[1]))


@pytest.fixture(params=["ours", "theirs"])
def decoder(request):
    return request.getfixturevalue(request.param)


@dataclasses.dataclass(frozen=True)
class Line:
    """A call, and the numbers of the frames that it gives, or its kind of error.

    times: of these frames, where they are not their own. torchcodec: what it gives instead, where it differs.
    """

    call: str
    gives: list | type
    times: list | None = None
    torchcodec: list | type | None = None

    def expected(self, is_theirs: bool):
        return self.torchcodec if is_theirs and self.torchcodec is not None else self.gives


ALL = list(range(COUNT))
LINES = [
    # By number and slice
    Line("decoder[3]", [3]),
    Line("decoder[-1]", [19]),
    Line("decoder[np.int64(4)]", [4]),
    Line("decoder[2:7]", ALL[2:7]),
    Line("decoder[-4:]", ALL[-4:]),
    Line("decoder[1:18:4]", ALL[1:18:4]),
    Line("decoder[:]", ALL),
    Line("decoder[5:5]", []),
    Line("decoder[20]", IndexError),
    Line("decoder[-21]", IndexError),
    Line("decoder['first']", TypeError),
    Line("decoder[1.0]", TypeError),
    Line("decoder[::0]", ValueError),
    Line("decoder[torch.tensor(3)]", [3], torchcodec=TypeError),
    Line("decoder[18:3:-5]", ALL[18:3:-5], torchcodec=RuntimeError),
    Line("decoder[9:2]", [], torchcodec=RuntimeError),
    Line("list(decoder)[7]", [7]),
    Line("decoder.get_frame_at(3)", [3]),
    Line("decoder.get_frame_at(-2)", [18]),
    Line("decoder.get_frame_at(np.int32(2))", [2]),
    Line("decoder.get_frame_at(torch.tensor(2))", [2]),
    Line("decoder.get_frame_at(20)", IndexError),
    Line("decoder.get_frame_at(-21)", IndexError),
    Line("decoder.get_frame_at(1.0)", TypeError, torchcodec=RuntimeError),
    Line("decoder.get_frames_at([7, 0, 7, -1])", [7, 0, 7, 19]),
    Line("decoder.get_frames_at((1, 2))", [1, 2]),
    Line("decoder.get_frames_at(range(3))", [0, 1, 2]),
    Line("decoder.get_frames_at(np.array([1, 2]))", [1, 2]),
    Line("decoder.get_frames_at(torch.tensor([5, 1]))", [5, 1]),
    Line("decoder.get_frames_at(torch.tensor([5, -1], dtype=torch.int32))", [5, 19]),
    Line("decoder.get_frames_at(torch.tensor([0.0, 10.0]))", [0, 10]),
    Line("decoder.get_frames_at([0, 20])", IndexError),
    Line("decoder.get_frames_at([-21])", IndexError),
    Line("decoder.get_frames_at([])", [], torchcodec=RuntimeError),
    Line("decoder.get_frames_at([1.0])", TypeError, torchcodec=RuntimeError),
    Line("decoder.get_frames_at(torch.tensor([1.7]))", TypeError, torchcodec=[1]),
    Line("decoder.get_frames_in_range(2, 8)", ALL[2:8]),
    Line("decoder.get_frames_in_range(2, 8, 3)", ALL[2:8:3]),
    Line("decoder.get_frames_in_range(start=2, stop=8, step=4)", ALL[2:8:4]),
    Line("decoder.get_frames_in_range(-3, 100)", ALL[-3:]),
    Line("decoder.get_frames_in_range(-100, -15)", ALL[:-15]),
    Line("decoder.get_frames_in_range(0, 10, None)", ALL[:10]),
    Line("decoder.get_frames_in_range(100, 200)", []),
    Line("decoder.get_frames_in_range(4, 4)", []),
    Line("decoder.get_frames_in_range(1.0, 2)", TypeError),
    Line("decoder.get_frames_in_range(0, 10, 0)", ValueError),
    Line("decoder.get_frames_in_range(-3, 2)", [], torchcodec=RuntimeError),
    Line("decoder.get_frames_in_range(9, 0, -2)", ALL[9:0:-2], torchcodec=RuntimeError),
    # By time
    Line("decoder.get_frame_played_at(0)", [0]),
    Line("decoder.get_frame_played_at(0.7)", [7]),
    Line("decoder.get_frame_played_at(0.6999)", [6]),
    Line("decoder.get_frame_played_at(1.49)", [12]),
    Line("decoder.get_frame_played_at(1.5)", [13]),
    Line("decoder.get_frame_played_at(2.19)", [19]),
    Line("decoder.get_frame_played_at(np.float64(0.7))", [7]),
    Line("decoder.get_frame_played_at(np.float32(0.3))", [3]),
    Line("decoder.get_frame_played_at(torch.tensor(0.3))", [3]),
    Line("decoder.get_frame_played_at(Fraction(7, 10))", [7]),
    Line("decoder.get_frame_played_at(np.float32(0.7))", [7], torchcodec=[6]),
    Line("decoder.get_frame_played_at(-0.1)", IndexError),
    Line("decoder.get_frame_played_at(2.2)", IndexError),
    Line("decoder.get_frame_played_at(float('nan'))", IndexError),
    Line("decoder.get_frame_played_at(float('inf'))", IndexError),
    Line("decoder.get_frame_played_at('a')", TypeError),
    Line("decoder.get_frame_played_at(None)", TypeError),
    Line("decoder.get_frames_played_at([1.2, 0.05, 1.2])", [12, 0, 12]),
    Line("decoder.get_frames_played_at((0.1, 0.2))", [1, 2]),
    Line("decoder.get_frames_played_at(0.5)", [5]),
    Line("decoder.get_frames_played_at([])", []),
    Line("decoder.get_frames_played_at(np.array([0.7, 0.3]))", [7, 3]),
    Line("decoder.get_frames_played_at(torch.tensor([0.7, 0.3], dtype=torch.float64))", [7, 3]),
    Line("decoder.get_frames_played_at(torch.tensor([0.75, 0.3]))", [7, 3]),
    Line("decoder.get_frames_played_at([torch.tensor(0.3), 1])", [3, 10]),
    Line("decoder.get_frames_played_at([Fraction(7, 10)])", [7]),
    Line("decoder.get_frames_played_at(torch.tensor([0.7, 0.3]))", [7, 3], torchcodec=[6, 3]),
    Line("decoder.get_frames_played_at(np.array([0.7, 0.3], np.float32))", [7, 3], torchcodec=[6, 3]),
    Line("decoder.get_frames_played_at([0, -1.0])", IndexError, torchcodec=RuntimeError),
    Line("decoder.get_frames_played_at([2.2])", IndexError, torchcodec=RuntimeError),
    Line("decoder.get_frames_played_at([float('nan')])", IndexError, torchcodec=RuntimeError),
    Line("decoder.get_frames_played_at(['a'])", ValueError),
    Line("decoder.get_frames_played_at(None)", ValueError),
    # By range of times
    Line("decoder.get_frames_played_in_range(0, 0.5)", ALL[:5]),
    Line("decoder.get_frames_played_in_range(0.05, 0.35)", ALL[:4]),
    Line("decoder.get_frames_played_in_range(0.15, 0.16)", [1]),
    Line("decoder.get_frames_played_in_range(1.3, 1.6)", [12, 13]),
    Line("decoder.get_frames_played_in_range(start_seconds=1.5, stop_seconds=2.2)", ALL[13:]),
    Line("decoder.get_frames_played_in_range(torch.tensor(0.0), torch.tensor(0.5))", ALL[:5]),
    Line("decoder.get_frames_played_in_range(0.2, 0.2)", []),
    Line("decoder.get_frames_played_in_range(0.5, 0.2)", ValueError),
    Line("decoder.get_frames_played_in_range(-1, 0.5)", ValueError),
    Line("decoder.get_frames_played_in_range(0, 2.21)", ValueError),
    Line("decoder.get_frames_played_in_range(2.2, 2.2)", ValueError),
    Line("decoder.get_frames_played_in_range(float('nan'), 1)", ValueError),
    Line("decoder.get_frames_played_in_range(0, float('nan'))", ValueError),
    Line("decoder.get_frames_played_in_range('a', 1)", TypeError),
    Line("decoder.get_frames_played_in_range(0.02, 0.22, fps=20)", [0, 0, 1, 1], times=[0.02, 0.07, 0.12, 0.17]),
    Line("decoder.get_frames_played_in_range(1.1, 1.7, 5)", [11, 12, 13], times=[1.1, 1.3, 1.5]),
    Line("decoder.get_frames_played_in_range(0.0, 0.5, fps=3.3)", [0, 3], times=[0.0, 1 / 3.3]),
    Line("decoder.get_frames_played_in_range(0, 0.1, fps=1)", []),
    Line("decoder.get_frames_played_in_range(0.3, 0.3, fps=4)", []),
    Line("decoder.get_frames_played_in_range(0, 1, fps=0)", ValueError, torchcodec=RuntimeError),
    Line("decoder.get_frames_played_in_range(0, 1, fps=-2.0)", ValueError, torchcodec=RuntimeError),
    Line("decoder.get_frames_played_in_range(0, 1, fps=float('nan'))", ValueError, torchcodec=RuntimeError),
    Line("decoder.get_all_frames()", ALL),
    Line("decoder.get_all_frames(fps=2)", [0, 5, 10, 13], times=[0.0, 0.5, 1.0, 1.5]),
    Line("decoder.get_all_frames(fps=-1)", ValueError, torchcodec=RuntimeError),
    # Batches and frames
    Line("decoder.get_frames_at([4, 5, 6])[1]", [5]),
    Line("decoder.get_frames_at([4, 5, 6])[-1]", [6]),
    Line("decoder.get_frames_at([4, 5, 6])[1:]", [5, 6]),
    Line("decoder.get_frames_at([4, 5, 6])[[0, 2]]", [4, 6]),
    Line("decoder.get_frames_at([4, 5, 6])[torch.tensor([True, False, True])]", [4, 6]),
    Line("decoder.get_frames_at([4, 5, 6])[3]", IndexError),
    Line("list(decoder.get_frames_at([4, 5, 6]))[2]", [6]),
    Line("[*decoder.get_frame_at(4)][0]", [4]),
]
assert len({line.call for line in LINES}) == len(LINES)


def pixels(found) -> torch.Tensor:
    data = found if isinstance(found, torch.Tensor) else found.data
    return data if data.dim() == 4 else data[None]


@pytest.fixture(scope="module")
def references():
    """Of each decoder all its frames, by number: by these a frame that it gives is told from the others."""
    kept = {}

    def of(decoder) -> torch.Tensor:
        if id(decoder) not in kept:
            frames = torch.stack([decoder[number] for number in range(COUNT)]).float()
            apart = (frames[:, None] - frames[None]).abs().mean((2, 3, 4)) + 1e6 * torch.eye(COUNT)
            assert apart.min() > 5, "the frames cannot be told from one another"
            kept[id(decoder)] = frames
        return kept[id(decoder)]

    return of


@pytest.mark.parametrize("line", LINES, ids=lambda line: line.call)
def test_same_frames_times_and_kinds_of_error(line, decoder, references, request):
    is_theirs = "theirs" in request.node.callspec.params.values()
    expected = line.expected(is_theirs)
    scope = {"decoder": decoder, "torch": torch, "np": np, "Fraction": Fraction}
    if isinstance(expected, type):
        with pytest.raises(expected):
            eval(line.call, scope)
        return
    found = eval(line.call, scope)
    data = pixels(found)
    assert data.dtype == torch.uint8 and data.shape == (len(expected), 3, 32, 40)
    known = references(decoder)
    distance = (data.float()[:, None] - known[None]).abs().mean((2, 3, 4)).reshape(len(expected), COUNT)
    assert distance.argmin(1).tolist() == expected
    assert len(expected) == 0 or distance.min(1).values.max() == 0
    if not isinstance(found, torch.Tensor):
        times = [TIMES[number] for number in expected] if line.times is None else line.times
        seconds = torch.as_tensor(found.pts_seconds, dtype=torch.float64).reshape(-1)
        durations = torch.as_tensor(found.duration_seconds, dtype=torch.float64).reshape(-1)
        # Sums of steps of 1 / fps may be rounded in another order.
        assert seconds.tolist() == pytest.approx(times, abs=1e-12)
        if line.times is None:
            assert seconds.tolist() == times
            assert durations.tolist() == pytest.approx([0.3 if number == 12 else 0.1 for number in expected], abs=1e-9)


def test_every_difference_stands_in_the_document():
    text = DOCUMENT.read_text()
    for line in LINES:
        assert (f"`{line.call}`" in text) == (line.torchcodec is not None), line.call


# Sources

OPTIONS = [
    ({"seek_mode": "exact"}, None),
    ({"seek_mode": "approximate"}, None),
    ({"seek_mode": "guess"}, ValueError),
    ({"num_ffmpeg_threads": 0}, None),
    ({"num_ffmpeg_threads": 4}, None),
    ({"num_ffmpeg_threads": None}, ValueError),
    ({"stream_index": 0}, None),
    ({"stream_index": None}, None),
    ({"stream_index": 40}, ValueError),
    ({"dimension_order": "NHWC"}, None),
    ({"dimension_order": "CHWN"}, ValueError),
    ({"dimension_order": None}, ValueError),
    ({"device": "cpu"}, None),
    ({"device": torch.device("cpu")}, None),
    ({"device": None}, None),
]


@pytest.fixture(params=["ours", "theirs"])
def opener(request, recording):
    """(how a decoder is opened, the bytes of its file, its path)."""
    if request.param == "ours":
        return lambda source, **more: lvc.VideoDecoder(source, **more), recording[0]
    decoders = pytest.importorskip("torchcodec.decoders", exc_type=(ImportError, RuntimeError))
    return decoders.VideoDecoder, recording[1]


@pytest.mark.parametrize(("options", "error"), OPTIONS, ids=str)
def test_options_of_the_constructor(opener, options, error):
    opened, path = opener
    if error is None:
        assert opened(str(path), **options)[2].shape == (
            (32, 40, 3) if options.get("dimension_order") == "NHWC" else (3, 32, 40)
        )
    else:
        with pytest.raises(error):
            opened(str(path), **options)


class ReadsAndSeeks:
    """The least that a file object can be."""

    def __init__(self, data):
        self.file = io.BytesIO(data)

    def read(self, size: int) -> bytes:
        return self.file.read(size)

    def seek(self, offset: int, whence: int) -> int:
        return self.file.seek(offset, whence)


def in_memory_filesystem(data):
    fsspec = pytest.importorskip("fsspec")
    with fsspec.open("memory://contract", "wb") as file:
        file.write(data)
    return fsspec.open("memory://contract", "rb").open()


SOURCES = {
    "str": str,
    "path": Path,
    "bytes": Path.read_bytes,
    "tensor": lambda path: torch.frombuffer(bytearray(path.read_bytes()), dtype=torch.uint8),
    "file": lambda path: path.open("rb"),
    "unbuffered file": lambda path: path.open("rb", buffering=0),
    "bytes in memory": lambda path: io.BytesIO(path.read_bytes()),
    "an object that reads and seeks": lambda path: ReadsAndSeeks(path.read_bytes()),
    "fsspec": lambda path: in_memory_filesystem(path.read_bytes()),
}


@pytest.mark.parametrize("kind", SOURCES)
def test_sources(opener, kind):
    opened, path = opener
    decoder = opened(SOURCES[kind](path))
    assert len(decoder) == COUNT
    assert torch.equal(decoder[13], opened(str(path))[13])


@pytest.mark.parametrize(
    "source", [5, None, [1, 2], io.StringIO("text"), object()], ids=lambda source: type(source).__name__
)
def test_what_is_no_source_is_a_type_error(opener, source):
    with pytest.raises(TypeError):
        opener[0](source)


def test_a_file_opened_as_text_is_a_type_error(opener):
    with DOCUMENT.open() as file, pytest.raises(TypeError, match="binary"):
        opener[0](file)


def test_sources_of_ours_alone(recording, tmp_path):
    data = recording[0].read_bytes()

    class TellsFromTell(ReadsAndSeeks):
        def seek(self, offset, whence):
            self.file.seek(offset, whence)

        def tell(self):
            return self.file.tell()

    for source in (bytearray(data), memoryview(data), TellsFromTell(data)):
        assert len(lvc.open(source)) == COUNT
    for wrong in (torch.zeros(4, 4, dtype=torch.uint8), torch.zeros(8)):
        with pytest.raises(ValueError, match="uint8"):
            lvc.open(wrong)

    class GivesText(ReadsAndSeeks):
        def read(self, size):
            return "text"

    with pytest.raises(TypeError, match="bytes"):
        lvc.open(GivesText(data))
    with pytest.raises(lvc.InputError, match=r"missing.lvc"):
        lvc.open(tmp_path / "missing.lvc")
    copy = pickle.loads(pickle.dumps(lvc.open(torch.frombuffer(bytearray(data), dtype=torch.uint8))))
    assert len(copy) == COUNT and copy[3].shape == (3, 32, 40)


# What else comes with frames


def test_channels_come_first_without_a_copy(decoder):
    for data in (decoder.get_frames_at([4, 1]).data, decoder[3:9], decoder.get_frames_played_in_range(0, 1).data):
        assert data.is_contiguous(memory_format=torch.channels_last)


def test_reprs_show_shapes_and_not_pixels(decoder):
    for value, shape in ((decoder.get_frames_at([1, 2]), "[2, 3, 32, 40]"), (decoder.get_frame_at(1), "[3, 32, 40]")):
        assert shape in repr(value) and "pts_seconds: " in repr(value) and len(repr(value)) < 300


def test_frames_unpack_and_batches_iterate(decoder):
    data, seconds, duration = decoder.get_frame_at(4)
    assert data.shape == (3, 32, 40) and (seconds, duration) == (0.4, pytest.approx(0.1))
    batch = decoder.get_frames_at([4, 12])
    assert len(batch) == 2
    first, second = batch
    assert type(first) is type(batch) and torch.equal(first.data, batch.data[0])
    assert float(second.pts_seconds) == 1.2 and float(second.duration_seconds) == pytest.approx(0.3)
    assert batch.pts_seconds.dtype == batch.duration_seconds.dtype == torch.float64


def test_metadata(decoder):
    metadata = decoder.metadata
    for names, value in (
        (("num_frames", "num_frames_from_header", "num_frames_from_content"), COUNT),
        (("width",), 40),
        (("height",), 32),
        (("stream_index",), 0),
        (("begin_stream_seconds", "begin_stream_seconds_from_content", "begin_stream_seconds_from_header"), 0),
        (
            (
                "end_stream_seconds",
                "end_stream_seconds_from_content",
                "duration_seconds",
                "duration_seconds_from_header",
            ),
            END,
        ),
        (("average_fps",), COUNT / END),
    ):
        for name in names:
            assert getattr(metadata, name) == pytest.approx(value), name
    assert decoder.stream_index == 0
    assert isinstance(metadata.codec, str) and isinstance(metadata.pixel_format, str) and metadata.bit_rate > 0
    for name in ("rotation", "color_space", "color_primaries", "color_transfer_characteristic"):
        assert getattr(metadata, name) is None
    assert not metadata.pixel_aspect_ratio  # torchcodec's 0/1 says "unknown" too


@pytest.mark.parametrize("policy", ["repeat_last", "wrap", "error"])
def test_torchcodecs_samplers_take_a_reader(ours, theirs, policy):
    samplers = pytest.importorskip("torchcodec.samplers")

    def sampled(decoder):
        torch.manual_seed(5)
        common = {"num_frames_per_clip": 3, "policy": policy}
        yield samplers.clips_at_random_indices(decoder, num_clips=4, num_indices_between_frames=2, **common)
        yield samplers.clips_at_regular_indices(decoder, num_clips=5, **common)
        yield samplers.clips_at_random_timestamps(decoder, num_clips=4, seconds_between_frames=0.17, **common)
        yield samplers.clips_at_regular_timestamps(decoder, seconds_between_clip_starts=0.4, **common)
        if policy != "error":
            yield samplers.clips_at_regular_indices(
                decoder, num_clips=3, sampling_range_start=15, sampling_range_end=20, **common
            )
            yield samplers.clips_at_regular_timestamps(
                decoder, seconds_between_clip_starts=0.3, sampling_range_start=1.2, sampling_range_end=2.1, **common
            )

    for mine, other in zip(list(sampled(ours)), list(sampled(theirs)), strict=True):
        assert type(mine) is type(other) and mine.data.shape == other.data.shape
        assert torch.equal(mine.pts_seconds, other.pts_seconds)
        torch.testing.assert_close(mine.duration_seconds, other.duration_seconds)


# Options of torchcodec's newest release, and times of low precision


def test_output_as_floats(recording, ours):
    floats = lvc.open(recording[0], output_dtype=torch.float32)
    assert floats[3].dtype == torch.float32
    assert torch.equal((floats[3] * 255).round().byte(), ours[3])
    assert (
        floats.get_frames_at([3, 4]).data.dtype == torch.float32
        and pickle.loads(pickle.dumps(floats))[3].dtype == torch.float32
    )
    assert lvc.open(recording[0], output_dtype="auto")[3].dtype == torch.uint8
    with pytest.raises(ValueError, match="output_dtype"):
        lvc.open(recording[0], output_dtype=torch.float16)


@pytest.mark.parametrize("order", ["NCHW", "NHWC"])
def test_transforms_are_called_with_each_batch(recording, ours, order):
    halved = lvc.open(
        recording[0],
        dimension_order=order,
        transforms=[lambda frames: frames[:, :, ::2, ::2], lambda frames: 255 - frames],
    )
    expected = 255 - ours[3][:, ::2, ::2]
    assert torch.equal(halved[3], expected if order == "NCHW" else expected.permute(1, 2, 0))
    with pytest.raises(ValueError, match="callable"):
        lvc.open(recording[0], transforms=["resize"])


@given(
    st.integers(-(1 << 40), 1 << 40),
    st.integers(1, 1 << 10),
    st.integers(1, 1 << 20),
    st.sampled_from([np.float16, np.float32, np.float64]),
)
def test_a_rounded_time_still_means_its_timestamp(ticks, numerator, denominator, kind):
    """The frame shown at a rounded timestamp is no earlier one, and a range up to it leaves that frame out."""
    base = Fraction(numerator, denominator)
    with np.errstate(over="ignore"):
        value = kind(float(ticks * base))
    if not np.isfinite(value):
        with pytest.raises(IndexError):
            GivenTime.of(value, base)
        return
    found = GivenTime.of(value, base)
    assert found.from_ticks <= ticks <= found.shown_at
    with np.errstate(over="ignore"):
        assert kind(float(found.shown_at * base)) <= value < kind(float((found.shown_at + 1) * base))
        assert kind(float((found.from_ticks - 1) * base)) < value <= kind(float(found.from_ticks * base))
