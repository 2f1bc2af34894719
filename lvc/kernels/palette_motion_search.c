#include "palette_motion_search.h"

#include <string.h>

#include "palette_error.h"

LVC_CLONES int64_t lvc_palette_luma(const lvc_palette_luma_args *a)
{
    int64_t width = a->width, count = a->height * width, lefts = a->lefts;
    if (a->tops != a->height - TILE + 1 || lefts != width - TILE + 1)
        return -1;
    const uint8_t *restrict picture = a->picture;
    int32_t *restrict luma = a->luma, *restrict line = a->line;
    for (int64_t place = 0; place < count; place++)
        luma[place] = picture[3 * place] + 2 * picture[3 * place + 1] + picture[3 * place + 2];
    for (int64_t x = 0; x < width; x++)
        line[x] = 0;
    for (int64_t y = 0; y < TILE; y++)
        for (int64_t x = 0; x < width; x++)
            line[x] += luma[y * width + x];
    for (int64_t top = 0; top < a->tops; top++) {
        if (top)
            for (int64_t x = 0; x < width; x++)
                line[x] += luma[(top + TILE - 1) * width + x] - luma[(top - 1) * width + x];
        int32_t *restrict sums = a->sums + top * lefts;
        for (int64_t left = 0; left < lefts; left++) {
            int32_t total = 0;
            for (int64_t x = 0; x < TILE; x++)
                total += line[left + x];
            sums[left] = total;
        }
    }
    return 0;
}

LVC_INLINE int32_t error_between(const uint8_t *one, const uint8_t *other)
{
    int32_t red = one[0] - other[0], green = one[1] - other[1], blue = one[2] - other[2];
    return red * red + green * green + blue * blue;
}

LVC_CLONES int64_t lvc_palette_motion_bits(const lvc_palette_motion_bits_args *a)
{
    int64_t height = a->height, width = a->width, columns = a->columns, dx = a->dx, dy = a->dy;
    const uint8_t *restrict picture = a->picture, *restrict moved = a->other, *restrict asked = a->asked;
    const int32_t *restrict floor = a->floor;
    float *restrict told = a->bits;
    float cheap = (float)a->cheap;
    double most = a->coded_bits;
    for (int64_t row = 0; row < a->rows; row++)
        for (int64_t column = 0; column < columns; column++) {
            int64_t block = row * columns + column, first = BLOCK_SIDE * column;
            if (!asked[block]) {
                told[block] = cheap;
                continue;
            }
            double bits = 0, lambda = a->lambda_[block];
            int whole = first + dx >= 0 && first + dx + BLOCK_SIDE <= width;
            for (int64_t y = BLOCK_SIDE * row; y < BLOCK_SIDE * (row + 1); y++) {
                int64_t here = y * width + first, line = lvc_clamp(y + dy, 0, height - 1) * width;
                int32_t errors[BLOCK_SIDE];
                for (int64_t x = 0; x < BLOCK_SIDE; x++) {
                    int64_t across = whole ? first + x + dx : lvc_clamp(first + x + dx, 0, width - 1);
                    errors[x] = error_between(picture + 3 * (here + x), moved + 3 * (line + across)) - floor[here + x];
                }
                for (int64_t x = 0; x < BLOCK_SIDE; x++) {
                    double error = (double)(errors[x] > 0 ? errors[x] : 0) * lambda;
                    bits += error < most ? error : most;
                }
            }
            told[block] = (float)bits;
        }
    return 0;
}

/* A tile, those lines first that tell most: they differ most from its mean. */
typedef struct { int32_t lines[TILE][TILE]; int64_t order[TILE], total; } tile_lines;

static void find_tile(const lvc_palette_match_args *a, tile_lines *tile)
{
    int64_t energies[TILE];
    tile->total = 0;
    for (int64_t row = 0; row < TILE; row++)
        for (int64_t place = 0; place < TILE; place++)
            tile->total += a->now[(a->top + row) * a->width + a->left + place];
    for (int64_t row = 0; row < TILE; row++) {
        int64_t energy = 0, rank = row;
        for (int64_t place = 0; place < TILE; place++) {
            int64_t apart = TILE * TILE * (int64_t)a->now[(a->top + row) * a->width + a->left + place] - tile->total;
            energy += apart * apart;
        }
        for (; rank > 0 && energies[rank - 1] < energy; rank--) {
            energies[rank] = energies[rank - 1];
            tile->order[rank] = tile->order[rank - 1];
        }
        energies[rank] = energy;
        tile->order[rank] = row;
    }
    for (int64_t row = 0; row < TILE; row++)
        for (int64_t place = 0; place < TILE; place++)
            tile->lines[row][place] = a->now[(a->top + tile->order[row]) * a->width + a->left + place];
}

/* Half a line of a tile: compilers unroll a loop over so few in place of making vectors of it, which takes twice the time. */
typedef int32_t half_line __attribute__((vector_size(TILE / 2 * sizeof(int32_t))));

LVC_INLINE half_line squares(const int32_t *one, const int32_t *other)
{
    half_line first, second;
    memcpy(&first, one, sizeof first);
    memcpy(&second, other, sizeof second);
    first -= second;
    return first * first;
}

/* Squared error of a tile at a place, or `least` or more of it. Luma is four times what it is, so that all of a tile's error fits: 64 * 1020**2. */
LVC_INLINE int64_t error_at(const tile_lines *tile, const int32_t *luma, int64_t width, int64_t top, int64_t left, int64_t least)
{
    half_line error = {0};
    int64_t found = 0;
    for (int64_t row = 0; row < TILE && found < least; row += 2) {
        for (int64_t next = row; next < row + 2; next++) {
            const int32_t *line = luma + (top + tile->order[next]) * width + left;
            error += squares(tile->lines[next], line) + squares(tile->lines[next] + TILE / 2, line + TILE / 2);
        }
        found = (error[0] + error[1]) + (error[2] + error[3]);
    }
    return found;
}

