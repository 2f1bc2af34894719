"""Where the contexts of each kind of decision lie among a model's adaptive probabilities: as
lvc/kernels/palette_layout.h has them, which is the format.

Those of patterns (which places around are alike) know every game and ship with the weights; those of colours and
positions are empty at a group's beginning.
"""

NUMBER_CONTEXTS = 1 << 12
RUN_CONTEXTS = 1 << 10
BLOCK_CONTEXTS = 1 << 12
PIXEL_CONTEXTS = 1 << 16
COLOUR_CONTEXTS = 1 << 16
INDEX_CONTEXTS = 1 << 14
SPRITE_CONTEXTS = 1 << 14
# How many contexts of patterns, and how many of colours and positions, a decision of each kind has.
VECTOR_PATTERNS, VECTOR_COLOURS = 4, 4
CODED_PATTERNS, CODED_COLOURS = 5, 3
PIXEL_PATTERNS, PIXEL_COLOURS = 9, 10
INDEX_PATTERNS, INDEX_COLOURS = 2, 5
SPRITE_PATTERNS, SPRITE_COLOURS = 3, 3
MIXER_INPUTS = 20
MATCH_AT = 2048  # whether the colour follows that has followed before, again and again
MATCH_CONTEXTS = 32
RUNS_AT = NUMBER_CONTEXTS
VECTORS_AT = RUNS_AT + RUN_CONTEXTS
CODED_AT = VECTORS_AT + VECTOR_PATTERNS * BLOCK_CONTEXTS
PIXELS_AT = CODED_AT + CODED_PATTERNS * BLOCK_CONTEXTS
INDICES_AT = PIXELS_AT + PIXEL_PATTERNS * PIXEL_CONTEXTS
SPRITES_AT = INDICES_AT + INDEX_PATTERNS * INDEX_CONTEXTS
PATTERN_CONTEXTS = SPRITES_AT + SPRITE_PATTERNS * SPRITE_CONTEXTS
OWN_VECTORS_AT = PATTERN_CONTEXTS
OWN_CODED_AT = OWN_VECTORS_AT + VECTOR_COLOURS * BLOCK_CONTEXTS
OWN_PIXELS_AT = OWN_CODED_AT + CODED_COLOURS * BLOCK_CONTEXTS
OWN_INDICES_AT = OWN_PIXELS_AT + PIXEL_COLOURS * COLOUR_CONTEXTS
OWN_SPRITES_AT = OWN_INDICES_AT + INDEX_COLOURS * INDEX_CONTEXTS
CONTEXTS = OWN_SPRITES_AT + SPRITE_COLOURS * SPRITE_CONTEXTS
ALONE_CONTEXTS = VECTORS_AT  # the first ones, each of which predicts alone
MIXERS = 272  # rows of weights: each decision is mixed by two, selected by what is known
PIXEL_MIXERS = 80, 88
INDEX_MIXERS = 216, 232
MATCH_KINDS, MATCH_BITS = 3, 16
MATCHES = 1 << MATCH_BITS  # of each kind: colours that followed on the same surroundings before
# What a group writes is marked by pages of so many probabilities or matches, so that little has to be undone
PAGE_BITS = 7
PAGE = 1 << PAGE_BITS
MATCH_PAGES_AT = CONTEXTS >> PAGE_BITS
PAGES = MATCH_PAGES_AT + (MATCH_KINDS * MATCHES >> PAGE_BITS)
