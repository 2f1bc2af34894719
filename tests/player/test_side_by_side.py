from fractions import Fraction

import numpy as np
import pytest

from lvc.errors import OptionError
from lvc.frames import FrameBatch, Geometry
from lvc.player.side_by_side import SideBySide


class Decoded:
    geometry = Geometry(6, 4)
    time_base = Fraction(1, 7)
    pts = (0, 3, 4, 9)
    frame_types = ("key", "predicted", "predicted", "predicted")
    mean_frame_bytes = np.array([90.0, 5.0, 5.0, 5.0])
    metadata = None

    def frames(self, start, stop):
        data = np.stack([np.full((4, 6, 3), 10 + number, np.uint8) for number in range(start, stop)])
        return FrameBatch(data, self.pts[start:stop], self.time_base)


class Source:
    def __init__(self):
        self.asked = []

    def frames_shown_at(self, times):
        self.asked += times
        return [None if time == Fraction(4, 7) else np.full((4, 6, 3), 100 + int(time * 7), np.uint8) for time in times]


def test_both_stand_at_the_same_timestamps():
    source = Source()
    both = SideBySide(Decoded(), source)
    batch = both.frames(1, 4)
    assert both.geometry == batch.geometry == Geometry(12, 4) and len(both) == 4
    assert batch.pts == (3, 4, 9) and source.asked == [Fraction(3, 7), Fraction(4, 7), Fraction(9, 7)]
    assert (batch.data[:, :, 6:] == np.array([11, 12, 13])[:, None, None, None]).all()
    assert (batch.data[0, :, :6] == 103).all() and (batch.data[2, :, :6] == 109).all()


def test_a_frame_that_the_source_does_not_have_is_a_crossed_plate():
    plate = SideBySide(Decoded(), Source()).frames(2, 3).data[0, :, :6]
    assert len(np.unique(plate.reshape(-1, 3), axis=0)) == 2 and (plate[0, 0] != plate[0, 2]).any()


def test_frames_too_wide_for_two_are_refused():
    wide = Decoded()
    wide.geometry = Geometry(10_000, 4)
    with pytest.raises(OptionError, match="width"):
        SideBySide(wide, Source())
