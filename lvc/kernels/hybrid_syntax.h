/* The order of syntax elements, written once for both directions: frame header, coding tree, unit, plane.
 *
 * Each function takes the unit as the encoder decided it, or an empty one that decoding fills. The coder's mode says
 * which: ENCODE, DECODE, or COUNT and ESTIMATE, which only add up the cost.
 */
#ifndef LVC_HYBRID_SYNTAX_H
#define LVC_HYBRID_SYNTAX_H
#include "hybrid_coefficients.h"
#include "hybrid_colour.h"
#include "hybrid_copy.h"
#include "hybrid_inter.h"
#include "hybrid_intra.h"
#include "hybrid_restore.h"
#include "hybrid_trellis.h"

enum { SPLIT_NONE, SPLIT_QUAD, SPLIT_ROWS, SPLIT_COLUMNS };
enum { TOOL_BINARY_SPLIT = 1, TOOL_DST = 2, TOOL_IDENTITY = 4, TOOL_BI = 8, TOOL_CFL = 16, TOOL_DEBLOCK = 32, TOOL_SPECTRUM = 64,
       TOOL_EDGE = 128, TOOL_RDOQ = 256, TOOL_RATES = 512, TOOL_TRELLIS = 1024, TOOL_BEND = 2048, TOOL_RESTORE = 4096, TOOL_COPY = 8192, TOOL_FAR = 16384, TOOL_CUBIC = 32768 };

static int code_literal(Coder *c, int which, int value, int bits) {
  int got = 0;
  for (int i = bits - 1; i >= 0; i--) {
    uint32_t v[2] = {which * 8 + i, which * 8 + i};
    got = got << 1 | code_bit_any(c, E_HEADER, v, 0, 0, value >> i & 1);
  }
  return got;
}

static void code_frame_header(State *s) {
  Coder *c = &s->c;
  s->trellis = code_literal(c, 20, s->trellis, 1);
  int most = imin(MAX_REFS, imin(s->time, s->cfg.slots - 1));
  s->refs = imin(code_literal(c, 3, s->refs, 4), most);
  s->qi = imin(code_literal(c, s->refs > 0, s->qi, 7), 96);
  for (int r = 0; r < s->refs; r++) { /* distances rise: each as the step from the one before */
    int base = r ? s->distance[r - 1] : 0, step = s->distance[r] - base;
    int near = code_literal(c, 4 + r, step == 1, 1);
    if (!near) step = code_literal(c, 12 + r, step, 8);
    else step = 1;
    s->distance[r] = clampi(base + step, 1, imin(s->time, s->cfg.slots - 1));
  }
}
/* A row of tree blocks knows nothing of what the one above had last, so that rows can be searched side by side. */
static void begin_row(State *s) {
  s->tree_qi = s->qi;
  s->group_at = -1;
  s->n_history = 0;
}

static void code_filters(State *s) {
  s->deblock = code_literal(&s->c, 2, s->deblock, 1);
  s->restore = s->cfg.without & TOOL_RESTORE ? 0 : code_literal(&s->c, 21, s->restore, 1);
  if (s->restore) code_strengths(s, s->strength);
}

