"""Experiments with the hybrid codec's kernel: rate, quality, where the bits go, BD-rate against measured anchors.

Usage: python tools/hybrid_experiment.py --frames DIR --anchors DIR [--clips a,b] [--first 64] [--qi 20,32,44,56]
       [--keyint 0] [--effort 2] [--without MASK] [--stats] [--check]
"""

import argparse
import ctypes
import json
import subprocess
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np

from lvc.codecs.hybrid.statistics import SHIPPED, statistics_of
from lvc.quality.bdrate import bd_rate

KERNELS = Path(__file__).resolve().parents[1] / "lvc" / "kernels"


class Config(ctypes.Structure):
    _fields_ = [(n, ctypes.c_int32) for n in ("width", "height", "slots", "without")]


class Options(ctypes.Structure):
    _fields_ = [
        (n, ctypes.c_int32)
        for n in ("effort", "qi", "key_boost", "threads", "max_refs", "candidates", "lambda_factor", "tree_strength")
    ]


def build(output: Path, flags: str = ""):
    command = (
        f"gcc -std=gnu11 -O2 -ftree-vectorize -march=x86-64-v3 -fwrapv -fno-strict-aliasing -ffp-contract=off {flags} "
        f"-I{KERNELS} -shared -fPIC {Path(__file__).parent}/hybrid_experiment.c -o {output} -lm"
    )
    if flags or not output.exists():
        subprocess.run(command, shell=True, check=True)
    lib = ctypes.CDLL(str(output))
    lib.hybrid_replay.restype = ctypes.c_double
    lib.hybrid_plan_size.restype = ctypes.c_int64
    lib.hybrid_decoder_size.restype = lib.hybrid_encoder_size.restype = lib.hybrid_encode_group.restype = ctypes.c_int64
    return lib


def pointer(a):
    return None if a is None else a.ctypes.data_as(ctypes.c_void_p)


def elements(lib):
    buffer = ctypes.create_string_buffer(4096)
    n = lib.hybrid_elements(buffer, 4096)
    return buffer.value.decode().split()[:n]


def encode(lib, frames, config, options, tables=(None, None), stats=False, dump=None):
    n = len(frames)
    memory = np.zeros(lib.hybrid_encoder_size(ctypes.byref(config), n), np.uint8)
    out = np.zeros(frames.size + 4096, np.uint8)
    shown = np.empty_like(frames)
    tally = np.zeros(128, np.uint64) if stats else None
    ends = np.zeros(n, np.int64)
    size = lib.hybrid_encode_group(
        pointer(memory),
        ctypes.byref(config),
        ctypes.byref(options),
        pointer(tables[0]),
        pointer(tables[1]),
        pointer(frames),
        n,
        pointer(out),
        ctypes.c_int64(len(out)),
        pointer(shown),
        pointer(tally),
        pointer(ends),
        pointer(dump[0]) if dump else None,
        pointer(dump[1]) if dump else None,
    )
    return out[:size].copy(), shown, tally, ends


def decode(lib, data, n, config, tables=(None, None)):
    memory = np.zeros(lib.hybrid_decoder_size(ctypes.byref(config)), np.uint8)
    lib.hybrid_decoder_start(
        pointer(memory),
        ctypes.byref(config),
        pointer(tables[0]),
        pointer(tables[1]),
        pointer(data),
        ctypes.c_int64(len(data)),
    )
    out = np.empty((n, config.height, config.width, 3), np.uint8)
    for t in range(n):
        lib.hybrid_decode_frame(pointer(memory), pointer(data), pointer(out[t]))
    return out


def psnr(a, b):
    mse = ((a.astype(np.float64) - b) ** 2).mean(axis=(1, 2, 3))
    return float(np.mean(10 * np.log10(255**2 / mse[mse > 0]))) if (mse > 0).any() else 99.0


def run(lib, frames, qi, args, tables, stats):
    n = len(frames)
    keyint = args.keyint or n
    config = Config(frames.shape[2], frames.shape[1], min(args.slots, max(2, keyint)), args.without)
    started = time.thread_time()
    total, shown, tally = 0, np.empty_like(frames), np.zeros(128, np.uint64)
    seconds = 0.0
    for start in range(0, n, keyint):
        part = np.ascontiguousarray(frames[start : start + keyint])
        options = Options(
            args.effort, qi, args.key_boost, args.threads, args.max_refs, args.candidates, args.factor, args.tree
        )
        data, back, part_tally, _ = encode(lib, part, config, options, tables, stats)
        shown[start : start + keyint] = back
        total += len(data)
        if stats:
            tally += part_tally
        if args.check:
            began = time.thread_time()
            assert (decode(lib, data, len(part), config, tables) == back).all(), "decoder drifts"
            seconds += time.thread_time() - began
    spent = time.thread_time() - started - seconds
    return {
        "bytes": total / n,
        "psnr": psnr(shown, frames),
        "seconds": spent / n,
        "decode": seconds / n,
        "tally": tally,
    }


