/* The encoder's way through a frame: search by rows of tree blocks, filters, and coding of what was decided.
 *
 * Cost of a choice is D * weight + lambda * bits, D the squared error of the three planes, bits as the first contexts
 * said when the frame was begun (ESTIMATE). Rows of tree blocks are searched side by side, each two tree blocks behind
 * the one above; a frame is coded by the Writer while the next one is searched, and for itself where it is one of the
 * first, whose statistics the next one needs. Nothing here is part of the format.
 */
#ifndef LVC_HYBRID_ENCODER_H
#define LVC_HYBRID_ENCODER_H
#include "hybrid_lookahead.h"
#include "hybrid_partition.h"

#ifdef HYBRID_WATCH
void hybrid_watch(const State *s, const pel *source); /* of experiments: sees each picture before restoration */
#endif

static const Knobs knobs_of[3] = {
    {.everywhere = 1, .merges = 3, .whole = 1, .singles = 2, .bends = 1, .bend_least = 6, .bend_rounds = 3, .inter = 1, .intra = 1, .intra_key = 1, .copies = 1, .types = 3,
     .stop = 20, .differ = 16, .patience = 16, .angles = 12},
    {.everywhere = 1, .merges = 4, .whole = 2, .singles = 2, .bends = 1, .bend_least = 6, .bend_rounds = 6, .bi = 2, .inter = 2, .intra = 1, .intra_key = 2, .copies = 2, .types = 6,
     .binary = 1, .directions = 1, .stop = 8, .patience = 40},
    {.everywhere = 7, .merges = 8, .whole = 4, .singles = 3, .bends = 2, .bend_least = 6, .bend_rounds = 6, .bi = 3, .inter = 4, .intra = 2, .intra_key = 3, .copies = 2, .types = 12,
     .binary = 2, .directions = 2}};

enum { SETTLED = 3 }; /* frames of a group that are coded before the next is begun */

static void choose_deblocking(Encoder *e) {
  State *s = &e->s;
  int64_t before = 0, after = 0;
  size_t size = 3 * s->plane_size;
  memcpy(e->spare, s->now, size * sizeof(pel));
  for (int c = 0; c < 3; c++) before += squared_error(source_at(e, c, 0, 0), s->w, current(s, c), s->stride, s->w, s->h);
  deblock_picture(s);
  for (int c = 0; c < 3; c++) after += squared_error(source_at(e, c, 0, 0), s->w, current(s, c), s->stride, s->w, s->h);
  s->deblock = after < before && !(s->cfg.without & TOOL_DEBLOCK);
  if (!s->deblock) memcpy(s->now, e->spare, size * sizeof(pel));
}

/* The strength of each tree block of a row that costs least, errors and bits together; applied. */
static void choose_strengths(void *context, int worker, int row) {
  Encoder *e = context;
  State *s = &e->s;
  const double bit[STRENGTHS] = {0.7, 2.5, 2.0, 3.0}; /* about what each costs */
  const int y = row * TREE;
  uint8_t *strength = s->strength + (size_t)row * ((s->w + TREE - 1) / TREE);
  (void)worker;
  for (int x = 0; x < s->w; x += TREE, strength++) {
    int32_t correction[3][TREE][TREE];
    int64_t error[STRENGTHS] = {0};
    const int w = imin(TREE, s->w - x), h = imin(TREE, s->h - y);
    *strength = 0;
    if (!find_corrections(s, s->before, x, y, correction)) continue;
    for (int c = 0; c < 3; c++)
      for (int j = 0; j < h; j++)
        for (int i = 0; i < w; i++) {
          const int shown = s->before[((size_t)c * s->h + y + j) * s->w + x + i], wanted = *source_at(e, c, x + i, y + j);
          for (int k = 0; k < STRENGTHS; k++) { const int d = wanted - (k ? corrected(shown, correction[c][j][i], k) : shown); error[k] += d * d; }
        }
    int best = 0;
    for (int k = 1; k < STRENGTHS; k++) if (error[k] + e->lambda * bit[k] < error[best] + e->lambda * bit[best]) best = k;
    *strength = best;
    if (best) apply_corrections(s, x, y, correction, best);
  }
}
static void choose_restoration(Encoder *e) {
  State *s = &e->s;
  const int rows = (s->h + TREE - 1) / TREE, across = (s->w + TREE - 1) / TREE;
  s->restore = 0;
  if (s->cfg.without & TOOL_RESTORE) return;
  keep_before(s, s->before);
  run_jobs(e->team, choose_strengths, e, rows);
  for (int i = 0; i < rows * across; i++) s->restore |= s->strength[i] > 0;
}

