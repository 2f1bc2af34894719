/* Numbers of the palette format: sizes, limits, and where the contexts of each kind of decision lie.

   lvc/codecs/palette/ repeats those that Python needs; tests/palette/test_layout.py compares them. */
#ifndef LVC_PALETTE_LAYOUT_H
#define LVC_PALETTE_LAYOUT_H

#include "api.h"
#include "mixing.h"

enum {
    BLOCK_SIDE = 4,               /* pixels of a block that is predicted or coded */
    BORDER = BLOCK_SIDE,          /* pixels around a picture that hold no colour, so that what surrounds a pixel needs no question */
    EDGE = 2,                     /* blocks around maps of blocks */
    NO_COLOUR = -1,               /* in place of a palette index */
    MOST_COLOURS = 1 << 12,       /* in a group */
    EARLIER_FRAMES = 4,           /* that a motion vector can point into */
    MOST_VECTORS = 15,            /* that a frame tells */
    FIELD_VECTORS = 2 + MOST_VECTORS,  /* with those of the last frame as it is and of the background reference */
    RECENT_VECTORS = 8,           /* of the frames before, which are told by their place */
    VECTOR_REACH = 64             /* pixels, each way */
};

enum {  /* sprites */
    BITMAP_SIDE = 16,             /* pixels, at most */
    KNOWN_BITMAP_BITS = 8,
    KNOWN_BITMAPS = 1 << KNOWN_BITMAP_BITS,  /* that weights bring along */
    OWN_BITMAP_BITS = 7,
    OWN_BITMAPS = 1 << OWN_BITMAP_BITS,      /* that a group's frames have shown, the latest ones */
    BITMAPS = KNOWN_BITMAPS + OWN_BITMAPS,
    MOST_SPRITES = 48,            /* in the table at once */
    STEP_BITS = 5,
    MOST_STEP = 1 << STEP_BITS,   /* pixels that a sprite goes between two frames */
    LEAST_AREA = 6,               /* pixels of a bitmap that a frame shows */
    TRIED_AGE = 3, KNOWN_AGE = 12,     /* frames after which a sprite is forgotten that was seen once, and one that was seen again */
    STILL_NEW = 1, STILL_KNOWN = 4,    /* frames for which a sprite stays as it is until it is background */
    HISTORY_MASK = 63
};
/* What the sprite table knows of a sprite: its bitmap, where its upper left corner is, frames since it was seen, in which of the last it was
   (bits), its last step, how often it has moved or changed, and for how many frames it has stood still. */
enum { SPRITE_BITMAP, SPRITE_Y, SPRITE_X, SPRITE_AGE, SPRITE_HISTORY, SPRITE_DOWN, SPRITE_ACROSS, SPRITE_TIMES, SPRITE_STILL, SPRITE_FACTS };