#ifndef MAX_BINARY
#define MAX_BINARY 2
#endif
/* May a block of this size at this place be split this way? */
INLINE int can_split(const State *s, int lw, int lh, int binary, int how) {
  if (how == SPLIT_QUAD) return lw == lh && lw > 2 && !binary;
  if (s->cfg.without & TOOL_BINARY_SPLIT) return 0;
  if (binary >= MAX_BINARY) return 0;
  return how == SPLIT_ROWS ? lh > 2 : lw > 2;
}
static int code_split(State *s, Coder *c, int x, int y, int lw, int lh, int binary, int how) {
  if (x + (1 << lw) > s->w || y + (1 << lh) > s->h) return SPLIT_QUAD;
  int quad = can_split(s, lw, lh, binary, SPLIT_QUAD), rows = can_split(s, lw, lh, binary, SPLIT_ROWS), columns = can_split(s, lw, lh, binary, SPLIT_COLUMNS);
  if (!quad && !rows && !columns) return SPLIT_NONE;
  const Cell *l = coded_cell(s, x - 1, y), *a = coded_cell(s, x, y - 1), *p = s->past + (y >> 2) * s->cw + (x >> 2);
  int sl = l ? l->lw + l->lh - 3 : 0, sa = a ? a->lw + a->lh - 3 : 0, sp = p->kind ? p->lw + p->lh - 3 : 0;
  int size = lw - 2, skips = (l ? l->skip : 0) + (a ? a->skip : 0) + 3 * p->skip;
  int hor = (l ? l->lh : 0) - lh, ver = (a ? a->lw : 0) - lw;
  uint32_t v[6] = {(size * 8 + sl) * 8 + sa, (size * 8 + sp) * 6 + skips, ((size * 2 + (sl < 2 * lw - 3)) * 2 + (sa < 2 * lw - 3)) * 8 + sp,
                   size * 12 + skips, (clampi(hor, -3, 3) + 3) * 8 + clampi(ver, -3, 3) + 3 + size * 64, size * 8 + sp};
  if (binary) {
    v[3] = 128 + (lw - 2) * 4 + lh - 2;
    v[5] = 128 + ((lw - 2) * 4 + lh - 2) * 6 + skips;
    for (int i = 0; i < 6; i++) v[i] += 1024;
  }
  int split = code_bit_any(c, E_SPLIT, v, size + (binary ? 4 : 0), sp, how != SPLIT_NONE);
  if (!split) return SPLIT_NONE;
  for (int i = 0; i < 6; i++) v[i] += 512;
  if (quad && (rows || columns)) {
    if (code_bit_any(c, E_SPLIT, v, 4, 4, how == SPLIT_QUAD)) return SPLIT_QUAD;
  } else if (quad) return SPLIT_QUAD;
  if (rows && columns) {
    for (int i = 0; i < 6; i++) v[i] ^= 256;
    return code_bit_any(c, E_SPLIT, v, 5, 5, how == SPLIT_ROWS) ? SPLIT_ROWS : SPLIT_COLUMNS;
  }
  return rows ? SPLIT_ROWS : SPLIT_COLUMNS;
}

static int code_number(Coder *c, int e, int which, int near, int value) { /* signed, Exp-Golomb with mixing */
  int mag = iabs(value);
  uint32_t v[6] = {which * 20, which * 20, near * 20, 0, which * 20, near * 40 + which * 20};
  if (!code_bit_any(c, e, v, which, near, mag > 0)) return 0;
  int want = ilog2(mag), k = 0;
  for (; k < 13; k++) {
    uint32_t u[6] = {which * 20 + 1 + k, which * 20 + 1 + k, near * 20 + 1 + k, 1 + k, which * 20 + 1 + k, near * 40 + which * 20 + 1 + k};
    if (!code_bit_any(c, e, u, which + 2, near + 2, want > k)) break;
  }
  int got = 1;
  for (int j = k - 1; j >= 0; j--) {
    uint32_t b = 256 + (k * 16 + j) * 3 + (j == k - 1 ? 0 : j == k - 2 ? 1 + (got & 1) : 0);
    uint32_t u[6] = {b, b, 400 + j, 420 + near, b, b};
    got = got << 1 | code_bit_any(c, e, u, 6, 6 + (j & 1), mag >> j & 1);
  }
  uint32_t u[6] = {900 + which, 900 + which, 910 + near * 2 + which, 930 + imin(k, 7) * 2 + which, 950 + which, 960};
  int negative = code_bit_any(c, e, u, 8 + which, 8 + which, value < 0);
  return negative ? -got : got;
}

