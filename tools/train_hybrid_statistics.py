"""Trains the tables that a hybrid group starts from: each context's probability, and the mixers' weights.

Usage: python tools/train_hybrid_statistics.py --frames DIR --output FILE.safetensors
       [--rounds 2] [--qi 46,58,70] [--prior 16]

DIR has clips as .npy, uint8 [T, H, W, 3], of games to train on. Each round encodes parts of each clip from the tables
of the round before. A context's probability is that of its decisions in all parts together, clips that have many made
lighter; its count, which says how slowly it moves, grows with how often it was met, to `prior` at most. Weights are the
mean of those after each part.
"""

import argparse
import ctypes
from pathlib import Path

import hybrid_experiment as hx
import numpy as np
from hybrid_replay import empty
from safetensors.numpy import save_file


def parts_of(folder: Path, length: int, count: int):
    """`count` parts of `length` frames of each clip, spread over it."""
    for path in sorted(folder.glob("*.npy")):
        frames = np.load(path, mmap_mode="r")
        for start in np.linspace(0, len(frames) - length, count, dtype=int):
            yield path.stem, np.ascontiguousarray(frames[start : start + length])


def one_round(lib, args, tables):
    probs, weights = empty(lib)
    sums, total_weights, parts = {}, np.zeros(len(weights)), 0
    total = 0
    for name, frames in parts_of(args.frames, args.length, args.parts):
        for qi in map(int, args.qi.split(",")):
            counts, last = np.zeros((len(probs), 2), np.uint32), np.zeros(len(weights), np.int32)
            lib.hybrid_keep_statistics(hx.pointer(counts), hx.pointer(last))
            config = hx.Config(frames.shape[2], frames.shape[1], args.length, 0)
            options = hx.Options(args.effort, qi, 6, 2, 5, 32, 90, 50)
            data, _, _, _ = hx.encode(lib, frames, config, options, tables)
            total += len(data)
            sums[name] = sums.get(name, 0) + counts.astype(np.float64)
            total_weights += last
            parts += 1
    lib.hybrid_keep_statistics(None, None)
    print(f"{total / parts / args.length:.1f} bytes a frame", flush=True)
    # a clip that decides a million times weighs no more than ten thousand do
    seen = sum(c / np.maximum(1, c.sum(axis=1, keepdims=True) / 1000) for c in sums.values())
    n = seen.sum(axis=1)
    p = (seen[:, 1] + 0.4) / (n + 0.8)
    probs[:, 0] = np.clip(np.rint(p * 65536), 64, 65536 - 64)
    probs[:, 1] = np.minimum(np.floor(n / args.trust), args.prior)
    return probs, np.rint(total_weights / parts).astype(np.int32)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--frames", type=Path, required=True)
    parser.add_argument("--output", type=Path, required=True)
    parser.add_argument("--qi", default="46,58,70")
    parser.add_argument("--so", type=Path, default=Path("/tmp/hybrid_statistics.so"))
    for name, default in {"rounds": 2, "length": 10, "parts": 2, "effort": 1, "prior": 16, "trust": 4}.items():
        parser.add_argument("--" + name, type=int, default=default)
    args = parser.parse_args()
    lib = hx.build(args.so, "-O3")
    lib.hybrid_keep_statistics.argtypes = [ctypes.c_void_p, ctypes.c_void_p]
    tables = None, None
    for _ in range(args.rounds):
        tables = one_round(lib, args, tables)
    save_file(
        {"probabilities": tables[0][:, 0].copy(), "counts": tables[0][:, 1].astype(np.uint8), "weights": tables[1]},
        args.output,
        {"trained_on": " ".join(sorted({name for name, _ in parts_of(args.frames, args.length, 1)}))},
    )


if __name__ == "__main__":
    main()
