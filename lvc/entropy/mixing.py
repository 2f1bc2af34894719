"""Context mixing in whole numbers, so that every machine predicts the same; see lvc/kernels/mixing.h.

An adaptive probability remembers how often a bit was 1 in one context; a mixer weighs those that fit in the logistic
domain, and learns from each bit which are to be trusted (M. Mahoney, "Adaptive weighing of context models for lossless
data compression", 2005). Kernels of codecs mix inside; those here code nothing, and show single steps.
"""

from lvc.kernels.binding import Kernel, Struct

# An adaptive probability, uint32: that of a 1 in the upper 22 bits, and how many bits it has seen in the lower ten.
COUNT_BITS = 10
COUNT_MASK = (1 << COUNT_BITS) - 1
EMPTY = 1 << 31
# Logits are whole numbers of 1/256, within ±LIMIT.
LIMIT = 2047
WEIGHT_LIMIT = 1 << 24  # in 2**-16
MOST_RATE = 15  # of learning weights

mix_bits = Kernel(
    "lvc_mix_bits",
    Struct(
        sizes="count contexts rows size",
        integers="rate most",
        arrays={
            "indices": ("int64", "count contexts"),
            "selectors": ("int64", "count"),
            "bits": ("int64", "count"),
            "probabilities": ("uint32", "size"),
            "weights": ("int32", "rows contexts"),
            "logits": ("int32", "contexts"),
            "outputs": ("int64", "count"),
            "predictions": ("int64", "count"),
        },
    ),
)
adapt = Kernel(
    "lvc_adapt",
    Struct(
        sizes="count",
        integers="most",
        arrays={"bits": ("int64", "count"), "probability": ("uint32", "1"), "predictions": ("int64", "count")},
    ),
)
scatter_all = Kernel(
    "lvc_scatter_all",
    Struct(sizes="count", integers="bits", arrays={"numbers": ("uint64", "count"), "scattered": ("int64", "count")}),
)
mixing_tables = Kernel(
    "lvc_mixing_tables",
    Struct(
        sizes="stretches squashes shares",
        arrays={"stretch": ("int16", "stretches"), "squash": ("uint16", "squashes"), "share": ("uint16", "shares")},
    ),
)
