/* Sprites that come and go in front of a background: which of the table are seen again, where and as which bitmap; then new ones.

   What belongs to no sprite and stands still for two frames is background. Bitmaps come from the weights, for a game that these
   know, and from the frames themselves, in both directions alike. */
#ifndef LVC_PALETTE_SPRITES_H
#define LVC_PALETTE_SPRITES_H

#include "palette_context.h"

enum {
    COORDINATE_BITS = 24,         /* at most */
    SPRITE_DECISIONS = MOST_SPRITES * (2 * (2 + STEP_BITS) + 3 + KNOWN_BITMAP_BITS) + (MOST_SPRITES + 1) * (2 + KNOWN_BITMAP_BITS + 2 * COORDINATE_BITS)  /* of a frame, at most */
};

/* Codes what becomes of the sprites of the table, and which are new; gives 0, or 1 for a sprite that cannot be. */
int code_sprites(lvc_bit_coder *coder, lvc_palette_model *model, lvc_palette_sprites *sprites, const lvc_palette_plan *plan);

/* Fills the first picture with the background and the sprites that are seen in front of it, and notes which pixels are theirs. */
void draw_sprites(lvc_palette_references *references, lvc_palette_sprites *sprites);

/* Learns from a frame that is known: background that stands still, bitmaps that nobody told, and which sprites are gone. */
void learn_sprites(lvc_palette_references *references, lvc_palette_sprites *sprites);

typedef struct { int64_t count, top, left, bottom, right; } lvc_part;

/* Takes a part that hangs together out of a mask of that width, whose border is 0, from one of its pixels on: fills up to `most` of them, (y, x) each.
   Gives how many there are, and their bounds, as far as `most` reaches. */
lvc_part take_part(uint8_t *mask, int64_t width, int64_t y, int64_t x, int32_t *pixels, int64_t most);

typedef struct {
    int64_t height, width, most;
    int64_t y, x;
    int64_t count, top, left, bottom, right; /* filled */
    uint8_t *mask;                /* [height, width] */
    int32_t *pixels;              /* [most, 2] */
} lvc_palette_part_args;

/* `take_part` alone; gives 0, or -1 for a pixel on the border. */
LVC_API int64_t lvc_palette_part(lvc_palette_part_args *args);

#endif
