/* The encoder's decisions: references, motion search, transform choice, quantisation and partition by rate-distortion.
 *
 * Cost of a choice is D * weight + lambda * bits, D the squared error of the three planes, bits from the coder's own
 * state (COUNT: mixing and all; ESTIMATE: one context each). Nothing here is part of the format.
 */
#ifndef LVC_HYBRID_ENCODER_H
#define LVC_HYBRID_ENCODER_H
#include "hybrid_decoder.h"

#define LOW_PAD 16
typedef struct { Vector mv; int32_t cost; } Found;

/* What the lookahead knows of a 16x16 square: its best reference among the frame's, and costs at half size. */
typedef struct { int32_t inter, intra; Vector mv; int32_t distance; float passed; } Look;
typedef struct { int32_t refs, distance[MAX_REFS]; } Listed;

typedef struct {
  int32_t effort, qi, key_boost, count_mode;
  int32_t max_refs, candidates; /* of a frame; frames looked at to choose them */
  int32_t lambda_factor;        /* lambda = factor / 1000 * step^2 */
  int32_t tree_strength;        /* quantiser indices per doubling of what a square is worth, in tenths */
} Options;

typedef struct {
  State s;
  Options o;
  pel *source;                  /* 3 planes of the frame being coded, stride s.w */
  pel *low[2];                  /* quarter-size luma of every slot's source, half-size luma */
  size_t low_size[2]; int low_stride[2], low_w[2], low_h[2];
  Found *field;                 /* [ref][16x16 squares], whole samples */
  Found *field8;                /* [ref][8x8 squares] */
  int bw, bh;                   /* 16x16 squares across and down */
  Look *look;                   /* [frames][16x16 squares] */
  Listed *listed;               /* [frames]: references of each */
  Found *low_found;             /* [frames][MAX_REFS][squares]: vectors from low search */
  int frames;
  int8_t *quality;              /* per 16x16: change of the quantiser index */
  pel *spare;                   /* a picture's three planes, for choosing filters */
  double lambda;
  Plan *plans;                  /* where wanted: the frame's decisions */
  uint64_t tally[2 * N_ELEMENTS];
} Encoder;

INLINE const pel *source_at(const Encoder *e, int c, int x, int y) { return e->source + ((size_t)c * e->s.h + y) * e->s.w + x; }

static int64_t squared_error(const pel *a, int sa, const pel *b, int sb, int w, int h) {
  int64_t sum = 0;
  for (int y = 0; y < h; y++) {
    int32_t row = 0;
    for (int x = 0; x < w; x++) { int d = a[y * sa + x] - b[y * sb + x]; row += d * d; }
    sum += row;
  }
  return sum;
}
static int absolute_error(const pel *a, int sa, const pel *b, int sb, int w, int h) {
  int sum = 0;
  for (int y = 0; y < h; y++) for (int x = 0; x < w; x++) sum += iabs(a[y * sa + x] - b[y * sb + x]);
  return sum;
}
/* Sum of absolute Hadamard coefficients of 4x4 squares, halved twice: comparable with absolute_error. */
typedef int16_t Eight __attribute__((vector_size(16)));
INLINE Eight load_eight(const pel *p, int w) {
  Eight v = {0};
  memcpy(&v, p, w >= 8 ? 16 : 8);
  return v;
}
INLINE Eight absolute_eight(Eight v) { Eight m = v < 0; return (v ^ m) - m; }
static int hadamard_error(const pel *a, int sa, const pel *b, int sb, int w, int h) {
  typedef int32_t Four __attribute__((vector_size(16)));
  const Eight one = {1, -1, 1, -1, 1, -1, 1, -1}, two = {1, 1, -1, -1, 1, 1, -1, -1};
  int sum = 0;
  for (int y = 0; y < h; y += 4)
    for (int x = 0; x < w; x += 8) {
      Eight d[4];
      for (int j = 0; j < 4; j++) d[j] = (load_eight(a + (y + j) * sa + x, w) - load_eight(b + (y + j) * sb + x, w)) >> 1;
      Eight s0 = d[0] + d[1], s1 = d[0] - d[1], s2 = d[2] + d[3], s3 = d[2] - d[3];
      d[0] = s0 + s2; d[1] = s1 + s3; d[2] = s0 - s2; d[3] = s1 - s3;
      Four acc = {0};
      for (int j = 0; j < 4; j++) {
        Eight v = d[j];
        v = __builtin_shufflevector(v, v, 1, 0, 3, 2, 5, 4, 7, 6) + v * one;
        v = __builtin_shufflevector(v, v, 2, 3, 0, 1, 6, 7, 4, 5) + v * two;
        v = absolute_eight(v);
        acc += (Four)v & 0xffff;
        acc += (Four)v >> 16;
      }
      sum += acc[0] + acc[1] + acc[2] + acc[3];
    }
  return sum;
}

