/* The encoder's search for what a unit could be copied from.
 *
 * Each 8x8 square of the source is compared with all places coded before it, once a frame and where a unit asks for it;
 * units try the vectors of their squares and of their neighbours. Nothing here is part of the format.
 */
#ifndef LVC_HYBRID_COPY_SEARCH_H
#define LVC_HYBRID_COPY_SEARCH_H
#include "hybrid_motion.h"
#include "hybrid_residual.h"

static const Found *find_copy(Encoder *e, int bx, int by) {
  const State *s = &e->s;
  Found *f = e->copied + by * e->bw * 2 + bx;
  if (f->cost >= 0) return f;
  const int x = imin(bx * 8, s->w - 8), y = imin(by * 8, s->h - 8), tx = x & -TREE, ty = y & -TREE;
  const pel *src = source_at(e, 0, x, y);
  f->cost = 8 * 8 * 24;
  f->mv = (Vector){0, 0};
  const int ss = sums_stride(s->w);
  int16_t quarter[4];
  quarters_of(e->source_sums + (size_t)y * ss + x, ss, quarter);
  for (int sy = imin(s->h - 8, ty + TREE - 8); sy >= imax(0, y - 96) && f->cost > 32; sy--)
    for (int sx = 0; sx <= s->w - 8; sx += 32) {
      uint16_t least[32];
      least_differences(e->source_sums + (size_t)sy * ss + sx, ss, quarter, least);
      if (!any_less(least, (f->cost + 11) / 12)) continue;
      for (int i = 0; i < imin(32, s->w - 7 - sx); i++) {
        const int px = sx + i;
        if (least[i] * 12 >= f->cost) continue;
        if ((px + 7 >= tx + TREE || sy + 8 > ty) && !can_copy(s, x, y, px, sy, 8, 8)) continue;
        int cost = square_error(src, s->w, source_at(e, 0, px, sy), s->w, f->cost);
        if (cost < f->cost) { f->cost = cost; f->mv = (Vector){px - x, sy - y}; }
      }
    }
  return f;
}
/* Up to two units that copy, the better first; their number. */
static int find_copies(Encoder *e, int x, int y, int lw, int lh, double root, Choice *out) {
  State *s = &e->s;
  const int w = 1 << lw, h = 1 << lh;
  Vector list[MAX_COPIES + 8];
  int n = copy_candidates(s, x, y, w, h, list), around = n, found = 0;
  const int at[4][2] = {{x, y}, {x + w - 1, y}, {x, y + h - 1}, {x + w - 1, y + h - 1}};
  for (int i = 0; i < (lw + lh > 6 ? 4 : 1); i++) {
    const Found *f = find_copy(e, at[i][0] >> 3, at[i][1] >> 3);
    int known = f->mv.x == 0 && f->mv.y == 0;
    for (int k = 0; k < n; k++) known |= list[k].x == f->mv.x && list[k].y == f->mv.y;
    if (!known) list[n++] = f->mv;
  }
  for (int i = 0; i < n; i++) {
    pel pred[1024];
    if (!copy_samples(s, 0, x, y, w, h, list[i], pred)) continue;
    Unit u = {0};
    u.kind = INTRA; u.copy = 1; u.copy_index = imin(i, around); u.mode = COPIED;
    u.motion.ref[0] = u.motion.ref[1] = -1;
    u.motion.mv[0] = list[i];
    double bits = i < around ? 2 + i : 2 + vector_bits(around ? list[0] : (Vector){0, 0}, list[i]);
    double cost = hadamard_error(source_at(e, 0, x, y), s->w, pred, w, w, h) + root * bits;
    found = insert_choice(out, found, 2, &u, cost);
  }
  return found;
}
#endif
