/* What has moved: each block of a frame shows what one of the frames before showed at the same place, or somewhere else.

   A frame tells a few motion vectors, and each block which of them it takes; one that shows the same either way is not asked,
   and of a row of blocks in which nothing moved none is. */
#ifndef LVC_PALETTE_MOTION_H
#define LVC_PALETTE_MOTION_H

#include "palette_context.h"

enum { VECTOR_DECISIONS = 120 };  /* that a vector takes at most: its place, and two numbers */

/* Which picture, and where in it, a motion vector shows. */
typedef struct { const int16_t *picture; int64_t dx, dy; } lvc_source;

/* Codes a frame's motion vectors after the two that every frame has; gives 0, or 1 for one that cannot be. */
int code_vectors(lvc_bit_coder *coder, lvc_palette_model *model, lvc_palette_references *references, const lvc_palette_plan *plan);

/* Codes which vector each block takes, and fills `references->vector_map`. */
void code_vector_map(lvc_bit_coder *coder, lvc_palette_model *model, lvc_palette_references *references, const lvc_palette_plan *plan);

/* Fills the prediction where blocks take these vectors. */
void predict_frame(lvc_palette_references *references);

/* Makes the vectors of this frame the latest of late. */
void keep_recent_vectors(lvc_palette_references *references);

typedef struct {
    int64_t inner_columns;
    int64_t step;                 /* 0: code_vectors, 1: predict_frame, 2: keep_recent_vectors, 3: what vectors show */
    int64_t row;                  /* of blocks, for 3 */
    lvc_bit_coder *coder;
    lvc_palette_model *model;
    lvc_palette_references *references;
    lvc_palette_plan *plan;
    uint64_t *words;              /* [FIELD_VECTORS, BLOCK_SIDE, inner_columns]: for 3, word by word */
} lvc_palette_motion_args;

/* One step alone; gives what it gives, or -1 for a step that there is not. */
LVC_API int64_t lvc_palette_motion(const lvc_palette_motion_args *args);

#endif
