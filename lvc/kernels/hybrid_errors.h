/* Measures of error between blocks: squared, absolute, and absolute Hadamard coefficients.
 *
 * Samples have 12 bits, so that absolute differences of some rows fit 16. Nothing here is part of the format.
 */
#ifndef LVC_HYBRID_ERRORS_H
#define LVC_HYBRID_ERRORS_H
#include "hybrid_base.h"
#ifdef HYBRID_AVX2
#include <immintrin.h>
#endif

static int64_t squared_error(const pel *a, int sa, const pel *b, int sb, int w, int h) {
  int64_t sum = 0;
  for (int y = 0; y < h; y++) {
    int32_t row = 0;
    for (int x = 0; x < w; x++) { int d = a[y * sa + x] - b[y * sb + x]; row += d * d; }
    sum += row;
  }
  return sum;
}
#ifdef HYBRID_AVX2
INLINE __m256i load_16(const pel *p) { return _mm256_loadu_si256((const __m256i *)p); }
/* Two rows of 8 samples, or two times two rows of 4. */
INLINE __m256i load_2x8(const pel *p, int stride) {
  return _mm256_inserti128_si256(_mm256_castsi128_si256(_mm_loadu_si128((const __m128i *)p)), _mm_loadu_si128((const __m128i *)(p + stride)), 1);
}
INLINE __m128i load_2x4(const pel *p, int stride) {
  return _mm_unpacklo_epi64(_mm_loadl_epi64((const __m128i *)p), _mm_loadl_epi64((const __m128i *)(p + stride)));
}
INLINE int sum_of_8(__m256i v) {
  __m128i s = _mm_add_epi32(_mm256_castsi256_si128(v), _mm256_extracti128_si256(v, 1));
  s = _mm_add_epi32(s, _mm_shuffle_epi32(s, 0x4e));
  return _mm_cvtsi128_si32(_mm_add_epi32(s, _mm_shuffle_epi32(s, 0xb1)));
}
static int absolute_error(const pel *a, int sa, const pel *b, int sb, int w, int h) {
  const __m256i one = _mm256_set1_epi16(1);
  __m256i sum = _mm256_setzero_si256();
  if (w >= 16)
    for (int y = 0; y < h; y++)
      for (int x = 0; x < w; x += 16)
        sum = _mm256_add_epi32(sum, _mm256_madd_epi16(_mm256_abs_epi16(_mm256_sub_epi16(load_16(a + y * sa + x), load_16(b + y * sb + x))), one));
  else if (w == 8)
    for (int y = 0; y < h; y += 2)
      sum = _mm256_add_epi32(sum, _mm256_madd_epi16(_mm256_abs_epi16(_mm256_sub_epi16(load_2x8(a + y * sa, sa), load_2x8(b + y * sb, sb))), one));
  else
    for (int y = 0; y < h; y += 2)
      sum = _mm256_add_epi32(sum, _mm256_castsi128_si256(_mm_madd_epi16(_mm_abs_epi16(_mm_sub_epi16(load_2x4(a + y * sa, sa), load_2x4(b + y * sb, sb))), _mm256_castsi256_si128(one))));
  return sum_of_8(sum);
}
INLINE __m256i butterfly_4(__m256i v) { /* across each four lanes */
  const __m256i one = _mm256_set1_epi32(0xffff0001), two = _mm256_set1_epi64x((long long)0xffffffff00010001ull);
  __m256i swapped = _mm256_shufflelo_epi16(_mm256_shufflehi_epi16(v, 0xb1), 0xb1);
  v = _mm256_add_epi16(swapped, _mm256_sign_epi16(v, one));
  swapped = _mm256_shufflelo_epi16(_mm256_shufflehi_epi16(v, 0x4e), 0x4e);
  return _mm256_add_epi16(swapped, _mm256_sign_epi16(v, two));
}
/* Of the differences of four rows: absolute Hadamard coefficients of each 4x4, in pairs. */
INLINE __m256i hadamard_of(__m256i d0, __m256i d1, __m256i d2, __m256i d3) {
  const __m256i one = _mm256_set1_epi16(1);
  d0 = _mm256_srai_epi16(d0, 1); d1 = _mm256_srai_epi16(d1, 1); d2 = _mm256_srai_epi16(d2, 1); d3 = _mm256_srai_epi16(d3, 1);
  const __m256i s0 = _mm256_add_epi16(d0, d1), s1 = _mm256_sub_epi16(d0, d1), s2 = _mm256_add_epi16(d2, d3), s3 = _mm256_sub_epi16(d2, d3);
  d0 = _mm256_abs_epi16(butterfly_4(_mm256_add_epi16(s0, s2)));
  d1 = _mm256_abs_epi16(butterfly_4(_mm256_add_epi16(s1, s3)));
  d2 = _mm256_abs_epi16(butterfly_4(_mm256_sub_epi16(s0, s2)));
  d3 = _mm256_abs_epi16(butterfly_4(_mm256_sub_epi16(s1, s3)));
  return _mm256_add_epi32(_mm256_add_epi32(_mm256_madd_epi16(d0, one), _mm256_madd_epi16(d1, one)),
                          _mm256_add_epi32(_mm256_madd_epi16(d2, one), _mm256_madd_epi16(d3, one)));
}
/* Sum of absolute Hadamard coefficients of 4x4 squares, halved twice: comparable with absolute_error. */
static int hadamard_error(const pel *a, int sa, const pel *b, int sb, int w, int h) {
  __m256i sum = _mm256_setzero_si256();
  if (w >= 16)
    for (int y = 0; y < h; y += 4)
      for (int x = 0; x < w; x += 16) {
        const pel *p = a + y * sa + x, *q = b + y * sb + x;
        sum = _mm256_add_epi32(sum, hadamard_of(_mm256_sub_epi16(load_16(p), load_16(q)), _mm256_sub_epi16(load_16(p + sa), load_16(q + sb)),
                                                _mm256_sub_epi16(load_16(p + 2 * sa), load_16(q + 2 * sb)), _mm256_sub_epi16(load_16(p + 3 * sa), load_16(q + 3 * sb))));
      }
  else if (w == 8 && h >= 8)
    for (int y = 0; y < h; y += 8) { /* four rows above in one half, four below in the other */
      const pel *p = a + y * sa, *q = b + y * sb;
      sum = _mm256_add_epi32(sum, hadamard_of(_mm256_sub_epi16(load_2x8(p, 4 * sa), load_2x8(q, 4 * sb)), _mm256_sub_epi16(load_2x8(p + sa, 4 * sa), load_2x8(q + sb, 4 * sb)),
                                              _mm256_sub_epi16(load_2x8(p + 2 * sa, 4 * sa), load_2x8(q + 2 * sb, 4 * sb)),
                                              _mm256_sub_epi16(load_2x8(p + 3 * sa, 4 * sa), load_2x8(q + 3 * sb, 4 * sb))));
    }
  else
    for (int y = 0; y < h; y += 4) {
      __m256i d[4];
      for (int j = 0; j < 4; j++) {
        const __m128i *p = (const __m128i *)(a + (y + j) * sa), *q = (const __m128i *)(b + (y + j) * sb);
        d[j] = _mm256_zextsi128_si256(w == 8 ? _mm_sub_epi16(_mm_loadu_si128(p), _mm_loadu_si128(q)) : _mm_sub_epi16(_mm_loadl_epi64(p), _mm_loadl_epi64(q)));
      }
      sum = _mm256_add_epi32(sum, hadamard_of(d[0], d[1], d[2], d[3]));
    }
  return sum_of_8(sum);
}
#else
static int absolute_error(const pel *a, int sa, const pel *b, int sb, int w, int h) {
  int sum = 0;
  for (int y = 0; y < h; y++) for (int x = 0; x < w; x++) sum += iabs(a[y * sa + x] - b[y * sb + x]);
  return sum;
}
/* Sum of absolute Hadamard coefficients of 4x4 squares, halved twice: comparable with absolute_error. */
static int hadamard_error(const pel *a, int sa, const pel *b, int sb, int w, int h) {
  int sum = 0;
  for (int y = 0; y < h; y += 4)
    for (int x = 0; x < w; x += 4) {
      int t[4][4];
      for (int j = 0; j < 4; j++) {
        int d[4];
        for (int i = 0; i < 4; i++) d[i] = (a[(y + j) * sa + x + i] - b[(y + j) * sb + x + i]) >> 1;
        const int s0 = d[0] + d[1], s1 = d[0] - d[1], s2 = d[2] + d[3], s3 = d[2] - d[3];
        t[j][0] = s0 + s2; t[j][1] = s1 + s3; t[j][2] = s0 - s2; t[j][3] = s1 - s3;
      }
      for (int i = 0; i < 4; i++) {
        const int s0 = t[0][i] + t[1][i], s1 = t[0][i] - t[1][i], s2 = t[2][i] + t[3][i], s3 = t[2][i] - t[3][i];
        sum += iabs(s0 + s2) + iabs(s1 + s3) + iabs(s0 - s2) + iabs(s1 - s3);
      }
    }
  return sum;
}
#endif
/* Absolute difference of two squares of 8x8, or anything of at least `most`. */
INLINE int square_error(const pel *a, int sa, const pel *b, int sb, int most) {
  int sum = absolute_error(a, sa, b, sb, 8, 4);
  return sum >= most ? sum : sum + absolute_error(a + 4 * sa, sa, b + 4 * sb, sb, 8, 4);
}
#endif
