/* Palette indices as colours, and colours as frames. */
#ifndef LVC_PALETTE_RENDER_H
#define LVC_PALETTE_RENDER_H

#include "palette_layout.h"

typedef struct {
    int64_t pictures_held, height, width, count, inner_height, inner_width, most_colours;
    const int16_t *pictures;      /* [pictures_held, height, width]: palette indices within BORDER; the first is no frame */
    const int64_t *numbers;       /* [count], of frames; -1 of what is before the first */
    const int32_t *palette;       /* [most_colours]: MOST_COLOURS */
    int32_t *colours;             /* [count, inner_height, inner_width] */
} lvc_palette_find_colours_args;

/* Fills in the colours of some frames; gives 0, or -1 for sizes that do not fit or a frame that there is not. */
LVC_API int64_t lvc_palette_find_colours(const lvc_palette_find_colours_args *args);

typedef struct {
    int64_t count, height, width; /* of colours */
    int64_t frame_height, frame_width;
    const int32_t *colours;       /* [count, height, width], 0xRRGGBB */
    uint8_t *frames;              /* [count, frame_height, frame_width, 3]: the upper left of them */
} lvc_palette_paint_args;

/* Colours as frames; gives 0, or -1 for frames that are larger. */
LVC_API int64_t lvc_palette_paint(const lvc_palette_paint_args *args);

#endif
