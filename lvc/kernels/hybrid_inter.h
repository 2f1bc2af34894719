/* Motion: compensation at quarter samples, and the list of candidates that merge and vector prediction choose from.
 *
 * Interpolation filters are HEVC's 8-tap ones (Ugur et al. 2013). Candidates: spatial neighbours, the same place in the
 * previous frame, the last motions coded in this frame (VVC's history, Zhang et al. 2018), and rest.
 */
#ifndef LVC_HYBRID_INTER_H
#define LVC_HYBRID_INTER_H
#include "hybrid_base.h"
#ifdef HYBRID_AVX2
#include <immintrin.h>
#endif

static const int16_t taps[4][8] = {
    {0, 0, 0, 64, 0, 0, 0, 0}, {-1, 4, -10, 58, 17, -5, 1, 0}, {-1, 4, -11, 40, 40, -11, 4, -1}, {0, 1, -5, 17, 58, -10, 4, -1}};

#ifdef HYBRID_AVX2
/* Sums of 8 and of 16 places, whose low half is stored; for 4 places 8 are read. */
INLINE __m128i filter_8(const int16_t *q, int step, const __m128i *pair, __m128i round, int shift) {
  __m128i low = round, high = round;
  for (int k = 0; k < 4; k++, q += 2 * step) {
    const __m128i a = _mm_loadu_si128((const __m128i *)q), b = _mm_loadu_si128((const __m128i *)(q + step));
    low = _mm_add_epi32(low, _mm_madd_epi16(_mm_unpacklo_epi16(a, b), pair[k]));
    high = _mm_add_epi32(high, _mm_madd_epi16(_mm_unpackhi_epi16(a, b), pair[k]));
  }
  return _mm_packs_epi32(_mm_srai_epi32(low, shift), _mm_srai_epi32(high, shift));
}
INLINE __m256i filter_16(const int16_t *q, int step, const __m128i *pair, __m128i round, int shift) {
  __m256i low = _mm256_broadcastsi128_si256(round), high = low;
  for (int k = 0; k < 4; k++, q += 2 * step) {
    const __m256i a = _mm256_loadu_si256((const __m256i *)q), b = _mm256_loadu_si256((const __m256i *)(q + step)), t = _mm256_broadcastsi128_si256(pair[k]);
    low = _mm256_add_epi32(low, _mm256_madd_epi16(_mm256_unpacklo_epi16(a, b), t));
    high = _mm256_add_epi32(high, _mm256_madd_epi16(_mm256_unpackhi_epi16(a, b), t));
  }
  return _mm256_packs_epi32(_mm256_srai_epi32(low, shift), _mm256_srai_epi32(high, shift));
}
#endif
/* out[i] = (sum of t[k] * q[i + k * step] + half) >> shift for i < n, which is 1, 4, 8, 16 or 32; no sum leaves 16 bits. */
INLINE void filter_row(const int16_t *q, int step, const int16_t *t, int n, int shift, int16_t *out) {
#ifdef HYBRID_AVX2
  if (n >= 4) {
    __m128i pair[4];
    const __m128i round = _mm_set1_epi32(1 << (shift - 1));
    for (int k = 0; k < 4; k++) pair[k] = _mm_set1_epi32((uint16_t)t[2 * k] | (uint32_t)(uint16_t)t[2 * k + 1] << 16);
    if (n >= 16) for (int i = 0; i < n; i += 16) _mm256_storeu_si256((__m256i *)(out + i), filter_16(q + i, step, pair, round, shift));
    else if (n == 8) _mm_storeu_si128((__m128i *)out, filter_8(q, step, pair, round, shift));
    else _mm_storel_epi64((__m128i *)out, filter_8(q, step, pair, round, shift));
    return;
  }
#endif
  for (int i = 0; i < n; i++) {
    int v = 1 << (shift - 1);
    for (int k = 0; k < 8; k++) v += t[k] * q[i + k * step];
    out[i] = v >> shift;
  }
}
static void compensate(const pel *ref, int stride, int sw, int sh, int x, int y, int w, int h, Vector mv, pel *out, int out_stride) {
  int x0 = clampi(x + (mv.x >> 2), 4 - PAD, sw + PAD - 5 - w), y0 = clampi(y + (mv.y >> 2), 4 - PAD, sh + PAD - 5 - h);
  const int fx = mv.x & 3, fy = mv.y & 3;
  const pel *p = ref + y0 * stride + x0;
  if (!fx && !fy) {
    for (int j = 0; j < h; j++) memcpy(out + j * out_stride, p + j * stride, w * sizeof(pel));
    return;
  }
  if (!fy) {
    for (int j = 0; j < h; j++) filter_row(p + j * stride - 3, 1, taps[fx], w, 6, out + j * out_stride);
    return;
  }
  int16_t mid[(32 + 8) * 32 + 8];
  const pel *top = p - 3 * stride;
  if (!fx) {
    for (int j = 0; j < h; j++) filter_row(top + j * stride, stride, taps[fy], w, 6, out + j * out_stride);
    return;
  }
  for (int j = 0; j < h + 7; j++) filter_row(top + j * stride - 3, 1, taps[fx], w, 3, mid + j * w);
  for (int j = 0; j < h; j++) filter_row(mid + j * w, w, taps[fy], w, 9, out + j * out_stride);
}

