/* The order of syntax elements of a palette frame, told once for both directions.

   A decoder goes through all frames in one call. An encoder stops where it has to decide something, because its decisions depend on what
   was coded before them, and goes on when they are in the plan. */
#ifndef LVC_PALETTE_BITSTREAM_H
#define LVC_PALETTE_BITSTREAM_H

#include "palette_state.h"

enum {  /* what `lvc_palette_code` gives back, and where it goes on */
    CODED_ALL = 0,                /* all frames are coded */
    ASKS_BUILT_IN, ASKS_SPRITES, ASKS_MOTION, ASKS_FLAGS, ASKS_COLOURS, ASKS_PIXELS,  /* an encoder is to decide this */
    NEEDS_ROOM                    /* a writer is to make room for `room` further bits */
};
enum { BAD_VECTOR = -1, TOO_MANY_COLOURS = -2, WITHOUT_COLOURS = -3, BAD_SPRITE = -4, BAD_CALL = -5 };

typedef struct {
    int64_t asks;                 /* 1: stops for decisions */
    int64_t frames;               /* still to be coded */
    int64_t resume;               /* 0 before the first call: where in a frame it goes on */
    int64_t coded;                /* blocks of this frame */
    int64_t row;                  /* of blocks whose pixels are coded next */
    int64_t room;                 /* bits that there is to be room for */
    lvc_bit_coder *coder;
    lvc_palette_model *model;
    lvc_palette_references *references;
    lvc_palette_sprites *sprites;
    lvc_palette_plan *plan;
} lvc_palette_call;

LVC_API int64_t lvc_palette_code(lvc_palette_call *call);

enum { CHANNEL_BITS = 8, COLOUR_COUNT_BITS = 12 };

/* Codes colours that a frame needs and adds them to those of the group; gives 0, or the fault. */
int64_t code_colours(lvc_bit_coder *coder, lvc_palette_model *model, lvc_palette_references *references, const lvc_palette_plan *plan);

typedef struct {
    lvc_bit_coder *coder;
    lvc_palette_model *model;
    lvc_palette_references *references;
    lvc_palette_plan *plan;
} lvc_palette_colours_args;

/* `code_colours` alone. */
LVC_API int64_t lvc_palette_colours(const lvc_palette_colours_args *args);

#endif
