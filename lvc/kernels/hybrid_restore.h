/* Restoration in the loop: clipped differences to neighbours, weighted by trained whole numbers, correct each sample.
 *
 * A correction is a sum over pairs of neighbours on opposite sides, clip(a - x) + clip(b - x), each at several limits that
 * follow the sample's quantiser, as in VVC's adaptive loop filter (Taquet et al., "Non-linear adaptive loop filter",
 * 2019); the weights are not sent but trained on games (tools/train_hybrid_filter.py). Squares of a skip unit by whole
 * samples are left alone: what they show was restored already. Each tree block says how strongly it is corrected.
 */
#ifndef LVC_HYBRID_RESTORE_H
#define LVC_HYBRID_RESTORE_H
#include "hybrid_entropy.h"
#include "hybrid_restore_tables.h"

enum { STRENGTHS = 4 }; /* of a tree block: none, a half, once, one and a half */
static const int8_t restore_steps[14][2] = {{0, 1}, {1, 0}, {1, 1}, {1, -1}, {0, 2}, {2, 0}, {1, 2}, {2, 1}, {1, -2}, {2, -1}, {2, 2}, {2, -2}, {0, 3}, {3, 0}};

INLINE int restores(const Cell *cell) {
  const Motion *m = &cell->motion;
  return cell->kind == INTRA || cell->cbf || ((m->mv[0].x | m->mv[0].y) & 3) || m->ref[1] >= 0 || is_bent(m);
}

/* A tree block's samples with a border of 3, repeated beyond the picture's edge. */
typedef struct { pel px[3][TREE + 6][48]; } Neighbourhood;

static void gather_neighbourhood(const State *s, const pel *before, int x, int y, int h, Neighbourhood *out) {
  for (int c = 0; c < 3; c++)
    for (int j = -3; j < h + 3; j++) {
      const pel *row = before + ((size_t)c * s->h + clampi(y + j, 0, s->h - 1)) * s->w;
      pel *to = out->px[c][j + 3];
      for (int i = -3; i < TREE + 3; i++) to[i + 3] = row[clampi(x + i, 0, s->w - 1)];
    }
}

INLINE void add_pair(const pel (*px)[48], int j, const int8_t *step, const int16_t (*limit)[TREE], const int8_t *which, int limits, const int16_t *weight, int32_t *sum) {
  const pel *x = px[j + 3] + 3, *a = px[j + 3 + step[0]] + 3 + step[1], *b = px[j + 3 - step[0]] + 3 - step[1];
  int16_t da[TREE], db[TREE];
  for (int i = 0; i < TREE; i++) { da[i] = a[i] - x[i]; db[i] = b[i] - x[i]; }
  for (int k = 0; k < limits; k++) {
    const int16_t *most = limit[which[k]];
    const int32_t w = weight[k];
    for (int i = 0; i < TREE; i++) {
      int16_t m = most[i], u = da[i], v = db[i];
      u = u > m ? m : u; u = u < -m ? -m : u;
      v = v > m ? m : v; v = v < -m ? -m : v;
      sum[i] += w * (int16_t)(u + v);
    }
  }
}

/* Corrections of a tree block at strength 1, in 1/(1 << RESTORE_SHIFT) of a sample's unit; 0 where nothing is corrected.
   Whether anything may be. */
