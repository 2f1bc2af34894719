/* Few colours in the place of many, and which of them stands where: see lvc/codecs/palette/kmeans.py and colour_table.py. */
#ifndef LVC_PALETTE_COLOURS_H
#define LVC_PALETTE_COLOURS_H

#include "palette_layout.h"

typedef struct {
    int64_t height, width, colours;
    const int32_t *picture;       /* [height, width] */
    const int32_t *rising;        /* [colours], in rising order */
    const int16_t *order;         /* [colours]: the palette index of each */
    int16_t *indices;             /* [height, width], NO_COLOUR for other colours */
} lvc_palette_indices_args;

LVC_API int64_t lvc_palette_indices(const lvc_palette_indices_args *args);

typedef struct {
    int64_t points_count, tried_count;
    const double *points;         /* [points_count, 3] */
    const double *counts;         /* [points_count]: how often each is seen */
    const int64_t *tried;         /* [tried_count]: points that may become a centre */
    double *errors;               /* [points_count]: squared, to the nearest centre so far; lessened by the one that is taken */
} lvc_kmeans_add_args;

/* Takes the point that leaves the least error of all as one more centre, and gives its place among `tried`; -1 for a point that there is not. */
LVC_API int64_t lvc_kmeans_add(const lvc_kmeans_add_args *args);

typedef struct {
    int64_t points_count, centres_count;
    int64_t rounds;
    const double *points;         /* [points_count, 3] */
    const double *counts;         /* [points_count] */
    double *centres;              /* [centres_count, 3]: moved */
    int64_t *nearest;             /* [points_count]: filled with the centre nearest to each point */
    double *sums;                 /* scratch [centres_count, 4] */
} lvc_kmeans_settle_args;

/* Some rounds in which each centre becomes the mean of the points nearest to it. */
LVC_API int64_t lvc_kmeans_settle(const lvc_kmeans_settle_args *args);

#endif
