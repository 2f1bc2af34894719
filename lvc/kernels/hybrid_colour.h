/* Colour: (1 1 1)/sqrt 3, (1 0 -1)/sqrt 2, (1 -2 1)/sqrt 6 times 4, in whole numbers, and back.
 *
 * The basis is orthonormal, so that equal steps in the three planes mean equal squared error in RGB. Its first axis is
 * grey; a clip's own principal axes are no better (docs/experiments.md, "Hybrid codec").
 */
#ifndef LVC_HYBRID_COLOUR_H
#define LVC_HYBRID_COLOUR_H
#include "hybrid_base.h"

enum { GREY = 887 }; /* 128 * 3 / sqrt(3) * 4: the first plane is stored less this */

/* 4 / sqrt(3), 4 / sqrt(2), 4 / sqrt(6) times 2^16; the inverse divides by 16 (the basis is its own transpose). */
enum { K1 = 151349, K2 = 185364, K3 = 107021 };

static void rgb_to_planes(const State *s, const uint8_t *rgb, pel *out[3], int stride) {
  for (int y = 0; y < s->h; y++)
    for (int x = 0; x < s->w; x++) {
      const uint8_t *a = rgb + 3 * ((size_t)imin(y, s->cfg.height - 1) * s->cfg.width + imin(x, s->cfg.width - 1));
      int r = a[0], g = a[1], b = a[2];
      out[0][y * stride + x] = (((r + g + b) * K1 + 32768) >> 16) - GREY;
      out[1][y * stride + x] = ((r - b) * K2 + 32768) >> 16;
      out[2][y * stride + x] = ((r - 2 * g + b) * K3 + 32768) >> 16;
    }
}
static void planes_to_rgb(const State *s, int time, uint8_t *rgb) {
  pel *p[3] = {plane(s, time, 0), plane(s, time, 1), plane(s, time, 2)};
  for (int y = 0; y < s->cfg.height; y++)
    for (int x = 0; x < s->cfg.width; x++) {
      int at = y * s->stride + x;
      int64_t l = (int64_t)(p[0][at] + GREY) * K1, u = (int64_t)p[1][at] * K2, v = (int64_t)p[2][at] * K3;
      const int64_t half = 1 << 19;
      int r = (int)((l + u + v + half) >> 20), g = (int)((l - 2 * v + half) >> 20), b = (int)((l - u + v + half) >> 20);
      uint8_t *a = rgb + 3 * ((size_t)y * s->cfg.width + x);
      a[0] = clampi(r, 0, 255); a[1] = clampi(g, 0, 255); a[2] = clampi(b, 0, 255);
    }
}
/* The border of a finished picture repeats its edge, for vectors that point outside. */
static void extend_borders(const State *s, int time) {
  for (int c = 0; c < 3; c++) {
    pel *p = plane(s, time, c);
    for (int y = 0; y < s->h; y++)
      for (int x = 0; x < PAD; x++) {
        p[y * s->stride - 1 - x] = p[y * s->stride];
        p[y * s->stride + s->w + x] = p[y * s->stride + s->w - 1];
      }
    for (int y = 0; y < PAD; y++) {
      memcpy(p - PAD - (y + 1) * s->stride, p - PAD, s->stride * sizeof(pel));
      memcpy(p - PAD + (s->h + y) * s->stride, p - PAD + (s->h - 1) * s->stride, s->stride * sizeof(pel));
    }
  }
}
#endif