/* ---- references and whole-sample motion ---- */

static pel *low_at(const Encoder *e, int time, int k) {
  return e->low[k] + time * e->low_size[k] + LOW_PAD * e->low_stride[k] + LOW_PAD;
}
static void make_low(Encoder *e, int time) { /* from the source: what it shows is in the reconstruction but for noise */
  State *s = &e->s;
  for (int k = 0; k < 2; k++) {
    int f = k ? 2 : 4, st = e->low_stride[k], w = e->low_w[k], h = e->low_h[k];
    pel *p = low_at(e, time, k);
    for (int y = 0; y < h; y++)
      for (int x = 0; x < w; x++) {
        int sum = 0;
        for (int j = 0; j < f; j++) for (int i = 0; i < f; i++) sum += source_at(e, 0, 0, 0)[(y * f + j) * s->w + x * f + i];
        p[y * st + x] = (sum + f * f / 2) / (f * f);
      }
    for (int y = 0; y < h; y++)
      for (int x = 0; x < LOW_PAD; x++) { p[y * st - 1 - x] = p[y * st]; p[y * st + w + x] = p[y * st + w - 1]; }
    for (int y = 0; y < LOW_PAD; y++) {
      memcpy(p - LOW_PAD - (y + 1) * st, p - LOW_PAD, st * sizeof(pel));
      memcpy(p - LOW_PAD + (h + y) * st, p - LOW_PAD + (h - 1) * st, st * sizeof(pel));
    }
  }
}
/* Best whole vector of each 16x16 square into the source of frame `time` - d: quarter size in full, then half size. */
static void search_low(const Encoder *e, int time, int d, Found *out) {
  const int st = e->low_stride[0];
  for (int by = 0; by < e->bh; by++)
    for (int bx = 0; bx < e->bw; bx++) {
      Found *f = out + by * e->bw + bx;
      int x = imin(bx * 4, e->low_w[0] - 4), y = imin(by * 4, e->low_h[0] - 4);
      const pel *cur = low_at(e, time, 0) + y * st + x, *ref = low_at(e, time - d, 0);
      int best = 1 << 30, mx = 0, my = 0;
      int y_lo = imax(-12, -y - 12), y_hi = imin(12, e->low_h[0] - 4 - y + 12), x_lo = imax(-16, -x - 12), x_hi = imin(16, e->low_w[0] - 4 - x + 12);
      {
        int sum = 0;
        for (int j = 0; j < 4; j++) for (int i = 0; i < 4; i++) sum += iabs(cur[j * st + i] - ref[(y + j) * st + x + i]);
        best = sum - 24; /* rest is likelier */
      }
      if (best > 0)
        for (int dy = y_lo; dy <= y_hi; dy++) {
          uint16_t acc[32];
          memset(acc, 0, sizeof acc);
          for (int j = 0; j < 4; j++)
            for (int i = 0; i < 4; i++) {
              const int16_t v = cur[j * st + i];
              const pel *r = ref + (y + dy + j) * st + x - 16 + i;
              for (int k = 0; k < 32; k++) { int16_t q = v - r[k]; acc[k] += q < 0 ? -q : q; }
            }
          for (int dx = x_lo; dx < x_hi; dx++)
            if (acc[dx + 16] < best) { best = acc[dx + 16]; mx = dx; my = dy; }
        }
      const int st2 = e->low_stride[1];
      const pel *cur2 = low_at(e, time, 1) + 2 * y * st2 + 2 * x, *ref2 = low_at(e, time - d, 1);
      int bx2 = 2 * mx, by2 = 2 * my, cost = 1 << 30;
      for (int dy = -1; dy <= 1; dy++)
        for (int dx = -1; dx <= 1; dx++) {
          int xx = clampi(2 * x + 2 * mx + dx, -LOW_PAD, e->low_w[1] + LOW_PAD - 8), yy = clampi(2 * y + 2 * my + dy, -LOW_PAD, e->low_h[1] + LOW_PAD - 8);
          int sum = absolute_error(cur2, st2, ref2 + yy * st2 + xx, st2, 8, 8);
          if (sum < cost) { cost = sum; bx2 = xx - 2 * x; by2 = yy - 2 * y; }
        }
      f->mv.x = bx2 * 2; f->mv.y = by2 * 2; f->cost = cost;
    }
}

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
  for (int by = 0; by < h8; by++)
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
      field8[by * w8 + bx] = best;
    }
}
/* Lists the references of a frame: the nearest, then greedily those that lower the squares' least cost most. */
static void choose_references(Encoder *e, int time, Found *scratch) {
  State *s = &e->s;
  const int n = e->bw * e->bh, reach = imin(time, imin(s->cfg.slots - 1, e->o.candidates));
  Listed *list = e->listed + time;
  list->refs = 0;
  if (!reach) return;
  Found *all = scratch; /* [reach][n] */
  for (int d = 1; d <= reach; d++) search_low(e, time, d, all + (d - 1) * n);
  int chosen[MAX_REFS], count = 0;
  Look *look = e->look + (size_t)time * n;
  const int most = imin(MAX_REFS, imin(reach, e->o.max_refs));
  while (count < most) {
    int best_d = count ? 0 : 1;
    int64_t best_gain = 0;
    for (int d = 1; d <= reach && count; d++) {
      int64_t gain = 0;
      for (int b = 0; b < n; b++) gain += imax(0, look[b].inter - all[(d - 1) * n + b].cost - 16);
      int taken = 0;
      for (int i = 0; i < count; i++) taken |= chosen[i] == d;
      if (!taken && gain > best_gain) { best_gain = gain; best_d = d; }
    }
    if (!best_d) break;
    for (int b = 0; b < n; b++) {
      const Found *f = all + (best_d - 1) * n + b;
      if (!count || f->cost + 16 < look[b].inter) { look[b].inter = f->cost; look[b].mv = f->mv; look[b].distance = best_d; }
    }
    chosen[count++] = best_d;
  }
  for (int i = 0; i < count; i++) for (int j = i + 1; j < count; j++) if (chosen[j] < chosen[i]) { int t = chosen[i]; chosen[i] = chosen[j]; chosen[j] = t; }
  list->refs = count;
  for (int r = 0; r < count; r++) {
    list->distance[r] = chosen[r];
    memcpy(e->low_found + ((size_t)time * MAX_REFS + r) * n, all + (chosen[r] - 1) * n, n * sizeof(Found));
  }
}
/* Costs of a frame's squares at half size: from their own neighbours, and by motion at whole samples. */
static void estimate_costs(Encoder *e, int time) {
  const int st = e->low_stride[1];
  for (int by = 0; by < e->bh; by++)
    for (int bx = 0; bx < e->bw; bx++) {
      Look *l = e->look + ((size_t)time * e->bh + by) * e->bw + bx;
      int x = imin(bx * 8, e->low_w[1] - 8), y = imin(by * 8, e->low_h[1] - 8);
      const pel *p = low_at(e, time, 1) + y * st + x;
      int dc = 0, flat = 0, hor = 0, ver = 0;
      for (int i = 0; i < 8; i++) dc += p[i - st] + p[i * st - 1];
      dc = dc >= 0 ? dc / 16 : -(-dc / 16);
      for (int j = 0; j < 8; j++)
        for (int i = 0; i < 8; i++) { int v = p[j * st + i]; flat += iabs(v - dc); hor += iabs(v - p[j * st - 1]); ver += iabs(v - p[i - st]); }
      l->intra = imin(flat, imin(hor, ver)) + 32;
      l->passed = 0;
      if (!time) { l->inter = l->intra; l->distance = 0; continue; }
      const pel *ref = low_at(e, time - l->distance, 1);
      int best = l->inter, mx = l->mv.x, my = l->mv.y;
      for (int k = 0; k < 8 && best > 16; k++) {
        int vx = l->mv.x + ring[k][0], vy = l->mv.y + ring[k][1]; /* in whole samples of the full picture: half here */
        int xx = clampi(x + (vx >> 1), -LOW_PAD, e->low_w[1] + LOW_PAD - 10), yy = clampi(y + (vy >> 1), -LOW_PAD, e->low_h[1] + LOW_PAD - 10);
        const pel *q = ref + yy * st + xx;
        int fx = vx & 1, fy = vy & 1, sum = 0;
        for (int j = 0; j < 8; j++)
          for (int i = 0; i < 8; i++) {
            int v = (q[j * st + i] + q[j * st + i + fx] + q[(j + fy) * st + i] + q[(j + fy) * st + i + fx] + 2) >> 2;
            sum += iabs(p[j * st + i] - v);
          }
        if (sum < best) { best = sum; mx = vx; my = vy; }
      }
      l->inter = imin(best, l->intra); l->mv.x = mx; l->mv.y = my;
    }
}
/* How much of each square later frames take over, from the last frame back (x264's macroblock tree, Garrett-Glaser 2009). */
static void propagate(Encoder *e, int frames) {
  for (int time = frames - 1; time > 0; time--)
    for (int by = 0; by < e->bh; by++)
      for (int bx = 0; bx < e->bw; bx++) {
        const Look *l = e->look + ((size_t)time * e->bh + by) * e->bw + bx;
        if (!l->distance || l->inter >= l->intra) continue;
        float amount = (l->intra + l->passed) * (1 - (float)l->inter / l->intra);
        int x = bx * 16 + l->mv.x, y = by * 16 + l->mv.y, cx = x >> 4, cy = y >> 4, fx = x & 15, fy = y & 15;
        for (int k = 0; k < 4; k++) {
          int ix = cx + (k & 1), iy = cy + (k >> 1);
          int share = (k & 1 ? fx : 16 - fx) * (k >> 1 ? fy : 16 - fy);
          if (ix >= 0 && iy >= 0 && ix < e->bw && iy < e->bh) e->look[((size_t)(time - l->distance) * e->bh + iy) * e->bw + ix].passed += amount * share / 256;
        }
      }
}
static void plan_group(Encoder *e, const uint8_t *rgb, int frames, Found *scratch) {
  State *s = &e->s;
  pel *out[3] = {e->source, e->source + (size_t)s->w * s->h, e->source + (size_t)2 * s->w * s->h};
  for (int t = 0; t < frames; t++) {
    rgb_to_planes(s, rgb + (size_t)t * s->cfg.width * s->cfg.height * 3, out, s->w);
    make_low(e, t);
    choose_references(e, t, scratch);
    estimate_costs(e, t);
  }
  propagate(e, frames);
}
/* The quantiser's change in each square of a frame, from how much lives on. */
static void set_qualities(Encoder *e, int time) {
  for (int b = 0; b < e->bw * e->bh; b++) {
    const Look *l = e->look + (size_t)time * e->bw * e->bh + b;
    double gain = log2(1 + l->passed / l->intra) * e->o.tree_strength / 10;
    int change = (int)(gain / 2 + 0.5) * 2;
    e->quality[b] = e->s.cfg.without & TOOL_RATES ? 0 : -imin(change, 30);
  }
}

