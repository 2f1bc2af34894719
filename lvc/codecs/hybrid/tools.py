"""The hybrid codec's tools by name: what an encoder can leave out, so that a person sees what each is worth."""

from collections.abc import Collection
from dataclasses import dataclass


@dataclass(frozen=True)
class Tool:
    """bit: of the mask of tools that are off, 0 for what the mask does not tell. symbol: its name in C. text: what it
    does, and its source.
    """

    name: str
    bit: int
    symbol: str
    text: str


STATISTICS = "trained-statistics"
TOOLS = (
    Tool("binary-splits", 1, "BINARY_SPLIT", "blocks halved, twice at most (VVC's binary tree)"),
    Tool("sine-transforms", 2, "DST", "DST-VII, and flipped, beside the cosine transform (Han et al. 2012; AV1)"),
    Tool("identity-transforms", 4, "IDENTITY", "a side that is not transformed at all (AV1)"),
    Tool("bi-prediction", 8, "BI", "the mean of two references"),
    Tool("chroma-from-luma", 16, "CFL", "intra chroma by a line fitted to luma around the block (VVC's CCLM)"),
    Tool("deblocking", 32, "DEBLOCK", "a weak filter on borders of units (HEVC)"),
    Tool("spectrum-contexts", 64, "SPECTRUM", "levels' contexts from the prediction's own spectrum"),
    Tool("border-contexts", 128, "EDGE", "levels' contexts from the step at the block's border (ECM)"),
    Tool("rdoq", 256, "RDOQ", "levels chosen by rate and distortion, not by rounding"),
    Tool("adaptive-quantisers", 512, "RATES", "finer steps for squares that later frames take over (x264's mbtree)"),
    Tool("dependent-quantisation", 1024, "TRELLIS", "two quantisers, chosen by parities (VVC); no effort uses it now"),
    Tool("affine-motion", 2048, "BEND", "vectors that change over the block"),
    Tool("loop-restoration", 4096, "RESTORE", "learned clipped differences to neighbours, in the loop (VVC's ALF)"),
    Tool("intra-copy", 8192, "COPY", "prediction from elsewhere in the same frame (HEVC-SCC, AV1)"),
    Tool("full-search", 16384, "FAR", "vectors searched all over a reference where the usual search fails"),
    Tool("cubic-angles", 32768, "CUBIC", "intra angles by four samples in place of two (VVC)"),
    Tool(STATISTICS, 0, "", "contexts and mixers that start from what they learnt on games"),
)
EVERY_BIT = sum(tool.bit for tool in TOOLS)
NAMES = tuple(tool.name for tool in TOOLS)


def mask_of(without: Collection[str]) -> int:
    """The payload's mask of tools that are off."""
    return sum(tool.bit for tool in TOOLS if tool.name in without)
