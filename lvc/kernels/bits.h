/* The binary range coder: one bit after another to bytes and back, each with its own probability.

   The bytes are one long binary fraction, the most significant byte first. A reader continues it with zeros; a writer ends
   with the shortest fraction inside the last interval (lvc/entropy/bits.py). `lvc_code_bit` is one call for both directions,
   so that the order of coding is written once. */
#ifndef LVC_BITS_H
#define LVC_BITS_H

#include "api.h"

enum {
    LVC_CERTAIN = 1 << 16,        /* probabilities are whole numbers 1 ... LVC_CERTAIN - 1 */
    LVC_BIT_BYTES = 4             /* that a bit can cost at most: all of the interval */
};
enum { LVC_WRITE, LVC_READ, LVC_COUNT, LVC_MEASURE };  /* odd ones read; a counter writes nothing, a measuring reader says what bits cost */

typedef struct {
    int64_t size;                 /* bytes in data */
    int64_t mode;
    int64_t low, high, value;     /* of 32 bits each */
    int64_t position;             /* of the next byte; beyond `size` a writer has lost bytes, see lvc_bits_fit */
    double bits;                  /* what was coded cost by its probabilities, but for plain readers */
    uint8_t *data;                /* [size] */
    const double *costs;          /* [LVC_CERTAIN + 1]: bits that an event of each probability costs; none for plain readers */
} lvc_bit_coder;

/* True if so many further bits fit into a writer's data, whatever they are. */
LVC_INLINE int lvc_bits_fit(const lvc_bit_coder *coder, int64_t bits)
{
    return coder->mode != LVC_WRITE || coder->position + LVC_BIT_BYTES * bits + 8 <= coder->size;
}

/* Codes a bit that is 1 with probability `one` / LVC_CERTAIN, and gives it. A reader ignores `bit`. */
LVC_INLINE int64_t lvc_code_bit(lvc_bit_coder *coder, int64_t bit, int64_t one)
{
    uint32_t low = (uint32_t)coder->low, high = (uint32_t)coder->high, width = high - low;
    uint32_t middle = low + (width >> 16) * (uint32_t)one + (((width & 0xFFFF) * (uint32_t)one) >> 16);
    int64_t mode = coder->mode;
    if (mode & 1)
        bit = (uint32_t)coder->value <= middle;
    if (mode != LVC_READ) {  /* whose table of half a megabyte would push others out of the cache */
        coder->bits += coder->costs[bit ? one : LVC_CERTAIN - one];
        if (mode == LVC_COUNT)
            return bit;
    }
    if (bit)
        high = middle;
    else
        low = middle + 1;
    while (((low ^ high) & 0xFF000000u) == 0) {
        int64_t position = coder->position;
        if (mode == LVC_WRITE) {
            if (position < coder->size)
                coder->data[position] = (uint8_t)(high >> 24);
        } else {
            coder->value = (uint32_t)coder->value << 8 | (position < coder->size ? coder->data[position] : 0u);
        }
        coder->position = position + 1;
        low <<= 8;
        high = high << 8 | 0xFF;
    }
    coder->low = low;
    coder->high = high;
    return bit;
}

typedef struct {
    int64_t count;
    lvc_bit_coder *coder;
    const int64_t *probabilities; /* [count], of a 1, in 1 / LVC_CERTAIN */
    int64_t *values;              /* [count]: coded, or filled in by a reader */
} lvc_code_bits_args;

/* Codes bits one after the other; gives 0, or -1 for a probability out of range. */
LVC_API int64_t lvc_code_bits(const lvc_code_bits_args *args);

#endif
