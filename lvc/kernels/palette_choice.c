#include "palette_choice.h"

#include <string.h>

#include "palette_error.h"
#include "palette_layout.h"

LVC_CLONES int64_t lvc_palette_nearest(const lvc_palette_nearest_args *a)
{
    enum { SIDE = 1 << (8 - CELL_BITS), HALF = 1 << (7 - CELL_BITS), CELLS = 1 << CELL_BITS };
    if (a->cells != CELLS * CELLS * CELLS)
        return -1;
    for (int32_t row = 0; row < CELLS * CELLS; row++) {  /* cells that differ in blue alone, side by side */
        int32_t red = (row >> CELL_BITS) * SIDE + HALF, green = (row & (CELLS - 1)) * SIDE + HALF, least[CELLS];
        int16_t best[CELLS] = {0};
        for (int32_t cell = 0; cell < CELLS; cell++)
            least[cell] = INT32_MAX;
        for (int64_t place = 0; place < a->colours; place++) {
            const int32_t *colour = a->channels + 3 * place;
            int32_t apart = (red - colour[0]) * (red - colour[0]) + (green - colour[1]) * (green - colour[1]);
            for (int32_t cell = 0; cell < CELLS; cell++) {
                int32_t blue = cell * SIDE + HALF - colour[2], error = apart + blue * blue;
                best[cell] = error < least[cell] ? (int16_t)place : best[cell];
                least[cell] = error < least[cell] ? error : least[cell];
            }
        }
        memcpy(a->nearest + row * CELLS, best, sizeof best);
    }
    return 0;
}

LVC_CLONES int64_t lvc_palette_least(const lvc_palette_least_args *a)
{
    enum { SHIFT = 8 - CELL_BITS };
    const uint8_t *restrict source = a->source;
    const int32_t *restrict channels = a->channels;
    const int16_t *restrict nearest = a->nearest;
    int32_t *restrict least = a->least;
    for (int64_t place = 0, count = a->height * a->width; place < count; place++) {
        const uint8_t *pixel = source + 3 * place;
        int32_t cell = ((pixel[0] >> SHIFT << CELL_BITS | pixel[1] >> SHIFT) << CELL_BITS) | pixel[2] >> SHIFT;
        least[place] = (int32_t)lvc_squared_error(pixel, channels + 3 * nearest[cell]);
    }
    return 0;
}

LVC_CLONES int64_t lvc_palette_gains(const lvc_palette_gains_args *a)
{
    int64_t width = a->width, columns = a->columns;
    const uint8_t *restrict source = a->source;
    const int16_t *restrict prediction = a->prediction;
    const int32_t *restrict channels = a->channels, *restrict least = a->least;
    double *restrict gains = a->gains;
    for (int64_t row = 0; row < a->rows; row++)
        for (int64_t column = 0; column < columns; column++) {
            int64_t error = 0, corner = BLOCK_SIDE * (row * width + column);
            for (int64_t y = 0; y < BLOCK_SIDE; y++)
                for (int64_t x = 0; x < BLOCK_SIDE; x++) {
                    int64_t place = corner + y * width + x;
                    error += lvc_squared_error(source + 3 * place, channels + 3 * prediction[place]) - least[place];
                }
            gains[row * columns + column] = (double)error;
        }
    return 0;
}

int64_t lvc_palette_worth_coding(const lvc_palette_worth_coding_args *a)
{
    int64_t wide = a->outer_columns;
    if (a->outer_rows != a->rows + 2 || wide != a->columns + 2)
        return -1;
    uint8_t *before = a->before, *after = a->after;
    for (int turn = 0; turn < 3; turn++) {
        for (int64_t row = 0; row < a->rows; row++)
            for (int64_t column = 0; column < a->columns; column++) {
                const uint8_t *here = before + (row + 1) * wide + column + 1;
                int beside = turn == 0 ? 1 : here[-wide] + here[wide] + here[-1] + here[1];
                after[(row + 1) * wide + column + 1] = a->gains[row * a->columns + column] > a->block_bits + a->beside_bits * (1 - beside);
            }
        uint8_t *swapped = before;
        before = after;
        after = swapped;
    }
    for (int64_t row = 0; row < a->rows; row++)
        for (int64_t column = 0; column < a->columns; column++)
            a->coded[row * a->columns + column] = before[(row + 1) * wide + column + 1];
    return 0;
}

LVC_CLONES int64_t lvc_palette_lifetimes(const lvc_palette_lifetimes_args *a)
{
    int64_t stride = 3 * a->width;
    for (int64_t number = a->count - 2; number >= 0; number--) {
        const uint8_t *picture = a->pictures + number * a->height * stride, *next = picture + a->height * stride;
        int64_t *lifetimes = a->lifetimes + number * a->rows * a->columns;
        for (int64_t row = 0; row < a->rows; row++)
            for (int64_t column = 0; column < a->columns; column++) {
                int64_t error = 0;
                for (int64_t y = BLOCK_SIDE * row; y < BLOCK_SIDE * (row + 1) && error <= a->most; y++) {
                    int32_t line = 0;
                    for (int64_t place = y * stride + 3 * BLOCK_SIDE * column; place < y * stride + 3 * BLOCK_SIDE * (column + 1); place++) {
                        int32_t apart = picture[place] - next[place];
                        line += apart * apart;
                    }
                    error += line;
                }
                if (error <= a->most)
                    lifetimes[row * a->columns + column] = 1 + lifetimes[(a->rows + row) * a->columns + column];
            }
    }
    return 0;
}

LVC_CLONES int64_t lvc_palette_error(const lvc_palette_error_args *a)
{
    int64_t total = 0, width = a->width;
    for (int64_t y = 0; y < a->height; y++) {
        const uint8_t *restrict source = a->source + 3 * y * width;
        const int32_t *restrict colours = a->colours + y * width;
        for (int64_t x = 0; x < width; x++) {
            int32_t colour = colours[x], channels[3] = {colour >> 16, colour >> 8 & 255, colour & 255};
            total += lvc_squared_error(source + 3 * x, channels);
        }
    }
    return total;
}

double lvc_palette_unlike(const lvc_palette_unlike_args *a)
{
    double total = 0;
    for (int64_t place = 0; place < a->height * a->width; place++) {
        double bits = a->lambda_ * (double)(lvc_squared_error(a->source + 3 * place, a->channels + 3 * a->picture[place]) - a->least[place]);
        bits = bits > 0 ? bits : 0;
        total += bits < a->pixel_bits ? bits : a->pixel_bits;
    }
    return total;
}
