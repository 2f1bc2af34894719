"""Sprites that come and go before a background: which of those seen of late are seen again, where, and looking how.

A sprite is a small picture with holes. An actor is one that was seen in some place; a frame tells of each whether it is seen, how far it has
gone and which sprite shows it now, then which actors are new. What is not of an actor and stands still for two frames is background.
Sprites come from the weights, for a game that these know, and from the frames themselves, by both directions alike.
"""

import numpy as np

from lvc.codecs.palette.decisions import decision_of
from lvc.codecs.palette.memory import (
    ACTOR_COLOURS,
    ACTOR_PATTERNS,
    ACTOR_ROWS,
    ACTOR_SLOTS,
    ACTORS,
    ACTORS_OWN,
)
from lvc.codecs.palette.model import NO_COLOUR, SIDE
from lvc.codecs.palette.past import BORDER, FRAMES, clear_map, copy_map
from lvc.codecs.palette.stage import (
    ACROSS,
    AGE,
    CAST,
    DOWN,
    ENTERED,
    FACTS,
    KNOWN_BITS,
    KNOWN_SPRITES,
    OWN_BITS,
    OWN_SPRITES,
    SEEN_BEFORE,
    SHOWN,
    SPRITE,
    SPRITE_SIDE,
    SPRITES,
    STOOD,
    TIMES,
    X,
    Y,
)
from lvc.entropy.mixing import hashed
from lvc.kernels.compiled import bare, inlined

REACH_BITS = 5
REACH = 1 << REACH_BITS  # pixels that an actor goes between two frames, at most
LEAST_AREA = 6  # pixels of a sprite that a frame shows
TRIED_AGE, KNOWN_AGE = 3, 12  # frames after which an actor is forgotten that was seen once, and one that was seen again
STOOD_NEW, STOOD_KNOWN = 1, 4  # frames for which an actor stands still, as it is, until it is background
HISTORY = 63
SEEN, STEP_DOWN, STEP_ACROSS, LOOKS_SAME, LOOK, MORE, NEW_LOOK, NEW_Y, NEW_X = range(9)  # what is coded
PLACE_BITS = 14  # of a coordinate, at most
ACTORS_MOST = CAST * (2 * (2 + REACH_BITS) + 3 + KNOWN_BITS) + (CAST + 1) * (2 + KNOWN_BITS + 2 * PLACE_BITS)  # decisions of a frame

code_decision = decision_of(ACTOR_PATTERNS, ACTOR_COLOURS)


@bare
def code_symbol(coder, memory, room, kind, value, bits, facts):
    """A number of so many bits, each under what came before it and four facts: two that mean the same in every game, and two of this one."""
    common, also, own, other = facts
    contexts, odds = room.contexts, room.odds
    node = 1
    for place in range(bits - 1, -1, -1):
        here = hashed(kind, node)
        context(contexts, 0, ACTORS, here)
        context(contexts, 1, ACTORS, hashed(here, common))
        context(contexts, 2, ACTORS, hashed(here, hashed(common, also)))
        context(contexts, 3, ACTORS_OWN, hashed(here, own))
        context(contexts, 4, ACTORS_OWN, hashed(here, other))
        context(contexts, 5, ACTORS_OWN, hashed(here, hashed(own, common)))
        one, two = ACTOR_ROWS[0] + kind, ACTOR_ROWS[1] + min(bits - 1 - place, 7)
        node = 2 * node + code_decision(coder, memory, contexts, one, two, odds, (value >> place) & 1)
    return node - (1 << bits)


@inlined
def context(contexts, number, region, fact):
    contexts[number] = region + (number % ACTOR_PATTERNS) * ACTOR_SLOTS + (fact & (ACTOR_SLOTS - 1))


@bare
def code_step(coder, memory, room, kind, value, facts):
    """How far an actor went along one side, within REACH: whether at all, which way, and how far."""
    if not code_symbol(coder, memory, room, kind, 1 if value != 0 else 0, 1, facts):
        return 0
    back = code_symbol(coder, memory, room, kind, 1 if value < 0 else 0, 1, further(facts, 1))
    size = 1 + code_symbol(coder, memory, room, kind, abs(value) - 1, REACH_BITS, further(facts, 2 + back))
    return -size if back else size


@inlined
def further(facts, number):
    return hashed(facts[0], number), hashed(facts[1], number), hashed(facts[2], number), hashed(facts[3], number)


@bare
def code_look(coder, memory, room, kind, sprite, latest, facts):
    """Which sprite: one that is known, or an own one by how many are later. latest: how many own ones there have been."""
    own = code_symbol(coder, memory, room, kind, 1 if sprite >= KNOWN_SPRITES else 0, 1, facts)
    if own:
        later = code_symbol(coder, memory, room, kind, (latest - 1 - (sprite - KNOWN_SPRITES)) % OWN_SPRITES, OWN_BITS, further(facts, 1))
        return KNOWN_SPRITES + (latest - 1 - later) % OWN_SPRITES
    return code_symbol(coder, memory, room, kind, sprite, KNOWN_BITS, further(facts, 2))


