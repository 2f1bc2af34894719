/* How an encoder finds sprites: what stands out from the background is compared with all bitmaps that there are. See
   lvc/codecs/palette/sprite_search.py. */
#ifndef LVC_PALETTE_SPRITE_SEARCH_H
#define LVC_PALETTE_SPRITE_SEARCH_H

#include "palette_state.h"

typedef struct {
    int64_t height, width, outer_height, outer_width, colours, most, part_pixels, table_size;
    double lambda_;               /* bits that a squared level of error is worth */
    lvc_palette_sprites *sprites;
    const uint8_t *source;        /* [height, width, 3] */
    const int16_t *background;    /* [height, width]: palette indices */
    const int32_t *channels;      /* [colours, 3] */
    const int32_t *least;         /* [height, width]: squared errors that no colour takes away */
    float *cost;                  /* scratch [height, width] */
    uint8_t *mask;                /* scratch [outer_height, outer_width]: one more on each side, all 0 */
    int32_t *part;                /* scratch [part_pixels, 2] */
    int64_t *found;               /* [most, 3]: bitmap, y and x of what is seen */
    double *table;                /* scratch [table_size]: what each colour costs at each pixel around a part; where it is too small, that is worked out each time */
} lvc_palette_find_sprites_args;

/* Fills in what is seen and gives how much that is, or -1 for sizes that do not fit. */
LVC_API int64_t lvc_palette_find_sprites(const lvc_palette_find_sprites_args *args);

typedef struct {
    int64_t count, table_size;
    lvc_palette_sprites *sprites;
    int64_t *found;               /* [count, 3]: bitmap, y and x; a bitmap of -1 is put where a sprite of the table is found */
    int64_t *seen;                /* [table_size, 4]: MOST_SPRITES, all 0; of each whether it is seen, its bitmap, y and x */
} lvc_palette_assign_sprites_args;

/* Finds for what is seen the sprite of the table that it most likely is; gives 0, or -1 for another table. */
LVC_API int64_t lvc_palette_assign_sprites(const lvc_palette_assign_sprites_args *args);

#endif
