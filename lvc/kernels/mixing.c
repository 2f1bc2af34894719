#include "mixing.h"

#include <string.h>

int64_t lvc_mix_bits(const lvc_mix_bits_args *a)
{
    for (int64_t number = 0; number < a->count; number++) {
        const int64_t *indices = a->indices + number * a->contexts;
        if (a->selectors[number] < 0 || a->selectors[number] >= a->rows)
            return -1;
        for (int64_t place = 0; place < a->contexts; place++) {
            if (indices[place] < 0 || indices[place] >= a->size)
                return -1;
            a->logits[place] = lvc_logit(a->probabilities[indices[place]]);
        }
        int32_t *weights = a->weights + a->selectors[number] * a->contexts;
        int64_t output = lvc_mix(a->logits, a->contexts, weights);
        a->outputs[number] = output;
        a->predictions[number] = lvc_squash[output + 2048];
        lvc_update_weights(a->logits, a->contexts, weights, output, a->bits[number], a->rate);
        for (int64_t place = 0; place < a->contexts; place++)
            a->probabilities[indices[place]] = lvc_updated(a->probabilities[indices[place]], a->bits[number], a->most);
    }
    return 0;
}

int64_t lvc_adapt(const lvc_adapt_args *a)
{
    for (int64_t number = 0; number < a->count; number++) {
        a->predictions[number] = lvc_alone(a->probability[0]);
        a->probability[0] = lvc_updated(a->probability[0], a->bits[number], a->most);
    }
    return 0;
}

int64_t lvc_scatter_all(const lvc_scatter_args *a)
{
    if (a->bits < 1 || a->bits > 63)
        return -1;
    for (int64_t number = 0; number < a->count; number++)
        a->scattered[number] = lvc_scatter(a->numbers[number], (int)a->bits);
    return 0;
}

int64_t lvc_mixing_tables(const lvc_mixing_tables_args *a)
{
    if (a->stretches * 2 != sizeof lvc_stretch || a->squashes * 2 != sizeof lvc_squash || a->shares * 2 != sizeof lvc_share)
        return -1;
    memcpy(a->stretch, lvc_stretch, sizeof lvc_stretch);
    memcpy(a->squash, lvc_squash, sizeof lvc_squash);
    memcpy(a->share, lvc_share, sizeof lvc_share);
    return 0;
}
