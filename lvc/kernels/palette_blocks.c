/* Nearly all blocks of nearly all frames stay as predicted, so each row first tells whether any block is coded that is in a skip context:
   nothing moves there or around, and nothing was coded there of late. */
#include "palette_blocks.h"

#include <string.h>

/* Activity of a block: more than one colour is predicted; other colours than in the last frame; other than of the background reference; it moved;
   it was coded in the last frame; and in the one before that. */
enum { FULL = 1, MOVING = 2, UNSETTLED = 4, MOVED = 8, CODED_BEFORE = 16, CODED_EARLIER = 32 };
enum { ACTIVE_HERE = MOVING | UNSETTLED | MOVED | CODED_BEFORE | CODED_EARLIER, ACTIVE_BESIDE = UNSETTLED | MOVED | CODED_BEFORE };

static void find_activity(lvc_palette_references *references)
{
    int64_t width = references->width, columns = references->columns;
    const int16_t *background = references->pictures, *last = references->pictures + references->frames * FRAME_SIZE(references);
    for (int64_t row = EDGE; row < references->rows - EDGE; row++)
        for (int64_t column = EDGE; column < columns - EDGE; column++) {
            int64_t y = BORDER + BLOCK_SIDE * (row - EDGE), word = BORDER / BLOCK_SIDE + column - EDGE, place = row * columns + column;
            uint64_t flat = flat_word(word_at(references->prediction, width, y, word)), full = 0, moving = 0, unsettled = 0;
            for (int64_t line = y; line < y + BLOCK_SIDE; line++) {
                uint64_t predicted = word_at(references->prediction, width, line, word);
                full |= predicted ^ flat;
                moving |= predicted ^ word_at(last, width, line, word);
                unsettled |= predicted ^ word_at(background, width, line, word);
            }
            references->activity[place] = (uint8_t)((full != 0) * FULL | (moving != 0) * MOVING | (unsettled != 0) * UNSETTLED | (references->vector_map[place] != 0) * MOVED
                                                    | references->coded_before[place] * CODED_BEFORE | references->coded_earlier[place] * CODED_EARLIER);
        }
}

LVC_INLINE int64_t has(int64_t activity, int64_t trait) { return (activity & trait) != 0; }

/* Fills where a row's blocks are not in a skip context, as far as is known before the row is coded. */
static void find_row_activity(lvc_palette_references *references, int64_t row)
{
    int64_t columns = references->columns;
    for (int64_t column = 0; column < references->inner_columns; column++) {
        const uint8_t *here = references->activity + row * columns + column + EDGE, *coded = references->coded + row * columns + column + EDGE;
        int sides = here[-1] | here[1] | here[-columns] | here[columns];
        int corners = here[-columns - 1] | here[-columns + 1] | here[columns - 1] | here[columns + 1];
        int above = coded[-columns - 1] | coded[-columns] | coded[-columns + 1] | coded[-2 * columns];
        references->row_activity[column] = (uint8_t)((here[0] & ACTIVE_HERE) | (sides & ACTIVE_BESIDE) | (corners & CODED_BEFORE) | above);
    }
}

/* True if a block of a row is coded that is in a skip context when it is its turn. */
static int64_t any_in_skip_context(const uint8_t *activity, const uint8_t *wanted, int64_t columns)
{
    uint8_t west = 0, far = 0;
    for (int64_t column = 0; column < columns; column++) {
        if (wanted[column] && !(west | far | activity[column]))
            return 1;
        far = west;
        west = wanted[column];
    }
    return 0;
}

