/* The encoder's search for 8x8 squares of a picture anywhere in another one, by successive elimination.
 *
 * No two squares differ by less than the sums of their samples do, so most places need one comparison. Source: Li and
 * Salari 1995. Motion takes it for squares that the search around likely vectors leaves badly predicted: what jumps, or
 * comes back elsewhere. Nothing here is part of the format.
 */
#ifndef LVC_HYBRID_FULL_SEARCH_H
#define LVC_HYBRID_FULL_SEARCH_H
#include "hybrid_search.h"

/* Absolute difference of two squares of 8x8, or anything of at least `most`. */
INLINE int square_error(const pel *a, int sa, const pel *b, int sb, int most) {
  int sum = 0;
  for (int j = 0; j < 8 && sum < most; j += 2)
    for (int k = j; k < j + 2; k++)
      for (int i = 0; i < 8; i++) sum += iabs(a[k * sa + i] - b[k * sb + i]);
  return sum;
}
/* Sums over the 8x8 samples from each place on, [h][w], where they are inside. */
static void sum_squares(const pel *p, int stride, int w, int h, int32_t *sums) {
  for (int y = 0; y <= h - 8; y++) {
    int32_t *out = sums + (size_t)y * w;
    for (int x = 0; x < w; x++) { int v = 0; for (int j = 0; j < 8; j++) v += p[(size_t)(y + j) * stride + x]; out[x] = v; }
    for (int x = 0; x <= w - 8; x++) { int v = 0; for (int i = 0; i < 8; i++) v += out[x + i]; out[x] = v; }
  }
}
/* How a frame's searches in one reference went: where few help, the rest is left out. */
typedef struct { int tried, helped; } SearchRecord;

/* Looks for the source's square at (x, y) all over luma `ref`, whose sums are in e->sums; better than what is found. */
static void search_everywhere(const Encoder *e, const pel *ref, int x, int y, Found *best, SearchRecord *record) {
  const State *s = &e->s;
  const pel *src = source_at(e, 0, x, y);
  const int before = best->cost;
  int sum = 0, most = before * 7 / 8 - 16; /* a vector like its neighbours' costs less */
  if (before <= 64 * 8 || (record->tried >= 32 && record->helped * 8 < record->tried)) return;
  for (int j = 0; j < 8; j++) for (int i = 0; i < 8; i++) sum += src[j * s->w + i];
  for (int sy = 0; sy <= s->h - 8 && most > 64; sy++)
    for (int sx = 0; sx <= s->w - 8; sx++) {
      if (iabs(e->sums[(size_t)sy * s->w + sx] - sum) >= most) continue;
      int cost = square_error(src, s->w, ref + sy * s->stride + sx, s->stride, most);
      if (cost < most) { most = cost; best->cost = cost; best->mv = (Vector){sx - x, sy - y}; }
    }
  record->tried++;
  record->helped += best->cost * 2 < before;
}
#endif
