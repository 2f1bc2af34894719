/* A group's coding, in one translation unit for each kind of processor: HYBRID(name) is the name's form there.
 *
 * hybrid.c compiles it for any processor, hybrid_v3.c for x86-64-v3; whole numbers give the same on both.
 */
#ifndef LVC_HYBRID_GROUP_H
#define LVC_HYBRID_GROUP_H
#include <math.h>
#include "hybrid_encoder.h"
#ifdef HYBRID_KNOBS
void hybrid_knobs(int32_t *knobs);
static uint32_t *hybrid_counts;  /* [N_PROBS][2] and [N_WEIGHTS]: of experiments, where they are wanted */
static int32_t *hybrid_weights;
#endif

/* A frame's header, where decisions are kept to be coded again. */
typedef struct { int32_t qi, refs, deblock, trellis, distance[MAX_REFS]; } FrameHeader;

/* Bytes of memory that a decoder of this configuration needs, its State first. */
int64_t HYBRID(hybrid_decoder_size)(const Config *cfg) {
  State s;
  return (int64_t)layout_state(&s, cfg, cfg->slots, NULL) + (int64_t)sizeof(State) + 64;
}
static uint8_t *aligned_after(void *memory, size_t size) { return (uint8_t *)(((uintptr_t)memory + size + 63) & ~(uintptr_t)63); }

void HYBRID(hybrid_decoder_start)(void *memory, const Config *cfg, const Prob *probs, const int32_t *weights, const uint8_t *data, int64_t size) {
  State *s = memory;
  memset(s, 0, sizeof *s);
  layout_state(s, cfg, cfg->slots, aligned_after(memory, sizeof *s));
  start_state(s, probs, weights);
  s->c.mode = DECODE;
  s->c.in = data; s->c.in_size = size; s->c.in_at = 0;
  decoder_start(&s->c);
}
/* Decodes the next frame into rgb [height][width][3], or only into the references where rgb is NULL. */
int HYBRID(hybrid_decode_frame)(void *memory, const uint8_t *data, uint8_t *rgb) {
  State *s = memory;
  s->c.in = data;
  decode_frame(s, rgb);
  return s->c.in_at > s->c.in_size + 8;
}
int64_t HYBRID(hybrid_encoder_size)(const Config *cfg, int frames) {
  Encoder e;
  return (int64_t)layout_encoder(&e, cfg, frames, NULL) + (int64_t)sizeof(Encoder) + 64;
}
/* Codes a group of frames; bytes written, or what would have been needed where that is more than out_size. */
int64_t HYBRID(hybrid_encode_group)(void *memory, const Config *cfg, const Options *o, const Prob *probs, const int32_t *weights,
                            const uint8_t *rgb, int frames, uint8_t *out, int64_t out_size, uint8_t *shown, uint64_t *tally, int64_t *ends, Plan *plans, FrameHeader *headers) {
  Encoder *e = memory;
  memset(e, 0, sizeof *e);
  uint8_t *base = aligned_after(memory, sizeof *e);
  layout_encoder(e, cfg, frames, base);
  State *s = &e->s, *w = &e->writer->s;
  start_state(s, probs, weights);
  start_state(w, probs, weights);
  e->o = *o;
  e->k = knobs_of[imax(0, imin(2, o->effort))];
#ifdef HYBRID_KNOBS
  hybrid_knobs((int32_t *)&e->k); /* of experiments: other values */
#endif
  w->c.mode = ENCODE;
  w->c.out = out; w->c.out_size = out_size; w->c.out_at = 0;
  e->writer->ends = ends;
  w->c.tally = tally ? e->tally : NULL;
  const size_t pixels = (size_t)cfg->width * cfg->height * 3, trees = (size_t)((s->w + TREE - 1) / TREE) * ((s->h + TREE - 1) / TREE);
  int waiting = 0;
#ifdef HYBRID_KNOBS
  w->c.counts = hybrid_counts;
#endif
  begin_team(e->team, o->threads);
  plan_group(e, rgb, frames, e->own_planes, e->own_found);
  for (int t = 0; t < frames; t++) {
    encode_frame(e, rgb + t * pixels, &waiting);
    if (plans) memcpy(plans + t * trees, e->plans[1], trees * sizeof(Plan));
    if (headers) { headers[t].qi = s->qi; headers[t].refs = s->refs; headers[t].deblock = s->deblock; headers[t].trellis = s->trellis; memcpy(headers[t].distance, s->distance, sizeof s->distance); }
    if (shown) planes_to_rgb(s, t, shown + t * pixels);
  }
  if (waiting) write_frame(e->writer);
  end_team(e->team);
  encoder_flush(&w->c);
#ifdef HYBRID_KNOBS
  if (hybrid_counts) memcpy(hybrid_weights, w->c.weights, N_WEIGHTS * sizeof(int32_t));
#endif
  if (tally) memcpy(tally, e->tally, sizeof e->tally);
  return w->c.out_at;
}
#endif
