/* How an encoder finds what has moved: see lvc/codecs/palette/motion_search.py. */
#ifndef LVC_PALETTE_MOTION_SEARCH_H
#define LVC_PALETTE_MOTION_SEARCH_H

#include "palette_layout.h"

enum {
    TILE = 2 * BLOCK_SIDE,        /* pixels: what is looked for elsewhere */
    SEARCH_X = 40, SEARCH_Y = 32  /* pixels, each way */
};

typedef struct {
    int64_t height, width, tops, lefts;
    const uint8_t *picture;       /* [height, width, 3] */
    int32_t *luma;                /* [height, width], four times what it is: a third of the work to compare */
    int32_t *line;                /* scratch [width] */
    int32_t *sums;                /* [tops, lefts]: of the luma of every tile */
} lvc_palette_luma_args;

/* Fills luma and its sums; gives 0, or -1 for another number of tiles. */
LVC_API int64_t lvc_palette_luma(const lvc_palette_luma_args *args);

typedef struct {
    int64_t height, width, rows, columns;
    int64_t dx, dy;
    double cheap;                 /* bits that blocks are told which are not asked for */
    double coded_bits;            /* of a pixel, at most */
    const uint8_t *picture;       /* [height, width, 3] */
    const uint8_t *other;         /* [height, width, 3] */
    const int32_t *floor;         /* [height, width]: squared errors that no coding takes away */
    const double *lambda_;        /* [rows, columns]: bits that a squared level of error is worth */
    const uint8_t *asked;         /* [rows, columns]: 1 for blocks that are asked for */
    float *bits;                  /* [rows, columns] */
} lvc_palette_motion_bits_args;

/* Fills bits of each block of a picture predicted to be as another moved by (dx, dy): each pixel is kept or coded, whichever is cheaper. */
LVC_API int64_t lvc_palette_motion_bits(const lvc_palette_motion_bits_args *args);

typedef struct {
    int64_t pictures, height, width, tops, lefts, most_known;
    int64_t known_count;
    int64_t top, left;            /* where the tile is */
    int64_t back, dx, dy;         /* filled */
    const int32_t *now;           /* [height, width]: luma of the picture that the tile is of */
    const int32_t *luma;          /* [pictures, height, width] */
    const int32_t *sums;          /* [pictures, tops, lefts] */
    const int64_t *known;         /* [most_known, 3], of which known_count count: motion vectors whose error is known first, so that most of the others are passed by */
} lvc_palette_match_args;

/* Finds where a tile fits best into some pictures; gives 0, or -1 for what does not fit together. */
LVC_API int64_t lvc_palette_match(lvc_palette_match_args *args);

typedef struct {
    int64_t count, rows, columns, rounds;
    double border;                /* bits that it costs that two neighbours take different vectors */
    double price;                 /* bits that a vector costs, which must be saved */
    const float *bits;            /* [count, rows, columns] of each vector */
    uint8_t *open;                /* scratch [count] */
    double *saved;                /* scratch [count] */
    uint8_t *indices;             /* [rows, columns]: which vector each block takes */
} lvc_palette_assign_vectors_args;

LVC_API int64_t lvc_palette_assign_vectors(const lvc_palette_assign_vectors_args *args);

#endif
