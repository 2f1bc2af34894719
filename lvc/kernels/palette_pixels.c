#include "palette_pixels.h"

#include <math.h>

#include "palette_error.h"

static const uint8_t SOURCES[] = {W, N, NW, NE, WW, NN, HERE, BACKGROUND, LAST, EARLIER, NNE, NWW, NEE};
static const uint8_t SOURCE_WEIGHTS[] = {5, 5, 2, 3, 2, 2, 6, 3, 2, 2, 1, 1, 1};
enum { SOURCE_COUNT = sizeof SOURCES };

/* Where the pixel at (y, x) is looked up: the same place in pictures of one width. */
typedef struct {
    int16_t *picture;             /* that is coded */
    const int16_t *prediction, *background, *last, *earlier;
    uint8_t *unknown;
    int64_t width, key;
} pictures;

/* Four palette indices, or NO_COLOUR, as one number. */
LVC_INLINE uint64_t packed(int64_t one, int64_t two, int64_t three, int64_t four)
{
    return (uint64_t)(one + 1) | (uint64_t)(two + 1) << 13 | (uint64_t)(three + 1) << 26 | (uint64_t)(four + 1) << 39;
}

/* Two numbers as one. */
LVC_INLINE uint64_t joined(uint64_t one, uint64_t other)
{
    uint64_t mixed = one * 0xD6E8FEB86659FD93u;
    return (mixed ^ (mixed >> 32)) + other;
}

LVC_INLINE int is_other(int16_t colour, int16_t one) { return (one != colour) & (one != NO_COLOUR); }

/* The context of whether a pixel goes on with the one colour around it, or -1 where there are more colours. */
LVC_INLINE int64_t run_context(const pictures *of, int64_t place)
{
    const int16_t *here = of->picture + place;
    int64_t width = of->width;
    int16_t colour = here[-1];
    if (colour == NO_COLOUR || here[-width] != colour)
        return -1;
    if (is_other(colour, here[-width + 1]) | is_other(colour, here[-width - 1]) | is_other(colour, here[-2]) | is_other(colour, here[-2 * width])
        | is_other(colour, of->prediction[place]) | is_other(colour, of->background[place]))
        return -1;
    int64_t further = same(here[-2 * width + 1], colour) | same(here[-width + 2], colour) << 1 | same(here[-width - 2], colour) << 2 | same(here[-2 * width - 1], colour) << 3;
    if (of->key)
        return RUNS_AT + further;
    const uint8_t *unknown = of->unknown + place;
    int64_t after = 1 | same(here[1], colour) << 1 | same(here[width], colour) << 2 | (1 - (int64_t)unknown[1]) << 3 | (1 - (int64_t)unknown[width]) << 4;
    return RUNS_AT + (further | after << 4);
}

/* The context of whether the colour follows that has followed before so many times. */
LVC_INLINE int64_t match_context(const int16_t *here, int64_t width, int64_t colour, int64_t confidence)
{
    int64_t length = 0;
    while (length < 7 && confidence >> (length + 1))
        length++;
    return MATCH_AT + (length | same(here[-1], colour) << 3 | same(here[-width], colour) << 4);
}

/* The nearest surroundings of a pixel, by which it is remembered what followed on them. */
LVC_INLINE uint64_t near_surroundings(const pictures *of, int64_t place)
{
    const int16_t *here = of->picture + place;
    int64_t width = of->width;
    return joined(packed(here[-1], here[-width], here[-width - 1], here[-width + 1]), packed(here[-2], here[-2 * width], of->prediction[place], 0));
}

LVC_INLINE int64_t matched_colour(int64_t match) { return (match & (CONFIDENCE - 1)) - 1; }

LVC_INLINE int64_t confidence_in(int64_t match) { return match / CONFIDENCE; }