/* Compensation by a vector that changes over the block, sample by sample. (cx, cy): twice the centre of the unit. */
static void compensate_bent(const pel *ref, int stride, int sw, int sh, int x, int y, int w, int h, const Motion *m, int cx, int cy, pel *out) {
  for (int j = 0; j < h; j++) {
    const int dy = 2 * (y + j) + 1 - cy;
    int vx = m->mv[0].x * 512 + m->bend[0] * (2 * x + 1 - cx) + m->bend[1] * dy;
    int vy = m->mv[0].y * 512 + m->bend[2] * (2 * x + 1 - cx) + m->bend[3] * dy;
    for (int i = 0; i < w; i++, vx += 2 * m->bend[0], vy += 2 * m->bend[2]) {
      const int px = (vx + 64) >> 7, py = (vy + 64) >> 7; /* sixteenths */
      const int x0 = clampi(x + i + (px >> 4), 1 - PAD, sw + PAD - 3), y0 = clampi(y + j + (py >> 4), 1 - PAD, sh + PAD - 3);
      const int16_t *tx = cubic_taps + (px & 15) * 4, *ty = cubic_taps + (py & 15) * 4;
      const pel *p = ref + (y0 - 1) * stride + x0 - 1;
      int sum = 0;
      for (int k = 0; k < 4; k++, p += stride) sum += ty[k] * (tx[0] * p[0] + tx[1] * p[1] + tx[2] * p[2] + tx[3] * p[3]);
      out[j * w + i] = (sum + 2048) >> 12;
    }
  }
}
/* The grid of bends of a block: an eighth of a sample at its border. */
INLINE int bend_unit(int log2n) { return 256 >> log2n; }
INLINE int is_bent(const Motion *m) { return (m->bend[0] | m->bend[1] | m->bend[2] | m->bend[3]) != 0; }

/* The samples w x h at (x, y) by the motion of a unit whose centre is (cx, cy) / 2. */
static void predict_inter(const State *s, const Motion *m, int c, int x, int y, int w, int h, int cx, int cy, pel *out) {
  const pel *first = plane(s, s->time - s->distance[m->ref[0]], c);
  if (is_bent(m)) compensate_bent(first, s->stride, s->w, s->h, x, y, w, h, m, cx, cy, out);
  else compensate(first, s->stride, s->w, s->h, x, y, w, h, m->mv[0], out, w);
  if (m->ref[1] < 0) return;
  pel other[1024];
  compensate(plane(s, s->time - s->distance[m->ref[1]], c), s->stride, s->w, s->h, x, y, w, h, m->mv[1], other, w);
  for (int i = 0; i < w * h; i++) out[i] = (out[i] + other[i] + 1) >> 1;
}

