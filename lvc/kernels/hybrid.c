/* The hybrid codec's entry points, called through ctypes. See docs/format/hybrid.md for the payload. */
#include <math.h>
#define HYBRID(name) name
#include "hybrid.h"
#include "hybrid_group.h"

int64_t hybrid_decoder_size_v3(const Config *cfg);
void hybrid_decoder_start_v3(void *memory, const Config *cfg, const Prob *probs, const int32_t *weights, const uint8_t *data, int64_t size);
int hybrid_decode_frame_v3(void *memory, const uint8_t *data, uint8_t *rgb);
int64_t hybrid_encode_group_v3(void *memory, const Config *cfg, const Options *o, const Prob *probs, const int32_t *weights, const uint8_t *rgb,
                               int frames, uint8_t *out, int64_t out_size, uint8_t *shown, uint64_t *tally, int64_t *ends, Plan *plans, FrameHeader *headers);
#if defined(__x86_64__)
#define FASTER (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("bmi2"))
#else
#define FASTER 0
#endif

/* What each effort looks at. */
static Options usual_options(int effort, int qi, int64_t threads) {
  Options o = {effort, qi, 6, (int32_t)threads, effort > 1 ? 7 : effort ? 5 : 3, effort > 1 ? 63 : effort ? 32 : 12, 90, 50};
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
/* Tables of the codec's size, or none. */
static int fits_tables(int64_t contexts, int64_t mixers) { return (!contexts && !mixers) || (contexts == N_PROBS && mixers == N_WEIGHTS); }
int64_t lvc_hybrid_decoder_start(const HybridStart *a) {
  Config cfg;
  if (!config_of(&cfg, a->height, a->width, a->slots, a->without) || hybrid_decoder_size(&cfg) > a->bytes || !fits_tables(a->contexts, a->mixers)) return -1;
  (FASTER ? hybrid_decoder_start_v3 : hybrid_decoder_start)(a->memory, &cfg, a->contexts ? (const Prob *)a->probabilities : NULL, a->contexts ? a->weights : NULL, a->payload, a->length);
  return 0;
}
int64_t lvc_hybrid_decode_frame(const HybridDecode *a) { return (FASTER ? hybrid_decode_frame_v3 : hybrid_decode_frame)(a->memory, a->payload, a->picture); }
int64_t lvc_hybrid_encode(const HybridEncode *a) {
  Config cfg;
  if (!config_of(&cfg, a->height, a->width, a->slots, a->without) || hybrid_encoder_size(&cfg, (int)a->frames) > a->bytes || !fits_tables(a->contexts, a->mixers)) return -1;
  const Options o = usual_options((int)a->effort, (int)a->quantiser, a->threads);
  int64_t size = (FASTER ? hybrid_encode_group_v3 : hybrid_encode_group)(a->memory, &cfg, &o, a->contexts ? (const Prob *)a->probabilities : NULL, a->contexts ? a->weights : NULL, a->pictures, (int)a->frames, a->payload, a->room, a->shown, NULL, a->ends, NULL, NULL);
  return size > a->room ? -1 : size;
}
