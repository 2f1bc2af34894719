"""Sprites that come and go before a background: which of those seen of late are seen again, where, and looking how.

A sprite is a small picture with holes. An actor is one that was seen in some place; a frame tells of each whether it is seen, how far it has
gone and which sprite shows it now, then which actors are new. What is not of an actor and stands still for two frames is background.
Sprites come from the weights, for a game that these know, and from the frames themselves, by both directions alike.
"""

from typing import NamedTuple

import numpy as np

from lvc.compiled import compiled
from lvc.entropy.mixing import hashed
from lvc.errors import FormatError
from lvc.palette.decisions import code_decision
from lvc.palette.memory import ACTOR_COLOURS, ACTOR_PATTERNS, ACTOR_ROWS, ACTOR_SLOTS, ACTORS, ACTORS_OWN, MOST_CONTEXTS, NO_COLOUR

SPRITE_SIDE = 16  # pixels, at most
KNOWN_BITS, OWN_BITS = 8, 7
KNOWN_SPRITES, OWN_SPRITES = 1 << KNOWN_BITS, 1 << OWN_BITS  # that weights bring along; that a group's frames have shown, the latest ones
SPRITES = KNOWN_SPRITES + OWN_SPRITES
CAST = 48  # actors at once
REACH_BITS = 5
REACH = 1 << REACH_BITS  # pixels that an actor goes between two frames, at most
PLACE_BITS = 14  # of a coordinate: as many as a picture's side has
LEAST_AREA = 6  # pixels of a sprite that a frame shows
TRIED_AGE, KNOWN_AGE = 3, 12  # frames after which an actor is forgotten that was seen once, and one that was seen again
HISTORY = 63
STOOD_NEW, STOOD_KNOWN = 1, 4  # frames for which an actor stands still, as it is, until it is background
SPRITE, Y, X, AGE, SEEN_BEFORE, DOWN, ACROSS, TIMES, STOOD = range(9)
FACTS = 9
SEEN, STEP_DOWN, STEP_ACROSS, LOOKS_SAME, LOOK, MORE, NEW_LOOK, NEW_Y, NEW_X = range(9)  # what is coded


class Stage(NamedTuple):
    """bitmaps: places of colours int16 [SPRITES, SIDE, SIDE], NO_COLOUR for holes. sizes: int64 [SPRITES, 2], height and width, 0 of none.
    cast: int64 [CAST, FACTS], the actors. counts: int64 [2], how many there are, and which of the own sprites goes next.
    """

    bitmaps: np.ndarray
    sizes: np.ndarray
    cast: np.ndarray
    counts: np.ndarray

    @staticmethod
    def empty(bitmaps: np.ndarray | None = None, sizes: np.ndarray | None = None) -> "Stage":
        """bitmaps, sizes: of known sprites, at most KNOWN_SPRITES."""
        stage = Stage(
            np.full((SPRITES, SPRITE_SIDE, SPRITE_SIDE), NO_COLOUR, np.int16),
            np.zeros((SPRITES, 2), np.int64),
            np.zeros((CAST, FACTS), np.int64),
            np.zeros(2, np.int64),
        )
        if bitmaps is not None:
            stage.bitmaps[: len(bitmaps)], stage.sizes[: len(bitmaps)] = bitmaps, sizes
        return stage


class Scene(NamedTuple):
    """What an encoder found: of each actor, int64 [CAST, 4] whether it is seen, its sprite, y and x; new ones int64 [N, 3], sprite, y, x."""

    again: np.ndarray
    new: np.ndarray

    @staticmethod
    def nothing() -> "Scene":
        return Scene(np.zeros((CAST, 4), np.int64), np.zeros((0, 3), np.int64))


