#include "palette_sprites.h"

#include <string.h>

enum { SEEN, STEP_DOWN, STEP_ACROSS, SAME_BITMAP, BITMAP, ANY_MORE, NEW_BITMAP, NEW_Y, NEW_X };  /* what is coded */

/* What a symbol depends on: two facts that mean the same in every game, and two of this one. */
typedef struct { int64_t common, also, own, other; } facts;

static facts further(facts known, int64_t number)
{
    return (facts){lvc_hash(known.common, number), lvc_hash(known.also, number), lvc_hash(known.own, number), lvc_hash(known.other, number)};
}

LVC_INLINE uint32_t context_of(int64_t number, int64_t fact)
{
    int64_t region = number < SPRITE_PATTERNS ? SPRITES_AT : OWN_SPRITES_AT;
    return (uint32_t)(region + number % SPRITE_PATTERNS * SPRITE_CONTEXTS + (fact & (SPRITE_CONTEXTS - 1)));
}

/* A number of so many bits, each under those before it and the facts. */
static int64_t code_symbol(lvc_bit_coder *coder, lvc_palette_model *model, int64_t kind, int64_t value, int64_t bits, facts known)
{
    uint32_t contexts[MIXER_INPUTS];
    int64_t node = 1;
    for (int64_t place = bits - 1; place >= 0; place--) {
        int64_t here = lvc_hash(kind, node);
        contexts[0] = context_of(0, here);
        contexts[1] = context_of(1, lvc_hash(here, known.common));
        contexts[2] = context_of(2, lvc_hash(here, lvc_hash(known.common, known.also)));
        contexts[3] = context_of(3, lvc_hash(here, known.own));
        contexts[4] = context_of(4, lvc_hash(here, known.other));
        contexts[5] = context_of(5, lvc_hash(here, lvc_hash(known.own, known.common)));
        int64_t first = SPRITE_MIXERS_1 + kind, second = SPRITE_MIXERS_2 + lvc_min(bits - 1 - place, 7);
        node = 2 * node + code_mixed(coder, model, contexts, SPRITE_PATTERNS, SPRITE_COLOURS, first, second, value >> place & 1);
    }
    return node - ((int64_t)1 << bits);
}

/* How far a sprite went along one side, within MOST_STEP: whether at all, which way, and how far. */
static int64_t code_step(lvc_bit_coder *coder, lvc_palette_model *model, int64_t kind, int64_t value, facts known)
{
    if (!code_symbol(coder, model, kind, value != 0, 1, known))
        return 0;
    int64_t back = code_symbol(coder, model, kind, value < 0, 1, further(known, 1));
    int64_t size = 1 + code_symbol(coder, model, kind, (value < 0 ? -value : value) - 1, STEP_BITS, further(known, 2 + back));
    return back ? -size : size;
}

/* Which bitmap: one that the weights know, or one of the group's own by how many are later than it. */
static int64_t code_bitmap(lvc_bit_coder *coder, lvc_palette_model *model, int64_t kind, int64_t bitmap, int64_t own_bitmaps, facts known)
{
    if (!code_symbol(coder, model, kind, bitmap >= KNOWN_BITMAPS, 1, known))
        return code_symbol(coder, model, kind, bitmap, KNOWN_BITMAP_BITS, further(known, 2));
    int64_t later = (own_bitmaps - 1 - (bitmap - KNOWN_BITMAPS)) & (OWN_BITMAPS - 1);
    later = code_symbol(coder, model, kind, later, OWN_BITMAP_BITS, further(known, 1));
    return KNOWN_BITMAPS + ((own_bitmaps - 1 - later) & (OWN_BITMAPS - 1));
}

static int64_t bits_of(int64_t side)
{
    int64_t bits = 1;
    while ((int64_t)1 << bits < side)
        bits++;
    return bits;
}

LVC_INLINE int64_t *sprite_at(const lvc_palette_sprites *sprites, int64_t number) { return sprites->table + number * SPRITE_FACTS; }

LVC_INLINE const int16_t *bitmap_at(const lvc_palette_sprites *sprites, int64_t bitmap) { return sprites->bitmaps + bitmap * BITMAP_SIDE * BITMAP_SIDE; }

static void copy_sprite(lvc_palette_sprites *sprites, int64_t source, int64_t target)
{
    memmove(sprite_at(sprites, target), sprite_at(sprites, source), SPRITE_FACTS * sizeof(int64_t));
}

