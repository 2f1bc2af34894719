/* What a palette group is coded with, frame after frame: all of it in arrays that Python owns. */
#ifndef LVC_PALETTE_STATE_H
#define LVC_PALETTE_STATE_H

#include "bits.h"
#include "palette_layout.h"

#if defined(__BYTE_ORDER__) && __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "four pixels are read as one little-endian word"
#endif

/* What coding has learned so far. */
typedef struct {
    int64_t rate;                 /* of learning weights, up to LVC_MOST_RATE */
    uint32_t *probabilities;      /* [CONTEXTS], see mixing.h */
    int32_t *weights;             /* [MIXERS, MIXER_INPUTS] */
    int32_t *matches;             /* [MATCH_KINDS * MATCHES] */
    uint8_t *pages;               /* [PAGES]: 1 where a page was written, but of the first ALONE_CONTEXTS */
} lvc_palette_model;

/* What frames are predicted from. Pictures hold palette indices within BORDER, maps of blocks lie within EDGE. */
typedef struct {
    int64_t pictures_held;        /* of which the first is what the sprite layer shows, the others are frames */
    int64_t height, width;        /* of a picture with its border */
    int64_t rows, columns;        /* of a map of blocks with its edge */
    int64_t inner_columns;        /* without it */
    int64_t built_in_count;
    int64_t frames;               /* that are there; a built-in picture that a group begins from counts as one */
    int64_t built_in_used;        /* 1 of a group that begins from one, else 0 */
    int64_t vectors, last_vectors, recent_vectors;  /* of this frame, of the last, and of late */
    int64_t colours;              /* of the group so far */
    int16_t *pictures;            /* [pictures_held, height, width] */
    int16_t *prediction;          /* [height, width]: of the frame that is coded */
    uint8_t *unknown;             /* [height, width]: 1 for pixels that are not yet coded */
    uint8_t *coded, *coded_before, *coded_earlier;  /* [rows, columns]: coded-block flags of this frame, the last and the one before that */
    uint8_t *vector_map, *last_vector_map;          /* [rows, columns]: which vector each block takes */
    uint8_t *activity;            /* [rows, columns]: see palette_blocks.c */
    int64_t *field, *last_field;  /* [FIELD_VECTORS, 3]: motion vectors (back, dx, dy) of this frame and the last */
    int64_t *recent;              /* [RECENT_VECTORS, 3] */
    int32_t *palette;             /* [MOST_COLOURS], 0xRRGGBB */
    const int16_t *built_in;      /* [built_in_count, height, width] */
    uint64_t *shown;              /* scratch [FIELD_VECTORS, BLOCK_SIDE, inner_columns] */
    uint64_t *differs;            /* scratch [inner_columns] */
    uint8_t *row_activity;        /* scratch [inner_columns] */
} lvc_palette_references;

/* Sprites in front of a background. */
typedef struct {
    int64_t height, width;        /* as of pictures */
    int64_t sprites;              /* in the table */
    int64_t own_bitmaps;          /* that there have been so far */
    int16_t *bitmaps;             /* [BITMAPS, BITMAP_SIDE, BITMAP_SIDE]: palette indices, NO_COLOUR for holes */
    int64_t *sizes;               /* [BITMAPS, 2]: height and width, 0 of none */
    int64_t *table;               /* [MOST_SPRITES, SPRITE_FACTS] */
    int16_t *background;          /* [height, width] */
    uint8_t *owned;               /* [height, width]: 1 where a sprite is seen */
    uint8_t *mask;                /* scratch [height, width], all 0 */
} lvc_palette_sprites;

/* What an encoder has decided about a frame. A decoder's is all 0: of an array that is not there nothing is wanted. */
typedef struct {
    int64_t picture_height, picture_width;
    int64_t source_height, source_width;
    int64_t rows, columns;
    int64_t new_sprites, vectors, new_colours, colours;
    int64_t built_in;             /* the built-in picture that the group begins from, counted from 1; 0 for none */
    double escape_bits;           /* what a palette index is thought to cost */
    const int64_t *seen;          /* [MOST_SPRITES, 4]: of each sprite in the table whether it is seen, its bitmap, y and x */
    const int64_t *entered;       /* [new_sprites, 3]: bitmap, y and x */
    const int64_t *field;         /* [vectors, 3]: motion vectors (back, dx, dy) */
    const uint8_t *vector_map;    /* [rows, columns] */
    const uint8_t *coded;         /* [rows, columns]: coded-block flags */
    const int32_t *added;         /* [new_colours], 0xRRGGBB */
    const int16_t *picture;       /* [picture_height, picture_width]: palette indices; where there is none, they are chosen by what follows */
    const uint8_t *source;        /* [source_height, source_width, 3] */
    const int32_t *channels;      /* [colours, 3]: of the palette */
    const double *lambda_;        /* [rows, columns]: bits that a squared level of error is worth */
} lvc_palette_plan;

#define FRAME_SIZE(references) ((references)->height * (references)->width)

/* A picture as words of four pixels, so that blocks are compared and copied by the word. */
LVC_INLINE uint64_t word_at(const int16_t *picture, int64_t width, int64_t y, int64_t word)
{
    return ((const uint64_t *)(const void *)(picture + y * width))[word];
}

LVC_INLINE uint64_t *words_of(int16_t *picture, int64_t width, int64_t y) { return (uint64_t *)(void *)(picture + y * width); }

#endif
