/* Context mixing in whole numbers, so that every machine predicts the same.

   An adaptive probability remembers how often a bit was 1 in one context; a mixer weighs those that fit in the logistic
   domain, and learns from each bit which are to be trusted (M. Mahoney, "Adaptive weighing of context models for lossless
   data compression", 2005). lvc/entropy/mixing.py names the interface. */
#ifndef LVC_MIXING_H
#define LVC_MIXING_H

#include "api.h"

enum {
    LVC_COUNT_BITS = 10,                           /* of an adaptive probability: how many bits it has seen; above them 22 bits of probability */
    LVC_COUNT_MASK = (1 << LVC_COUNT_BITS) - 1,
    LVC_STRETCH_LIMIT = 2047,                      /* logits are whole numbers of 1/256 within it */
    LVC_WEIGHT_LIMIT = 1 << 24,                    /* weights are whole numbers of 2**-16 within it */
    LVC_MOST_RATE = 15,
    LVC_LEAST_PROBABILITY = 24,                    /* of LVC_CERTAIN: no bit is ever predicted to be less likely */
    LVC_RATE_BITS = 18
};

/* Narrow, so that the three of them stay in the nearest cache. */
extern const int16_t lvc_stretch[4096];            /* logits of probabilities (place + 0.5) / 4096 */
extern const uint16_t lvc_squash[4096];            /* probabilities in 2**-16 of logits from -2048 on */
extern const uint16_t lvc_share[1 << LVC_COUNT_BITS]; /* that the next bit has of a probability which has seen so many, in 2**-16 */

/* A number 0 ... 2**31 - 1 from two of them; of negative ones the lower bits count. */
LVC_INLINE int64_t lvc_hash(int64_t one, int64_t other)
{
    int64_t mixed = ((one & 0x7FFFFFFF) * 0x2545F491 + (other & 0x7FFFFFFF) * 0x1E3779B1 + 0x7F4A7C15) & INT64_MAX;
    mixed ^= mixed >> 29;
    mixed = (mixed & 0x7FFFFFFF) * 0x45EBCA6B;
    return ((mixed >> 15) ^ mixed) & 0x7FFFFFFF;
}

/* A number of so many bits from one of 64: the highest of its product. */
LVC_INLINE int64_t lvc_scatter(uint64_t number, int bits)
{
    uint64_t mixed = number * 0x9E3779B97F4A7C15u;
    mixed = (mixed ^ (mixed >> 29)) * 0xBF58476D1CE4E5B9u;
    return (int64_t)(mixed >> (64 - bits));
}

/* The logit that an adaptive probability stands for; 0 before it has seen a bit. */
LVC_INLINE int32_t lvc_logit(uint32_t probability)
{
    return probability & LVC_COUNT_MASK ? lvc_stretch[probability >> 20] : 0;
}

/* The logit that logits together come to under one row of weights. */
LVC_INLINE int64_t lvc_mix(const int32_t *logits, int64_t count, const int32_t *weights)
{
    int64_t total = 0;
    for (int64_t number = 0; number < count; number++)
        total += (int64_t)weights[number] * logits[number];
    return lvc_clamp(total >> 16, -LVC_STRETCH_LIMIT, LVC_STRETCH_LIMIT);
}

/* Moves a row of weights towards those that would have predicted this bit more surely; output: the row's logit. */
LVC_INLINE void lvc_update_weights(const int32_t *logits, int64_t count, int32_t *weights, int64_t output, int64_t bit, int64_t rate)
{
    int32_t error = ((int32_t)(bit << 16) - lvc_squash[output + 2048]) * (int32_t)rate;
    for (int64_t number = 0; number < count; number++) {
        int32_t step = (logits[number] * error + (1 << (LVC_RATE_BITS - 1))) >> LVC_RATE_BITS;  /* fits: 2**11 * 2**16 * LVC_MOST_RATE */
        int32_t weight = weights[number] + step;
        weight = weight < -LVC_WEIGHT_LIMIT ? -LVC_WEIGHT_LIMIT : weight;
        weights[number] = weight > LVC_WEIGHT_LIMIT ? LVC_WEIGHT_LIMIT : weight;
    }
}

/* Moves an adaptive probability towards this bit, the less the more it has seen; it counts no further than `most`. */
LVC_INLINE uint32_t lvc_updated(uint32_t probability, int64_t bit, int64_t most)
{
    int64_t value = probability >> LVC_COUNT_BITS, count = probability & LVC_COUNT_MASK;
    int64_t target = bit ? (1 << 22) - 1 : 0;
    value += (((target - value) >> 3) * lvc_share[count]) >> 13;
    value = value < 0 ? 0 : value;  /* rounded down, one of almost none could fall below */
    return (uint32_t)(value << LVC_COUNT_BITS | (count + (count < most)));
}

/* What one adaptive probability predicts alone, in 1 / LVC_CERTAIN. */
LVC_INLINE int64_t lvc_alone(uint32_t probability)
{
    return lvc_clamp(probability >> 16, LVC_LEAST_PROBABILITY, (1 << 16) - LVC_LEAST_PROBABILITY);
}

typedef struct {
    int64_t count, contexts, rows, size;
    int64_t rate, most;
    const int64_t *indices;       /* [count, contexts]: the adaptive probabilities of each bit */
    const int64_t *selectors;     /* [count]: the row of weights of each bit */
    const int64_t *bits;          /* [count] */
    uint32_t *probabilities;      /* [size] */
    int32_t *weights;             /* [rows, contexts] */
    int32_t *logits;              /* [contexts]: of the last bit */
    int64_t *outputs;             /* [count]: the logit of each bit before it was learned */
    int64_t *predictions;         /* [count]: the same as a probability in 2**-16 */
} lvc_mix_bits_args;

/* Predicts bits one after the other and learns from each; gives 0, or -1 for an index out of range. */
LVC_API int64_t lvc_mix_bits(const lvc_mix_bits_args *args);

typedef struct {
    int64_t count;
    int64_t most;
    const int64_t *bits;          /* [count] */
    uint32_t *probability;        /* [1] */
    int64_t *predictions;         /* [count]: before each bit was learned */
} lvc_adapt_args;

/* One adaptive probability alone learns bits one after the other. */
LVC_API int64_t lvc_adapt(const lvc_adapt_args *args);

typedef struct {
    int64_t count;
    int64_t bits;                 /* 1 ... 63 */
    const uint64_t *numbers;      /* [count] */
    int64_t *scattered;           /* [count] */
} lvc_scatter_args;

LVC_API int64_t lvc_scatter_all(const lvc_scatter_args *args);

typedef struct {
    int64_t stretches, squashes, shares;
    int16_t *stretch;             /* [stretches] */
    uint16_t *squash;             /* [squashes] */
    uint16_t *share;              /* [shares] */
} lvc_mixing_tables_args;

/* Copies the tables out; gives 0, or -1 for other sizes than theirs. */
LVC_API int64_t lvc_mixing_tables(const lvc_mixing_tables_args *args);

#endif
