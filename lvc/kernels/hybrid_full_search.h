/* The encoder's search for 8x8 squares of a picture anywhere in another one, by successive elimination.
 *
 * No two squares differ by less than the sums of their quarters do, so most places need no comparison of samples. Source:
 * Li and Salari 1995, with four sums a square as Gao, Duanmu and Zou 2000. Motion takes it for squares that the search
 * around likely vectors leaves badly predicted: what jumps, or comes back elsewhere. Nothing here is part of the format.
 */
#ifndef LVC_HYBRID_FULL_SEARCH_H
#define LVC_HYBRID_FULL_SEARCH_H
#include "hybrid_search.h"

/* Sums over the 4x4 samples from each place on, [h][sums_stride(w)], where they are inside; 0 elsewhere. */
INLINE int sums_stride(int w) { return w + 32; }
INLINE size_t sums_size(int w, int h) { return (size_t)sums_stride(w) * h + 64; }
static void sum_squares(const pel *p, int stride, int w, int h, int16_t *sums) {
  const int ss = sums_stride(w);
  memset(sums, 0, (size_t)h * ss * sizeof(int16_t));
  for (int y = 0; y <= h - 4; y++) {
    const pel *q = p + (size_t)y * stride;
    int16_t *out = sums + (size_t)y * ss, column[8192 + 8];
    for (int x = 0; x < w; x++) column[x] = q[x] + q[stride + x] + q[2 * stride + x] + q[3 * stride + x];
    for (int x = 0; x <= w - 4; x++) out[x] = column[x] + column[x + 1] + column[x + 2] + column[x + 3];
  }
}
/* What squares at 32 places from `sums` on differ by at least, each in eighths. */
INLINE void least_differences(const int16_t *sums, int stride, const int16_t quarter[4], uint16_t least[32]) {
  const int16_t *a = sums, *b = sums + 4, *c = sums + 4 * stride, *d = c + 4;
  const int16_t q0 = quarter[0], q1 = quarter[1], q2 = quarter[2], q3 = quarter[3];
  for (int i = 0; i < 32; i++) {
    int16_t u = a[i] - q0, v = b[i] - q1, w = c[i] - q2, z = d[i] - q3;
    u = u < 0 ? -u : u; v = v < 0 ? -v : v; w = w < 0 ? -w : w; z = z < 0 ? -z : z;
    least[i] = ((uint16_t)u >> 3) + ((uint16_t)v >> 3) + ((uint16_t)w >> 3) + ((uint16_t)z >> 3);
  }
}
/* Whether any of the 32 is less. */
INLINE int any_less(const uint16_t v[32], int most) {
  const uint16_t limit = imin(65535, most);
  uint16_t found[32];
  uint64_t words[8], any = 0;
  for (int i = 0; i < 32; i++) found[i] = v[i] < limit ? 65535 : 0;
  memcpy(words, found, sizeof found);
  for (int i = 0; i < 8; i++) any |= words[i];
  return any != 0;
}
INLINE void quarters_of(const int16_t *sums, int stride, int16_t out[4]) {
  out[0] = sums[0]; out[1] = sums[4]; out[2] = sums[4 * stride]; out[3] = sums[4 * stride + 4];
}
/* How a frame's searches in one reference went: where few help, the rest is left out. */
typedef struct { int tried, helped; } SearchRecord;

/* Looks for the source's square at (x, y) all over luma `ref`, which has these sums; better than what is found. */
static void search_everywhere(const Encoder *e, const pel *ref, const int16_t *sums, int x, int y, Found *best, SearchRecord *record) {
  const State *s = &e->s;
  const pel *src = source_at(e, 0, x, y);
  const int before = best->cost, ss = sums_stride(s->w);
  int most = before * 7 / 8 - 16; /* a vector like its neighbours' costs less */
  if (before <= 64 * 8 || (record->tried >= 32 && record->helped * 8 < record->tried)) return;
  int16_t quarter[4];
  quarters_of(e->source_sums + (size_t)y * ss + x, ss, quarter);
  for (int sy = 0; sy <= s->h - 8 && most > 64; sy++)
    for (int sx = 0; sx <= s->w - 8; sx += 32) {
      uint16_t least[32];
      least_differences(sums + (size_t)sy * ss + sx, ss, quarter, least);
      if (!any_less(least, (most + 11) / 12)) continue;
      for (int i = 0; i < imin(32, s->w - 7 - sx); i++) {
        if (least[i] * 12 >= most) continue;
        int cost = square_error(src, s->w, ref + sy * s->stride + sx + i, s->stride, most);
        if (cost < most) { most = cost; best->cost = cost; best->mv = (Vector){sx + i - x, sy - y}; }
      }
    }
  record->tried++;
  record->helped += best->cost * 2 < before;
}
#endif
