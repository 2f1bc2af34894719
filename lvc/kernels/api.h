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

/* Compiled twice, the second time for x86-64-v3; which of them runs is found out when the library is loaded. The results are the same. */
#if defined(__x86_64__) && defined(__linux__) && defined(__GNUC__) && !defined(__clang__) && !defined(__SANITIZE_ADDRESS__)
#define LVC_CLONES __attribute__((target_clones("default", "arch=x86-64-v3")))
#else
#define LVC_CLONES
#endif

LVC_INLINE int64_t lvc_min(int64_t one, int64_t other) { return one < other ? one : other; }
LVC_INLINE int64_t lvc_max(int64_t one, int64_t other) { return one > other ? one : other; }
LVC_INLINE int64_t lvc_clamp(int64_t value, int64_t least, int64_t most)
{
    return value < least ? least : value > most ? most : value;
}

#endif
