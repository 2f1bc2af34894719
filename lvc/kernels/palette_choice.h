/* What an encoder measures of pictures before it decides about blocks: see lvc/codecs/palette/rate_distortion.py. Floats are welcome here,
   because only an encoder chooses. */
#ifndef LVC_PALETTE_CHOICE_H
#define LVC_PALETTE_CHOICE_H

#include "api.h"

enum { CELL_BITS = 6 };           /* of each channel, for finding colours about */

typedef struct {
    int64_t colours, cells;
    const int32_t *channels;      /* [colours, 3] */
    int16_t *nearest;             /* [cells]: 2**(3 * CELL_BITS) */
} lvc_palette_nearest_args;

/* Fills in the colour nearest to the middle of each cell of all colours; gives 0, or -1 for another number of cells. */
LVC_API int64_t lvc_palette_nearest(const lvc_palette_nearest_args *args);

typedef struct {
    int64_t height, width, colours, cells;
    const uint8_t *source;        /* [height, width, 3] */
    const int32_t *channels;      /* [colours, 3] */
    const int16_t *nearest;       /* [cells] */
    int32_t *least;               /* [height, width]: about the least squared error that the palette allows */
} lvc_palette_least_args;

LVC_API int64_t lvc_palette_least(const lvc_palette_least_args *args);

typedef struct {
    int64_t height, width, colours, rows, columns;
    const uint8_t *source;        /* [height, width, 3] */
    const int16_t *prediction;    /* [height, width] */
    const int32_t *channels;      /* [colours, 3] */
    const int32_t *least;         /* [height, width] */
    double *gains;                /* [rows, columns]: squared levels of error that coding a block takes away */
} lvc_palette_gains_args;

LVC_API int64_t lvc_palette_gains(const lvc_palette_gains_args *args);

typedef struct {
    int64_t rows, columns, outer_rows, outer_columns;
    double block_bits;            /* what a coded block is thought to cost */
    double beside_bits;           /* how much less with each block beside it that is coded */
    const double *gains;          /* [rows, columns], in bits */
    uint8_t *before;              /* scratch [outer_rows, outer_columns]: one more on each side, all 0 */
    uint8_t *after;               /* scratch alike */
    uint8_t *coded;               /* [rows, columns]: which blocks are worth coding */
} lvc_palette_worth_coding_args;

LVC_API int64_t lvc_palette_worth_coding(const lvc_palette_worth_coding_args *args);

typedef struct {
    int64_t count, height, width, rows, columns;
    int64_t most;                 /* squared levels by which a block differs that stays as it is */
    const uint8_t *pictures;      /* [count, height, width, 3] */
    int64_t *lifetimes;           /* [count, rows, columns], all 1: how many frames each block stays about as it is, this one counted */
} lvc_palette_lifetimes_args;

LVC_API int64_t lvc_palette_lifetimes(const lvc_palette_lifetimes_args *args);

typedef struct {
    int64_t height, width;
    const uint8_t *source;        /* [height, width, 3] */
    const int32_t *colours;       /* [height, width], 0xRRGGBB */
} lvc_palette_error_args;

/* Squared levels of error of colours in place of pixels. */
LVC_API int64_t lvc_palette_error(const lvc_palette_error_args *args);

typedef struct {
    int64_t height, width, colours;
    double lambda_;               /* bits that a squared level of error is worth */
    double pixel_bits;            /* that a pixel costs at most */
    const uint8_t *source;        /* [height, width, 3] */
    const int16_t *picture;       /* [height, width] */
    const int32_t *channels;      /* [colours, 3] */
    const int32_t *least;         /* [height, width] */
} lvc_palette_unlike_args;

/* Bits by which a source is unlike a picture of palette indices. */
LVC_API double lvc_palette_unlike(const lvc_palette_unlike_args *args);

#endif
