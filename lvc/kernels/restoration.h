/* What decoded planes lack, as weighted sums of clipped differences: see docs/format/restoration.md. */
#ifndef LVC_RESTORATION_H
#define LVC_RESTORATION_H

#include "api.h"
#include "bits.h"

enum {
    RESTORATION_REACH = 3,     /* samples beside its own that a feature looks at */
    RESTORATION_FINE = 4,      /* bits of fractions of a level */
    RESTORATION_FEATURES = 108,
    RESTORATION_CLASSES = 6,
    RESTORATION_COLOURS = 64,  /* at most */
    RESTORATION_SETS = 16,     /* at most */
    RESTORATION_WEIGHT_BITS = 13,
    RESTORATION_PEAK = 1023,   /* of a 10-bit sample */
    RESTORATION_MOST = 15,     /* that a coefficient may be, either way */
    RESTORATION_LENGTHS = 3    /* at most, of rows: two bits name them, and none */
};

typedef struct {
    int64_t height, width;     /* of the planes */
    int64_t rows, columns;     /* height + 6, width + 6 */
    const uint16_t *planes;    /* [3, height, width] */
    int16_t *wide;             /* [3, rows, columns], in 1/16 of a level; what is outside repeats the edge */
} RestorationWidenArgs;

typedef struct {
    int64_t rows, columns;     /* of the planes with their edges: height + 6, width + 6 */
    int64_t width;
    int64_t colours;           /* 1 to 64 */
    int64_t plane, row;        /* of the planes without */
    int64_t threshold;         /* of the quantiser's strength, in 1/16 of a level: 1 to 1024 */
    const int16_t *before;     /* [3, rows, columns]: the frames around, as they were decoded */
    const int16_t *current;
    const int16_t *after;
    const int16_t *palette;    /* [colours, 3], samples of 10 bits */
    int32_t *sums;             /* scratch [8, columns] */
    int16_t *features;         /* [108, width] */
    uint8_t *classes;          /* [width]: 0 where a frame beside is the same, 2 where neither is like it; 3 more where neighbours differ */
    uint8_t *nearest;          /* [width]: the palette's colour that is nearest */
} RestorationFeaturesArgs;

typedef struct {
    int64_t rows, columns;
    int64_t height, width;
    int64_t colours;           /* 1 to 64 */
    int64_t sets;              /* 1 to 16 */
    int64_t threshold;
    const int16_t *before;
    const int16_t *current;
    const int16_t *after;
    const int16_t *palette;    /* [colours, 3], samples of 10 bits */
    const uint8_t *set_of;     /* [colours]: below `sets` */
    const int16_t *weights;    /* [sets, 3 planes, 6 classes, 108], in 1/8192 */
    int32_t *sums;             /* scratch [8, columns] */
    int16_t *features;         /* scratch [108, width] */
    uint8_t *classes;          /* scratch [width] */
    uint8_t *nearest;          /* scratch [width] */
    uint16_t *planes;          /* [3, height, width] */
} RestorationArgs;

typedef struct {
    int64_t rows, vectors, lengths;
    lvc_bit_coder *coder;      /* a reader */
    const int64_t *most;       /* [lengths]: coefficients of a row of each length, but for that of none; `vectors` at most */
    const int64_t *probabilities; /* [lengths, vectors, 3], in 1/65536, of bits that are 1: nothing, below nothing, greater still */
    int64_t *coefficients;     /* [rows, vectors], zeros */
} RestorationRowsArgs;

/* Reads rows of coefficients, each with its length; gives 0, or -1 for a probability or a length out of range. */
LVC_API int64_t lvc_restoration_read_rows(const RestorationRowsArgs *args);

/* Fills `wide`; gives 0, or -1 for sizes that do not go together. */
LVC_API int64_t lvc_restoration_widen(const RestorationWidenArgs *args);

/* Fills `features`, `classes` and `nearest` with those of one row of one plane; gives 0, or -1 for what is not there. */
LVC_API int64_t lvc_restoration_features(const RestorationFeaturesArgs *args);

/* Fills `planes` with the current ones and what they lack; gives 0, or -1 for sizes that do not go together. */
LVC_API int64_t lvc_restoration_apply(const RestorationArgs *args);

#endif