/* Quantisers of a tree block's cells as coding will leave them: a unit without levels takes the last one's. */
static void settle_quantisers(State *s, Plan *plan) {
  for (int i = 0; i < plan->units; i++) {
    Unit *u = plan->unit + i;
    if (u->cbf) s->tree_qi = u->qi;
    else
      for (int y = u->y; y < u->y + (1 << u->lh); y += 4)
        for (int x = u->x; x < u->x + (1 << u->lw); x += 4) cell_at(s, x, y)->qi = s->tree_qi;
  }
}
static void search_row(Encoder *e, int row) {
  State *s = &e->s;
  const int across = (s->w + TREE - 1) / TREE;
  begin_row(s);
  memset(e->row_habit, 0, sizeof e->row_habit);
  memset(e->left_out, 0, sizeof e->left_out);
  for (int i = 0; i < across; i++) {
    if (row) wait_for(e->progress + row - 1, imin(i + 2, across));
    Plan *plan = e->plans[0] + (size_t)row * across + i;
    search_node(e, i * TREE, row * TREE, 5, 5, 0, plan);
    settle_quantisers(s, plan);
    tell(e->progress + row, i + 1);
  }
  memcpy(e->row_habits + row, e->row_habit, sizeof e->row_habit);
}
static void write_row(Writer *w, int row) {
  State *s = &w->s;
  const int across = (s->w + TREE - 1) / TREE;
  begin_row(s);
  for (int i = 0; i < across; i++) {
    Plan plan = w->plans[(size_t)row * across + i];
    code_tree(s, &s->c, i * TREE, row * TREE, &plan);
  }
}
static void end_writing(Writer *w) {
  code_filters(&w->s);
  if (w->ends) w->ends[w->s.time] = w->s.c.out_at;
  w->s.time++;
}
static void write_frame(Writer *w) {
  State *s = &w->s;
  for (int row = 0; row * TREE < s->h; row++) write_row(w, row);
  end_writing(w);
}
/* Hands the frame that is searched over to the writer. */
static void begin_writing(Encoder *e) {
  Writer *w = e->writer;
  State *s = &w->s;
  s->past_refs = s->refs;
  memcpy(s->past_distance, s->distance, sizeof s->distance);
  Cell *t = s->past; s->past = s->cells; s->cells = t;
  memset(s->cells, 0, (size_t)s->cw * s->ch * sizeof(Cell));
  s->time = e->s.time; s->refs = e->s.refs; s->qi = e->s.qi; s->trellis = e->s.trellis;
  memcpy(s->distance, e->s.distance, sizeof s->distance);
  s->c.mode = ENCODE;
  code_frame_header(s);
}
static void finish_writing(Encoder *e) { /* what filters do, which the writer codes last */
  State *s = &e->writer->s;
  s->deblock = e->s.deblock; s->restore = e->s.restore;
  memcpy(s->strength, e->s.strength, (size_t)((s->w + TREE - 1) / TREE) * ((s->h + TREE - 1) / TREE));
}

static void field_job(void *context, int worker, int r) {
  Encoder *e = context;
  (void)worker;
  search_fields(e, r, e->low_found + ((size_t)e->s.time * MAX_REFS + r) * e->bw * e->bh);
}
/* Rows of tree blocks, and after them, where one is waiting, the frame before is coded. */
static void frame_job(void *context, int worker, int index) {
  Encoder *e = context;
  if (index * TREE < e->s.h) search_row(e->workers + worker, index);
  else write_frame(e->writer);
}
static void begin_search(Encoder *e, const uint8_t *rgb) {
  State *s = &e->s;
  begin_frame(s);
  pel *out[3] = {e->source, e->source + (size_t)s->w * s->h, e->source + (size_t)2 * s->w * s->h};
  rgb_to_planes(s, rgb, out, s->w);
  s->refs = e->listed[s->time].refs;
  memcpy(s->distance, e->listed[s->time].distance, sizeof s->distance);
  sum_squares(e->source, s->w, s->w, s->h, e->source_sums);
  memset(e->copied, 255, (size_t)e->bw * e->bh * 4 * sizeof(Found));
  memset(e->progress, 0, sizeof(int32_t) * (s->h / TREE + 1));
  run_jobs(e->team, field_job, e, s->refs);
  s->qi = clampi(e->o.qi - (s->refs ? 0 : e->o.key_boost), 0, 96);
  set_qualities(e, s->time);
  s->trellis = e->k.trellis && !(s->cfg.without & TOOL_TRELLIS);
  e->lambda = e->o.lambda_factor / 1000.0 * step_table[s->qi] * step_table[s->qi] / 64;
  memset(e->progress, 0, sizeof(int32_t) * (s->h / TREE + 1));
}
static void refresh_rates(Encoder *e) { take_rates(&e->writer->s.c, e->writer->rates); }

