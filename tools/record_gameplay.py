"""Record real games as a screen recorder would: H.264 in mp4, 30 frames a second, from a seed.

    python tools/record_gameplay.py --game ms_pacman --seed 1 --seconds 60 -o pacman.mp4
    python tools/record_gameplay.py --source procgen --game bigfish --seed 7 --size 640x512 -o bigfish.mp4
    python tools/record_gameplay.py --recipe datasets/pacman.json -o recordings/pacman --workers 2

The games come from pip and apt: datasets/README.md says which packages each recipe needs. A recipe names every
recording with its game, seed and length, so that two machines record the same play; a recording that is already there
is kept. Where packages of a game are missing, or a recording fails, a line says so and the others are recorded: exit
code 3. The paths of what was recorded go to stdout.
"""

import argparse
import importlib
import multiprocessing
import sys
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path
from types import ModuleType

from recorders.screen import write_recording
from recorders.take import SPLITS, RecipeError, Take, takes_of_recipe
from tqdm import tqdm

SOURCES = ("ale", "procgen", "gymnasium", "crafter", "windowed")
REFUSED, PARTLY_DONE = 2, 3


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--recipe", type=Path, help="a recipe of datasets/: records all it names")
    parser.add_argument("--split", choices=SPLITS, help="only this part of the recipe")
    parser.add_argument("--source", choices=SOURCES, default="ale", help="what plays the game (default %(default)s)")
    parser.add_argument("--game", default="ms_pacman", help="a game of the source (default %(default)s)")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--size", default="960x720", help="width x height (default %(default)s)")
    parser.add_argument("--crf", type=int, default=18, help="of the H.264 (default %(default)s)")
    parser.add_argument("-o", "--output", type=Path, required=True, help="an mp4, or with --recipe a folder")
    parser.add_argument("-w", "--workers", type=int, default=1)
    options = parser.parse_args()
    try:
        takes = takes_of(options)
        sources = {take.source: source_of(take) for take in takes}
    except (OSError, ValueError) as error:
        say(f"record_gameplay: {error}")
        return REFUSED
    return record_all(takes, sources, options.workers)


def takes_of(options: argparse.Namespace) -> list[Take]:
    if options.recipe:
        return takes_of_recipe(options.recipe, options.output, options.split)
    width, height = (int(side) for side in options.size.split("x"))
    return [
        Take(options.source, options.game, options.seed, options.seconds, options.output, width, height, options.crf)
    ]


def source_of(take: Take) -> ModuleType:
    """The module that plays a take's game: GAMES or None for any, `missing`, `pictures` and ENLARGE."""
    if take.source not in SOURCES:
        raise RecipeError(f"{take.path.name}: no source is called {take.source!r}; there are {', '.join(SOURCES)}")
    source = importlib.import_module(f"recorders.{take.source}")
    if source.GAMES is not None and take.game not in source.GAMES:
        raise RecipeError(f"{take.path.name}: {take.source} has no game {take.game!r}")
    return source


def record_all(takes: list[Take], sources: dict[str, ModuleType], workers: int) -> int:
    """Records what is not there yet and can be recorded here; returns the exit code."""
    recordable, code = [], 0
    for take in takes:
        if take.path.exists():
            continue
        lacking = sources[take.source].missing(take.game)
        if lacking:
            say(f"{take.path.name}: not recorded, {take.game} needs {', '.join(lacking)}")
            code = PARTLY_DONE
        else:
            recordable.append(take)
    with ThreadPoolExecutor(workers) as threads:
        jobs = {threads.submit(record_apart, take): take for take in recordable}
        for job in tqdm(as_completed(jobs), total=len(jobs), unit="recording", file=sys.stderr):
            if job.result():
                say(f"{jobs[job].path.name}: not recorded, its process ended with {job.result()}")
                code = PARTLY_DONE
            else:
                print(jobs[job].path, flush=True)
    return code


def record_apart(take: Take) -> int:
    """Records in a process of its own, and returns how that ended: a game that crashes costs its own take alone."""
    process = multiprocessing.get_context("spawn").Process(target=record, args=(take,))
    process.start()
    process.join()
    return process.exitcode


def record(take: Take) -> None:
    """Writes one recording, or says in a line what went wrong and ends the process with 1."""
    source = source_of(take)
    try:
        write_recording(take, source.pictures(take), enlarge=source.ENLARGE)
    except Exception as error:  # of any game and any package; the others are to be recorded
        say(f"{take.path.name}: {type(error).__name__}: {error}")
        sys.exit(1)


def say(text: str) -> None:
    tqdm.write(text, file=sys.stderr)


if __name__ == "__main__":
    sys.exit(main())
