/* The encoder's motion search: whole samples by field and by block, quarter samples, bends.
 */
#ifndef LVC_HYBRID_MOTION_H
#define LVC_HYBRID_MOTION_H
#include "hybrid_full_search.h"

static const int8_t ring[8][2] = {{-1, 0}, {1, 0}, {0, -1}, {0, 1}, {-1, -1}, {1, -1}, {-1, 1}, {1, 1}};

static int whole_cost(const Encoder *e, const pel *ref, int x, int y, int n, int vx, int vy) {
  const State *s = &e->s;
  int xx = clampi(x + vx, 4 - PAD, s->w + PAD - 5 - n), yy = clampi(y + vy, 4 - PAD, s->h + PAD - 5 - n);
  return absolute_error(source_at(e, 0, x, y), s->w, ref + yy * s->stride + xx, s->stride, n, n);
}
static void refine_whole(const Encoder *e, const pel *ref, int x, int y, int n, Found *f, int radius, int bias) {
  for (int round = 0; round < radius; round++) {
    Vector from = f->mv;
    for (int k = 0; k < 8; k++) {
      int vx = from.x + ring[k][0], vy = from.y + ring[k][1];
      int cost = whole_cost(e, ref, x, y, n, vx, vy) + bias;
      if (cost < f->cost) { f->cost = cost; f->mv.x = vx; f->mv.y = vy; }
    }
    if (f->mv.x == from.x && f->mv.y == from.y) break;
  }
}
static void search_fields(Encoder *e, int r, const Found *low) {
  State *s = &e->s;
  const pel *ref = plane(s, s->time - s->distance[r], 0);
  Found *field = e->field + r * e->bw * e->bh, *field8 = e->field8 + r * e->bw * e->bh * 4;
  const int bias = 0;
  for (int by = 0; by < e->bh; by++)
    for (int bx = 0; bx < e->bw; bx++) {
      int x = imin(bx * 16, s->w - 16), y = imin(by * 16, s->h - 16);
      Found best = {{0, 0}, 0};
      best.cost = whole_cost(e, ref, x, y, 16, 0, 0) - 64;
      Vector tries[3] = {low[by * e->bw + bx].mv, bx ? field[by * e->bw + bx - 1].mv : (Vector){0, 0}, by ? field[(by - 1) * e->bw + bx].mv : (Vector){0, 0}};
      if (best.cost > 128)
        for (int k = 0; k < 3; k++) {
          Found f = {tries[k], 0};
          f.cost = whole_cost(e, ref, x, y, 16, f.mv.x, f.mv.y) + bias;
          refine_whole(e, ref, x, y, 16, &f, 6, bias);
          if (f.cost < best.cost) best = f;
        }
      field[by * e->bw + bx] = best;
    }
  int w8 = e->bw * 2, h8 = e->bh * 2;
  SearchRecord record = {0, 0};
  const int everywhere = r < e->k.everywhere && !(s->cfg.without & TOOL_FAR);
  int16_t *sums = e->sums + (size_t)r * sums_size(s->w, s->h);
  if (everywhere) sum_squares(ref, s->stride, s->w, s->h, sums);
  for (int by = 0; by < h8; by++) {
    if (r) wait_for(e->progress, by + 1);
    for (int bx = 0; bx < w8; bx++) {
      int x = imin(bx * 8, s->w - 8), y = imin(by * 8, s->h - 8);
      const Found *f16 = field + (by >> 1) * e->bw + (bx >> 1);
      Found best = {f16->mv, whole_cost(e, ref, x, y, 8, f16->mv.x, f16->mv.y)};
      int nx = (bx >> 1) + (bx & 1 ? 1 : -1), ny = (by >> 1) + (by & 1 ? 1 : -1);
      Vector tries[3] = {{0, 0}, {0, 0}, {0, 0}};
      if (nx >= 0 && nx < e->bw) tries[1] = field[(by >> 1) * e->bw + nx].mv;
      if (ny >= 0 && ny < e->bh) tries[2] = field[ny * e->bw + (bx >> 1)].mv;
      if (best.cost > 32)
        for (int k = 0; k < 3; k++) {
          int cost = whole_cost(e, ref, x, y, 8, tries[k].x, tries[k].y);
          if (cost < best.cost) { best.cost = cost; best.mv = tries[k]; }
        }
      if (best.cost > 32) refine_whole(e, ref, x, y, 8, &best, 4, 0);
      if (everywhere && (!r || e->field8[by * w8 + bx].cost > 64 * 8)) search_everywhere(e, ref, sums, x, y, &best, &record);
      field8[by * w8 + bx] = best;
    }
    if (!r) tell(e->progress, by + 1);
  }
}

static int predict_cost(const Encoder *e, const Motion *m, int x, int y, int w, int h) {
  pel pred[1024];
  predict_inter(&e->s, m, 0, x, y, w, h, 2 * x + w, 2 * y + h, pred);
  return hadamard_error(source_at(e, 0, x, y), e->s.w, pred, w, w, h);
}
static double vector_bits(Vector p, Vector v) {
  int dx = iabs(v.x - p.x), dy = iabs(v.y - p.y);
  return 2 + (dx ? 2 * ilog2(dx) + 2 : 0) + (dy ? 2 * ilog2(dy) + 2 : 0);
}

