#include "palette_sprite_search.h"

#include <math.h>
#include <string.h>

#include "palette_error.h"
#include "palette_sprites.h"

enum {
    LARGEST = 48,                 /* pixels of a side: of what stands out and is looked through */
    MOST_PARTS = 40,
    AROUND_A_PART = 2,            /* pixels by which a sprite may stand off from what stands out */
    MOST_OF_A_PART = 4            /* sprites */
};
static const double PIXEL_BITS = 3.0;         /* what a pixel costs at most that nothing tells */
static const double STANDS_OUT = 0.6;         /* bits of a pixel */
static const double LEAST_SAVED = 16.0;       /* bits that a sprite saves */
static const double NEW_BITS = 16.0, LOOK_BITS = 4.0;  /* more that a new one costs, and one that has another bitmap than before */
static const double STEP_COST = 0.15;         /* for each pixel that it went */
static const double MOST_APART = 0.08;        /* of the pixels that stand out: where more do, the background itself moves */

typedef struct { double saved; int64_t bitmap, y, x; } best_sprite;

static int is_in_table(const lvc_palette_sprites *sprites, int64_t bitmap)
{
    for (int64_t number = 0; number < sprites->sprites; number++)
        if (sprites->table[number * SPRITE_FACTS + SPRITE_BITMAP] == bitmap)
            return 1;
    return 0;
}

LVC_INLINE double error_bits(const lvc_palette_find_sprites_args *a, int64_t place, int64_t colour)
{
    return a->lambda_ * (double)(lvc_squared_error(a->source + 3 * place, a->channels + 3 * colour) - a->least[place]);
}

/* The pixels around a part whose costs are in the table, one colour after the other, once they are filled in and where there is room for them. */
typedef struct { int64_t top, left, bottom, right; int filled, kept; } region;

LVC_INLINE int64_t size_of_region(const region *kept) { return (kept->bottom - kept->top) * (kept->right - kept->left); }

/* What a pixel costs that shows a colour: its error, or what it costs to code. */
LVC_INLINE double cost_of(const lvc_palette_find_sprites_args *a, int64_t place, int64_t colour)
{
    double error = error_bits(a, place, colour);
    return error < PIXEL_BITS ? error : PIXEL_BITS;
}

LVC_INLINE region fill_table(const lvc_palette_find_sprites_args *a, int64_t top, int64_t left, int64_t bottom, int64_t right)
{
    region kept = {lvc_max(0, top - BITMAP_SIDE), lvc_max(0, left - BITMAP_SIDE), lvc_min(a->height, bottom + 1 + BITMAP_SIDE), lvc_min(a->width, right + 1 + BITMAP_SIDE), 1, 0};
    kept.kept = size_of_region(&kept) * a->colours <= a->table_size;
    int64_t width = a->width, columns = kept.right - kept.left;
    double lambda = a->lambda_;
    double *restrict costs = a->table;
    for (int64_t colour = 0; kept.kept && colour < a->colours; colour++) {
        int32_t red = a->channels[3 * colour], green = a->channels[3 * colour + 1], blue = a->channels[3 * colour + 2];
        for (int64_t y = kept.top; y < kept.bottom; y++, costs += columns) {
            const uint8_t *restrict source = a->source + 3 * (y * width + kept.left);
            const int32_t *restrict least = a->least + y * width + kept.left;
            for (int64_t x = 0; x < columns; x++) {
                int32_t r = source[3 * x] - red, g = source[3 * x + 1] - green, b = source[3 * x + 2] - blue;
                double error = lambda * (double)(r * r + g * g + b * b - least[x]);
                costs[x] = error < PIXEL_BITS ? error : PIXEL_BITS;
            }
        }
    }
    return kept;
}

/* Bits that `size[0] - line` lines of a bitmap can save at most. */
LVC_INLINE double most_of_lines(const int64_t *size, int64_t line) { return (double)((size[0] - line) * size[1]) * PIXEL_BITS; }

/* Bits that a bitmap at (y, x) saves, or no more than `best`. */
LVC_INLINE double saved_by(const lvc_palette_find_sprites_args *a, const region *kept, int64_t bitmap, int64_t y, int64_t x, double best)
{
    const int64_t *size = a->sprites->sizes + 2 * bitmap;
    const int16_t *indices = a->sprites->bitmaps + bitmap * BITMAP_SIDE * BITMAP_SIDE;
    int64_t lines = lvc_min(size[0], a->height - y), columns = lvc_min(size[1], a->width - x);
    int in_table = kept->kept && y >= kept->top && x >= kept->left && y + lines <= kept->bottom && x + columns <= kept->right;
    double saved = 0;
    for (int64_t line = 0; line < lines; line++) {
        const float *cost = a->cost + (y + line) * a->width + x;
        const double *table = a->table + (in_table ? (y + line - kept->top) * (kept->right - kept->left) + x - kept->left : 0);
        for (int64_t column = 0; column < columns; column++) {
            int16_t colour = indices[line * BITMAP_SIDE + column];
            if (colour != NO_COLOUR)
                saved += cost[column] - (in_table ? table[colour * size_of_region(kept) + column] : cost_of(a, (y + line) * a->width + x + column, colour));
        }
        if (saved + most_of_lines(size, line + 1) <= best)
            break;
    }
    return saved;
}