@compiled
def code_symbol(coder, memory, kind, value, bits, facts, contexts, odds):
    """A number of so many bits, each under what came before it and four facts: two that mean the same in every game, and two of this one."""
    common, also, own, other = facts
    node = 1
    for place in range(bits - 1, -1, -1):
        here = hashed(kind, node)
        context(contexts, 0, ACTORS, here)
        context(contexts, 1, ACTORS, hashed(here, common))
        context(contexts, 2, ACTORS, hashed(here, hashed(common, also)))
        context(contexts, 3, ACTORS_OWN, hashed(here, own))
        context(contexts, 4, ACTORS_OWN, hashed(here, other))
        context(contexts, 5, ACTORS_OWN, hashed(here, hashed(own, common)))
        rows = ACTOR_ROWS[0] + kind, ACTOR_ROWS[1] + min(bits - 1 - place, 7)
        node = 2 * node + code_decision(coder, memory, contexts, ACTOR_PATTERNS, ACTOR_COLOURS, rows, odds, (value >> place) & 1)
    return node - (1 << bits)


@compiled
def context(contexts, number, region, fact):
    contexts[number] = region + (number % ACTOR_PATTERNS) * ACTOR_SLOTS + (fact & (ACTOR_SLOTS - 1))


@compiled
def code_step(coder, memory, kind, value, facts, contexts, odds):
    """How far an actor went along one side, within REACH: whether at all, which way, and how far."""
    if not code_symbol(coder, memory, kind, 1 if value != 0 else 0, 1, facts, contexts, odds):
        return 0
    back = code_symbol(coder, memory, kind, 1 if value < 0 else 0, 1, further(facts, 1), contexts, odds)
    size = 1 + code_symbol(coder, memory, kind, abs(value) - 1, REACH_BITS, further(facts, 2 + back), contexts, odds)
    return -size if back else size


@compiled
def further(facts, number):
    return hashed(facts[0], number), hashed(facts[1], number), hashed(facts[2], number), hashed(facts[3], number)


@compiled
def code_look(coder, memory, kind, sprite, latest, facts, contexts, odds):
    """Which sprite: one that is known, or an own one by how many are later. latest: how many own ones there have been."""
    own = code_symbol(coder, memory, kind, 1 if sprite >= KNOWN_SPRITES else 0, 1, facts, contexts, odds)
    if own:
        later = code_symbol(coder, memory, kind, (latest - 1 - (sprite - KNOWN_SPRITES)) % OWN_SPRITES, OWN_BITS, further(facts, 1), contexts, odds)
        return KNOWN_SPRITES + (latest - 1 - later) % OWN_SPRITES
    return code_symbol(coder, memory, kind, sprite, KNOWN_BITS, further(facts, 2), contexts, odds)