/* Fills what stands around the pixel at (y, x) within the border; near: its `near_surroundings`. */
LVC_INLINE void look_around(const pictures *of, const int32_t *matches, uint64_t near, int64_t y, int64_t x, int32_t *around)
{
    int64_t width = of->width, place = y * width + x;
    const int16_t *here = of->picture + place, *predicted = of->prediction + place;
    const uint8_t *unknown = of->unknown + place;
    around[W] = here[-1];
    around[N] = here[-width];
    around[NW] = here[-width - 1];
    around[NE] = here[-width + 1];
    around[WW] = here[-2];
    around[NN] = here[-2 * width];
    around[NNE] = here[-2 * width + 1];
    around[NWW] = here[-width - 2];
    around[NNW] = here[-2 * width - 1];
    around[NEE] = here[-width + 2];
    around[E] = here[1];
    around[S] = here[width];
    around[SE] = here[width + 1];
    around[SW] = here[width - 1];
    around[HERE] = predicted[0];
    around[PREDICTED_W] = predicted[-1];
    around[PREDICTED_N] = predicted[-width];
    around[PREDICTED_E] = predicted[1];
    around[PREDICTED_S] = predicted[width];
    around[PREDICTED_NW] = predicted[-width - 1];
    around[PREDICTED_NE] = predicted[-width + 1];
    around[BACKGROUND] = of->background[place];
    around[LAST] = of->last[place];
    around[EARLIER] = of->earlier[place];
    around[KNOWN_E] = 1 - unknown[1];
    around[KNOWN_S] = 1 - unknown[width];
    around[KNOWN_SE] = 1 - unknown[width + 1];
    around[KNOWN_SW] = 1 - unknown[width - 1];
    around[ROW] = (int32_t)(y - BORDER);
    around[COLUMN] = (int32_t)(x - BORDER);
    around[KEY] = (int32_t)of->key;
    uint64_t second = joined(packed(around[W], around[N], around[NW], around[NE]), (uint64_t)(int64_t)(around[HERE] + 1));
    uint64_t third = joined(packed(around[HERE], around[PREDICTED_W], around[PREDICTED_E], around[PREDICTED_N]), packed(around[PREDICTED_S], around[W], 0, 0));
    around[HASH_1] = (int32_t)lvc_scatter(near, MATCH_BITS);
    around[HASH_2] = (int32_t)(MATCHES + lvc_scatter(second, MATCH_BITS));
    around[HASH_3] = (int32_t)(2 * MATCHES + lvc_scatter(third, MATCH_BITS));
    for (int64_t kind = 0; kind < MATCH_KINDS; kind++) {
        int32_t match = matches[around[HASH_1 + kind]];
        around[MATCH_1 + kind] = (int32_t)matched_colour(match);
        around[CONFIDENCE_1 + kind] = (int32_t)lvc_min(confidence_in(match), 3);
    }
}

/* A pixel's candidates and their scores, no colour twice. */
typedef struct {
    int64_t count;
    int32_t colours[CANDIDATES], scores[CANDIDATES];
} candidates;

LVC_INLINE void add_candidate(candidates *found, int32_t colour, int32_t weight)
{
    if (colour == NO_COLOUR)
        return;
    int64_t place = 0;
    while (place < found->count && found->colours[place] != colour)
        place++;
    if (place == found->count) {
        found->colours[place] = colour;
        found->scores[place] = 0;
        found->count++;
    }
    found->scores[place] += weight;
}

LVC_INLINE void find_candidates(const int32_t *around, candidates *found)
{
    found->count = 0;
    for (int64_t number = 0; number < SOURCE_COUNT; number++)
        add_candidate(found, around[SOURCES[number]], SOURCE_WEIGHTS[number]);
    for (int64_t number = 0; number < 4; number++)
        add_candidate(found, around[E + number], around[KNOWN_E + number] ? (number < 2 ? 3 : 2) : 1);
    add_candidate(found, around[MATCH_1], 4 * around[CONFIDENCE_1] + 3);
    add_candidate(found, around[MATCH_2], 3 * around[CONFIDENCE_2] + 2);
    add_candidate(found, around[MATCH_3], 4 * around[CONFIDENCE_3] + 2);
}

/* Swaps the best of the candidates from `rank` on to this place, the earliest of equals. */
LVC_INLINE void bring_best(candidates *found, int64_t rank)
{
    int64_t best = rank;
    for (int64_t place = rank + 1; place < found->count; place++)
        if (found->scores[place] > found->scores[best])
            best = place;
    int32_t colour = found->colours[best], score = found->scores[best];
    found->colours[best] = found->colours[rank];
    found->scores[best] = found->scores[rank];
    found->colours[rank] = colour;
    found->scores[rank] = score;
}

