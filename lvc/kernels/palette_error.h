/* Squared levels of error between a pixel and a palette's colours. */
#ifndef LVC_PALETTE_ERROR_H
#define LVC_PALETTE_ERROR_H

#include "api.h"

LVC_INLINE int64_t lvc_squared_error(const uint8_t *pixel, const int32_t *colour)
{
    int32_t red = pixel[0] - colour[0], green = pixel[1] - colour[1], blue = pixel[2] - colour[2];
    return red * red + green * green + blue * blue;
}

/* The index of the colour nearest to a pixel, the first of equals, and its squared error. */
LVC_INLINE int64_t lvc_nearest_colour(const uint8_t *pixel, const int32_t *palette, int64_t colours, int64_t *error)
{
    int64_t best = 0, least = lvc_squared_error(pixel, palette);
    for (int64_t place = 1; place < colours; place++) {
        int64_t here = lvc_squared_error(pixel, palette + 3 * place);
        if (here < least) {
            least = here;
            best = place;
        }
    }
    *error = least;
    return best;
}

#endif
