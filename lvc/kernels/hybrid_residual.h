/* The encoder's trials of a residual: quantisation by rate and distortion, transform types, what modes cost.
 */
#ifndef LVC_HYBRID_RESIDUAL_H
#define LVC_HYBRID_RESIDUAL_H
#include "hybrid_search.h"

/* Levels of one plane by rate-distortion: each coefficient against its neighbours below, then the last position. */
static int quantise(const Encoder *e, const Block *b, const int32_t *coef, int16_t *level, double lambda) {
  const int w = 1 << b->lw, h = 1 << b->lh, n = w * h, ms = w + 2, step = b->step;
  const uint16_t *scan = scan_order + scan_offset[(b->lw - 2) * 4 + b->lh - 2];
  const Coder *c = &e->s.c;
  uint8_t mag[34 * 34];
  memset(mag, 0, ms * (h + 2));
  memset(level, 0, n * sizeof(int16_t));
  const double unit = 1 / 64.0, bit = lambda / 4096.0;
  const uint16_t *sig = c->rates + 2 * elements[E_SIG].rate, *big = c->rates + 2 * elements[E_BIG].rate;
  const int rdo = !(e->s.cfg.without & TOOL_RDOQ);
  int last = -1;
  for (int i = n - 1; i >= 0 && last < 0; i--) if (iabs(coef[scan[i]]) * 2 > step) last = i;
  if (last < 0) return 0;
  double total = 0, best = 1e300;
  int best_last = -1;
  double gain[1024];
  for (int i = last; i >= 0; i--) {
    const int at = scan[i], x = at & (w - 1), y = at >> b->lw;
    const uint8_t *m = mag + y * ms + x;
    const int near = imin(m[1], 4) + imin(m[ms], 4) + imin(m[ms + 1], 4) + imin(m[2], 4) + imin(m[2 * ms], 4);
    const uint32_t v0 = first_context(b->c, b->tx, x + y, near, 0);
    const int a = iabs(coef[at]), q = a / step;
    const double r0 = bit * sig[2 * v0], r1 = bit * sig[2 * v0 + 1];
    const double d0 = (double)a * a * unit;
    int pick = 0;
    double cost = d0 + r0;
    double pick_d = d0, pick_r = r0;
    if (!rdo) { pick = (a + step / 3) / step; pick_d = (double)(a - pick * step) * (a - pick * step) * unit; pick_r = 0; cost = pick_d; }
    else for (int k = imax(1, q); k <= q + 1; k++) {
      double dd = (double)(a - k * step) * (a - k * step) * unit;
      if (k > q && a - q * step < step / 4) break;
      double r = r1 + bit * (4096 + (k > 1 ? big[2 * v0 + 1] + 2500.0 * ilog2(k - 1) * 1.6 + 1800 : big[2 * v0]));
      if (dd + r < cost) { cost = dd + r; pick = k; pick_d = dd; pick_r = r; }
    }
    level[at] = coef[at] < 0 ? -pick : pick;
    mag[y * ms + x] = imin(pick, 255);
    gain[i] = pick_d + pick_r - d0;
  }
  /* the last position: the cost of keeping everything up to i against dropping all above it */
  for (int i = 0; i <= last; i++) {
    total += gain[i];
    const int at = scan[i];
    if (level[at]) {
      double pos = bit * 4096 * (1.0 + 1.1 * ilog2(i + 1));
      if (total + pos < best) { best = total + pos; best_last = i; }
    }
  }
  if (best_last < 0 || best > 0) { if (rdo) { memset(level, 0, n * sizeof(int16_t)); return 0; } }
  int nonzero = 0;
  for (int i = 0; i <= last; i++) { if (rdo && i > best_last) level[scan[i]] = 0; nonzero |= level[scan[i]]; }
  return nonzero != 0;
}

static const uint8_t try_small[] = {0, 5, 15, 1, 4, 2, 8, 10, 6, 9, 3, 12};

