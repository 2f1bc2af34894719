#include "grid_show.h"

enum {
    LUMA_BITS = 4,                    /* of fractions of a level */
    BETWEEN = 8,                      /* bits that are dropped between columns and rows */
    WEIGHT_BITS = 12,                 /* a pixel's weights add up to 1 << WEIGHT_BITS */
    LAST_BITS = LUMA_BITS + 2 * WEIGHT_BITS - BETWEEN,
    RED = 299, GREEN = 587, BLUE = 114 /* shares of luma, in thousandths: ITU-R BT.601 */
};
/* 2**32 / 1000 and 2**30 / GREEN, rounded up: by them and a shift, what is divided here is divided exactly. */
static const int64_t THOUSANDTH = 4294968, BY_GREEN = 1829203;

LVC_INLINE void find_planes(int64_t count, const int32_t *restrict colours, int32_t *restrict luma, int32_t *restrict red, int32_t *restrict blue)
{
    for (int64_t place = 0; place < count; place++) {
        int32_t colour = colours[place];
        int32_t r = colour >> 16 & 255, g = colour >> 8 & 255, b = colour & 255;
        int32_t thousands = ((RED * r + GREEN * g + BLUE * b) << LUMA_BITS) + 500;
        int32_t bright = (int32_t)((thousands * THOUSANDTH) >> 32);
        luma[place] = bright;
        red[place] = (r << LUMA_BITS) - bright;
        blue[place] = (b << LUMA_BITS) - bright;
    }
}

/* Fills a strip [width, stride] with some lines, side by side: weighted sums of a plane's rows, BETWEEN bits less. */
LVC_INLINE void show_rows(int64_t width, int64_t lines, int64_t taps, int64_t stride, const int32_t *restrict plane, const int64_t *first, const int32_t *weights, int32_t *restrict row, int32_t *restrict strip)
{
    for (int64_t line = 0; line < lines; line++) {
        for (int64_t x = 0; x < width; x++)
            row[x] = 1 << (BETWEEN - 1);
        for (int64_t tap = 0; tap < taps; tap++) {
            int32_t weight = weights[line * taps + tap];
            const int32_t *restrict source = plane + (first[line] + tap) * width;
            if (weight != 0)
                for (int64_t x = 0; x < width; x++)
                    row[x] += weight * source[x];
        }
        for (int64_t x = 0; x < width; x++)
            strip[x * stride + line] = row[x] >> BETWEEN;
    }
}

/* Sums [lines] of a strip's columns from `first` on: within 32 bits, see KERNEL_ABS_LIMIT in lvc/native/pixel_grid.py. */
LVC_INLINE void add_columns(int64_t lines, int64_t taps, int64_t stride, const int32_t *restrict strip, int64_t first, const int32_t *weights, int32_t *restrict total)
{
    for (int64_t line = 0; line < lines; line++)
        total[line] = 0;
    for (int64_t tap = 0; tap < taps; tap++) {
        int32_t weight = weights[tap];
        const int32_t *restrict source = strip + (first + tap) * stride;
        if (weight != 0)
            for (int64_t line = 0; line < lines; line++)
                total[line] += weight * source[line];
    }
}

/* Colours 0xBBGGRR of sums. */
LVC_INLINE void find_levels(int64_t lines, const int32_t *restrict luma, const int32_t *restrict red_sums, const int32_t *restrict blue_sums, int32_t *restrict shown)
{
    for (int64_t line = 0; line < lines; line++) {
        int64_t bright = (int64_t)luma[line] + (1 << (LAST_BITS - 1)), reddish = red_sums[line], bluish = blue_sums[line];
        int64_t greens = lvc_clamp((GREEN * bright - RED * reddish - BLUE * bluish) >> LAST_BITS, 0, 256 * GREEN - 1);
        int64_t red = lvc_clamp((bright + reddish) >> LAST_BITS, 0, 255), blue = lvc_clamp((bright + bluish) >> LAST_BITS, 0, 255);
        shown[line] = (int32_t)(red | greens * BY_GREEN >> 30 << 8 | blue << 16);
    }
}

static int within(int64_t count, const int64_t *first, int64_t taps, int64_t size)
{
    for (int64_t place = 0; place < count; place++)
        if (first[place] < 0 || first[place] > size - taps)
            return 0;
    return 1;
}

LVC_CLONES int64_t lvc_grid_show(const lvc_grid_show_args *a)
{
    int64_t width = a->width, stride = a->lines;
    if (!within(a->frame_height, a->luma_rows, a->luma_row_taps, a->height) || !within(a->frame_height, a->chroma_rows, a->chroma_row_taps, a->height)
        || !within(a->frame_width, a->luma_columns, a->luma_column_taps, width) || !within(a->frame_width, a->chroma_columns, a->chroma_column_taps, width))
        return -1;
    int64_t plane = a->height * width, strip = width * stride;
    int32_t *luma = a->strips, *red = luma + strip, *blue = red + strip;
    for (int64_t number = 0; number < a->count; number++) {
        find_planes(plane, a->colours + number * plane, a->planes, a->planes + plane, a->planes + 2 * plane);
        uint8_t *frame = a->frames + number * a->frame_height * a->frame_width * 3;
        for (int64_t top = 0; top < a->frame_height; top += stride) {
            int64_t lines = lvc_min(stride, a->frame_height - top);
            show_rows(width, lines, a->luma_row_taps, stride, a->planes, a->luma_rows + top, a->luma_row_weights + top * a->luma_row_taps, a->row, luma);
            for (int64_t which = 1; which < 3; which++)
                show_rows(width, lines, a->chroma_row_taps, stride, a->planes + which * plane, a->chroma_rows + top, a->chroma_row_weights + top * a->chroma_row_taps, a->row, luma + which * strip);
            for (int64_t x = 0; x < a->frame_width; x++) {
                add_columns(lines, a->luma_column_taps, stride, luma, a->luma_columns[x], a->luma_column_weights + x * a->luma_column_taps, a->sums);
                add_columns(lines, a->chroma_column_taps, stride, red, a->chroma_columns[x], a->chroma_column_weights + x * a->chroma_column_taps, a->sums + stride);
                add_columns(lines, a->chroma_column_taps, stride, blue, a->chroma_columns[x], a->chroma_column_weights + x * a->chroma_column_taps, a->sums + 2 * stride);
                find_levels(lines, a->sums, a->sums + stride, a->sums + 2 * stride, a->shown + x * stride);
            }
            for (int64_t line = 0; line < lines; line++) {
                uint8_t *target = frame + (top + line) * a->frame_width * 3;
                for (int64_t x = 0; x < a->frame_width; x++) {
                    int32_t colour = a->shown[x * stride + line];
                    target[3 * x] = (uint8_t)colour;
                    target[3 * x + 1] = (uint8_t)(colour >> 8);
                    target[3 * x + 2] = (uint8_t)(colour >> 16);
                }
            }
        }
    }
    return 0;
}