enum {  /* adaptive probabilities of each context of a kind */
    NUMBER_CONTEXTS = 1 << 12,
    RUN_CONTEXTS = 1 << 10,
    BLOCK_CONTEXT_BITS = 12,
    BLOCK_CONTEXTS = 1 << BLOCK_CONTEXT_BITS,
    PIXEL_CONTEXTS = 1 << 16,
    COLOUR_CONTEXT_BITS = 16,
    COLOUR_CONTEXTS = 1 << COLOUR_CONTEXT_BITS,
    INDEX_CONTEXT_BITS = 14,
    INDEX_CONTEXTS = 1 << INDEX_CONTEXT_BITS,
    SPRITE_CONTEXTS = 1 << 14
};
enum {  /* how many contexts of patterns, and how many of colours and positions, a decision of each kind has */
    VECTOR_PATTERNS = 4, VECTOR_COLOURS = 4,
    CODED_PATTERNS = 5, CODED_COLOURS = 3,
    PIXEL_PATTERNS = 9, PIXEL_COLOURS = 10,
    INDEX_PATTERNS = 2, INDEX_COLOURS = 5,
    SPRITE_PATTERNS = 3, SPRITE_COLOURS = 3,
    MIXER_INPUTS = 20
};
enum {  /* where they begin: those of patterns first, which know every game and ship with the weights */
    NUMBERS_AT = 0,
    VECTOR_ROWS_AT = NUMBERS_AT + 1024,            /* whether anything moved in a row of blocks in a skip context */
    CODED_ROWS_AT = VECTOR_ROWS_AT + 8,            /* whether any block of a row in a skip context is coded */
    MATCH_AT = NUMBERS_AT + 2048,                  /* whether the colour follows that has followed before, again and again */
    MATCH_CONTEXTS = 32,
    RUNS_AT = NUMBERS_AT + NUMBER_CONTEXTS,
    SKIP_AT = RUNS_AT + RUN_CONTEXTS - 8,          /* whether a block in a skip context is coded */
    VECTORS_AT = RUNS_AT + RUN_CONTEXTS,
    CODED_AT = VECTORS_AT + VECTOR_PATTERNS * BLOCK_CONTEXTS,
    PIXELS_AT = CODED_AT + CODED_PATTERNS * BLOCK_CONTEXTS,
    INDICES_AT = PIXELS_AT + PIXEL_PATTERNS * PIXEL_CONTEXTS,
    SPRITES_AT = INDICES_AT + INDEX_PATTERNS * INDEX_CONTEXTS,
    PATTERN_CONTEXTS = SPRITES_AT + SPRITE_PATTERNS * SPRITE_CONTEXTS,
    OWN_VECTORS_AT = PATTERN_CONTEXTS,
    OWN_CODED_AT = OWN_VECTORS_AT + VECTOR_COLOURS * BLOCK_CONTEXTS,
    OWN_PIXELS_AT = OWN_CODED_AT + CODED_COLOURS * BLOCK_CONTEXTS,
    OWN_INDICES_AT = OWN_PIXELS_AT + PIXEL_COLOURS * COLOUR_CONTEXTS,
    OWN_SPRITES_AT = OWN_INDICES_AT + INDEX_COLOURS * INDEX_CONTEXTS,
    CONTEXTS = OWN_SPRITES_AT + SPRITE_COLOURS * SPRITE_CONTEXTS,
    ALONE_CONTEXTS = VECTORS_AT   /* the first ones, each of which predicts alone */
};
enum {  /* rows of weights: each decision is mixed by two, selected by what is known */
    VECTOR_MIXERS_1 = 0, VECTOR_MIXERS_2 = 16,
    CODED_MIXERS_1 = 32, CODED_MIXERS_2 = 48,
    PIXEL_MIXERS_1 = 80, PIXEL_MIXERS_2 = 88,
    INDEX_MIXERS_1 = 216, INDEX_MIXERS_2 = 232,
    SPRITE_MIXERS_1 = 248, SPRITE_MIXERS_2 = 264,
    MIXERS = 272
};
enum {  /* how many bits an adaptive probability counts, and so how slowly it moves at last */
    PATTERN_COUNT = 255, COLOUR_COUNT = 30,
    ALONE_COUNT = 1000            /* of one that predicts alone, where nearly all bits are alike */
};
enum {  /* the match model: colours that followed on the same surroundings before */
    MATCH_KINDS = 3, MATCH_BITS = 16,
    MATCHES = 1 << MATCH_BITS,    /* of each kind */
    CONFIDENCE = 1 << 16,         /* in a match: how often it was right, above the palette index from 1 on, or 0 */
    MOST_CONFIDENCE = 255
};
enum {  /* what a group writes is marked by pages, so that little has to be undone */
    PAGE_BITS = 7,
    PAGE = 1 << PAGE_BITS,        /* adaptive probabilities or matches */
    MATCH_PAGES_AT = CONTEXTS >> PAGE_BITS,
    PAGES = MATCH_PAGES_AT + (MATCH_KINDS * MATCHES >> PAGE_BITS)
};

_Static_assert(PAGES << PAGE_BITS == CONTEXTS + MATCH_KINDS * MATCHES, "pages are whole");

#endif