/* Codes the unit's planes for trial: levels, cbf, tx, reconstruction in the picture. Returns D * weight + lambda * R of the residual part. */
static double try_residual(Encoder *e, Unit *u, int x, int y, int lw, int lh, const Patch *inter, int16_t *level[3], double limit, int thorough) {
  State *s = &e->s;
  const int w = 1 << lw, h = 1 << lh, n = w * h;
  int qi;
  const double weight = weight_at(e, x, y, w, h, &qi), lambda = e->lambda / weight;
  u->qi = qi;
  u->cbf = 0; u->tx = 0;
  double total = 0;
  for (int c = 0; c < 3; c++) {
    pel buffer[1024];
    const pel *pred = inter ? inter->px[c] : buffer;
    if (!inter) predict_plane(s, u, c, x, y, lw, lh, buffer);
    Block b, t;
    survey_block(s, &b, u, c, x, y, lw, lh, pred);
    b.step = step_table[qi];
    int surveyed = 0;
    int16_t res[1024];
    int64_t d_zero = 0;
    const pel *src = source_at(e, c, x, y);
    for (int j = 0; j < h; j++)
      for (int i = 0; i < w; i++) { int v = src[j * s->w + i] - pred[j * w + i]; res[j * w + i] = v; d_zero += v * v; }
    const int border = border_amount(&b, step_table[s->qi]);
    uint64_t at = s->c.cost;
    code_cbf(&s->c, &b, u, border, 0);
    const double zero = d_zero + lambda * count_bits(at, &s->c);
    double best = zero;
    int best_tx = 0, cbf = 0;
    if (d_zero * 4 > (int64_t)b.step * b.step / 64) { /* otherwise nothing can be worth a level */
      at = s->c.cost;
      code_cbf(&s->c, &b, u, border, 1);
      const double flag = lambda * count_bits(at, &s->c);
      int32_t coef[1024];
      int16_t trial[1024];
      int types = c || lw == 5 || lh == 5 ? 1 : thorough > 1 ? 12 : thorough ? 6 : 1;
      for (int k = 0; k < types; k++) {
        int tx = c ? chroma_tx(u) : try_small[k];
        if ((s->cfg.without & TOOL_DST) && ((tx & 3) == 1 || (tx & 3) == 2 || (tx >> 2) == 1 || (tx >> 2) == 2)) continue;
        if ((s->cfg.without & TOOL_IDENTITY) && ((tx & 3) == 3 || (tx >> 2) == 3)) continue;
        if (!surveyed) { survey_spectrum(s, &b, pred); surveyed = 1; }
        t = b;
        t.tx = tx;
        forward_transform(res, coef, lw, lh, tx);
        if (!(s->trellis ? search_trellis(&s->c, &t, coef, trial, lambda) : quantise(e, &t, coef, trial, lambda))) continue;
        int32_t back[1024];
        int nx, ny;
        dequantise(&t, trial, back, &nx, &ny);
        double d = 0;
        for (int i = 0; i < n; i++) { double v = coef[i] - back[i]; d += v * v; }
        d /= 64;
        double cost = d + flag;
        if (cost >= best) continue;
        survey_transform(&t);
        t.luma = c > 0 && (u->cbf & 1) ? level[0] : NULL;
        t.first = c > 1 && (u->cbf & 2) ? level[1] : NULL;
        at = s->c.cost;
        if (!c) { u->tx = tx; code_tx(&s->c, &t, u); }
        code_levels(&s->c, &t, trial);
        cost += lambda * count_bits(at, &s->c);
        if (cost < best) { best = cost; best_tx = tx; cbf = 1; memcpy(level[c], trial, n * sizeof(int16_t)); }
      }
    }
    if (!c) u->tx = cbf ? best_tx : 0;
    u->cbf |= cbf << c;
    b.tx = best_tx;
    rebuild_plane(s, &b, cbf, x, y, pred, level[c]);
    total += best * weight;
    if (total >= limit) { total = 1e300; break; }
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
#endif
