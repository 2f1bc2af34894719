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
  if (!outside) {
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
  if (!outside) {
    if (lw == 2 && lh == 2) return best;
    if (binary) return best;
    KEEP_NODE
    const Unit *u = out->unit;
    if (u->skip && e->o.effort < 3) {
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
    if (how != SPLIT_QUAD && e->o.effort < 1 ) continue;
    if (how != SPLIT_QUAD && quad_J > none_J * 1.3) continue; /* nothing calls for smaller blocks */
    if (how != SPLIT_QUAD && quad_J < none_J * (lw > 3 ? 0.8 : 0.6)) continue; /* much smaller ones are better */
    if (how == SPLIT_QUAD && lw == 2) continue;
    clear_cells(s, x, y, w, h);
    memcpy(s->history, history, sizeof history); s->n_history = n_history;
    double J = e->lambda * split_bits(e, x, y, lw, lh, binary, how);
    trial.splits = 1; trial.units = trial.used = 0; trial.split[0] = how;
    int dw = how != SPLIT_ROWS, dh = how != SPLIT_COLUMNS;
    for (int j = 0; j <= dh && J < best; j++)
      for (int i = 0; i <= dw && J < best; i++) {
        int cx = x + (i << (lw - 1)), cy = y + (j << (lh - 1));
        if (cx >= s->w || cy >= s->h) continue;
        J += search_node(e, cx, cy, lw - dw, lh - dh, how != SPLIT_QUAD, &child);
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
