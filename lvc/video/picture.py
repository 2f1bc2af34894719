"""Single pictures in and out: png and jpg."""

import warnings
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from lvc.errors import InputError, OptionError, OutputError
from lvc.frames import FrameBatch, Geometry

SUFFIXES = (".png", ".jpg", ".jpeg")
FORMATS = ("PNG", "JPEG")
MAX_PIXELS = 1 << 26  # of one picture; the networks' features take some dozen times its memory
JPEG_QUALITY = 95
# What becomes 8-bit RGB without loss of meaning; 16-bit grey, floats and Lab do not.
MODES = ("1", "L", "LA", "P", "PA", "RGB", "RGBA", "CMYK", "YCbCr")


def is_picture(path: Path) -> bool:
    """Whether the name is one of a picture."""
    return Path(path).suffix.lower() in SUFFIXES


def read_picture(path: Path) -> np.ndarray:
    """A png or jpg as uint8 [H, W, 3] in RGB, turned as its EXIF says.

    Raises InputError for what cannot be read, is damaged, has more than 2**26 pixels, several pictures, see-through
    parts, or more than 8 bits.
    """
    path = Path(path)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)  # its limit is beyond ours
            picture = Image.open(path, formats=FORMATS)
        with picture:
            check_picture(path, picture)
            picture = ImageOps.exif_transpose(picture)
            if picture.has_transparency_data:
                picture = opaque(path, picture)
            return np.array(picture.convert("RGB"))
    except UnidentifiedImageError as error:
        raise InputError(f"{path}: is no png or jpg") from error
    except Image.DecompressionBombError as error:
        raise InputError(f"{path}: has more than {MAX_PIXELS:,} pixels") from error
    # Pillow tells damage by errors of many kinds.
    except (OSError, ValueError, SyntaxError, EOFError, IndexError, TypeError, KeyError) as error:
        raise InputError(f"{path}: cannot be read: {getattr(error, 'strerror', None) or error}") from error


def opaque(name: Path | str, picture: Image.Image) -> Image.Image:
    """The picture as RGBA; raises InputError where parts of it are see-through."""
    whole = picture.convert("RGBA")
    if np.asarray(whole.getchannel("A")).min() < 255:
        raise InputError(f"{name}: has see-through parts, which lvc does not keep; give it a background first")
    return whole


def check_picture(path: Path, picture: Image.Image) -> None:
    """Raises InputError, before any pixel is decoded, for what `read_picture` does not take."""
    width, height = picture.size
    if width * height > MAX_PIXELS:
        raise InputError(f"{path}: has {width}x{height} pixels, more than {MAX_PIXELS:,}")
    try:
        Geometry(width, height)
    except OptionError as error:
        raise InputError(f"{path}: {error}") from error
    if picture.mode not in MODES:
        raise InputError(f"{path}: has pixels of the kind {picture.mode}; 8 bits a colour were expected")
    if (count := getattr(picture, "n_frames", 1)) > 1:
        raise InputError(f"{path}: holds {count} pictures; one was expected")


class PictureWriter:
    """Writes one picture; OutputError for a second. path: where to; name: the file to speak of, whose suffix is the
    form.
    """

    def __init__(self, path: Path, *, geometry: Geometry, name: Path):
        self.path, self.geometry, self.name = path, geometry, name
        self.written = False
        self.notes: list[str] = []

    def write(self, batch: FrameBatch) -> None:
        if batch.geometry != self.geometry:
            raise ValueError(f"frames of {batch.geometry} for an output of {self.geometry}")
        if self.written or len(batch) != 1:
            raise OutputError(
                f"{self.name}: a picture holds one frame, and there are more; choose .mp4, .mkv, .npy or a folder"
            )
        picture = Image.fromarray(np.ascontiguousarray(batch.data[0]))
        if self.name.suffix.lower() == ".png":
            picture.save(self.path, "PNG")
        else:
            picture.save(self.path, "JPEG", quality=JPEG_QUALITY, subsampling="4:4:4")
        self.written = True
