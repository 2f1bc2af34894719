"""Which key does what in the player: mpv's bindings, for the key codes of every window system that OpenCV draws on."""

from enum import Enum


class Action(Enum):
    """What a key asks of the player; the value is what the help says."""

    PAUSE = "pause or go on"
    STEP = "one frame on"
    STEP_BACK = "one frame back"
    FORWARD_1_SECOND = "1 s on"
    BACK_1_SECOND = "1 s back"
    FORWARD_5_SECONDS = "5 s on"
    BACK_5_SECONDS = "5 s back"
    FORWARD_1_MINUTE = "1 min on"
    BACK_1_MINUTE = "1 min back"
    START = "to the start"
    FASTER = "10 % faster"
    SLOWER = "10 % slower"
    NORMAL_SPEED = "normal speed"
    A_B_LOOP = "set A, then B, then clear the A-B loop"
    LOOP = "loop the file"
    OVERLAY = "show or hide information"
    HELP = "show or hide the keys"
    SCREENSHOT = "save the frame as PNG"
    FULL_SCREEN = "full screen"
    LEAVE_FULL_SCREEN = "leave full screen"
    QUIT = "quit"


# Named keys in the codes of X11 (Qt and GTK give these), Windows (virtual key in the upper half) and macOS (NSEvent).
_NAMED = {
    "left": (0xFF51, 0x250000, 0xF702),
    "up": (0xFF52, 0x260000, 0xF700),
    "right": (0xFF53, 0x270000, 0xF703),
    "down": (0xFF54, 0x280000, 0xF701),
    "home": (0xFF50, 0x240000, 0xF729),
    "backspace": (0xFF08, 8, 127),
    "escape": (0xFF1B, 27),
    "shift": (0xFFE1, 0xFFE2),
}
_NAME_OF_CODE = {code: name for name, codes in _NAMED.items() for code in codes}

# key, with a leading "shift+" where that matters: action
BINDINGS = {
    " ": Action.PAUSE,
    "p": Action.PAUSE,
    ".": Action.STEP,
    ",": Action.STEP_BACK,
    "right": Action.FORWARD_5_SECONDS,
    "left": Action.BACK_5_SECONDS,
    "up": Action.FORWARD_1_MINUTE,
    "down": Action.BACK_1_MINUTE,
    "shift+right": Action.FORWARD_1_SECOND,
    "shift+left": Action.BACK_1_SECOND,
    "home": Action.START,
    "]": Action.FASTER,
    "[": Action.SLOWER,
    "backspace": Action.NORMAL_SPEED,
    "l": Action.A_B_LOOP,
    "L": Action.LOOP,
    "o": Action.OVERLAY,
    "?": Action.HELP,
    "s": Action.SCREENSHOT,
    "f": Action.FULL_SCREEN,
    "escape": Action.LEAVE_FULL_SCREEN,
    "q": Action.QUIT,
}

_SHIFT_BIT = 0x10000  # GTK puts the modifiers above 16 bits of key
_MODIFIER_BITS = 0x1FFF0000


def is_shift(code: int) -> bool:
    """Whether a code of cv2.waitKeyEx is the shift key itself, which Qt reports as a key of its own."""
    return _NAME_OF_CODE.get(code & 0xFFFF) == "shift"


def key_name(code: int, *, shift: bool = False) -> str | None:
    """The name of a code of cv2.waitKeyEx as BINDINGS writes it; None for no key, or one that has no name here.

    shift: whether shift is known to be held; Qt's codes do not tell, and give "L" as "l".
    """
    if code < 0:
        return None
    name = _NAME_OF_CODE.get(code)
    if name is None and code & 0xFFFF:  # Windows' named keys have nothing below, and are not to be taken apart
        shift = shift or bool(code & _SHIFT_BIT)
        code &= ~_MODIFIER_BITS
        name = _NAME_OF_CODE.get(code)
    if name is not None:
        return f"shift+{name}" if shift and f"shift+{name}" in BINDINGS else name
    if not 32 <= code < 127:
        return None
    character = chr(code)
    if shift and character.islower():
        return character.upper()
    # Qt names a key by the character without shift; where "/" and "?" share a key, that is "/".
    return "?" if shift and character == "/" else character


def action_of(code: int, *, shift: bool = False) -> Action | None:
    """What a code of cv2.waitKeyEx asks for; None where it asks for nothing."""
    return BINDINGS.get(key_name(code, shift=shift))


def help_lines() -> list[str]:
    """One line an action: its keys, and what it does."""
    keys: dict[Action, list[str]] = {}
    for key, action in BINDINGS.items():
        keys.setdefault(action, []).append("space" if key == " " else key)
    return [f"{' or '.join(names)}   {action.value}" for action, names in keys.items()]