@bare
def code_actors(coder, memory, stage, scene, room):
    """Codes what becomes of the actors, and which are new; the stage is as after the frame. Gives 0, or 1 for what cannot be."""
    cast, counts, sizes = stage.cast, stage.counts, stage.sizes
    height, width = stage.background.shape[0] - 2 * BORDER, stage.background.shape[1] - 2 * BORDER
    before = np.int64(0)  # what the actor before did that was seen as this one was
    for number in range(counts[ENTERED]):
        actor, wanted = cast[number], scene.again[number]
        history, sprite, age = actor[SEEN_BEFORE], actor[SPRITE], min(actor[AGE], 7)
        times = min(actor[TIMES], 2) | min(actor[STOOD], 3) << 2
        if number == 0 or cast[number - 1, SEEN_BEFORE] >> 1 != history:
            before = np.int64(0)
        place = hashed(actor[Y], actor[X])
        facts = hashed(history, times), before, hashed(sprite, history & 7), hashed(place, history & 3)
        seen = code_symbol(coder, memory, room, SEEN, wanted[0], 1, facts)
        before = (before << 1 | seen) & 3 | 4
        actor[SEEN_BEFORE] = (history << 1 | seen) & HISTORY
        if not seen:
            actor[AGE] += 1
            continue
        last = hashed(actor[DOWN], actor[ACROSS])
        facts = hashed(last, min(age, 1)), hashed(times, age), hashed(place, last), hashed(sprite, age)
        down = code_step(coder, memory, room, STEP_DOWN, wanted[2] - actor[Y], facts)
        facts = hashed(last, down), hashed(times, age), hashed(hashed(place, last), down), hashed(hashed(sprite, age), down)
        across = code_step(coder, memory, room, STEP_ACROSS, wanted[3] - actor[X], facts)
        going = hashed((down > 0) - (down < 0) + 1, (across > 0) - (across < 0) + 1)
        facts = hashed(going, history & 3), times, hashed(sprite, going), sprite
        if not code_symbol(coder, memory, room, LOOKS_SAME, 1 if wanted[1] == sprite else 0, 1, facts):
            sprite = code_look(coder, memory, room, LOOK, wanted[1], counts[SHOWN], facts)
        actor[Y] += down
        actor[X] += across
        if sprite >= SPRITES or sizes[sprite, 0] == 0 or not (0 <= actor[Y] < height and 0 <= actor[X] < width):
            return 1
        if down == 0 and across == 0 and sprite == actor[SPRITE] and actor[AGE] == 0:
            actor[STOOD] += 1
        else:
            actor[STOOD], actor[TIMES] = 0, min(actor[TIMES] + 1, 3)
        actor[SPRITE], actor[AGE], actor[DOWN], actor[ACROSS] = sprite, 0, down, across
    y_bits, x_bits = bits_of(height), bits_of(width)
    found, last = 0, np.int64(0)
    while True:
        facts = min(found, 3), 0, min(counts[ENTERED], 15), last
        if not code_symbol(coder, memory, room, MORE, 1 if found < scene.new.shape[0] else 0, 1, facts):
            break
        told = found < scene.new.shape[0]
        sprite = code_look(coder, memory, room, NEW_LOOK, scene.new[found, 0] if told else 0, counts[SHOWN], (0, 0, last, 0))
        y = code_symbol(coder, memory, room, NEW_Y, scene.new[found, 1] if told else 0, y_bits, (0, 0, sprite, last))
        x = code_symbol(coder, memory, room, NEW_X, scene.new[found, 2] if told else 0, x_bits, (0, 0, hashed(sprite, y), y))
        if sprite >= SPRITES or sizes[sprite, 0] == 0 or y >= height or x >= width or found >= CAST:
            return 1
        enter(cast, counts, sprite, y, x, 1)
        found, last = found + 1, sprite + 1
    return 0


@inlined
def bits_of(side):
    bits = 1
    while 1 << bits < side:
        bits += 1
    return bits


@bare
def enter(cast, counts, sprite, y, x, times):
    """One more actor; where there is no room, in place of the one that was not seen for longest."""
    number = counts[ENTERED]
    if number == CAST:
        number = np.int64(0)
        for other in range(1, CAST):
            if cast[other, AGE] > cast[number, AGE]:
                number = other
        for other in range(number, CAST - 1):
            move(cast, other + 1, other)
        number = CAST - 1
    else:
        counts[ENTERED] += 1
    for fact in range(FACTS):
        cast[number, fact] = 0
    cast[number, SPRITE], cast[number, Y], cast[number, X], cast[number, SEEN_BEFORE], cast[number, TIMES] = sprite, y, x, 1, times


@inlined
def move(cast, number, other):
    for fact in range(FACTS):
        cast[other, fact] = cast[number, fact]


@inlined
def is_seen(actor):
    return actor[AGE] == 0 and actor[SEEN_BEFORE] & 1


@inlined
def stands(actor):
    """Whether an actor has stood still for so long that it is background from now on."""
    return actor[STOOD] >= (STOOD_NEW if actor[TIMES] == 0 else STOOD_KNOWN)


