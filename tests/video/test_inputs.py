"""What people's recordings really hold: the inputs of tests/cases, on which a release failed, and each fault's kind."""

import itertools
import os
from fractions import Fraction

import av
import numpy as np
import pytest

from lvc.errors import InputError, OptionError
from lvc.frames import Geometry
from lvc.native.sample import GridLost, frames_with_native, native_frames
from lvc.video.decoder import timed_frames
from lvc.video.demux import opened_video, probe
from lvc.video.sample import Sampling, sampled_frames
from tests import ROOT
from tests.builders.pixel_art import game

CASES = ROOT / "tests" / "cases"
SMALL = Geometry(48, 36)
FINE = {"crf": "8", "preset": "veryfast"}


def read(path, *, frames=sampled_frames, **options):
    """Data, times in seconds, and notes, of all frames unless options say otherwise."""
    notes = []
    batches = list(frames(path, Sampling(**{"every": 1, "geometry": SMALL, **options}), notes=notes))
    times = [seconds for batch in batches for seconds in batch.pts_seconds]
    assert all(before < after for before, after in itertools.pairwise(times))
    return np.concatenate([batch.data for batch in batches]), times, notes


def packets_in(source, target, *, change=None, format=None):
    """The packets of a recording in another container. change: called with the number of each packet,
    and the packet.
    """
    with av.open(str(source)) as container, av.open(str(target), "w", format=format) as output:
        stream = container.streams.video[0]
        copy = output.add_stream_from_template(stream)
        for number, packet in enumerate(container.demux(stream)):
            if packet.dts is not None:
                if change:
                    change(number, packet)
                packet.stream = copy
                output.mux(packet)
    return target


def joined(target, *parts):
    """Transport streams, one after another."""
    target.write_bytes(b"".join(part.read_bytes() for part in parts))
    return target


# Clocks


def test_a_clock_that_starts_again_goes_on_and_it_is_said():
    data, times, notes = read(CASES / "restarted_clock.ts", every=10)
    assert times == [Fraction(132_000 + 30_000 * number, 90_000) for number in range(12)]
    assert (data[6:] == data[:6]).all(), "the same two seconds twice"
    assert notes == ["its clock starts again after frame 60: times go on from there"]


def test_frames_by_time_go_on_where_a_clock_starts_again():
    assert (
        read(CASES / "restarted_clock.ts", every=None, fps=Fraction(3))[1]
        == read(CASES / "restarted_clock.ts", every=10)[1]
    )


def test_a_clock_that_jumps_ahead_goes_on_without_the_gap(tmp_path, make_recording, gameplay):
    first = make_recording(tmp_path / "first.ts", gameplay(30))
    later = packets_in(first, tmp_path / "later.ts", change=lambda _number, packet: shift(packet, 90_000 * 3600))
    _, times, notes = read(joined(tmp_path / "jumps.ts", first, later))
    assert [time - times[0] for time in times] == [Fraction(number, 30) for number in range(60)]
    assert notes == ["its clock jumps ahead by more than 10 s after frame 30: times go on without the gap"]


def shift(packet, ticks):
    packet.pts, packet.dts = packet.pts + ticks, packet.dts + ticks


def test_a_pause_of_a_screen_recording_is_a_pause(tmp_path, make_recording, gameplay):
    pts = [*range(10), 30 * 3600, 30 * 3600 + 1]
    for suffix in ("mp4", "mkv"):
        _, times, notes = read(make_recording(tmp_path / f"pause.{suffix}", gameplay(12), pts=pts))
        assert (
            times[-2:] == [Fraction(3600), 3600 + Fraction(33 if suffix == "mkv" else Fraction(100, 3), 1000)]
            and notes == []
        )


def test_times_before_zero_are_kept():
    _, times, _ = read(CASES / "negative_times.mkv")
    assert len(times) == 120 and times[0] == Fraction(-1, 2) and times[15] == 0
    assert all(abs(time - times[0] - Fraction(number, 30)) <= Fraction(1, 1000) for number, time in enumerate(times)), (
        "as Matroska rounds them"
    )