def arguments():
    parser = argparse.ArgumentParser()
    parser.add_argument("--frames", required=True)
    parser.add_argument("--anchors")
    parser.add_argument("--clips")
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--qi", default="16,28,40,52")
    parser.add_argument("--without", type=lambda s: int(s, 0), default=0)
    parser.add_argument("--stats", action="store_true")
    parser.add_argument("--check", action="store_true")
    parser.add_argument("--tables", default=str(SHIPPED), help="statistics to start from, or none")
    parser.add_argument("--flags", default="")
    parser.add_argument("--so", default="/tmp/hybrid_experiment.so")
    parser.add_argument("--save")
    parser.add_argument("--base", help="a file written by --save: report BD-rate against it")
    defaults = {
        "keyint": 0,
        "effort": 2,
        "slots": 64,
        "key_boost": 6,
        "threads": 1,
        "max_refs": 7,
        "candidates": 63,
        "factor": 90,
        "tree": 50,
        "jobs": 2,
    }
    for name, default in defaults.items():
        parser.add_argument("--" + name.replace("_", "-"), type=int, default=default)
    return parser.parse_args()


def beside_anchors(args, clip, points):
    """The BD-rates of a clip's points against the anchors that were measured."""
    line = ""
    for anchor in ("aom1", "aom4", "x265"):
        suffix = f"-g{args.keyint}" if 0 < args.keyint < 32 else ""
        file = Path(args.anchors) / f"{clip}-{anchor}{suffix}.json"
        if file.exists() and not args.first:
            other = [(p["bytes_per_frame"], p["psnr"]) for p in json.loads(file.read_text()) if p["psnr"]]
            if len(other) > 2:
                line += f"  {anchor} {bd_range(other, points):+6.1f}%"
    return line


def show_bits(names, results):
    for (clip, qi), r in results.items():
        bits, bins = r["tally"][: len(names)] / 4096.0, r["tally"][len(names) : 2 * len(names)]
        total = bits.sum()
        parts = [
            f"{n}:{100 * b / total:.1f}({b / max(1, k):.2f})" for n, b, k in zip(names, bits, bins) if b > 0.001 * total
        ]
        print(clip, qi, f"{r['bytes']:.1f} bytes; bins {bins.sum() / max(1, total):.2f} a bit;", *parts)


def main():
    args = arguments()
    lib = build(Path(args.so), args.flags)
    names = elements(lib)
    tables = (None, None)
    if args.tables != "none":
        loaded = statistics_of(Path(args.tables).read_bytes())
        tables = loaded.probabilities, loaded.weights
    clips = args.clips.split(",") if args.clips else sorted(p.stem for p in Path(args.frames).glob("*.npy"))
    jobs = [(clip, qi) for clip in clips for qi in map(int, args.qi.split(","))]

    def one(job):
        clip, qi = job
        frames = np.load(Path(args.frames) / f"{clip}.npy")
        if args.first:
            frames = np.ascontiguousarray(frames[: args.first])
        return run(lib, frames, qi, args, tables, args.stats)

    with ThreadPoolExecutor(args.jobs) as pool:
        results = dict(zip(jobs, pool.map(one, jobs)))
    base = json.loads(Path(args.base).read_text()) if args.base else {}
    saved, deltas, times = {}, [], []
    for clip in clips:
        points = [(r["bytes"], r["psnr"]) for (c, _), r in results.items() if c == clip]
        saved[clip] = points
        times.append(np.mean([r["seconds"] for (c, _), r in results.items() if c == clip]))
        line = f"{clip:24s} " + "  ".join(f"{b:7.1f}@{q:5.2f}" for b, q in points)
        if clip in base:
            deltas.append(bd_rate(*zip(*base[clip]), *zip(*points)))
            line += f"  base {deltas[-1]:+6.2f}%"
        if args.anchors:
            line += beside_anchors(args, clip, points)
        line += f"  {times[-1] * 1000:6.1f} ms"
        if args.check:
            line += f" dec {1000 * np.mean([r['decode'] for (c, _), r in results.items() if c == clip]):.1f} ms"
        print(line, flush=True)
    if deltas:
        print(f"mean {np.mean(deltas):+.2f}%  time {1000 * np.mean(times):.1f} ms")
    if args.save:
        Path(args.save).write_text(json.dumps(saved))
    if args.stats:
        show_bits(names, results)


def bd_range(anchor, points, low=32.0, high=44.0):
    """BD-rate over the part of 32 to 44 dB that both curves reach."""

    def cut(p):
        p = sorted(set(map(tuple, p)), key=lambda a: a[1])
        keep = [a for a in p if low <= a[1] <= high]
        for bound in (low, high):
            if p[0][1] < bound < p[-1][1]:
                from scipy.interpolate import PchipInterpolator

                keep.append(
                    (float(np.exp(PchipInterpolator([a[1] for a in p], [np.log(a[0]) for a in p])(bound))), bound)
                )
        return sorted(set(keep), key=lambda a: a[1])

    one, other = cut(anchor), cut(points)
    return bd_rate(*zip(*one), *zip(*other)) if min(len(one), len(other)) > 1 else float("nan")


if __name__ == "__main__":
    main()
