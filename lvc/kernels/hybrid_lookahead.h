/* What the encoder knows before it codes: each frame's references, and how much of each square lives on.
 */
#ifndef LVC_HYBRID_LOOKAHEAD_H
#define LVC_HYBRID_LOOKAHEAD_H
#include "hybrid_motion.h"

static pel *low_at(const Encoder *e, int time, int k) {
  return e->low[k] + time * e->low_size[k] + LOW_PAD * e->low_stride[k] + LOW_PAD;
}
static void make_low(Encoder *e, int time, const pel *luma) { /* from the source: what it shows is in the reconstruction but for noise */
  State *s = &e->s;
  for (int k = 0; k < 2; k++) {
    int f = k ? 2 : 4, st = e->low_stride[k], w = e->low_w[k], h = e->low_h[k];
    pel *p = low_at(e, time, k);
    for (int y = 0; y < h; y++)
      for (int x = 0; x < w; x++) {
        int sum = 0;
        for (int j = 0; j < f; j++) for (int i = 0; i < f; i++) sum += luma[(y * f + j) * s->w + x * f + i];
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
typedef struct { Encoder *e; const uint8_t *rgb; pel *planes; Found *found; } LookaheadJobs;

/* Each thread has three planes and the vectors of all references looked at for itself. */
static void low_job(void *context, int worker, int time) {
  const LookaheadJobs *jobs = context;
  const State *s = &jobs->e->s;
  const size_t size = (size_t)s->w * s->h;
  pel *own = jobs->planes + worker * 3 * size, *out[3] = {own, own + size, own + 2 * size};
  rgb_to_planes(s, jobs->rgb + (size_t)time * s->cfg.width * s->cfg.height * 3, out, s->w);
  make_low(jobs->e, time, own);
}
static void references_job(void *context, int worker, int time) {
  const LookaheadJobs *jobs = context;
  Encoder *e = jobs->e;
  choose_references(e, time, jobs->found + worker * (size_t)imin(256, e->frames) * e->bw * e->bh);
  estimate_costs(e, time);
}
static void plan_group(Encoder *e, const uint8_t *rgb, int frames, pel *planes, Found *found) {
  LookaheadJobs jobs = {e, rgb, planes, found};
  run_jobs(e->team, low_job, &jobs, frames);
  run_jobs(e->team, references_job, &jobs, frames);
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
#endif