def test_a_clock_that_wraps_runs_through():
    _, times, notes = read(CASES / "clock_wraps.ts")
    assert times == [Fraction(3000 * number - 163_592, 90_000) for number in range(120)] and notes == []


@pytest.mark.parametrize("every", [1, 10])
def test_avi_has_no_times_of_display_and_is_counted(every):
    _data, times, notes = read(CASES / "h264_bframes.avi", every=every)
    assert times == [Fraction(number, 30) for number in range(0, 120, every)] and notes == []


def test_pictures_of_avi_come_in_the_order_of_display(tmp_path, make_recording, gameplay):
    # The same packets, since converting the same pictures for an encoder twice may differ by a level.
    plain = make_recording(tmp_path / "game.ts", gameplay(40), options={"bf": "3", "g": "12"})
    data, times, _ = read(packets_in(plain, tmp_path / "game.avi"))
    wanted, wanted_times, _ = read(plain)
    assert (data == wanted).all() and times == [time - wanted_times[0] for time in wanted_times]


def test_a_stream_of_bare_packets_is_counted_and_it_is_said(tmp_path, make_recording, gameplay):
    path = make_recording(tmp_path / "game.h264", gameplay(20), options={"bf": "0"})
    _, times, notes = read(path)
    rate = Fraction(1, times[1])
    assert times == [number / rate for number in range(20)]
    assert notes == [f"it stores no times: frames were counted at {float(rate):g} a second"]


def test_frames_without_times_among_others_are_counted_from_these():
    from lvc.video.timeline import Timeline

    timeline = Timeline(period=Fraction(3003), tick=Fraction(1, 90_000))
    assert [timeline.place(stored) for stored in (0, None, None, 9009, None, 15_015)] == [
        0,
        3003,
        6006,
        9009,
        12_012,
        15_015,
    ]
    assert timeline.notes == ["3 of 6 frames have no time of their own: they were counted at the average rate"]


def test_ticks_too_long_for_the_frames_are_divided(tmp_path, make_recording, gameplay):
    pictures = gameplay(40)
    exact = make_recording(
        tmp_path / "exact.mp4", pictures, pts=list(range(40)), time_base=Fraction(1, 2000), rate=2000
    )
    path = packets_in(exact, tmp_path / "fast.mkv")
    _data, times, notes = read(path)
    assert len(times) == 40 and probe(path).time_base == Fraction(1, 2000)
    assert all(abs(time - times[0] - Fraction(number, 2000)) <= Fraction(1, 1000) for number, time in enumerate(times))
    assert notes == ["its ticks of 1/1000 s are too long for its frames: those of one tick were spread over it"]


@pytest.mark.parametrize(
    ("stored", "given", "note"),
    [
        ([0, 1, 1, 2, 3], [0, 1, 2, 3, 4], "3 of 5 frames have a time"),  # the one after the second 1 has to make room
        ([0, 40, 20, 30, 80], [0, 40, 41, 42, 80], "2 of 5 frames have a time"),
        (
            [500, 510, 0, 10, 20, 500, 0],
            [500, 510, 520, 530, 540, 1020, 1030],
            "starts again after frame 2, and 1 time more",
        ),
    ],
)
def test_times_that_do_not_go_up(stored, given, note):
    from lvc.video.timeline import Timeline

    timeline = Timeline(period=Fraction(10), tick=Fraction(1, 1000))
    assert [timeline.place(time) for time in stored] == given
    assert note in timeline.notes[0]


# Streams


@pytest.mark.parametrize(("name", "small"), [("thumbnail_first.mkv", 1), ("two_video_streams.mkv", 120)])
def test_the_stream_that_is_to_be_shown_is_read_and_it_is_said(name, small):
    data, times, notes = read(CASES / name, every=5)
    assert len(times) == 24 and (probe(CASES / name).width, probe(CASES / name).height) == (320, 240)
    assert notes == ["has 2 video streams (0: 64x48, 1: 320x240): number 1 was taken; --stream N chooses another"]
    chosen, _, notes = read(CASES / name, every=5, stream=1)
    assert (chosen == data).all() and notes == []
    assert len(read(CASES / name, stream=0)[1]) == small and probe(CASES / name, stream=0).width == 64