/* Fills the contexts of whether a pixel has the candidate of this rank, and its rows of weights. */
LVC_INLINE void pixel_contexts(const int32_t *around, const candidates *found, int64_t rank, uint32_t *contexts, int64_t *first_row, int64_t *second_row)
{
    int32_t c = found->colours[rank], score = found->scores[rank];
    uint32_t key = (uint32_t)around[KEY], turn = (uint32_t)lvc_min(rank, 3);
#define SAME(place) ((uint32_t)(c == around[place]))
#define ALIKE(one, other) ((uint32_t)(around[one] == around[other]))
    uint32_t w = SAME(W), n = SAME(N), nw = SAME(NW), ne = SAME(NE), ww = SAME(WW), nn = SAME(NN), here = SAME(HERE), background = SAME(BACKGROUND), e = SAME(E), s = SAME(S);
    uint32_t first = SAME(MATCH_1), second = SAME(MATCH_2), third = SAME(MATCH_3), last = SAME(LAST);
    uint32_t known_e = (uint32_t)around[KNOWN_E], known_s = (uint32_t)around[KNOWN_S];
    uint32_t cross = w | n << 1 | nw << 2 | ne << 3;
    uint32_t alike = ALIKE(W, N) | ALIKE(NW, N) << 1 | ALIKE(NW, W) << 2 | ALIKE(NE, N) << 3 | ALIKE(WW, W) << 4 | ALIKE(NN, N) << 5;
    int32_t next_score = 0;
    for (int64_t place = rank + 1; place < found->count; place++)
        next_score = found->scores[place] > next_score ? found->scores[place] : next_score;
    uint32_t refused = 0;
    for (int64_t place = 0; place < rank; place++) {
        int32_t other = found->colours[place];
        refused |= (uint32_t)(other == around[W]) | (uint32_t)(other == around[N]) << 1 | (uint32_t)(other == around[HERE]) << 2 | (uint32_t)(other == around[E]) << 3
                   | (uint32_t)(other == around[S]) << 4 | (uint32_t)(other == around[MATCH_1]) << 5;
    }
    contexts[0] = PIXELS_AT
                  + (cross | here << 4 | background << 5 | ww << 6 | nn << 7 | turn << 8 | key << 10 | e << 11 | s << 12 | known_e << 13 | known_s << 14 | last << 15);
    contexts[1] = PIXELS_AT + PIXEL_CONTEXTS + (cross | alike << 4 | turn << 10 | key << 12 | here << 13 | ALIKE(HERE, W) << 14 | ALIKE(HERE, N) << 15);
    contexts[2] = PIXELS_AT + 2 * PIXEL_CONTEXTS
                  + (first * (1 + (uint32_t)around[CONFIDENCE_1]) | second * (1 + (uint32_t)around[CONFIDENCE_2]) << 3 | third * (1 + (uint32_t)around[CONFIDENCE_3]) << 6
                     | turn << 9 | w << 11 | n << 12 | here << 13 | (uint32_t)(around[CONFIDENCE_1] > 0) << 14 | (uint32_t)(around[CONFIDENCE_2] > 0) << 15);
    uint32_t right = ALIKE(W, PREDICTED_W) | ALIKE(N, PREDICTED_N) << 1 | ALIKE(NW, PREDICTED_NW) << 2 | ALIKE(NE, PREDICTED_NE) << 3;
    contexts[3] = PIXELS_AT + 3 * PIXEL_CONTEXTS
                  + (here | background << 1 | w << 2 | n << 3 | right << 4 | turn << 8 | last << 10 | SAME(EARLIER) << 11 | key << 12 | known_e << 13 | known_s << 14
                     | ALIKE(HERE, BACKGROUND) << 15);
    contexts[4] = PIXELS_AT + 4 * PIXEL_CONTEXTS
                  + (here | e << 1 | s << 2 | SAME(SE) << 3 | SAME(SW) << 4 | known_e << 5 | known_s << 6 | (uint32_t)around[KNOWN_SE] << 7 | (uint32_t)around[KNOWN_SW] << 8
                     | w << 9 | n << 10 | turn << 11 | background << 13 | ALIKE(E, S) << 14 | key << 15);
    uint32_t inside = (uint32_t)(around[COLUMN] & (BLOCK_SIDE - 1)) | (uint32_t)(around[ROW] & (BLOCK_SIDE - 1)) << 2;
    contexts[5] = PIXELS_AT + 5 * PIXEL_CONTEXTS
                  + (inside | (uint32_t)lvc_min(found->count, 7) << 4 | turn << 7 | w << 9 | n << 10 | here << 11 | (uint32_t)lvc_min(score >> 2, 7) << 12 | key << 15);
    contexts[6] = PIXELS_AT + 6 * PIXEL_CONTEXTS
                  + (cross | ww << 4 | nn << 5 | SAME(NNE) << 6 | SAME(NWW) << 7 | SAME(NNW) << 8 | SAME(NEE) << 9 | here << 10 | turn << 11 | key << 13 | first << 14 | third << 15);
    contexts[7] = PIXELS_AT + 7 * PIXEL_CONTEXTS
                  + ((uint32_t)lvc_min(score, 31) | (uint32_t)lvc_min(next_score, 31) << 5 | turn << 10 | key << 12 | here << 13 | w << 14 | n << 15);
    contexts[8] = PIXELS_AT + 8 * PIXEL_CONTEXTS + (refused | turn << 6 | w << 8 | n << 9 | here << 10 | e << 11 | s << 12 | first << 13 | background << 14 | key << 15);
    /* What is asked of colours: numbers of the surroundings, each with this colour. */
#define COLOUR(place) ((uint64_t)(uint32_t)(around[place] + 1))
    uint64_t colour = (uint64_t)(uint32_t)(c + 1), west = COLOUR(W), sides = COLOUR(W) | COLOUR(N) << 13, spot = COLOUR(HERE);
    uint64_t corners = COLOUR(NW) | COLOUR(NE) << 13, after = COLOUR(E) | COLOUR(S) << 13;
#define OWN(number, key) ((uint32_t)(OWN_PIXELS_AT + (number) * COLOUR_CONTEXTS + lvc_scatter((key), COLOUR_CONTEXT_BITS)))
    contexts[9] = OWN(0, sides << 13 | colour);
    contexts[10] = OWN(1, spot << 26 | west << 13 | colour);
    contexts[11] = OWN(2, joined(sides << 13 | colour, corners));
    contexts[12] = OWN(3, spot << 13 | colour | (uint64_t)refused << 26);
    contexts[13] = OWN(4, joined(sides << 13 | colour, after << 13 | spot));
    contexts[14] = OWN(5, colour | (uint64_t)around[HASH_1] << 13);
    contexts[15] = OWN(6, colour | (uint64_t)around[HASH_3] << 13);
    contexts[16] = OWN(7, colour | spot << 13 | COLOUR(BACKGROUND) << 26 | (uint64_t)key << 40);
    contexts[17] = OWN(8, colour | (uint64_t)(around[ROW] >> 1) << 13 | (uint64_t)(around[COLUMN] >> 1) << 32);
    contexts[18] = (uint32_t)(OWN_PIXELS_AT + 9 * COLOUR_CONTEXTS) + (((uint32_t)c << 3 | turn | key << 2) & (COLOUR_CONTEXTS - 1));
    *first_row = PIXEL_MIXERS_1 + (turn | key << 2);
    *second_row = PIXEL_MIXERS_2 + (w | n << 1 | here << 2 | background << 3 | first << 4 | third << 5 | key << 6);
#undef SAME
#undef ALIKE
#undef COLOUR
#undef OWN
}

