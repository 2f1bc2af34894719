#include "palette_motion.h"

#include <string.h>

#include "palette_blocks.h"
#include "palette_numbers.h"

LVC_INLINE int is_vector(const int64_t *one, const int64_t *other) { return one[0] == other[0] && one[1] == other[1] && one[2] == other[2]; }

/* True if a vector is among the first of some. */
static int is_among(const int64_t *vector, const int64_t *vectors, int64_t count)
{
    for (int64_t number = 0; number < count; number++)
        if (is_vector(vector, vectors + 3 * number))
            return 1;
    return 0;
}

LVC_INLINE int64_t size_of(int64_t number) { return number < 0 ? -number : number; }

int code_vectors(lvc_bit_coder *coder, lvc_palette_model *model, lvc_palette_references *references, const lvc_palette_plan *plan)
{
    int64_t *field = references->field, left[RECENT_VECTORS];
    const int64_t fixed[6] = {0, 0, 0, EARLIER_FRAMES, 0, 0};
    memcpy(field, fixed, sizeof fixed);
    references->vectors = 2;
    int64_t total = code_unary(coder, model, NUMBER_OF_VECTORS, plan->vectors, MOST_VECTORS);
    for (int64_t number = 0; number < total; number++) {
        int64_t *vector = field + 3 * (2 + number), count = 0, place = -1;
        const int64_t *told = field + 6, *wanted = number < plan->vectors ? plan->field + 3 * number : 0;
        for (int64_t other = 0; other < references->recent_vectors; other++) {
            const int64_t *recent = references->recent + 3 * other;
            if (!is_among(recent, told, number)) {
                if (wanted && place < 0 && is_vector(recent, wanted))
                    place = count;
                left[count++] = other;
            }
        }
        place = code_unary(coder, model, RECENT_VECTOR, place >= 0 ? place : count, count);
        if (place < count) {
            memcpy(vector, references->recent + 3 * left[place], 3 * sizeof *vector);
        } else {
            vector[0] = code_unary(coder, model, VECTOR_BACK, wanted ? wanted[0] : 0, EARLIER_FRAMES - 1);
            vector[1] = code_signed(coder, model, VECTOR_ACROSS, wanted ? wanted[1] : 0);
            vector[2] = code_signed(coder, model, VECTOR_DOWN, wanted ? wanted[2] : 0);
        }
        if (vector[0] >= lvc_min(references->frames, EARLIER_FRAMES) || lvc_max(size_of(vector[1]), size_of(vector[2])) > VECTOR_REACH || is_vector(vector, field)
            || is_among(vector, told, number))
            return 1;
    }
    references->vectors = 2 + total;
    return 0;
}

void keep_recent_vectors(lvc_palette_references *references)
{
    int64_t found[3 * (FIELD_VECTORS + RECENT_VECTORS)] = {0}, count = references->vectors - 2;
    const int64_t *told = references->field + 6;
    memcpy(found, told, 3 * MOST_VECTORS * sizeof *found);
    for (int64_t other = 0; other < references->recent_vectors; other++)
        if (!is_among(references->recent + 3 * other, told, references->vectors - 2))
            memcpy(found + 3 * count++, references->recent + 3 * other, 3 * sizeof *found);
    references->recent_vectors = lvc_min(count, RECENT_VECTORS);
    memcpy(references->recent, found, 3 * RECENT_VECTORS * sizeof *found);
}

static void find_sources(const lvc_palette_references *references, lvc_source *sources)
{
    for (int64_t number = 0; number < references->vectors; number++) {
        const int64_t *vector = references->field + 3 * number;
        int64_t picture = vector[0] == EARLIER_FRAMES ? 0 : references->frames - vector[0];
        sources[number] = (lvc_source){references->pictures + picture * FRAME_SIZE(references), vector[1], vector[2]};
    }
}

/* What a source shows of the four pixels from (y, x), a multiple of BLOCK_SIDE; what lies outside is its nearest pixel. */
static uint64_t shown_word(const lvc_palette_references *references, lvc_source source, int64_t y, int64_t x)
{
    int64_t stride = references->width, height = references->height - 2 * BORDER, width = stride - 2 * BORDER;
    y += source.dy;
    x += source.dx;
    if (0 <= y && y < height && 0 <= x && x <= width - BLOCK_SIDE) {
        int64_t first = (x + BORDER) >> 2, shift = (x & 3) << 4;
        uint64_t word = word_at(source.picture, stride, y + BORDER, first) >> shift;
        return shift ? word | word_at(source.picture, stride, y + BORDER, first + 1) << (64 - shift) : word;
    }
    uint64_t word = 0;
    const int16_t *line = source.picture + (lvc_clamp(y, 0, height - 1) + BORDER) * stride;
    for (int64_t place = 0; place < BLOCK_SIDE; place++)
        word |= (uint64_t)(uint16_t)line[lvc_clamp(x + place, 0, width - 1) + BORDER] << (16 * place);
    return word;
}

