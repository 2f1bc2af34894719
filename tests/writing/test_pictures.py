"""One picture, in every form that people hold it in."""

import numpy as np
import pytest
import torch

from lvc.errors import OptionError
from lvc.writing.pictures import checked_order, pictures_of

HWC = np.random.default_rng(0).integers(0, 256, (6, 8, 3), np.uint8)
CHW = HWC.transpose(2, 0, 1)


@pytest.mark.parametrize(
    "one", [HWC, CHW, CHW.copy(), np.asfortranarray(HWC), HWC[::-1][::-1], HWC.tolist()], ids=range(6)
)
@pytest.mark.parametrize("kind", [np.asarray, torch.tensor], ids=["numpy", "torch"])
def test_every_form_is_the_same_picture(one, kind):
    array = np.array(one, np.uint8) if isinstance(one, list) else one
    alone = pictures_of(kind(array))
    assert alone.shape == (1, 6, 8, 3) and alone.dtype == np.uint8 and np.array_equal(alone[0], HWC)
    batch = pictures_of(kind(np.stack([array] * 4)))
    assert batch.shape == (4, 6, 8, 3) and all(np.array_equal(picture, HWC) for picture in batch)


def test_what_may_be_both_is_asked_for():
    both = np.arange(3 * 5 * 3, dtype=np.uint8).reshape(3, 5, 3)
    with pytest.raises(OptionError, match="dimension_order"):
        pictures_of(both)
    assert np.array_equal(pictures_of(both, dimension_order="HWC")[0], both)
    assert np.array_equal(pictures_of(both, dimension_order="CHW")[0], both.transpose(1, 2, 0))
    with pytest.raises(OptionError, match="order CHW"):
        pictures_of(HWC, dimension_order="CHW")
    assert [checked_order(order) for order in (None, "HWC", "CHW")] == [None, "HWC", "CHW"]
    with pytest.raises(OptionError, match="NCHW"):
        checked_order("NCHW")


@pytest.mark.parametrize(
    ("frames", "reason"),
    [
        (HWC.astype(np.float32), "uint8.*float32"),
        (torch.from_numpy(HWC).float(), "uint8.*float32"),
        (HWC.astype(np.int64), "uint8.*int64"),
        (HWC[:, :, 0], "batch"),
        (HWC[None, None], "batch"),
        (np.zeros((6, 8, 4), np.uint8), "three channels"),
        (np.zeros((0, 6, 8, 3), np.uint8), "batch"),
        (np.zeros((0, 8, 3), np.uint8), "batch"),
        ("a picture", "uint8"),
        (None, "uint8"),
    ],
)
def test_what_is_no_picture_is_refused_with_the_reason(frames, reason):
    with pytest.raises(OptionError, match=reason):
        pictures_of(frames)
