"""Trains the weights of the hybrid codec's restoration, and writes lvc/kernels/hybrid_restore_tables.h.

    python tools/train_hybrid_filter.py frames/*.npy -o lvc/kernels/hybrid_restore_tables.h

Each file holds frames of a game, uint8 [T, H, W, 3] with sides that are multiples of 8: of games to train on, never of
those that are reserved or kept for validation. Ten frames of each are coded at four quantisers without restoration;
the weights are those that lower the squared error of what was coded most, errors counted in steps of the quantiser, by
least squares. Takes two minutes of one core for sixteen games: eleven of procgen's, car racing, crafter, lunar lander
and two of miniworld's made the weights that are there (datasets/rich.json has them).
"""

import argparse
import tempfile
from collections.abc import Iterator
from pathlib import Path

import hybrid_experiment as hx
import numpy as np

# As lvc/kernels/hybrid_restore.h has them: steps to one of two neighbours, the other lies opposite.
STEPS = [
    (0, 1),
    (1, 0),
    (1, 1),
    (1, -1),
    (0, 2),
    (2, 0),
    (1, 2),
    (2, 1),
    (1, -2),
    (2, -1),
    (2, 2),
    (2, -2),
    (0, 3),
    (3, 0),
]
REACH, CHROMA_PAIRS, LUMA_PAIRS = 3, 8, 6
LIMITS = (0.25, 0.6, 1.5)  # of a difference, in steps of the quantiser
SHIFT = 14
PLANE_UNIT = 4  # the planes' samples a grey level
QUANTISERS = 36, 48, 60, 72
FRAMES, USED = 10, (0, 3, 6, 9)
WITHOUT_RESTORATION = 4096
RIDGE = 1e-4


def step_of(index):
    """A quantiser's step in the planes' samples."""
    return PLANE_UNIT * 2.0 ** (np.asarray(index) / 12)


def limits_of(index) -> list[np.ndarray]:
    return [np.maximum(np.round(step_of(index) * share), 1) for share in LIMITS]


def coded_frames(
    lib, frames: np.ndarray, quantiser: int
) -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]]:
    """Of each frame used: planes as coded and as they were [3, H, W], what is restored, and quantisers [H, W]."""
    count, height, width, _ = frames.shape
    config = hx.Config(width, height, count, WITHOUT_RESTORATION)
    options = hx.Options(0, quantiser, 6, 3, 7, 8, 90, 30)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "frames"
        if not lib.hybrid_watch_file(str(path).encode()):
            raise OSError(f"{path} cannot be written")
        hx.encode(lib, frames, config, options)
        lib.hybrid_watch_file(None)
        told = np.fromfile(
            path, np.dtype([("planes", "<i2", (2, 3, height, width)), ("cells", "u1", (height // 4, width // 4, 2))])
        )
    for frame in told[[number for number in USED if number < count]]:
        restored, index = frame["cells"].repeat(4, 0).repeat(4, 1).transpose(2, 0, 1)
        yield frame["planes"][0].astype(np.float32), frame["planes"][1].astype(np.float32), restored > 0, index


def pair_features(samples: np.ndarray, pairs: int, limits: list[np.ndarray]) -> list[np.ndarray]:
    height, width = samples.shape
    padded = np.pad(samples, REACH, mode="edge")
    found = []
    for down, right in STEPS[:pairs]:
        one, other = (
            padded[REACH + sign * down :, REACH + sign * right :][:height, :width] - samples for sign in (1, -1)
        )
        found += [np.clip(one, -limit, limit) + np.clip(other, -limit, limit) for limit in limits]
    return found


def gram_of(lib, path: Path) -> list[np.ndarray]:
    """Sums of products of features and errors, of luma and of both chromas."""
    frames = np.load(path, mmap_mode="r", allow_pickle=False)
    part = np.ascontiguousarray(frames[len(frames) // 3 :][:FRAMES])
    sums = [0, 0]
    for quantiser in QUANTISERS:
        for coded, source, restored, index in coded_frames(lib, part, quantiser):
            limits, step = limits_of(index), step_of(index)[restored][:, None]
            luma = pair_features(coded[0], LUMA_PAIRS, limits)
            for plane in range(3):
                features = pair_features(coded[plane], CHROMA_PAIRS if plane else len(STEPS), limits) + (
                    luma if plane else []
                )
                rows = np.stack([*features, source[plane] - coded[plane]], -1)[restored] / step
                sums[plane > 0] = sums[plane > 0] + (rows.T @ rows).astype(np.float64)
    return sums


def weights_of(gram: np.ndarray) -> np.ndarray:
    products, wanted, count = gram[:-1, :-1], gram[:-1, -1], len(gram) - 1
    found = np.linalg.solve(products + np.eye(count) * products.trace() / count * RIDGE, wanted)
    after = gram[-1, -1] - 2 * found @ wanted + found @ products @ found
    print(f"{count} weights, {10 * np.log10(gram[-1, -1] / after):.3f} dB")
    return np.rint(found * (1 << SHIFT)).astype(int)


def written(rows: list[np.ndarray]) -> str:
    limits = np.array([limits_of(index) for index in range(97)]).astype(int).T
    most = max(int(np.abs(row).sum()) for row in rows) * 2 * int(limits.max())
    if most >= 1 << 31:
        raise ValueError(f"a sum of {most} does not fit 32 bits")
    numbers = ", ".join(map(str, range(len(LIMITS))))
    table = ",\n".join("  {" + ", ".join(map(str, row)) + "}" for row in limits)
    weights = ",\n".join("  {" + ", ".join(map(str, row)) + "}" for row in rows)
    counts = {"PAIRS": len(STEPS), "CHROMA_PAIRS": CHROMA_PAIRS, "LUMA_PAIRS": LUMA_PAIRS, "LIMITS": len(LIMITS)}
    counts |= {"OWN": len(LIMITS), "OTHER": len(LIMITS), "SHIFT": SHIFT}
    return f"""/* Weights of restoration and limits, made by tools/train_hybrid_filter.py. Sums stay below {most:,}. */
#ifndef LVC_HYBRID_RESTORE_TABLES_H
#define LVC_HYBRID_RESTORE_TABLES_H
#include <stdint.h>
enum {{ {", ".join(f"RESTORE_{name} = {value}" for name, value in counts.items())} }};
static const int8_t restore_own[RESTORE_OWN] = {{{numbers}}}, restore_other[RESTORE_OTHER] = {{{numbers}}};
/* By limit and quantiser index, in the planes' samples. */
static const int16_t restore_limit[RESTORE_LIMITS][97] = {{
{table}}};
/* Of luma and of chroma: pair by pair, limit by limit; chroma's own pairs, then luma's. */
static const int16_t restore_weights[2][{max(map(len, rows))}] = {{
{weights}}};
#endif
"""


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("frames", nargs="+", type=Path)
    parser.add_argument("-o", "--output", type=Path, required=True)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        lib = hx.build(Path(folder) / "watched.so", "-DHYBRID_WATCH")
        sums = [0, 0]
        for path in options.frames:
            sums = [one + other for one, other in zip(sums, gram_of(lib, path))]
            print(path.stem, flush=True)
    options.output.write_text(written([weights_of(gram) for gram in sums]))


if __name__ == "__main__":
    main()