def test_streams_that_there_are_not_are_refused():
    with pytest.raises(InputError, match="has 2 video streams, numbered from 0, and no number 2"):
        read(CASES / "two_video_streams.mkv", stream=2)
    with pytest.raises(OptionError, match="stream"):
        Sampling(stream=-1)


def test_a_pipe_is_told_from_an_empty_file(tmp_path):
    os.mkfifo(tmp_path / "pipe.mp4")
    with pytest.raises(InputError, match="pipe.mp4: is a pipe or a device, which can be read once"):
        probe(tmp_path / "pipe.mp4")


# Pictures that change on the way


def test_a_recording_that_changes_its_size_goes_on_as_its_frames_show():
    batches = list(frames_with_native(CASES / "resolution_change.ts", Sampling(every=2, geometry=Geometry(200, 160))))
    assert sum(map(len, batches)) == 120
    assert {batch.grid for batch in batches} == {batches[0].grid}
    native = np.concatenate([batch.native for batch in batches]).astype(int)
    # The same game at both sizes: a frame after the change is much like one before it.
    assert np.abs(native[70:] - np.median(native[:60], axis=0)).mean() < 12


KINDS = {  # of a second part: size, pixel format, options of the recording
    "another size": (Geometry(640, 420), "yuv420p", {}),
    "a smaller size": (Geometry(320, 420), "yuv420p", {}),
    "full chroma": (Geometry(480, 420), "yuv444p", {}),
    "ten bits": (Geometry(480, 420), "yuv420p10le", {}),
    "full range": (Geometry(480, 420), "yuv420p", {"color_range": 2}),
    "another matrix": (Geometry(480, 420), "yuv420p", {"colorspace": 1}),
}
FIRST = Geometry(480, 420)


@pytest.mark.parametrize("at", [5, 20], ids=["before pixels are found", "after"])
@pytest.mark.parametrize("kind", KINDS)
def test_native_pixels_go_on_after_a_change(tmp_path, make_recording, kind, at):
    size, pixel_format, options = KINDS[kind]
    first = game(at, FIRST)
    second = game(6, size)
    path = joined(
        tmp_path / "joined.ts",
        make_recording(tmp_path / "first.ts", first.shown, options=FINE),
        make_recording(tmp_path / "second.ts", second.shown, pixel_format=pixel_format, options=FINE, **options),
    )
    batches = list(frames_with_native(path, Sampling(every=1, geometry=Geometry(200, 160))))
    assert [batch.grid.native for batch in batches] == [Geometry(160, 210)] * len(batches)
    found = np.concatenate([batch.native for batch in batches]).astype(int)
    wanted = np.concatenate([first.native, second.native])
    assert found.shape == wanted.shape
    # As of recordings that do not change, see test_planes.py.
    apart = np.abs(found - wanted).mean(axis=(1, 2, 3))
    assert apart.max() < 3.5, apart.round(1)


FIRST_PART, SECOND_PART = Geometry(64, 36), Geometry(96, 48)  # x265 wants 64 columns
CHANGES = {  # size, colour tags and pixel format of a second part: matrix and range by the numbers of ITU-T H.273
    "range": (FIRST_PART, {"color_range": 2, "colorspace": 5}, "yuv420p"),
    "matrix": (FIRST_PART, {"color_range": 1, "colorspace": 1}, "yuv420p"),
    "size and range": (SECOND_PART, {"color_range": 2, "colorspace": 5}, "yuv420p"),
    "pixel format and matrix": (FIRST_PART, {"color_range": 1, "colorspace": 1}, "yuv444p"),
}
CARRYING = {
    "libx264": ["ts", "mkv", "mp4", "avi", "flv", "nut", "h264"],
    "libx265": ["ts", "mkv", "mp4", "nut", "hevc"],
}


