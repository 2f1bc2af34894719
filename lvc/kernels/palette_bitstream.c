#include "palette_bitstream.h"

#include <string.h>

#include "palette_blocks.h"
#include "palette_motion.h"
#include "palette_numbers.h"
#include "palette_pixels.h"
#include "palette_sprites.h"

static int16_t *frame_at(const lvc_palette_references *references, int64_t number) { return references->pictures + (1 + number) * FRAME_SIZE(references); }

static void copy_picture(const lvc_palette_references *references, const int16_t *source, int16_t *target)
{
    memcpy(target, source, (size_t)FRAME_SIZE(references) * sizeof *target);
}

static void copy_map(const lvc_palette_references *references, const uint8_t *source, uint8_t *target)
{
    memcpy(target, source, (size_t)(references->rows * references->columns));
}

/* Makes the frame that was coded the last one. */
static void next_frame(lvc_palette_references *references)
{
    if (references->frames == 0) {
        copy_picture(references, frame_at(references, 0), references->pictures);
        memset(references->coded, 0, (size_t)(references->rows * references->columns));
        references->last_vectors = 2;
        references->last_field[3] = EARLIER_FRAMES;
    } else {
        copy_map(references, references->coded_before, references->coded_earlier);
        copy_map(references, references->coded, references->coded_before);
        copy_map(references, references->vector_map, references->last_vector_map);
        memcpy(references->last_field, references->field, 3 * FIELD_VECTORS * sizeof *references->field);
        references->last_vectors = references->vectors;
    }
    references->frames++;
}

/* Codes which built-in picture a group begins from, as if it were a frame before the first; 0 for none. */
static void code_built_in(lvc_bit_coder *coder, lvc_palette_model *model, lvc_palette_references *references, lvc_palette_sprites *sprites, const lvc_palette_plan *plan)
{
    int64_t number = code_unary(coder, model, BUILT_IN_PICTURE, plan->built_in, references->built_in_count);
    if (!number)
        return;
    const int16_t *picture = references->built_in + (number - 1) * FRAME_SIZE(references);
    copy_picture(references, picture, frame_at(references, 0));
    copy_picture(references, picture, sprites->background);
    next_frame(references);
    references->built_in_used = 1;
}

/* In a keyframe all blocks are coded, and nothing is predicted. */
static int64_t begin_keyframe(lvc_palette_references *references)
{
    int64_t rows = references->rows - 2 * EDGE, columns = references->inner_columns;
    for (int64_t row = 0; row < rows; row++)
        memset(references->coded + (row + EDGE) * references->columns + EDGE, 1, (size_t)columns);
    for (int64_t place = 0; place < FRAME_SIZE(references); place++)
        references->prediction[place] = NO_COLOUR;
    return rows * columns;
}

int64_t code_colours(lvc_bit_coder *coder, lvc_palette_model *model, lvc_palette_references *references, const lvc_palette_plan *plan)
{
    if (code_unary(coder, model, ANY_NEW_COLOURS, lvc_min(plan->new_colours, 1), 1)) {
        int64_t count = code_uniform(coder, plan->new_colours - 1, COLOUR_COUNT_BITS) + 1;
        if (references->colours + count > MOST_COLOURS)
            return TOO_MANY_COLOURS;
        for (int64_t place = 0; place < count; place++)
            references->palette[references->colours + place] = (int32_t)code_uniform(coder, place < plan->new_colours ? plan->added[place] : 0, 3 * CHANNEL_BITS);
        references->colours += count;
    }
    return references->colours ? 0 : WITHOUT_COLOURS;
}

int64_t lvc_palette_colours(const lvc_palette_colours_args *a) { return code_colours(a->coder, a->model, a->references, a->plan); }

/* The picture is as predicted, until the pixels of coded blocks are known. */
static void begin_pixels(lvc_palette_references *references)
{
    copy_picture(references, references->prediction, frame_at(references, references->frames));
    for (int64_t row = 0; row < references->rows - 2 * EDGE; row++)
        for (int64_t column = 0; column < references->inner_columns; column++)
            if (references->coded[(row + EDGE) * references->columns + column + EDGE])
                for (int64_t y = BORDER + BLOCK_SIDE * row; y < BORDER + BLOCK_SIDE * (row + 1); y++)
                    memset(references->unknown + y * references->width + BORDER + BLOCK_SIDE * column, 1, BLOCK_SIDE);
}