static void code_motion(State *s, Coder *c, Unit *u, const Motion *list, const Cell *l, const Cell *a, int lw, int lh) {
  int lr = l && l->kind == INTER ? 1 + l->motion.ref[0] : 0, ar = a && a->kind == INTER ? 1 + a->motion.ref[0] : 0;
  if (s->refs > 1 && !(s->cfg.without & TOOL_BI)) {
    int lb = l && l->kind == INTER ? 1 + (l->motion.ref[1] >= 0) : 0, ab = a && a->kind == INTER ? 1 + (a->motion.ref[1] >= 0) : 0;
    uint32_t v[6] = {lb * 3 + ab, lr, ar + 16, 32, 48 + lb, 64 + ab};
    u->bi = code_bit_any(c, E_BI, v, 0, 0, u->bi);
  } else u->bi = 0;
  if (!u->bi) u->motion.ref[1] = -1;
  for (int k = 0; k <= u->bi; k++) {
    int ref = u->motion.ref[k], r = 0;
    for (; r < s->refs - 1; r++) {
      int lc = list[0].ref[0] == r, prev = k ? 1 + imin(3, iabs(u->motion.ref[0] - r)) : 0;
      uint32_t v[6] = {(k * 8 + r) * 4 + (lr == r + 1) * 2 + (ar == r + 1), ((k * 8 + r) * 2 + lc) * 5 + prev, k * 8 + r, (lr * 9 + ar) * 8 + r, r, (k * 8 + r) * 2 + lc};
      if (!code_bit_any(c, E_REF, v, r, k, ref > r)) break;
    }
    u->motion.ref[k] = r;
    Vector pred[2];
    vector_predictions(s, list, r, pred);
    uint32_t v[4] = {k, 2 + (pred[0].x == 0 && pred[0].y == 0), 4 + r, 16};
    u->mvp[k] = code_bit_any(c, E_MVP, v, k, 0, u->mvp[k]);
    Vector p = pred[u->mvp[k]], *m = u->motion.mv + k;
    int dx = code_number(c, E_MVD, 0, imin(3, r), m->x - p.x), dy = code_number(c, E_MVD, 1, dx == 0 ? 4 : imin(3, ilog2(iabs(dx)) >> 1), m->y - p.y);
    m->x = clampi(p.x + dx, -8191, 8191);
    m->y = clampi(p.y + dy, -8191, 8191);
  }
  if (u->bi || lw + lh < 6 || (s->cfg.without & TOOL_BEND)) { memset(u->motion.bend, 0, sizeof u->motion.bend); return; }
  int lb = l && l->kind == INTER ? 1 + is_bent(&l->motion) : 0, ab = a && a->kind == INTER ? 1 + is_bent(&a->motion) : 0;
  uint32_t v[6] = {lb * 3 + ab, 16 + lw * 4 + lh, 64 + (lb * 3 + ab) * 3 + is_bent(list) * 2, 120 + u->motion.ref[0], 140 + lb, 150 + ab};
  if (!code_bit_any(c, E_BENT, v, lw + lh > 7, 0, is_bent(&u->motion))) { memset(u->motion.bend, 0, sizeof u->motion.bend); return; }
  int16_t pred[4];
  bend_prediction(list, u->motion.ref[0], lw, lh, pred);
  for (int k = 0; k < 4; k++) {
    const int unit = bend_unit(k & 1 ? lh : lw);
    int d = code_number(c, E_BEND, k == 1 || k == 2, pred[k] ? 1 : 0, (u->motion.bend[k] - pred[k]) / unit);
    u->motion.bend[k] = clampi(pred[k] + d * unit, -2048, 2047);
  }
}

/* Whether an intra unit is copied, and its vector. */
static void code_copy(State *s, Coder *c, Unit *u, const Cell *l, const Cell *a, int x, int y, int lw, int lh) {
  if (s->cfg.without & TOOL_COPY) { u->copy = 0; return; }
  const int lc = l ? 1 + is_copied(l) : 0, ac = a ? 1 + is_copied(a) : 0, size = lw + lh - 4, li = l ? l->kind : 0, ai = a ? a->kind : 0;
  uint32_t v[6] = {(lc * 3 + ac) * 2 + (s->refs > 0), 32 + (lc * 3 + ac) * 7 + size, 128 + size, 144 + (li * 3 + ai) * 2 + (s->refs > 0), 192 + lw * 4 + lh, 250};
  u->copy = code_bit_any(c, E_COPY, v, lc + ac, s->refs > 0, u->copy);
  if (!u->copy) return;
  Vector list[MAX_COPIES];
  const int n = copy_candidates(s, x, y, 1 << lw, 1 << lh, list);
  int i = 0;
  for (; i < n; i++) {
    uint32_t k[6] = {220 + i * 5 + n, 240 + i, 120 + i, 90 + i, 244 + i, 251};
    if (!code_bit_any(c, E_COPY, k, 4 + i, 4 + n, u->copy_index > i)) break;
  }
  u->copy_index = i;
  if (i < n) { u->motion.mv[0] = list[i]; return; }
  Vector p = n ? list[0] : (Vector){0, 0}, *m = u->motion.mv;
  int dx = code_number(c, E_COPY_VECTOR, 0, n > 0, m->x - p.x), dy = code_number(c, E_COPY_VECTOR, 1, dx == 0 ? 4 : n > 0, m->y - p.y);
  m->x = clampi(p.x + dx, -8191, 8191);
  m->y = clampi(p.y + dy, -8191, 8191);
}

