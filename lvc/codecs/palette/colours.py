"""Colours as whole numbers 0xRRGGBB, and the few that stand for all of a group's."""

import math

import numpy as np

from lvc.codecs.palette.kmeans import clustered, refined
from lvc.kernels.binding import Kernel, Struct

SAMPLE = 15_000  # pixels that a palette is made from
ROUNDS = 12  # of k-means
COUNTS = 8, 12, 16, 24, 32, 48, 64, 96, 128, 192, 256  # of colours
PIXEL_BITS = 0.2  # what one is thought to cost
DOUBLING_BITS = 150 / 32_000  # for each pixel of a frame: what twice the colours cost

paint = Kernel(
    "lvc_palette_paint",
    Struct(
        sizes="count height width frame_height frame_width",
        arrays={"colours": ("int32", "count height width"), "frames": ("uint8", "count frame_height frame_width 3")},
    ),
)


def packed(pixels: np.ndarray) -> np.ndarray:
    """int32 [...] of uint8 [..., 3]."""
    wide = pixels.astype(np.int32)
    return wide[..., 0] << 16 | wide[..., 1] << 8 | wide[..., 2]


def rgb(colours: np.ndarray) -> np.ndarray:
    """int16 [..., 3] of colours int32 [...]."""
    return np.stack((colours >> 16, colours >> 8 & 255, colours & 255), axis=-1).astype(np.int16)


def painted(colours: np.ndarray, height: int, width: int) -> np.ndarray:
    """Frames uint8 [T, height, width, 3] of the upper left of colours int32 [T, h, w]."""
    frames = np.empty((len(colours), height, width, 3), np.uint8)
    refused = paint(colours=colours, frames=frames)
    assert not refused, "frames are no larger than what they show"
    return frames


def palette_of(frames: np.ndarray, lambda_: float, known: np.ndarray) -> np.ndarray:
    """The colours int32 [K] that stand for those of frames uint8 [T, H, W, 3]: as many as are worth their bits.

    lambda_: bits that a squared level of error is worth. known: colours int32 [N] that cost nothing.
    """
    pixels = frames.reshape(-1, 3)
    if len(pixels) > SAMPLE:  # drawn, because every n-th would keep to some columns
        pixels = pixels[np.random.default_rng(0).integers(len(pixels), size=SAMPLE)]
    distinct, counts = np.unique(packed(pixels), return_counts=True)
    points = rgb(distinct).astype(np.float64)
    a_frame = frames.shape[1] * frames.shape[2]
    best, least, bits = None, np.inf, 0.0
    if len(known):
        best, least = known, unlike(points, counts, known, lambda_) * a_frame
    for count in COUNTS:
        if len(distinct) <= count:
            return np.union1d(known, distinct).astype(np.int32)
        centres, nearest = clustered(points, counts, count, ROUNDS)
        seen = worth_seeing(np.square(points - centres[nearest]).sum(axis=1), counts, lambda_) * a_frame
        price = DOUBLING_BITS * math.log2(count / COUNTS[0]) * a_frame
        if least - seen < price - bits:
            break
        best, least, bits = np.union1d(known, packed(np.rint(centres).astype(np.uint8))), seen, price
    return best.astype(np.int32)


def unlike(points: np.ndarray, counts: np.ndarray, colours: np.ndarray, lambda_: float) -> float:
    """What points [N, 3], seen `counts` times, differ from the nearest of some colours,
    in bits a pixel that are worth seeing.
    """
    table = rgb(colours).astype(np.float64)
    _, nearest = refined(points, counts, table, 0)
    return worth_seeing(np.square(points - table[nearest]).sum(axis=1), counts, lambda_)


def worth_seeing(errors: np.ndarray, counts: np.ndarray, lambda_: float) -> float:
    """Only squared errors that are worth more than a pixel's bits: noise is not,
    however many colours there are for it.
    """
    return float(np.average(np.maximum(lambda_ * errors - PIXEL_BITS, 0), weights=counts))
