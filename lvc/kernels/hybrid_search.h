/* What the parts of the hybrid codec's encoder share: its state, measures of error, choices, patches of a picture.
 *
 * Nothing of the encoder's files is part of the format.
 */
#ifndef LVC_HYBRID_SEARCH_H
#define LVC_HYBRID_SEARCH_H
#include "hybrid_decoder.h"
#include "hybrid_errors.h"
#include "hybrid_team.h"

#define LOW_PAD 16
typedef struct { Vector mv; int32_t cost; } Found;

/* What the lookahead knows of a 16x16 square: its best reference among the frame's, and costs at half size. */
typedef struct { int32_t inter, intra; Vector mv; int32_t distance; float passed; } Look;
typedef struct { int32_t refs, distance[MAX_REFS]; } Listed;

/* How far the search goes at an effort. */
typedef struct {
  int32_t everywhere;      /* references that are searched all over */
  int32_t merges;          /* merge candidates whose three planes are compared as a skip; others by luma alone */
  int32_t whole, singles;  /* references refined to fractions; of these, tried as units */
  int32_t bends, bend_least, bend_rounds; /* starts of a bend; log2 of the area it is tried from; rounds of its fit */
  int32_t bi;              /* pairs of references that are tried together */
  int32_t inter, intra, intra_key, copies; /* units of each kind that are coded for trial; intra_key: in a key frame */
  int32_t types;           /* transform types that the best unit is coded with again */
  int32_t binary;          /* splits in two */
  int32_t trellis;         /* dependent quantisation */
  int32_t stop;            /* a unit that costs less than so many lambdas is not split */
  int32_t differ;          /* a block is split at once where one vector's error is so many eighths of its squares' own, or 0 */
  int32_t patience;        /* a tool that helps less than one time in so many is left out, most often */
  int32_t angles;          /* intra angles are tried where planar or DC is not worse than motion by so many eighths, or 0 */
  int32_t directions;      /* ways of a split in two that are tried: 1 the likelier */
  int32_t agree;           /* a block is not split where it is fewer, or 0 */
} Knobs;

typedef struct {
  int32_t effort, qi, key_boost, threads;
  int32_t max_refs, candidates; /* of a frame; frames looked at to choose them */
  int32_t lambda_factor;        /* lambda = factor / 1000 * step^2 */
  int32_t tree_strength;        /* quantiser indices per doubling of what a square is worth, in tenths */
} Options;

/* The second stage's state: what was decided is coded here, while the next frame is searched. */
typedef struct {
  State s;
  const Plan *plans;            /* of the frame at hand, one a tree block */
  uint16_t *rates;              /* what decisions cost, for the search */
  int64_t *ends;                /* bytes after each frame, where wanted */
} Writer;

enum { BENDING, COPYING, HABITS };
typedef struct { int32_t tried, helped; } Habit;

typedef struct Encoder Encoder;
struct Encoder {
  State s;                      /* of the search */
  Options o;
  Knobs k;
  Team *team;
  Encoder *workers;             /* a copy for each thread */
  Writer *writer;
  Plan *plans[2];               /* of this frame and the one before */
  int32_t *progress;            /* tree blocks that are done, a row each */
  pel *source;                  /* 3 planes of the frame being coded, stride s.w */
  pel *low[2];                  /* quarter-size luma of every slot's source, half-size luma */
  size_t low_size[2]; int low_stride[2], low_w[2], low_h[2];
  Found *field;                 /* [ref][16x16 squares], whole samples */
  Found *field8;                /* [ref][8x8 squares] */
  Found *copied;                /* [8x8 squares]: where the frame itself has them, cost -1: not searched yet */
  int16_t *sums, *source_sums;  /* of each reference's and of the source's luma, see hybrid_full_search.h */
  int bw, bh;                   /* 16x16 squares across and down */
  Look *look;                   /* [frames][16x16 squares] */
  Listed *listed;               /* [frames]: references of each */
  Found *low_found;             /* [frames][MAX_REFS][squares]: vectors from low search */
  int frames;
  pel *own_planes; Found *own_found; /* of each thread, for the lookahead */
  int8_t *quality;              /* per 16x16: change of the quantiser index */
  pel *spare;                   /* a picture's three planes, for choosing filters */
  double lambda;
  Habit habit[HABITS], row_habit[HABITS]; /* of the frame before; of the row */
  int32_t left_out[HABITS];
  Habit (*row_habits)[HABITS];  /* of each row */
  uint64_t tally[2 * N_ELEMENTS];
};

/* Whether a costly tool is likely to help: by how often it did in the frame before and in this row, or to see, one time in 8. */
INLINE int is_worth(Encoder *e, int tool) {
  const Habit *p = e->habit + tool, *n = e->row_habit + tool;
  return !e->k.patience || (int64_t)(p->helped + n->helped) * e->k.patience >= p->tried + n->tried || ++e->left_out[tool] % 8 == 0;
}
INLINE void note_use(Encoder *e, int tool, int helped) { e->row_habit[tool].tried++; e->row_habit[tool].helped += helped; }
INLINE const pel *source_at(const Encoder *e, int c, int x, int y) { return e->source + ((size_t)c * e->s.h + y) * e->s.w + x; }

static double count_bits(uint64_t before, const Coder *c) { return (c->cost - before) / 4096.0; }

typedef struct { pel px[3][1024]; } Patch;

static double weight_at(const Encoder *e, int x, int y, int w, int h, int *qi) {
  int n = 0, sum = 0;
  for (int j = y >> 4; j <= (y + h - 1) >> 4; j++) for (int i = x >> 4; i <= (x + w - 1) >> 4; i++) if (i < e->bw && j < e->bh) { sum += e->quality[j * e->bw + i]; n++; }
  int change = n ? (sum * 2 + n * 256) / (2 * n) - 128 : 0; /* mean, rounded */
  if (n == 1) change = sum;
  *qi = clampi(e->s.qi + change, 0, 96);
  double ratio = (double)step_table[e->s.qi] / step_table[*qi];
  return ratio * ratio;
}

static void clear_cells(const State *s, int x, int y, int w, int h) {
  for (int j = y >> 2; j < (imin(y + h, s->h)) >> 2; j++) memset(s->cells + j * s->cw + (x >> 2), 0, ((imin(x + w, s->w) - x) >> 2) * sizeof(Cell));
}
static void save_patch(const State *s, Patch *p, int x, int y, int w, int h) {
  w = imin(w, s->w - x); h = imin(h, s->h - y);
  for (int c = 0; c < 3; c++) { const pel *q = current(s, c) + y * s->stride + x; for (int j = 0; j < h; j++) memcpy(p->px[c] + j * 32, q + j * s->stride, w * sizeof(pel)); }
}
static void load_patch(const State *s, const Patch *p, int x, int y, int w, int h) {
  w = imin(w, s->w - x); h = imin(h, s->h - y);
  for (int c = 0; c < 3; c++) { pel *q = current(s, c) + y * s->stride + x; for (int j = 0; j < h; j++) memcpy(q + j * s->stride, p->px[c] + j * 32, w * sizeof(pel)); }
}

typedef struct { Unit u; double cost; } Choice;
static int insert_choice(Choice *list, int n, int most, const Unit *u, double cost) {
  if (n == most && cost >= list[n - 1].cost) return n;
  int i = n < most ? n++ : n - 1;
  for (; i > 0 && list[i - 1].cost > cost; i--) list[i] = list[i - 1];
  list[i].u = *u; list[i].cost = cost;
  return n;
}
#endif
