#include "bits.h"

int64_t lvc_code_bits(const lvc_code_bits_args *args)
{
    for (int64_t number = 0; number < args->count; number++) {
        int64_t probability = args->probabilities[number];
        if (probability < 1 || probability >= LVC_CERTAIN)
            return -1;
        args->values[number] = lvc_code_bit(args->coder, args->values[number] != 0, probability);
    }
    return 0;
}