/* Everything of a unit but its residual. */
static void code_unit_modes(State *s, Coder *c, Unit *u, int x, int y, int lw, int lh) {
  const Cell *l = coded_cell(s, x - 1, y), *a = coded_cell(s, x, y - 1), *p = s->past + (y >> 2) * s->cw + (x >> 2);
  const int size = lw + lh - 4;
  u->skip = s->refs ? u->skip : 0;
  if (s->refs) {
    Motion list[MAX_MERGE];
    merge_candidates(s, x, y, 1 << lw, 1 << lh, list);
    int ls = l ? 1 + l->skip : 0, as = a ? 1 + a->skip : 0, ps = p->kind ? 1 + p->skip : 0;
    int still = list[0].mv[0].x == 0 && list[0].mv[0].y == 0;
    const Cell *d = coded_cell(s, x - 1, y - 1), *r = coded_cell(s, x + (1 << lw), y - 1);
    int ds = d ? 1 + d->skip : 0, rs = r ? 1 + r->skip : 0;
    int agree = l && a && l->kind == INTER && a->kind == INTER && same_motion(&l->motion, &a->motion);
    uint32_t v[8] = {(ls * 3 + as) * 3 + ps, ((ls * 3 + as) * 7 + size) * 2 + still, ps * 7 + size, ((ls * 3 + as) * 3 + ds) * 3 + rs,
                     (agree * 3 + ps) * 2 + still, imin(7, (l ? l->level[0] : 0) + (a ? a->level[0] : 0)) * 8 + p->level[0], list[0].ref[0] * 16 + still * 8 + size, size};
    u->skip = code_bit_any(c, E_SKIP, v, size, ls * 3 + as < 8 ? ls * 3 + as : 7, u->skip);
    if (!u->skip) {
      int li = l ? l->kind : 0, ai = a ? a->kind : 0, pi = p->kind;
      uint32_t k[6] = {(li * 3 + ai) * 3 + pi, (li * 3 + ai) * 8 + size, pi * 8 + size, size, imin(7, (l ? l->level[0] : 0) + (a ? a->level[0] : 0)), li * 3 + ai};
      u->kind = code_bit_any(c, E_KIND, k, imin(3, size >> 1), (li == 1) + (ai == 1), u->kind == INTER) ? INTER : INTRA;
      if (u->kind == INTER) {
        uint32_t m[6] = {size, 8 + (ls * 3 + as), 32 + ps, 64 + still * 2 + agree, 80 + list[0].ref[0], 96};
        u->merge = code_bit_any(c, E_MERGE, m, imin(3, size >> 1), 0, u->merge);
      }
    } else { u->kind = INTER; u->merge = 1; }
    if (u->kind == INTER) {
      if (u->merge) {
        int i = 0;
        for (; i < MAX_MERGE - 1; i++) {
          uint32_t m[6] = {i, 8 + i * 7 + size, 64 + i * 2 + u->skip, 96 + (i * 8 + imin(7, list[i].ref[0])) * 2 + (list[i].mv[0].x == 0 && list[i].mv[0].y == 0),
                           256 + (i * 3 + ls) * 3 + as, 400 + (i * 2 + agree) * 2 + (list[i].ref[1] >= 0)};
          if (!code_bit_any(c, E_MERGE_INDEX, m, i, u->skip, u->merge_index > i)) break;
        }
        u->merge_index = i;
        u->motion = list[i];
      } else {
        u->merge_index = 0;
        code_motion(s, c, u, list, l, a, lw, lh);
      }
      u->mode = 36; u->chroma = 0;
      return;
    }
  } else u->kind = INTRA;
  u->merge = 0;
  u->motion.ref[0] = u->motion.ref[1] = -1;
  code_copy(s, c, u, l, a, x, y, lw, lh);
  if (u->copy) { u->mode = COPIED; u->chroma = 0; return; }
  int lm = l ? l->mode : 37, am = a ? a->mode : 37, node = 1;
  for (int i = 5; i >= 0; i--) {
    uint32_t v[6] = {node * 38 + lm, node * 38 + am, node * 8 + size, node, node * 16 + (lw - 2) * 4 + lh - 2, node * 64 + (lm < 37 ? lm >> 3 : 5) * 8 + (am < 37 ? am >> 3 : 5)};
    node = node * 2 + code_bit_any(c, E_MODE, v, lm == am, imin(3, 5 - i), u->mode >> i & 1);
  }
  u->mode = imin(node - 64, MODES - 1);
  /* chroma: as luma, from luma, planar, DC */
  int lc = l ? 1 + (l->chroma & 3) : 0, ac = a ? 1 + (a->chroma & 3) : 0;
  node = 1;
  for (int i = 1; i >= 0; i--) {
    uint32_t v[6] = {node * 25 + lc * 5 + ac, 100 + node * 8 + size, 200 + node * 40 + u->mode, 400 + node, 500 + node * 5 + lc, 600 + node * 5 + ac};
    node = node * 2 + code_bit_any(c, E_CHROMA, v, 0, 1 - i, u->chroma >> i & 1);
  }
  u->chroma = node - 4;
}