/* How far the sum of a tile may be from another's where the error is to be less: it is no less than that of the means. */
static int64_t reach_of(int64_t least)
{
    int64_t reach = 0, most = least * TILE * TILE;
    for (int64_t bit = (int64_t)1 << 18; bit; bit >>= 1)  /* least is 2**30 at most, and so what is found below 2**18 */
        if ((reach + bit) * (reach + bit) < most)
            reach += bit;
    return most > 0 ? reach : -1;
}

enum { TOGETHER = 16 };           /* sums that are looked at at once */

LVC_INLINE int any_within(const int32_t *sums, int32_t total, int32_t reach)
{
    int32_t within = 0;
    for (int64_t place = 0; place < TOGETHER; place++) {
        int32_t apart = sums[place] - total;
        within |= (apart <= reach) & (apart >= -reach);
    }
    return within;
}

LVC_CLONES int64_t lvc_palette_match(lvc_palette_match_args *a)
{
    if (a->tops != a->height - TILE + 1 || a->lefts != a->width - TILE + 1 || a->top < 0 || a->top >= a->tops || a->left < 0 || a->left >= a->lefts || a->known_count > a->most_known)
        return -1;
    tile_lines tile;
    find_tile(a, &tile);
    int64_t least = (int64_t)1 << 30;
    for (int64_t number = 0; number < a->known_count; number++) {
        const int64_t *known = a->known + 3 * number;
        int64_t y = a->top + known[2], x = a->left + known[1];
        if (known[0] < 0 || known[0] >= a->pictures)
            return -1;
        if (0 <= y && y < a->tops && 0 <= x && x < a->lefts)
            least = lvc_min(least, 1 + error_at(&tile, a->luma + known[0] * a->height * a->width, a->width, y, x, least));
    }
    a->back = a->dx = a->dy = 0;
    int64_t width = a->width, lefts = a->lefts, total = tile.total, reach = reach_of(least);
    int64_t first = lvc_max(0, a->left - SEARCH_X), end = lvc_min(lefts - 1, a->left + SEARCH_X) + 1;
    for (int64_t back = 0; back < a->pictures; back++) {
        const int32_t *luma = a->luma + back * a->height * width, *sums = a->sums + back * a->tops * lefts;
        for (int64_t y = lvc_max(0, a->top - SEARCH_Y); y <= lvc_min(a->tops - 1, a->top + SEARCH_Y); y++)
            for (int64_t start = first; start < end; start += TOGETHER) {
                const int32_t *row = sums + y * lefts;
                int64_t stop = lvc_min(start + TOGETHER, end);
                if (stop == start + TOGETHER && !any_within(row + start, (int32_t)total, (int32_t)reach))
                    continue;
                for (int64_t x = start; x < stop; x++) {
                    int64_t apart = row[x] - total;
                    if (apart > reach || apart < -reach)
                        continue;
                    int64_t error = error_at(&tile, luma, width, y, x, least);
                    if (error < least) {
                        least = error;
                        reach = reach_of(least);
                        a->back = back;
                        a->dx = x - a->left;
                        a->dy = y - a->top;
                    }
                }
            }
    }
    return 0;
}

LVC_CLONES int64_t lvc_palette_assign_vectors(const lvc_palette_assign_vectors_args *a)
{
    int64_t rows = a->rows, columns = a->columns, blocks = rows * columns;
    uint8_t *indices = a->indices;
    for (int64_t block = 0; block < blocks; block++) {
        indices[block] = 0;
        for (int64_t number = 1; number < a->count; number++)
            if (a->bits[number * blocks + block] < a->bits[indices[block] * blocks + block])
                indices[block] = (uint8_t)number;
    }
    for (int64_t number = 0; number < a->count; number++)
        a->open[number] = 1;
    for (int64_t turn = 0; turn < a->rounds; turn++) {
        for (int64_t row = 0; row < rows; row++)
            for (int64_t column = 0; column < columns; column++) {
                int64_t block = row * columns + column, best = 0;
                const int64_t beside[4] = {row + 1 < rows ? indices[block + columns] : 0, row > 0 ? indices[block - columns] : 0, column + 1 < columns ? indices[block + 1] : 0,
                                           column > 0 ? indices[block - 1] : 0};
                double least = 0;
                for (int64_t number = 0; number < a->count; number++) {
                    if (!a->open[number])
                        continue;
                    double cost = a->bits[number * blocks + block];
                    for (int64_t side = 0; side < 4; side++)
                        if (beside[side] != number)
                            cost += a->border;
                    if (number == 0 || cost < least) {  /* the first is always open */
                        best = number;
                        least = cost;
                    }
                }
                indices[block] = (uint8_t)best;
            }
        for (int64_t number = 0; number < a->count; number++)
            a->saved[number] = 0;
        for (int64_t block = 0; block < blocks; block++)
            a->saved[indices[block]] += a->bits[block] - a->bits[indices[block] * blocks + block];
        for (int64_t number = 1; number < a->count; number++)
            if (a->saved[number] < (number > 1 ? a->price : 0))
                a->open[number] = 0;
    }
    for (int64_t block = 0; block < blocks; block++)
        if (!a->open[indices[block]])
            indices[block] = 0;
    return 0;
}
