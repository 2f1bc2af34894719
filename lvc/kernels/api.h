/* What every kernel's interface is made of.

   A kernel takes one struct, whose members are told in lvc/kernels/binding.py in the same order: sizes and other whole
   numbers as int64_t, then doubles, then pointers to arrays that Python owns. It allocates nothing, keeps nothing between
   calls and calls nothing of itself again. */
#ifndef LVC_API_H
#define LVC_API_H

#include <stdint.h>

#if defined(_WIN32)
#define LVC_API __declspec(dllexport)
#else
#define LVC_API __attribute__((visibility("default")))
#endif

#define LVC_INLINE static inline __attribute__((always_inline))

LVC_INLINE int64_t lvc_min(int64_t one, int64_t other) { return one < other ? one : other; }
LVC_INLINE int64_t lvc_max(int64_t one, int64_t other) { return one > other ? one : other; }
LVC_INLINE int64_t lvc_clamp(int64_t value, int64_t least, int64_t most)
{
    return value < least ? least : value > most ? most : value;
}

#endif