INLINE int chroma_tx(const Unit *u) { return u->cbf & 1 ? u->tx : 0; }

/* What the block's surroundings say: amounts, and the border residual in `top` and `side` before its transform. */
static void survey_block(const State *s, Block *b, const Unit *u, int c, int x, int y, int lw, int lh, const pel *pred) {
  const int w = 1 << lw, h = 1 << lh;
  const Cell *l = coded_cell(s, x - 1, y), *a = coded_cell(s, x, y - 1);
  b->trellis = s->trellis;
  b->c = c; b->lw = lw; b->lh = lh; b->kind = u->kind; b->mode = u->kind == INTER ? 36 : u->mode;
  b->above = a ? a->level[c] : 0;
  b->left = l ? l->level[c] : 0;
  const pel *p = current(s, c) + y * s->stride + x;
  pel row[32], column[32];
  if (u->kind == INTRA && u->copy && !(s->cfg.without & TOOL_EDGE)) {
    if (!a || !copy_samples(s, c, x, y - 1, w, 1, u->motion.mv[0], row)) memcpy(row, pred, w * sizeof(pel));
    if (!l || !copy_samples(s, c, x - 1, y, 1, h, u->motion.mv[0], column)) for (int i = 0; i < h; i++) column[i] = pred[i * w];
  } else if (u->kind == INTER && !(s->cfg.without & TOOL_EDGE)) {
    if (a) predict_inter(s, &u->motion, c, x, y - 1, w, 1, 2 * x + w, 2 * y + h, row);
    if (l) predict_inter(s, &u->motion, c, x - 1, y, 1, h, 2 * x + w, 2 * y + h, column);
  } else {
    for (int i = 0; i < w; i++) row[i] = pred[i];
    for (int i = 0; i < h; i++) column[i] = pred[i * w];
  }
  for (int i = 0; i < w; i++) b->top[i] = a ? p[i - s->stride] - row[i] : 0;
  for (int i = 0; i < h; i++) b->side[i] = l ? p[i * s->stride - 1] - column[i] : 0;
}
static void survey_transform(Block *b) {
  const int w = 1 << b->lw, h = 1 << b->lh;
  const int16_t *mx = matrix_of(b->tx & 3, b->lw), *my = matrix_of(b->tx >> 2, b->lh);
  int32_t t[32];
  for (int u = 0; u < w; u++) { t[u] = 0; for (int i = 0; i < w; i++) t[u] += b->top[i] * mx[u * w + i]; t[u] >>= 5; }
  memcpy(b->top, t, w * sizeof(int32_t));
  for (int u = 0; u < h; u++) { t[u] = 0; for (int i = 0; i < h; i++) t[u] += b->side[i] * my[u * h + i]; t[u] >>= 5; }
  memcpy(b->side, t, h * sizeof(int32_t));
}
/* The prediction's DCT, whatever the block's own transform: it says where detail is to be expected. */
static void survey_spectrum(const State *s, Block *b, const pel *pred) {
  if (s->cfg.without & TOOL_SPECTRUM) memset(b->spectrum, 0, (sizeof(int32_t)) << (b->lw + b->lh));
  else forward_transform(pred, b->spectrum, b->lw, b->lh, 0);
}
/* 0..7: how far the border is from what the prediction would continue, in steps. */
static int border_amount(const Block *b, int step) {
  int sum = 0, w = 1 << b->lw, h = 1 << b->lh;
  for (int i = 0; i < w; i++) sum += iabs(b->top[i]);
  for (int i = 0; i < h; i++) sum += iabs(b->side[i]);
  return imin(7, ilog2(1 + sum * 32 / (w + h) * 2 / step));
}

