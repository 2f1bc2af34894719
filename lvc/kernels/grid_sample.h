/* A game's own pixels out of the planes of a recording's frame: see lvc/native/planes.py. */
#ifndef LVC_GRID_SAMPLE_H
#define LVC_GRID_SAMPLE_H

#include "api.h"

typedef struct {
    int64_t height, stride;                   /* of the plane, with what pads its rows */
    int64_t native_height, native_width, native_stride;
    const uint8_t *plane;                     /* [height, stride] */
    const int64_t *rows;                      /* [native_height]: the first row that shows each native pixel */
    const int64_t *row_counts;                /* [native_height]: how many do, 1 to 2**16 */
    const int64_t *columns;                   /* [native_width] */
    const int64_t *column_counts;
    uint32_t *sums;                           /* scratch [stride] */
    uint8_t *pixels;                          /* [native_height, native_stride] */
} lvc_grid_average_args;

/* Fills `pixels` up to native_width with the mean of the samples that show each, to the nearest level, halves as float32 has
   them; gives 0, or -1 where samples are told that are not there: then nothing is filled. */
LVC_API int64_t lvc_grid_average(const lvc_grid_average_args *args);

typedef struct {
    int64_t height, stride;                   /* of the plane, with what pads its rows */
    int64_t native_height, native_width, native_stride;
    int64_t row_taps, column_taps;
    const uint8_t *plane;                     /* [height, stride] */
    const int64_t *rows;                      /* [native_height]: the first row that each native pixel is a weighted sum of */
    const float *row_weights;                 /* [native_height, row_taps] */
    const int64_t *columns;                   /* [native_width] */
    const float *column_weights;              /* [native_width, column_taps] */
    float *lines;                             /* scratch [height, native_width] */
    float *sums;                              /* scratch [native_width] */
    uint8_t *pixels;                          /* [native_height, native_stride] */
} lvc_grid_unblur_args;

/* Fills `pixels` up to native_width with weighted sums along columns, then rows, rounded and kept to 0 to 255; gives 0, or
   -1 where samples are told that are not there: then nothing is filled. */
LVC_API int64_t lvc_grid_unblur(const lvc_grid_unblur_args *args);

#endif