/* Where a colour lies of two halves of a range: 0: below; 1: in the lower half; 2: in the upper half; 3: above. */
LVC_INLINE int64_t half_of(int64_t colour, int64_t low, int64_t middle, int64_t high)
{
    return colour < low ? 0 : colour < middle ? 1 : colour < high ? 2 : 3;
}

/* Codes a palette index, a bit at a time, the halves in which none is left out. */
LVC_CLONES static int64_t code_index(lvc_bit_coder *coder, lvc_palette_model *model, const int32_t *around, const candidates *found, int64_t index, int64_t colours)
{
    uint32_t contexts[MIXER_INPUTS];
    int64_t depth = 1;
    while ((int64_t)1 << depth < colours)
        depth++;
    int64_t one = found->count ? found->colours[0] : 0, other = found->count > 1 ? found->colours[1] : one;
    int64_t node = 1, low = 0, high = (int64_t)1 << depth;
    for (int64_t level = depth - 1; level >= 0; level--) {
        int64_t middle = low + ((int64_t)1 << level);
        if (middle >= colours) {
            node = 2 * node;
            high = middle;
            continue;
        }
        int64_t of_one = half_of(one, low, middle, high), of_other = half_of(other, low, middle, high), of_here = half_of(around[HERE], low, middle, high);
        int64_t part = lvc_min(colours, high) - middle;  /* of the upper half that there is */
        uint64_t at = (uint64_t)node, west = (uint64_t)(around[W] + 1) << 13, north = (uint64_t)(around[N] + 1) << 26, here = (uint64_t)(around[HERE] + 1) << 39;
        contexts[0] = (uint32_t)(INDICES_AT + (of_one | of_other << 2 | of_here << 4 | lvc_min(level, 7) << 6 | lvc_min(depth, 7) << 9));
        contexts[1] = (uint32_t)(INDICES_AT + INDEX_CONTEXTS + (of_one | of_other << 2 | lvc_min(level, 15) << 4 | ((part << 2) - 1) >> level << 8 | same(one, other) << 10));
        contexts[2] = (uint32_t)(OWN_INDICES_AT + node);
        contexts[3] = (uint32_t)(OWN_INDICES_AT + INDEX_CONTEXTS + lvc_scatter(at | west, INDEX_CONTEXT_BITS));
        contexts[4] = (uint32_t)(OWN_INDICES_AT + 2 * INDEX_CONTEXTS + lvc_scatter(at | here, INDEX_CONTEXT_BITS));
        contexts[5] = (uint32_t)(OWN_INDICES_AT + 3 * INDEX_CONTEXTS + lvc_scatter(at | west | north, INDEX_CONTEXT_BITS));
        contexts[6] = (uint32_t)(OWN_INDICES_AT + 4 * INDEX_CONTEXTS + lvc_scatter(at | west | here, INDEX_CONTEXT_BITS));
        int64_t first = INDEX_MIXERS_1 + lvc_min(level, 15), second = INDEX_MIXERS_2 + (of_one | of_other << 2);
        int64_t bit = code_mixed(coder, model, contexts, INDEX_PATTERNS, INDEX_COLOURS, first, second, index >> level & 1);
        node = 2 * node + bit;
        if (bit)
            low = middle;
        else
            high = middle;
    }
    return low;
}