static int code_cbf(Coder *c, const Block *b, const Unit *u, int border, int cbf) {
  const int size = b->lw + b->lh - 4, n = b->c, before = u->cbf & ((1 << n) - 1);
  uint32_t v[8] = {((n * 7 + size) * 3 + b->kind) * 4 + before, ((b->above * 8 + b->left) * 3 + n) * 4 + before, ((border * 3 + n) * 7 + size) * 4 + before,
                   (n * 4 + before) * 3 + b->kind, ((n * 37) + b->mode) * 4 + before, ((border * 8 + imin(7, b->above + b->left)) * 3 + n) * 4 + before,
                   ((u->merge * 3 + b->kind) * 3 + n) * 4 + before, ((before & 1 ? u->tx : 0) * 3 + n) * 4 + before};
  return code_bit_any(c, E_CBF, v, n * 4 + before, border, cbf);
}
static int code_tx_side(Coder *c, const Block *b, int which, int first, int type) {
  const int size = b->lw + b->lh - 4;
  for (int k = 0; k < 3; k++) { /* DCT, identity, DST, flipped DST */
    static const uint8_t order[4] = {0, 3, 1, 2};
    int pos = (which * 3 + k) * 5 + first;
    uint32_t v[6] = {pos * 37 + b->mode, pos * 16 + (b->lw - 2) * 4 + b->lh - 2, pos * 3 + b->kind, pos * 8 + imin(7, b->above + b->left), pos, (pos * 7 + size) * 3 + b->kind};
    if (!code_bit_any(c, E_TX, v, (which * 3 + k) * 2 + b->kind - 1, which * 3 + k, type != order[k])) return order[k];
  }
  return 2;
}
static void code_tx(Coder *c, const Block *b, Unit *u) {
  int h = code_tx_side(c, b, 0, 0, u->tx & 3);
  int v = code_tx_side(c, b, 1, 1 + h, u->tx >> 2);
  u->tx = h + 4 * v;
}
static void code_quantiser(State *s, Coder *c, Unit *u, int x, int y) {
  int at = (y >> 4) * 1024 + (x >> 4);
  if (at == s->group_at || (s->cfg.without & TOOL_RATES)) { u->qi = s->tree_qi; return; }
  int p = s->past[(y >> 2) * s->cw + (x >> 2)].kind ? 1 + (s->past[(y >> 2) * s->cw + (x >> 2)].cbf != 0) : 0;
  int delta = u->qi - s->tree_qi, k = 0;
  uint32_t v[4] = {0, 1, 2 + p, 6};
  if (code_bit_any(c, E_QP, v, 0, 0, delta != 0)) {
    uint32_t n[4] = {16, 17 + p, 20, 21 + (s->tree_qi > s->qi) + 2 * (s->tree_qi < s->qi)};
    int negative = code_bit_any(c, E_QP, n, 1, 1, delta < 0);
    for (k = 1; k < 40; k++) {
      uint32_t m[4] = {32 + k, 32 + k, 80 + k, 80 + k};
      if (!code_bit_any(c, E_QP, m, 2, 2, iabs(delta) > k)) break;
    }
    delta = negative ? -k : k;
  } else delta = 0;
  u->qi = clampi(s->tree_qi + delta, 0, 96);
}

/* One plane of a unit: coded-block flag, quantiser where it is due, transform types, levels. */
static void code_plane(State *s, Coder *c, Unit *u, Block *b, int n, int x, int y, const pel *pred, int16_t *level[3]) {
  const int border = border_amount(b, step_table[s->qi]);
  int cbf = u->skip ? 0 : code_cbf(c, b, u, border, u->cbf >> n & 1);
  u->cbf = (u->cbf & ~(1 << n)) | cbf << n;
  if (!cbf) return;
  if (!(u->cbf & ((1 << n) - 1))) code_quantiser(s, c, u, x, y);
  if (n == 0) code_tx(c, b, u);
  b->tx = n ? chroma_tx(u) : u->tx;
  b->step = step_table[u->qi];
  survey_transform(b);
  survey_spectrum(s, b, pred);
  b->luma = n > 0 && (u->cbf & 1) ? level[0] : NULL;
  b->first = n > 1 && (u->cbf & 2) ? level[1] : NULL;
  code_levels(c, b, level[n]);
}

