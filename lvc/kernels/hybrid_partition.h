/* The encoder's choice of splits: each node as one unit against its parts.
 */
#ifndef LVC_HYBRID_PARTITION_H
#define LVC_HYBRID_PARTITION_H
#include "hybrid_unit.h"

static void append_plan(Plan *a, const Plan *b) {
  memcpy(a->split + a->splits, b->split, b->splits);
  memcpy(a->unit + a->units, b->unit, b->units * sizeof(Unit));
  for (int c = 0; c < 3; c++) memcpy(a->level[c] + a->used, b->level[c], b->used * sizeof(int16_t));
  a->splits += b->splits; a->units += b->units; a->used += b->used;
}

/* Whether the squares of 8x8 in a block move as one: errors of the best single vector, and of the squares' own, in *parts. */
static int single_vector(const Encoder *e, int x, int y, int w, int h, int *parts) {
  const State *s = &e->s;
  const int w8 = e->bw * 2, n8 = w8 * e->bh * 2;
  int whole = 1 << 30;
  struct { int r; Vector v; } tried[5];
  int n = 0;
  *parts = 0;
  for (int j = y >> 3; j < (y + h) >> 3; j++)
    for (int i = x >> 3; i < (x + w) >> 3; i++) {
      const Found *f = e->field8 + j * w8 + i;
      int least = f->cost, r = 0;
      for (int k = 1; k < s->refs; k++) if (f[k * n8].cost < least) { least = f[k * n8].cost; r = k; }
      *parts += least;
      if ((i & ((w >> 4) - 1)) != (w >> 5) || (j & ((h >> 4) - 1)) != (h >> 5)) continue; /* one square of each quarter */
      int known = 0;
      for (int k = 0; k < n; k++) known |= tried[k].r == r && tried[k].v.x == f[r * n8].mv.x && tried[k].v.y == f[r * n8].mv.y;
      if (!known && n < 5) { tried[n].r = r; tried[n++].v = f[r * n8].mv; }
    }
  for (int k = 0; k < n; k++) {
    const pel *ref = plane(s, s->time - s->distance[tried[k].r], 0);
    const int xx = clampi(x + tried[k].v.x, 4 - PAD, s->w + PAD - 5 - w), yy = clampi(y + tried[k].v.y, 4 - PAD, s->h + PAD - 5 - h);
    whole = imin(whole, absolute_error(source_at(e, 0, x, y), s->w, ref + yy * s->stride + xx, s->stride, w, h));
  }
  return whole;
}

/* Which split in two is likelier: by whether the source changes more from row to row or from column to column. */
static int likelier_split(const Encoder *e, int x, int y, int w, int h) {
  int across = 0, down = 0;
  for (int j = 0; j < h; j++) {
    const pel *p = source_at(e, 0, x, y + j), *q = source_at(e, 0, x, y + (j ? j - 1 : 0));
    for (int i = 0; i < w; i++) { down += iabs(p[i] - q[i]); across += iabs(p[i] - p[i ? i - 1 : 0]); }
  }
  return down * w > across * h ? SPLIT_ROWS : SPLIT_COLUMNS;
}

static double split_bits(Encoder *e, int x, int y, int lw, int lh, int binary, int how) {
  Coder *c = &e->s.c;
  uint64_t at = c->cost;
  code_split(&e->s, c, x, y, lw, lh, binary, how);
  return count_bits(at, c);
}

