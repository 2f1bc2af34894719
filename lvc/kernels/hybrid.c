/* The hybrid codec's entry points, called through ctypes. See docs/format/hybrid.md for the payload. */
#include <math.h>
#include "hybrid.h"
#include "hybrid_encoder.h"

/* A frame's header, where decisions are kept to be coded again. */
typedef struct { int32_t qi, refs, deblock, trellis, distance[MAX_REFS]; } FrameHeader;

/* Bytes of memory that a decoder of this configuration needs, its State first. */
int64_t hybrid_decoder_size(const Config *cfg) {
  State s;
  return (int64_t)layout_state(&s, cfg, NULL) + (int64_t)sizeof(State) + 64;
}
static uint8_t *aligned_after(void *memory, size_t size) { return (uint8_t *)(((uintptr_t)memory + size + 63) & ~(uintptr_t)63); }

void hybrid_decoder_start(void *memory, const Config *cfg, const Prob *probs, const int32_t *weights, const uint8_t *data, int64_t size) {
  State *s = memory;
  memset(s, 0, sizeof *s);
  layout_state(s, cfg, aligned_after(memory, sizeof *s));
  start_state(s, probs, weights);
  s->c.mode = DECODE;
  s->c.in = data; s->c.in_size = size; s->c.in_at = 0;
  decoder_start(&s->c);
}
/* Decodes the next frame into rgb [height][width][3], or only into the references where rgb is NULL. */
int hybrid_decode_frame(void *memory, const uint8_t *data, uint8_t *rgb) {
  State *s = memory;
  s->c.in = data;
  decode_frame(s, rgb);
  return s->c.in_at > s->c.in_size + 8;
}
int64_t hybrid_encoder_size(const Config *cfg, int frames) {
  Encoder e;
  return (int64_t)layout_encoder(&e, cfg, frames, NULL) + (int64_t)sizeof(Encoder) + 64 + (int64_t)(frames < 256 ? frames : 256) * e.bw * e.bh * (int64_t)sizeof(Found);
}
/* Codes a group of frames; bytes written, or what would have been needed where that is more than out_size. */
int64_t hybrid_encode_group(void *memory, const Config *cfg, const Options *o, const Prob *probs, const int32_t *weights,
                            const uint8_t *rgb, int frames, uint8_t *out, int64_t out_size, uint8_t *shown, uint64_t *tally, int64_t *ends, Plan *plans, FrameHeader *headers) {
  Encoder *e = memory;
  memset(e, 0, sizeof *e);
  uint8_t *base = aligned_after(memory, sizeof *e);
  size_t at = layout_encoder(e, cfg, frames, base);
  Found *scratch = (Found *)(base + at);
  State *s = &e->s;
  start_state(s, probs, weights);
  e->o = *o;
  s->c.mode = ENCODE;
  s->c.out = out; s->c.out_size = out_size; s->c.out_at = 0;
  e->plans = plans;
  s->c.tally = tally ? e->tally : NULL;
  size_t pixels = (size_t)cfg->width * cfg->height * 3;
  plan_group(e, rgb, frames, scratch);
  for (int t = 0; t < frames; t++) {
    encode_frame(e, rgb + t * pixels);
    if (headers) { headers[t].qi = s->qi; headers[t].refs = s->refs; headers[t].deblock = s->deblock; headers[t].trellis = s->trellis; memcpy(headers[t].distance, s->distance, sizeof s->distance); }
    if (shown) planes_to_rgb(s, t, shown + t * pixels);
    if (ends) ends[t] = s->c.out_at;
  }
  encoder_flush(&s->c);
  if (tally) memcpy(tally, e->tally, sizeof e->tally);
  return s->c.out_at;
}
int64_t hybrid_plan_size(const Config *cfg) { return (int64_t)sizeof(Plan) * ((cfg->width + 31) / 32) * ((cfg->height + 31) / 32); }
/* Codes decisions made before, from the given tables, which it trains: for statistics. Bits of all frames from `from` on. */
double hybrid_replay(void *memory, const Config *cfg, Prob *probs, int32_t *weights, int fresh, const Plan *plans, const FrameHeader *headers,
                     int frames, int from, uint64_t *tally) {
  State *s = memory;
  memset(s, 0, sizeof *s);
  layout_state(s, cfg, aligned_after(memory, sizeof *s));
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
    for (int y = 0; y < s->h; y += TREE)
      for (int x = 0; x < s->w; x += TREE) { Plan plan = *plans++; code_tree(s, &s->c, x, y, &plan); }
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

/* What each effort looks at. */
static Options usual_options(int effort, int qi) {
  Options o = {effort, qi, 6, ESTIMATE, effort > 1 ? 7 : effort ? 5 : 3, effort > 1 ? 63 : effort ? 32 : 12, 90, 30};
  return o;
}
static int config_of(Config *cfg, int64_t height, int64_t width, int64_t slots, int64_t without) {
  if (height < 1 || width < 1 || height > 8192 || width > 8192 || slots < 2 || slots > 255) return 0;
  *cfg = (Config){(int32_t)width, (int32_t)height, (int32_t)slots, (int32_t)without};
  return 1;
}
int64_t lvc_hybrid_decoder_bytes(const HybridGeometry *a) {
  Config cfg;
  return config_of(&cfg, a->height, a->width, a->slots, a->without) ? hybrid_decoder_size(&cfg) : 0;
}
int64_t lvc_hybrid_encoder_bytes(const HybridGeometry *a) {
  Config cfg;
  return a->frames > 0 && a->frames <= 4096 && config_of(&cfg, a->height, a->width, a->slots, a->without) ? hybrid_encoder_size(&cfg, (int)a->frames) : 0;
}
int64_t lvc_hybrid_decoder_start(const HybridStart *a) {
  Config cfg;
  if (!config_of(&cfg, a->height, a->width, a->slots, a->without) || hybrid_decoder_size(&cfg) > a->bytes) return -1;
  hybrid_decoder_start(a->memory, &cfg, NULL, NULL, a->payload, a->length);
  return 0;
}
int64_t lvc_hybrid_decode_frame(const HybridDecode *a) { return hybrid_decode_frame(a->memory, a->payload, a->picture); }
int64_t lvc_hybrid_encode(const HybridEncode *a) {
  Config cfg;
  if (!config_of(&cfg, a->height, a->width, a->slots, a->without) || hybrid_encoder_size(&cfg, (int)a->frames) > a->bytes) return -1;
  const Options o = usual_options((int)a->effort, (int)a->quantiser);
  int64_t size = hybrid_encode_group(a->memory, &cfg, &o, NULL, NULL, a->pictures, (int)a->frames, a->payload, a->room, a->shown, NULL, a->ends, NULL, NULL);
  return size > a->room ? -1 : size;
}
