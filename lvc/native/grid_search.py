"""Whether a recording shows a game's own pixels enlarged, how many, and how recording them has changed their colours.

Edges of enlarged pixels stand at multiples of their size alone; the smallest number of pixels that explains nearly all
edges is the game's. Then the recorder's chroma is fitted: the few weights by which native pixels of few colours look as
the frames do.
"""

from collections.abc import Sequence
from dataclasses import replace

import cv2
import numpy as np

from lvc.frames import Geometry
from lvc.native.pixel_grid import KERNEL_ABS_LIMIT, KERNEL_UNIT, Blur, PixelGrid, exact_weights
from lvc.native.planes import Planes, averaging, averaging_of, shown

MOST_STEP = 64  # levels: that a hard edge counts as, so that soft ones count too
LEAST_EXPLAINED = 0.85  # of the edges, beyond what chance would explain
SLACK, SLACK_OF_REST = 0.003, 1.5  # how much less a smaller number of pixels may explain
FEWEST = 32  # native pixels a side
LEAST_ENLARGED = 1.5  # a native pixel is wider than so many samples, on average
MOST_PIXELS = 1.5  # native pixels for each that is shown: beyond, they cost more than they tell
COLOURS = 32
REACH = 4  # samples of the recording that a kernel goes to each side
ROUNDS = 1
RIDGE = 1e-6
LEAST_VARIANCE = 1 / 12  # squared levels, as rounding leaves: planes that vary less are constant, and fit any kernel
LEAST_SUM = 0.1  # of weights that were fitted to something
LEAST_PSNR = 36.0  # dB, of luma and chroma: what native pixels of few colours must come to
LOOKED_AT, FITTED = 6, 2  # frames
EVERY_LINE = 3
FEW = 1000  # pixels


def found_grid(frames: Sequence[Planes], small: np.ndarray) -> tuple[PixelGrid, Blur] | None:
    """The grid that frames of a recording show, and how its chroma planes came about; None where there is none.

    small: uint8 [T, 3, h, w], luma and chroma of the same frames as they are to be shown.
    """
    source, geometry = frames[0].geometry, Geometry(small.shape[3], small.shape[2])
    few = [frames[place].luma for place in spread(len(frames), LOOKED_AT)]
    sides = [
        native_side([luma[::EVERY_LINE] for luma in few], 1),
        native_side([luma[:, ::EVERY_LINE] for luma in few], 0),
    ]
    if None in sides:
        return None
    native = Geometry(*sides)
    if native.width * native.height > MOST_PIXELS * geometry.width * geometry.height:
        return None
    chosen = spread(len(frames), FITTED)
    planes, targets = [first_guess(frames[place], native) for place in chosen], small[chosen].astype(float)
    grid = PixelGrid(native, source)
    stride = frames[0].stride
    few = few_colours(np.stack(planes))
    seen = fitted(few[:, 1:], np.stack([frames[place].chroma for place in chosen]).astype(float), source, stride)
    grid = replace(grid, chroma=fitted(few[:, 1:], targets[:, 1:], source, stride))
    error = np.mean([np.square(shown(grid, one, geometry) - target).mean() for one, target in zip(few, targets)])
    if 10 * np.log10(255**2 / max(error, 1e-9)) < LEAST_PSNR:
        return None
    return grid, seen


def spread(count: int, most: int) -> np.ndarray:
    """Up to `most` of `count` places, evenly."""
    return np.unique(np.linspace(0, count - 1, most).astype(int))


