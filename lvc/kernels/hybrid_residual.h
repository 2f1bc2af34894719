/* The encoder's trials of a residual: quantisation by rate and distortion, transform types, what modes cost.
 */
#ifndef LVC_HYBRID_RESIDUAL_H
#define LVC_HYBRID_RESIDUAL_H
#include "hybrid_search.h"

/* Levels of one plane by rate-distortion: each coefficient against its neighbours below, then the last position. Whether
   any is not zero. */
static int quantise(const Encoder *e, const Block *b, const int32_t *coef, int16_t *level, double lambda) {
  const int w = 1 << b->lw, h = 1 << b->lh, n = w * h, ms = w + 2, step = b->step;
  const uint16_t *scan = scan_order + scan_offset[(b->lw - 2) * 4 + b->lh - 2];
  const Coder *c = &e->s.c;
  uint8_t mag[34 * 34];
  const float unit = 1 / 64.0f, bit = lambda / 4096;
  const uint16_t *sig = c->rates + 2 * elements[E_SIG].rate, *big = c->rates + 2 * elements[E_BIG].rate;
  const int rdo = !(e->s.cfg.without & TOOL_RDOQ);
  int last = -1;
  memset(level, 0, n * sizeof(int16_t));
  for (int i = n - 1; i >= 0 && last < 0; i--) if (iabs(coef[scan[i]]) * 2 > step) last = i;
  if (last < 0) return 0;
  memset(mag, 0, ms * (h + 2));
  float above = 0, best = 1e30f; /* gain of what lies above; the best of where the last is less that */
  int best_last = -1;
  for (int i = last; i >= 0; i--) {
    const int at = scan[i], x = at & (w - 1), y = at >> b->lw;
    uint8_t *m = mag + y * ms + x;
    const int near = m[1] + m[ms] + m[ms + 1] + m[2] + m[2 * ms];
    const uint32_t v0 = first_context(b->c, b->tx, x + y, near, 0);
    const int a = iabs(coef[at]);
    float gain = bit * sig[2 * v0];
    if (!rdo) {
      const int pick = (a + step / 3) / step;
      level[at] = coef[at] < 0 ? -pick : pick;
      if (pick && best_last < 0) { best_last = i; best = -1e30f; }
      continue;
    }
    if (a * 2 > step) {
      const int q = a / step;
      const float d0 = (float)a * a * unit, r1 = bit * (sig[2 * v0 + 1] + 4096);
      int pick = 0;
      float cost = d0 + gain;
      for (int k = imax(1, q); k <= q + 1; k++) {
        const float error = a - k * step, dd = error * error * unit;
        if (k > q && a - q * step < step / 4) break;
        const float r = r1 + bit * (k > 1 ? big[2 * v0 + 1] + 4000.0f * ilog2(k - 1) + 1800 : big[2 * v0]);
        if (dd + r < cost) { cost = dd + r; pick = k; }
      }
      gain = cost - d0;
      if (pick) {
        const float position = bit * 4096 * (1.0f + 1.1f * ilog2(i + 1));
        level[at] = coef[at] < 0 ? -pick : pick;
        *m = imin(pick, 4);
        if (position - above < best) { best = position - above; best_last = i; }
      }
    }
    above += gain;
  }
  /* `above` is the gain of all by now: of everything up to i it is that less what lies above i */
  if (best_last < 0 || best + above > 0) { if (rdo) memset(level, 0, n * sizeof(int16_t)); return best_last >= 0 && !rdo; }
  for (int i = last; i > best_last && rdo; i--) level[scan[i]] = 0;
  return 1;
}

static const uint8_t try_small[] = {0, 5, 15, 1, 4, 2, 8, 10, 6, 9, 3, 12};

/* A unit's trial: where it is, what its squares are worth, the prediction where it is not intra. */
typedef struct {
  Encoder *e;
  int x, y, lw, lh, qi, types;  /* types: transform types to try in luma */
  double weight, lambda;        /* of an error; per bit, over the weight */
  const Patch *inter;
} Trial;