/* Remembers which colour followed on these surroundings. */
LVC_INLINE void update_matches(lvc_palette_model *model, const int32_t *around, int64_t colour)
{
    for (int64_t kind = 0; kind < MATCH_KINDS; kind++) {
        int32_t *match = model->matches + around[HASH_1 + kind];
        model->pages[MATCH_PAGES_AT + (around[HASH_1 + kind] >> PAGE_BITS)] = 1;
        if ((*match & (CONFIDENCE - 1)) == colour + 1) {
            if (*match < MOST_CONFIDENCE * CONFIDENCE)
                *match += CONFIDENCE;
        } else if (*match >= 2 * CONFIDENCE) {
            *match = (*match & (CONFIDENCE - 1)) | (*match / CONFIDENCE >> 1) * CONFIDENCE;
        } else {
            *match = (int32_t)(colour + 1);
        }
    }
}

/* What an encoder chooses a pixel's colour by. */
typedef struct {
    const uint8_t *source;        /* [3] */
    const int32_t *channels;      /* [colours, 3] */
    int64_t colours;
    double lambda, escape_bits;
    const double *costs;
} target;

LVC_INLINE double error_of(const target *wanted, int64_t colour) { return wanted->lambda * (double)lvc_squared_error(wanted->source, wanted->channels + 3 * colour); }