def native_side(lumas: Sequence[np.ndarray], axis: int) -> int | None:
    """How many native pixels there are along an axis of pictures [H, W]; None where edges stand anywhere."""
    steps = sum(
        np.minimum(np.abs(np.diff(luma.astype(np.int16), axis=axis)), MOST_STEP).sum(axis=1 - axis, dtype=np.int64)
        for luma in lumas
    )
    size, total = len(steps) + 1, int(steps.sum())
    most = int(size / LEAST_ENLARGED)
    if total == 0 or most < FEWEST:
        return None
    explained = np.empty(most - FEWEST + 1)
    for place, count in enumerate(range(FEWEST, most + 1)):
        edges = np.diff(np.arange(size) * count // size) > 0
        by_chance = edges.mean()
        explained[place] = (steps[edges].sum() / total - by_chance) / (1 - by_chance)
    best = explained.max()
    if best < LEAST_EXPLAINED:
        return None
    enough = explained >= 1 - (SLACK_OF_REST * (1 - best) + SLACK)
    return FEWEST + int(enough.argmax())


def first_guess(planes: Planes, native: Geometry) -> np.ndarray:
    """Luma and chroma float64 [3, H, W] of native pixels: the mean of the samples of each, and its middle one."""
    source = planes.geometry
    luma = (
        averaging(native.height, source.height)
        @ planes.luma.astype(np.float32)
        @ averaging(native.width, source.width).T
    )
    rows, columns = planes.chroma.shape[1:]
    down = averaging_of(native.height, rows, source.height, planes.stride).argmax(axis=1)
    across = averaging_of(native.width, columns, source.width, planes.stride).argmax(axis=1)
    return np.stack([luma, *planes.chroma[:, down[:, None], across]]).astype(float)


def few_colours(planes: np.ndarray) -> np.ndarray:
    """Pictures [T, 3, H, W] of the few colours that stand for theirs."""
    points = np.ascontiguousarray(planes.transpose(0, 2, 3, 1).reshape(-1, 3), np.float32)
    sample = points[np.random.default_rng(0).integers(len(points), size=min(len(points), 20_000))]
    cv2.setRNGSeed(1)
    # Sorting all would take as long as the clustering; a few show mostly that there are enough
    distinct = len(np.unique(sample[:FEW], axis=0))
    if distinct < COLOURS:
        distinct = len(np.unique(sample, axis=0))
    criteria = cv2.TERM_CRITERIA_EPS + cv2.TERM_CRITERIA_MAX_ITER, 15, 0.5
    _, _, centres = cv2.kmeans(sample, min(COLOURS, distinct), None, criteria, 1, cv2.KMEANS_PP_CENTERS)
    # The nearest by |p - c|² - |p|² = |c|² - 2pc.
    nearest = (np.square(centres).sum(axis=1) - 2 * points @ centres.T).argmin(axis=1)
    return centres[nearest].reshape(*planes[:, 0].shape, 3).transpose(0, 3, 1, 2).astype(float)


def fitted(native: np.ndarray, targets: np.ndarray, source: Geometry, stride: int) -> Blur:
    """The kernels by which native planes [T, P, H, W] come nearest to targets [T, P, h, w]: across and down in turn, by
    least squares.

    Where the planes are constant, as the chroma of a grey game is, there is nothing to fit: each is the plain one, as
    of unsmeared samples.
    """
    offsets = range(-REACH, REACH + 1)
    ways = [
        np.stack(
            [
                exact_weights(native.shape[side], full, targets.shape[side], stride, alone(offset))
                / (-(-full // stride) * KERNEL_UNIT)
                for offset in offsets
            ]
        ).astype(np.float32)
        for side, full in ((2, source.height), (3, source.width))
    ]
    planes = native.reshape(-1, *native.shape[2:]).astype(np.float32)
    # A sample of few is thought to stand for as many of the full size, alike;
    # that is near enough for one round of each.
    plain = np.array([0 <= offset < stride for offset in offsets]) / stride
    down = across = plain
    for _ in range(ROUNDS):
        weighed = np.tensordot(down, ways[0], 1).astype(np.float32)
        across = least_squares([sums_across(ways[1], weighed @ plane) for plane in planes], targets, plain)
        weighed = np.tensordot(across, ways[1], 1).astype(np.float32)
        down = least_squares([sums_down(ways[0], plane @ weighed.T) for plane in planes], targets, plain)
    return Blur(stride, stride, whole_kernel(across), whole_kernel(down))


def sums_across(weights: np.ndarray, plane: np.ndarray) -> np.ndarray:
    """A plane [h, W] by each of some weights [N, w, W] for its columns: [N, h, w]."""
    taken = taken_alone(weights)
    if taken is None:
        return plane @ weights.transpose(0, 2, 1)
    return np.stack([plane[:, columns] for columns in taken])


def sums_down(weights: np.ndarray, plane: np.ndarray) -> np.ndarray:
    """A plane [H, w] by each of some weights [N, h, H] for its rows: [N, h, w]."""
    taken = taken_alone(weights)
    return weights @ plane if taken is None else plane[taken]


def taken_alone(weights: np.ndarray) -> np.ndarray | None:
    """Of weights [N, n, M] the place of the only one in each row, int64 [N, n], where it is 1 and all others 0, as
    samples of a recording show a native pixel each: then there is nothing to multiply. None otherwise.
    """
    taken = weights.argmax(axis=2)
    alone = np.take_along_axis(weights, taken[..., None], axis=2) == 1
    return taken if alone.all() and np.count_nonzero(weights) == taken.size else None


def alone(offset: int) -> tuple[int, ...]:
    """The kernel of one sample."""
    return tuple(KERNEL_UNIT if place == offset else 0 for place in range(-abs(offset), abs(offset) + 1))


def least_squares(parts: list[np.ndarray], targets: np.ndarray, otherwise: np.ndarray) -> np.ndarray:
    """The weights of parts [N, h, w] of each plane that come nearest to the targets [T, P, h, w], adding up to 1;
    `otherwise` where none do.
    """
    products, said = np.zeros((len(otherwise), len(otherwise))), np.zeros(len(otherwise))
    for each, target in zip(parts, targets.reshape(-1, *targets.shape[2:])):
        columns, middle = each.reshape(len(each), -1), np.float32(target.mean())
        columns = columns - middle  # which keeps float32 exact enough
        products = products + (columns @ columns.T).astype(float)
        said = said + (columns @ (target.ravel().astype(np.float32) - middle)).astype(float)
    if np.trace(products) < LEAST_VARIANCE * len(products) * targets.size:
        return otherwise
    steady = RIDGE * np.trace(products) / len(products) * np.eye(len(products))
    weights = np.linalg.solve(products + steady, said)
    return weights / weights.sum() if abs(weights.sum()) > LEAST_SUM else otherwise


def whole_kernel(weights: np.ndarray) -> tuple[int, ...]:
    """Weights as whole numbers that add up to KERNEL_UNIT; those that swing too far are drawn towards the middle
    one.
    """
    plain = np.zeros(len(weights))
    plain[len(weights) // 2] = 1
    while np.abs(weights).sum() > KERNEL_ABS_LIMIT / KERNEL_UNIT - 0.1:
        weights = 0.8 * weights + 0.2 * plain
    whole = np.rint(weights * KERNEL_UNIT).astype(int)
    whole[np.abs(whole).argmax()] += KERNEL_UNIT - whole.sum()
    return tuple(int(weight) for weight in whole)
