/* Intra angles between samples by four samples of the edge (Catmull and Rom's cubic) in place of two.
 *
 * It keeps edges sharp that a line would blur. Sources: Keys 1981; VVC's four-tap reference samples (Bross et al. 2021).
 */
#ifndef LVC_HYBRID_CUBIC_H
#define LVC_HYBRID_CUBIC_H
#include "hybrid_base.h"

/* Weights at fraction / 32 between the second and the third of four samples, in 1/65536: below 2^17 in sum of amounts,
   so that with samples of 12 bits all is within 30 bits. */
INLINE void cubic_weights(int fraction, int32_t weight[4]) {
  const int f = fraction, f2 = f * f, f3 = f2 * f;
  weight[0] = 64 * f2 - f3 - 1024 * f;
  weight[1] = 3 * f3 - 160 * f2 + 65536;
  weight[2] = 128 * f2 - 3 * f3 + 1024 * f;
  weight[3] = f3 - 32 * f2;
}
INLINE int cubic_sample(const pel *p, const int32_t weight[4]) { /* p: the second of the four */
  return clampi((weight[0] * p[-1] + weight[1] * p[0] + weight[2] * p[1] + weight[3] * p[2] + 32768) >> 16, -2048, 2047);
}
#endif