enum { PART = 4, PARTS = 2, LANES = PART * PARTS };  /* places side by side at which a bitmap is tried at once */
typedef double lanes __attribute__((vector_size(PART * sizeof(double))));  /* of twice as many, gcc keeps none in a register */
typedef float short_lanes __attribute__((vector_size(PART * sizeof(float))));

/* What `saved_by` gives at LANES places from (y, x) on, of which all is in the table: each place's numbers are added up in its order, so that
   they are the same. bounds: of each place the least that it and the lines to come could save, after any line; where this is no more
   than the best, `saved_by` ends. */
LVC_INLINE void saved_side_by_side(const lvc_palette_find_sprites_args *a, const region *kept, int64_t bitmap, int64_t y, int64_t x, double best, double *saved, double *bounds)
{
    const int64_t *size = a->sprites->sizes + 2 * bitmap;
    const int16_t *indices = a->sprites->bitmaps + bitmap * BITMAP_SIDE * BITMAP_SIDE;
    int64_t lines = lvc_min(size[0], a->height - y), columns = size[1], plane = size_of_region(kept);
    lanes total[PARTS] = {{0}};
    for (int64_t lane = 0; lane < LANES; lane++)
        bounds[lane] = INFINITY;
    for (int64_t line = 0; line < lines; line++) {
        const float *cost = a->cost + (y + line) * a->width + x;
        const double *table = a->table + (y + line - kept->top) * (kept->right - kept->left) + x - kept->left;
        for (int64_t column = 0; column < columns; column++) {
            int16_t colour = indices[line * BITMAP_SIDE + column];
            if (colour == NO_COLOUR)
                continue;
            const double *then = table + colour * plane + column;
            for (int64_t part = 0; part < PARTS; part++) {
                short_lanes now;
                lanes with;
                memcpy(&now, cost + column + PART * part, sizeof now);
                memcpy(&with, then + PART * part, sizeof with);
                total[part] += __builtin_convertvector(now, lanes) - with;
            }
        }
        memcpy(saved, total, sizeof total);
        int hope = 0;
        for (int64_t lane = 0; lane < LANES; lane++) {
            double bound = saved[lane] + most_of_lines(size, line + 1);
            bounds[lane] = bound < bounds[lane] ? bound : bounds[lane];
            hope |= bounds[lane] > best;
        }
        if (!hope)
            return;
    }
}

/* The sprite that saves most bits inside a box, or about it. */
LVC_CLONES static best_sprite find_best(const lvc_palette_find_sprites_args *a, region *kept, int64_t top, int64_t left, int64_t bottom, int64_t right)
{
    best_sprite best = {0, -1, 0, 0};
    double here = 0;
    for (int64_t y = top; y <= bottom; y++)
        for (int64_t x = left; x <= right; x++)
            here += a->cost[y * a->width + x];
    if (here < LEAST_SAVED)
        return best;
    if (!kept->filled)
        *kept = fill_table(a, top, left, bottom, right);
    int large = bottom - top >= BITMAP_SIDE || right - left >= BITMAP_SIDE;
    for (int64_t bitmap = 0; bitmap < BITMAPS; bitmap++) {
        int64_t rows = a->sprites->sizes[2 * bitmap], columns = a->sprites->sizes[2 * bitmap + 1], higher = rows - (bottom - top + 1), wider = columns - (right - left + 1);
        if (rows == 0 || (!large && (lvc_max(higher, -higher) > 2 * AROUND_A_PART + 2 || lvc_max(wider, -wider) > 2 * AROUND_A_PART + 2)))
            continue;
        if (large && !is_in_table(a->sprites, bitmap))
            continue;
        /* From where it would end at the box's end to where it begins at the box's beginning, or the other way round. */
        int64_t last_y = bottom + 1 - rows, last_x = right + 1 - columns;
        int64_t first = lvc_max(0, lvc_min(left, last_x)), end = lvc_min(a->width - 1, lvc_max(left, last_x)) + 1;
        for (int64_t y = lvc_max(0, lvc_min(top, last_y)); y <= lvc_min(a->height - 1, lvc_max(top, last_y)); y++) {
            int64_t x = first;
            int in_table = kept->kept && y >= kept->top && first >= kept->left && lvc_min(y + rows, a->height) <= kept->bottom;
            for (; in_table && x < end && x + LANES - 1 + columns <= kept->right; x += LANES) {
                double saved[LANES], bounds[LANES];
                saved_side_by_side(a, kept, bitmap, y, x, best.saved, saved, bounds);
                for (int64_t lane = 0; lane < lvc_min(LANES, end - x); lane++)
                    if (bounds[lane] > best.saved && saved[lane] > best.saved)
                        best = (best_sprite){saved[lane], bitmap, y, x + lane};
            }
            for (; x < end; x++) {
                double saved = saved_by(a, kept, bitmap, y, x, best.saved);
                if (saved > best.saved)
                    best = (best_sprite){saved, bitmap, y, x};
            }
        }
    }
    return best;
}

