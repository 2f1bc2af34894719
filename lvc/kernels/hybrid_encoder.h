/* The encoder's way through a frame: references, decisions tree by tree, coding, filters.
 *
 * Cost of a choice is D * weight + lambda * bits, D the squared error of the three planes, bits from the coder's own
 * state (COUNT: mixing and all; ESTIMATE: one context each). Nothing here is part of the format.
 */
#ifndef LVC_HYBRID_ENCODER_H
#define LVC_HYBRID_ENCODER_H
#include "hybrid_lookahead.h"
#include "hybrid_partition.h"

#ifdef HYBRID_WATCH
void hybrid_watch(const State *s, const pel *source); /* of experiments: sees each picture before restoration */
#endif

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

/* The strength of each tree block that costs least, errors and bits together; applied. */
static void choose_restoration(Encoder *e) {
  State *s = &e->s;
  const double bit[STRENGTHS] = {0.7, 2.5, 2.0, 3.0}; /* about what each costs */
  uint8_t *strength = s->strength;
  s->restore = 0;
  if (s->cfg.without & TOOL_RESTORE) return;
  keep_before(s, s->before);
  for (int y = 0; y < s->h; y += TREE)
    for (int x = 0; x < s->w; x += TREE, strength++) {
      int32_t correction[3][TREE][TREE];
      int64_t error[STRENGTHS] = {0};
      const int w = imin(TREE, s->w - x), h = imin(TREE, s->h - y);
      find_corrections(s, s->before, x, y, correction);
      for (int c = 0; c < 3; c++)
        for (int j = 0; j < h; j++)
          for (int i = 0; i < w; i++) {
            const int shown = s->before[((size_t)c * s->h + y + j) * s->w + x + i], wanted = *source_at(e, c, x + i, y + j);
            for (int k = 0; k < STRENGTHS; k++) { const int d = wanted - (k ? corrected(shown, correction[c][j][i], k) : shown); error[k] += d * d; }
          }
      int best = 0;
      for (int k = 1; k < STRENGTHS; k++) if (error[k] + e->lambda * bit[k] < error[best] + e->lambda * bit[best]) best = k;
      *strength = best;
      s->restore |= best > 0;
      if (best) apply_corrections(s, x, y, correction, best);
    }
}

static void encode_frame(Encoder *e, const uint8_t *rgb) {
  State *s = &e->s;
  begin_frame(s);
  pel *out[3] = {e->source, e->source + (size_t)s->w * s->h, e->source + (size_t)2 * s->w * s->h};
  rgb_to_planes(s, rgb, out, s->w);
  s->refs = e->listed[s->time].refs;
  memcpy(s->distance, e->listed[s->time].distance, sizeof s->distance);
  for (int r = 0; r < s->refs; r++) search_fields(e, r, e->low_found + ((size_t)s->time * MAX_REFS + r) * e->bw * e->bh);
  if (!(s->cfg.without & TOOL_COPY)) {
    sum_squares(e->source, s->w, s->w, s->h, e->sums);
    memset(e->copied, 255, (size_t)e->bw * e->bh * 4 * sizeof(Found));
  }
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
#ifdef HYBRID_WATCH
  hybrid_watch(s, e->source);
#endif
  choose_restoration(e);
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
  TAKE_E(copied, (size_t)e->bw * e->bh * 4)
  TAKE_E(sums, (size_t)s->w * s->h)
  TAKE_E(quality, (size_t)e->bw * e->bh)
  TAKE_E(look, (size_t)frames * e->bw * e->bh)
  TAKE_E(listed, (size_t)frames)
  TAKE_E(low_found, (size_t)frames * MAX_REFS * e->bw * e->bh)
  TAKE_E(spare, s->plane_size * 3)
  return at;
}
#endif
