#include "restoration_rows.h"

enum { TOGETHER = 16, HALF = 1 << (RESTORATION_WEIGHT_BITS + RESTORATION_FINE - 1) };

LVC_INLINE void restore_some(const RestorationRow *r, int64_t start, int64_t count)
{
    for (int64_t first = 0; first < count; first++) {
        int64_t cell = r->cells[start + first], earlier = 0;
        while (r->cells[start + earlier] != cell)
            earlier++;
        if (earlier < first)
            continue;
        const int16_t *weights = lvc_restoration_weights(r, cell);
        int32_t total[TOGETHER];
        for (int64_t x = 0; x < TOGETHER; x++)
            total[x] = HALF;
        for (int64_t one = 0; one < RESTORATION_FEATURES; one++) {
            const int16_t *restrict feature = r->features + one * r->width + start;
            for (int64_t x = 0; x < count; x++)
                total[x] += feature[x] * weights[one];
        }
        for (int64_t x = first; x < count; x++)
            if (r->cells[start + x] == cell)
                r->target[start + x] = lvc_restored(r->centre[start + x], total[x]);
    }
}

void lvc_restoration_row(const RestorationRow *r)
{
    for (int64_t start = 0; start < r->width; start += TOGETHER)
        restore_some(r, start, lvc_min(TOGETHER, r->width - start));
}
