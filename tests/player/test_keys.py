import pytest

from lvc.player.keys import BINDINGS, Action, action_of, help_lines, is_shift, key_name


@pytest.mark.parametrize(
    ("keys", "action"),
    [
        (" p", Action.PAUSE),
        (".", Action.STEP),
        (",", Action.STEP_BACK),
        ("]", Action.FASTER),
        ("[", Action.SLOWER),
        ("l", Action.A_B_LOOP),
        ("L", Action.LOOP),
        ("o", Action.OVERLAY),
        ("s", Action.SCREENSHOT),
        ("f", Action.FULL_SCREEN),
        ("q", Action.QUIT),
    ],
)
def test_mpvs_characters(keys, action):
    assert [action_of(ord(key)) for key in keys] == [action] * len(keys)


# Recorded from cv2.waitKeyEx (Qt) and, for the others, from OpenCV's documentation of its backends.
@pytest.mark.parametrize(
    ("code", "shift", "action"),
    [
        (65361, False, Action.BACK_5_SECONDS),
        (65363, False, Action.FORWARD_5_SECONDS),
        (65362, False, Action.FORWARD_1_MINUTE),
        (65364, False, Action.BACK_1_MINUTE),
        (65361, True, Action.BACK_1_SECOND),
        (65363, True, Action.FORWARD_1_SECOND),
        (108, True, Action.LOOP),
        (47, True, Action.HELP),
        (8, False, Action.NORMAL_SPEED),
        (27, False, Action.LEAVE_FULL_SCREEN),
        # GTK: modifiers above the 16 bits of the key; 0x100000 is num lock
        (0x10000 | 65363, False, Action.FORWARD_1_SECOND),
        (0x100000 | 65363, False, Action.FORWARD_5_SECONDS),
        (0x110000 | 65361, False, Action.BACK_1_SECOND),
        (0x100000 | ord("q"), False, Action.QUIT),
        (0x10000 | ord("L"), False, Action.LOOP),
        (0x100000 | 0xFF08, False, Action.NORMAL_SPEED),
        # Windows: virtual keys in the upper half
        (0x250000, False, Action.BACK_5_SECONDS),
        (0x270000, True, Action.FORWARD_1_SECOND),
        (0x260000, False, Action.FORWARD_1_MINUTE),
        # macOS
        (63234, False, Action.BACK_5_SECONDS),
        (63233, False, Action.BACK_1_MINUTE),
        (127, False, Action.NORMAL_SPEED),
    ],
)
def test_codes_of_each_window_system(code, shift, action):
    assert action_of(code, shift=shift) is action


@pytest.mark.parametrize("code", [-1, 0, 0xFFE3, ord("x"), 200, 0x1F600])
def test_other_codes_ask_for_nothing(code):
    assert action_of(code) is None


def test_shift_changes_only_keys_that_are_bound_with_it():
    assert key_name(65362, shift=True) == "up"
    assert action_of(ord("]"), shift=True) is Action.FASTER


def test_shift_itself_is_told_apart():
    assert is_shift(0xFFE1) and is_shift(0xFFE2) and not is_shift(ord("q"))
    assert action_of(0xFFE1) is None


def test_every_action_has_a_key_and_a_line_of_help():
    assert set(BINDINGS.values()) == set(Action)
    text = "\n".join(help_lines())
    assert all(action.value in text for action in Action) and "space or p   pause" in text
