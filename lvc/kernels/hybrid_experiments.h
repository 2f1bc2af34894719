/* What experiments call, in libraries that they build for themselves: decisions coded again, names and sizes of tables. */
#ifndef LVC_HYBRID_EXPERIMENTS_H
#define LVC_HYBRID_EXPERIMENTS_H
#include "hybrid_group.h"

int64_t hybrid_plan_size(const Config *cfg) { return (int64_t)sizeof(Plan) * ((cfg->width + 31) / 32) * ((cfg->height + 31) / 32); }
/* Codes decisions made before, from the given tables, which it trains: for statistics. Bits of all frames from `from` on. */
double hybrid_replay(void *memory, const Config *cfg, Prob *probs, int32_t *weights, int fresh, const Plan *plans, const FrameHeader *headers,
                     int frames, int from, uint64_t *tally) {
  State *s = memory;
  memset(s, 0, sizeof *s);
  layout_state(s, cfg, cfg->slots, aligned_after(memory, sizeof *s));
  start_state(s, fresh ? NULL : probs, fresh ? NULL : weights);
  uint64_t sums[2 * N_ELEMENTS];
  memset(sums, 0, sizeof sums);
  s->c.tally = sums;
  s->c.mode = ENCODE;
  s->c.out = NULL; s->c.out_size = 0;
  for (int t = 0; t < frames; t++) {
    if (t == from) memset(sums, 0, sizeof sums);
    begin_frame(s);
    s->qi = headers[t].qi; s->refs = headers[t].refs; s->deblock = headers[t].deblock; s->trellis = headers[t].trellis;
    memcpy(s->distance, headers[t].distance, sizeof s->distance);
    code_frame_header(s);
    for (int y = 0; y < s->h; y += TREE) {
      begin_row(s);
      for (int x = 0; x < s->w; x += TREE) { Plan plan = *plans++; code_tree(s, &s->c, x, y, &plan); }
    }
    code_filters(s);
    if (s->deblock) deblock_picture(s);
    end_frame(s);
  }
  memcpy(probs, s->c.probs, N_PROBS * sizeof(Prob));
  memcpy(weights, s->c.weights, N_WEIGHTS * sizeof(int32_t));
  uint64_t total = 0;
  for (int i = 0; i < N_ELEMENTS; i++) total += sums[i];
  if (tally) memcpy(tally, sums, sizeof sums);
  return total / 4096.0;
}
int hybrid_elements(char *names, int size) {
#define NAME(name, bits, n, sel) #name " "
  static const char all[] = ELEMENTS(NAME);
  for (int i = 0; i < size && i < (int)sizeof all; i++) names[i] = all[i];
  return N_ELEMENTS;
}
void hybrid_table_sizes(int32_t out[2]) { out[0] = N_PROBS; out[1] = N_WEIGHTS; }

#endif
