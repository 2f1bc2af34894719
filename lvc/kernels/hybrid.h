/* What Python sees of the hybrid codec: memory sizes, a decoder that goes on frame by frame, an encoder of a group. */
#ifndef LVC_HYBRID_H
#define LVC_HYBRID_H
#include "api.h"

typedef struct {
  int64_t height, width, slots, without, frames;
} HybridGeometry;

typedef struct {
  int64_t bytes, length, contexts, mixers;
  int64_t height, width, slots, without;
  uint8_t *memory;
  const uint8_t *payload;
  const uint16_t *probabilities;
  const int32_t *weights;
} HybridStart;

typedef struct {
  int64_t bytes, length, height, width;
  uint8_t *memory;
  const uint8_t *payload;
  uint8_t *picture;
} HybridDecode;

typedef struct {
  int64_t bytes, room, frames, height, width, contexts, mixers;
  int64_t slots, without, effort, quantiser, threads;
  uint8_t *memory;
  uint8_t *payload;
  const uint8_t *pictures;
  uint8_t *shown;
  int64_t *ends;
  const uint16_t *probabilities;
  const int32_t *weights;
} HybridEncode;

/* Bytes of zeroed memory that a decoder, an encoder of so many frames, needs; 0 for what cannot be coded. */
LVC_API int64_t lvc_hybrid_decoder_bytes(const HybridGeometry *a);
LVC_API int64_t lvc_hybrid_encoder_bytes(const HybridGeometry *a);
/* Begins a group: 0, or -1 where the memory is too small. probabilities: [contexts][2], with their counts, and weights:
   what a group starts from, both empty where all are alike at first; -1 for any other size than the codec's. */
LVC_API int64_t lvc_hybrid_decoder_start(const HybridStart *a);
/* Decodes the next frame into picture: 0, or 1 where the payload has ended long before. */
LVC_API int64_t lvc_hybrid_decode_frame(const HybridDecode *a);
/* Codes a group into payload, and what it decodes to into shown; the bytes written, -1 where room or memory is too small.
   ends: bytes that are written after each frame. */
LVC_API int64_t lvc_hybrid_encode(const HybridEncode *a);

#endif
