/* The library that tools/hybrid_experiment.py builds: a group's coding and what experiments call besides. */
#define HYBRID(name) name
#include "hybrid_experiments.h"