/* What a sprite shows costs no more than its error. */
static void explain(const lvc_palette_find_sprites_args *a, best_sprite found)
{
    const int64_t *size = a->sprites->sizes + 2 * found.bitmap;
    const int16_t *indices = a->sprites->bitmaps + found.bitmap * BITMAP_SIDE * BITMAP_SIDE;
    for (int64_t line = 0; line < lvc_min(size[0], a->height - found.y); line++)
        for (int64_t column = 0; column < lvc_min(size[1], a->width - found.x); column++)
            if (indices[line * BITMAP_SIDE + column] != NO_COLOUR) {
                int64_t place = (found.y + line) * a->width + found.x + column;
                a->cost[place] = (float)cost_of(a, place, indices[line * BITMAP_SIDE + column]);
            }
}

int64_t lvc_palette_find_sprites(const lvc_palette_find_sprites_args *a)
{
    int64_t wide = a->outer_width, apart = 0, count = 0, parts = 0;
    if (a->outer_height != a->height + 2 || wide != a->width + 2 || a->part_pixels != LARGEST * LARGEST)
        return -1;
    for (int64_t y = 0; y < a->height; y++)
        for (int64_t x = 0; x < a->width; x++) {
            int64_t place = y * a->width + x;
            double bits = error_bits(a, place, a->background[place]);
            if (bits > STANDS_OUT) {
                a->mask[(y + 1) * wide + x + 1] = 1;
                apart++;
            }
            a->cost[place] = (float)(bits < PIXEL_BITS ? bits : PIXEL_BITS);
        }
    if ((double)apart > MOST_APART * (double)a->height * (double)a->width)
        return 0;
    for (int64_t y = 0; y < a->height; y++)
        for (int64_t x = 0; x < a->width; x++) {
            if (!a->mask[(y + 1) * wide + x + 1] || parts == MOST_PARTS)
                continue;
            lvc_part part = take_part(a->mask, wide, y + 1, x + 1, a->part, a->part_pixels);
            if (part.count < 4 || part.bottom - part.top >= LARGEST || part.right - part.left >= LARGEST)
                continue;
            parts++;
            region kept = {0};
            for (int64_t turn = 0; turn < MOST_OF_A_PART; turn++) {
                if (count == a->most)
                    return count;
                best_sprite best = find_best(a, &kept, part.top - 1, part.left - 1, part.bottom - 1, part.right - 1);
                if (best.saved < LEAST_SAVED)
                    break;
                a->found[3 * count] = best.bitmap;
                a->found[3 * count + 1] = best.y;
                a->found[3 * count + 2] = best.x;
                count++;
                explain(a, best);
            }
        }
    return count;
}

LVC_INLINE int64_t size_of(int64_t number) { return number < 0 ? -number : number; }

int64_t lvc_palette_assign_sprites(const lvc_palette_assign_sprites_args *a)
{
    if (a->table_size != MOST_SPRITES)
        return -1;
    for (;;) {
        double least = NEW_BITS;
        int64_t best = -1, best_sprite = -1;
        for (int64_t place = 0; place < a->count; place++) {
            const int64_t *found = a->found + 3 * place;
            if (found[0] < 0)
                continue;
            for (int64_t number = 0; number < a->sprites->sprites; number++) {
                const int64_t *sprite = a->sprites->table + number * SPRITE_FACTS;
                int64_t down = found[1] - sprite[SPRITE_Y], across = found[2] - sprite[SPRITE_X];
                if (a->seen[4 * number] || size_of(down) > MOST_STEP || size_of(across) > MOST_STEP)
                    continue;
                int64_t step = lvc_min(size_of(down) + size_of(across), size_of(down - sprite[SPRITE_DOWN]) + size_of(across - sprite[SPRITE_ACROSS]));
                double bits = STEP_COST * (double)step + (double)sprite[SPRITE_AGE] * 0.5;
                if (found[0] != sprite[SPRITE_BITMAP])
                    bits += LOOK_BITS;
                if (bits < least) {
                    least = bits;
                    best = place;
                    best_sprite = number;
                }
            }
        }
        if (best < 0)
            return 0;
        int64_t *seen = a->seen + 4 * best_sprite;
        seen[0] = 1;
        for (int64_t fact = 0; fact < 3; fact++)
            seen[1 + fact] = a->found[3 * best + fact];
        a->found[3 * best] = -1;
    }
}