static void rebuild_plane(const State *s, const Block *b, int cbf, int x, int y, const pel *pred, const int16_t *level) {
  const int w = 1 << b->lw, h = 1 << b->lh;
  pel *p = current(s, b->c) + y * s->stride + x;
  if (!cbf) {
    for (int j = 0; j < h; j++) memcpy(p + j * s->stride, pred + j * w, w * sizeof(pel));
    return;
  }
  int32_t coef[1024];
  int16_t res[1024];
  int nx, ny;
  dequantise(b, level, coef, &nx, &ny);
  inverse_transform(coef, res, b->lw, b->lh, b->tx, nx, ny);
  for (int j = 0; j < h; j++)
    for (int i = 0; i < w; i++) p[j * s->stride + i] = clampi(pred[j * w + i] + res[j * w + i], -2048, 2047);
}

static void predict_plane(const State *s, const Unit *u, int c, int x, int y, int lw, int lh, pel *pred) {
  if (u->kind == INTER) { predict_inter(s, &u->motion, c, x, y, 1 << lw, 1 << lh, 2 * x + (1 << lw), 2 * y + (1 << lh), pred); return; }
  if (u->copy) { /* a damaged stream's vector may point where nothing is */
    if (!copy_samples(s, c, x, y, 1 << lw, 1 << lh, u->motion.mv[0], pred)) memset(pred, 0, sizeof(pel) << (lw + lh));
    return;
  }
  Edge e;
  gather_edge(s, &e, c, x, y, 1 << lw, 1 << lh);
  if (c && u->chroma == 1) {
    Edge luma;
    gather_edge(s, &luma, 0, x, y, 1 << lw, 1 << lh);
    predict_from_luma(s, pred, x, y, lw, lh, &luma, &e);
    return;
  }
  predict_intra(&e, pred, !c || u->chroma == 0 ? u->mode : u->chroma - 2, lw, lh, !(s->cfg.without & TOOL_CUBIC));
}

static void fill_cells(const State *s, const Unit *u, int x, int y, int lw, int lh, const uint8_t amount[3]) {
  Cell cell = {u->kind, u->skip, lw, lh, u->kind == INTER ? 36 : u->mode, u->chroma, u->cbf, u->qi, {amount[0], amount[1], amount[2]}, 0, u->motion};
  for (int j = 0; j < 1 << (lh - 2); j++)
    for (int i = 0; i < 1 << (lw - 2); i++) cell_at(s, x, y)[j * s->cw + i] = cell;
}

/* A whole unit: modes, then plane by plane prediction, levels, reconstruction. */
static void code_unit(State *s, Coder *c, Unit *u, int x, int y, int lw, int lh, int16_t *level[3]) {
  code_unit_modes(s, c, u, x, y, lw, lh);
  if (c->mode == DECODE) { u->cbf = 0; u->tx = 0; u->qi = s->tree_qi; }
  uint8_t amount[3] = {0, 0, 0};
  if (u->skip) u->cbf = 0;
  for (int n = 0; n < 3; n++) {
    pel pred[1024];
    Block b;
    predict_plane(s, u, n, x, y, lw, lh, pred);
    if (!u->skip) {
      survey_block(s, &b, u, n, x, y, lw, lh, pred);
      code_plane(s, c, u, &b, n, x, y, pred, level);
    } else { b.c = n; b.lw = lw; b.lh = lh; }
    int cbf = u->cbf >> n & 1;
    rebuild_plane(s, &b, cbf, x, y, pred, level[n]);
    if (cbf) amount[n] = amount_of(level[n], 1 << (lw + lh));
  }
  if (u->cbf) { s->tree_qi = u->qi; s->group_at = (y >> 4) * 1024 + (x >> 4); }
  else u->qi = s->tree_qi;
  fill_cells(s, u, x, y, lw, lh, amount);
  if (u->kind == INTER) remember_motion(s, &u->motion);
}
#endif
