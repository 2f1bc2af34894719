"""Measures what restoration gives behind libaom on recordings: BD-rate with and without it, and what decoding costs.

    python tools/measure_restoration.py recordings/*.mp4 --levels 20,32,44,56 --stream-effort 1 --effort 2

Each recording's sampled frames are one group. Times are of the processor, not of the clock.
"""

import argparse
import sys
import time
from pathlib import Path

import numpy as np

from lvc.codecs.codec import psnr_of_frames
from lvc.codecs.restoration import coding
from lvc.codecs.restoration.group import shipped
from lvc.codecs.standard.colour import frame_of, planes_of
from lvc.codecs.standard.decoding import decoded_samples
from lvc.codecs.standard.encoding import av1_encoder
from lvc.codecs.standard.streams import STREAMS
from lvc.quality.bdrate import bd_rate
from lvc.video.sample import Sampling, sampled_frames

GEOMETRY = Sampling().geometry


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("recordings", type=Path, nargs="+")
    parser.add_argument("--levels", default="20,32,44,56", help="libaom's quantisers (default %(default)s)")
    parser.add_argument("--stream-effort", type=int, default=1, help="that streams are coded with: 1 is cpu-used 4")
    parser.add_argument("--effort", type=int, default=2, help="that filters are chosen with")
    parser.add_argument("--frames", type=int, default=195, help="at most so many of each (default %(default)s)")
    options = parser.parse_args()
    rates = []
    for path in options.recordings:
        frames = np.concatenate([batch.data for batch in sampled_frames(path, Sampling())])[: options.frames]
        points = [
            measured(path.stem, frames, int(level), options.stream_effort, options.effort)
            for level in options.levels.split(",")
        ]
        without, restored = (np.array([point[which] for point in points]) for which in (0, 1))
        if len(points) > 1:
            rates.append(bd_rate(without[:, 0], without[:, 1], restored[:, 0], restored[:, 1]))
            print(f"{path.stem}: BD-rate {rates[-1]:.2f} %", flush=True)
    if rates:
        print(f"mean BD-rate {np.mean(rates):.2f} %, worst {max(rates):.2f} %")
    return 0


def measured(name: str, frames: np.ndarray, level: int, stream_effort: int, effort: int):
    """Bytes a frame and mean PSNR of RGB, without restoration and with it."""
    encoder, basis, sources = av1_encoder(), shipped(), planes_of(frames)
    stream = encoder.encode(frames, level, stream_effort)
    start = time.process_time()
    head = coding.head_of(
        basis,
        lambda: decoded_samples(STREAMS["av1"], stream, GEOMETRY),
        sources.__getitem__,
        strength=encoder.strength(level),
        stream_bytes=len(stream),
        effort=effort,
    )
    chosen = time.process_time()
    plain = np.stack([frame_of(planes) for planes in decoded_samples(STREAMS["av1"], stream, GEOMETRY)])
    between = time.process_time()
    restore, rest = coding.parted(basis, head + stream, GEOMETRY)
    better = np.stack([frame_of(planes) for planes in restore(decoded_samples(STREAMS["av1"], rest, GEOMETRY))])
    end = time.process_time()
    psnr, gained = psnr_of_frames(frames, plain).mean(), psnr_of_frames(frames, better).mean()
    times = [1000 * seconds / len(frames) for seconds in (chosen - start, between - chosen, end - between)]
    print(
        f"{name} {level}: {len(stream) / len(frames):.1f} bytes a frame, {psnr:.2f} dB; {gained - psnr:+.3f} dB by "
        f"{len(head)} bytes; ms a frame: choosing {times[0]:.1f}, decoding {times[1]:.2f}, restored {times[2]:.2f}",
        flush=True,
    )
    return (len(stream) / len(frames), psnr), (len(head + stream) / len(frames), gained)


if __name__ == "__main__":
    sys.exit(main())
