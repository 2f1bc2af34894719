"""One picture of source frames above the same frames decoded.

python tools/side_by_side.py game.mp4 game.lvc -o docs/images/side_by_side.png --frames 40 120
"""

import argparse
import sys
from pathlib import Path

import cv2
import numpy as np

import lvc
from lvc.cli.report import sampling_of
from lvc.video.sample import sampled_frames

GAP = 4  # pixels of white between pictures


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("source", type=Path)
    parser.add_argument("coded", type=Path)
    parser.add_argument("-o", "--output", type=Path, required=True)
    parser.add_argument("--frames", type=int, nargs="+", default=[40, 120], metavar="N")
    parser.add_argument("--scale", type=int, default=2)
    options = parser.parse_args()
    with lvc.open(options.coded) as reader:
        decoded = reader.frames_at(options.frames)
        wanted = dict(zip(decoded.pts, range(len(decoded))))
        source = np.zeros_like(decoded.data)
        for batch in sampled_frames(options.source, sampling_of(reader)):
            for frame, pts in zip(batch.data, batch.pts):
                if pts in wanted:
                    source[wanted[pts]] = frame
    rows = [np.concatenate([framed(frame) for frame in frames], axis=1) for frames in (source, decoded.data)]
    picture = np.concatenate(rows)
    picture = cv2.resize(picture, None, fx=options.scale, fy=options.scale, interpolation=cv2.INTER_NEAREST)
    options.output.parent.mkdir(parents=True, exist_ok=True)
    if not cv2.imwrite(str(options.output), picture[:, :, ::-1]):
        raise SystemExit(f"{options.output}: cannot be written")
    return 0


def framed(frame: np.ndarray) -> np.ndarray:
    return np.pad(frame, ((GAP, GAP), (GAP, GAP), (0, 0)), constant_values=255)


if __name__ == "__main__":
    sys.exit(main())