@compiled
def code_actors(coder, memory, stage, scene, height, width):
    """Codes what becomes of the actors, and which are new; the stage is as after the frame. False for what cannot be."""
    cast, counts, sizes = stage.cast, stage.counts, stage.sizes
    contexts, odds = np.empty(MOST_CONTEXTS, np.int64), np.empty(MOST_CONTEXTS, np.int64)
    before = np.int64(0)  # what the actor before did that was seen as this one was
    for number in range(counts[0]):
        actor, wanted = cast[number], scene.again[number]
        history, sprite, age = actor[SEEN_BEFORE], actor[SPRITE], min(actor[AGE], 7)
        times = min(actor[TIMES], 2) | min(actor[STOOD], 3) << 2
        if number == 0 or cast[number - 1, SEEN_BEFORE] >> 1 != history:
            before = np.int64(0)
        place = hashed(actor[Y], actor[X])
        facts = hashed(history, times), before, hashed(sprite, history & 7), hashed(place, history & 3)
        seen = code_symbol(coder, memory, SEEN, wanted[0], 1, facts, contexts, odds)
        before = (before << 1 | seen) & 3 | 4
        actor[SEEN_BEFORE] = (history << 1 | seen) & HISTORY
        if not seen:
            actor[AGE] += 1
            continue
        last = hashed(actor[DOWN], actor[ACROSS])
        facts = hashed(last, min(age, 1)), hashed(times, age), hashed(place, last), hashed(sprite, age)
        down = code_step(coder, memory, STEP_DOWN, wanted[2] - actor[Y], facts, contexts, odds)
        facts = hashed(last, down), hashed(times, age), hashed(hashed(place, last), down), hashed(hashed(sprite, age), down)
        across = code_step(coder, memory, STEP_ACROSS, wanted[3] - actor[X], facts, contexts, odds)
        going = hashed((down > 0) - (down < 0) + 1, (across > 0) - (across < 0) + 1)
        facts = hashed(going, history & 3), times, hashed(sprite, going), sprite
        if not code_symbol(coder, memory, LOOKS_SAME, 1 if wanted[1] == sprite else 0, 1, facts, contexts, odds):
            sprite = code_look(coder, memory, LOOK, wanted[1], counts[1], facts, contexts, odds)
        actor[Y] += down
        actor[X] += across
        if sprite >= SPRITES or sizes[sprite, 0] == 0 or not (0 <= actor[Y] < height and 0 <= actor[X] < width):
            return False
        if down == 0 and across == 0 and sprite == actor[SPRITE] and actor[AGE] == 0:
            actor[STOOD] += 1
        else:
            actor[STOOD], actor[TIMES] = 0, min(actor[TIMES] + 1, 3)
        actor[SPRITE], actor[AGE], actor[DOWN], actor[ACROSS] = sprite, 0, down, across
    y_bits, x_bits = bits_of(height), bits_of(width)
    found, last = 0, np.int64(0)
    while True:
        facts = min(found, 3), 0, min(counts[0], 15), last
        if not code_symbol(coder, memory, MORE, 1 if found < scene.new.shape[0] else 0, 1, facts, contexts, odds):
            break
        wanted = scene.new[min(found, scene.new.shape[0] - 1)] if scene.new.shape[0] else np.zeros(3, np.int64)
        sprite = code_look(coder, memory, NEW_LOOK, wanted[0], counts[1], (0, 0, last, 0), contexts, odds)
        y = code_symbol(coder, memory, NEW_Y, wanted[1], y_bits, (0, 0, sprite, last), contexts, odds)
        x = code_symbol(coder, memory, NEW_X, wanted[2], x_bits, (0, 0, hashed(sprite, y), y), contexts, odds)
        if sprite >= SPRITES or sizes[sprite, 0] == 0 or y >= height or x >= width or found >= CAST:
            return False
        enter(cast, counts, sprite, y, x, 1)
        found, last = found + 1, sprite + 1
    return True


@compiled
def bits_of(side):
    bits = 1
    while 1 << bits < side:
        bits += 1
    return bits


@compiled
def enter(cast, counts, sprite, y, x, times):
    """One more actor; where there is no room, in place of the one that was not seen for longest."""
    number = counts[0]
    if number == CAST:
        number = 0
        for other in range(1, CAST):
            if cast[other, AGE] > cast[number, AGE]:
                number = other
        for other in range(number, CAST - 1):
            cast[other] = cast[other + 1]
        number = CAST - 1
    else:
        counts[0] += 1
    actor = cast[number]
    actor[SPRITE], actor[Y], actor[X], actor[AGE], actor[SEEN_BEFORE], actor[DOWN], actor[ACROSS], actor[TIMES], actor[STOOD] = sprite, y, x, 0, 1, 0, 0, times, 0


@compiled
def draw(stage, background, picture, owned):
    """Fills colours int16 [H, W] with the background and the actors that are seen, and which pixels are theirs, uint8 [H, W]."""
    picture[:] = background
    owned[:] = 0
    height, width = picture.shape
    for number in range(stage.counts[0]):
        actor = stage.cast[number]
        if actor[AGE] == 0 and actor[SEEN_BEFORE] & 1:
            sprite = actor[SPRITE]
            still = stands(actor)
            for line in range(min(stage.sizes[sprite, 0], height - actor[Y])):
                for place in range(min(stage.sizes[sprite, 1], width - actor[X])):
                    colour = stage.bitmaps[sprite, line, place]
                    if colour != NO_COLOUR:
                        picture[actor[Y] + line, actor[X] + place] = colour
                        owned[actor[Y] + line, actor[X] + place] = not still


@compiled
def stands(actor):
    """Whether an actor has stood still for so long that it is background from now on."""
    return actor[STOOD] >= (STOOD_NEW if actor[TIMES] == 0 else STOOD_KNOWN)


