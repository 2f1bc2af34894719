/* The hybrid codec's group coding for processors with AVX2 (x86-64-v3); elsewhere the general form under this name. */
#include <math.h>
#include <stdint.h>
#include <string.h>
#if defined(__x86_64__)
#include <immintrin.h>
#endif
#if defined(__x86_64__) && defined(__clang__)
#pragma clang attribute push(__attribute__((target("avx2,bmi,bmi2,lzcnt,popcnt"))), apply_to = function)
#elif defined(__x86_64__) && defined(__GNUC__)
#pragma GCC target("avx2,bmi,bmi2,lzcnt,popcnt")
#endif
#define HYBRID(name) name##_v3
#if defined(__x86_64__)
#define HYBRID_AVX2
#endif
#include "hybrid_group.h"
#if defined(__x86_64__) && defined(__clang__)
#pragma clang attribute pop
#endif
