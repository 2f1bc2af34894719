#include "restoration.h"

enum { REACH = RESTORATION_REACH, OWN_PAIRS = 14, OWN_LIMITS = 5, OTHER_PAIRS = 6, GATES = 4, BLOCK = 64 };

/* Steps down and right to a neighbour; its pair lies on the other side. */
static const int8_t PAIRS[OWN_PAIRS][2] = {{0, 1}, {1, 0}, {1, 1}, {1, -1}, {0, 2}, {2, 0}, {1, 2}, {2, 1}, {1, -2}, {2, -1}, {2, 2}, {2, -2}, {0, 3}, {3, 0}};

/* What a row needs whichever plane is restored: of both frames around sums of differences, and the gates made of them. */
typedef struct {
    int64_t columns, width, threshold, row;
    const int16_t *current;
    const int16_t *around[2];
    int64_t plane_size;
    int32_t *columns_sum; /* scratch [columns] */
    int32_t *unlike[2];   /* [width]: sums of absolute differences over 3x3 samples of three planes */
} Row;

LVC_INLINE int16_t clipped(int16_t value, int16_t limit)
{
    return value < -limit ? (int16_t)-limit : value > limit ? limit : value;
}

/* The row's first sample, `down` rows and `right` columns beside. */
LVC_INLINE const int16_t *at(const Row *r, const int16_t *planes, int64_t plane, int64_t down, int64_t right)
{
    return planes + plane * r->plane_size + (r->row + REACH + down) * r->columns + REACH + right;
}

LVC_INLINE int16_t *pair_features(const Row *r, int64_t plane, int pairs, const int16_t *limits, int count, int16_t *restrict features)
{
    const int16_t *restrict centre = at(r, r->current, plane, 0, 0);
    for (int pair = 0; pair < pairs; pair++) {
        const int16_t *restrict one = at(r, r->current, plane, PAIRS[pair][0], PAIRS[pair][1]);
        const int16_t *restrict other = at(r, r->current, plane, -PAIRS[pair][0], -PAIRS[pair][1]);
        for (int number = 0; number < count; number++, features += r->width) {
            int16_t limit = limits[number];
            for (int64_t x = 0; x < r->width; x++)
                features[x] = (int16_t)(clipped((int16_t)(one[x] - centre[x]), limit) + clipped((int16_t)(other[x] - centre[x]), limit));
        }
    }
    return features;
}

LVC_INLINE void find_unlike(Row *r)
{
    int32_t *restrict total = r->columns_sum;
    for (int side = 0; side < 2; side++) {
        for (int64_t x = 0; x < r->width + 2; x++)
            total[x] = 0;
        for (int64_t plane = 0; plane < 3; plane++)
            for (int64_t down = -1; down <= 1; down++) {
                const int16_t *restrict one = at(r, r->around[side], plane, down, -1);
                const int16_t *restrict centre = at(r, r->current, plane, down, -1);
                for (int64_t x = 0; x < r->width + 2; x++) {
                    int32_t difference = one[x] - centre[x];
                    total[x] += difference < 0 ? -difference : difference;
                }
            }
        int32_t *restrict unlike = r->unlike[side];
        for (int64_t x = 0; x < r->width; x++)
            unlike[x] = total[x] + total[x + 1] + total[x + 2];
    }
}

