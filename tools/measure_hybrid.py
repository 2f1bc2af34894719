"""Speeds of the hybrid codec by effort: encoding, decoding, one frame of a short group, beside bytes and PSNR.

Usage: python tools/measure_hybrid.py --frames DIR [--clips a,b] [--efforts 0,1,2] [--level 66] [--threads 2]

DIR has clips as .npy, uint8 [T, H, W, 3]. Encoding and decoding are of one group of up to 256 frames; one frame is the
last of a group of eight, decoded from its payload on. Times are wall times, medians of three for one frame.
"""

import argparse
import statistics
import time
from pathlib import Path

import numpy as np

from lvc.codecs.codec import psnr_of_frames
from lvc.codecs.hybrid.codec import pictures_kept
from lvc.codecs.hybrid.kernels import Decoding, encode
from lvc.codecs.hybrid.statistics import shipped


def seconds(call):
    started, spent = time.perf_counter(), time.process_time()
    result = call()
    return result, time.perf_counter() - started, time.process_time() - spent


def measured(frames: np.ndarray, effort: int, level: int, threads: int) -> dict:
    """One clip at one effort: bytes a frame, dB, frames a second of both directions, milliseconds of one frame."""

    def coded(part):
        slots = pictures_kept(len(part), *part.shape[1:3])
        payload, shown, _ = encode(
            part, slots=slots, effort=effort, quantiser=level, statistics=shipped(), threads=threads
        )
        return payload, shown, slots

    def decoded(payload, slots, count):
        decoding = Decoding(payload, *frames.shape[1:3], slots, statistics=shipped())
        return [decoding.next_picture() for _ in range(count)]

    (payload, shown, slots), wall, processor = seconds(lambda: coded(frames))
    pictures, decode_wall, _ = seconds(lambda: decoded(payload, slots, len(frames)))
    if not np.array_equal(np.stack(pictures), shown):
        raise SystemExit("the decoder shows something else than the encoder")
    short, _, few = coded(frames[:8])
    one = statistics.median(seconds(lambda: decoded(short, few, 8))[1] for _ in range(3))
    psnr = psnr_of_frames(frames, shown)
    return {
        "bytes": len(payload) / len(frames),
        "psnr": float(np.mean(psnr[np.isfinite(psnr)])),
        "fps": len(frames) / wall,
        "processor": 1000 * processor / len(frames),
        "decode": len(frames) / decode_wall,
        "one": 1000 * one,
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--frames", type=Path, required=True)
    parser.add_argument("--clips")
    parser.add_argument("--efforts", default="0,1,2")
    for name, default in {"level": 66, "threads": 2, "first": 256}.items():
        parser.add_argument("--" + name, type=int, default=default)
    args = parser.parse_args()
    clips = args.clips.split(",") if args.clips else sorted(path.stem for path in args.frames.glob("*.npy"))
    print(f"{'':24s} effort  bytes/frame     dB  encode/s  CPU ms  decode/s  one of 8, ms")
    for clip in clips:
        frames = np.ascontiguousarray(np.load(args.frames / f"{clip}.npy")[: args.first])
        for effort in map(int, args.efforts.split(",")):
            m = measured(frames, effort, args.level, args.threads)
            print(
                f"{clip:24s} {effort:6d} {m['bytes']:12.1f} {m['psnr']:6.2f} {m['fps']:9.1f} {m['processor']:7.1f}"
                f" {m['decode']:9.1f} {m['one']:10.1f}",
                flush=True,
            )


if __name__ == "__main__":
    main()