INLINE int same_motion(const Motion *a, const Motion *b) {
  if (a->ref[0] != b->ref[0] || a->ref[1] != b->ref[1] || a->mv[0].x != b->mv[0].x || a->mv[0].y != b->mv[0].y) return 0;
  if (memcmp(a->bend, b->bend, sizeof a->bend)) return 0;
  return a->ref[1] < 0 || (a->mv[1].x == b->mv[1].x && a->mv[1].y == b->mv[1].y);
}
static int add_candidate(Motion *list, int n, const Motion *m) {
  if (n >= MAX_MERGE) return n;
  for (int i = 0; i < n; i++) if (same_motion(list + i, m)) return n;
  list[n] = *m;
  return n + 1;
}
static int past_motion(const State *s, int x, int y, Motion *out) {
  if (x >= s->w || y >= s->h) return 0;
  const Cell *cell = s->past + (y >> 2) * s->cw + (x >> 2);
  if (cell->kind != INTER) return 0;
  *out = cell->motion;
  for (int k = 0; k < 2; k++)
    if (out->ref[k] >= 0) {
      int d = s->past_distance[out->ref[k]], found = 0;
      for (int r = 0; r < s->refs; r++) if (s->distance[r] == d) { found = r; break; }
      out->ref[k] = found;
    }
  return 1;
}
/* A neighbour's motion, its vector carried on to the centre (cx, cy) / 2 where it bends. */
static Motion carried_motion(const Cell *cell, int x, int y, int cx, int cy) {
  Motion m = cell->motion;
  if (!is_bent(&m)) return m;
  const int w = 1 << cell->lw, h = 1 << cell->lh;
  const int dx = cx - (2 * (x & -w) + w), dy = cy - (2 * (y & -h) + h);
  m.mv[0].x = clampi(m.mv[0].x + ((m.bend[0] * dx + m.bend[1] * dy + 256) >> 9), -8191, 8191);
  m.mv[0].y = clampi(m.mv[0].y + ((m.bend[2] * dx + m.bend[3] * dy + 256) >> 9), -8191, 8191);
  return m;
}
/* MAX_MERGE distinct motions, the likely ones first. */
static void merge_candidates(const State *s, int x, int y, int w, int h, Motion *list) {
  int n = 0;
  const int place[5][2] = {{x - 1, y + h - 1}, {x + w - 1, y - 1}, {x + w, y - 1}, {x - 1, y + h}, {x - 1, y - 1}};
  for (int i = 0; i < 5; i++) {
    const Cell *cell = coded_cell(s, place[i][0], place[i][1]);
    if (cell && cell->kind == INTER) {
      Motion moved = carried_motion(cell, place[i][0], place[i][1], 2 * x + w, 2 * y + h);
      n = add_candidate(list, n, &moved);
    }
  }
  Motion m;
  if (past_motion(s, x + w / 2, y + h / 2, &m)) n = add_candidate(list, n, &m);
  for (int i = 0; i < s->n_history; i++) n = add_candidate(list, n, s->history + i);
  for (int r = 0; n < MAX_MERGE; r++) {
    m = (Motion){{r < s->refs ? r : 0, -1}, {{r < s->refs ? 0 : r * 4, 0}, {0, 0}}, {0}};
    n = add_candidate(list, n, &m);
  }
}
static void remember_motion(State *s, const Motion *m) {
  int i = 0;
  while (i < s->n_history && !same_motion(s->history + i, m)) i++;
  if (i == s->n_history && s->n_history < 6) s->n_history++;
  if (i == 6) i = 5;
  for (; i > 0; i--) s->history[i] = s->history[i - 1];
  s->history[0] = *m;
}
/* The bend that an explicit one is coded against: of the first candidate that has one into this reference, or any. */
static void bend_prediction(const Motion *list, int ref, int lw, int lh, int16_t out[4]) {
  const Motion *best = NULL;
  for (int i = 0; i < MAX_MERGE; i++)
    if (is_bent(list + i) && (!best || (best->ref[0] != ref && list[i].ref[0] == ref))) best = list + i;
  for (int k = 0; k < 4; k++) {
    const int unit = bend_unit(k & 1 ? lh : lw);
    out[k] = best ? ((best->bend[k] + unit / 2) & -unit) : 0;
  }
}
/* Two predictions of a vector into reference `ref`: the first two different vectors of candidates that use it. */
static void vector_predictions(const State *s, const Motion *list, int ref, Vector out[2]) {
  int n = 0;
  for (int i = 0; i < MAX_MERGE && n < 2; i++)
    for (int k = 0; k < 2 && n < 2; k++)
      if (list[i].ref[k] == ref && (n == 0 || out[0].x != list[i].mv[k].x || out[0].y != list[i].mv[k].y)) out[n++] = list[i].mv[k];
  for (int i = 0; i < MAX_MERGE && n < 2; i++) {
    int num = s->distance[ref], den = s->distance[list[i].ref[0]];
    if (den == num) continue;
    Vector v = list[i].mv[0];
    if (n == 0 || out[0].x != v.x || out[0].y != v.y) out[n++] = v;
  }
  while (n < 2) out[n++] = (Vector){0, 0};
}
#endif
