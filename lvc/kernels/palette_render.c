#include "palette_render.h"

LVC_CLONES int64_t lvc_palette_find_colours(const lvc_palette_find_colours_args *a)
{
    if (a->inner_height + 2 * BORDER != a->height || a->inner_width + 2 * BORDER != a->width || a->most_colours != MOST_COLOURS)
        return -1;
    int64_t inner_height = a->inner_height, inner_width = a->inner_width, width = a->width;
    const int32_t *restrict palette = a->palette;
    for (int64_t number = 0; number < a->count; number++) {
        if (a->numbers[number] < -1 || a->numbers[number] >= a->pictures_held - 1)
            return -1;
        const int16_t *restrict picture = a->pictures + (1 + a->numbers[number]) * a->height * a->width + BORDER * a->width + BORDER;
        int32_t *restrict colours = a->colours + number * inner_height * inner_width;
        for (int64_t y = 0; y < inner_height; y++)
            for (int64_t x = 0; x < inner_width; x++)
                colours[y * inner_width + x] = palette[picture[y * width + x] & (MOST_COLOURS - 1)];
    }
    return 0;
}

LVC_CLONES int64_t lvc_palette_paint(const lvc_palette_paint_args *a)
{
    if (a->frame_height > a->height || a->frame_width > a->width)
        return -1;
    int64_t frame_width = a->frame_width;
    for (int64_t number = 0; number < a->count; number++)
        for (int64_t y = 0; y < a->frame_height; y++) {
            const int32_t *restrict colours = a->colours + (number * a->height + y) * a->width;
            uint8_t *restrict frame = a->frames + (number * a->frame_height + y) * frame_width * 3;
            for (int64_t x = 0; x < frame_width; x++) {
                frame[3 * x] = (uint8_t)(colours[x] >> 16);
                frame[3 * x + 1] = (uint8_t)(colours[x] >> 8);
                frame[3 * x + 2] = (uint8_t)colours[x];
            }
        }
    return 0;
}