static void set_predicted(Unit *u, const Vector p[2], int k) { /* the nearer prediction */
  u->mvp[k] = vector_bits(p[1], u->motion.mv[k]) < vector_bits(p[0], u->motion.mv[k]);
}


/* Best whole vector into reference r near the given starts; its cost. */
static double search_whole(const Encoder *e, int r, int x, int y, int w, int h, const Vector *starts, int n, const Vector p[2], double lambda, Vector *out) {
  const State *s = &e->s;
  const pel *ref = plane(s, s->time - s->distance[r], 0), *src = source_at(e, 0, x, y);
  int best = 1 << 30;
  Vector v = {0, 0};
  for (int i = 0; i < n; i++) {
    int vx = (starts[i].x + 2) >> 2, vy = (starts[i].y + 2) >> 2, seen = 0;
    for (int j = 0; j < i; j++) seen |= vx == (starts[j].x + 2) >> 2 && vy == (starts[j].y + 2) >> 2;
    if (seen) continue;
    int xx = clampi(x + vx, 4 - PAD, s->w + PAD - 5 - w), yy = clampi(y + vy, 4 - PAD, s->h + PAD - 5 - h);
    int cost = absolute_error(src, s->w, ref + yy * s->stride + xx, s->stride, w, h) + (int)(lambda * vector_bits(p[0], (Vector){vx * 4, vy * 4}));
    if (cost < best) { best = cost; v = (Vector){vx, vy}; }
  }
  for (int round = 0; round < (e->k.whole > 2 ? 4 : 2); round++) {
    Vector from = v;
    for (int k = 0; k < 4; k++) {
      int vx = from.x + ring[k][0], vy = from.y + ring[k][1];
      int xx = clampi(x + vx, 4 - PAD, s->w + PAD - 5 - w), yy = clampi(y + vy, 4 - PAD, s->h + PAD - 5 - h);
      int cost = absolute_error(src, s->w, ref + yy * s->stride + xx, s->stride, w, h) + (int)(lambda * vector_bits(p[0], (Vector){vx * 4, vy * 4}));
      if (cost < best) { best = cost; v = (Vector){vx, vy}; }
    }
    if (v.x == from.x && v.y == from.y) break;
  }
  *out = (Vector){v.x * 4, v.y * 4};
  return best;
}
/* From a whole vector to quarter samples by Hadamard cost. */
static double search_fraction(const Encoder *e, int r, int x, int y, int w, int h, const Vector p[2], double lambda, Vector *v) {
  Motion m = {{r, -1}, {*v, {0, 0}}, {0}};
  double cost = predict_cost(e, &m, x, y, w, h) + lambda * fmin(vector_bits(p[0], m.mv[0]), vector_bits(p[1], m.mv[0]));
  for (int i = 0; i < 2; i++) {
    Motion t = m;
    t.mv[0] = p[i];
    double d = predict_cost(e, &t, x, y, w, h) + lambda * 2;
    if (d < cost) { cost = d; m = t; }
  }
  for (int unit = 2; unit >= 1; unit--) {
    Vector from = m.mv[0];
    double side[4];
    for (int k = 0; k < 5; k++) {
      Motion t = m;
      int dx, dy;
      if (k < 4) { dx = ring[k][0]; dy = ring[k][1]; }
      else { dx = side[0] < side[1] ? -1 : 1; dy = side[2] < side[3] ? -1 : 1; }
      t.mv[0] = (Vector){from.x + dx * unit, from.y + dy * unit};
      double d = predict_cost(e, &t, x, y, w, h) + lambda * fmin(vector_bits(p[0], t.mv[0]), vector_bits(p[1], t.mv[0]));
      if (k < 4) side[k] = d;
      if (d < cost) { cost = d; m = t; }
    }
  }
  *v = m.mv[0];
  return cost;
}

