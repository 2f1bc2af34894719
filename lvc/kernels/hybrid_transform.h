/* Separable transforms of 4, 8, 16, 32: DCT-II, DST-VII, DST-VII flipped, identity, each side its own.
 *
 * Matrices have 8 fractional bits (hybrid_tables.h); coefficients have 3, in units of the planes' samples.
 * Sources: AV1's choice of ADST, flipped ADST and identity (Chen et al. 2018); DST-VII after Han, Saxena, Rose 2012.
 */
#ifndef LVC_HYBRID_TRANSFORM_H
#define LVC_HYBRID_TRANSFORM_H
#include "hybrid_base.h"

INLINE const int16_t *matrix_of(int type, int log2n) { return transform_matrix + transform_offset[type * 4 + log2n - 2]; }

/* residual [h][w] (row stride w) -> coefficients [h][w] */
INLINE void forward_sized(const int16_t *res, int32_t *coef, const int lw, const int lh, int tx) {
  const int w = 1 << lw, h = 1 << lh;
  const int16_t *mx = matrix_of(tx & 3, lw), *my = matrix_of(tx >> 2, lh);
  int32_t mid[1024];
  int32_t t[32];
  for (int v = 0; v < h; v++) { /* columns first: vectors along x */
    for (int x = 0; x < w; x++) t[x] = 0;
    for (int y = 0; y < h; y++) {
      const int m = my[v * h + y];
      if (m) for (int x = 0; x < w; x++) t[x] += m * res[y * w + x];
    }
    for (int x = 0; x < w; x++) mid[x * h + v] = (t[x] + 8) >> 4; /* transposed, 4 fractional bits */
  }
  for (int u = 0; u < w; u++) {
    for (int v = 0; v < h; v++) t[v] = 0;
    for (int x = 0; x < w; x++) {
      const int m = mx[u * w + x];
      if (m) for (int v = 0; v < h; v++) t[v] += m * mid[x * h + v];
    }
    for (int v = 0; v < h; v++) coef[v * w + u] = (t[v] + 256) >> 9;
  }
}

/* coefficients [h][w] -> residual [h][w]; rows and columns beyond (nx, ny) are known to be zero */
INLINE void inverse_sized(const int32_t *coef, int16_t *res, const int lw, const int lh, int tx, int nx, int ny) {
  const int w = 1 << lw, h = 1 << lh;
  const int16_t *mx = matrix_of(tx & 3, lw), *my = matrix_of(tx >> 2, lh);
  int32_t mid[1024];
  int32_t t[32];
  for (int v = 0; v < ny; v++) { /* rows */
    for (int x = 0; x < w; x++) t[x] = 0;
    for (int u = 0; u < nx; u++) {
      const int k = coef[v * w + u];
      if (k) { const int16_t *m = mx + u * w; for (int x = 0; x < w; x++) t[x] += k * m[x]; }
    }
    for (int x = 0; x < w; x++) mid[v * w + x] = (t[x] + 64) >> 7;
  }
  for (int y = 0; y < h; y++) {
    for (int x = 0; x < w; x++) t[x] = 2048;
    for (int v = 0; v < ny; v++) {
      const int m = my[v * h + y];
      if (m) for (int x = 0; x < w; x++) t[x] += m * mid[v * w + x];
    }
    for (int x = 0; x < w; x++) res[y * w + x] = clampi(t[x] >> 12, -8191, 8191);
  }
}

#define BY_SIZE(call, w_) switch (lh) { case 2: call(w_, 2); break; case 3: call(w_, 3); break; case 4: call(w_, 4); break; default: call(w_, 5); }
#define ALL_SIZES(call) switch (lw) { case 2: BY_SIZE(call, 2) break; case 3: BY_SIZE(call, 3) break; case 4: BY_SIZE(call, 4) break; default: BY_SIZE(call, 5) }
static void forward_transform(const int16_t *res, int32_t *coef, int lw, int lh, int tx) {
#define CALL(a, b) forward_sized(res, coef, a, b, tx)
  ALL_SIZES(CALL)
#undef CALL
}
static void inverse_transform(const int32_t *coef, int16_t *res, int lw, int lh, int tx, int nx, int ny) {
#define CALL(a, b) inverse_sized(coef, res, a, b, tx, nx, ny)
  ALL_SIZES(CALL)
#undef CALL
}
#endif
