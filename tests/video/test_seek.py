"""Pictures by time, against those that reading from the start gives."""

from fractions import Fraction

import numpy as np
import pytest

from lvc.errors import InputError
from lvc.frames import Geometry
from lvc.video import seek
from lvc.video.sample import Sampling, sampled_frames
from lvc.video.seek import SeekableVideo

SIZE = Geometry(48, 32)
FORMATS = {
    "game.mp4": {"options": {"g": "12", "bf": "2"}},
    "game.mkv": {"options": {"g": "12", "bf": "2"}},
    "game.ts": {"options": {"g": "12"}},
    "game.h264": {"options": {"g": "12", "bf": "0"}},  # bare packets: no timestamps to seek by
}


@pytest.fixture(scope="module", params=FORMATS)
def video(request, tmp_path_factory, make_recording, gameplay):
    return make_recording(tmp_path_factory.mktemp("seek") / request.param, gameplay(60), **FORMATS[request.param])


@pytest.fixture(scope="module")
def in_order(video):
    """Pictures and times of all frames, read from the start."""
    batches = list(sampled_frames(video, Sampling(every=1, geometry=SIZE)))
    return np.concatenate([batch.data for batch in batches]), [time for batch in batches for time in batch.pts_seconds]


@pytest.mark.parametrize("through", [0, seek.DECODED_THROUGH_SECONDS])
def test_any_order_gives_the_pictures_of_reading_in_order(video, in_order, monkeypatch, through):
    monkeypatch.setattr(seek, "DECODED_THROUGH_SECONDS", through)
    data, times = in_order
    order = [0, 1, 2, 40, 41, 3, 59, 58, 0, 30, 30, 12, 11, *np.random.default_rng(1).integers(0, 60, 12)]
    with SeekableVideo(video, SIZE, threads=1) as opened:
        for number in order:
            (picture,) = opened.frames_shown_at([times[number]])
            assert (picture == data[number]).all(), number


def test_a_picture_is_shown_until_the_next_and_the_last_for_a_frame(video, in_order):
    data, times = in_order
    half = Fraction(1, 60)
    with SeekableVideo(video, SIZE, threads=1) as opened:
        pictures = opened.frames_shown_at([times[7] + half, times[-1] + half, times[-1] + 1, times[0] - 1, times[7]])
    assert (pictures[0] == data[7]).all() and (pictures[1] == data[-1]).all() and (pictures[4] == data[7]).all()
    assert pictures[2] is None and pictures[3] is None


def test_times_that_matroska_has_rounded_are_found(tmp_path, make_recording, gameplay):
    pictures = gameplay(30)
    video = make_recording(tmp_path / "game.mkv", pictures)
    exact = [Fraction(number, 30) for number in range(30)]
    (batch,) = sampled_frames(video, Sampling(every=1, geometry=SIZE))
    assert batch.pts_seconds != tuple(exact)
    with SeekableVideo(video, SIZE, threads=1) as opened:
        assert (np.stack(opened.frames_shown_at(exact)) == batch.data).all()


def test_a_file_that_is_none_is_refused(tmp_path):
    (tmp_path / "text.mp4").write_text("no video at all" * 100)
    for name in ("text.mp4", "missing.mp4"):
        with pytest.raises(InputError, match=name):
            SeekableVideo(tmp_path / name, SIZE)