static int find_corrections(const State *s, const pel *before, int x, int y, int32_t (*out)[TREE][TREE]) {
  const int w = imin(TREE, s->w - x), h = imin(TREE, s->h - y);
  Neighbourhood n;
  int found = 0;
  gather_neighbourhood(s, before, x, y, h, &n);
  memset(out, 0, 3 * sizeof *out);
  for (int j = 0; j < h; j += 4) {
    int16_t limit[RESTORE_LIMITS][TREE], active[TREE];
    int any = 0;
    for (int i = 0; i < TREE; i++) {
      const Cell *cell = i < w ? cell_at(s, x + i, y + j) : NULL;
      active[i] = cell && restores(cell);
      any |= active[i];
      for (int k = 0; k < RESTORE_LIMITS; k++) limit[k][i] = restore_limit[k][cell ? cell->qi : 0];
    }
    if (!any) continue;
    found = 1;
    for (int r = j; r < imin(j + 4, h); r++)
      for (int c = 0; c < 3; c++) {
        int32_t *sum = out[c][r];
        const int16_t *weight = restore_weights[c > 0];
        if (!c)
          for (int p = 0; p < RESTORE_PAIRS; p++, weight += RESTORE_OWN) add_pair(n.px[0], r, restore_steps[p], limit, restore_own, RESTORE_OWN, weight, sum);
        else {
          for (int p = 0; p < RESTORE_CHROMA_PAIRS; p++, weight += RESTORE_OWN) add_pair(n.px[c], r, restore_steps[p], limit, restore_own, RESTORE_OWN, weight, sum);
          for (int p = 0; p < RESTORE_LUMA_PAIRS; p++, weight += RESTORE_OTHER) add_pair(n.px[0], r, restore_steps[p], limit, restore_other, RESTORE_OTHER, weight, sum);
        }
        for (int i = 0; i < TREE; i++) sum[i] = active[i] ? sum[i] : 0;
      }
  }
  return found;
}
INLINE int corrected(int sample, int32_t correction, int strength) {
  return clampi(sample + (((correction >> 1) * strength + (1 << (RESTORE_SHIFT - 1))) >> RESTORE_SHIFT), -2048, 2047);
}
static void apply_corrections(const State *s, int x, int y, int32_t (*correction)[TREE][TREE], int strength) {
  const int w = imin(TREE, s->w - x), h = imin(TREE, s->h - y);
  for (int c = 0; c < 3; c++)
    for (int j = 0; j < h; j++) {
      pel *p = current(s, c) + (y + j) * s->stride + x;
      for (int i = 0; i < w; i++) p[i] = corrected(p[i], correction[c][j][i], strength);
    }
}
/* The picture's samples as they are before restoration, without borders. */
static void keep_before(const State *s, pel *before) {
  for (int c = 0; c < 3; c++)
    for (int y = 0; y < s->h; y++) memcpy(before + ((size_t)c * s->h + y) * s->w, current(s, c) + y * s->stride, s->w * sizeof(pel));
}

static int code_strength(Coder *c, int left, int above, int strength) {
  uint32_t v[4] = {left * 4 + above, 16 + left, 32 + above, 48};
  if (!code_bit_any(c, E_FILTER, v, 0, 0, strength > 0)) return 0;
  for (int i = 0; i < 4; i++) v[i] += 64;
  if (!code_bit_any(c, E_FILTER, v, 1, 1, strength > 1)) return 1;
  for (int i = 0; i < 4; i++) v[i] += 64;
  return 2 + code_bit_any(c, E_FILTER, v, 2, 2, strength > 2);
}
/* Strengths of all tree blocks, [rows][columns], in both directions. */
static void code_strengths(State *s, uint8_t *strength) {
  const int across = (s->w + TREE - 1) / TREE, down = (s->h + TREE - 1) / TREE;
  for (int y = 0; y < down; y++)
    for (int x = 0; x < across; x++) {
      uint8_t *at = strength + y * across + x;
      *at = code_strength(&s->c, x ? at[-1] : 0, y ? at[-across] : 0, *at);
    }
}
static void restore_picture(const State *s, pel *before, const uint8_t *strength) {
  int32_t correction[3][TREE][TREE];
  int kept = 0;
  for (int y = 0; y < s->h; y += TREE)
    for (int x = 0; x < s->w; x += TREE, strength++) {
      if (!*strength) continue;
      if (!kept) { keep_before(s, before); kept = 1; }
      find_corrections(s, before, x, y, correction);
      apply_corrections(s, x, y, correction, *strength);
    }
}
#endif