/* Fills what a source shows of a whole line of pixels, as `shown_word`. */
static void show_line(const lvc_palette_references *references, lvc_source source, int64_t y, uint64_t *shown)
{
    int64_t stride = references->width, height = references->height - 2 * BORDER, width = stride - 2 * BORDER, columns = references->inner_columns;
    /* Columns whose four pixels lie inside. */
    int64_t begin = lvc_min(columns, lvc_max(0, (BLOCK_SIDE - 1 - source.dx) >> 2)), end = lvc_clamp((width - source.dx) >> 2, 0, columns);
    int64_t shift = (source.dx & 3) << 4, first = (source.dx + BORDER) >> 2, top = lvc_clamp(y + source.dy, 0, height - 1) + BORDER;
    const uint64_t *line = (const uint64_t *)(const void *)(source.picture + top * stride);
    for (int64_t column = 0; column < begin; column++)
        shown[column] = shown_word(references, source, y, BLOCK_SIDE * column);
    if (shift)
        for (int64_t column = begin; column < end; column++)
            shown[column] = line[first + column] >> shift | line[first + column + 1] << (64 - shift);
    else
        for (int64_t column = begin; column < end; column++)
            shown[column] = line[first + column];
    for (int64_t column = lvc_max(begin, end); column < columns; column++)
        shown[column] = shown_word(references, source, y, BLOCK_SIDE * column);
}

LVC_INLINE uint64_t *shown_line(const lvc_palette_references *references, int64_t number, int64_t line)
{
    return references->shown + (number * BLOCK_SIDE + line) * references->inner_columns;
}

/* Fills what each vector shows of a row of blocks, and where any shows something else than the first. */
static void show_row(const lvc_palette_references *references, const lvc_source *sources, int64_t row)
{
    int64_t columns = references->inner_columns;
    uint64_t *differs = references->differs;
    memset(differs, 0, (size_t)columns * sizeof *differs);
    for (int64_t number = 0; number < references->vectors; number++)
        for (int64_t line = 0; line < BLOCK_SIDE; line++) {
            uint64_t *shown = shown_line(references, number, line);
            const uint64_t *first = shown_line(references, 0, line);
            show_line(references, sources[number], BLOCK_SIDE * row + line, shown);
            for (int64_t column = 0; column < columns; column++)
                differs[column] |= shown[column] ^ first[column];
        }
}

/* True if what a vector shows of a block is of one colour. */
static int64_t is_flat(const lvc_palette_references *references, int64_t number, int64_t column)
{
    uint64_t differs = 0, flat = flat_word(shown_line(references, number, 0)[column]);
    for (int64_t line = 0; line < BLOCK_SIDE; line++)
        differs |= shown_line(references, number, line)[column] ^ flat;
    return differs == 0;
}

/* True if any block of a row takes a vector that shows something else than the first. */
static int64_t any_moved(const lvc_palette_references *references, const lvc_source *sources, const uint8_t *wanted, int64_t row)
{
    for (int64_t column = 0; column < references->inner_columns; column++)
        if (wanted[column])
            for (int64_t y = BLOCK_SIDE * row; y < BLOCK_SIDE * (row + 1); y++)
                if (shown_word(references, sources[wanted[column]], y, BLOCK_SIDE * column) != word_at(sources[0].picture, references->width, y + BORDER, BORDER / BLOCK_SIDE + column))
                    return 1;
    return 0;
}

static int any_of(const uint8_t *line, int64_t count)
{
    for (int64_t place = 0; place < count; place++)
        if (line[place])
            return 1;
    return 0;
}

/* What blocks around took, and the candidates that a block is offered, the likeliest first. */
typedef struct {
    int64_t west, north, north_west, north_east, far_west, far_north, last;  /* last: -1 for a vector that this frame has not */
    int64_t count, candidates[FIELD_VECTORS];
} lvc_candidates;