@compiled
def part_from(mask, y, x, part, most):
    """Takes a part that hangs together out of a mask uint8 [H, W], from one of its pixels on: fills `part` int64 [N, 2] with up to N of them.

    Gives how many there are, and its top, left, bottom and right.
    """
    height, width = mask.shape
    count, done = 1, 0
    part[0, 0], part[0, 1] = y, x
    mask[y, x] = 0
    top, left, bottom, right = y, x, y, x
    while done < min(count, part.shape[0]):
        row, column = part[done]
        done += 1
        top, left, bottom, right = min(top, row), min(left, column), max(bottom, row), max(right, column)
        for line in range(max(0, row - 1), min(height, row + 2)):
            for place in range(max(0, column - 1), min(width, column + 2)):
                if mask[line, place]:
                    mask[line, place] = 0
                    if count < part.shape[0]:
                        part[count, 0], part[count, 1] = line, place
                    count += 1
    return count, top, left, bottom, right


@compiled
def after_frame(stage, background, last, picture, expected, owned):
    """What a frame that is known teaches: background that stands still, sprites that nobody told, and who is gone."""
    height, width = picture.shape
    mask = np.zeros((height, width), np.uint8)
    for y in range(height):
        for x in range(width):
            colour = picture[y, x]
            if colour == background[y, x] or (owned[y, x] and colour == expected[y, x]):
                continue
            if colour == last[y, x] and not owned[y, x]:
                background[y, x] = colour
            else:
                mask[y, x] = 1
    part = np.empty((SPRITE_SIDE * SPRITE_SIDE, 2), np.int64)
    for y in range(height):
        for x in range(width):
            if mask[y, x]:
                count, top, left, bottom, right = part_from(mask, y, x, part, 0)
                if LEAST_AREA <= count <= part.shape[0] and bottom - top < SPRITE_SIDE and right - left < SPRITE_SIDE:
                    learn_sprite(stage, picture, part, count, top, left, bottom, right)
    keep_recent(stage.cast, stage.counts)


@compiled
def learn_sprite(stage, picture, part, count, top, left, bottom, right):
    """One more own sprite, unless it is known, and its actor."""
    own = KNOWN_SPRITES + stage.counts[1] % OWN_SPRITES
    bitmap, size = stage.bitmaps[own], stage.sizes[own]
    # Whoever still looks like the sprite that goes is gone with it.
    kept = 0
    for number in range(stage.counts[0]):
        if stage.cast[number, SPRITE] != own:
            stage.cast[kept] = stage.cast[number]
            kept += 1
    stage.counts[0] = kept
    bitmap[:] = NO_COLOUR
    for place in range(count):
        y, x = part[place]
        bitmap[y - top, x - left] = picture[y, x]
    size[0], size[1] = bottom - top + 1, right - left + 1
    for sprite in range(SPRITES):
        if sprite != own and stage.sizes[sprite, 0] == size[0] and stage.sizes[sprite, 1] == size[1] and alike(stage.bitmaps[sprite], bitmap):
            size[0] = size[1] = 0
            own = sprite
            break
    else:
        stage.counts[1] += 1
    enter(stage.cast, stage.counts, own, top, left, 0)


@compiled
def alike(one, other):
    for y in range(SPRITE_SIDE):
        for x in range(SPRITE_SIDE):
            if one[y, x] != other[y, x]:
                return False
    return True


@compiled
def keep_recent(cast, counts):
    """Forgets the actors that were not seen for long."""
    kept = 0
    for number in range(counts[0]):
        if not stands(cast[number]) and cast[number, AGE] <= (TRIED_AGE if cast[number, TIMES] == 0 else KNOWN_AGE):
            cast[kept] = cast[number]
            kept += 1
    counts[0] = kept


def told(stage: Stage, coder, memory, scene: Scene | None, size: tuple[int, int]) -> None:
    """`code_actors` for a frame of a size; raises FormatError for what cannot be."""
    height, width = size
    assert scene is None or len(scene.new) <= CAST
    coder.room((CAST * 40 + CAST * 50) * 2)
    if not code_actors(coder.parts, memory, stage, scene or Scene.nothing(), height, width):
        raise FormatError("the coded symbols are damaged: an actor that cannot be")