@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize("codec, suffix", [(codec, suffix) for codec in CARRYING for suffix in CARRYING[codec]])
def test_frames_that_wait_in_the_decoder_at_a_change_come_out_as_they_are_tagged(
    tmp_path, make_recording, codec, suffix, change
):
    size, tags, pixel_format = CHANGES[change]
    quiet = {"x265-params": "log-level=none"} if codec == "libx265" else {}
    options = {"bf": "3", "b_strategy": "0", "preset": "ultrafast", **quiet}
    bare = suffix if suffix in ("h264", "hevc") else "ts"
    parts = []
    for number, (pictures, kind) in enumerate(
        [(shades(11), {}), (shades(9, size), {**tags, "pixel_format": pixel_format})]
    ):
        part = tmp_path / f"part_{number}.{bare}"
        parts.append(make_recording(part, pictures, codec=codec, options=options, **kind))
    path = tmp_path / f"whole.{suffix}"
    if bare == suffix:
        joined(path, *parts)
    else:
        appended(path, *parts)
    with opened_video(path) as (container, stream):
        frames = [frame for frame, _ in timed_frames(container, stream, path)]
    # FFmpeg names 4:2:0 of full range yuvj420p.
    sizes = [(frame.width, frame.height, frame.format.name.replace("yuvj", "yuv")) for frame in frames]
    assert sizes == [(64, 36, "yuv420p")] * 11 + [(size.width, size.height, pixel_format)] * 9
    found = [(int(frame.color_range), int(frame.colorspace)) for frame in frames]
    assert found[0][1] == 2, "the first part has no tag of its own"
    assert found == [found[0]] * 11 + [(tags["color_range"], tags["colorspace"])] * 9
    levels = [frame.to_ndarray(format="gray").mean() for frame in frames]
    assert np.abs(np.diff(levels[:11]) - 20).max() < 8 and np.abs(np.diff(levels[11:]) - 20).max() < 8, "each, in order"


def shades(count, size=FIRST_PART):
    """Pictures of one grey, each 20 levels lighter than the one before."""
    return [np.full((size.height, size.width, 3), 20 + 20 * number, np.uint8) for number in range(count)]


def appended(target, *parts):
    """The packets of transport streams in one stream of another container, the later parts' times after the earlier."""
    with av.open(str(target), "w") as output:
        copy, later = None, 0
        for part in parts:
            with av.open(str(part)) as container:
                stream = container.streams.video[0]
                copy = copy or output.add_stream_from_template(stream)
                for packet in container.demux(stream):
                    if packet.dts is not None:
                        packet.pts, packet.dts, packet.stream = packet.pts + later, packet.dts + later, copy
                        output.mux(packet)
            later += 90_000
    return target


