"""Record real games as a screen recorder would: H.264 in mp4, 30 frames a second, from a seed.

    python tools/record_gameplay.py --game ms_pacman --seed 1 --seconds 60 -o pacman.mp4
    python tools/record_gameplay.py --recipe datasets/pacman.json -o recordings/pacman --workers 2

The games come with ale-py (`pip install "lvc[record]"`). A recipe names every recording with its game,
seed and length, so that two machines record the same play; a recording that is already there is kept.
"""

import argparse
import json
import multiprocessing
import os
import random
import sys
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av
import cv2
from tqdm import tqdm

RATE = 30  # frames a second of the recording; the emulator runs at 60
EMULATED_FRAMES = 2  # emulator frames per recorded frame
STICKINESS = 0.25  # chance that the emulator repeats the last action (Machado et al. 2018, section 5.2)


@dataclass(frozen=True)
class Take:
    """One recording: which game, from which seed, how long, into which file."""

    game: str
    seed: int
    seconds: float
    path: Path
    width: int
    height: int


class HeldActions:
    """A player who holds each direction for a while, as people do, instead of a new one every frame."""

    def __init__(self, actions: list, seed: int):
        self.random = random.Random(seed)
        self.actions = actions
        self.action, self.left = actions[0], 0

    def next(self):
        if self.left == 0:
            self.action = self.random.choice(self.actions)
            self.left = self.random.randint(4, 24)  # 0.13 to 0.8 seconds at 30 a second
        self.left -= 1
        return self.action


def play(take: Take):
    """Yields the emulator's picture, uint8 [210, 160, 3], once for each recorded frame, without end."""
    import ale_py

    ale_py.ALEInterface.setLoggerMode(ale_py.LoggerMode.Error)
    emulator = ale_py.ALEInterface()
    emulator.setInt("random_seed", take.seed)
    emulator.setFloat("repeat_action_probability", STICKINESS)
    emulator.loadROM(ale_py.roms.get_rom_path(take.game))
    player = HeldActions(list(emulator.getMinimalActionSet()), take.seed)
    while True:
        for _ in range(EMULATED_FRAMES):
            if emulator.game_over():
                emulator.reset_game()
            emulator.act(player.action)
        player.next()
        yield emulator.getScreenRGB()


def record(take: Take) -> Path:
    """Writes one recording, under a temporary name until it is whole."""
    take.path.parent.mkdir(parents=True, exist_ok=True)
    part = take.path.with_name(take.path.name + ".part")
    # Encoded on one thread: x264's output depends on the number of threads, and workers run side by side.
    options = {"preset": "veryfast", "crf": "18", "threads": "1"}
    with av.open(str(part), "w", format="mp4") as output:
        stream = output.add_stream("libx264", rate=RATE, options=options)
        stream.width, stream.height, stream.pix_fmt = take.width, take.height, "yuv420p"
        stream.codec_context.time_base = Fraction(1, RATE)
        for index, picture in zip(range(round(take.seconds * RATE)), play(take)):
            large = cv2.resize(picture, (take.width, take.height), interpolation=cv2.INTER_NEAREST)
            frame = av.VideoFrame.from_ndarray(large, format="rgb24")
            frame.pts, frame.time_base = index, Fraction(1, RATE)
            output.mux(stream.encode(frame))
        output.mux(stream.encode(None))
    os.replace(part, take.path)
    return take.path


def takes_of_recipe(recipe: Path, folder: Path, only: str | None = None) -> list[Take]:
    """Reads a recipe: a JSON object with `size` [width, height] and `recordings`, each with file, game, seed, seconds."""
    content = json.loads(recipe.read_text())
    width, height = content["size"]
    return [
        Take(entry["game"], entry["seed"], entry["seconds"], folder / entry["file"], width, height)
        for entry in content["recordings"]
        if only is None or entry["split"] == only
    ]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--recipe", type=Path, help="a recipe of datasets/: records all it names")
    parser.add_argument("--split", choices=("train", "validation", "test"), help="only this part of the recipe")
    parser.add_argument("--game", default="ms_pacman", help="a game of ale-py (default %(default)s)")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--size", default="960x720", help="width x height (default %(default)s)")
    parser.add_argument("-o", "--output", type=Path, required=True, help="an mp4, or with --recipe a folder")
    parser.add_argument("-w", "--workers", type=int, default=1)
    options = parser.parse_args()

    if options.recipe:
        takes = takes_of_recipe(options.recipe, options.output, options.split)
    else:
        width, height = (int(side) for side in options.size.split("x"))
        takes = [Take(options.game, options.seed, options.seconds, options.output, width, height)]
    missing = [take for take in takes if not take.path.exists()]
    # An emulator that crashes takes its process along: an executor says so, where a Pool would wait for ever.
    spawn = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(options.workers, mp_context=spawn) as workers:
        jobs = [workers.submit(record, take) for take in missing]
        for job in tqdm(as_completed(jobs), total=len(jobs), unit="recording", file=sys.stderr):
            print(job.result())
    return 0


if __name__ == "__main__":
    sys.exit(main())
