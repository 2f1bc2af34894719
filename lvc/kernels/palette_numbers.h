/* Whole numbers bit by bit, each under an adaptive probability of its own, for what a frame tells before its blocks. */
#ifndef LVC_PALETTE_NUMBERS_H
#define LVC_PALETTE_NUMBERS_H

#include "palette_context.h"

enum {
    CONTEXTS_OF_A_NUMBER = 128,
    LONGEST_NUMBER = 24,          /* bits */
    UNARY_CONTEXTS = 30
};
enum { NUMBER_OF_VECTORS, RECENT_VECTOR, VECTOR_BACK, VECTOR_ACROSS, VECTOR_DOWN, ANY_NEW_COLOURS, BUILT_IN_PICTURE };  /* what numbers there are */

/* A number 0 ... most, small ones the likeliest. */
int64_t code_unary(lvc_bit_coder *coder, lvc_palette_model *model, int64_t kind, int64_t number, int64_t most);

/* A number within 2**LONGEST_NUMBER: whether it is 0, its sign, how long it is, and its bits, of which the first few have contexts. */
int64_t code_signed(lvc_bit_coder *coder, lvc_palette_model *model, int64_t kind, int64_t number);

/* A number of so many bits, all equally likely. */
int64_t code_uniform(lvc_bit_coder *coder, int64_t number, int64_t bits);

typedef struct {
    int64_t count;
    int64_t coding;               /* 0: code_unary, 1: code_signed, 2: code_uniform */
    int64_t kind, most;           /* most: of code_unary, or bits of code_uniform */
    lvc_bit_coder *coder;
    lvc_palette_model *model;
    int64_t *numbers;             /* [count]: coded, or filled in by a reader */
} lvc_palette_numbers_args;

/* Codes numbers one after the other; gives 0, or -1 for a coding, kind or limit that there is not. */
LVC_API int64_t lvc_palette_numbers(const lvc_palette_numbers_args *args);

#endif
