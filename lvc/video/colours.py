"""Which colours a decoded frame has: what is read exactly, and what is refused by name."""

from pathlib import Path

from av.video.frame import VideoFrame

from lvc.errors import InputError

# By the numbers of ITU-T H.273, which FFmpeg's are.
HDR_TRANSFERS = {16: "PQ", 18: "HLG"}
WIDE_PRIMARIES = {9: "BT.2020"}
# Matrices that swscale does not know: it would take them for BT.601 without a word.
FOREIGN_MATRICES = {
    8: "YCgCo",
    10: "BT.2020 of constant luminance",
    11: "SMPTE 2085",
    12: "primaries' own",
    13: "primaries' own of constant luminance",
    14: "ICtCp",
    15: "IPT-C2",
    16: "YCgCo-Re",
    17: "YCgCo-Ro",
}


def check_colours(frame: VideoFrame, path: Path) -> None:
    """Raises InputError for a frame whose colours cannot be told as RGB of a usual screen."""
    transfer, primaries = HDR_TRANSFERS.get(frame.color_trc), WIDE_PRIMARIES.get(frame.color_primaries)
    if transfer or primaries:
        found = ", ".join(filter(None, (transfer, primaries)))
        raise InputError(
            f"{path}: is HDR or of a wide gamut ({found}); colours of a usual screen were expected: tone-map it first "
            "(ffmpeg -vf zscale=t=linear,tonemap=hable,zscale=p=709:t=709:m=709)"
        )
    # RGB is its own matrix, whatever stands there.
    if frame.colorspace in FOREIGN_MATRICES and not frame.format.is_rgb and len(frame.format.components) >= 3:
        matrix = FOREIGN_MATRICES[frame.colorspace]
        raise InputError(f"{path}: its colours are coded by the matrix {matrix}, which cannot be read here")
