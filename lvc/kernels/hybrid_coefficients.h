/* Coefficient levels of one block and plane: the last position, then significance, magnitude and sign in reverse scan.
 *
 * Where most of the bits go, so every decision mixes what is known: the levels around it that are already coded, the
 * spectrum of the prediction at the same frequency, what the decoded border of the block suggests the residual to be
 * (as sign prediction in ECM does), levels of the other planes, of neighbouring blocks, position and sizes.
 */
#ifndef LVC_HYBRID_COEFFICIENTS_H
#define LVC_HYBRID_COEFFICIENTS_H
#include "hybrid_entropy.h"
#include "hybrid_transform.h"

/* What both sides know of a block before its levels. */
typedef struct {
  int c, lw, lh, tx, kind, mode, step;
  int trellis;                /* dependent quantisation */
  int above, left;            /* amount of coefficients around, 0..7 */
  int32_t spectrum[1024];     /* of the prediction */
  int32_t top[32], side[32];  /* border residual, transformed along each edge */
  const int16_t *luma, *first;/* levels of planes 0 and 1 where they are coded, or NULL */
} Block;

INLINE int quantised(int64_t v, int64_t inv) { /* 0..7: |v| in half steps, logarithmic */
  int64_t r = (v < 0 ? -v : v) * inv >> 16;
  return r > 127 ? 7 : ilog2((uint32_t)r + 1);
}

/* q1: the quantiser of odd multiples is in use */
INLINE uint32_t first_context(int c, int tx, int d, int near, int q1) {
  return (((c * 2 + (tx == 15)) * 2 + q1) * 12 + imin(d, 11)) * 12 + imin(near, 11);
}
/* States of dependent quantisation by parity of the level; its delta, so that quality is about the scalar step's. */
static const uint8_t next_state[4][2] = {{0, 2}, {2, 0}, {1, 3}, {3, 1}};
INLINE int trellis_delta(int step) { return (step * 9 + 8) >> 4; }

