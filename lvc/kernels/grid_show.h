/* Native pixels shown in a frame of another size: see lvc/native/shown.py. */
#ifndef LVC_GRID_SHOW_H
#define LVC_GRID_SHOW_H

#include "api.h"

typedef struct {
    int64_t count, height, width;             /* of pictures */
    int64_t frame_height, frame_width;        /* of what is shown */
    int64_t luma_row_taps, luma_column_taps, chroma_row_taps, chroma_column_taps;
    int64_t lines;                            /* of a frame, shown side by side */
    const int32_t *colours;                   /* [count, height, width], 0xRRGGBB */
    const int64_t *luma_rows;                 /* [frame_height]: the first row that each line is a weighted sum of */
    const int32_t *luma_row_weights;          /* [frame_height, luma_row_taps] */
    const int64_t *luma_columns;              /* [frame_width] */
    const int32_t *luma_column_weights;       /* [frame_width, luma_column_taps] */
    const int64_t *chroma_rows;
    const int32_t *chroma_row_weights;
    const int64_t *chroma_columns;
    const int32_t *chroma_column_weights;
    int32_t *planes;                          /* scratch [3, height, width]: luma, and what red and blue differ from it */
    int32_t *row;                             /* scratch [width] */
    int32_t *strips;                          /* scratch [3, width, lines] */
    int32_t *sums;                            /* scratch [3, lines] */
    int32_t *shown;                           /* scratch [frame_width, lines] */
    uint8_t *frames;                          /* [count, frame_height, frame_width, 3] */
} lvc_grid_show_args;

/* Fills `frames`; gives 0, or -1 where a weighted sum reaches beyond the pictures: then nothing is filled. */
LVC_API int64_t lvc_grid_show(const lvc_grid_show_args *args);

#endif
