"""Where one scene ends and another begins."""

import numpy as np

CHANGED = 24  # levels by which a pixel of another scene differs, in one colour at least
CUT_SHARE = 0.6  # of the pixels


def is_cut(before: np.ndarray, after: np.ndarray) -> bool:
    """Whether two consecutive frames uint8 [H, W, 3] show different scenes."""
    difference = np.maximum(before, after) - np.minimum(before, after)
    return bool((difference.max(axis=2) >= CHANGED).mean() >= CUT_SHARE)