/* The colour whose error and bits cost least, as far as they are known before it is coded, and what it costs.
   refused: a colour that is known not to be taken, or NO_COLOUR; unlikely: bits that this has cost. */
LVC_CLONES static int64_t choose_colour(const lvc_palette_model *model, const int32_t *around, candidates *found, int64_t refused, double unlikely, const target *wanted, double *cost)
{
    uint32_t contexts[MIXER_INPUTS];
    int32_t logits[MIXER_INPUTS];
    int64_t error, nearest = lvc_nearest_colour(wanted->source, wanted->channels, wanted->colours, &error);
    double least = wanted->lambda * (double)error, spent = unlikely;
    int64_t best = nearest;
    *cost = INFINITY;
    for (int64_t rank = 0; rank < lvc_min(found->count, OFFERED); rank++) {
        if (spent + least >= *cost)
            return best;
        bring_best(found, rank);
        if (found->colours[rank] == refused)
            continue;
        int64_t first, second, one, other;
        pixel_contexts(around, found, rank, contexts, &first, &second);
        int64_t probability = predict(model, contexts, PIXEL_PATTERNS + PIXEL_COLOURS, first, second, logits, &one, &other);
        double this = error_of(wanted, found->colours[rank]) + spent + wanted->costs[probability];
        if (this < *cost) {
            best = found->colours[rank];
            *cost = this;
        }
        spent += wanted->costs[LVC_CERTAIN - probability];
    }
    double dear = least + spent + wanted->escape_bits;
    if (dear < *cost) {
        *cost = dear;
        best = nearest;
    }
    return best;
}

/* Codes the pixel at (y, x) within the border. */
LVC_INLINE void code_pixel(lvc_bit_coder *coder, lvc_palette_model *model, const pictures *of, const lvc_palette_plan *plan, int64_t colours, int64_t y, int64_t x)
{
    int64_t place = y * of->width + x, row = y - BORDER, column = x - BORDER;
    int64_t colour = plan->picture ? plan->picture[row * plan->picture_width + column] : NO_COLOUR;
    int32_t around[AROUND];
    candidates found;
    /* One question alone, where nearly always one colour follows. */
    int64_t likely = NO_COLOUR, context = -1, sure = -1;
    uint64_t near = 0;
    int64_t run = run_context(of, place);
    if (run >= 0) {
        likely = of->picture[place - 1];
        context = run;
    } else {
        near = near_surroundings(of, place);
        sure = lvc_scatter(near, MATCH_BITS);
        int64_t match = model->matches[sure], confidence = confidence_in(match);
        if (of->key && confidence >= SURE_CONFIDENCE) {  /* in other frames what is predicted says more: this question would cost 9 % of their pixels' bits */
            likely = matched_colour(match);
            context = match_context(of->picture + place, of->width, likely, confidence);
        }
    }
    int looked = 0;
    if (plan->source) {
        target wanted = {plan->source + 3 * (row * plan->source_width + column), plan->channels, plan->colours, plan->lambda_[row / BLOCK_SIDE * plan->columns + column / BLOCK_SIDE],
                         plan->escape_bits, coder->costs};
        double cost = INFINITY, unlikely = 0, others;
        if (context >= 0) {
            int64_t probability = lvc_alone(model->probabilities[context]);
            colour = likely;
            cost = error_of(&wanted, likely) + wanted.costs[probability];
            unlikely = wanted.costs[LVC_CERTAIN - probability];
        }
        if (unlikely < cost) {
            if (run >= 0)
                near = near_surroundings(of, place);
            look_around(of, model->matches, near, y, x, around);
            looked = 1;
            find_candidates(around, &found);
            int64_t other = choose_colour(model, around, &found, likely, unlikely, &wanted, &others);
            if (others < cost)
                colour = other;
        }
    }
    if (context >= 0 && code_alone(coder, model, context, same(colour, likely), ALONE_COUNT)) {
        of->picture[place] = (int16_t)likely;
        of->unknown[place] = 0;
        if (sure >= 0 && model->matches[sure] < MOST_CONFIDENCE * CONFIDENCE) {
            model->matches[sure] += CONFIDENCE;
            model->pages[MATCH_PAGES_AT + (sure >> PAGE_BITS)] = 1;
        }
        return;
    }
    if (!looked) {
        if (run >= 0)
            near = near_surroundings(of, place);
        look_around(of, model->matches, near, y, x, around);
    }
    find_candidates(around, &found);
    int64_t taken = NO_COLOUR;
    for (int64_t rank = 0; rank < lvc_min(found.count, OFFERED) && taken == NO_COLOUR; rank++) {
        uint32_t contexts[MIXER_INPUTS];
        int64_t first, second;
        bring_best(&found, rank);
        if (found.colours[rank] == likely)
            continue;
        pixel_contexts(around, &found, rank, contexts, &first, &second);
        if (code_mixed(coder, model, contexts, PIXEL_PATTERNS, PIXEL_COLOURS, first, second, same(colour, found.colours[rank])))
            taken = found.colours[rank];
    }
    if (taken == NO_COLOUR)
        taken = code_index(coder, model, around, &found, colour, colours);
    of->picture[place] = (int16_t)taken;
    of->unknown[place] = 0;
    update_matches(model, around, taken);
}

