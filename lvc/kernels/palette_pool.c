#include "palette_pool.h"

#include <string.h>

int64_t lvc_palette_restore(const lvc_palette_restore_args *args)
{
    lvc_palette_model *model = args->model;
    const lvc_palette_model *initial = args->initial;
    for (int64_t page = 0; page < MATCH_PAGES_AT; page++)
        if (model->pages[page])
            memcpy(model->probabilities + page * PAGE, initial->probabilities + page * PAGE, PAGE * sizeof *model->probabilities);
    for (int64_t page = 0; page < PAGES - MATCH_PAGES_AT; page++)
        if (model->pages[MATCH_PAGES_AT + page])
            memcpy(model->matches + page * PAGE, initial->matches + page * PAGE, PAGE * sizeof *model->matches);
    memset(model->pages, 0, PAGES);
    memcpy(model->probabilities, initial->probabilities, ALONE_CONTEXTS * sizeof *model->probabilities);
    memcpy(model->weights, initial->weights, MIXERS * MIXER_INPUTS * sizeof *model->weights);
    return 0;
}
