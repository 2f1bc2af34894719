/* Intra prediction: planar, DC, Paeth and 33 angles, and chroma from luma by a line fitted to the neighbours.
 *
 * Sources: angles and planar as HEVC (Lainema et al. 2012); Paeth as PNG and AV1; chroma from luma as VVC's CCLM with a
 * least-squares fit (Zhang et al. 2018).
 */
#ifndef LVC_HYBRID_INTRA_H
#define LVC_HYBRID_INTRA_H
#include "hybrid_cubic.h"

typedef struct { pel top[1 + 64], left[1 + 64]; int tops, lefts; } Edge; /* [0] of both is the corner */

static const int8_t angle_of[33] = {32, 26, 21, 17, 13, 9, 5, 2, 0, -2, -5, -9, -13, -17, -21, -26, -32,
                                    -26, -21, -17, -13, -9, -5, -2, 0, 2, 5, 9, 13, 17, 21, 26, 32};

static void gather_edge(const State *s, Edge *e, int c, int x, int y, int w, int h) {
  const pel *p = current(s, c) + y * s->stride + x;
  int n = w + h;
  int tops = 0, lefts = 0;
  if (y > 0) while (tops < n && x + tops < s->w && cell_at(s, x + tops, y - 1)->kind) tops += 4;
  if (x > 0) while (lefts < n && y + lefts < s->h && cell_at(s, x - 1, y + lefts)->kind) lefts += 4;
  e->tops = tops; e->lefts = lefts;
  for (int i = 0; i < tops; i++) e->top[1 + i] = p[i - s->stride];
  for (int i = 0; i < lefts; i++) e->left[1 + i] = p[i * s->stride - 1];
  pel top_fill = tops ? e->top[tops] : lefts ? e->left[1] : 0, left_fill = lefts ? e->left[lefts] : tops ? e->top[1] : 0;
  for (int i = tops; i < n; i++) e->top[1 + i] = top_fill;
  for (int i = lefts; i < n; i++) e->left[1 + i] = left_fill;
  pel corner = tops && lefts ? p[-s->stride - 1] : tops ? e->top[1] : lefts ? e->left[1] : 0;
  e->top[0] = e->left[0] = corner;
}

/* A line of n samples, `offset` / 32 along the edge. */
INLINE void predict_line(const pel *edge, int offset, int cubic, const int n, pel *out) {
  const pel *p = edge + (offset >> 5);
  const int fraction = offset & 31;
  if (!fraction) { memcpy(out, p, n * sizeof(pel)); return; }
  if (!cubic) {
    for (int i = 0; i < n; i++) out[i] = ((32 - fraction) * p[i] + fraction * p[i + 1] + 16) >> 5;
    return;
  }
  int32_t weight[4];
  cubic_weights(fraction, weight);
  for (int i = 0; i < n; i++) out[i] = cubic_sample(p + i, weight);
}
/* cubic: angles between samples are interpolated from four samples, not two. */
static void predict_intra(const Edge *e, pel *out, int mode, int lw, int lh, int cubic) {
  const int w = 1 << lw, h = 1 << lh;
  const pel *top = e->top + 1, *left = e->left + 1;
  if (mode == 0) {
    for (int y = 0; y < h; y++)
      for (int x = 0; x < w; x++) {
        int hor = ((w - 1 - x) * left[y] + (x + 1) * top[w]) << lh;
        int ver = ((h - 1 - y) * top[x] + (y + 1) * left[h]) << lw;
        out[y * w + x] = (hor + ver + (1 << (lw + lh))) >> (lw + lh + 1);
      }
  } else if (mode == 1) {
    int sum = 0, n = 0;
    if (e->tops || !e->lefts) { for (int x = 0; x < w; x++) sum += top[x]; n += w; }
    if (e->lefts || !e->tops) { for (int y = 0; y < h; y++) sum += left[y]; n += h; }
    int dc = (2 * sum + n) >= 0 ? (2 * sum + n) / (2 * n) : -((n - 2 * sum) / (2 * n));
    for (int i = 0; i < w * h; i++) out[i] = dc;
  } else if (mode == 2) {
    int corner = e->top[0];
    for (int y = 0; y < h; y++)
      for (int x = 0; x < w; x++) {
        int base = top[x] + left[y] - corner;
        int dt = iabs(base - top[x]), dl = iabs(base - left[y]), dc = iabs(base - corner);
        const int nearer = dt <= dc ? top[x] : corner;
        out[y * w + x] = dl <= dt && dl <= dc ? left[y] : nearer;
      }
  } else {
    int vertical = mode - 3 >= 17, angle = angle_of[mode - 3];
    const pel *main = vertical ? e->top : e->left, *side = vertical ? e->left : e->top;
    int mw = vertical ? w : h, mh = vertical ? h : w; /* along and across the main edge */
    pel line[32 + 65 + 2];
    pel *ref = line + 32;
    for (int i = 0; i <= w + h; i++) ref[i] = main[i];
    ref[w + h + 1] = ref[w + h + 2] = ref[w + h];
    if (angle < 0) {
      int last = (mh * angle) >> 5;
      for (int i = -1; i >= last; i--) ref[i] = side[imin(w + h, (i * 8192 / angle + 128) >> 8)];
    }
    pel turned[1024];
    for (int k = 0; k < mh; k++) predict_line(ref + 1, (k + 1) * angle, cubic, mw, (vertical ? out : turned) + k * mw);
    if (!vertical)
      for (int y = 0; y < h; y++)
        for (int x = 0; x < w; x++) out[y * w + x] = turned[x * h + y];
  }
}

/* Chroma plane c from reconstructed luma of the block: line fitted over the row above and the column to the left. */
static void predict_from_luma(const State *s, pel *out, int x, int y, int lw, int lh, const Edge *luma, const Edge *chroma) {
  const int w = 1 << lw, h = 1 << lh;
  const pel *l = current(s, 0) + y * s->stride + x;
  int nt = imin(luma->tops, w), nl = imin(luma->lefts, h), n = nt + nl;
  int64_t sl = 0, sc = 0, sll = 0, slc = 0;
  for (int i = 0; i < nt; i++) { int a = luma->top[1 + i], b = chroma->top[1 + i]; sl += a; sc += b; sll += a * a; slc += a * b; }
  for (int i = 0; i < nl; i++) { int a = luma->left[1 + i], b = chroma->left[1 + i]; sl += a; sc += b; sll += a * a; slc += a * b; }
  int64_t den = n * sll - sl * sl, num = n * slc - sl * sc;
  int alpha = den > 0 ? clamp64(num * 4096 / den, -16384, 16384) : 0;
  int64_t offset = n ? ((sc << 12) - alpha * sl) / n : 0;
  for (int j = 0; j < h; j++)
    for (int i = 0; i < w; i++)
      out[j * w + i] = clampi((int)((alpha * (int64_t)l[j * s->stride + i] + offset + 2048) >> 12), -2048, 2047);
}
#endif
