/* Rows of restoration for processors with AVX2 (x86-64-v3); elsewhere the general form under this name. */
#include "restoration_rows.h"

#if defined(__x86_64__) && defined(__GNUC__)
#include <immintrin.h>

#define WITH_AVX2 __attribute__((target("avx2")))
enum { TOGETHER = 16, PAIRS = RESTORATION_FEATURES / 2, HALF = 1 << (RESTORATION_WEIGHT_BITS + RESTORATION_FINE - 1) };

/* Features of 16 samples, two by two beside each other: of each two the samples 0 to 7, then 8 to 15. */
WITH_AVX2 static void interleave(const int16_t *features, int64_t width, __m256i *pairs)
{
    for (int64_t pair = 0; pair < PAIRS; pair++, features += 2 * width) {
        __m256i one = _mm256_loadu_si256((const __m256i *)features), other = _mm256_loadu_si256((const __m256i *)(features + width));
        __m256i low = _mm256_unpacklo_epi16(one, other), high = _mm256_unpackhi_epi16(one, other);
        pairs[2 * pair] = _mm256_permute2x128_si256(low, high, 0x20);
        pairs[2 * pair + 1] = _mm256_permute2x128_si256(low, high, 0x31);
    }
}

WITH_AVX2 static void sums_of(const __m256i *pairs, const int16_t *weights, int32_t *total)
{
    __m256i low = _mm256_set1_epi32(HALF), high = low, more_low = _mm256_setzero_si256(), more_high = more_low;
    for (int64_t pair = 0; pair < PAIRS; pair += 2) {
        int32_t both, next;
        __builtin_memcpy(&both, weights + 2 * pair, sizeof both);
        __builtin_memcpy(&next, weights + 2 * pair + 2, sizeof next);
        __m256i weight = _mm256_set1_epi32(both), another = _mm256_set1_epi32(next);
        low = _mm256_add_epi32(low, _mm256_madd_epi16(pairs[2 * pair], weight));
        high = _mm256_add_epi32(high, _mm256_madd_epi16(pairs[2 * pair + 1], weight));
        more_low = _mm256_add_epi32(more_low, _mm256_madd_epi16(pairs[2 * pair + 2], another));
        more_high = _mm256_add_epi32(more_high, _mm256_madd_epi16(pairs[2 * pair + 3], another));
    }
    _mm256_storeu_si256((__m256i *)total, _mm256_add_epi32(low, more_low));
    _mm256_storeu_si256((__m256i *)(total + 8), _mm256_add_epi32(high, more_high));
}

WITH_AVX2 static void restore_sixteen(const RestorationRow *r, int64_t start)
{
    __m256i pairs[2 * PAIRS];
    int32_t total[TOGETHER];
    interleave(r->features + start, r->width, pairs);
    __m128i cells = _mm_loadu_si128((const __m128i *)(r->cells + start));
    for (int left = 0xffff; left;) {
        int64_t cell = r->cells[start + __builtin_ctz((unsigned)left)];
        int here = _mm_movemask_epi8(_mm_cmpeq_epi8(cells, _mm_set1_epi8((char)cell)));
        sums_of(pairs, lvc_restoration_weights(r, cell), total);
        left &= ~here;
        for (; here; here &= here - 1) {
            int64_t x = __builtin_ctz((unsigned)here);
            r->target[start + x] = lvc_restored(r->centre[start + x], total[x]);
        }
    }
}

WITH_AVX2 void lvc_restoration_row_v3(const RestorationRow *r)
{
    if (r->width < TOGETHER) {
        lvc_restoration_row(r);
        return;
    }
    for (int64_t start = 0; start < r->width; start += TOGETHER)
        restore_sixteen(r, lvc_min(start, r->width - TOGETHER)); /* the last may have some again */
}
#else
void lvc_restoration_row_v3(const RestorationRow *r)
{
    lvc_restoration_row(r);
}
#endif