/* Differences to a frame beside: clipped, let through where the frame is like this one, and as means of 3x3. */
LVC_INLINE int16_t *side_features(const Row *r, int64_t plane, int side, const int16_t *limits, int16_t *restrict features)
{
    const int16_t *restrict other = at(r, r->around[side], plane, 0, 0);
    const int16_t *restrict centre = at(r, r->current, plane, 0, 0);
    const int32_t *restrict unlike = r->unlike[side];
    int32_t *restrict total = r->columns_sum;
    for (int number = 0; number < OWN_LIMITS; number++, features += r->width) {
        int16_t limit = limits[number];
        for (int64_t x = 0; x < r->width; x++)
            features[x] = clipped((int16_t)(other[x] - centre[x]), limit);
    }
    int32_t most = (int32_t)(54 * r->threshold); /* no gate lets anything through beyond it */
    for (int number = 0; number < GATES; number++, features += r->width) {
        /* 1 where nothing differs, 0 where the mean difference is limits[number]: in 1/256 */
        int32_t slope = (int32_t)((256 << 12) / (27 * (int32_t)limits[number]));
        for (int64_t x = 0; x < r->width; x++) {
            int32_t gate = 256 - (((unlike[x] < most ? unlike[x] : most) * slope) >> 12);
            features[x] = (int16_t)(((other[x] - centre[x]) * (gate < 0 ? 0 : gate)) >> 8);
        }
    }
    for (int64_t x = 0; x < r->width + 2; x++)
        total[x] = 0;
    for (int64_t down = -1; down <= 1; down++) {
        const int16_t *restrict one = at(r, r->around[side], plane, down, -1);
        const int16_t *restrict here = at(r, r->current, plane, down, -1);
        for (int64_t x = 0; x < r->width + 2; x++)
            total[x] += one[x] - here[x];
    }
    for (int number = 1; number < OWN_LIMITS; number += 2, features += r->width) { /* a half and twice the threshold */
        int32_t limit = limits[number];
        for (int64_t x = 0; x < r->width; x++) {
            int32_t mean = ((total[x] + total[x + 1] + total[x + 2]) * 7282) >> 16; /* a ninth */
            features[x] = (int16_t)(mean < -limit ? -limit : mean > limit ? limit : mean);
        }
    }
    return features;
}

LVC_INLINE void row_features(const Row *r, int64_t plane, int16_t *features)
{
    int16_t whole = (int16_t)r->threshold;
    const int16_t limits[OWN_LIMITS] = {(int16_t)((whole + 3) / 4), (int16_t)((whole + 1) / 2), whole, (int16_t)(2 * whole), (int16_t)(4 * whole)};
    const int16_t few[2] = {limits[1], limits[3]};
    features = pair_features(r, plane, OWN_PAIRS, limits, OWN_LIMITS, features);
    features = pair_features(r, plane == 0 ? 1 : 0, OTHER_PAIRS, few, 2, features);
    features = side_features(r, plane, 0, limits, features);
    side_features(r, plane, 1, limits, features);
}

LVC_INLINE void row_classes(const Row *r, int64_t plane, uint8_t *restrict classes)
{
    int32_t same = (int32_t)(81 * r->threshold / 20), like = (int32_t)(108 * r->threshold / 5); /* means of 0.15 and 0.8 of the threshold */
    int32_t rough = (int32_t)(12 * r->threshold); /* a mean of 1.5 of it over eight neighbours */
    const int32_t *restrict one = r->unlike[0], *restrict other = r->unlike[1];
    const int16_t *restrict centre = at(r, r->current, plane, 0, 0);
    int32_t *restrict activity = r->columns_sum;
    for (int64_t x = 0; x < r->width; x++)
        activity[x] = 0;
    for (int64_t neighbour = 0; neighbour < 9; neighbour++) {
        const int16_t *restrict beside = at(r, r->current, plane, neighbour / 3 - 1, neighbour % 3 - 1);
        for (int64_t x = 0; x < r->width; x++) {
            int32_t difference = beside[x] - centre[x];
            activity[x] += difference < 0 ? -difference : difference;
        }
    }
    for (int64_t x = 0; x < r->width; x++) {
        int32_t least = one[x] < other[x] ? one[x] : other[x];
        classes[x] = (uint8_t)((least > same) + (least > like) + 3 * (activity[x] > rough));
    }
}

