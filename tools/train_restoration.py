"""Learns the basis of restoration from recordings of games: how standard codecs' frames are best filtered.

    python tools/train_restoration.py recordings/*.mp4 -o colours.safetensors

Recordings are those of datasets/rich.json (tools/record_gameplay.py makes them); those of reserved games are refused.
Needs an ffmpeg with libaom, and about a minute of one core a recording; 14 MB of memory for each
of a recording's levels.
"""

import argparse
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from recorders.take import is_reserved
from tqdm import tqdm

from lvc.codecs.restoration import training
from lvc.codecs.restoration.choice import palette_of
from lvc.codecs.restoration.statistics import Statistics, statistics_of
from lvc.codecs.standard.colour import planes_of
from lvc.codecs.standard.decoding import decoded_samples
from lvc.codecs.standard.encoding import av1_encoder
from lvc.codecs.standard.streams import STREAMS
from lvc.video.sample import Sampling, sampled_frames

LEVELS = 22, 32, 40, 48, 56
GROUP = 90  # frames
COLOURS = 16
VECTORS = 64
ROW_STEP = 4


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("recordings", type=Path, nargs="+")
    parser.add_argument("-o", "--output", type=Path, required=True)
    options = parser.parse_args()
    for path in options.recordings:
        if is_reserved(path.stem) or is_reserved(path.stem.split("_", 1)[-1]):
            print(f"train_restoration: {path.name}: reserved, not to be trained on", file=sys.stderr)
            return 2
    groups = [
        one
        for path in tqdm(options.recordings, unit="recording", file=sys.stderr)
        for one in statistics_of_recording(path)
    ]
    training.save(training.learned(groups, VECTORS, options.output.stem), options.output)
    return 0


def statistics_of_recording(path: Path) -> Iterator[Statistics]:
    """Of a recording's sampled frames at each level."""
    encoder = av1_encoder()
    frames = np.concatenate([batch.data for batch in sampled_frames(path, Sampling())])
    sources = planes_of(frames)
    for level in LEVELS:
        decoded = [
            planes
            for start in range(0, len(frames), GROUP)
            for planes in decoded_samples(
                STREAMS["av1"], encoder.encode(frames[start : start + GROUP], level, 0), Sampling().geometry
            )
        ]
        palette = palette_of(decoded, COLOURS)
        found = statistics_of(decoded, sources.__getitem__, encoder.strength(level), palette, row_step=ROW_STEP)
        yield Statistics(found.moments.astype(np.float32), found.products.astype(np.float32), found.error)


if __name__ == "__main__":
    sys.exit(main())
