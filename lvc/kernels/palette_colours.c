#include "palette_colours.h"

#include <math.h>

int64_t lvc_palette_indices(const lvc_palette_indices_args *a)
{
    int32_t last = -1;
    int16_t index = NO_COLOUR;
    for (int64_t place = 0; place < a->height * a->width; place++) {
        int32_t colour = a->picture[place];
        if (colour != last || place == 0) {  /* most go on with the colour before */
            int64_t low = 0, high = a->colours;
            last = colour;
            while (low < high) {
                int64_t middle = (low + high) >> 1;
                if (a->rising[middle] < colour)
                    low = middle + 1;
                else
                    high = middle;
            }
            index = low < a->colours && a->rising[low] == colour ? a->order[low] : NO_COLOUR;
        }
        a->indices[place] = index;
    }
    return 0;
}

LVC_INLINE double apart(const double *one, const double *other)
{
    double red = one[0] - other[0], green = one[1] - other[1], blue = one[2] - other[2];
    return red * red + green * green + blue * blue;
}

LVC_INLINE double lesser(double one, double other) { return one < other ? one : other; }

int64_t lvc_kmeans_add(const lvc_kmeans_add_args *a)
{
    int64_t best = 0;
    double least = INFINITY;
    for (int64_t number = 0; number < a->tried_count; number++) {
        if (a->tried[number] < 0 || a->tried[number] >= a->points_count)
            return -1;
        const double *centre = a->points + 3 * a->tried[number];
        double total = 0;
        for (int64_t place = 0; place < a->points_count; place++)
            total += a->counts[place] * lesser(a->errors[place], apart(a->points + 3 * place, centre));
        if (total < least) {
            least = total;
            best = number;
        }
    }
    for (int64_t place = 0; place < a->points_count; place++)
        a->errors[place] = lesser(a->errors[place], apart(a->points + 3 * place, a->points + 3 * a->tried[best]));
    return best;
}

int64_t lvc_kmeans_settle(const lvc_kmeans_settle_args *a)
{
    for (int64_t turn = 0; turn <= a->rounds; turn++) {
        int moved = 0;
        for (int64_t place = 0; place < a->points_count; place++) {
            int64_t best = 0;
            double least = INFINITY;
            for (int64_t number = 0; number < a->centres_count; number++) {
                double error = apart(a->points + 3 * place, a->centres + 3 * number);
                if (error < least) {
                    least = error;
                    best = number;
                }
            }
            moved |= turn == 0 || a->nearest[place] != best;
            a->nearest[place] = best;
        }
        if (!moved || turn == a->rounds)
            break;
        for (int64_t place = 0; place < 4 * a->centres_count; place++)
            a->sums[place] = 0;
        for (int64_t place = 0; place < a->points_count; place++) {
            double *sums = a->sums + 4 * a->nearest[place];
            for (int64_t part = 0; part < 3; part++)
                sums[part] += a->counts[place] * a->points[3 * place + part];
            sums[3] += a->counts[place];
        }
        for (int64_t number = 0; number < a->centres_count; number++)
            if (a->sums[4 * number + 3] > 0)
                for (int64_t part = 0; part < 3; part++)
                    a->centres[3 * number + part] = a->sums[4 * number + part] / a->sums[4 * number + 3];
    }
    return 0;
}
