"""Outputs: every pixel and timestamp comes back, and nothing half written stands under the final name."""

import json
from fractions import Fraction

import av
import cv2
import numpy as np
import pytest

from lvc.errors import OptionError, OutputError
from lvc.frames import FrameBatch, Geometry
from lvc.video.mux import open_output
from lvc.video.sample import Sampling, sampled_frames

ODD = Geometry(51, 37)


def frames(count, geometry=ODD, time_base=Fraction(1, 15_360), first=0, seed=0):
    random = np.random.default_rng(seed)
    pts = first + np.cumsum([0, *random.integers(20, 4000, count - 1)])
    data = random.integers(0, 256, (count, geometry.height, geometry.width, 3), dtype=np.uint8)
    return FrameBatch(data, tuple(pts.tolist()), time_base)


def write(path, batch, **options):
    with open_output(path, geometry=batch.geometry, time_base=batch.time_base, **options) as writer:
        for start in range(0, len(batch), 8):
            writer.write(FrameBatch(batch.data[start : start + 8], batch.pts[start : start + 8], batch.time_base))


def read(path, geometry=ODD):
    batches = list(sampled_frames(path, Sampling(every=1, geometry=geometry)))
    return np.concatenate([batch.data for batch in batches]), [
        seconds for batch in batches for seconds in batch.pts_seconds
    ]


@pytest.mark.parametrize("first", [0, 7, 5120])
@pytest.mark.parametrize(
    "time_base", [Fraction(1, 15_360), Fraction(1, 30), Fraction(1001, 30_000), Fraction(1, 90_000)], ids=str
)
def test_mp4_keeps_pixels_and_exact_timestamps(tmp_path, time_base, first):
    batch = frames(19, time_base=time_base, first=first)
    write(tmp_path / "out.mp4", batch)
    data, seconds = read(tmp_path / "out.mp4")
    assert np.array_equal(data, batch.data)
    assert seconds == list(batch.pts_seconds)


@pytest.mark.parametrize("codec", ["libx264rgb", "ffv1"])
def test_mkv_keeps_pixels_and_rounds_to_milliseconds(tmp_path, codec):
    batch = frames(19)
    write(tmp_path / "out.mkv", batch, codec=codec)
    data, seconds = read(tmp_path / "out.mkv")
    assert np.array_equal(data, batch.data)
    assert seconds == [Fraction(round(1000 * second), 1000) for second in batch.pts_seconds]


def test_libx264_is_close_and_names_its_colours(tmp_path, gameplay):
    data = np.stack(gameplay(6, 96, 64))
    batch = FrameBatch(data, tuple(range(6)), Fraction(1, 3))
    write(tmp_path / "out.mp4", batch, codec="libx264")
    back, _ = read(tmp_path / "out.mp4", Geometry(96, 64))
    difference = back.astype(int) - data
    assert np.abs(difference).mean() < 14  # chroma of half the resolution, on blocks of random colours
    assert np.abs(difference.mean((0, 1, 2))).max() < 3


def test_npy_is_an_array_with_timestamps_beside_it(tmp_path):
    batch = frames(19)
    write(tmp_path / "out.npy", batch)
    assert np.array_equal(np.load(tmp_path / "out.npy", allow_pickle=False), batch.data.transpose(0, 3, 1, 2))
    beside = json.loads((tmp_path / "out.timestamps.json").read_text())
    assert beside == {"time_base": "1/15360", "pts": list(batch.pts)}


def test_npy_of_no_frames_can_be_loaded(tmp_path):
    with open_output(tmp_path / "out.npy", geometry=ODD, time_base=Fraction(1, 30)):
        pass
    assert np.load(tmp_path / "out.npy").shape == (0, 3, 37, 51)


def test_png_folder(tmp_path):
    batch = frames(11)
    write(tmp_path / "pictures", batch)
    files = sorted(path.name for path in (tmp_path / "pictures").iterdir())
    assert files == [f"frame_{number:06d}.png" for number in range(11)] + ["timestamps.json"]
    picture = cv2.imread(str(tmp_path / "pictures" / "frame_000007.png"))[:, :, ::-1]
    assert np.array_equal(picture, batch.data[7])
    assert json.loads((tmp_path / "pictures" / "timestamps.json").read_text())["pts"] == list(batch.pts)


@pytest.mark.parametrize("name", ["out.avi", "out.gif", "out.webp", "out.lvc"])
def test_other_suffixes_are_refused_and_the_allowed_named(tmp_path, name):
    with pytest.raises(OptionError, match=r"\.mp4, \.mkv or \.npy"):
        write(tmp_path / name, frames(2))


