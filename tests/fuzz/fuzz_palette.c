/* libFuzzer on the palette decoder: bytes are a group's coded symbols, the first of them say how large its pictures are and what weights know.

   clang -fsanitize=fuzzer,address,undefined lvc/kernels/[all].c tests/fuzz/fuzz_palette.c: `make fuzz` does it. All arrays are of just the sizes
   that Python gives them, so that whatever is read or written beside one ends the run. */
#include <stdlib.h>
#include <string.h>

#include "palette_bitstream.h"
#include "palette_pool.h"
#include "palette_render.h"

static void *zeros(size_t count, size_t size)
{
    void *made = calloc(count ? count : 1, size);
    if (!made)
        abort();
    return made;
}

static int16_t *picture_of(int64_t count)
{
    int16_t *made = zeros((size_t)count, sizeof *made);
    for (int64_t place = 0; place < count; place++)
        made[place] = NO_COLOUR;
    return made;
}

static uint32_t next(uint32_t *state) { return *state = *state * 1664525u + 1013904223u; }

static lvc_palette_model make_model(void)
{
    lvc_palette_model model = {5, zeros(CONTEXTS, sizeof(uint32_t)), zeros(MIXERS * MIXER_INPUTS, sizeof(int32_t)), zeros(MATCH_KINDS * MATCHES, sizeof(int32_t)), zeros(PAGES, 1)};
    uint32_t state = 7;
    for (int64_t place = 0; place < CONTEXTS; place++)  /* some know something, or all decisions would be even */
        model.probabilities[place] = next(&state) >> 24 < 32 ? next(&state) : 1u << 31;
    for (int64_t place = 0; place < MIXERS * MIXER_INPUTS; place++)
        model.weights[place] = (int32_t)(next(&state) >> 14) - (1 << 16);
    return model;
}

static lvc_palette_model initial, model;

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 3)
        return 0;
    if (!initial.probabilities) {
        initial = make_model();
        model = make_model();
    }
    int64_t height = BLOCK_SIDE * (1 + data[0] % 8), width = BLOCK_SIDE * (1 + data[1] % 12), frames = 1 + data[2] % 12, game = data[2] >> 7;
    int64_t outer = (height + 2 * BORDER) * (width + 2 * BORDER), rows = height / BLOCK_SIDE + 2 * EDGE, columns = width / BLOCK_SIDE + 2 * EDGE, held = frames + 2;
    int64_t blocks = rows * columns, inner = width / BLOCK_SIDE, known = game ? 9 : 0;
    uint32_t state = 3;
    int16_t *built_in = picture_of(2 * game * outer);
    for (int64_t place = 0; place < 2 * game * outer; place++) {
        int64_t y = place % outer / (width + 2 * BORDER), x = place % (width + 2 * BORDER);
        if (y >= BORDER && y < height + BORDER && x >= BORDER && x < width + BORDER)
            built_in[place] = (int16_t)(next(&state) % 9);
    }
    lvc_palette_references references = {
        held, height + 2 * BORDER, width + 2 * BORDER, rows, columns, inner, 2 * game, 0, 0, 0, 0, 0, known,
        picture_of(held * outer), picture_of(outer), zeros((size_t)outer, 1), zeros((size_t)blocks, 1), zeros((size_t)blocks, 1), zeros((size_t)blocks, 1), zeros((size_t)blocks, 1),
        zeros((size_t)blocks, 1), zeros((size_t)blocks, 1), zeros(FIELD_VECTORS * 3, 8), zeros(FIELD_VECTORS * 3, 8), zeros(RECENT_VECTORS * 3, 8), zeros(MOST_COLOURS, 4), built_in,
        zeros((size_t)(FIELD_VECTORS * BLOCK_SIDE * inner), 8), zeros((size_t)inner, 8), zeros((size_t)inner, 1)};
    lvc_palette_sprites sprites = {height + 2 * BORDER, width + 2 * BORDER, 0, 0, picture_of(BITMAPS * BITMAP_SIDE * BITMAP_SIDE), zeros(BITMAPS * 2, 8), zeros(MOST_SPRITES * SPRITE_FACTS, 8),
                                   picture_of(outer), zeros((size_t)outer, 1), zeros((size_t)outer, 1)};
    for (int64_t bitmap = 0; bitmap < 12 * game; bitmap++) {
        sprites.sizes[2 * bitmap] = 1 + next(&state) % BITMAP_SIDE;
        sprites.sizes[2 * bitmap + 1] = 1 + next(&state) % BITMAP_SIDE;
        for (int64_t place = 0; place < BITMAP_SIDE * BITMAP_SIDE; place++)
            sprites.bitmaps[bitmap * BITMAP_SIDE * BITMAP_SIDE + place] = (int16_t)(next(&state) >> 8) % 9;
    }
    for (int64_t place = 0; place < BITMAPS * BITMAP_SIDE * BITMAP_SIDE; place++)
        if (sprites.bitmaps[place] < 0)
            sprites.bitmaps[place] = NO_COLOUR;
    uint8_t *payload = zeros(size - 3 + 4, 1);
    memcpy(payload, data + 3, size - 3);
    lvc_bit_coder coder = {(int64_t)size - 3 + 4, LVC_READ, 0, 0xFFFFFFFF, (int64_t)payload[0] << 24 | payload[1] << 16 | payload[2] << 8 | payload[3], 4, 0, payload, 0};
    lvc_palette_plan plan = {0};
    lvc_palette_call call = {0, frames, 0, 0, 0, 0, &coder, &model, &references, &sprites, &plan};
    int64_t ended = lvc_palette_code(&call);
    if (ended > 0 || references.frames - references.built_in_used > frames || references.colours > MOST_COLOURS)
        abort();
    for (int64_t frame = 0; frame < references.frames - (ended != 0); frame++)
        for (int64_t y = 0; y < height; y++)
            for (int64_t x = 0; x < width; x++) {
                int16_t index = references.pictures[(1 + frame) * outer + (y + BORDER) * (width + 2 * BORDER) + x + BORDER];
                if (index < 0 || index >= references.colours)
                    abort();
            }
    lvc_palette_restore_args undo = {&model, &initial};
    lvc_palette_restore(&undo);
    void *made[] = {references.pictures, references.prediction, references.unknown, references.coded, references.coded_before, references.coded_earlier, references.vector_map,
                    references.last_vector_map, references.activity, references.field, references.last_field, references.recent, references.palette, built_in, references.shown,
                    references.differs, references.row_activity, sprites.bitmaps, sprites.sizes, sprites.table, sprites.background, sprites.owned, sprites.mask, payload};
    for (size_t place = 0; place < sizeof made / sizeof *made; place++)
        free(made[place]);
    return 0;
}
