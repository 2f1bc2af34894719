/* Deblocking in the loop: a weak filter on the borders of units where the picture is smooth on both sides.
 *
 * Source: HEVC's normal filter (Norkin et al. 2012), on the finest grid of units, all planes alike.
 */
#ifndef LVC_HYBRID_FILTER_H
#define LVC_HYBRID_FILTER_H
#include "hybrid_inter.h"

INLINE int edge_strength(const Cell *p, const Cell *q) {
  if (p->kind == INTRA || q->kind == INTRA) return 2;
  if (p->cbf || q->cbf) return 1;
  return !same_motion(&p->motion, &q->motion);
}
INLINE void filter_edge(pel *p, int across, int along, int strength, int step) {
  const int beta = step >> 3, tc = imax(1, step * strength >> 7);
  pel *e = p + 3 * along;
  int d = iabs(p[-3 * across] - 2 * p[-2 * across] + p[-across]) + iabs(p[2 * across] - 2 * p[across] + p[0]) +
          iabs(e[-3 * across] - 2 * e[-2 * across] + e[-across]) + iabs(e[2 * across] - 2 * e[across] + e[0]);
  if (d >= beta) return;
  for (int i = 0; i < 4; i++, p += along) {
    int delta = (9 * (p[0] - p[-across]) - 3 * (p[across] - p[-2 * across]) + 8) >> 4;
    if (iabs(delta) >= 10 * tc) continue;
    delta = clampi(delta, -tc, tc);
    p[-across] += delta;
    p[0] -= delta;
  }
}
static void deblock_picture(const State *s) {
  for (int direction = 0; direction < 2; direction++)
    for (int y = direction ? 4 : 0; y < s->h; y += 4)
      for (int x = direction ? 0 : 4; x < s->w; x += 4) {
        const Cell *q = cell_at(s, x, y), *p = direction ? q - s->cw : q - 1;
        if (direction ? y & ((1 << q->lh) - 1) : x & ((1 << q->lw) - 1)) continue;
        int strength = edge_strength(p, q);
        if (!strength) continue;
        int step = (step_table[p->qi] + step_table[q->qi]) >> 1;
        for (int c = 0; c < 3; c++)
          filter_edge(current(s, c) + y * s->stride + x, direction ? s->stride : 1, direction ? 1 : s->stride, strength, step);
      }
}
#endif