INLINE int code_levels_mode(Coder *coder, const Block *b, int16_t *level, const int mode) {
  const int lw = b->lw, lh = b->lh, w = 1 << lw, h = 1 << lh, n = w * h, c = b->c, pc = c > 0;
  const uint16_t *scan = scan_order + scan_offset[(lw - 2) * 4 + lh - 2];
  const int16_t *mx = matrix_of(b->tx & 3, lw), *my = matrix_of(b->tx >> 2, lh);
  const int64_t inv = (4 << 16) / b->step;
  const int size = lw + lh - 4; /* 0..6 */
  uint8_t mag[34 * 34];
  int8_t sgn[34 * 34];
  const int ms = w + 2;
  memset(mag, 0, ms * (h + 2));
  memset(sgn, 0, ms * (h + 2));
  const int decoding = mode != ESTIMATE && coder->mode == DECODE;
  int last = 0, other = 0;
  if (decoding) memset(level, 0, n * sizeof(int16_t));
  else { for (last = n - 1; last > 0 && !level[scan[last]]; last--) {} }
  if (b->luma) for (int i = 0; i < n; i++) other += b->luma[i] != 0;
  other = imin(7, other ? 1 + ilog2(other) : 0);
  /* last position: its class (log2) in unary, then the bits below */
  {
    int want = ilog2(last + 1), k = 0, limit = ilog2(n);
    int band[12]; /* the strongest of the prediction's spectrum in each class of positions */
    for (int j = 0, i = 0; j <= limit; j++) {
      int32_t most = 0;
      for (; i < imin(n, (2 << j) - 1); i++) most = imax(most, iabs(b->spectrum[scan[i]]));
      band[j] = j ? quantised(most, inv) : 0;
    }
    int other_last = 0;
    if (b->luma) { for (other_last = n - 1; other_last > 0 && !b->luma[scan[other_last]]; other_last--) {} other_last = 1 + ilog2(other_last + 1); }
    int border = quantised(imax(iabs(b->top[0]), iabs(b->side[0])), inv);
    for (; k < limit; k++) {
      uint32_t v[8] = {(size * 3 + c) * 12 + k, ((b->kind * 4 + lw - 2) * 4 + lh - 2) * 12 + k, (b->above * 8 + b->left) * 12 + k,
                       ((band[imin(k + 1, limit)] * 8 + band[k]) * 2 + pc) * 12 + k,
                       (other_last * 8 + other) * 12 + k, (b->tx * 2 + pc) * 12 + k, (b->mode * 2 + pc) * 12 + k,
                       ((imax(quantised(b->top[1], inv), quantised(b->side[1], inv)) * 8 + border) * 2 + pc) * 12 + k};
      int bit = code_bit_mode(coder, E_LAST, v, k + (pc << 4), size * 4 + b->kind, want > k, mode);
      if (!bit) break;
    }
    int got = (1 << k) - 1;
    for (int i = k - 1; i >= 0; i--) {
      uint32_t pre = i == k - 1 ? 1 : i == k - 2 ? 2 + (got >> (k - 1) & 1) : 4;
      uint32_t base = 2048 + ((k * 11 + i) * 5 + pre);
      uint32_t v[8] = {base, base + (size << 10), base, 2048 + (pc * 5 + pre) * 16 + k, base + (pc << 10), 2048 + b->tx * 64 + k * 5 + pre, base, 2048 + (b->above * 8 + k) * 5 + pre};
      int bit = code_bit_mode(coder, E_LAST, v, 12 + imin(pre, 3) + (pc << 4), 28 + imin(i, 3), (last + 1) >> i & 1, mode);
      if (bit) got += 1 << i;
    }
    if (decoding) last = imin(got, n - 1);
  }
  int seen = 0, sum = 0, state = 0;
  for (int i = last; i >= 0; i--) {
    const int at = scan[i], x = at & (w - 1), y = at >> lw, d = x + y;
    const uint8_t *m = mag + y * ms + x;
    const int r = m[1], bl = m[ms], dg = m[ms + 1], r2 = m[2], b2 = m[2 * ms];
    const int near = imin(r, 4) + imin(bl, 4) + imin(dg, 4) + imin(r2, 4) + imin(b2, 4);
    const int spec = at ? quantised(b->spectrum[at], inv) : 0;
    const int64_t expected = ((int64_t)b->top[x] * my[y * h] + (int64_t)b->side[y] * mx[x * w]) >> 8;
    const int edge = quantised(expected, inv);
    const int dc = imin(d, 3), n3 = near > 5 ? 3 : near > 2 ? 2 : near > 0;
    int co0 = 0, co1 = 0, cos = 0;
    if (b->luma) {
      co0 = imin(3, iabs(b->luma[at]));
      if (x + 1 < w) cos += imin(2, iabs(b->luma[at + 1]));
      if (y + 1 < h) cos += imin(2, iabs(b->luma[at + w]));
      if (x > 0) cos += imin(2, iabs(b->luma[at - 1]));
      if (y > 0) cos += imin(2, iabs(b->luma[at - w]));
      cos = imin(3, (cos + 1) >> 1);
    }
    if (b->first) co1 = imin(3, iabs(b->first[at]));
    const int rel = last ? i * 8 / (last + 1) : 0, cnt = imin(7, seen);
    const int q1 = b->trellis ? state >> 1 : 0;
    uint32_t v[12];
    v[0] = first_context(c, b->tx, d, near, q1);
    v[1] = (((imin(y, 7) * 8 + imin(x, 7)) * 4 + lw - 2) * 4 + lh - 2) * 2 + pc;
    v[2] = ((spec * 8 + imin(near, 7)) * 6 + imin(d, 5)) * 3 + c;
    v[3] = (((co0 * 4 + co1) * 4 + cos) * 4 + n3) * 3 + c;
    v[4] = ((((imin(r, 3) * 4 + imin(bl, 3)) * 3 + imin(dg, 2)) * 3 + imin(r2, 2)) * 3 + imin(b2, 2)) * 3 + c;
    v[5] = ((b->above * 8 + b->left) * 6 + imin(d, 5)) * 3 + c;
    v[6] = ((edge * 8 + spec) * 4 + dc) * 3 * 2 + b->kind * 2 - 2 + pc;
    v[7] = ((rel * 8 + cnt) * 7 + size) * 3 + c;
    v[8] = ((b->tx * 4 + imin(x, 3)) * 4 + imin(y, 3)) * 4 + n3;
    v[9] = ((imin(b->mode, 36) * 4 + imin(x, 3)) * 4 + imin(y, 3)) * 2 + pc;
    v[10] = (edge * 8 + imin(near, 7)) * 8 + (co0 ? 1 + (co0 > 1) : 0) * 2 + pc + 512 * q1;
    v[11] = (imin(31, sum) * 8 + imin(d, 7)) * 3 + c;
    const uint32_t s0 = (imin(d, 4) * 3 + c) * 2 + q1, s1 = imin(near, 7) * 4 + (b->kind - 1) * 2 + pc;
    int value = iabs(level[at]);
    if (i != last || i == 0) {
      int bit = i == 0 && last == 0 ? 1 : code_bit_mode(coder, E_SIG, v, s0, s1, value != 0, mode);
      if (!bit) { state = next_state[state][0]; continue; }
    }
    int k = 1;
    if (code_bit_mode(coder, E_BIG, v, s0, s1, value > 1, mode)) {
      k = 2;
      while (k < 15) {
        uint32_t u[12];
        for (int j = 0; j < 12; j++) u[j] = v[j];
        u[0] = (c * 16 + k) * 24 + imin(23, r + bl + dg + r2 + b2);
        u[1] = (k * 8 + imin(y, 7)) * 8 + imin(x, 7);
        u[2] = (spec * 16 + k) * 8 + imin(7, (r + bl + 1) >> 1);
        u[5] = (b->above * 8 + b->left) * 16 + k;
        u[6] = (edge * 16 + k) * 8 + imin(7, co0);
        u[7] = (k * 7 + size) * 3 + c;
        u[8] = b->tx * 16 + k;
        u[11] = imin(31, sum >> 1) * 16 + k;
        int bit = code_bit_mode(coder, E_HUGE_, u, imin(k, 7) * 3 + c, s1, value > k, mode);
        if (!bit) break;
        k++;
      }
      if (k == 15) { /* Exp-Golomb above */
        int rest = value - 15, bits = decoding ? 0 : ilog2(rest + 1);
        int q = 0;
        for (; q < 14; q++) {
          uint32_t u[4] = {q, q + 16 * c, q + 64, q + 64};
          if (!code_bit_mode(coder, E_ESCAPE, u, 0, imin(q, 7), bits > q, mode)) break;
        }
        int got = 1;
        for (int j = q - 1; j >= 0; j--) {
          uint32_t u[4] = {128 + j, 160 + q, 192, 193};
          got = got << 1 | code_bit_mode(coder, E_ESCAPE, u, 1, 1, (rest + 1) >> j & 1, mode);
        }
        k = imin(k + got - 1, 32767);
      }
    }
    int sign = level[at] < 0;
    {
      int e = expected < 0 ? -edge : edge;
      int ls = b->luma ? (b->luma[at] > 0 ? 1 : b->luma[at] < 0 ? 2 : 0) : 0, fs = b->first ? (b->first[at] > 0 ? 1 : b->first[at] < 0 ? 2 : 0) : 0;
      const int8_t *g = sgn + y * ms + x;
      int rs = g[1], bs = g[ms], ds = g[ms + 1];
      int es = clampi(e, -4, 4) + 4;
      uint32_t v2[8];
      v2[0] = (e + 8) * 3 + c;
      v2[1] = ((ls * 3 + fs) * 3 + c) * 9 + es;
      v2[2] = (((rs * 3 + bs) * 3 + ds) * 3 + c) * 4 + (x > 0) * 2 + (y > 0);
      v2[3] = ((imin(x, 3) * 4 + imin(y, 3)) * 9 + es) * 3 + c;
      v2[4] = (b->tx * 3 + rs) * 3 + bs + 256 * (x > 0) + 512 * (y > 0);
      v2[5] = ((b->kind - 1) * 17 + e + 8) * 16 + imin(x, 3) * 4 + imin(y, 3);
      v2[6] = ((imin(co0, 2) * 3 + ls) * 3 + imin(co1, 2)) * 3 + fs + 81 * c;
      v2[7] = ((imin(k, 3) * 17) + e + 8) * 7 + size;
      sign = code_bit_mode(coder, E_SIGN, v2, iabs(e) * 2 + pc, (ls * 3 + fs) + (b->kind == INTER ? 0 : 0), sign, mode);
    }
    if (decoding) level[at] = sign ? -k : k;
    mag[y * ms + x] = imin(k, 255);
    sgn[y * ms + x] = 1 + sign;
    state = next_state[state][k & 1];
    seen++;
    sum += imin(k, 8);
  }
  return last;
}

static void code_levels(Coder *coder, const Block *b, int16_t *level) {
  if (coder->mode == ESTIMATE) code_levels_mode(coder, b, level, ESTIMATE);
  else code_levels_mode(coder, b, level, ENCODE);
}
/* 0..7: how much a block's levels amount to, by area. */
static int amount_of(const int16_t *level, int n) {
  int sum = 0;
  for (int i = 0; i < n; i++) sum += iabs(level[i]);
  return sum ? imin(7, 1 + ilog2((uint32_t)imax(1, sum * 16 / n))) : 0;
}
#endif
