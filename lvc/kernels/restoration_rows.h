/* Sums of a row's features by the weights that its samples have: for any processor, and once more for those with AVX2. */
#ifndef LVC_RESTORATION_ROWS_H
#define LVC_RESTORATION_ROWS_H

#include "restoration.h"

typedef struct {
    int64_t width, plane;
    const int16_t *centre;     /* [width], in 1/16 of a level */
    const int16_t *weights;    /* [sets, 3 planes, 6 classes, 108] */
    const int16_t *features;   /* [108, width] */
    const uint8_t *cells;      /* [width]: a set times 6, and a class */
    uint16_t *target;          /* [width]: the restored samples */
} RestorationRow;

/* Both give the same: sums of 32 bits that wrap. */
void lvc_restoration_row(const RestorationRow *r);
void lvc_restoration_row_v3(const RestorationRow *r);

LVC_INLINE const int16_t *lvc_restoration_weights(const RestorationRow *r, int64_t cell)
{
    int64_t set = cell / RESTORATION_CLASSES, one = cell % RESTORATION_CLASSES;
    return r->weights + ((set * 3 + r->plane) * RESTORATION_CLASSES + one) * RESTORATION_FEATURES;
}

LVC_INLINE uint16_t lvc_restored(int16_t centre, int32_t total)
{
    return (uint16_t)lvc_clamp((centre >> RESTORATION_FINE) + (total >> (RESTORATION_WEIGHT_BITS + RESTORATION_FINE)), 0, RESTORATION_PEAK);
}

#endif