/* Bits of one decision of a trial. */
static double flag_bits(Coder *c, const Block *b, Unit *u, int border, int cbf) {
  const uint64_t at = c->cost;
  code_cbf(c, b, u, border, cbf);
  return count_bits(at, c);
}
/* Codes one plane for trial: level, cbf and tx of the unit, reconstruction in the picture. Its D + lambda * R, not weighted. */
static double try_plane(const Trial *t, Unit *u, int c, int16_t *level[3]) {
  Encoder *e = t->e;
  State *s = &e->s;
  const int lw = t->lw, lh = t->lh, w = 1 << lw, h = 1 << lh, n = w * h;
  pel buffer[1024];
  const pel *pred = t->inter ? t->inter->px[c] : buffer, *src = source_at(e, c, t->x, t->y);
  if (!t->inter) predict_plane(s, u, c, t->x, t->y, lw, lh, buffer);
  Block b;
  survey_block(s, &b, u, c, t->x, t->y, lw, lh, pred);
  b.step = step_table[t->qi];
  int16_t res[1024];
  int64_t d_zero = 0;
  for (int j = 0; j < h; j++) {
    int32_t row = 0;
    for (int i = 0; i < w; i++) { int16_t v = src[j * s->w + i] - pred[j * w + i]; res[j * w + i] = v; row += v * v; }
    d_zero += row;
  }
  const int border = border_amount(&b, step_table[s->qi]);
  double best = d_zero + t->lambda * flag_bits(&s->c, &b, u, border, 0);
  int best_tx = 0, cbf = 0, surveyed = 0;
  if (d_zero * 4 > (int64_t)b.step * b.step / 64) { /* otherwise nothing can be worth a level */
    const double flag = t->lambda * flag_bits(&s->c, &b, u, border, 1);
    const int types = c || lw == 5 || lh == 5 ? 1 : t->types;
    for (int k = 0; k < types; k++) {
      int32_t coef[1024], back[1024];
      int16_t trial[1024];
      Block tried;
      int nx, ny;
      const int tx = c ? chroma_tx(u) : try_small[k];
      if ((s->cfg.without & TOOL_DST) && ((tx & 3) == 1 || (tx & 3) == 2 || (tx >> 2) == 1 || (tx >> 2) == 2)) continue;
      if ((s->cfg.without & TOOL_IDENTITY) && ((tx & 3) == 3 || (tx >> 2) == 3)) continue;
      forward_transform(res, coef, lw, lh, tx);
      b.tx = tx;
      if (!(s->trellis ? search_trellis(&s->c, &b, coef, trial, t->lambda) : quantise(e, &b, coef, trial, t->lambda))) continue;
      dequantise(&b, trial, back, &nx, &ny);
      double d = 0;
      for (int i = 0; i < n; i++) { const float v = coef[i] - back[i]; d += v * v; }
      double cost = d / 64 + flag;
      if (cost >= best) continue;
      if (!surveyed++) survey_spectrum(s, &b, pred);
      tried = b;
      survey_transform(&tried);
      tried.luma = c > 0 && (u->cbf & 1) ? level[0] : NULL;
      tried.first = c > 1 && (u->cbf & 2) ? level[1] : NULL;
      const uint64_t at = s->c.cost;
      if (!c) { u->tx = tx; code_tx(&s->c, &tried, u); }
      code_levels(&s->c, &tried, trial);
      cost += t->lambda * count_bits(at, &s->c);
      if (cost < best) { best = cost; best_tx = tx; cbf = 1; memcpy(level[c], trial, n * sizeof(int16_t)); }
    }
  }
  if (!c) u->tx = cbf ? best_tx : 0;
  u->cbf = (u->cbf & ~(1 << c)) | cbf << c;
  b.tx = best_tx;
  rebuild_plane(s, &b, cbf, t->x, t->y, pred, level[c]);
  return best;
}
static Trial begin_trial(Encoder *e, Unit *u, int x, int y, int lw, int lh, const Patch *inter, int types) {
  Trial t = {e, x, y, lw, lh, 0, types, 0, 0, inter};
  t.weight = weight_at(e, x, y, 1 << lw, 1 << lh, &t.qi);
  t.lambda = e->lambda / t.weight;
  u->qi = t.qi;
  u->cbf = u->tx = 0;
  return t;
}
/* Codes the unit's planes for trial. D * weight + lambda * R of the residual, or 1e300 from `limit` on. */
static double try_residual(Encoder *e, Unit *u, int x, int y, int lw, int lh, const Patch *inter, int16_t *level[3], double limit, int types) {
  const Trial t = begin_trial(e, u, x, y, lw, lh, inter, types);
  double total = 0;
  for (int c = 0; c < 3; c++) {
    total += try_plane(&t, u, c, level) * t.weight;
    if (total >= limit) return 1e300;
  }
  return total;
}
static double mode_bits(Encoder *e, Unit *u, int x, int y, int lw, int lh) {
  Coder *c = &e->s.c;
  uint64_t at = c->cost;
  Unit copy = *u;
  code_unit_modes(&e->s, c, &copy, x, y, lw, lh);
  return count_bits(at, c);
}
/* Tries an intra unit with its chroma as luma and from luma; the better is left in unit, levels and picture. Its whole cost. */
static double try_intra(Encoder *e, Unit *u, int x, int y, int lw, int lh, int16_t *level[3], double limit, int types) {
  State *s = &e->s;
  const int ways = s->cfg.without & TOOL_CFL ? 1 : 2, w = 1 << lw, h = 1 << lh;
  double modes[2];
  for (int k = 0; k < ways; k++) { u->chroma = k; modes[k] = e->lambda * mode_bits(e, u, x, y, lw, lh); }
  const double least = ways > 1 ? fmin(modes[0], modes[1]) : modes[0];
  if (least >= limit) return 1e300;
  const Trial t = begin_trial(e, u, x, y, lw, lh, NULL, types);
  const double luma = try_plane(&t, u, 0, level) * t.weight;
  double best = limit;
  Unit best_unit = *u;
  int16_t store[2][1024], *kept[3] = {level[0], store[0], store[1]}, *tried[3] = {level[0], level[1], level[2]};
  pel shown[2][1024];
  int found = 0, last = 0;
  for (int k = 0; k < ways; k++) {
    u->chroma = k;
    u->cbf &= 1;
    double cost = modes[k] + luma;
    for (int c = 1; c < 3 && cost < best; c++) cost += try_plane(&t, u, c, tried) * t.weight;
    if (cost >= best) continue;
    best = cost; best_unit = *u; found = 1; last = k;
    for (int c = 1; c < 3; c++) {
      int16_t *other = kept[c]; kept[c] = tried[c]; tried[c] = other;
      const pel *p = current(s, c) + y * s->stride + x;
      if (k < ways - 1) for (int j = 0; j < h; j++) memcpy(shown[c - 1] + j * w, p + j * s->stride, w * sizeof(pel));
    }
  }
  if (!found) return 1e300;
  *u = best_unit;
  for (int c = 1; c < 3; c++) {
    if (kept[c] != level[c]) memcpy(level[c], kept[c], sizeof(int16_t) << (lw + lh));
    pel *p = current(s, c) + y * s->stride + x;
    if (last < ways - 1) for (int j = 0; j < h; j++) memcpy(p + j * s->stride, shown[c - 1] + j * w, w * sizeof(pel));
  }
  return best;
}
#endif
