/* libFuzzer on the palette decoder: bytes are a group's coded symbols, the first of them say how large its pictures are and what weights know.

   With -DFUZZ_SEEDS the program writes seeds instead, groups coded by chance decisions: `make fuzz-kernels` does both. All arrays are of
   just the sizes that Python gives them, so that whatever is read or written beside one ends the run. */
#include <stdio.h>
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

/* A group's state as its first bytes tell it, in arrays of just the sizes that Python gives them. */
typedef struct {
    int64_t height, width, frames, outer, game;
    lvc_palette_references references;
    lvc_palette_sprites sprites;
} group;

enum { HEAD = 3, GAME_COLOURS = 9, GAME_BITMAPS = 12, GAME_PICTURES = 2 };

static group make_group(const uint8_t *head)
{
    int64_t height = BLOCK_SIDE * (1 + head[0] % 8), width = BLOCK_SIDE * (1 + head[1] % 12), frames = 1 + head[2] % 12, game = head[2] >> 7;
    int64_t outer = (height + 2 * BORDER) * (width + 2 * BORDER), rows = height / BLOCK_SIDE + 2 * EDGE, columns = width / BLOCK_SIDE + 2 * EDGE, held = frames + 2;
    int64_t blocks = rows * columns, inner = width / BLOCK_SIDE, known = game ? GAME_COLOURS : 0;
    uint32_t state = 3;
    int16_t *built_in = picture_of(GAME_PICTURES * game * outer);
    for (int64_t place = 0; place < GAME_PICTURES * game * outer; place++) {
        int64_t y = place % outer / (width + 2 * BORDER), x = place % (width + 2 * BORDER);
        if (y >= BORDER && y < height + BORDER && x >= BORDER && x < width + BORDER)
            built_in[place] = (int16_t)(next(&state) % GAME_COLOURS);
    }
    group made = {height, width, frames, outer, game, {
        held, height + 2 * BORDER, width + 2 * BORDER, rows, columns, inner, GAME_PICTURES * game, 0, 0, 0, 0, 0, known,
        picture_of(held * outer), picture_of(outer), zeros((size_t)outer, 1), zeros((size_t)blocks, 1), zeros((size_t)blocks, 1), zeros((size_t)blocks, 1), zeros((size_t)blocks, 1),
        zeros((size_t)blocks, 1), zeros((size_t)blocks, 1), zeros(FIELD_VECTORS * 3, 8), zeros(FIELD_VECTORS * 3, 8), zeros(RECENT_VECTORS * 3, 8), zeros(MOST_COLOURS, 4), built_in,
        zeros((size_t)(FIELD_VECTORS * BLOCK_SIDE * inner), 8), zeros((size_t)inner, 8), zeros((size_t)inner, 1)},
        {height + 2 * BORDER, width + 2 * BORDER, 0, 0, picture_of(BITMAPS * BITMAP_SIDE * BITMAP_SIDE), zeros(BITMAPS * 2, 8), zeros(MOST_SPRITES * SPRITE_FACTS, 8),
         picture_of(outer), zeros((size_t)outer, 1), zeros((size_t)outer, 1)}};
    lvc_palette_sprites *sprites = &made.sprites;
    for (int64_t bitmap = 0; bitmap < GAME_BITMAPS * game; bitmap++) {
        sprites->sizes[2 * bitmap] = 1 + next(&state) % BITMAP_SIDE;
        sprites->sizes[2 * bitmap + 1] = 1 + next(&state) % BITMAP_SIDE;
        for (int64_t place = 0; place < BITMAP_SIDE * BITMAP_SIDE; place++)
            sprites->bitmaps[bitmap * BITMAP_SIDE * BITMAP_SIDE + place] = (int16_t)(next(&state) >> 8) % GAME_COLOURS;
    }
    for (int64_t place = 0; place < BITMAPS * BITMAP_SIDE * BITMAP_SIDE; place++)
        if (sprites->bitmaps[place] < 0)
            sprites->bitmaps[place] = NO_COLOUR;
    return made;
}

static void free_group(group *made)
{
    lvc_palette_references *references = &made->references;
    lvc_palette_sprites *sprites = &made->sprites;
    void *arrays[] = {references->pictures, references->prediction, references->unknown, references->coded, references->coded_before, references->coded_earlier, references->vector_map,
                      references->last_vector_map, references->activity, references->field, references->last_field, references->recent, references->palette, (void *)(uintptr_t)references->built_in,
                      references->shown, references->differs, references->row_activity, sprites->bitmaps, sprites->sizes, sprites->table, sprites->background, sprites->owned, sprites->mask};
    for (size_t place = 0; place < sizeof arrays / sizeof *arrays; place++)
        free(arrays[place]);
}

static void make_models(void)
{
    if (!initial.probabilities) {
        initial = make_model();
        model = make_model();
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < HEAD)
        return 0;
    make_models();
    group made = make_group(data);
    lvc_palette_references *references = &made.references;
    uint8_t *payload = zeros(size - HEAD + 4, 1);
    memcpy(payload, data + HEAD, size - HEAD);
    lvc_bit_coder coder = {(int64_t)size - HEAD + 4, LVC_READ, 0, 0xFFFFFFFF, (int64_t)payload[0] << 24 | payload[1] << 16 | payload[2] << 8 | payload[3], 4, 0, payload, 0};
    lvc_palette_plan plan = {0};
    lvc_palette_call call = {0, made.frames, 0, 0, 0, 0, &coder, &model, references, &made.sprites, &plan};
    int64_t ended = lvc_palette_code(&call);
    if (ended > 0 || references->frames - references->built_in_used > made.frames || references->colours > MOST_COLOURS)
        abort();
    for (int64_t frame = 0; frame < references->frames - (ended != 0); frame++)
        for (int64_t y = 0; y < made.height; y++)
            for (int64_t x = 0; x < made.width; x++) {
                int16_t index = references->pictures[(1 + frame) * made.outer + (y + BORDER) * (made.width + 2 * BORDER) + x + BORDER];
                if (index < 0 || index >= references->colours)
                    abort();
            }
    lvc_palette_restore_args undo = {&model, &initial};
    lvc_palette_restore(&undo);
    free_group(&made);
    free(payload);
    return 0;
}

