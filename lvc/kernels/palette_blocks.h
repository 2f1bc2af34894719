/* Coded-block flags: which blocks of a frame are coded; the others are as predicted. */
#ifndef LVC_PALETTE_BLOCKS_H
#define LVC_PALETTE_BLOCKS_H

#include "palette_context.h"

/* Codes the flags, and fills `references->coded`; gives how many blocks are coded. */
int64_t code_blocks(lvc_bit_coder *coder, lvc_palette_model *model, lvc_palette_references *references, const lvc_palette_plan *plan);

/* A number of what a block shows, its four words. */
LVC_INLINE uint64_t block_content(uint64_t one, uint64_t two, uint64_t three, uint64_t four)
{
    /* Products side by side: a chain of them would be waited for. */
    uint64_t mixed = one * 0x9E3779B97F4A7C15u + two * 0xD6E8FEB86659FD93u + three * 0xA0761D6478BD642Fu + four * 0xE7037ED1A0B428DBu;
    return mixed ^ (mixed >> 31);
}

/* Four pixels of the colour of a word's first. */
LVC_INLINE uint64_t flat_word(uint64_t word) { return (word & 0xFFFF) * 0x0001000100010001u; }

#endif
