"""Crafter: a world of blocks seen from above, with day and night, beasts and an inventory."""

import cv2

from recorders.modules import absent
from recorders.player import HeldActions
from recorders.screen import RATE
from recorders.take import Take

ENLARGE = cv2.INTER_NEAREST
GAMES = frozenset(("crafter",))
STEPS = 6  # a second
# Actions: 1 to 4 walk, 5 do, 6 sleep, 7 to 10 place, 11 to 16 make.
TABLE = (1, 2, 2, 3, 4, 4, 5, 5, 5, 5, 7, 8, 11, 14, 6)


def missing(_game: str) -> list[str]:
    """The packages that the game needs and that are not here."""
    return absent({"crafter": "pip crafter"})


def pictures(take: Take):
    """Yields the world, uint8 [take.height, take.width, 3], each 1/30 s of play, without end."""
    import crafter

    environment = crafter.Env(size=(take.width, take.height), seed=take.seed)
    environment.reset()
    player = HeldActions(TABLE, take.seed, shortest=1, longest=6)
    while True:
        picture, _, done, _ = environment.step(player.next())
        if done:
            environment.reset()
        for _ in range(RATE // STEPS):
            yield picture
