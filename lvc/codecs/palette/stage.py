"""Sprites, and the actors that they show before a background, in arrays that compiled code fills frame by frame."""

from typing import NamedTuple

import numpy as np

from lvc.codecs.palette.model import NO_COLOUR, SPRITE_SIDE

KNOWN_BITS, OWN_BITS = 8, 7
KNOWN_SPRITES, OWN_SPRITES = 1 << KNOWN_BITS, 1 << OWN_BITS  # that weights bring along; that a group's frames have shown, the latest ones
SPRITES = KNOWN_SPRITES + OWN_SPRITES
CAST = 48  # actors at once
# What is known of an actor: its sprite, where its upper left corner is, frames since it was seen, in which of the last it was (bits),
# how far it went last, how often it has moved or changed, and for how many frames it has stood still.
SPRITE, Y, X, AGE, SEEN_BEFORE, DOWN, ACROSS, TIMES, STOOD = range(9)
FACTS = 9
ENTERED, SHOWN = range(2)  # places in `counts`: actors that there are, and own sprites so far


class Sprites(NamedTuple):
    """bitmaps: places of colours int16 [N, SPRITE_SIDE, SPRITE_SIDE], NO_COLOUR for holes. sizes: int64 [N, 2], height and width; 0 of none."""

    bitmaps: np.ndarray
    sizes: np.ndarray


NO_SPRITES = Sprites(np.empty((0, SPRITE_SIDE, SPRITE_SIDE), np.int16), np.empty((0, 2), np.int64))


class Stage(NamedTuple):
    """bitmaps, sizes: of all SPRITES, see `Sprites`, the known ones first. cast: int64 [CAST, FACTS], the actors. counts: int64 [2].

    background: places of colours int16 [H, W] within a border, and four at a time. owned: uint8 [H, W] alike, 1 where an actor is
    seen. mask, part: room, uint8 [H, W] and int64 [SPRITE_SIDE**2, 2].
    """

    bitmaps: np.ndarray
    sizes: np.ndarray
    cast: np.ndarray
    counts: np.ndarray
    background: np.ndarray
    background_words: np.ndarray
    owned: np.ndarray
    mask: np.ndarray
    part: np.ndarray


class Scene(NamedTuple):
    """What an encoder found: of each actor, int64 [CAST, 4], whether it is seen, its sprite, y and x; new ones int64 [N, 3], sprite, y, x."""

    again: np.ndarray
    new: np.ndarray

    @staticmethod
    def nothing() -> "Scene":
        return Scene(np.zeros((CAST, 4), np.int64), np.zeros((0, 3), np.int64))


def stage_of(background: np.ndarray, sprites: Sprites) -> Stage:
    """Without actors; background: int16 [H, W] within its border, filled later."""
    bitmaps = np.full((SPRITES, SPRITE_SIDE, SPRITE_SIDE), NO_COLOUR, np.int16)
    sizes = np.zeros((SPRITES, 2), np.int64)
    bitmaps[: len(sprites.bitmaps)], sizes[: len(sprites.sizes)] = sprites
    maps = np.zeros((2, *background.shape), np.uint8)
    part = np.zeros((SPRITE_SIDE * SPRITE_SIDE, 2), np.int64)
    return Stage(bitmaps, sizes, np.zeros((CAST, FACTS), np.int64), np.zeros(2, np.int64), background, background.view(np.uint64), *maps, part)
