/* The pixels of coded blocks, row by row: whether the one colour around goes on, or the one that has always followed; else a bit for each
   colour that stands around or has followed before, then a palette index.

   Most pixels are told by the first two questions, which one adaptive probability predicts alone. Written once for encoder and decoder,
   and for the encoder that chooses colours while it codes. */
#ifndef LVC_PALETTE_PIXELS_H
#define LVC_PALETTE_PIXELS_H

#include "palette_context.h"

enum {
    OFFERED = 6,                  /* candidates that a pixel is asked about */
    CANDIDATES = 32,              /* that there is room for: 20 places are looked at */
    PIXEL_DECISIONS = OFFERED + 14,    /* of a pixel, at most */
    SURE_CONFIDENCE = 12          /* times in a row that a colour must have followed before it is asked for alone: with 4, a keyframe takes 4 % more bits */
};
/* What stands around a pixel: first in the picture so far, in the prediction, and what stood there in the background, the last frame and the one before. */
enum {
    W, N, NW, NE, WW, NN, NNE, NWW, NNW, NEE, E, S, SE, SW,
    HERE, PREDICTED_W, PREDICTED_N, PREDICTED_E, PREDICTED_S, PREDICTED_NW, PREDICTED_NE, BACKGROUND, LAST, EARLIER,
    KNOWN_E, KNOWN_S, KNOWN_SE, KNOWN_SW, MATCH_1, MATCH_2, MATCH_3, CONFIDENCE_1, CONFIDENCE_2, CONFIDENCE_3, HASH_1, HASH_2, HASH_3, ROW, COLUMN, KEY,
    AROUND
};

/* Codes the pixels of coded blocks in a row of blocks, and fills the picture with them. */
void code_pixels(lvc_bit_coder *coder, lvc_palette_model *model, lvc_palette_references *references, const lvc_palette_plan *plan, int64_t block_row);

typedef struct {
    int64_t around_count, candidate_count, context_count;
    int64_t rank;
    int64_t count;                /* filled: candidates */
    int64_t first, second;        /* filled: rows of weights */
    const int64_t *around;        /* [around_count]: AROUND facts */
    int64_t *colours, *scores;    /* [candidate_count]: CANDIDATES, the best `rank` + 1 first */
    int64_t *contexts;            /* [context_count]: MIXER_INPUTS, of the candidate of this rank */
} lvc_palette_contexts_args;

/* What a pixel's candidates and contexts are; gives 0, or -1 for sizes that do not fit. */
LVC_API int64_t lvc_palette_contexts(lvc_palette_contexts_args *args);

typedef struct {
    int64_t height, width;
    int64_t key, y, x, confidence;
    int64_t run, match;           /* filled: contexts of the two first questions; run is -1 where there are more colours around */
    const int16_t *picture, *prediction, *background; /* [height, width] */
    const uint8_t *unknown;       /* [height, width] */
} lvc_palette_run_args;

/* The contexts of the questions that are asked alone; gives 0, or -1 for a pixel less than two from a side. */
LVC_API int64_t lvc_palette_run(lvc_palette_run_args *args);

#endif
