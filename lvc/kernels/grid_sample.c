#include "grid_sample.h"

enum { MOST_COUNT = 1 << 16 }; /* of samples a side: their sum stays below 2**41, a row's below 2**24 */

/* To the nearest level, halves to the even one: of what is added the last bit is worth 1. */
LVC_INLINE uint8_t level_of(float value)
{
    const float whole = 12582912.0f; /* 3 << 22 */
    float kept = value < 0 ? 0 : value > 255 ? 255 : value;
    return (uint8_t)(int32_t)((kept + whole) - whole);
}

LVC_INLINE int counts_are_within(int64_t count, const int64_t *first, const int64_t *counts, int64_t size)
{
    for (int64_t place = 0; place < count; place++)
        if (counts[place] < 1 || counts[place] > MOST_COUNT || first[place] < 0 || first[place] > size - counts[place])
            return 0;
    return 1;
}

/* A mean that lies halfway between two levels, as sums of float32 with one rounding a term have it, along columns, then rows.
   Recordings were always read so, by matrix products; rounding all halves alike would change bytes of their encodes. */
static uint8_t halfway(const lvc_grid_average_args *a, int64_t y, int64_t x)
{
    float mean = 0, share = 1.0f / (float)a->row_counts[y], column_share = 1.0f / (float)a->column_counts[x];
    for (int64_t row = 0; row < a->row_counts[y]; row++) {
        const uint8_t *source = a->plane + (a->rows[y] + row) * a->stride + a->columns[x];
        float line = 0;
        for (int64_t column = 0; column < a->column_counts[x]; column++)
            line = (float)((double)column_share * source[column] + line);
        mean = (float)((double)share * line + mean);
    }
    return level_of(mean);
}

LVC_CLONES int64_t lvc_grid_average(const lvc_grid_average_args *a)
{
    int64_t width = a->native_width, stride = a->stride; /* the plane's */
    if (width > a->native_stride || !counts_are_within(a->native_height, a->rows, a->row_counts, a->height)
        || !counts_are_within(width, a->columns, a->column_counts, stride))
        return -1;
    uint32_t *restrict sums = a->sums;
    for (int64_t y = 0; y < a->native_height; y++) {
        for (int64_t x = 0; x < stride; x++)
            sums[x] = 0;
        for (int64_t row = 0; row < a->row_counts[y]; row++) {
            const uint8_t *restrict line = a->plane + (a->rows[y] + row) * stride;
            for (int64_t x = 0; x < stride; x++)
                sums[x] += line[x];
        }
        uint8_t *target = a->pixels + y * a->native_stride;
        for (int64_t x = 0; x < width; x++) {
            uint64_t total = 0, count = (uint64_t)(a->row_counts[y] * a->column_counts[x]);
            for (int64_t column = 0; column < a->column_counts[x]; column++)
                total += sums[a->columns[x] + column];
            uint64_t level = total / count, rest = 2 * (total % count);
            target[x] = rest == count ? halfway(a, y, x) : (uint8_t)(level + (rest > count));
        }
    }
    return 0;
}

LVC_INLINE int taps_are_within(int64_t count, const int64_t *first, int64_t taps, int64_t size)
{
    for (int64_t place = 0; place < count; place++)
        if (first[place] < 0 || first[place] > size - taps)
            return 0;
    return 1;
}

LVC_CLONES int64_t lvc_grid_unblur(const lvc_grid_unblur_args *a)
{
    int64_t width = a->native_width;
    if (width > a->native_stride || !taps_are_within(a->native_height, a->rows, a->row_taps, a->height)
        || !taps_are_within(width, a->columns, a->column_taps, a->stride))
        return -1;
    for (int64_t y = 0; y < a->height; y++) {
        const uint8_t *restrict source = a->plane + y * a->stride;
        float *restrict line = a->lines + y * width;
        for (int64_t x = 0; x < width; x++) {
            float sum = 0;
            for (int64_t tap = 0; tap < a->column_taps; tap++)
                sum += a->column_weights[x * a->column_taps + tap] * (float)source[a->columns[x] + tap];
            line[x] = sum;
        }
    }
    float *restrict sums = a->sums;
    for (int64_t y = 0; y < a->native_height; y++) {
        for (int64_t x = 0; x < width; x++)
            sums[x] = 0;
        for (int64_t tap = 0; tap < a->row_taps; tap++) {
            float weight = a->row_weights[y * a->row_taps + tap];
            const float *restrict line = a->lines + (a->rows[y] + tap) * width;
            for (int64_t x = 0; x < width; x++)
                sums[x] += weight * line[x];
        }
        uint8_t *target = a->pixels + y * a->native_stride;
        for (int64_t x = 0; x < width; x++)
            target[x] = level_of(sums[x]);
    }
    return 0;
}