@bare
def draw(past):
    """Fills the first picture with the background and the actors that are seen before it, and notes which pixels are theirs."""
    stage, picture = past.stage, past.pictures[0]
    copy_map(stage.background_words, past.words[0])
    clear_map(stage.owned, 0)
    bottom, right = picture.shape[0] - BORDER, picture.shape[1] - BORDER
    for number in range(stage.counts[ENTERED]):
        actor = stage.cast[number]
        if not is_seen(actor):
            continue
        sprite, top, left = actor[SPRITE], actor[Y] + BORDER, actor[X] + BORDER
        owned = np.uint8(0) if stands(actor) else np.uint8(1)
        for line in range(min(stage.sizes[sprite, 0], bottom - top)):
            for place in range(min(stage.sizes[sprite, 1], right - left)):
                colour = stage.bitmaps[sprite, line, place]
                if colour != NO_COLOUR:
                    picture[top + line, left + place] = colour
                    stage.owned[top + line, left + place] = owned


@bare
def part_from(mask, y, x, part):
    """Takes a part that hangs together out of a mask uint8 [H, W], whose border is 0, from one of its pixels on: fills `part` int64 [N, 2] with up to N of them.

    Gives how many there are, and its top, left, bottom and right, as far as N reach.
    """
    count, done = 1, 0
    part[0, 0], part[0, 1] = y, x
    mask[y, x] = 0
    top, left, bottom, right = y, x, y, x
    while done < min(count, part.shape[0]):
        row, column = part[done, 0], part[done, 1]
        done += 1
        top, left, bottom, right = min(top, row), min(left, column), max(bottom, row), max(right, column)
        for line in range(row - 1, row + 2):
            for place in range(column - 1, column + 2):
                if mask[line, place]:
                    mask[line, place] = 0
                    if count < part.shape[0]:
                        part[count, 0], part[count, 1] = line, place
                    count += 1
    return count, top, left, bottom, right


@bare
def after_frame(past):
    """What a frame that is known teaches: background that stands still, sprites that nobody told, and who is gone."""
    stage, words, number = past.stage, past.words, past.counts[FRAMES]
    picture, last, staged = past.pictures[1 + number], past.pictures[number], past.pictures[0]
    background, behind, owned, mask = stage.background, stage.background_words, stage.owned, stage.mask
    bottom, right = picture.shape[0] - BORDER, picture.shape[1] - BORDER
    apart = False
    for y in range(BORDER, bottom):
        for word in range(BORDER // SIDE, right // SIDE):
            if words[1 + number, y, word] == behind[y, word]:
                continue
            for x in range(SIDE * word, SIDE * (word + 1)):
                colour = picture[y, x]
                if colour == background[y, x] or (owned[y, x] and colour == staged[y, x]):
                    continue
                if colour == last[y, x] and not owned[y, x]:
                    background[y, x] = colour
                else:
                    mask[y, x], apart = 1, True
    if apart:
        for y in range(BORDER, bottom):
            for x in range(BORDER, right):
                if mask[y, x]:
                    count, top, left, low, far = part_from(mask, y, x, stage.part)
                    if LEAST_AREA <= count <= stage.part.shape[0] and low - top < SPRITE_SIDE and far - left < SPRITE_SIDE:
                        learn_sprite(stage, picture, count, top, left, low, far)
    keep_recent(stage.cast, stage.counts)


@bare
def learn_sprite(stage, picture, count, top, left, bottom, right):
    """One more own sprite of a part of a picture, unless it is known, and its actor."""
    own = KNOWN_SPRITES + stage.counts[SHOWN] % OWN_SPRITES
    cast, counts, bitmap, size = stage.cast, stage.counts, stage.bitmaps[own], stage.sizes[own]
    # Who still looks like the sprite that goes is gone with it.
    kept = np.int64(0)
    for number in range(counts[ENTERED]):
        if cast[number, SPRITE] != own:
            move(cast, number, kept)
            kept += 1
    counts[ENTERED] = kept
    clear_map(bitmap, NO_COLOUR)
    for place in range(count):
        y, x = stage.part[place, 0], stage.part[place, 1]
        bitmap[y - top, x - left] = picture[y, x]
    size[0], size[1] = bottom - top + 1, right - left + 1
    for sprite in range(SPRITES):
        if sprite != own and stage.sizes[sprite, 0] == size[0] and stage.sizes[sprite, 1] == size[1] and alike(stage.bitmaps[sprite], bitmap):
            size[0] = size[1] = 0
            own = sprite
            break
    else:
        counts[SHOWN] += 1
    enter(cast, counts, own, top - BORDER, left - BORDER, 0)


@inlined
def alike(one, other):
    for y in range(SPRITE_SIDE):
        for x in range(SPRITE_SIDE):
            if one[y, x] != other[y, x]:
                return False
    return True


@bare
def keep_recent(cast, counts):
    """Forgets the actors that were not seen for long, and those that are background now."""
    kept = np.int64(0)
    for number in range(counts[ENTERED]):
        if not stands(cast[number]) and cast[number, AGE] <= (TRIED_AGE if cast[number, TIMES] == 0 else KNOWN_AGE):
            move(cast, number, kept)
            kept += 1
    counts[ENTERED] = kept
