/* The hybrid codec's shared types: pictures, block cells, motion, and the state of one group.
 *
 * A group is coded frame by frame with one adaptive binary range coder. Pictures are three planes of int16 (an
 * orthonormal grey-first colour basis times 4, see hybrid_colour.h) with a border of PAD samples, in `slots` of a ring:
 * frame t of the group lies in slot t % slots. Everything that a decoder needs lies in one block of memory that the
 * caller owns; hybrid_layout() cuts it into arrays.
 */
#ifndef LVC_HYBRID_BASE_H
#define LVC_HYBRID_BASE_H
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include "hybrid_tables.h"

#define PAD 48         /* border of a reference picture */
#define TREE 32        /* side of a coding tree block */
#define MAX_REFS 8     /* references a frame may list */
#define MAX_MERGE 8    /* merge candidates */
#define MODES 36       /* intra modes: planar, DC, Paeth, 33 angles */
#define INLINE static inline __attribute__((always_inline))

typedef int16_t pel;
typedef struct { int16_t x, y; } Vector; /* quarter samples */
/* ref: indices into the frame's reference list; ref[1] -1: one. mv: vectors at the block's centre. bend: how the first
   vector changes along x, x, y, y (its x by x, its x by y, its y by x, its y by y) in 1/256 of its unit a sample. */
typedef struct { int8_t ref[2]; Vector mv[2]; int16_t bend[4]; } Motion;

enum { NOT_YET, INTRA, INTER };

/* What is known of a 4x4 square of the frame being coded. */
typedef struct {
  uint8_t kind, skip, lw, lh;  /* NOT_YET until coded; log2 of its block's sides */
  uint8_t mode, chroma, cbf, qi;
  uint8_t level[3], depth;     /* amount of coefficients of its block in each plane, 0..7 */
  Motion motion;
} Cell;

/* A coding unit as it is written: the encoder's decision, or what the decoder read. */
typedef struct {
  uint8_t kind, skip, merge, merge_index;
  uint8_t copy, copy_index;         /* an intra unit that is copied by motion.mv[0], in whole samples */
  uint8_t mode, chroma, cbf, tx;    /* tx: horizontal type + 4 * vertical type */
  uint8_t qi, bi, mvp[2];
  uint8_t lw, lh; int16_t x, y;     /* where it is, in an encoder's plan */
  Motion motion;
} Unit;

typedef struct { uint16_t p, n; } Prob; /* P(bit = 1) in 1/65536 and how often it was updated */

typedef struct {
  int mode;                 /* see hybrid_entropy.h */
  uint32_t low, high, code; /* the range coder's interval and the decoder's word */
  const uint8_t *in; size_t in_size, in_at;
  uint8_t *out; size_t out_size, out_at;
  uint64_t cost;            /* in 1/4096 bit */
  Prob *probs; int32_t *weights;
  const uint16_t *rates;    /* what ESTIMATE takes decisions to cost, see hybrid_entropy.h */
  uint64_t *tally;          /* bits by syntax element, where statistics are wanted */
  uint32_t *counts;         /* how often each context had each bit, where an experiment trains tables */
} Coder;

typedef struct {
  int32_t width, height;    /* of the picture, 1..8192 */
  int32_t slots;            /* pictures kept, 2..256 */
  int32_t without;          /* bit mask of tools that are off */
} Config;

typedef struct {
  Config cfg;
  int ring;                  /* pictures in memory: cfg.slots, an encoder's one more */
  int w, h, cw, ch, stride;  /* sides rounded up to 8; cells across and down; samples from row to row */
  size_t plane_size;
  pel *pictures;
  pel *now;                  /* the frame being coded: its slot, or a buffer of the encoder's */
  Cell *cells, *past;        /* of this frame and the previous one, cw x ch */
  int time;                  /* the number of the frame in the group */
  int refs, distance[MAX_REFS], past_refs, past_distance[MAX_REFS];
  int qi;                    /* the frame's quantiser index */
  int tree_qi, group_at;     /* the quantiser index last coded, and the 16x16 square it was coded for */
  int deblock, restore, trellis; /* tools of the frame */
  uint8_t *strength;         /* of restoration, a tree block each */
  pel *before;               /* the picture before restoration, three planes without borders */
  Motion history[6]; int n_history;
  Coder c;
} State;

INLINE int imin(int a, int b) { return a < b ? a : b; }
INLINE int imax(int a, int b) { return a > b ? a : b; }
INLINE int iabs(int a) { return a < 0 ? -a : a; }
INLINE int clampi(int v, int lo, int hi) { return v < lo ? lo : v > hi ? hi : v; }
INLINE int clamp64(int64_t v, int lo, int hi) { return v < lo ? lo : v > hi ? hi : (int)v; }
INLINE int ilog2(uint32_t v) { return 31 - __builtin_clz(v | 1); }

INLINE pel *plane(const State *s, int time, int c) {
  return s->pictures + ((size_t)(time % s->ring) * 3 + c) * s->plane_size + (size_t)PAD * s->stride + PAD;
}
/* A plane of the frame being coded. */
INLINE pel *current(const State *s, int c) { return s->now + c * s->plane_size + (size_t)PAD * s->stride + PAD; }
INLINE Cell *cell_at(const State *s, int x, int y) { return s->cells + (y >> 2) * s->cw + (x >> 2); }
/* The cell at sample (x, y), or NULL where there is none or it is not coded yet. */
INLINE const Cell *coded_cell(const State *s, int x, int y) {
  if (x < 0 || y < 0 || x >= s->w || y >= s->h) return NULL;
  const Cell *cell = cell_at(s, x, y);
  return cell->kind ? cell : NULL;
}
#endif
