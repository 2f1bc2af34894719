/* Binary range coder with context mixing.
 *
 * Each binary decision has up to 16 contexts, one adaptive probability each. Their logits ("stretch") are mixed by two
 * sets of weights, chosen by two selectors; the mean of the two logits gives the probability, and each set follows the
 * gradient of its own coding cost. This is the logistic mixing of Mahoney's PAQ; the range coder is the carryless one
 * of lpaq with 16-bit probabilities. One function serves encoding, decoding and counting of cost.
 */
#ifndef LVC_HYBRID_ENTROPY_H
#define LVC_HYBRID_ENTROPY_H
#include "hybrid_base.h"

enum { ENCODE, DECODE, ESTIMATE }; /* ESTIMATE: what the first context's probability alone said when the frame was begun */

/* Syntax elements: name, contexts (log2 of their number), inputs, mixer selectors. */
#define ELEMENTS(X) \
  X(SPLIT, 11, 6, 8) X(SKIP, 10, 8, 8) X(KIND, 10, 6, 4) X(MERGE, 8, 6, 4) X(MERGE_INDEX, 10, 6, 8) \
  X(MODE, 12, 6, 4) X(CHROMA, 10, 6, 4) X(REF, 10, 6, 8) X(MVP, 8, 4, 4) X(MVD, 10, 6, 16) X(BI, 8, 6, 4) X(BENT, 8, 6, 4) X(BEND, 10, 6, 16) \
  X(CBF, 12, 8, 16) X(TX, 12, 6, 16) X(LAST, 12, 8, 32) X(QP, 8, 4, 4) X(HEADER, 8, 2, 2) \
  X(SIG, 11, 12, 32) X(BIG, 11, 12, 32) X(HUGE_, 11, 12, 32) X(ESCAPE, 10, 4, 8) X(SIGN, 10, 8, 16) X(FILTER, 8, 4, 4) X(COPY, 8, 6, 8) X(COPY_VECTOR, 10, 6, 16)

#define FIELD(name, bits, n, sel) char name[(n) << (bits)];
#define SELECTORS(name, bits, n, sel) char name[sel];
typedef struct { ELEMENTS(FIELD) } ProbLayout;
#define FIRSTS(name, bits, n, sel) char name[1 << (bits)];
typedef struct { ELEMENTS(FIRSTS) } RateLayout;
typedef struct { ELEMENTS(SELECTORS) } MixLayout;
enum { N_PROBS = sizeof(ProbLayout), N_RATES = sizeof(RateLayout), N_WEIGHTS = 16 * 2 * sizeof(MixLayout) };
#define ENUMS(name, bits, n, sel) E_##name,
enum { ELEMENTS(ENUMS) N_ELEMENTS };
typedef struct { uint32_t base, rate, mix, selectors, bits, n; } Element;
#define CONSTANTS(name, bits, n, sel) {offsetof(ProbLayout, name), offsetof(RateLayout, name), offsetof(MixLayout, name), sel, bits, n},
static const Element elements[N_ELEMENTS] = {ELEMENTS(CONSTANTS)};

#ifndef LIMIT
#define LIMIT 160
#endif
#ifndef MIX_BASE
#define MIX_BASE 16
#endif
#ifndef MIX_FAST
#define MIX_FAST 0
#endif

static void coder_reset(Coder *c, const Prob *probs, const int32_t *weights) {
  if (probs) memcpy(c->probs, probs, N_PROBS * sizeof(Prob));
  else for (int i = 0; i < N_PROBS; i++) c->probs[i] = (Prob){32768, 0};
  if (weights) memcpy(c->weights, weights, N_WEIGHTS * sizeof(int32_t));
  else
    for (int e = 0; e < N_ELEMENTS; e++)
      for (uint32_t k = 0; k < 2 * elements[e].selectors; k++)
        for (uint32_t i = 0; i < 16; i++)
          c->weights[(elements[e].mix * 2 + k) * 16 + i] = i < elements[e].n ? 16384 * 3 / 2 / (int)elements[e].n : 0;
  c->low = 0; c->high = 0xffffffffu; c->cost = 0;
}
/* What the first context of each element says that its decisions cost, [N_RATES][bit] in 1/4096 bit. */
static void take_rates(const Coder *c, uint16_t *rates) {
  for (int e = 0; e < N_ELEMENTS; e++)
    for (uint32_t v = 0; v < 1u << elements[e].bits; v++) {
      const uint32_t p = c->probs[elements[e].base + v].p;
      uint16_t *to = rates + 2 * (elements[e].rate + v);
      to[0] = cost_table[(65535 - p) >> 4];
      to[1] = cost_table[p >> 4];
    }
}
static void decoder_start(Coder *c) {
  c->code = 0;
  for (int i = 0; i < 4; i++) c->code = c->code << 8 | (c->in_at < c->in_size ? c->in[c->in_at] : 0), c->in_at++;
}
static void encoder_flush(Coder *c) { /* the shortest word within the interval; the reader continues with zeros */
  uint32_t v = c->low;
  for (int keep = 1; keep <= 4; keep++) {
    uint32_t mask = keep == 4 ? 0 : 0xffffffffu >> (8 * keep);
    v = c->low + mask;
    if (v < c->low) continue;
    v &= ~mask;
    if (v >= c->low && v <= c->high) break;
    v = c->low;
  }
  while (v) { if (c->out_at < c->out_size) c->out[c->out_at] = v >> 24; c->out_at++; v <<= 8; }
}