static double search_node(Encoder *e, int x, int y, int lw, int lh, int binary, Plan *out) {
  State *s = &e->s;
  const int w = 1 << lw, h = 1 << lh, outside = x + w > s->w || y + h > s->h;
  double best = 1e300;
  Motion history[6]; int n_history = s->n_history;
  memcpy(history, s->history, sizeof history);
  int together = 0, differ = 0;
  if (!outside && s->refs && lw == lh && lw > 3 && (e->k.differ || e->k.agree)) {
    int qi, parts;
    const double root = sqrt(e->lambda / weight_at(e, x, y, w, h, &qi));
    const int whole = single_vector(e, x, y, w, h, &parts);
    differ = e->k.differ && whole * 8 > parts * e->k.differ + root * 64 * (lw > 4 ? 2 : 1);
    together = e->k.agree && whole * 8 <= parts * e->k.agree + root * 64;
  }
  if (!outside && !differ) {
    double bits = split_bits(e, x, y, lw, lh, binary, SPLIT_NONE);
    best = e->lambda * bits + search_unit(e, x, y, lw, lh, out);
    memmove(out->split + 1, out->split, out->splits);
    out->split[0] = SPLIT_NONE; out->splits++;
  }
  Patch patch;
  Cell cells[64];
  Motion best_history[6]; int best_n = s->n_history;
  memcpy(best_history, s->history, sizeof history);
  const int wc = imin(w, s->w - x) >> 2, hc = imin(h, s->h - y) >> 2;
#define KEEP_NODE { save_patch(s, &patch, x, y, w, h); for (int j_ = 0; j_ < hc; j_++) memcpy(cells + j_ * 8, cell_at(s, x, y) + j_ * s->cw, wc * sizeof(Cell)); \
    memcpy(best_history, s->history, sizeof history); best_n = s->n_history; }
  if (!outside && !differ) {
    if (lw == 2 && lh == 2) return best;
    if (binary && binary >= e->k.binary) return best;
    KEEP_NODE
    if (best < e->k.stop * e->lambda || together) return best;
    const Unit *u = out->unit;
    if (u->skip) {
      int64_t err = 0;
      for (int c = 0; c < 3; c++) err += squared_error(source_at(e, c, x, y), s->w, current(s, c) + y * s->stride + x, s->stride, w, h);
      if (err * 64 * 14 < (int64_t)w * h * step_table[s->qi] * step_table[s->qi]) return best;
    }
  }
  Plan trial, child;
  double none_J = best, quad_J = best;
  for (int k = 0; k < 3; k++) {
    static const uint8_t order[3] = {SPLIT_QUAD, SPLIT_ROWS, SPLIT_COLUMNS};
    int how = order[k];
    if (outside ? how != SPLIT_QUAD : !can_split(s, lw, lh, binary, how)) continue;
    if (how != SPLIT_QUAD && binary >= e->k.binary) continue;
    if (how != SPLIT_QUAD && quad_J > none_J * 1.3) continue; /* nothing calls for smaller blocks */
    if (how != SPLIT_QUAD && quad_J < none_J * (lw > 3 ? 0.8 : 0.6)) continue; /* much smaller ones are better */
    if (how == SPLIT_QUAD && lw == 2) continue;
    if (how != SPLIT_QUAD && e->k.directions == 1 && how != likelier_split(e, x, y, w, h)) continue;
    clear_cells(s, x, y, w, h);
    memcpy(s->history, history, sizeof history); s->n_history = n_history;
    double J = e->lambda * split_bits(e, x, y, lw, lh, binary, how);
    trial.splits = 1; trial.units = trial.used = 0; trial.split[0] = how;
    int dw = how != SPLIT_ROWS, dh = how != SPLIT_COLUMNS;
    for (int j = 0; j <= dh && J < best; j++)
      for (int i = 0; i <= dw && J < best; i++) {
        int cx = x + (i << (lw - 1)), cy = y + (j << (lh - 1));
        if (cx >= s->w || cy >= s->h) continue;
        J += search_node(e, cx, cy, lw - dw, lh - dh, binary + (how != SPLIT_QUAD), &child);
        append_plan(&trial, &child);
      }
    if (how == SPLIT_QUAD) quad_J = J;
    if (J < best) {
      best = J;
      out->splits = out->units = out->used = 0;
      append_plan(out, &trial);
      KEEP_NODE
    }
  }
  clear_cells(s, x, y, w, h);
  load_patch(s, &patch, x, y, w, h);
  for (int j = 0; j < hc; j++) memcpy(cell_at(s, x, y) + j * s->cw, cells + j * 8, wc * sizeof(Cell));
  memcpy(s->history, best_history, sizeof history); s->n_history = best_n;
  return best;
}
#endif
