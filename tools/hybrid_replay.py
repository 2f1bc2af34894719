"""Entropy experiments: code decisions kept from an earlier encoding again, with other contexts, mixing or tables.

Usage: python tools/hybrid_replay.py dump --frames DIR --clips a,b --to DIR [--first 24] [--qi 46] [--effort 1]
       python tools/hybrid_replay.py run --to DIR [--tables FILE] [--stats]
       python tools/hybrid_replay.py train --to DIR --tables FILE
"""

import argparse
import ctypes
from pathlib import Path

import hybrid_experiment as hx
import numpy as np


def dump(lib, args):
    for clip in args.clips.split(","):
        for qi in map(int, args.qi.split(",")):
            frames = np.ascontiguousarray(
                np.load(Path(args.frames) / f"{clip}.npy")[args.start : args.start + args.first]
            )
            config = hx.Config(frames.shape[2], frames.shape[1], min(64, max(2, len(frames))), 0)
            plans = np.zeros((len(frames), lib.hybrid_plan_size(ctypes.byref(config))), np.uint8)
            headers = np.zeros((len(frames), 12), np.int32)
            options = hx.Options(args.effort, qi, args.key_boost, 1, args.max_refs, 63, args.factor, args.tree)
            data, back, _, _ = hx.encode(lib, frames, config, options, tables(args), False, (plans, headers))
            np.savez_compressed(
                Path(args.to) / f"{clip}_{qi}.npz", plans=plans, headers=headers, size=frames.shape[1:3]
            )
            print(clip, qi, len(data) / len(frames), hx.psnr(back, frames), flush=True)


def tables(args):
    if not args.tables or not Path(args.tables).exists():
        return None, None
    loaded = np.load(args.tables)
    return np.ascontiguousarray(loaded["probs"]), np.ascontiguousarray(loaded["weights"])


def replay(lib, path, probs, weights, fresh, first=0):
    loaded = np.load(path)
    plans, headers, (height, width) = loaded["plans"], loaded["headers"], loaded["size"]
    if first:
        plans, headers = np.ascontiguousarray(plans[:first]), np.ascontiguousarray(headers[:first])
    config = hx.Config(int(width), int(height), min(64, max(2, len(plans))), 0)
    memory = np.zeros(lib.hybrid_decoder_size(ctypes.byref(config)), np.uint8)
    tally = np.zeros(128, np.uint64)
    bits = lib.hybrid_replay(
        hx.pointer(memory),
        ctypes.byref(config),
        hx.pointer(probs),
        hx.pointer(weights),
        int(fresh),
        hx.pointer(plans),
        hx.pointer(headers),
        len(plans),
        0,
        hx.pointer(tally),
    )
    return bits / 8 / len(plans), tally


def empty(lib):
    sizes = (ctypes.c_int32 * 2)()
    lib.hybrid_table_sizes(sizes)
    return np.zeros((sizes[0], 2), np.uint16), np.zeros(sizes[1], np.int32)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("what", choices=["dump", "run", "train"])
    parser.add_argument("--frames")
    parser.add_argument("--clips")
    parser.add_argument("--to", required=True)
    parser.add_argument("--tables")
    parser.add_argument("--so", default="/tmp/hybrid_replay.so")
    parser.add_argument("--flags", default="")
    parser.add_argument("--qi", default="46")
    parser.add_argument("--stats", action="store_true")
    defaults = {
        "first": 24,
        "start": 0,
        "effort": 1,
        "key_boost": 6,
        "max_refs": 7,
        "factor": 90,
        "tree": 30,
        "prior": 24,
        "rounds": 1,
    }
    for name, default in defaults.items():
        parser.add_argument("--" + name.replace("_", "-"), type=int, default=default)
    args = parser.parse_args()
    lib = hx.build(Path(args.so), args.flags)
    if args.what == "dump":
        dump(lib, args)
        return
    files = sorted(Path(args.to).glob("*.npz"))
    if args.what == "run":
        names, logs, total, counts, sums = hx.elements(lib), [], np.zeros(128), 0, 0
        for file in files:
            given = tables(args)
            probs, weights = empty(lib) if given[0] is None else (given[0].copy(), given[1].copy())
            size, tally = replay(lib, file, probs, weights, given[0] is None, args.first)
            total += tally / tally[: len(names)].sum()
            counts = counts + tally[len(names) : 2 * len(names)]
            sums = sums + tally[: len(names)] / 4096
            logs.append(size)
        print(
            " ".join(f"{f.stem[:12]}:{s:.1f}" for f, s in zip(files, logs)),
            f"geometric mean {np.exp(np.mean(np.log(logs))):.2f}",
        )
        if args.stats:
            print(
                " ".join(
                    f"{n}:{100 * b / len(files):.1f}({s / max(1, k):.3f})"
                    for n, b, s, k in zip(names, total, sums, counts)
                )
            )
        return
    probs, weights = empty(lib)
    rng = np.random.default_rng(1)
    begun = False
    for _ in range(args.rounds):
        for i in rng.permutation(len(files)):
            size, _ = replay(lib, files[i], probs, weights, not begun, args.first)
            begun = True
            print(files[i].stem, round(size, 1), flush=True)
    probs[:, 1] = np.minimum(probs[:, 1], args.prior)
    np.savez_compressed(args.tables, probs=probs, weights=weights)


if __name__ == "__main__":
    main()
