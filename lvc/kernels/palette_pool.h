/* A context model that a group has learned in, as at a group's beginning again. */
#ifndef LVC_PALETTE_POOL_H
#define LVC_PALETTE_POOL_H

#include "palette_state.h"

typedef struct {
    lvc_palette_model *model;
    lvc_palette_model *initial;
} lvc_palette_restore_args;

/* Undoes what was written since `model` was a copy of `initial`, page by page. */
LVC_API int64_t lvc_palette_restore(const lvc_palette_restore_args *args);

#endif
