/* The coding tree in both directions, a whole frame from the decoder's side, and the memory of a group. */
#ifndef LVC_HYBRID_DECODER_H
#define LVC_HYBRID_DECODER_H
#include "hybrid_filter.h"
#include "hybrid_syntax.h"

/* What an encoder decided for one coding tree block, in coding order; a decoder has none. */
typedef struct {
  int splits, units, used;           /* used: samples whose levels are in `level` */
  uint8_t split[128];
  Unit unit[64];
  int16_t level[3][TREE * TREE];
} Plan;

static void code_tree(State *s, Coder *c, int x0, int y0, Plan *plan) {
  struct { int16_t x, y; uint8_t lw, lh, binary; } stack[32], node;
  int16_t buffer[3][TREE * TREE];
  int top = 0, splits = 0, units = 0, used = 0;
  stack[top].x = x0; stack[top].y = y0; stack[top].lw = stack[top].lh = 5; stack[top++].binary = 0;
  while (top) {
    node = stack[--top];
    if (node.x >= s->w || node.y >= s->h) continue;
    int lw = node.lw, lh = node.lh;
    int how = code_split(s, c, node.x, node.y, lw, lh, node.binary, plan ? plan->split[splits] : 0);
    splits++;
    if (how == SPLIT_NONE) {
      Unit fresh = {0}, *u = plan ? plan->unit + units : &fresh;
      int16_t *level[3];
      for (int n = 0; n < 3; n++) level[n] = plan ? plan->level[n] + used : buffer[n];
      code_unit(s, c, u, node.x, node.y, lw, lh, level);
      units++;
      used += 1 << (lw + lh);
      continue;
    }
    int dw = how != SPLIT_ROWS, dh = how != SPLIT_COLUMNS;
    for (int j = dh; j >= 0; j--)
      for (int i = dw; i >= 0; i--) {
        stack[top].x = node.x + (i << (lw - 1)); stack[top].y = node.y + (j << (lh - 1));
        stack[top].lw = lw - dw; stack[top].lh = lh - dh; stack[top++].binary = node.binary + (how != SPLIT_QUAD);
      }
  }
}

static pel *slot_of(const State *s, int time) { return s->pictures + (size_t)(time % s->ring) * 3 * s->plane_size; }
static void begin_frame(State *s) {
  Cell *t = s->past;
  s->past = s->cells;
  s->cells = t;
  memcpy(s->past_distance, s->distance, sizeof s->distance);
  s->past_refs = s->refs;
  memset(s->cells, 0, (size_t)s->cw * s->ch * sizeof(Cell));
  s->now = slot_of(s, s->time);
}
static void end_frame(State *s) { /* an encoder has filtered already, to see what it gains */
  if (s->deblock && s->c.mode == DECODE) deblock_picture(s);
  if (s->restore && s->c.mode == DECODE) restore_picture(s, s->before, s->strength);
  extend_borders(s, s->time);
  s->time++;
}
static void decode_frame(State *s, uint8_t *rgb) {
  begin_frame(s);
  code_frame_header(s);
  for (int y = 0; y < s->h; y += TREE) {
    begin_row(s);
    for (int x = 0; x < s->w; x += TREE) code_tree(s, &s->c, x, y, NULL);
  }
  code_filters(s);
  end_frame(s);
  if (rgb) planes_to_rgb(s, s->time - 1, rgb);
}

/* Cuts memory at `base` (may be NULL: only the size is wanted) into the state's arrays; bytes used. */
static size_t layout_state(State *s, const Config *cfg, int ring, uint8_t *base) {
  size_t at = 0;
  s->cfg = *cfg;
  s->ring = ring;
  s->w = (cfg->width + 7) & ~7; s->h = (cfg->height + 7) & ~7;
  s->cw = s->w >> 2; s->ch = s->h >> 2;
  s->stride = s->w + 2 * PAD;
  s->plane_size = (size_t)s->stride * (s->h + 2 * PAD) + 64;
#define TAKE(field, count) s->field = (void *)(base + at); at += ((count) * sizeof(*s->field) + 63) & ~(size_t)63;
  TAKE(pictures, s->plane_size * 3 * ring)
  TAKE(cells, (size_t)s->cw * s->ch)
  TAKE(past, (size_t)s->cw * s->ch)
  TAKE(strength, (size_t)((s->w + TREE - 1) / TREE) * ((s->h + TREE - 1) / TREE))
  TAKE(before, (size_t)3 * s->w * s->h)
  TAKE(c.probs, N_PROBS)
  TAKE(c.weights, N_WEIGHTS)
  return at;
}
static void start_state(State *s, const Prob *probs, const int32_t *weights) {
  s->time = s->refs = s->past_refs = 0;
  s->qi = 0;
  memset(s->distance, 0, sizeof s->distance);
  memset(s->cells, 0, (size_t)s->cw * s->ch * sizeof(Cell));
  memset(s->past, 0, (size_t)s->cw * s->ch * sizeof(Cell));
  coder_reset(&s->c, probs, weights);
}
#endif