/* One more sprite in the table; where there is no room, in place of the one that was not seen for longest. */
static void enter(lvc_palette_sprites *sprites, int64_t bitmap, int64_t y, int64_t x, int64_t times)
{
    int64_t number = sprites->sprites;
    if (number == MOST_SPRITES) {
        number = 0;
        for (int64_t other = 1; other < MOST_SPRITES; other++)
            if (sprite_at(sprites, other)[SPRITE_AGE] > sprite_at(sprites, number)[SPRITE_AGE])
                number = other;
        for (int64_t other = number; other < MOST_SPRITES - 1; other++)
            copy_sprite(sprites, other + 1, other);
        number = MOST_SPRITES - 1;
    } else {
        sprites->sprites++;
    }
    int64_t *sprite = sprite_at(sprites, number);
    memset(sprite, 0, SPRITE_FACTS * sizeof *sprite);
    sprite[SPRITE_BITMAP] = bitmap;
    sprite[SPRITE_Y] = y;
    sprite[SPRITE_X] = x;
    sprite[SPRITE_HISTORY] = 1;
    sprite[SPRITE_TIMES] = times;
}

/* False for a bitmap that is none, or a corner outside of the picture. */
static int can_be(const lvc_palette_sprites *sprites, int64_t bitmap, int64_t y, int64_t x)
{
    return bitmap < BITMAPS && sprites->sizes[2 * bitmap] != 0 && 0 <= y && y < sprites->height - 2 * BORDER && 0 <= x && x < sprites->width - 2 * BORDER;
}

/* What becomes of the sprite of that number; `before` is what the one before did that was seen as this one was. */
static int code_known(lvc_bit_coder *coder, lvc_palette_model *model, lvc_palette_sprites *sprites, const int64_t *wanted, int64_t number, int64_t *before)
{
    int64_t *sprite = sprite_at(sprites, number);
    int64_t history = sprite[SPRITE_HISTORY], bitmap = sprite[SPRITE_BITMAP], age = lvc_min(sprite[SPRITE_AGE], 7);
    int64_t times = lvc_min(sprite[SPRITE_TIMES], 2) | lvc_min(sprite[SPRITE_STILL], 3) << 2;
    if (number == 0 || sprite_at(sprites, number - 1)[SPRITE_HISTORY] >> 1 != history)
        *before = 0;
    int64_t place = lvc_hash(sprite[SPRITE_Y], sprite[SPRITE_X]);
    facts known = {lvc_hash(history, times), *before, lvc_hash(bitmap, history & 7), lvc_hash(place, history & 3)};
    int64_t seen = code_symbol(coder, model, SEEN, wanted ? wanted[0] & 1 : 0, 1, known);
    *before = ((*before << 1 | seen) & 3) | 4;
    sprite[SPRITE_HISTORY] = (history << 1 | seen) & HISTORY_MASK;
    if (!seen) {
        sprite[SPRITE_AGE]++;
        return 0;
    }
    int64_t last = lvc_hash(sprite[SPRITE_DOWN], sprite[SPRITE_ACROSS]);
    known = (facts){lvc_hash(last, lvc_min(age, 1)), lvc_hash(times, age), lvc_hash(place, last), lvc_hash(bitmap, age)};
    int64_t down = code_step(coder, model, STEP_DOWN, wanted ? wanted[2] - sprite[SPRITE_Y] : 0, known);
    known = (facts){lvc_hash(last, down), lvc_hash(times, age), lvc_hash(lvc_hash(place, last), down), lvc_hash(lvc_hash(bitmap, age), down)};
    int64_t across = code_step(coder, model, STEP_ACROSS, wanted ? wanted[3] - sprite[SPRITE_X] : 0, known);
    int64_t going = lvc_hash((down > 0) - (down < 0) + 1, (across > 0) - (across < 0) + 1);
    known = (facts){lvc_hash(going, history & 3), times, lvc_hash(bitmap, going), bitmap};
    if (!code_symbol(coder, model, SAME_BITMAP, wanted ? wanted[1] == bitmap : 0, 1, known))
        bitmap = code_bitmap(coder, model, BITMAP, wanted ? wanted[1] : 0, sprites->own_bitmaps, known);
    sprite[SPRITE_Y] += down;
    sprite[SPRITE_X] += across;
    if (!can_be(sprites, bitmap, sprite[SPRITE_Y], sprite[SPRITE_X]))
        return 1;
    if (down == 0 && across == 0 && bitmap == sprite[SPRITE_BITMAP] && sprite[SPRITE_AGE] == 0) {
        sprite[SPRITE_STILL]++;
    } else {
        sprite[SPRITE_STILL] = 0;
        sprite[SPRITE_TIMES] = lvc_min(sprite[SPRITE_TIMES] + 1, 3);
    }
    sprite[SPRITE_BITMAP] = bitmap;
    sprite[SPRITE_AGE] = 0;
    sprite[SPRITE_DOWN] = down;
    sprite[SPRITE_ACROSS] = across;
    return 0;
}