def test_codecs_that_cannot_are_refused(tmp_path):
    with pytest.raises(OptionError, match="even sides"):
        write(tmp_path / "out.mp4", frames(2), codec="libx264")
    with pytest.raises(OptionError, match="mkv"):
        write(tmp_path / "out.mp4", frames(2), codec="ffv1")
    with pytest.raises(OptionError, match="libx264rgb, libx264, ffv1"):
        write(tmp_path / "out.mp4", frames(2), codec="theora")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("suffix", ["mp4", "mkv"])
def test_times_before_zero_are_shifted_to_start_there_and_it_is_said(tmp_path, suffix):
    batch = frames(19, first=-50_000)
    with open_output(tmp_path / f"out.{suffix}", geometry=ODD, time_base=batch.time_base) as writer:
        writer.write(batch)
    assert writer.notes == [
        "its first frame is at -3.255 s, which players leave out: all times were shifted to start at 0"
    ]
    data, seconds = read(tmp_path / f"out.{suffix}")
    exact = [time - batch.pts_seconds[0] for time in batch.pts_seconds]
    assert np.array_equal(data, batch.data)
    assert (
        seconds == exact
        if suffix == "mp4"
        else all(abs(one - other) <= Fraction(1, 1000) for one, other in zip(seconds, exact))
    )


@pytest.mark.parametrize("time_base, duration", [(Fraction(1, 15_360), 5120), (Fraction(1001, 30_000), 10)])
def test_the_last_frame_of_an_mp4_lasts_as_long_as_is_stored(tmp_path, time_base, duration):
    batch = frames(5, time_base=time_base)
    write(tmp_path / "out.mp4", batch, frame_duration=duration)
    with av.open(str(tmp_path / "out.mp4")) as container:
        packets = [packet for packet in container.demux(video=0) if packet.size]
        assert packets[-1].duration * packets[-1].time_base == duration * time_base
        stream = container.streams.video[0]
        assert stream.duration * stream.time_base == (batch.pts[-1] - batch.pts[0] + duration) * time_base


def test_mkv_cannot_tell_frames_within_a_millisecond_apart(tmp_path):
    batch = frames(2)
    with pytest.raises(OutputError, match="two frames within 1/1000 s"):
        write(tmp_path / "out.mkv", FrameBatch(batch.data, (0, 3), batch.time_base))


def test_a_video_of_no_frames_is_refused(tmp_path):
    with (
        pytest.raises(OutputError, match=r"out\.mp4: there was no frame"),
        open_output(tmp_path / "out.mp4", geometry=ODD, time_base=Fraction(1, 30)),
    ):
        pass
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["out.mp4", "out.mkv", "out.npy", "pictures"])
def test_nothing_is_left_when_writing_fails(tmp_path, name):
    batch = frames(9)
    with (
        pytest.raises(RuntimeError, match="stop"),
        open_output(tmp_path / name, geometry=ODD, time_base=batch.time_base) as writer,
    ):
        writer.write(batch)
        raise RuntimeError("stop")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["out.mp4", "out.mkv", "out.npy", "pictures"])
def test_what_is_there_stays_unless_overwritten(tmp_path, name):
    write(tmp_path / name, frames(9))
    before = sorted(path.name for path in tmp_path.rglob("*"))
    with pytest.raises(OutputError, match="already"):
        write(tmp_path / name, frames(5, seed=1))
    assert sorted(path.name for path in tmp_path.rglob("*")) == before
    write(tmp_path / name, frames(5, seed=1), overwrite=True)
    if name == "pictures":
        assert len(list((tmp_path / name).glob("*.png"))) == 5
    elif name != "out.npy":
        assert len(read(tmp_path / name)[1]) == 5


def test_the_input_is_never_the_output(tmp_path):
    write(tmp_path / "game.mp4", frames(9))
    with pytest.raises(OutputError, match="also the input"):
        write(tmp_path / "game.mp4", frames(9), overwrite=True, inputs=(tmp_path / "game.mp4",))


def test_a_folder_of_other_things_is_never_replaced(tmp_path):
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "holiday.png").write_bytes(b"1")
    with pytest.raises(OutputError, match=r"holds other files, such as holiday\.png"):
        write(tmp_path / "photos", frames(2), overwrite=True)
    assert (tmp_path / "photos" / "holiday.png").exists()


def test_an_output_in_no_folder(tmp_path):
    for name in ("out.mp4", "out.npy", "pictures"):
        with pytest.raises(OutputError, match="there is no folder"):
            write(tmp_path / "nowhere" / name, frames(2))
