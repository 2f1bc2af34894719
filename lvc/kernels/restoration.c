#include "restoration_rows.h"

#if defined(__x86_64__)
#define FASTER __builtin_cpu_supports("avx2")
#else
#define FASTER 0
#endif

enum { REACH = RESTORATION_REACH, OWN_PAIRS = 14, OWN_LIMITS = 5, OTHER_PAIRS = 6, GATES = 4 };

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
    int32_t *far;         /* [width]: the largest difference to the nearest colour, of three planes */
    int64_t colours;
    const int16_t *palette; /* [colours, 3] */
    uint8_t *nearest;     /* [width] */
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

/* The palette's colour that is nearest to each sample, by the sum of differences; the first of those that are as near. */
LVC_INLINE void find_nearest(Row *r)
{
    const int16_t *restrict first = at(r, r->current, 0, 0, 0), *restrict second = at(r, r->current, 1, 0, 0), *restrict third = at(r, r->current, 2, 0, 0);
    int16_t *restrict least = (int16_t *)r->columns_sum;
    uint8_t *restrict nearest = r->nearest;
    int32_t *restrict far = r->far;
    for (int64_t x = 0; x < r->width; x++)
        least[x] = INT16_MAX;
    for (int64_t colour = 0; colour < r->colours; colour++) {
        const int16_t one = r->palette[3 * colour], two = r->palette[3 * colour + 1], three = r->palette[3 * colour + 2];
        for (int64_t x = 0; x < r->width; x++) {
            int16_t a = (int16_t)((first[x] >> RESTORATION_FINE) - one), b = (int16_t)((second[x] >> RESTORATION_FINE) - two), c = (int16_t)((third[x] >> RESTORATION_FINE) - three);
            int16_t sum = (int16_t)((a < 0 ? -a : a) + (b < 0 ? -b : b) + (c < 0 ? -c : c));
            nearest[x] = sum < least[x] ? (uint8_t)colour : nearest[x];
            least[x] = sum < least[x] ? sum : least[x];
        }
    }
    for (int64_t x = 0; x < r->width; x++) {
        const int16_t *colour = r->palette + 3 * nearest[x];
        int32_t most = 0;
        for (int64_t plane = 0; plane < 3; plane++) {
            int32_t difference = (colour[plane] << RESTORATION_FINE) - (plane == 0 ? first : plane == 1 ? second : third)[x];
            most = (int32_t)lvc_max(most, difference < 0 ? -difference : difference);
        }
        far[x] = most;
    }
}

/* A constant, and what lacks to the nearest colour: clipped, and let through where it is near. */
LVC_INLINE void colour_features(const Row *r, int64_t plane, int16_t low, int16_t high, int16_t *restrict features)
{
    const int16_t *restrict centre = at(r, r->current, plane, 0, 0);
    const int64_t width = r->width;
    int32_t most = (int32_t)(2 * r->threshold), slope = (256 << 12) / most;
    for (int64_t x = 0; x < width; x++) {
        int32_t lack = (r->palette[3 * r->nearest[x] + plane] << RESTORATION_FINE) - centre[x];
        int32_t gate = 256 - (((r->far[x] < most ? r->far[x] : most) * slope) >> 12);
        features[x] = (int16_t)r->threshold;
        features[width + x] = clipped((int16_t)lack, low);
        features[2 * width + x] = clipped((int16_t)lack, high);
        features[3 * width + x] = (int16_t)((lack * gate) >> 8);
    }
}