/* A decision by mixing, in the coder's mode but ESTIMATE. inputs: 8 or 16, so that loops have a fixed length. */
INLINE int mix_bit(Coder *c, int e, const uint32_t *v, uint32_t s0, uint32_t s1, int bit, const uint32_t n_in) {
  const uint32_t n = elements[e].n, bits = elements[e].bits, base = elements[e].base, mask = (1u << bits) - 1;
  const int mode = c->mode;
  Prob *slot[16];
  int32_t st[16];
  for (uint32_t i = 0; i < n_in; i++) {
    if (i < n) {
      slot[i] = c->probs + base + (i << bits) + (v[i] & mask);
      st[i] = stretch_table[slot[i]->p >> 4];
#ifdef CONF
      st[i] = st[i] * confidence_table[slot[i]->n & 255] >> 8;
#endif
    }
    else st[i] = 0;
  }
  if (n < n_in) st[n] = 256;
  int32_t *w0 = c->weights + (elements[e].mix * 2 + (s0 & (elements[e].selectors - 1))) * 16;
  int32_t *w1 = c->weights + (elements[e].mix * 2 + elements[e].selectors + (s1 & (elements[e].selectors - 1))) * 16;
  int32_t dot0 = 0, dot1 = 0;
  for (uint32_t i = 0; i < n_in; i++) { dot0 += st[i] * w0[i]; dot1 += st[i] * w1[i]; }
  dot0 = clampi(dot0 >> 14, -2047, 2047); dot1 = clampi(dot1 >> 14, -2047, 2047);
  int32_t p = squash_table[((dot0 + dot1) >> 1) + 2048];
  uint32_t mid = c->low + (uint32_t)(((uint64_t)(c->high - c->low) * (uint32_t)p) >> 16);
  if (mode == DECODE) bit = c->code <= mid;
  if (c->tally) { c->tally[e] += cost_table[(bit ? p : 65535 - p) >> 4]; c->tally[N_ELEMENTS + e]++; }
  if (bit) c->high = mid; else c->low = mid + 1;
  while (!((c->low ^ c->high) >> 24)) {
    if (mode == ENCODE) { if (c->out_at < c->out_size) c->out[c->out_at] = c->high >> 24; c->out_at++; }
    c->low <<= 8; c->high = c->high << 8 | 255;
    if (mode == DECODE) c->code = c->code << 8 | (c->in_at < c->in_size ? c->in[c->in_at] : 0), c->in_at++;
  }
  int32_t target = bit ? 65535 : 0;
  int32_t e0 = target - squash_table[dot0 + 2048], e1 = target - squash_table[dot1 + 2048];
  const int32_t k0 = w0[15], k1 = w1[15]; /* how often the set was used: it learns fast at first */
  e0 = (e0 >> 2) * (MIX_BASE + MIX_FAST * 16 / (16 + k0)) >> 4; e1 = (e1 >> 2) * (MIX_BASE + MIX_FAST * 16 / (16 + k1)) >> 4;
  for (uint32_t i = 0; i < (n_in == 16 ? 15 : n_in); i++) {
    w0[i] = clampi(w0[i] + ((st[i] * e0 + (1 << 13)) >> 14), -65535, 65535);
    w1[i] = clampi(w1[i] + ((st[i] * e1 + (1 << 13)) >> 14), -65535, 65535);
  }
  w0[15] = k0 + (k0 < 255); w1[15] = k1 + (k1 < 255);
  for (uint32_t i = 0; i < n; i++) {
#ifdef HYBRID_KNOBS
    if (c->counts) c->counts[2 * (slot[i] - c->probs) + bit]++;
#endif
    int32_t q = slot[i]->p, k = slot[i]->n;
    q += ((target - q) * (int32_t)(rate_table[k & 255] >> 1)) >> 15;
    slot[i]->p = q < 16 ? 16 : q > 65519 ? 65519 : q;
    slot[i]->n = k < LIMIT ? k + 1 : k;
  }
  return bit;
}

static __attribute__((noinline)) int mix_bit_8(Coder *c, int e, const uint32_t *v, uint32_t s0, uint32_t s1, int bit) { return mix_bit(c, e, v, s0, s1, bit, 8); }
static __attribute__((noinline)) int mix_bit_16(Coder *c, int e, const uint32_t *v, uint32_t s0, uint32_t s1, int bit) { return mix_bit(c, e, v, s0, s1, bit, 16); }

/* Code one decision of element e with the context values v[0 .. n-1], mixer selectors s0 and s1. */
INLINE int code_bit_mode(Coder *c, const int e, const uint32_t *v, uint32_t s0, uint32_t s1, int bit, const int mode) {
  if (mode == ESTIMATE) {
    c->cost += c->rates[2 * (elements[e].rate + (v[0] & ((1u << elements[e].bits) - 1))) + bit];
    return bit;
  }
  return elements[e].n > 8 ? mix_bit_16(c, e, v, s0, s1, bit) : mix_bit_8(c, e, v, s0, s1, bit);
}

static int code_bit_any(Coder *c, int e, const uint32_t *v, uint32_t s0, uint32_t s1, int bit) {
  return c->mode == ESTIMATE ? code_bit_mode(c, e, v, s0, s1, bit, ESTIMATE) : code_bit_mode(c, e, v, s0, s1, bit, ENCODE);
}
#endif
