import pytest

from lvc.errors import OptionError
from lvc.player.keys import Action
from lvc.player.playback import Playback

TIMES = [n / 3 for n in range(300)]  # 100 s at 3 frames a second


def playback(**options) -> Playback:
    return Playback(TIMES, 100.0, **options)


def test_time_on_the_wall_moves_the_frame():
    p = playback()
    p.advance(0.3)
    assert p.frame == 0
    p.advance(0.1)
    assert p.frame == 1


def test_variable_frame_rate_follows_the_timestamps_from_a_start_that_is_not_zero():
    p = Playback([5.0, 5.1, 9.0], 9.5)
    assert p.frame == 0
    p.advance(3.9)
    assert p.frame == 1
    p.advance(0.2)
    assert p.frame == 2


def test_pause_stops_time_and_speed_scales_it():
    p = playback(paused=True)
    p.advance(10)
    assert p.position == 0
    p.act(Action.PAUSE)
    for _ in range(3):
        p.act(Action.FASTER)
    p.advance(10)
    assert p.position == pytest.approx(10 * 1.1**3)
    for _ in range(3):
        p.act(Action.SLOWER)
    assert p.speed == 1.0
    p.act(Action.SLOWER)
    p.act(Action.NORMAL_SPEED)
    assert p.speed == 1.0


def test_speed_stays_within_bounds():
    p = playback()
    for _ in range(200):
        p.act(Action.FASTER)
    assert p.speed == 100
    for _ in range(400):
        p.act(Action.SLOWER)
    assert p.speed == pytest.approx(0.01)


def test_steps_pause_and_stop_at_both_ends():
    p = playback()
    p.act(Action.STEP)
    assert (p.frame, p.paused) == (1, True)
    p.act(Action.STEP_BACK)
    p.act(Action.STEP_BACK)
    assert p.frame == 0
    p.seek(1e9)
    p.act(Action.STEP)
    assert p.frame == 299


@pytest.mark.parametrize(
    ("action", "seconds"),
    [
        (Action.FORWARD_1_SECOND, 31),
        (Action.BACK_1_SECOND, 29),
        (Action.FORWARD_5_SECONDS, 35),
        (Action.BACK_5_SECONDS, 25),
        (Action.FORWARD_1_MINUTE, 90),
        (Action.BACK_1_MINUTE, 0),
        (Action.START, 0),
    ],
)
def test_seeks(action, seconds):
    p = playback()
    p.seek(30)
    p.act(action)
    assert p.position == seconds


def test_a_seek_beyond_the_end_shows_the_last_frame_and_goes_on_playing():
    p = playback()
    p.seek(95)
    p.act(Action.FORWARD_1_MINUTE)
    assert p.frame == 299 and not p.ended and not p.paused


def test_the_last_frame_stays_at_the_end_and_playing_again_begins_anew():
    p = playback()
    p.advance(1000)
    assert (p.frame, p.paused, p.ended) == (299, True, True)
    p.act(Action.PAUSE)
    assert (p.frame, p.paused) == (0, False)


def test_the_file_loops():
    p = playback()
    p.act(Action.LOOP)
    p.advance(102.5)
    assert p.position == pytest.approx(2.5) and not p.paused
    p.act(Action.LOOP)
    p.advance(1000)
    assert p.paused


def test_a_b_loop_is_set_in_either_order_and_cleared():
    p = playback()
    p.seek(20)
    p.act(Action.A_B_LOOP)
    assert "another time" in p.act(Action.A_B_LOOP) and p.b is None
    p.seek(10)
    p.act(Action.A_B_LOOP)
    assert (p.a, p.b, p.position) == (10, 20, 10)
    p.advance(13)
    assert p.position == pytest.approx(13)
    p.seek(50)  # beyond B the loop does not pull back, as in mpv
    p.advance(1)
    assert p.position == 51
    p.act(Action.A_B_LOOP)
    p.seek(19)
    p.advance(2)
    assert (p.a, p.b, p.position) == (None, None, 21)


def test_overlay_and_help_turn_on_and_off():
    p = playback()
    assert p.overlay and not p.help
    p.act(Action.OVERLAY)
    p.act(Action.HELP)
    assert not p.overlay and p.help


def test_actions_of_the_window_change_nothing():
    p = playback()
    assert p.act(Action.SCREENSHOT) is None and p.position == 0


def test_one_frame_without_duration_plays():
    p = Playback([2.0], 2.0, loop=True)
    p.advance(1)
    assert p.frame == 0 and p.position == 2.0


def test_no_frames_are_refused():
    with pytest.raises(OptionError, match="no frame"):
        Playback([], 0.0)
