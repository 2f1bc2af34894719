/* Separable transforms of 4, 8, 16, 32: DCT-II, DST-VII, DST-VII flipped, identity, each side its own.
 *
 * Matrices have 8 fractional bits (hybrid_tables.h); coefficients have 3, in units of the planes' samples.
 * Sources: AV1's choice of ADST, flipped ADST and identity (Chen et al. 2018); DST-VII after Han, Saxena, Rose 2012.
 */
#ifndef LVC_HYBRID_TRANSFORM_H
#define LVC_HYBRID_TRANSFORM_H
#include "hybrid_base.h"

INLINE const int16_t *matrix_of(int type, int log2n) { return transform_matrix + transform_offset[type * 4 + log2n - 2]; }

/* Rows k < n of a matrix applied along the first axis of in [n][m], by sums and differences where it is the DCT, whose
   rows are alike from both ends. Exact: nothing is rounded before the end. */
#define APPLY_FORWARD(name, type)                                                                                   \
  INLINE void name(const type *in, const int16_t *matrix, const int n, const int m, int is_dct, int32_t *sums, int k) { \
    for (int x = 0; x < m; x++) sums[x] = 0;                                                                        \
    if (is_dct) {                                                                                                   \
      const type *half = in + (k & 1 ? (n / 2) * m : 0);                                                            \
      for (int y = 0; y < n / 2; y++) {                                                                             \
        const int32_t f = matrix[k * n + y];                                                                        \
        for (int x = 0; x < m; x++) sums[x] += f * half[y * m + x];                                                 \
      }                                                                                                             \
      return;                                                                                                       \
    }                                                                                                               \
    for (int y = 0; y < n; y++) {                                                                                   \
      const int32_t f = matrix[k * n + y];                                                                          \
      if (f) for (int x = 0; x < m; x++) sums[x] += f * in[y * m + x];                                              \
    }                                                                                                               \
  }
APPLY_FORWARD(apply_to_samples, int16_t)
APPLY_FORWARD(apply_to_sums, int32_t)

/* residual [h][w] (row stride w) -> coefficients [h][w] */
INLINE void forward_sized(const int16_t *res, int32_t *coef, const int lw, const int lh, int tx) {
  const int w = 1 << lw, h = 1 << lh, dct_x = !(tx & 3), dct_y = !(tx >> 2);
  const int16_t *mx = matrix_of(tx & 3, lw), *my = matrix_of(tx >> 2, lh);
  int16_t folded[1024];
  int32_t mid[1024], t[32];
  if (dct_y)
    for (int y = 0; y < h / 2; y++)
      for (int x = 0; x < w; x++) {
        const int a = res[y * w + x], b = res[(h - 1 - y) * w + x];
        folded[y * w + x] = a + b;
        folded[(h / 2 + y) * w + x] = a - b;
      }
  for (int v = 0; v < h; v++) { /* columns first: vectors along x */
    apply_to_samples(dct_y ? folded : res, my, h, w, dct_y, t, v);
    for (int x = 0; x < w; x++) mid[x * h + v] = (t[x] + 8) >> 4; /* transposed, 4 fractional bits */
  }
  if (dct_x)
    for (int x = 0; x < w / 2; x++)
      for (int v = 0; v < h; v++) {
        const int32_t a = mid[x * h + v], b = mid[(w - 1 - x) * h + v];
        mid[x * h + v] = a + b;
        mid[(w - 1 - x) * h + v] = a - b;
      }
  if (dct_x) /* differences lie from the last row up: in order, as the sums do */
    for (int x = 0; x < w / 4; x++)
      for (int v = 0; v < h; v++) {
        const int32_t a = mid[(w / 2 + x) * h + v];
        mid[(w / 2 + x) * h + v] = mid[(w - 1 - x) * h + v];
        mid[(w - 1 - x) * h + v] = a;
      }
  for (int u = 0; u < w; u++) {
    apply_to_sums(mid, mx, w, h, dct_x, t, u);
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
  if (!(tx >> 2)) { /* DCT: even rows are alike from both ends, odd ones turn their sign */
    int32_t odd[32];
    for (int y = 0; y < h / 2; y++) {
      for (int x = 0; x < w; x++) { t[x] = 2048; odd[x] = 0; }
      for (int v = 0; v < ny; v += 2) { const int m = my[v * h + y]; for (int x = 0; x < w; x++) t[x] += m * mid[v * w + x]; }
      for (int v = 1; v < ny; v += 2) { const int m = my[v * h + y]; for (int x = 0; x < w; x++) odd[x] += m * mid[v * w + x]; }
      for (int x = 0; x < w; x++) {
        res[y * w + x] = clampi((t[x] + odd[x]) >> 12, -8191, 8191);
        res[(h - 1 - y) * w + x] = clampi((t[x] - odd[x]) >> 12, -8191, 8191);
      }
    }
    return;
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
