#include "palette_numbers.h"

static int64_t code_flag(lvc_bit_coder *coder, lvc_palette_model *model, int64_t context, int64_t bit)
{
    return code_alone(coder, model, context, bit, PATTERN_COUNT);
}

int64_t code_unary(lvc_bit_coder *coder, lvc_palette_model *model, int64_t kind, int64_t number, int64_t most)
{
    int64_t first = NUMBERS_AT + kind * CONTEXTS_OF_A_NUMBER, found = 0;
    while (found < most && code_flag(coder, model, first + lvc_min(found, UNARY_CONTEXTS), number > found))
        found++;
    return found;
}

int64_t code_signed(lvc_bit_coder *coder, lvc_palette_model *model, int64_t kind, int64_t number)
{
    int64_t first = NUMBERS_AT + kind * CONTEXTS_OF_A_NUMBER;
    if (!code_flag(coder, model, first, number != 0))
        return 0;
    int64_t negative = code_flag(coder, model, first + 1, number < 0);
    int64_t size = number < 0 ? -number : number, length = 0;
    while (length < LONGEST_NUMBER && code_flag(coder, model, first + 2 + length, size >> (length + 1) != 0))
        length++;
    int64_t found = 1;
    for (int64_t place = length - 1; place >= 0; place--) {
        /* The two bits after the first have contexts by what came before; later ones share one for their place. */
        int64_t context = first + 32 + (found < 4 && length < 16 ? length * 4 + found : 64 + place);
        found = found * 2 + code_flag(coder, model, context, size >> place & 1);
    }
    return negative ? -found : found;
}

int64_t code_uniform(lvc_bit_coder *coder, int64_t number, int64_t bits)
{
    int64_t found = 0;
    for (int64_t place = bits - 1; place >= 0; place--)
        found = found * 2 + lvc_code_bit(coder, number >> place & 1, LVC_CERTAIN / 2);
    return found;
}

int64_t lvc_palette_numbers(const lvc_palette_numbers_args *a)
{
    if (a->coding < 0 || a->coding > 2 || a->kind < 0 || a->kind > BUILT_IN_PICTURE || a->most < 0 || (a->coding == 2 && a->most > 62))
        return -1;
    for (int64_t place = 0; place < a->count; place++) {
        int64_t *number = a->numbers + place;
        *number = a->coding == 0   ? code_unary(a->coder, a->model, a->kind, *number, a->most)
                  : a->coding == 1 ? code_signed(a->coder, a->model, a->kind, *number)
                                   : code_uniform(a->coder, *number, a->most);
    }
    return 0;
}