static void sum_habits(Encoder *e, int rows) {
  memset(e->habit, 0, sizeof e->habit);
  for (int row = 0; row < rows; row++)
    for (int k = 0; k < HABITS; k++) { e->habit[k].tried += e->row_habits[row][k].tried; e->habit[k].helped += e->row_habits[row][k].helped; }
}
/* Searches a frame, and codes the one before it or, where there is none waiting, itself. */
static void encode_frame(Encoder *e, const uint8_t *rgb, int *waiting) {
  State *s = &e->s;
  const int rows = (s->h + TREE - 1) / TREE, at_once = s->time < SETTLED;
  begin_search(e, rgb);
  refresh_rates(e);
  for (int k = 0; k < e->team->threads; k++) { e->workers[k] = *e; e->workers[k].s.c.rates = e->writer->rates; e->workers[k].s.c.mode = ESTIMATE; }
  if (at_once && !s->refs) { /* statistics are learnt from row to row */
    begin_writing(e);
    e->writer->plans = e->plans[0];
    for (int row = 0; row < rows; row++) {
      search_row(e->workers, row);
      write_row(e->writer, row);
      refresh_rates(e);
    }
  } else run_jobs(e->team, frame_job, e, rows + *waiting);
  sum_habits(e, rows);
  choose_deblocking(e);
#ifdef HYBRID_WATCH
  hybrid_watch(s, e->source);
#endif
  choose_restoration(e);
  extend_borders(s, s->time);
  if (at_once && !s->refs) {
    finish_writing(e);
    end_writing(e->writer);
    *waiting = 0;
  } else {
    begin_writing(e);
    finish_writing(e);
    e->writer->plans = e->plans[0];
    *waiting = 1;
    if (at_once) { write_frame(e->writer); *waiting = 0; }
  }
  Plan *t = e->plans[0]; e->plans[0] = e->plans[1]; e->plans[1] = t;
  s->time++;
}

static size_t layout_encoder(Encoder *e, const Config *cfg, int frames, uint8_t *base) {
  size_t at = layout_state(&e->s, cfg, cfg->slots + 1, base); /* the writer still reads what a frame later has left the ring */
  State *s = &e->s;
  const size_t trees = (size_t)((s->w + TREE - 1) / TREE) * ((s->h + TREE - 1) / TREE);
  e->bw = (s->w + 15) >> 4; e->bh = (s->h + 15) >> 4;
  for (int k = 0; k < 2; k++) {
    int f = k ? 2 : 4;
    e->low_w[k] = s->w / f; e->low_h[k] = s->h / f;
    e->low_stride[k] = e->low_w[k] + 2 * LOW_PAD + 32;
    e->low_size[k] = (size_t)e->low_stride[k] * (e->low_h[k] + 2 * LOW_PAD) + 64;
  }
#define TAKE_E(field, count) field = (void *)(base + at); at += ((count) * sizeof(*field) + 63) & ~(size_t)63;
  TAKE_E(e->source, (size_t)3 * s->w * s->h)
  TAKE_E(e->low[0], e->low_size[0] * frames)
  TAKE_E(e->low[1], e->low_size[1] * frames)
  TAKE_E(e->field, (size_t)MAX_REFS * e->bw * e->bh)
  TAKE_E(e->field8, (size_t)MAX_REFS * e->bw * e->bh * 4)
  TAKE_E(e->copied, (size_t)e->bw * e->bh * 4)
  TAKE_E(e->sums, MAX_REFS * sums_size(s->w, s->h))
  TAKE_E(e->source_sums, sums_size(s->w, s->h))
  TAKE_E(e->quality, (size_t)e->bw * e->bh)
  TAKE_E(e->look, (size_t)frames * e->bw * e->bh)
  TAKE_E(e->listed, (size_t)frames)
  TAKE_E(e->low_found, (size_t)frames * MAX_REFS * e->bw * e->bh)
  TAKE_E(e->spare, s->plane_size * 3)
  TAKE_E(e->own_planes, (size_t)3 * s->w * s->h * MAX_TEAM)
  TAKE_E(e->own_found, (size_t)imin(256, frames) * e->bw * e->bh * MAX_TEAM)
  e->frames = frames;
  TAKE_E(e->progress, (size_t)s->h / TREE + 1)
  TAKE_E(e->row_habits, (size_t)s->h / TREE + 1)
  TAKE_E(e->plans[0], trees)
  TAKE_E(e->plans[1], trees)
  TAKE_E(e->workers, (size_t)MAX_TEAM)
  TAKE_E(e->team, (size_t)1)
  Writer *w;
  uint16_t *rates;
  Cell *cells, *past;
  pel *now;
  uint8_t *strength;
  TAKE_E(w, (size_t)1)
  TAKE_E(rates, (size_t)2 * N_RATES)
  TAKE_E(cells, (size_t)s->cw * s->ch)
  TAKE_E(past, (size_t)s->cw * s->ch)
  TAKE_E(now, s->plane_size * 3)
  TAKE_E(strength, trees)
  e->writer = w;
  if (base) { /* the writer reads the search's reference pictures and has all else for itself */
    w->s = *s;
    w->s.cells = cells; w->s.past = past; w->s.now = now; w->s.strength = strength;
    w->rates = rates;
  }
  return at;
}
#endif