static void find_candidates(const lvc_palette_references *references, const uint64_t *contents, const int64_t *numbers, int64_t place, lvc_candidates *found)
{
    int64_t columns = references->columns;
    const uint8_t *map = references->vector_map + place;
    found->west = map[-1];
    found->north = map[-columns];
    found->north_west = map[-columns - 1];
    found->north_east = map[-columns + 1];
    found->far_west = map[-2];
    found->far_north = map[-2 * columns];
    found->last = numbers[references->last_vector_map[place]];
    /* Vectors of the blocks around, then the first, then the frame's in their order. */
    const int64_t likely[5] = {found->west, found->north, found->north_east, 0, found->last};
    int64_t count = 0;
    for (int64_t number = 0; number < references->vectors + 5; number++) {
        int64_t vector = number < 5 ? likely[number] : number - 5, other = 0;
        if (vector < 0)
            continue;
        while (other < count && contents[found->candidates[other]] != contents[vector])
            other++;
        if (other == count)
            found->candidates[count++] = vector;
    }
    found->count = count;
}

/* Codes which vector a block takes whose vectors show different things. */
LVC_CLONES static int64_t code_vector(lvc_bit_coder *coder, lvc_palette_model *model, const lvc_palette_references *references, const int64_t *numbers, int64_t row, int64_t column, int64_t wanted)
{
    int64_t columns = references->columns, vectors = references->vectors, place = (row + EDGE) * columns + column + EDGE;
    uint64_t contents[FIELD_VECTORS];
    uint32_t contexts[MIXER_INPUTS];
    lvc_candidates found;
    for (int64_t number = 0; number < vectors; number++)
        contents[number] = block_content(shown_line(references, number, 0)[column], shown_line(references, number, 1)[column], shown_line(references, number, 2)[column],
                                         shown_line(references, number, 3)[column]);
    find_candidates(references, contents, numbers, place, &found);
    const uint8_t *before = references->coded_before + place;
    int64_t now = before[0], around = (int64_t)before[-1] + before[1] + before[-columns] + before[columns], flat = is_flat(references, 0, column);
    int64_t sides_alike = same(contents[found.west], contents[found.north]), west_still = same(contents[found.west], contents[0]), north_still = same(contents[found.north], contents[0]);
    for (int64_t rank = 0; rank < found.count - 1; rank++) {
        int64_t vector = found.candidates[rank];
        uint64_t content = contents[vector];
        const int64_t *told = references->field + 3 * vector;
        int64_t on_west = contents[found.west] == content, on_north = contents[found.north] == content;
        int64_t corners = (contents[found.north_west] == content) | (contents[found.north_east] == content) << 1;
        int64_t still = vector == 0, turn = lvc_min(rank, 3), many = lvc_min(vectors - 2, 3), plain = is_flat(references, vector, column);
        int64_t beside = on_west | on_north << 1 | corners << 2 | still << 4;
        int64_t as_before = found.last < 0 ? 0 : 1 + (contents[found.last] == content);
        uint64_t own = (uint64_t)(told[0] | (told[1] + VECTOR_REACH) << 3 | (told[2] + VECTOR_REACH) << 12), sides = (uint64_t)(on_west | on_north << 1);
        contexts[0] = (uint32_t)(VECTORS_AT + (beside | turn << 5 | as_before << 7 | many << 9 | plain << 11));
        contexts[1] = (uint32_t)(VECTORS_AT + BLOCK_CONTEXTS
                                 + (on_west | on_north << 1 | still << 2 | lvc_clamp(found.count - 2, 0, 3) << 3 | turn << 5 | sides_alike << 7 | west_still << 8 | north_still << 9
                                    | plain << 10 | flat << 11));
        contexts[2] = (uint32_t)(VECTORS_AT + 2 * BLOCK_CONTEXTS + (lvc_min(vector, 15) | (on_west + on_north) << 4 | as_before << 6 | plain << 8 | flat << 9 | now << 10));
        contexts[3] = (uint32_t)(VECTORS_AT + 3 * BLOCK_CONTEXTS
                                 + (beside | (int64_t)(contents[found.far_west] == content) << 5 | (int64_t)(contents[found.far_north] == content) << 6 | now << 7
                                    | lvc_min(around, 3) << 8 | plain << 10 | flat << 11));
        contexts[4] = (uint32_t)(OWN_VECTORS_AT + lvc_scatter(own << 2 | sides, BLOCK_CONTEXT_BITS));
        contexts[5] = (uint32_t)(OWN_VECTORS_AT + BLOCK_CONTEXTS + lvc_scatter((uint64_t)(still | row >> 1 << 1 | column >> 1 << 17), BLOCK_CONTEXT_BITS));
        contexts[6] = (uint32_t)(OWN_VECTORS_AT + 2 * BLOCK_CONTEXTS + lvc_scatter(content + sides, BLOCK_CONTEXT_BITS));
        contexts[7] = (uint32_t)(OWN_VECTORS_AT + 3 * BLOCK_CONTEXTS + lvc_scatter(content * 3 + contents[0], BLOCK_CONTEXT_BITS));
        int64_t first = VECTOR_MIXERS_1 + (on_west | on_north << 1 | still << 2 | plain << 3), second = VECTOR_MIXERS_2 + (turn | many << 2);
        if (code_mixed(coder, model, contexts, VECTOR_PATTERNS, VECTOR_COLOURS, first, second, contents[wanted] == content))
            return vector;
    }
    return found.candidates[found.count - 1];
}

