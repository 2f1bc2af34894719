/* Dependent quantisation: two interleaved quantisers, and the encoder's trellis over their four states.
 *
 * The quantiser of a level depends on the parities of the levels before it (in coding order): states 0 and 1 use even
 * multiples of delta, states 2 and 3 odd ones and zero. A path through the states is packed denser in space than
 * a scalar quantiser; the Viterbi search below finds the cheapest. Source: Schwarz et al., "Hybrid video coding with
 * trellis-coded quantization", DCC 2019 (VVC's dependent quantisation).
 */
#ifndef LVC_HYBRID_TRELLIS_H
#define LVC_HYBRID_TRELLIS_H
#include "hybrid_coefficients.h"

/* Coefficients that the levels of a block stand for; the extent of those that are not zero in nx, ny. */
static void dequantise(const Block *b, const int16_t *level, int32_t *coef, int *nx, int *ny) {
  const int w = 1 << b->lw, n = 1 << (b->lw + b->lh);
  int mx = 0, my = 0;
  if (!b->trellis) {
    for (int at = 0; at < n; at++) {
      int v = level[at];
      coef[at] = clampi(v * b->step, -(1 << 20), 1 << 20);
      if (v) { mx = imax(mx, (at & (w - 1)) + 1); my = (at >> b->lw) + 1; }
    }
  } else {
    const uint16_t *scan = scan_order + scan_offset[(b->lw - 2) * 4 + b->lh - 2];
    const int delta = trellis_delta(b->step);
    int state = 0, i = n - 1;
    memset(coef, 0, n * sizeof(int32_t));
    while (i > 0 && !level[scan[i]]) i--;
    for (; i >= 0; i--) {
      int at = scan[i], v = level[at];
      if (v) {
        int k = 2 * v - (state >> 1 ? (v > 0 ? 1 : -1) : 0);
        coef[at] = clampi(k * delta, -(1 << 20), 1 << 20);
        mx = imax(mx, (at & (w - 1)) + 1);
        my = imax(my, (at >> b->lw) + 1);
      }
      state = next_state[state][v & 1];
    }
  }
  *nx = mx; *ny = my;
}

typedef struct { double cost; uint8_t mag[3][40]; } Path; /* magnitudes of the last three diagonals */

/* The cheapest levels of a block by the rates of the first contexts; whether any is not zero. */
static int search_trellis(const Coder *c, const Block *b, const int32_t *coef, int16_t *level, double lambda) {
  const int w = 1 << b->lw, n = 1 << (b->lw + b->lh), delta = trellis_delta(b->step);
  const uint16_t *scan = scan_order + scan_offset[(b->lw - 2) * 4 + b->lh - 2];
  const uint16_t *sig = c->rates + 2 * elements[E_SIG].rate, *big = c->rates + 2 * elements[E_BIG].rate;
  const double unit = 1 / 64.0, bit = lambda / 4096.0;
  struct { int16_t level; int8_t from; } back[1024][4];
  Path path[4], fresh[4];
  memset(level, 0, n * sizeof(int16_t));
  int first = -1;
  for (int i = n - 1; i >= 0 && first < 0; i--) if (iabs(coef[scan[i]]) * 10 > delta * 9) first = i;
  if (first < 0) return 0;
  for (int s = 0; s < 4; s++) path[s].cost = 1e300;
  double dropped = 0; /* error of all coefficients so far, were none coded, less what every path pays for them: relative to zero */
  for (int i = first; i >= 0; i--) {
    const int at = scan[i], x = at & (w - 1), y = at >> b->lw, d = x + y, a = iabs(coef[at]);
    const double d0 = (double)a * a * unit;
    for (int t = 0; t < 4; t++) fresh[t].cost = 1e300;
    int pick_from[4];
    uint8_t pick_mag[4];
    for (int s = -1; s < 4; s++) { /* -1: the block's last level is here */
      if (s >= 0 && path[s].cost >= 1e299) continue;
      if (s < 0 && a * 10 < delta * 9) continue;
      const int state = s < 0 ? 0 : s, q1 = state >> 1;
      int near = 0;
      if (s >= 0) {
        const uint8_t *m1 = path[s].mag[(d + 1) % 3] + x, *m2 = path[s].mag[(d + 2) % 3] + x;
        near = imin(m1[1], 4) + imin(m1[0], 4) + imin(m2[1], 4) + imin(m2[2], 4) + imin(m2[0], 4);
      }
      const uint32_t v0 = first_context(b->c, b->tx, d, near, q1);
      const double base = s < 0 ? dropped + bit * 4096 * (1.0 + 1.1 * ilog2(i + 1)) : path[s].cost;
      const double r1 = s < 0 ? 0 : bit * sig[2 * v0 + 1];
      const int k0 = (a + (q1 ? delta : 0)) / (2 * delta); /* floor: values 2 k delta, or (2 k - 1) delta */
      for (int k = k0 > 1 ? k0 : 0; k <= k0 + 1; k++) {
        double cost = base;
        if (!k) {
          if (s < 0) continue;
          cost += bit * sig[2 * v0];
        } else {
          double err = a - (double)(2 * k - q1) * delta;
          if (k > k0 && k0 > 0 && err < -1.6 * delta) continue;
          cost += err * err * unit - d0 + r1 + bit * (4096 + (k > 1 ? big[2 * v0 + 1] + 4000.0 * ilog2(k - 1) + 1800 : big[2 * v0]));
        }
        int t = next_state[state][k & 1];
        if (cost < fresh[t].cost) { fresh[t].cost = cost; pick_from[t] = s; pick_mag[t] = imin(k, 255); back[i][t].level = coef[at] < 0 ? -k : k; back[i][t].from = s; }
      }
    }
    for (int t = 0; t < 4; t++) {
      if (fresh[t].cost >= 1e299) continue;
      if (pick_from[t] < 0) memset(fresh[t].mag, 0, sizeof fresh[t].mag);
      else memcpy(fresh[t].mag, path[pick_from[t]].mag, sizeof fresh[t].mag);
    }
    for (int t = 0; t < 4; t++) {
      if (fresh[t].cost < 1e299) {
        uint8_t *m = fresh[t].mag[d % 3];
        m[x] = pick_mag[t];
        path[t] = fresh[t];
      } else path[t].cost = 1e300;
    }
    if (i > 0) { /* a new diagonal takes the place of the one three before */
      const int next = scan[i - 1];
      if ((next & (w - 1)) + (next >> b->lw) != d) for (int t = 0; t < 4; t++) memset(path[t].mag[(d + 2) % 3], 0, 40);
    }
  }
  int best = 0;
  for (int t = 1; t < 4; t++) if (path[t].cost < path[best].cost) best = t;
  if (path[best].cost >= 0) return 0; /* relative to coding nothing */
  for (int i = 0, t = best; i <= first && t >= 0; i++) { level[scan[i]] = back[i][t].level; t = back[i][t].from; }
  return 1;
}
#endif