#ifdef FUZZ_SEEDS
enum { SEEDS = 24, SEED_COLOURS = 8, MOST_BLOCKS = 8 * 12, ROOM = 1 << 20 };

static int64_t below(uint32_t *state, int64_t most) { return (next(state) >> 8) % most; }

static double costs[LVC_CERTAIN + 1];

/* Codes a group by chance decisions; gives its bytes, or -1 where one could not be coded. */
static int64_t code_seed(group *made, uint32_t *state, uint8_t *payload)
{
    int64_t rows = made->height / BLOCK_SIDE, columns = made->width / BLOCK_SIDE, seen[MOST_SPRITES * 4], entered[3], field[2 * 3], ended;
    int32_t added[SEED_COLOURS];
    uint8_t vector_map[MOST_BLOCKS], coded[MOST_BLOCKS];
    int16_t picture[MOST_BLOCKS * BLOCK_SIDE * BLOCK_SIDE];
    lvc_palette_references *references = &made->references;
    lvc_palette_sprites *sprites = &made->sprites;
    lvc_bit_coder coder = {ROOM, LVC_WRITE, 0, 0xFFFFFFFF, 0, 0, 0, payload, costs};
    lvc_palette_plan plan = {made->height, made->width, 0, 0, rows, columns, 0, 0, 0, 0, below(state, 3), 0, seen, entered, field, vector_map, coded, added, picture, 0, 0, 0};
    lvc_palette_call call = {1, made->frames, 0, 0, 0, 0, &coder, &model, references, sprites, &plan};
    while ((ended = lvc_palette_code(&call)) > 0) {
        switch (ended) {
        case ASKS_SPRITES:  /* those that are known go a little, now and then one enters */
            for (int64_t number = 0; number < sprites->sprites; number++) {
                const int64_t *sprite = sprites->table + number * SPRITE_FACTS;
                seen[4 * number] = below(state, 4) > 0;
                seen[4 * number + 1] = !made->game || below(state, 3) ? sprite[SPRITE_BITMAP] : below(state, GAME_BITMAPS);
                seen[4 * number + 2] = lvc_clamp(sprite[SPRITE_Y] + below(state, 5) - 2, 0, made->height - 1);
                seen[4 * number + 3] = lvc_clamp(sprite[SPRITE_X] + below(state, 5) - 2, 0, made->width - 1);
            }
            plan.new_sprites = made->game && below(state, 2);
            entered[0] = below(state, GAME_BITMAPS);
            entered[1] = below(state, made->height);
            entered[2] = below(state, made->width);
            break;
        case ASKS_MOTION:
            plan.vectors = below(state, 3);
            for (int64_t place = 0; place < 3 * plan.vectors; place++)
                field[place] = place % 3 == 0 ? below(state, lvc_min(references->frames, EARLIER_FRAMES)) : 1 + place / 3 * 9 + below(state, 9);
            for (int64_t block = 0; block < rows * columns; block++)
                vector_map[block] = (uint8_t)(below(state, 3) ? 0 : below(state, 2 + plan.vectors));
            break;
        case ASKS_FLAGS:
            for (int64_t block = 0; block < rows * columns; block++)
                coded[block] = below(state, 6) == 0;
            break;
        case ASKS_COLOURS:
            plan.new_colours = references->colours ? below(state, 2) : SEED_COLOURS;
            for (int64_t number = 0; number < SEED_COLOURS; number++)
                added[number] = (int32_t)(next(state) >> 8);
            break;
        case ASKS_PIXELS:  /* runs, and now and then the row above */
            for (int64_t place = 0; place < made->height * made->width; place++)
                picture[place] = place > made->width && below(state, 3) ? picture[place - made->width] : place && below(state, 8) ? picture[place - 1] : (int16_t)below(state, references->colours);
            break;
        default:  /* room is enough, and which built-in picture is decided */
            if (ended == NEEDS_ROOM)
                return -1;
        }
    }
    for (int64_t place = 0; place < 4; place++)
        payload[coder.position + place] = (uint8_t)(coder.high >> (24 - 8 * place));
    return ended < 0 ? -1 : coder.position + 4;
}

int main(int count, char **arguments)
{
    static uint8_t payload[ROOM + 16];
    uint32_t state = 5;
    make_models();
    for (int number = 0; count == 2 && number < SEEDS; number++) {
        uint8_t head[HEAD];
        for (int place = 0; place < HEAD; place++)
            head[place] = (uint8_t)(next(&state) >> 16);
        group made = make_group(head);
        int64_t length = code_seed(&made, &state, payload);
        char name[4096];
        snprintf(name, sizeof name, "%s/seed_%02d", arguments[1], number);
        FILE *file = length < 0 ? NULL : fopen(name, "wb");
        if (!file || fwrite(head, 1, HEAD, file) != HEAD || fwrite(payload, 1, (size_t)length, file) != (size_t)length || fclose(file))
            return 1;
        lvc_palette_restore_args undo = {&model, &initial};
        lvc_palette_restore(&undo);
        free_group(&made);
    }
    return count != 2;
}
#endif