/* Restores `count` samples of a row with the weights of those classes that they have. */
LVC_INLINE void restore_block(const int16_t *restrict centre, const int16_t *weights, const int16_t *features, int64_t width, const uint8_t *restrict classes, int64_t count, uint16_t *restrict target)
{
    int32_t there = 0;
    for (int64_t x = 0; x < count; x++)
        there |= 1 << classes[x];
    for (int number = 0; number < RESTORATION_CLASSES; number++, weights += RESTORATION_FEATURES) {
        if (!(there >> number & 1))
            continue;
        int32_t total[BLOCK];
        for (int64_t x = 0; x < BLOCK; x++)
            total[x] = 1 << (RESTORATION_WEIGHT_BITS + RESTORATION_FINE - 1);
        for (int64_t one = 0; one < RESTORATION_FEATURES; one += 2) {
            const int16_t *restrict first = features + one * width, *restrict second = first + width;
            int32_t weight = weights[one], other = weights[one + 1];
            if (count == BLOCK)
                for (int64_t x = 0; x < BLOCK; x++)
                    total[x] += first[x] * weight + second[x] * other;
            else
                for (int64_t x = 0; x < count; x++)
                    total[x] += first[x] * weight + second[x] * other;
        }
        for (int64_t x = 0; x < count; x++) {
            int32_t value = (centre[x] >> RESTORATION_FINE) + (total[x] >> (RESTORATION_WEIGHT_BITS + RESTORATION_FINE));
            value = value < 0 ? 0 : value > RESTORATION_PEAK ? RESTORATION_PEAK : value;
            target[x] = classes[x] == number ? (uint16_t)value : target[x];
        }
    }
}

static int fits(int64_t rows, int64_t columns, int64_t height, int64_t width, int64_t threshold)
{
    return height > 0 && width > 0 && rows == height + 2 * REACH && columns == width + 2 * REACH && threshold >= 1 && threshold <= 1024;
}

LVC_INLINE Row row_of(int64_t rows, int64_t columns, int64_t width, int64_t threshold, const int16_t *before, const int16_t *current, const int16_t *after, int32_t *sums)
{
    return (Row){columns, width, threshold, 0, current, {before, after}, rows * columns, sums, {sums + columns, sums + 2 * columns}};
}

LVC_CLONES int64_t lvc_restoration_widen(const RestorationWidenArgs *a)
{
    int64_t columns = a->columns;
    if (!fits(a->rows, columns, a->height, a->width, 1))
        return -1;
    for (int64_t plane = 0; plane < 3; plane++)
        for (int64_t row = 0; row < a->rows; row++) {
            const uint16_t *from = a->planes + (plane * a->height + lvc_clamp(row - REACH, 0, a->height - 1)) * a->width;
            int16_t *to = a->wide + (plane * a->rows + row) * columns;
            for (int64_t x = 0; x < a->width; x++)
                to[REACH + x] = (int16_t)((from[x] & RESTORATION_PEAK) << RESTORATION_FINE);
            for (int64_t x = 0; x < REACH; x++) {
                to[x] = to[REACH];
                to[REACH + a->width + x] = to[REACH + a->width - 1];
            }
        }
    return 0;
}

LVC_CLONES int64_t lvc_restoration_features(const RestorationFeaturesArgs *a)
{
    if (!fits(a->rows, a->columns, a->rows - 2 * REACH, a->width, a->threshold) || a->plane < 0 || a->plane > 2 || a->row < 0 || a->row >= a->rows - 2 * REACH)
        return -1;
    Row r = row_of(a->rows, a->columns, a->width, a->threshold, a->before, a->current, a->after, a->sums);
    r.row = a->row;
    find_unlike(&r);
    row_classes(&r, a->plane, a->classes);
    row_features(&r, a->plane, a->features);
    return 0;
}

LVC_CLONES int64_t lvc_restoration_apply(const RestorationArgs *a)
{
    if (!fits(a->rows, a->columns, a->height, a->width, a->threshold))
        return -1;
    Row r = row_of(a->rows, a->columns, a->width, a->threshold, a->before, a->current, a->after, a->sums);
    int64_t width = a->width;
    for (r.row = 0; r.row < a->height; r.row++) {
        find_unlike(&r);
        for (int64_t plane = 0; plane < 3; plane++) {
            row_classes(&r, plane, a->classes);
            row_features(&r, plane, a->features);
            const int16_t *weights = a->weights + plane * RESTORATION_CLASSES * RESTORATION_FEATURES;
            uint16_t *target = a->planes + (plane * a->height + r.row) * width;
            for (int64_t start = 0; start < width; start += BLOCK)
                restore_block(at(&r, a->current, plane, 0, start), weights, a->features + start, width, a->classes + start, lvc_min(BLOCK, width - start), target + start);
        }
    }
    return 0;
}
