"""Procgen's games: smooth sprites before painted backgrounds, levels without end, drawn offline at 512x512."""

import contextlib
import io

import cv2
import numpy as np

from recorders.modules import absent
from recorders.player import HeldActions
from recorders.take import Take

ENLARGE = cv2.INTER_LINEAR
# Steps of the game run at 15 a second, each shown twice.
SHOWN = 2
# Actions: 0 left down, 1 left, 2 left up, 3 down, 4 nothing, 5 up, 6 right down, 7 right, 8 right up, 9 fire. As often
# as an action stands there, so often is it chosen: what runs on, or shoots, shows more of a game than a random walk.
TABLES = {
    "bigfish": (7, 1, 5, 3, 8, 2, 6, 0),
    "bossfight": (9, 9, 9, 1, 7, 5, 3, 8, 2),
    "caveflyer": (5, 5, 5, 1, 7, 9, 8, 2),
    "chaser": (7, 1, 5, 3),
    "climber": (7, 1, 8, 2, 5, 8, 2),
    "coinrun": (7, 7, 7, 8, 8, 8, 5, 1, 2),
    "dodgeball": (9, 9, 7, 1, 5, 3, 8, 2),
    "fruitbot": (1, 7, 4, 1, 7, 9),
    "heist": (7, 1, 5, 3),
    "jumper": (7, 1, 8, 2, 5, 8),
    "leaper": (5, 5, 7, 1, 4),
    "maze": (7, 1, 5, 3),
    "miner": (7, 1, 5, 3),
    "ninja": (7, 7, 8, 8, 8, 5, 9, 2),
    "plunder": (9, 9, 1, 7, 4),
    "starpilot": (9, 9, 9, 3, 5, 7, 1, 6, 8, 0, 2),
}

GAMES = frozenset(TABLES)


def missing(_game: str) -> list[str]:
    """The packages that the game needs and that are not here. procgen works with a NumPy before 2 alone."""
    return absent({"procgen": "pip procgen-mirror"}) + (["pip 'numpy<2'"] if np.__version__ >= "2" else [])


def pictures(take: Take):
    """Yields the game's picture, uint8 [512, 512, 3], once for each recorded frame, without end."""
    with contextlib.redirect_stderr(io.StringIO()):  # gym tells at length of its successor
        from procgen import ProcgenGym3Env

    game = ProcgenGym3Env(
        num=1,
        env_name=take.game,
        rand_seed=take.seed,
        start_level=take.seed * 1000,
        num_levels=0,
        distribution_mode="hard",
        render_mode="rgb_array",
        use_backgrounds=True,
    )
    player = HeldActions(TABLES[take.game], take.seed, shortest=3, longest=12)
    while True:
        game.act(np.array([player.next()], np.int32))
        game.observe()
        picture = game.get_info()[0]["rgb"]
        for _ in range(SHOWN):
            yield picture
