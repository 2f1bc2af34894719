"""Sampling decodes only what it needs, and gives what decoding everything gives, bit for bit."""

from fractions import Fraction

import av
import numpy as np
import pytest

from lvc.errors import InputError
from lvc.frames import Geometry
from lvc.video import lookahead
from lvc.video.decoder import timed_frames
from lvc.video.demux import opened_video
from lvc.video.lookahead import Lookahead
from lvc.video.sample import EveryNth, Sampling, sampled_frames
from lvc.video.timeline import Timeline

SMALL = Geometry(48, 32)
PYRAMID = {"bf": "4", "x264-params": "b-pyramid=normal:b-adapt=0:keyint=25"}


@pytest.fixture(scope="module")
def recording(tmp_path_factory, make_recording, gameplay):
    return make_recording(tmp_path_factory.mktemp("lookahead") / "game.mp4", gameplay(97), options=PYRAMID)


def copied(path, target, *, keep=lambda _number, _packet: True):
    """The packets of a recording in another container, or some of them."""
    with av.open(str(path)) as source, av.open(str(target), "w") as output:
        stream = source.streams.video[0]
        copy = output.add_stream_from_template(stream)
        for number, packet in enumerate(source.demux(stream)):
            if packet.dts is not None and keep(number, packet):
                packet.stream = copy
                output.mux(packet)
    return target


def sampled(path, **options):
    batches = list(sampled_frames(path, Sampling(**{"geometry": SMALL, **options})))
    return np.concatenate([batch.data for batch in batches]), [time for batch in batches for time in batch.pts]


def sampled_from_all(path, monkeypatch, **options):
    with monkeypatch.context() as patched:
        patched.setattr(lookahead, "CODECS", set())
        return sampled(path, **options)


def decoded(path, every):
    """How many pictures the decoder gives."""
    seen = Lookahead(Timeline(period=Fraction(512), tick=Fraction(1, 15_360)), EveryNth(every))
    with opened_video(path, threads=1) as (container, stream):
        return sum(len(packet.decode()) for packet in seen.packets(container, stream))


@pytest.mark.parametrize("suffix", ["mp4", "mov", "mkv", "ts", "flv"])
@pytest.mark.parametrize(
    "options", [{"every": 1}, {"every": 2}, {"every": 7}, {"every": 10}, {"every": None, "fps": Fraction(7, 2)}]
)
def test_what_is_sampled_is_what_decoding_everything_gives(tmp_path, monkeypatch, recording, suffix, options):
    path = copied(recording, tmp_path / f"game.{suffix}")
    data, pts = sampled(path, **options)
    wanted, wanted_pts = sampled_from_all(path, monkeypatch, **options)
    assert pts == wanted_pts
    assert (data == wanted).all()


@pytest.mark.parametrize("suffix", ["mp4", "mkv", "ts", "flv"])
def test_pictures_that_nobody_needs_are_not_decoded(tmp_path, recording, suffix):
    path = copied(recording, tmp_path / f"game.{suffix}")
    assert decoded(path, 1) == 97
    assert 40 < decoded(path, 10) < 70  # of five pictures in a row x264 refers to three here


def test_nothing_is_left_out_where_no_reference_is_missing(tmp_path, make_recording, gameplay):
    path = make_recording(tmp_path / "game.mp4", gameplay(40), options={"bf": "0"})
    assert decoded(path, 10) == 40


def starts_late(number, _packet):
    return number >= 3


def times_missing(number, packet):
    if number == 40:
        packet.pts = packet.dts  # of two pictures, then
    return True


@pytest.mark.parametrize(("suffix", "keep"), [("ts", starts_late), ("mkv", starts_late), ("ts", times_missing)])
def test_streams_that_are_not_regular_are_decoded_whole(tmp_path, monkeypatch, recording, suffix, keep):
    path = copied(recording, tmp_path / f"game.{suffix}", keep=keep)
    data, pts = sampled(path, every=5)
    wanted, wanted_pts = sampled_from_all(path, monkeypatch, every=5)
    assert pts == wanted_pts
    assert (data == wanted).all()


def test_pictures_left_out_count_in_what_is_told_of_damage(tmp_path, recording):
    content = bytearray(recording.read_bytes())
    with av.open(str(recording)) as container:
        places = [(packet.pos, packet.size) for packet in container.demux(video=0) if packet.is_keyframe]
    position, size = places[2]
    content[position : position + size] = bytes(size)
    path = tmp_path / "damaged.mp4"
    path.write_bytes(content)
    with pytest.raises(InputError, match=r"damaged\.mp4: is damaged after frame (\d+) ") as told:
        sampled(path, every=10)
    with pytest.raises(InputError) as told_by_all, opened_video(path) as (container, stream):
        list(timed_frames(container, stream, path))
    number, of_all = (int(str(error.value).split(" after frame ")[1].split()[0]) for error in (told, told_by_all))
    assert abs(number - of_all) <= 5, "the last of them may have been left out"