def test_a_stream_that_begins_in_mid_file_does_not_end_reading(tmp_path):
    # FFmpeg looks at 7 seconds before it says which streams there are, and at the last 250 KB.
    long, other = tmp_path / "long.ts", tmp_path / "other.ts"
    for path, count, first in ((long, 300, "256"), (other, 5, "300")):
        with av.open(str(path), "w", options={"mpegts_start_pid": first}) as output:
            stream = output.add_stream("mpeg4", rate=30)
            stream.width, stream.height, stream.pix_fmt = 48, 36, "yuv420p"
            for picture in shades(5) * (count // 5):
                output.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
            output.mux(stream.encode(None))
    padding = tmp_path / "padding.ts"
    padding.write_bytes((b"\x47\x1f\xff\x10" + bytes(184)) * 2000)
    path = joined(tmp_path / "whole.ts", long, other, padding, long)
    with av.open(str(path)) as container:
        assert len(container.streams) == 1, "the other one was not seen"
    data, _, _ = read(path)
    assert len(data) == 600


@pytest.mark.parametrize("suffix", ["ts", "h264"])
def test_what_follows_may_be_no_game(tmp_path, make_recording, suffix):
    noise = list(np.random.default_rng(1).integers(0, 256, (6, 240, 320, 3), np.uint8))
    path = joined(
        tmp_path / f"joined.{suffix}",
        make_recording(tmp_path / f"first.{suffix}", game(20, FIRST).shown, options={"bf": "0", **FINE}),
        make_recording(tmp_path / f"second.{suffix}", noise, options={"bf": "0", **FINE}),
    )
    with pytest.raises(GridLost, match="changes to frames of 320x240, which do not show the game of 160x210 pixels"):
        list(frames_with_native(path, Sampling(every=1, geometry=Geometry(200, 160))))
    with pytest.raises(InputError):
        list(native_frames(path, Sampling(every=1, geometry=Geometry(160, 210), native=True)))
    data, times, _ = read(path)
    assert len(times) == 26 and np.abs(data[-1].mean() - 127) < 4


def test_a_black_screen_of_another_size_is_black(tmp_path, make_recording):
    path = joined(
        tmp_path / "joined.ts",
        make_recording(tmp_path / "first.ts", game(20, FIRST).shown, options=FINE),
        make_recording(tmp_path / "second.ts", [np.zeros((240, 320, 3), np.uint8)] * 6, options=FINE),
    )
    batches = list(frames_with_native(path, Sampling(every=1, geometry=Geometry(200, 160))))
    assert np.concatenate([batch.native for batch in batches])[-6:].max() <= 3


# Colours that are constant, or missing


def grey(pictures):
    return np.repeat(np.rint(pictures @ [0.299, 0.587, 0.114]).astype(np.uint8)[..., None], 3, axis=-1)


@pytest.mark.parametrize("every", [2, 10])
def test_a_black_and_white_game_is_read(every):
    batches = list(frames_with_native(CASES / "bw_game.mp4", Sampling(every=every, geometry=Geometry(200, 160))))
    native = np.concatenate([batch.native for batch in batches])
    assert len(native) == 120 // every
    assert batches[0].grid.native == Geometry(80, 60) and np.ptp(native, axis=-1).max() <= 3, "all grey"


@pytest.mark.parametrize(
    ("codec", "pixel_format"), [("libx264", "yuv420p"), ("ffv1", "gray"), ("ffv1", "yuv444p"), ("ffv1", "bgra")]
)
def test_a_grey_game_keeps_its_levels(tmp_path, make_recording, codec, pixel_format):
    made = game(4, FIRST)
    path = make_recording(
        tmp_path / "grey.mkv",
        grey(made.shown),
        codec=codec,
        pixel_format=pixel_format,
        options=FINE if codec == "libx264" else {},
    )
    (batch,) = frames_with_native(path, Sampling(every=1, geometry=Geometry(200, 160)))
    assert batch.grid.native == Geometry(160, 210)
    found = batch.native.astype(int)
    assert np.abs(found - grey(made.native)).mean() < 2 and np.ptp(found, axis=-1).mean() < 1
    # Shown as frames, and sampled as frames, alike.
    (plain,) = sampled_frames(path, Sampling(every=1, geometry=Geometry(200, 160)))
    assert np.abs(plain.data.astype(int).mean((1, 2, 3)) - grey(made.native).mean((1, 2, 3))).max() < 2


@pytest.mark.parametrize("colour", [(0, 0, 0), (255, 255, 255), (128, 128, 128), (200, 30, 60)])
@pytest.mark.parametrize(("codec", "pixel_format"), [("libx264", "yuv420p"), ("ffv1", "gray"), ("ffv1", "bgra")])
def test_one_colour_is_an_ordinary_recording(tmp_path, make_recording, codec, pixel_format, colour):
    path = make_recording(
        tmp_path / "flat.mkv", [np.full((240, 320, 3), colour, np.uint8)] * 4, codec=codec, pixel_format=pixel_format
    )
    (batch,) = frames_with_native(path, Sampling(every=1, geometry=SMALL))
    wanted = grey(np.array([[colour]], np.uint8))[0, 0] if pixel_format == "gray" else colour
    assert batch.grid is None and np.abs(batch.data.astype(int) - np.array(wanted)).max() <= 3


# The shape of pixels


def test_pixels_that_are_not_square_are_said(tmp_path, make_recording, gameplay):
    path = make_recording(tmp_path / "wide.mp4", gameplay(3, 96, 64), sample_aspect_ratio=Fraction(4, 3))
    info = probe(path)
    assert (info.width, info.height, info.sample_aspect_ratio) == (128, 64, Fraction(4, 3))
    assert read(path)[2] == ["its pixels are not square (4:3): what is stored as 96x64 is shown as 128x64"]