int code_sprites(lvc_bit_coder *coder, lvc_palette_model *model, lvc_palette_sprites *sprites, const lvc_palette_plan *plan)
{
    int64_t before = 0;
    for (int64_t number = 0; number < sprites->sprites; number++)
        if (code_known(coder, model, sprites, plan->seen ? plan->seen + 4 * number : 0, number, &before))
            return 1;
    int64_t y_bits = bits_of(sprites->height - 2 * BORDER), x_bits = bits_of(sprites->width - 2 * BORDER), last = 0;
    for (int64_t found = 0;; found++) {
        const int64_t *wanted = found < plan->new_sprites ? plan->entered + 3 * found : 0;
        facts known = {lvc_min(found, 3), 0, lvc_min(sprites->sprites, 15), last};
        if (!code_symbol(coder, model, ANY_MORE, wanted != 0, 1, known))
            return 0;
        int64_t bitmap = code_bitmap(coder, model, NEW_BITMAP, wanted ? wanted[0] : 0, sprites->own_bitmaps, (facts){0, 0, last, 0});
        int64_t y = code_symbol(coder, model, NEW_Y, wanted ? wanted[1] : 0, y_bits, (facts){0, 0, bitmap, last});
        int64_t x = code_symbol(coder, model, NEW_X, wanted ? wanted[2] : 0, x_bits, (facts){0, 0, lvc_hash(bitmap, y), y});
        if (found >= MOST_SPRITES || !can_be(sprites, bitmap, y, x))
            return 1;
        enter(sprites, bitmap, y, x, 1);
        last = bitmap + 1;
    }
}

LVC_INLINE int is_seen(const int64_t *sprite) { return sprite[SPRITE_AGE] == 0 && (sprite[SPRITE_HISTORY] & 1); }

/* True if a sprite has stood still for so long that it is background from now on. */
LVC_INLINE int has_settled(const int64_t *sprite) { return sprite[SPRITE_STILL] >= (sprite[SPRITE_TIMES] == 0 ? STILL_NEW : STILL_KNOWN); }

void draw_sprites(lvc_palette_references *references, lvc_palette_sprites *sprites)
{
    int64_t width = references->width, bottom = references->height - BORDER, right = width - BORDER;
    int16_t *picture = references->pictures;
    memcpy(picture, sprites->background, FRAME_SIZE(references) * sizeof *picture);
    memset(sprites->owned, 0, FRAME_SIZE(references));
    for (int64_t number = 0; number < sprites->sprites; number++) {
        const int64_t *sprite = sprite_at(sprites, number);
        if (!is_seen(sprite))
            continue;
        int64_t top = sprite[SPRITE_Y] + BORDER, left = sprite[SPRITE_X] + BORDER;
        const int16_t *bitmap = bitmap_at(sprites, sprite[SPRITE_BITMAP]);
        const int64_t *size = sprites->sizes + 2 * sprite[SPRITE_BITMAP];
        uint8_t owned = !has_settled(sprite);
        for (int64_t y = 0; y < lvc_min(size[0], bottom - top); y++)
            for (int64_t x = 0; x < lvc_min(size[1], right - left); x++)
                if (bitmap[y * BITMAP_SIDE + x] != NO_COLOUR) {
                    picture[(top + y) * width + left + x] = bitmap[y * BITMAP_SIDE + x];
                    sprites->owned[(top + y) * width + left + x] = owned;
                }
    }
}

lvc_part take_part(uint8_t *mask, int64_t width, int64_t y, int64_t x, int32_t *pixels, int64_t most)
{
    lvc_part part = {1, y, x, y, x};
    pixels[0] = (int32_t)y;
    pixels[1] = (int32_t)x;
    mask[y * width + x] = 0;
    for (int64_t done = 0; done < lvc_min(part.count, most); done++) {
        y = pixels[2 * done];
        x = pixels[2 * done + 1];
        part.top = lvc_min(part.top, y);
        part.left = lvc_min(part.left, x);
        part.bottom = lvc_max(part.bottom, y);
        part.right = lvc_max(part.right, x);
        for (int64_t line = y - 1; line < y + 2; line++)
            for (int64_t place = x - 1; place < x + 2; place++)
                if (mask[line * width + place]) {
                    mask[line * width + place] = 0;
                    if (part.count < most) {
                        pixels[2 * part.count] = (int32_t)line;
                        pixels[2 * part.count + 1] = (int32_t)place;
                    }
                    part.count++;
                }
    }
    return part;
}