/* Fills the contexts of a coded-block flag; gives its first row of weights. */
LVC_INLINE int64_t flag_contexts(const lvc_palette_references *references, int64_t row, int64_t column, uint32_t *contexts)
{
    int64_t columns = references->columns, width = references->width, place = (row + EDGE) * columns + column + EDGE;
    const uint8_t *activity = references->activity + place, *coded = references->coded + place;
    int64_t own = activity[0], on_west = activity[-1], on_east = activity[1], on_north = activity[-columns], on_south = activity[columns];
    int64_t on_north_west = activity[-columns - 1], on_north_east = activity[-columns + 1], on_south_west = activity[columns - 1], on_south_east = activity[columns + 1];
    int64_t west = coded[-1], north = coded[-columns], north_west = coded[-columns - 1], north_east = coded[-columns + 1];
    int64_t around = west | north << 1 | north_west << 2 | north_east << 3;
    int64_t far = coded[-2] | coded[-2 * columns] << 1;
    int64_t before = has(own, CODED_BEFORE), earlier = has(own, CODED_EARLIER), moved = has(own, MOVED), full = has(own, FULL), unsettled = has(own, UNSETTLED);
    int64_t beside = has(on_west, CODED_BEFORE) + has(on_east, CODED_BEFORE) + has(on_north, CODED_BEFORE) + has(on_south, CODED_BEFORE);
    int64_t corners = has(on_north_west, CODED_BEFORE) + has(on_north_east, CODED_BEFORE) + has(on_south_west, CODED_BEFORE) + has(on_south_east, CODED_BEFORE);
    int64_t later = has(on_east, CODED_BEFORE) | has(on_south_west, CODED_BEFORE) << 1 | has(on_south, CODED_BEFORE) << 2 | has(on_south_east, CODED_BEFORE) << 3;
    int64_t moves = has(on_west, MOVED) | has(on_east, MOVED) << 1 | has(on_north, MOVED) << 2 | has(on_south, MOVED) << 3;
    int64_t filled = has(on_west, FULL) | has(on_east, FULL) << 1 | has(on_north, FULL) << 2 | has(on_south, FULL) << 3;
    int64_t active = has(on_west, UNSETTLED) | has(on_east, UNSETTLED) << 1 | has(on_north, UNSETTLED) << 2 | has(on_south, UNSETTLED) << 3;
    int64_t y = BORDER + BLOCK_SIDE * row, word = BORDER / BLOCK_SIDE + column;
    uint64_t lines[BLOCK_SIDE];
    for (int64_t line = 0; line < BLOCK_SIDE; line++)
        lines[line] = word_at(references->prediction, width, y + line, word);
    uint64_t middle = (lines[1] >> 16 & 0xFFFF) | (lines[2] & 0xFFFF00000000u);
    uint64_t known = (uint64_t)(west | north << 1 | before << 2) << 16;
    contexts[0] = (uint32_t)(CODED_AT + (around | before << 4 | earlier << 5 | has(own, MOVING) << 6 | full << 7 | unsettled << 8 | moved << 9 | far << 10));
    contexts[1] = (uint32_t)(CODED_AT + BLOCK_CONTEXTS + (around | later << 4 | before << 8 | earlier << 9 | full << 10 | unsettled << 11));
    contexts[2] = (uint32_t)(CODED_AT + 2 * BLOCK_CONTEXTS + (west | north << 1 | moves << 2 | moved << 6 | filled << 7 | full << 11));
    contexts[3] = (uint32_t)(CODED_AT + 3 * BLOCK_CONTEXTS + (west | north << 1 | unsettled << 2 | active << 3 | full << 7 | before << 8 | lvc_min(beside, 3) << 9 | moved << 11));
    contexts[4] = (uint32_t)(CODED_AT + 4 * BLOCK_CONTEXTS + ((west + north + north_west + north_east) | beside << 3 | corners << 6 | before << 9 | earlier << 10 | full << 11));
    contexts[5] = (uint32_t)(OWN_CODED_AT + ((row * references->inner_columns + column) & (BLOCK_CONTEXTS - 1)));
    contexts[6] = (uint32_t)(OWN_CODED_AT + BLOCK_CONTEXTS + lvc_scatter(middle | known, BLOCK_CONTEXT_BITS));
    contexts[7] = (uint32_t)(OWN_CODED_AT + 2 * BLOCK_CONTEXTS + lvc_scatter(block_content(lines[0], lines[1], lines[2], lines[3]), BLOCK_CONTEXT_BITS));
    return CODED_MIXERS_1 + around;
}

LVC_CLONES int64_t code_blocks(lvc_bit_coder *coder, lvc_palette_model *model, lvc_palette_references *references, const lvc_palette_plan *plan)
{
    int64_t columns = references->columns, inner = references->inner_columns, any_above = 0, total = 0;
    uint32_t contexts[MIXER_INPUTS];
    find_activity(references);
    memset(references->coded, 0, (size_t)(references->rows * columns));
    for (int64_t row = 0; row < references->rows - 2 * EDGE; row++) {
        const uint8_t *wanted = plan->coded ? plan->coded + row * inner : 0;
        find_row_activity(references, row + EDGE);
        int64_t skips = 0, any = 0;
        for (int64_t column = 0; column < inner; column++)
            skips += references->row_activity[column] == 0;
        if (skips)
            any = code_alone(coder, model, CODED_ROWS_AT + any_above, wanted ? any_in_skip_context(references->row_activity, wanted, inner) : 0, ALONE_COUNT);
        any_above = any;
        if (skips == inner && !any)
            continue;
        for (int64_t column = 0; column < inner; column++) {
            uint8_t *coded = references->coded + (row + EDGE) * columns + column + EDGE;
            const uint8_t *activity = references->activity + (row + EDGE) * columns + column + EDGE;
            int64_t own = activity[0], bit = wanted ? wanted[column] : 0;
            if (!(references->row_activity[column] | coded[-1] | coded[-2])) {
                if (!any)
                    continue;
                int64_t beside = has(activity[-1] | activity[1] | activity[-columns] | activity[columns], FULL);
                bit = code_alone(coder, model, SKIP_AT + (has(own, FULL) | beside << 1), bit, ALONE_COUNT);
            } else {
                int64_t first = flag_contexts(references, row, column, contexts);
                int64_t second = CODED_MIXERS_2 + (has(own, CODED_BEFORE) | has(own, CODED_EARLIER) << 1 | has(own, FULL) << 2 | has(own, MOVED) << 3 | has(own, UNSETTLED) << 4);
                bit = code_mixed(coder, model, contexts, CODED_PATTERNS, CODED_COLOURS, first, second, bit);
            }
            *coded = (uint8_t)bit;
            total += bit;
        }
    }
    return total;
}
