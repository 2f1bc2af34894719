/* One bit under all the contexts that fit, or under one adaptive probability alone: predicted, coded and learned from. */
#ifndef LVC_PALETTE_CONTEXT_H
#define LVC_PALETTE_CONTEXT_H

#include "palette_state.h"

LVC_INLINE int64_t same(int64_t one, int64_t other) { return one == other; }

/* What a decision's contexts and two rows of weights predict: the probability of a 1. Fills their logits and both outputs. */
LVC_INLINE int64_t predict(const lvc_palette_model *model, const uint32_t *contexts, int64_t count, int64_t first, int64_t second, int32_t *logits, int64_t *one, int64_t *other)
{
    for (int64_t number = 0; number < count; number++)
        logits[number] = lvc_logit(model->probabilities[contexts[number]]);
    *one = lvc_mix(logits, count, model->weights + first * MIXER_INPUTS);
    *other = lvc_mix(logits, count, model->weights + second * MIXER_INPUTS);
    return lvc_squash[((*one + *other) >> 1) + 2048];
}

/* Codes a bit under contexts of patterns and then of colours, mixed by two rows of weights. Inlined with known counts, so that its loops are of a known length. */
LVC_INLINE int64_t code_mixed(lvc_bit_coder *coder, lvc_palette_model *model, const uint32_t *contexts, int64_t patterns, int64_t colours, int64_t first, int64_t second, int64_t bit)
{
    int32_t logits[MIXER_INPUTS];
    int64_t one, other, count = patterns + colours;
    int64_t probability = predict(model, contexts, count, first, second, logits, &one, &other);
    bit = lvc_code_bit(coder, bit, probability);
    lvc_update_weights(logits, count, model->weights + first * MIXER_INPUTS, one, bit, model->rate);
    lvc_update_weights(logits, count, model->weights + second * MIXER_INPUTS, other, bit, model->rate);
    for (int64_t number = 0; number < count; number++) {
        uint32_t *probability_ = model->probabilities + contexts[number];
        *probability_ = lvc_updated(*probability_, bit, number < patterns ? PATTERN_COUNT : COLOUR_COUNT);
        model->pages[contexts[number] >> PAGE_BITS] = 1;
    }
    return bit;
}

/* Codes a bit under one adaptive probability, which counts no further than `most`. */
LVC_INLINE int64_t code_alone(lvc_bit_coder *coder, lvc_palette_model *model, int64_t context, int64_t bit, int64_t most)
{
    uint32_t *probability = model->probabilities + context;
    bit = lvc_code_bit(coder, bit, lvc_alone(*probability));
    *probability = lvc_updated(*probability, bit, most);
    return bit;
}

#endif