static void end_frame(lvc_palette_references *references, lvc_palette_sprites *sprites)
{
    if (references->frames) {
        keep_recent_vectors(references);
        learn_sprites(references, sprites);
    } else {
        copy_picture(references, frame_at(references, 0), sprites->background);
    }
    next_frame(references);
}

/* Stops for a decision of the encoder, and goes on behind this line. */
#define DECIDE(what)                                                                                                                                              \
    if (call->asks) {                                                                                                                                             \
        call->resume = (what);                                                                                                                                    \
        return (what);                                                                                                                                            \
    }                                                                                                                                                             \
    /* fall through */                                                                                                                                            \
    case (what):

/* Stops until a writer has room for so many bits. `label` tells the places apart. */
#define MAKE_ROOM(label, bits)                                                                                                                                    \
    /* fall through */                                                                                                                                            \
    case NEEDS_ROOM + (label):                                                                                                                                    \
    if (!lvc_bits_fit(coder, (bits))) {                                                                                                                           \
        call->resume = NEEDS_ROOM + (label);                                                                                                                      \
        call->room = (bits);                                                                                                                                      \
        return NEEDS_ROOM;                                                                                                                                        \
    }

int64_t lvc_palette_code(lvc_palette_call *call)
{
    lvc_bit_coder *coder = call->coder;
    lvc_palette_model *model = call->model;
    lvc_palette_references *references = call->references;
    lvc_palette_sprites *sprites = call->sprites;
    const lvc_palette_plan *plan = call->plan;
    int64_t rows = references->rows - 2 * EDGE, columns = references->inner_columns, fault;
    while (call->frames > 0) {
        if (call->resume == 0 && references->frames + 2 + (references->frames == 0 && references->built_in_count) > references->pictures_held)
            return BAD_CALL;  /* a built-in picture counts as a frame */
        switch (call->resume) {
        case 0:
            MAKE_ROOM(1, references->built_in_count + 1)
            if (references->frames == 0 && references->built_in_count) {
                DECIDE(ASKS_BUILT_IN)
                code_built_in(coder, model, references, sprites, plan);
            }
            if (references->frames == 0) {
                call->coded = begin_keyframe(references);
            } else {
                MAKE_ROOM(2, SPRITE_DECISIONS)
                DECIDE(ASKS_SPRITES)
                if (code_sprites(coder, model, sprites, plan))
                    return BAD_SPRITE;
                draw_sprites(references, sprites);
                MAKE_ROOM(3, VECTOR_DECISIONS * (MOST_VECTORS + 1) + (FIELD_VECTORS + 1) * rows * (columns + 1))
                DECIDE(ASKS_MOTION)
                if (code_vectors(coder, model, references, plan))
                    return BAD_VECTOR;
                code_vector_map(coder, model, references, plan);
                predict_frame(references);
                MAKE_ROOM(4, rows * (columns + 1))
                DECIDE(ASKS_FLAGS)
                call->coded = code_blocks(coder, model, references, plan);
            }
            if (call->coded) {
                DECIDE(ASKS_COLOURS)
                MAKE_ROOM(5, COLOUR_COUNT_BITS + 1 + 3 * CHANNEL_BITS * plan->new_colours)
                fault = code_colours(coder, model, references, plan);
                if (fault)
                    return fault;
            }
            begin_pixels(references);
            if (call->coded) {
                DECIDE(ASKS_PIXELS)
                for (call->row = 0; call->row < rows; call->row++) {
                    MAKE_ROOM(6, PIXEL_DECISIONS * columns * BLOCK_SIDE * BLOCK_SIDE)
                    code_pixels(coder, model, references, plan, call->row);
                }
            }
            end_frame(references, sprites);
            call->resume = 0;
            call->frames--;
            break;
        default:
            return BAD_CALL;
        }
    }
    return CODED_ALL;
}
