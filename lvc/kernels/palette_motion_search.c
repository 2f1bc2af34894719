#include "palette_motion_search.h"

#include "palette_error.h"

LVC_CLONES int64_t lvc_palette_luma(const lvc_palette_luma_args *a)
{
    int64_t width = a->width;
    if (a->tops != a->height - TILE + 1 || a->lefts != width - TILE + 1)
        return -1;
    for (int64_t place = 0; place < a->height * width; place++)
        a->luma[place] = a->picture[3 * place] + 2 * a->picture[3 * place + 1] + a->picture[3 * place + 2];
    for (int64_t x = 0; x < width; x++)
        a->line[x] = 0;
    for (int64_t y = 0; y < TILE; y++)
        for (int64_t x = 0; x < width; x++)
            a->line[x] += a->luma[y * width + x];
    for (int64_t top = 0; top < a->tops; top++) {
        if (top)
            for (int64_t x = 0; x < width; x++)
                a->line[x] += a->luma[(top + TILE - 1) * width + x] - a->luma[(top - 1) * width + x];
        int32_t total = 0, *sums = a->sums + top * a->lefts;
        for (int64_t x = 0; x < TILE; x++)
            total += a->line[x];
        sums[0] = total;
        for (int64_t left = 1; left < a->lefts; left++) {
            total += a->line[left + TILE - 1] - a->line[left - 1];
            sums[left] = total;
        }
    }
    return 0;
}

LVC_CLONES int64_t lvc_palette_motion_bits(const lvc_palette_motion_bits_args *a)
{
    for (int64_t row = 0; row < a->rows; row++)
        for (int64_t column = 0; column < a->columns; column++) {
            int64_t block = row * a->columns + column;
            a->bits[block] = (float)a->cheap;
            if (!a->asked[block])
                continue;
            double bits = 0, lambda = a->lambda_[block];
            for (int64_t y = BLOCK_SIDE * row; y < BLOCK_SIDE * (row + 1); y++) {
                int64_t line = lvc_clamp(y + a->dy, 0, a->height - 1) * a->width;
                for (int64_t x = BLOCK_SIDE * column; x < BLOCK_SIDE * (column + 1); x++) {
                    const uint8_t *pixel = a->picture + 3 * (y * a->width + x), *other = a->other + 3 * (line + lvc_clamp(x + a->dx, 0, a->width - 1));
                    const int32_t colour[3] = {other[0], other[1], other[2]};
                    double error = (double)lvc_max(lvc_squared_error(pixel, colour) - a->floor[y * a->width + x], 0) * lambda;
                    bits += error < a->coded_bits ? error : a->coded_bits;
                }
            }
            a->bits[block] = (float)bits;
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

/* Squared error of a tile at a place, or `least` or more of it. */
LVC_INLINE int64_t error_at(const tile_lines *tile, const int32_t *luma, int64_t width, int64_t top, int64_t left, int64_t least)
{
    int64_t error = 0;
    for (int64_t row = 0; row < TILE && error < least; row++) {
        const int32_t *line = luma + (top + tile->order[row]) * width + left;
        int32_t part = 0;
        for (int64_t place = 0; place < TILE; place++) {
            int32_t difference = tile->lines[row][place] - line[place];
            part += difference * difference;
        }
        error += part;
    }
    return error;
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
    for (int64_t back = 0; back < a->pictures; back++) {
        const int32_t *luma = a->luma + back * a->height * a->width, *sums = a->sums + back * a->tops * a->lefts;
        for (int64_t y = lvc_max(0, a->top - SEARCH_Y); y <= lvc_min(a->tops - 1, a->top + SEARCH_Y); y++)
            for (int64_t x = lvc_max(0, a->left - SEARCH_X); x <= lvc_min(a->lefts - 1, a->left + SEARCH_X); x++) {
                int64_t apart = sums[y * a->lefts + x] - tile.total;
                if (apart * apart >= least * TILE * TILE)  /* the error is no less than that of the means */
                    continue;
                int64_t error = error_at(&tile, luma, a->width, y, x, least);
                if (error < least) {
                    least = error;
                    a->back = back;
                    a->dx = x - a->left;
                    a->dy = y - a->top;
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