/* ---- one unit ---- */

static double count_bits(uint64_t before, const Coder *c) { return (c->cost - before) / 4096.0; }

/* Levels of one plane by rate-distortion: each coefficient against its neighbours below, then the last position. */
static int quantise(const Encoder *e, const Block *b, const int32_t *coef, int16_t *level, double lambda) {
  const int w = 1 << b->lw, h = 1 << b->lh, n = w * h, ms = w + 2, step = b->step;
  const uint16_t *scan = scan_order + scan_offset[(b->lw - 2) * 4 + b->lh - 2];
  const Coder *c = &e->s.c;
  uint8_t mag[34 * 34];
  memset(mag, 0, ms * (h + 2));
  memset(level, 0, n * sizeof(int16_t));
  const double unit = 1 / 64.0, bit = lambda / 4096.0;
  const Prob *sig = c->probs + elements[E_SIG].base, *big = c->probs + elements[E_BIG].base;
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
    const int p1 = sig[v0].p >> 4;
    const double r0 = bit * cost_table[4095 - p1], r1 = bit * cost_table[p1];
    const double d0 = (double)a * a * unit;
    int pick = 0;
    double cost = d0 + r0;
    double pick_d = d0, pick_r = r0;
    if (!rdo) { pick = (a + step / 3) / step; pick_d = (double)(a - pick * step) * (a - pick * step) * unit; pick_r = 0; cost = pick_d; }
    else for (int k = imax(1, q); k <= q + 1; k++) {
      double dd = (double)(a - k * step) * (a - k * step) * unit;
      if (k > q && a - q * step < step / 4) break;
      const int p2 = big[v0].p >> 4;
      double r = r1 + bit * (4096 + (k > 1 ? cost_table[p2] + 2500.0 * ilog2(k - 1) * 1.6 + 1800 : cost_table[4095 - p2]));
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

typedef struct { pel px[3][1024]; } Patch;

static double weight_at(const Encoder *e, int x, int y, int w, int h, int *qi) {
  int n = 0, sum = 0;
  for (int j = y >> 4; j <= (y + h - 1) >> 4; j++) for (int i = x >> 4; i <= (x + w - 1) >> 4; i++) if (i < e->bw && j < e->bh) { sum += e->quality[j * e->bw + i]; n++; }
  int change = n ? (sum * 2 + n * 256) / (2 * n) - 128 : 0; /* mean, rounded */
  if (n == 1) change = sum;
  *qi = clampi(e->s.qi + change, 0, 96);
  double ratio = (double)step_table[e->s.qi] / step_table[*qi];
  return ratio * ratio;
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
  const int save = s->c.mode;
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
    s->c.mode = e->o.count_mode;
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
  s->c.mode = save;
  return total;
}

static void clear_cells(const State *s, int x, int y, int w, int h) {
  for (int j = y >> 2; j < (imin(y + h, s->h)) >> 2; j++) memset(s->cells + j * s->cw + (x >> 2), 0, ((imin(x + w, s->w) - x) >> 2) * sizeof(Cell));
}
static void save_patch(const State *s, Patch *p, int x, int y, int w, int h) {
  w = imin(w, s->w - x); h = imin(h, s->h - y);
  for (int c = 0; c < 3; c++) { const pel *q = plane(s, s->time, c) + y * s->stride + x; for (int j = 0; j < h; j++) memcpy(p->px[c] + j * 32, q + j * s->stride, w * sizeof(pel)); }
}
static void load_patch(const State *s, const Patch *p, int x, int y, int w, int h) {
  w = imin(w, s->w - x); h = imin(h, s->h - y);
  for (int c = 0; c < 3; c++) { pel *q = plane(s, s->time, c) + y * s->stride + x; for (int j = 0; j < h; j++) memcpy(q + j * s->stride, p->px[c] + j * 32, w * sizeof(pel)); }
}

static double mode_bits(Encoder *e, Unit *u, int x, int y, int lw, int lh) {
  Coder *c = &e->s.c;
  int save = c->mode;
  uint64_t at = c->cost;
  Unit copy = *u;
  c->mode = e->o.count_mode;
  code_unit_modes(&e->s, c, &copy, x, y, lw, lh);
  c->mode = save;
  return count_bits(at, c);
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

typedef struct { Unit u; double cost; } Choice;
static int insert_choice(Choice *list, int n, int most, const Unit *u, double cost) {
  if (n == most && cost >= list[n - 1].cost) return n;
  int i = n < most ? n++ : n - 1;
  for (; i > 0 && list[i - 1].cost > cost; i--) list[i] = list[i - 1];
  list[i].u = *u; list[i].cost = cost;
  return n;
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
  for (int round = 0; round < (e->o.effort > 1 ? 4 : 2); round++) {
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
  for (int round = 0; round < 6; round++) {
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

/* The best unit for a block; its reconstruction and cells are left in the picture. Returns its cost. */
static double search_unit(Encoder *e, int x, int y, int lw, int lh, Plan *out) {
  State *s = &e->s;
  const int w = 1 << lw, h = 1 << lh, n = w * h, thorough = e->o.effort;
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
  if (s->refs) {
    Motion list[MAX_MERGE];
    merge_candidates(s, x, y, w, h, list);
    Choice choice[4];
    int n_choice = 0, n_merge = 0;
    Choice merges[3];
    /* skip */
    Unit skip = {0};
    skip.kind = INTER; skip.skip = skip.merge = 1;
    for (int i = 0; i < MAX_MERGE; i++) {
      Unit u = skip;
      u.merge_index = i; u.motion = list[i];
      int64_t error = 0;
      for (int c = 0; c < 3; c++) {
        predict_inter(s, list + i, c, x, y, w, h, 2 * x + w, 2 * y + h, pred.px[c]);
        error += squared_error(source_at(e, c, x, y), s->w, pred.px[c], w, w, h);
        if (error * weight >= best) break;
      }
      double J = error * weight >= best ? 1e300 : error * weight + lambda * mode_bits(e, &u, x, y, lw, lh);
      if (J < best) {
        for (int c = 0; c < 3; c++) {
          pel *p = plane(s, s->time, c) + y * s->stride + x;
          for (int j = 0; j < h; j++) memcpy(p + j * s->stride, pred.px[c] + j * w, w * sizeof(pel));
        }
        skip_error = error;
        KEEP(u, J)
      }
      u.skip = 0;
      double cost = hadamard_error(source_at(e, 0, x, y), s->w, pred.px[0], w, w, h) + root * (i + 1);
      n_merge = insert_choice(merges, n_merge, 2, &u, cost);
    }
    if (skip_error * 12 > (int64_t)n * step_table[qi] * step_table[qi] / 64 / 8 || skip_error > 4 * n) {
      for (int i = 0; i < n_merge; i++) n_choice = insert_choice(choice, n_choice, 4, &merges[i].u, merges[i].cost);
      Choice singles[4], whole[4];
      int n_single = 0, n_whole = 0;
      for (int r = 0; r < s->refs; r++) {
        Vector p[2], starts[8];
        int k = 0;
        vector_predictions(s, list, r, p);
        starts[k++] = p[0]; starts[k++] = p[1];
        const Found *f8 = e->field8 + r * e->bw * e->bh * 4, *f16 = e->field + r * e->bw * e->bh;
        Vector f = f16[((y + h / 2) >> 4) * e->bw + ((x + w / 2) >> 4)].mv; starts[k++] = (Vector){f.x * 4, f.y * 4};
        f = f8[(y >> 3) * e->bw * 2 + (x >> 3)].mv; starts[k++] = (Vector){f.x * 4, f.y * 4};
        f = f8[((y + h / 2) >> 3) * e->bw * 2 + ((x + w / 2) >> 3)].mv; starts[k++] = (Vector){f.x * 4, f.y * 4};
        starts[k++] = (Vector){0, 0};
        Unit u = {0};
        u.kind = INTER;
        u.motion.ref[0] = r; u.motion.ref[1] = -1;
        double cost = search_whole(e, r, x, y, w, h, starts, k, p, root, &u.motion.mv[0]) + root * (r + 2);
        n_whole = insert_choice(whole, n_whole, thorough > 1 ? 3 : thorough ? 2 : 1, &u, cost);
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
      for (int i = 0; i < imin(n_single, 2); i++) n_choice = insert_choice(choice, n_choice, 4, &singles[i].u, singles[i].cost);
      if (n_single && lw + lh >= 6 && !(s->cfg.without & TOOL_BEND) && singles[0].cost > root * 8 + n / 2) {
        for (int i = 0; i < (thorough > 1 ? imin(2, n_single) : 1); i++)
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
      if (n_single > 1 && thorough > 0 && !(s->cfg.without & TOOL_BI)) {
        for (int i = 1; i < n_single; i++) {
          Unit u = singles[0].u;
          u.bi = 1;
          u.motion.ref[1] = singles[i].u.motion.ref[0];
          u.motion.mv[1] = singles[i].u.motion.mv[0];
          u.mvp[1] = singles[i].u.mvp[0];
          double cost = predict_cost(e, &u.motion, x, y, w, h) + root * (vector_bits((Vector){0, 0}, (Vector){8, 8}) + 6);
          n_choice = insert_choice(choice, n_choice, 4, &u, cost);
        }
      }
      int full = thorough > 1 ? 4 : thorough ? 2 : 1;
      for (int i = 0; i < imin(full, n_choice); i++) {
        if (i && choice[i].cost > choice[0].cost * 1.25) break;
        Unit u = choice[i].u;
        for (int c = 0; c < 3; c++) predict_inter(s, &u.motion, c, x, y, w, h, 2 * x + w, 2 * y + h, pred.px[c]);
        double J = lambda * mode_bits(e, &u, x, y, lw, lh);
        if (J >= best) continue;
        J += try_residual(e, &u, x, y, lw, lh, &pred, level, best - J, 0);
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
    for (int pass = 0; pass < 3; pass++) {
      int centre = n_modes ? modes[0].u.mode : 0;
      if (pass && centre < 3) break;
      for (int m = 0; m < MODES; m++) {
        if (tried >> m & 1) continue;
        if (pass ? iabs(m - centre) != 3 - pass : m >= 3 && (m - 3) % 4) continue;
        tried |= 1ull << m;
        pel p[1024];
        predict_intra(&edge, p, m, lw, lh);
        Unit u = {0};
        u.kind = INTRA; u.mode = m;
        u.motion.ref[0] = u.motion.ref[1] = -1;
        double cost = hadamard_error(source_at(e, 0, x, y), s->w, p, w, w, h);
        if (m > 2) cost += root * 2;
        n_modes = insert_choice(modes, n_modes, 4, &u, cost);
      }
    }
    int full = s->refs ? (thorough > 1 ? 2 : 1) : thorough > 1 ? 4 : thorough ? 2 : 1;
    for (int i = 0; i < imin(full, n_modes); i++)
      for (int chroma = 0; chroma < (s->cfg.without & TOOL_CFL ? 1 : 2); chroma++) {
        Unit u = modes[i].u;
        u.chroma = chroma;
        double J = lambda * mode_bits(e, &u, x, y, lw, lh);
        if (J >= best) continue;
        J += try_residual(e, &u, x, y, lw, lh, NULL, level, best - J, 0);
        if (J < best) KEEP(u, J)
      }
  }
  if (thorough && (best_unit.cbf & 1) && lw < 5 && lh < 5) { /* other transforms */
    Unit u = best_unit;
    if (u.kind == INTER) for (int c = 0; c < 3; c++) predict_inter(s, &u.motion, c, x, y, w, h, 2 * x + w, 2 * y + h, pred.px[c]);
    double J = lambda * mode_bits(e, &u, x, y, lw, lh);
    J += try_residual(e, &u, x, y, lw, lh, u.kind == INTER ? &pred : NULL, level, best - J, thorough);
    if (J < best) KEEP(u, J)
  }
  load_patch(s, &best_patch, x, y, w, h);
  uint8_t amount[3];
  for (int c = 0; c < 3; c++) amount[c] = best_unit.cbf >> c & 1 ? amount_of(best_level[c], n) : 0;
  fill_cells(s, &best_unit, x, y, lw, lh, amount);
  if (best_unit.kind == INTER) remember_motion(s, &best_unit.motion);
  out->splits = 0; out->units = 1; out->used = n;
  out->unit[0] = best_unit;
  for (int c = 0; c < 3; c++) if (best_unit.cbf >> c & 1) memcpy(out->level[c], best_level[c], n * sizeof(int16_t)); else memset(out->level[c], 0, n * sizeof(int16_t));
  return best;
}

static void append_plan(Plan *a, const Plan *b) {
  memcpy(a->split + a->splits, b->split, b->splits);
  memcpy(a->unit + a->units, b->unit, b->units * sizeof(Unit));
  for (int c = 0; c < 3; c++) memcpy(a->level[c] + a->used, b->level[c], b->used * sizeof(int16_t));
  a->splits += b->splits; a->units += b->units; a->used += b->used;
}

static double split_bits(Encoder *e, int x, int y, int lw, int lh, int binary, int how) {
  Coder *c = &e->s.c;
  int save = c->mode;
  uint64_t at = c->cost;
  c->mode = e->o.count_mode;
  code_split(&e->s, c, x, y, lw, lh, binary, how);
  c->mode = save;
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
      for (int c = 0; c < 3; c++) err += squared_error(source_at(e, c, x, y), s->w, plane(s, s->time, c) + y * s->stride + x, s->stride, w, h);
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

/* ---- one frame ---- */

static void choose_deblocking(Encoder *e) {
  State *s = &e->s;
  int64_t before = 0, after = 0;
  size_t size = 3 * s->plane_size;
  pel *picture = s->pictures + (size_t)(s->time % s->cfg.slots) * size;
  memcpy(e->spare, picture, size * sizeof(pel));
  for (int c = 0; c < 3; c++) before += squared_error(source_at(e, c, 0, 0), s->w, plane(s, s->time, c), s->stride, s->w, s->h);
  deblock_picture(s);
  for (int c = 0; c < 3; c++) after += squared_error(source_at(e, c, 0, 0), s->w, plane(s, s->time, c), s->stride, s->w, s->h);
  s->deblock = after < before && !(s->cfg.without & TOOL_DEBLOCK);
  if (!s->deblock) memcpy(picture, e->spare, size * sizeof(pel));
}

static void encode_frame(Encoder *e, const uint8_t *rgb) {
  State *s = &e->s;
  begin_frame(s);
  pel *out[3] = {e->source, e->source + (size_t)s->w * s->h, e->source + (size_t)2 * s->w * s->h};
  rgb_to_planes(s, rgb, out, s->w);
  s->refs = e->listed[s->time].refs;
  memcpy(s->distance, e->listed[s->time].distance, sizeof s->distance);
  for (int r = 0; r < s->refs; r++) search_fields(e, r, e->low_found + ((size_t)s->time * MAX_REFS + r) * e->bw * e->bh);
  s->qi = clampi(e->o.qi - (s->refs ? 0 : e->o.key_boost), 0, 96);
  set_qualities(e, s->time);
  s->trellis = e->o.effort > 0 && !(s->cfg.without & TOOL_TRELLIS);
  e->lambda = e->o.lambda_factor / 1000.0 * step_table[s->qi] * step_table[s->qi] / 64;
  s->c.mode = ENCODE;
  code_frame_header(s);
  for (int y = 0; y < s->h; y += TREE)
    for (int x = 0; x < s->w; x += TREE) {
      Plan plan;
      Motion history[6]; int n_history = s->n_history;
      memcpy(history, s->history, sizeof history);
      search_node(e, x, y, 5, 5, 0, &plan);
      clear_cells(s, x, y, TREE, TREE);
      memcpy(s->history, history, sizeof history); s->n_history = n_history;
      s->c.mode = ENCODE;
      code_tree(s, &s->c, x, y, &plan);
      if (e->plans) *e->plans++ = plan;
    }
  choose_deblocking(e);
  code_filters(s);
  end_frame(s);
}

static size_t layout_encoder(Encoder *e, const Config *cfg, int frames, uint8_t *base) {
  size_t at = layout_state(&e->s, cfg, base);
  State *s = &e->s;
  e->bw = (s->w + 15) >> 4; e->bh = (s->h + 15) >> 4;
  for (int k = 0; k < 2; k++) {
    int f = k ? 2 : 4;
    e->low_w[k] = s->w / f; e->low_h[k] = s->h / f;
    e->low_stride[k] = e->low_w[k] + 2 * LOW_PAD + 32;
    e->low_size[k] = (size_t)e->low_stride[k] * (e->low_h[k] + 2 * LOW_PAD) + 64;
  }
#define TAKE_E(field, count) e->field = (void *)(base + at); at += ((count) * sizeof(*e->field) + 63) & ~(size_t)63;
  TAKE_E(source, (size_t)3 * s->w * s->h)
  TAKE_E(low[0], e->low_size[0] * frames)
  TAKE_E(low[1], e->low_size[1] * frames)
  TAKE_E(field, (size_t)MAX_REFS * e->bw * e->bh)
  TAKE_E(field8, (size_t)MAX_REFS * e->bw * e->bh * 4)
  TAKE_E(quality, (size_t)e->bw * e->bh)
  TAKE_E(look, (size_t)frames * e->bw * e->bh)
  TAKE_E(listed, (size_t)frames)
  TAKE_E(low_found, (size_t)frames * MAX_REFS * e->bw * e->bh)
  TAKE_E(spare, s->plane_size * 3)
  return at;
}
#endif
