"""`.lvc` files as videos of LeRobot's datasets: frames by time, in the form its loader hands on."""

import os
import sys
import threading
from collections import OrderedDict
from collections.abc import Callable, Sequence
from functools import wraps
from importlib import import_module
from types import ModuleType

import numpy as np
import torch

from lvc.errors import InputError
from lvc.reading.reader import Reader

BACKEND = "lvc"
OPEN_READERS = 32  # a camera's file each; LeRobot's own cache has no limit
# Where LeRobot keeps the functions that its datasets call, by the names under which they are imported there.
CALLERS = {
    "lerobot.datasets.video_utils": ("decode_video_frames", "decode_video_frames_torchcodec"),
    "lerobot.datasets.lerobot_dataset": ("decode_video_frames",),
    "lerobot.datasets.streaming_dataset": ("decode_video_frames_torchcodec",),
}

_open: OrderedDict[str, tuple[Reader, np.ndarray]] = OrderedDict()
_lock = threading.Lock()


class NoFrameNear(InputError):
    """A time at which a file has no frame within the tolerance."""


def opened(path: str) -> tuple[Reader, np.ndarray]:
    """A file's reader and its frames' times, float64 seconds [T]; it stays open among the OPEN_READERS used last."""
    with _lock:
        if path not in _open:
            while len(_open) >= OPEN_READERS:
                _open.popitem(last=False)[1][0].close()
            reader = Reader(path)
            _open[path] = reader, np.array(reader.pts, np.float64) * float(reader.time_base)
        _open.move_to_end(path)
        return _open[path]


def frames_at_seconds(path: str | os.PathLike, timestamps: Sequence[float], tolerance_s: float) -> torch.Tensor:
    """The frames that are nearest to times, float32 [T, 3, H, W] from 0 to 1.

    timestamps: seconds. Raises NoFrameNear, an InputError, where the nearest frame is `tolerance_s` seconds or more
    away, InputError where the file cannot be read, FormatError where it is damaged.
    """
    reader, seconds = opened(os.fspath(path))
    wanted = np.asarray(timestamps, np.float64)
    after = np.searchsorted(seconds, wanted).clip(0, len(seconds) - 1)
    before = np.maximum(after - 1, 0)
    nearest = np.where(np.abs(wanted - seconds[before]) <= np.abs(seconds[after] - wanted), before, after)
    near = np.abs(seconds[nearest] - wanted) < tolerance_s
    if not near.all():
        place = int(np.argmin(near))
        raise NoFrameNear(
            f"{path}: no frame within {tolerance_s:g} s of {wanted[place]:.6g} s: the nearest is at "
            f"{seconds[nearest[place]]:.6g} s"
        )
    return reader.get_frames_at(nearest.tolist()).data.to(torch.float32) / 255


def register() -> None:
    """Lets LeRobot's datasets read `.lvc` files, and take "lvc" as a video backend; again, it does nothing.

    Raises ImportError where LeRobot is not installed.
    """
    import_module("lerobot.datasets.lerobot_dataset")
    for name, functions in CALLERS.items():
        module = sys.modules.get(name) or optional(name)
        for function in functions if module else ():
            original = getattr(module, function, None)
            if original is not None and not hasattr(original, "reads_lvc"):
                setattr(module, function, reading_lvc(original))


def optional(name: str) -> ModuleType | None:
    """A module that not every release of LeRobot has, or that needs what is not installed."""
    try:
        return import_module(name)
    except ImportError:
        return None


def reading_lvc(original: Callable) -> Callable:
    """LeRobot's function for all files but `.lvc`, unless their backend is named."""
    utilities = sys.modules["lerobot.datasets.video_utils"]
    # What LeRobot's callers expect of a time without a frame; releases before 0.4 have no class of their own for it.
    expected = getattr(utilities, "FrameTimestampError", AssertionError)

    @wraps(original)
    def decode(video_path, timestamps, tolerance_s, *others, **options):
        named = BACKEND in others[:1] or options.get("backend") == BACKEND
        if not named and not str(video_path).endswith(".lvc"):
            return original(video_path, timestamps, tolerance_s, *others, **options)
        try:
            return frames_at_seconds(video_path, timestamps, tolerance_s)
        except NoFrameNear as error:
            raise expected(str(error)) from error

    decode.reads_lvc = True  # type: ignore[attr-defined]  # a mark on a function
    return decode