int64_t lvc_palette_part(lvc_palette_part_args *a)
{
    if (a->y < 1 || a->y >= a->height - 1 || a->x < 1 || a->x >= a->width - 1 || a->most < 1)
        return -1;
    lvc_part part = take_part(a->mask, a->width, a->y, a->x, a->pixels, a->most);
    a->count = part.count;
    a->top = part.top;
    a->left = part.left;
    a->bottom = part.bottom;
    a->right = part.right;
    return 0;
}

/* One more bitmap of the group's own, of a part of a picture, unless it is known, and its sprite. */
static void learn_bitmap(lvc_palette_sprites *sprites, const int16_t *picture, lvc_part part, const int32_t *pixels)
{
    int64_t own = KNOWN_BITMAPS + (sprites->own_bitmaps & (OWN_BITMAPS - 1));
    int16_t *bitmap = sprites->bitmaps + own * BITMAP_SIDE * BITMAP_SIDE;
    int64_t *size = sprites->sizes + 2 * own, kept = 0;
    /* A sprite that still looks like the bitmap that goes is gone with it. */
    for (int64_t number = 0; number < sprites->sprites; number++)
        if (sprite_at(sprites, number)[SPRITE_BITMAP] != own)
            copy_sprite(sprites, number, kept++);
    sprites->sprites = kept;
    for (int64_t place = 0; place < BITMAP_SIDE * BITMAP_SIDE; place++)
        bitmap[place] = NO_COLOUR;
    for (int64_t place = 0; place < part.count; place++) {
        int64_t y = pixels[2 * place], x = pixels[2 * place + 1];
        bitmap[(y - part.top) * BITMAP_SIDE + x - part.left] = picture[y * sprites->width + x];
    }
    size[0] = part.bottom - part.top + 1;
    size[1] = part.right - part.left + 1;
    int64_t known = 0;
    while (known < BITMAPS
           && !(known != own && sprites->sizes[2 * known] == size[0] && sprites->sizes[2 * known + 1] == size[1]
                && !memcmp(bitmap_at(sprites, known), bitmap, BITMAP_SIDE * BITMAP_SIDE * sizeof *bitmap)))
        known++;
    if (known < BITMAPS) {
        size[0] = size[1] = 0;
        own = known;
    } else {
        sprites->own_bitmaps++;
    }
    enter(sprites, own, part.top - BORDER, part.left - BORDER, 0);
}

/* Forgets the sprites that were not seen for long, and those that are background now. */
static void forget_sprites(lvc_palette_sprites *sprites)
{
    int64_t kept = 0;
    for (int64_t number = 0; number < sprites->sprites; number++) {
        const int64_t *sprite = sprite_at(sprites, number);
        if (!has_settled(sprite) && sprite[SPRITE_AGE] <= (sprite[SPRITE_TIMES] == 0 ? TRIED_AGE : KNOWN_AGE))
            copy_sprite(sprites, number, kept++);
    }
    sprites->sprites = kept;
}

void learn_sprites(lvc_palette_references *references, lvc_palette_sprites *sprites)
{
    int64_t width = references->width, bottom = references->height - BORDER, right = width - BORDER;
    const int16_t *last = references->pictures + references->frames * FRAME_SIZE(references), *picture = last + FRAME_SIZE(references), *drawn = references->pictures;
    int any = 0;
    for (int64_t y = BORDER; y < bottom; y++)
        for (int64_t word = BORDER / BLOCK_SIDE; word < right / BLOCK_SIDE; word++) {
            if (word_at(picture, width, y, word) == word_at(sprites->background, width, y, word))
                continue;
            for (int64_t place = y * width + BLOCK_SIDE * word; place < y * width + BLOCK_SIDE * (word + 1); place++) {
                int16_t colour = picture[place];
                if (colour == sprites->background[place] || (sprites->owned[place] && colour == drawn[place]))
                    continue;
                if (colour == last[place] && !sprites->owned[place]) {
                    sprites->background[place] = colour;
                } else {
                    sprites->mask[place] = 1;
                    any = 1;
                }
            }
        }
    if (any) {
        int32_t pixels[2 * BITMAP_SIDE * BITMAP_SIDE];
        for (int64_t y = BORDER; y < bottom; y++)
            for (int64_t x = BORDER; x < right; x++)
                if (sprites->mask[y * width + x]) {
                    lvc_part part = take_part(sprites->mask, width, y, x, pixels, BITMAP_SIDE * BITMAP_SIDE);
                    if (LEAST_AREA <= part.count && part.count <= BITMAP_SIDE * BITMAP_SIDE && part.bottom - part.top < BITMAP_SIDE && part.right - part.left < BITMAP_SIDE)
                        learn_bitmap(sprites, picture, part, pixels);
                }
    }
    forget_sprites(sprites);
}
