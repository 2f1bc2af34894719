"""Kernels that only tests call: single steps of the palette coder."""

from lvc.codecs.palette.bitstream import PLAN
from lvc.codecs.palette.context_model import CONTEXT_MODEL
from lvc.codecs.palette.motion import FIELD_VECTORS
from lvc.codecs.palette.references import REFERENCES
from lvc.entropy.bits import CODER
from lvc.kernels.binding import Kernel, Struct

STRUCTS = {"coder": CODER, "model": CONTEXT_MODEL, "references": REFERENCES, "plan": PLAN}
code_motion = Kernel(
    "lvc_palette_motion",
    Struct(
        integers="step row",
        structs=STRUCTS,
        arrays={"words": ("uint64", f"{FIELD_VECTORS} 4 inner_columns")},
        sizes="inner_columns",
    ),
)
code_colours = Kernel("lvc_palette_colours", Struct(structs=STRUCTS))
find_contexts = Kernel(
    "lvc_palette_contexts",
    Struct(
        sizes="around_count candidate_count context_count",
        integers="rank count first second",
        arrays={
            "around": ("int64", "around_count"),
            "colours": ("int64", "candidate_count"),
            "scores": ("int64", "candidate_count"),
            "contexts": ("int64", "context_count"),
        },
    ),
)
find_run = Kernel(
    "lvc_palette_run",
    Struct(
        sizes="height width",
        integers="key y x confidence run match",
        arrays={
            "picture": ("int16", "height width"),
            "prediction": ("int16", "height width"),
            "background": ("int16", "height width"),
            "unknown": ("uint8", "height width"),
        },
    ),
)
code_numbers = Kernel(
    "lvc_palette_numbers",
    Struct(
        sizes="count",
        integers="coding kind most",
        structs={"coder": CODER, "model": CONTEXT_MODEL},
        arrays={"numbers": ("int64", "count")},
    ),
)