LVC_INLINE void row_features(const Row *r, int64_t plane, int16_t *features)
{
    int16_t whole = (int16_t)r->threshold;
    const int16_t limits[OWN_LIMITS] = {(int16_t)((whole + 3) / 4), (int16_t)((whole + 1) / 2), whole, (int16_t)(2 * whole), (int16_t)(4 * whole)};
    const int16_t few[2] = {limits[1], limits[3]};
    features = pair_features(r, plane, OWN_PAIRS, limits, OWN_LIMITS, features);
    features = pair_features(r, plane == 0 ? 1 : 0, OTHER_PAIRS, few, 2, features);
    features = side_features(r, plane, 0, limits, features);
    features = side_features(r, plane, 1, limits, features);
    colour_features(r, plane, limits[1], limits[3], features);
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

static int fits(int64_t rows, int64_t columns, int64_t height, int64_t width, int64_t threshold, int64_t colours)
{
    return colours >= 1 && colours <= RESTORATION_COLOURS && height > 0 && width > 0 && rows == height + 2 * REACH && columns == width + 2 * REACH && threshold >= 1 && threshold <= 1024;
}

LVC_INLINE Row row_of(int64_t rows, int64_t columns, int64_t width, int64_t threshold, const int16_t *before, const int16_t *current, const int16_t *after, int32_t *sums)
{
    return (Row){.columns = columns, .width = width, .threshold = threshold, .current = current, .around = {before, after}, .plane_size = rows * columns, .columns_sum = sums, .unlike = {sums + columns, sums + 2 * columns}, .far = sums + 3 * columns};
}

/* Whether colours are samples. */
static int are_colours(const int16_t *palette, int64_t colours)
{
    for (int64_t place = 0; place < 3 * colours; place++)
        if (palette[place] < 0 || palette[place] > RESTORATION_PEAK)
            return 0;
    return 1;
}

LVC_CLONES int64_t lvc_restoration_widen(const RestorationWidenArgs *a)
{
    int64_t columns = a->columns;
    if (!fits(a->rows, columns, a->height, a->width, 1, 1))
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
    if (!fits(a->rows, a->columns, a->rows - 2 * REACH, a->width, a->threshold, a->colours) || a->plane < 0 || a->plane > 2 || a->row < 0 || a->row >= a->rows - 2 * REACH || !are_colours(a->palette, a->colours))
        return -1;
    Row r = row_of(a->rows, a->columns, a->width, a->threshold, a->before, a->current, a->after, a->sums);
    r.row = a->row, r.colours = a->colours, r.palette = a->palette, r.nearest = a->nearest;
    find_unlike(&r);
    find_nearest(&r);
    row_classes(&r, a->plane, a->classes);
    row_features(&r, a->plane, a->features);
    return 0;
}

LVC_CLONES int64_t lvc_restoration_apply(const RestorationArgs *a)
{
    if (!fits(a->rows, a->columns, a->height, a->width, a->threshold, a->colours) || a->sets < 1 || a->sets > RESTORATION_SETS || !are_colours(a->palette, a->colours))
        return -1;
    for (int64_t colour = 0; colour < a->colours; colour++)
        if (a->set_of[colour] >= a->sets)
            return -1;
    Row r = row_of(a->rows, a->columns, a->width, a->threshold, a->before, a->current, a->after, a->sums);
    r.colours = a->colours, r.palette = a->palette, r.nearest = a->nearest;
    void (*const restore_row)(const RestorationRow *) = FASTER ? lvc_restoration_row_v3 : lvc_restoration_row;
    for (r.row = 0; r.row < a->height; r.row++) {
        find_unlike(&r);
        find_nearest(&r);
        for (int64_t plane = 0; plane < 3; plane++) {
            row_classes(&r, plane, a->classes);
            for (int64_t x = 0; x < a->width; x++)
                a->classes[x] = (uint8_t)(a->set_of[a->nearest[x]] * RESTORATION_CLASSES + a->classes[x]);
            row_features(&r, plane, a->features);
            const RestorationRow row = {a->width, plane, at(&r, a->current, plane, 0, 0), a->weights, a->features, a->classes, a->planes + (plane * a->height + r.row) * a->width};
            restore_row(&row);
        }
    }
    return 0;
}

LVC_INLINE int64_t read_coefficient(lvc_bit_coder *coder, const int64_t *probabilities)
{
    if (lvc_code_bit(coder, 0, probabilities[0]))
        return 0;
    int64_t below = lvc_code_bit(coder, 0, probabilities[1]), size = 1;
    while (size < RESTORATION_MOST && lvc_code_bit(coder, 0, probabilities[2]))
        size++;
    return below ? -size : size;
}

int64_t lvc_restoration_read_rows(const RestorationRowsArgs *a)
{
    if (a->coder->mode != LVC_READ || a->lengths < 1 || a->lengths > RESTORATION_LENGTHS)
        return -1;
    for (int64_t length = 0; length < a->lengths; length++)
        if (a->most[length] < 0 || a->most[length] > a->vectors)
            return -1;
    for (int64_t place = 0; place < 3 * a->lengths * a->vectors; place++)
        if (a->probabilities[place] < 1 || a->probabilities[place] >= LVC_CERTAIN)
            return -1;
    for (int64_t row = 0; row < a->rows; row++) {
        int64_t length = 1; /* of a basis with one length none is named */
        if (a->lengths > 1) {
            length = 2 * lvc_code_bit(a->coder, 0, LVC_CERTAIN / 2);
            length += lvc_code_bit(a->coder, 0, LVC_CERTAIN / 2);
        }
        if (length > a->lengths)
            return -1;
        for (int64_t vector = 0; length && vector < a->most[length - 1]; vector++)
            a->coefficients[row * a->vectors + vector] = read_coefficient(a->coder, a->probabilities + ((length - 1) * a->vectors + vector) * 3);
    }
    return 0;
}
