/* The library that tools/hybrid_experiment.py builds: a group's coding and what experiments call besides. */
#define HYBRID(name) name
#define HYBRID_KNOBS
#ifdef __AVX2__
#define HYBRID_AVX2
#endif
#include "hybrid_experiments.h"

#ifdef HYBRID_WATCH
#include <stdio.h>
static FILE *watched;
int hybrid_watch_file(const char *name) { /* NULL: closes it */
  if (watched) fclose(watched);
  watched = name ? fopen(name, "wb") : NULL;
  return !name || watched;
}
/* Appends a frame: three planes as they are, the three planes of its source (int16), and of every 4x4 square whether it is restored, its quantiser. */
void hybrid_watch(const State *s, const pel *source) {
  if (!watched) return;
  for (int c = 0; c < 3; c++)
    for (int y = 0; y < s->h; y++) fwrite(plane(s, s->time, c) + y * s->stride, sizeof(pel), s->w, watched);
  fwrite(source, sizeof(pel), (size_t)3 * s->w * s->h, watched);
  for (int i = 0; i < s->cw * s->ch; i++) {
    const uint8_t told[2] = {restores(s->cells + i), s->cells[i].qi};
    fwrite(told, 1, 2, watched);
  }
}
#endif

#include <stdlib.h>
/* Takes values from $HYBRID_KNOBS: "3=2,5=1" sets the fourth number of Knobs to 2, the sixth to 1. */
void hybrid_knobs(int32_t *knobs) {
  const char *at = getenv("HYBRID_KNOBS");
  for (; at && *at; at = strchr(at, ',') ? strchr(at, ',') + 1 : NULL) knobs[atoi(at)] = atoi(strchr(at, '=') + 1);
}
/* From now on encodes add to counts [N_PROBS][2] and leave their mixing weights in weights [N_WEIGHTS]; NULL: no more. */
void hybrid_keep_statistics(uint32_t *counts, int32_t *weights) { hybrid_counts = counts; hybrid_weights = weights; }