void code_vector_map(lvc_bit_coder *coder, lvc_palette_model *model, lvc_palette_references *references, const lvc_palette_plan *plan)
{
    int64_t columns = references->columns, inner = references->inner_columns, moved_above = 0, numbers[FIELD_VECTORS];
    lvc_source sources[FIELD_VECTORS];
    find_sources(references, sources);
    for (int64_t number = 0; number < references->last_vectors; number++) {  /* which of this frame's vectors each of the last frame's is */
        numbers[number] = -1;
        for (int64_t other = 0; other < references->vectors; other++)
            if (is_vector(references->last_field + 3 * number, references->field + 3 * other))
                numbers[number] = other;
    }
    memset(references->vector_map, 0, (size_t)(references->rows * columns));
    for (int64_t row = 0; row < references->rows - 2 * EDGE; row++) {
        int64_t line = (row + EDGE) * columns;
        const uint8_t *wanted = plan->vector_map ? plan->vector_map + row * inner : 0;
        /* Where something goes on, what blocks show says more than a question about all of them. */
        if (!moved_above && !any_of(references->last_vector_map + line, columns) && !any_of(references->coded_before + line, columns)
            && !code_alone(coder, model, VECTOR_ROWS_AT + lvc_min(references->vectors - 2, 7), wanted ? any_moved(references, sources, wanted, row) : 0, PATTERN_COUNT))
            continue;
        show_row(references, sources, row);
        for (int64_t column = 0; column < inner; column++)
            if (references->differs[column])
                references->vector_map[line + column + EDGE] = (uint8_t)code_vector(coder, model, references, numbers, row, column, wanted ? wanted[column] : 0);
        moved_above = any_of(references->vector_map + line, columns);
    }
}

void predict_frame(lvc_palette_references *references)
{
    int64_t width = references->width;
    lvc_source sources[FIELD_VECTORS];
    find_sources(references, sources);
    memcpy(references->prediction, references->pictures + references->frames * FRAME_SIZE(references), FRAME_SIZE(references) * sizeof(int16_t));
    for (int64_t row = 0; row < references->rows - 2 * EDGE; row++)
        for (int64_t column = 0; column < references->inner_columns; column++) {
            int64_t vector = references->vector_map[(row + EDGE) * references->columns + column + EDGE];
            if (vector)
                for (int64_t y = BLOCK_SIDE * row; y < BLOCK_SIDE * (row + 1); y++)
                    words_of(references->prediction, width, BORDER + y)[BORDER / BLOCK_SIDE + column] = shown_word(references, sources[vector], y, BLOCK_SIDE * column);
        }
}

int64_t lvc_palette_motion(const lvc_palette_motion_args *a)
{
    lvc_source sources[FIELD_VECTORS];
    switch (a->step) {
    case 0:
        return code_vectors(a->coder, a->model, a->references, a->plan);
    case 1:
        predict_frame(a->references);
        return 0;
    case 2:
        keep_recent_vectors(a->references);
        return 0;
    case 3:
        find_sources(a->references, sources);
        show_row(a->references, sources, a->row);
        for (int64_t number = 0; number < a->references->vectors; number++)
            for (int64_t line = 0; line < BLOCK_SIDE; line++)
                for (int64_t column = 0; column < a->references->inner_columns; column++)
                    a->words[(number * BLOCK_SIDE + line) * a->references->inner_columns + column] =
                        shown_word(a->references, sources[number], BLOCK_SIDE * a->row + line, BLOCK_SIDE * column);
        return 0;
    default:
        return -1;
    }
}