LVC_CLONES void code_pixels(lvc_bit_coder *coder, lvc_palette_model *model, lvc_palette_references *references, const lvc_palette_plan *plan, int64_t block_row)
{
    int64_t frames = references->frames, size = FRAME_SIZE(references);
    int16_t *pictures_ = references->pictures;
    pictures of = {pictures_ + (1 + frames) * size, references->prediction, references->prediction, references->prediction, references->prediction,
                   references->unknown, references->width, frames == 0};
    if (!of.key) {  /* nothing stood here before a keyframe, and nothing is predicted */
        of.background = pictures_;
        of.last = pictures_ + frames * size;
        of.earlier = pictures_ + lvc_max(1, frames - 1) * size;
    }
    const uint8_t *coded = references->coded + (block_row + EDGE) * references->columns + EDGE;
    for (int64_t row = BLOCK_SIDE * block_row; row < BLOCK_SIDE * (block_row + 1); row++)
        for (int64_t block = 0; block < references->inner_columns; block++)
            if (coded[block])
                for (int64_t x = BORDER + BLOCK_SIDE * block; x < BORDER + BLOCK_SIDE * (block + 1); x++)
                    code_pixel(coder, model, &of, plan, references->colours, row + BORDER, x);
}

int64_t lvc_palette_contexts(lvc_palette_contexts_args *a)
{
    int32_t around[AROUND];
    uint32_t contexts[MIXER_INPUTS] = {0};
    candidates found;
    if (a->around_count != AROUND || a->candidate_count != CANDIDATES || a->context_count != MIXER_INPUTS || a->rank < 0)
        return -1;
    for (int64_t place = 0; place < AROUND; place++)
        around[place] = (int32_t)a->around[place];
    find_candidates(around, &found);
    a->count = found.count;
    for (int64_t rank = 0; rank <= a->rank && rank < found.count; rank++) {
        bring_best(&found, rank);
        pixel_contexts(around, &found, rank, contexts, &a->first, &a->second);
    }
    for (int64_t place = 0; place < found.count; place++) {
        a->colours[place] = found.colours[place];
        a->scores[place] = found.scores[place];
    }
    for (int64_t place = 0; place < MIXER_INPUTS; place++)
        a->contexts[place] = contexts[place];
    return 0;
}

int64_t lvc_palette_run(lvc_palette_run_args *a)
{
    if (a->y < 2 || a->y >= a->height - 1 || a->x < 2 || a->x >= a->width - 2)
        return -1;
    int64_t place = a->y * a->width + a->x;
    pictures of = {(int16_t *)a->picture, a->prediction, a->background, 0, 0, (uint8_t *)a->unknown, a->width, a->key};
    a->run = run_context(&of, place);
    a->match = match_context(a->picture + place, a->width, 1, a->confidence);
    return 0;
}
