/* Copying within the frame: a unit's prediction is what lies a whole vector away in the part already coded, before filters.
 *
 * The vector is one of those of the copied units around, or the difference to the first of them. Source: intra block
 * copy of HEVC-SCC (Xu et al. 2016) and AV1.
 */
#ifndef LVC_HYBRID_COPY_H
#define LVC_HYBRID_COPY_H
#include "hybrid_entropy.h"

enum { COPIED = 36, MAX_COPIES = 4 }; /* the mode of a copied unit; candidates for its vector */

INLINE int is_copied(const Cell *cell) { return cell && cell->kind == INTRA && cell->mode == COPIED; }
/* Whether the unit at (ux, uy) may copy the rectangle: all of it is in the picture, coded, and in tree blocks that lie to
   the right by no more than they lie above, so that rows of tree blocks can be searched side by side. */
static int can_copy(const State *s, int ux, int uy, int x, int y, int w, int h) {
  if (x < 0 || y < 0 || x + w > s->w || y + h > s->h) return 0;
  const int above = uy / TREE - (y + h - 1) / TREE, right = (x + w - 1) / TREE - ux / TREE;
  if (above < 0 || right > above) return 0;
  if (above) return 1;
  for (int j = y >> 2; j <= (y + h - 1) >> 2; j++)
    for (int i = x >> 2; i <= (x + w - 1) >> 2; i++)
      if (!s->cells[j * s->cw + i].kind) return 0;
  return 1;
}
/* Copies w x h samples into out; 0 where there are none to copy, and out is left as it is. */
static int copy_samples(const State *s, int c, int x, int y, int w, int h, Vector v, pel *out) {
  if (!can_copy(s, x, y, x + v.x, y + v.y, w, h)) return 0;
  const pel *p = current(s, c) + (y + v.y) * s->stride + x + v.x;
  for (int j = 0; j < h; j++) memcpy(out + j * w, p + j * s->stride, w * sizeof(pel));
  return 1;
}
/* Vectors of the copied units around that can be used here, the likely ones first; their number. */
static int copy_candidates(const State *s, int x, int y, int w, int h, Vector *list) {
  const int place[5][2] = {{x - 1, y + h - 1}, {x + w - 1, y - 1}, {x - 1, y}, {x, y - 1}, {x + w, y - 1}};
  int n = 0;
  for (int i = 0; i < 5 && n < MAX_COPIES; i++) {
    const Cell *cell = coded_cell(s, place[i][0], place[i][1]);
    if (!is_copied(cell)) continue;
    const Vector v = cell->motion.mv[0];
    int known = 0;
    for (int k = 0; k < n; k++) known |= list[k].x == v.x && list[k].y == v.y;
    if (!known && can_copy(s, x, y, x + v.x, y + v.y, w, h)) list[n++] = v;
  }
  return n;
}
#endif