/* Fits vector and bend to a block by Gauss and Newton from a start; its Hadamard cost with the rate of the bend. */
static double search_bend(const Encoder *e, int x, int y, int lw, int lh, const Motion *list, double lambda, Motion *m) {
  const State *s = &e->s;
  const int w = 1 << lw, h = 1 << lh;
  int16_t expected[4];
  bend_prediction(list, m->ref[0], lw, lh, expected);
  double best = 1e300;
  Motion best_motion = *m;
  double px = m->mv[0].x, py = m->mv[0].y, b[4];
  for (int k = 0; k < 4; k++) b[k] = m->bend[k];
  const pel *src = source_at(e, 0, x, y);
  for (int round = 0; round < e->k.bend_rounds; round++) {
    Motion t = *m;
    t.mv[0] = (Vector){(int)lrint(px), (int)lrint(py)};
    double bits = 0;
    for (int k = 0; k < 4; k++) {
      int unit = bend_unit(k & 1 ? lh : lw);
      t.bend[k] = clampi((int)lrint(b[k] / unit) * unit, -2048, 2047);
      int d = iabs(t.bend[k] - expected[k]) / unit;
      bits += d ? 2 * ilog2(d) + 3 : 1;
    }
    if (iabs(t.mv[0].x) > 4096 || iabs(t.mv[0].y) > 4096) break;
    pel pred[1024];
    predict_inter(s, &t, 0, x, y, w, h, 2 * x + w, 2 * y + h, pred);
    double cost = hadamard_error(src, s->w, pred, w, w, h) + lambda * bits;
    if (cost < best) { best = cost; best_motion = t; }
    else if (round > 2) break;
    /* normal equations: the picture's slope times (1, dx, dy) for each of the vector's parts */
    double A[6][7];
    memset(A, 0, sizeof A);
    for (int j = 0; j < h; j++) {
      float row[27];
      memset(row, 0, sizeof row);
      for (int i = 0; i < w; i++) {
        const int at = j * w + i;
        float gx = (pred[j * w + imin(i + 1, w - 1)] - pred[j * w + imax(i - 1, 0)]) * (i > 0 && i < w - 1 ? 0.5f : 1.0f);
        float gy = (pred[imin(j + 1, h - 1) * w + i] - pred[imax(j - 1, 0) * w + i]) * (j > 0 && j < h - 1 ? 0.5f : 1.0f);
        float d = src[j * s->w + i] - pred[at];
        float v[6] = {gx, gy, gx * (i + 0.5f - w / 2), gx * (j + 0.5f - h / 2), gy * (i + 0.5f - w / 2), gy * (j + 0.5f - h / 2)};
        int n = 0;
        for (int p = 0; p < 6; p++) { for (int q = p; q < 6; q++) row[n++] += v[p] * v[q]; row[n++] += v[p] * d; }
      }
      int n = 0;
      for (int p = 0; p < 6; p++) { for (int q = p; q < 6; q++) A[p][q] += row[n++]; A[p][6] += row[n++]; }
    }
    for (int p = 0; p < 6; p++) { for (int q = 0; q < p; q++) A[p][q] = A[q][p]; }
    for (int p = 0; p < 6; p++) A[p][p] += p < 2 ? 16.0 : 16.0 * w; /* no slope, no motion */
    int singular = 0;
    for (int p = 0; p < 6; p++) {
      if (fabs(A[p][p]) < 1e-9) { singular = 1; break; }
      for (int q = p + 1; q < 6; q++) {
        double f = A[q][p] / A[p][p];
        for (int k = p; k < 7; k++) A[q][k] -= f * A[p][k];
      }
    }
    if (singular) break;
    double z[6];
    for (int p = 5; p >= 0; p--) { z[p] = A[p][6]; for (int q = p + 1; q < 6; q++) z[p] -= A[p][q] * z[q]; z[p] /= A[p][p]; }
    px += 4 * z[0]; py += 4 * z[1];
    b[0] += 1024 * z[2]; b[1] += 1024 * z[3]; b[2] += 1024 * z[4]; b[3] += 1024 * z[5];
    if (!(fabs(px) < 4096 && fabs(py) < 4096)) break;
    for (int k = 0; k < 4; k++) b[k] = fmin(2000, fmax(-2000, b[k]));
  }
  *m = best_motion;
  return best;
}
/* A bend from the vectors of 8x8 squares around a block, by least squares: a start for the search. */
static void field_bend(const Encoder *e, int r, int x, int y, int w, int h, Motion *m) {
  const int w8 = e->bw * 2, h8 = e->bh * 2;
  const Found *f = e->field8 + (size_t)r * w8 * h8;
  int x0 = imax(0, (x >> 3) - 1), y0 = imax(0, (y >> 3) - 1), x1 = imin(w8 - 1, (x + w + 7) >> 3), y1 = imin(h8 - 1, (y + h + 7) >> 3);
  double n = 0, sx = 0, sy = 0, sxx = 0, syy = 0, su = 0, sv = 0, sxu = 0, syu = 0, sxv = 0, syv = 0;
  for (int j = y0; j <= y1; j++)
    for (int i = x0; i <= x1; i++) {
      double px = i * 8 + 4 - x - w / 2, py = j * 8 + 4 - y - h / 2, u = f[j * w8 + i].mv.x, v = f[j * w8 + i].mv.y;
      if (fabs(u - m->mv[0].x / 4.0) > 8 || fabs(v - m->mv[0].y / 4.0) > 8) continue;
      n++; sx += px; sy += py; sxx += px * px; syy += py * py; su += u; sv += v; sxu += px * u; syu += py * u; sxv += px * v; syv += py * v;
    }
  if (n < 4) return;
  double vx = sxx - sx * sx / n, vy = syy - sy * sy / n;
  if (vx > 1) { m->bend[0] = clampi((int)(1024 * (sxu - sx * su / n) / vx), -512, 512); m->bend[2] = clampi((int)(1024 * (sxv - sx * sv / n) / vx), -512, 512); }
  if (vy > 1) { m->bend[1] = clampi((int)(1024 * (syu - sy * su / n) / vy), -512, 512); m->bend[3] = clampi((int)(1024 * (syv - sy * sv / n) / vy), -512, 512); }
}
#endif
