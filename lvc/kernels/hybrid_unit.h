/* The encoder's choice of a unit: skip, merge, motion, intra modes, transforms, by rate and distortion.
 */
#ifndef LVC_HYBRID_UNIT_H
#define LVC_HYBRID_UNIT_H
#include "hybrid_copy_search.h"
#include "hybrid_motion.h"
#include "hybrid_residual.h"

/* The best unit for a block; its reconstruction and cells are left in the picture. Returns its cost. */
static double search_unit(Encoder *e, int x, int y, int lw, int lh, Plan *out) {
  State *s = &e->s;
  const int w = 1 << lw, h = 1 << lh, n = w * h;
  const Knobs *k = &e->k;
  int qi;
  const double weight = weight_at(e, x, y, w, h, &qi), lambda = e->lambda, root = sqrt(lambda / weight);
  Patch best_patch, pred;
  int16_t store[2][3][1024];
  int16_t *level[3] = {store[0][0], store[0][1], store[0][2]}, *best_level[3] = {store[1][0], store[1][1], store[1][2]};
  Unit best_unit = {0};
  double best = 1e300;
#define KEEP(unit, J) { best = J; best_unit = unit; save_patch(s, &best_patch, x, y, w, h); \
    for (int c_ = 0; c_ < 3; c_++) { int16_t *t_ = level[c_]; level[c_] = best_level[c_]; best_level[c_] = t_; } }
  int64_t skip_error = 0;
  int bending = 0;
  double inter_cost = 0;          /* Hadamard, of the best motion */
  if (s->refs) {
    Motion list[MAX_MERGE];
    merge_candidates(s, x, y, w, h, list);
    Choice choice[4];
    int n_choice = 0, n_merge = 0;
    Choice merges[3];
    /* skip */
    Unit skip = {0};
    skip.kind = INTER; skip.skip = skip.merge = 1;
    Choice order[MAX_MERGE];
    int n_order = 0;
    for (int i = 0; i < MAX_MERGE; i++) {
      Unit u = skip;
      u.merge_index = i; u.motion = list[i];
      predict_inter(s, list + i, 0, x, y, w, h, 2 * x + w, 2 * y + h, pred.px[0]);
      n_order = insert_choice(order, n_order, k->merges, &u, hadamard_error(source_at(e, 0, x, y), s->w, pred.px[0], w, w, h) + root * (i + 1));
    }
    for (int i = 0; i < n_order; i++) {
      Unit u = order[i].u;
      int64_t error = 0;
      for (int c = 0; c < 3; c++) {
        predict_inter(s, &u.motion, c, x, y, w, h, 2 * x + w, 2 * y + h, pred.px[c]);
        error += squared_error(source_at(e, c, x, y), s->w, pred.px[c], w, w, h);
        if (error * weight >= best) break;
      }
      double J = error * weight >= best ? 1e300 : error * weight + lambda * mode_bits(e, &u, x, y, lw, lh);
      if (J < best) {
        for (int c = 0; c < 3; c++) {
          pel *p = current(s, c) + y * s->stride + x;
          for (int j = 0; j < h; j++) memcpy(p + j * s->stride, pred.px[c] + j * w, w * sizeof(pel));
        }
        skip_error = error;
        KEEP(u, J)
      }
      u.skip = 0;
      n_merge = insert_choice(merges, n_merge, 2, &u, order[i].cost);
    }
    if (skip_error * 12 > (int64_t)n * step_table[qi] * step_table[qi] / 64 / 8 || skip_error > 4 * n) {
      for (int i = 0; i < n_merge; i++) n_choice = insert_choice(choice, n_choice, 4, &merges[i].u, merges[i].cost);
      Choice singles[4], whole[4];
      int n_single = 0, n_whole = 0;
      for (int r = 0; r < s->refs; r++) {
        Vector p[2], starts[8];
        int at = 0;
        vector_predictions(s, list, r, p);
        starts[at++] = p[0]; starts[at++] = p[1];
        const Found *f8 = e->field8 + r * e->bw * e->bh * 4, *f16 = e->field + r * e->bw * e->bh;
        Vector f = f16[((y + h / 2) >> 4) * e->bw + ((x + w / 2) >> 4)].mv; starts[at++] = (Vector){f.x * 4, f.y * 4};
        f = f8[(y >> 3) * e->bw * 2 + (x >> 3)].mv; starts[at++] = (Vector){f.x * 4, f.y * 4};
        f = f8[((y + h / 2) >> 3) * e->bw * 2 + ((x + w / 2) >> 3)].mv; starts[at++] = (Vector){f.x * 4, f.y * 4};
        starts[at++] = (Vector){0, 0};
        Unit u = {0};
        u.kind = INTER;
        u.motion.ref[0] = r; u.motion.ref[1] = -1;
        double cost = search_whole(e, r, x, y, w, h, starts, at, p, root, &u.motion.mv[0]) + root * (r + 2);
        n_whole = insert_choice(whole, n_whole, k->whole, &u, cost);
      }
      for (int i = 0; i < n_whole; i++) {
        if (i && whole[i].cost > 1.4 * whole[0].cost) break;
        Unit u = whole[i].u;
        Vector p[2];
        int r = u.motion.ref[0];
        vector_predictions(s, list, r, p);
        double cost = search_fraction(e, r, x, y, w, h, p, root, &u.motion.mv[0]) + root * (r + 2);
        set_predicted(&u, p, 0);
        n_single = insert_choice(singles, n_single, 3, &u, cost);
      }
      for (int i = 0; i < imin(n_single, k->singles); i++) n_choice = insert_choice(choice, n_choice, 4, &singles[i].u, singles[i].cost);
      bending = n_single && k->bends && lw + lh >= k->bend_least && !(s->cfg.without & TOOL_BEND) && singles[0].cost > root * 8 + n / 2 && is_worth(e, BENDING);
      if (bending) {
        for (int i = 0; i < imin(k->bends, n_single); i++)
          for (int from = 0; from < 2; from++) {
            Unit u = singles[i].u;
            Vector p[2];
            if (from) field_bend(e, u.motion.ref[0], x, y, w, h, &u.motion);
            if (from && !is_bent(&u.motion)) continue;
            double cost = search_bend(e, x, y, lw, lh, list, root, &u.motion);
            vector_predictions(s, list, u.motion.ref[0], p);
            set_predicted(&u, p, 0);
            cost += root * (u.motion.ref[0] + 3 + vector_bits(p[u.mvp[0]], u.motion.mv[0]));
            if (is_bent(&u.motion)) n_choice = insert_choice(choice, n_choice, 4, &u, cost);
          }
      }
      if (n_single > 1 && k->bi && !(s->cfg.without & TOOL_BI)) {
        for (int i = 1; i < imin(n_single, k->bi + 1); i++) {
          Unit u = singles[0].u;
          u.bi = 1;
          u.motion.ref[1] = singles[i].u.motion.ref[0];
          u.motion.mv[1] = singles[i].u.motion.mv[0];
          u.mvp[1] = singles[i].u.mvp[0];
          double cost = predict_cost(e, &u.motion, x, y, w, h) + root * (vector_bits((Vector){0, 0}, (Vector){8, 8}) + 6);
          n_choice = insert_choice(choice, n_choice, 4, &u, cost);
        }
      }
      if (n_choice) inter_cost = choice[0].cost;
      for (int i = 0; i < imin(k->inter, n_choice); i++) {
        if (i && choice[i].cost > choice[0].cost * 1.25) break;
        Unit u = choice[i].u;
        for (int c = 0; c < 3; c++) predict_inter(s, &u.motion, c, x, y, w, h, 2 * x + w, 2 * y + h, pred.px[c]);
        double J = lambda * mode_bits(e, &u, x, y, lw, lh);
        if (J >= best) continue;
        J += try_residual(e, &u, x, y, lw, lh, &pred, level, best - J, 1);
        if (J < best) KEEP(u, J)
      }
    }
  }
  /* intra */
  if (!s->refs || skip_error > n) {
    Choice modes[4];
    int n_modes = 0;
    Edge edge;
    gather_edge(s, &edge, 0, x, y, w, h);
    uint64_t tried = 0;
    for (int pass = 0; pass < 4; pass++) {
      int centre = n_modes ? modes[0].u.mode : 0;
      if (pass == 1 && k->angles && inter_cost && modes[0].cost * 8 > inter_cost * k->angles) break;
      if (pass > 1 && centre < 3) break;
      for (int m = 0; m < MODES; m++) {
        if (tried >> m & 1) continue;
        if (pass > 1 ? iabs(m - centre) != 4 - pass : pass ? (m - 3) % 4 : m >= 3) continue;
        tried |= 1ull << m;
        pel p[1024];
        predict_intra(&edge, p, m, lw, lh, !(s->cfg.without & TOOL_CUBIC));
        Unit u = {0};
        u.kind = INTRA; u.mode = m;
        u.motion.ref[0] = u.motion.ref[1] = -1;
        double cost = hadamard_error(source_at(e, 0, x, y), s->w, p, w, w, h);
        if (m > 2) cost += root * 2;
        n_modes = insert_choice(modes, n_modes, 4, &u, cost);
      }
    }
    for (int i = 0; i < imin(s->refs ? k->intra : k->intra_key, n_modes); i++) {
      Unit u = modes[i].u;
      const double J = try_intra(e, &u, x, y, lw, lh, level, best, 1);
      if (J < best) KEEP(u, J)
    }
  }
  const int copying = (!s->refs || skip_error > n) && best > 8 * lambda && !(s->cfg.without & TOOL_COPY) && (!s->refs || is_worth(e, COPYING));
  if (copying) {
    Choice copies[2];
    const int n_copies = find_copies(e, x, y, lw, lh, root, copies);
    for (int i = 0; i < imin(n_copies, k->copies); i++) {
      Unit u = copies[i].u;
      double J = lambda * mode_bits(e, &u, x, y, lw, lh);
      if (J >= best) continue;
      J += try_residual(e, &u, x, y, lw, lh, NULL, level, best - J, 1);
      if (J < best) KEEP(u, J)
    }
  }
  if (k->types > 1 && (best_unit.cbf & 1) && lw < 5 && lh < 5) { /* other transforms */
    Unit u = best_unit;
    if (u.kind == INTER) for (int c = 0; c < 3; c++) predict_inter(s, &u.motion, c, x, y, w, h, 2 * x + w, 2 * y + h, pred.px[c]);
    double J = lambda * mode_bits(e, &u, x, y, lw, lh);
    J += try_residual(e, &u, x, y, lw, lh, u.kind == INTER ? &pred : NULL, level, best - J, k->types);
    if (J < best) KEEP(u, J)
  }
  if (bending) note_use(e, BENDING, best_unit.kind == INTER && is_bent(&best_unit.motion) && !best_unit.merge);
  if (copying && s->refs) note_use(e, COPYING, best_unit.kind == INTRA && best_unit.copy);
  load_patch(s, &best_patch, x, y, w, h);
  uint8_t amount[3];
  for (int c = 0; c < 3; c++) amount[c] = best_unit.cbf >> c & 1 ? amount_of(best_level[c], n) : 0;
  fill_cells(s, &best_unit, x, y, lw, lh, amount);
  if (best_unit.kind == INTER) remember_motion(s, &best_unit.motion);
  out->splits = 0; out->units = 1; out->used = n;
  best_unit.x = x; best_unit.y = y; best_unit.lw = lw; best_unit.lh = lh;
  out->unit[0] = best_unit;
  for (int c = 0; c < 3; c++) if (best_unit.cbf >> c & 1) memcpy(out->level[c], best_level[c], n * sizeof(int16_t)); else memset(out->level[c], 0, n * sizeof(int16_t));
  return best;
}
#endif
