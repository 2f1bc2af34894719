"""Sets of small pictures to study autoencoders on: shipped ones, arrays, folders of pictures,
and blocks of game frames.
"""

import hashlib
import zipfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.lib import format as npy

from lvc.codecs.learning.clips import spread
from lvc.dataset.manifest import FILE_NAME as MANIFEST
from lvc.dataset.read import FrameSource, FrameStore
from lvc.errors import InputError, OptionError
from lvc.frames import Geometry
from lvc.video.find import files_in
from lvc.video.picture import SUFFIXES, is_picture, read_picture

DIGITS, PHOTOGRAPHS = "digits", "photographs"
SHIPPED = (DIGITS, PHOTOGRAPHS)
MAX_SIDE = 128  # of a picture; the kernel that makes the code covers half of it, and has at most 64
MAX_BYTES = 1 << 30  # of an array
LARGEST_WHOLE = 64  # sides up to here are a set of small pictures; larger ones are cut
BLOCKS_A_FRAME = 4
DEFAULT_SIZE = Geometry(32, 32)
# By photograph, so that no part of one is in two splits.
PHOTOGRAPHS_OF = {
    "train": ("astronaut.png", "motorcycle_left.png", "hubble_deep_field.jpg", "ihc.png", "retina.jpg", "color.png"),
    "validation": ("coffee.png",),
    "test": ("chelsea.png", "rocket.jpg"),
}
SPLITS = tuple(PHOTOGRAPHS_OF)


class Pictures:
    """Pictures uint8 [N, 3, H, W] in memory, as training reads them; none follows another."""

    def __init__(self, data: np.ndarray):
        self.data = data
        self.geometry = Geometry(data.shape[3], data.shape[2])

    def __len__(self) -> int:
        return len(self.data)

    def frames(self, indices: Sequence[int] | np.ndarray) -> np.ndarray:
        return self.data[np.asarray(indices)]

    def clips(self, length: int) -> list[int]:
        return list(range(len(self))) if length == 1 else []


@dataclass(frozen=True)
class PictureSet:
    """Pictures of one size in three splits. grey: their three channels are the same,
    and count as one where bytes are compared.
    """

    name: str
    train: Pictures
    validation: Pictures
    test: Pictures
    grey: bool

    @property
    def geometry(self) -> Geometry:
        return self.train.geometry

    @property
    def raw_bytes(self) -> int:
        """Bytes of a picture as it is: one or three a pixel."""
        return self.geometry.width * self.geometry.height * (1 if self.grey else 3)

    @property
    def sha256(self) -> str:
        """Digest of all pictures, in hex."""
        digest = hashlib.sha256()
        for part in (self.train, self.validation, self.test):
            digest.update(f"{part.data.shape}".encode())
            digest.update(np.ascontiguousarray(part.data))
        return digest.hexdigest()


@dataclass(frozen=True)
class Amounts:
    """How much of a source is taken: pictures to train on and to test on, at most,
    and the size of what is cut out of larger ones.
    """

    train: int = 4096
    test: int = 512
    size: Geometry | None = None

    def __post_init__(self):
        for name in ("train", "test"):
            if not (type(getattr(self, name)) is int and getattr(self, name) >= 1):
                raise OptionError(f"{name} pictures must be a whole number from 1, not {getattr(self, name)!r}")
        if self.size is not None and max(self.size.width, self.size.height) > MAX_SIDE:
            raise OptionError(f"pictures of a study have sides up to {MAX_SIDE}, not {self.size}")

    def of(self, split: str) -> int:
        return self.train if split == "train" else self.test


def read_set(source: str, *, amounts: Amounts, seed: int = 0) -> PictureSet:
    """The pictures of `digits`, `photographs`, a .npy or .npz array, a folder of pictures, or a data set of lvc
    build-dataset.

    Raises InputError for what cannot be read or is too small, OptionError for a size that does not fit.
    """
    path = Path(source)
    if source == DIGITS:
        return whole_set(source, {"all": digits()}, amounts, seed)
    if source == PHOTOGRAPHS:
        return cut_set(source, {split: photographs(split) for split in SPLITS}, planes_of, amounts, seed)
    if path.suffix.lower() in (".npy", ".npz"):
        return whole_set(path.stem, read_arrays(path), amounts, seed)
    if (path / MANIFEST).is_file():
        return dataset_set(path, amounts, seed)
    if path.is_dir():
        return folder_set(path, amounts, seed)
    if is_picture(path):
        raise InputError(f"{path}: is one picture; a folder of them was expected")
    raise InputError(
        f"{source}: is none of {', '.join(SHIPPED)}, no .npy or .npz, no folder of pictures and no data set"
    )


def digits() -> np.ndarray:
    """The 1,797 handwritten digits that scikit-learn ships, uint8 [N, 8, 8]; OptionError where it is not installed."""
    try:
        from sklearn.datasets import load_digits
    except ImportError as error:
        raise OptionError("the digits are scikit-learn's: pip install lvc[study]") from error
    return np.rint(load_digits().images * (255 / 16)).astype(np.uint8)


def photographs(split: str) -> list[Path]:
    """The colour photographs of a split that scikit-image ships."""
    import skimage.data

    return [Path(skimage.data.__file__).parent / name for name in PHOTOGRAPHS_OF[split]]


# Arrays


def read_arrays(path: Path) -> dict[str, np.ndarray]:
    """Arrays uint8 [N, H, W] or [N, H, W, 3]: {"train": …, "test": …} of an .npz with x_train and x_test, or else
    {"all": …}.

    Raises InputError for anything else, before memory is taken for it.
    """
    try:
        if path.suffix.lower() == ".npy":
            with open(path, "rb") as file:
                return {"all": read_array(file, str(path))}
        with zipfile.ZipFile(path) as archive:
            members = [name for name in archive.namelist() if name.endswith(".npy")]
            if {"x_train.npy", "x_test.npy"} <= set(members):
                chosen = {"train": "x_train.npy", "test": "x_test.npy"}
            elif len(members) == 1:
                chosen = {"all": members[0]}
            else:
                raise InputError(
                    f"{path}: holds {', '.join(members)[:200] or 'no array'}; x_train and x_test, or one array were "
                    "expected"
                )
            arrays = {}
            for split, member in chosen.items():
                with archive.open(member) as file:
                    arrays[split] = read_array(file, f"{path}: {member}")
    except OSError as error:
        raise InputError(f"{path}: {error.strerror or error}") from error
    # As numpy and zipfile tell damage
    except (ValueError, zipfile.BadZipFile, EOFError, RuntimeError, NotImplementedError) as error:
        raise InputError(f"{path}: is no array that can be read: {error}") from error
    if len({array.shape[1:] for array in arrays.values()}) > 1:
        raise InputError(f"{path}: its pictures to train and to test on are of different sizes")
    return arrays


def read_array(file, name: str) -> np.ndarray:
    version = npy.read_magic(file)
    if version not in ((1, 0), (2, 0)):
        raise InputError(f"{name}: is an array of version {version}; 1 or 2 was expected")
    shape, by_columns, kind = (npy.read_array_header_1_0 if version == (1, 0) else npy.read_array_header_2_0)(file)
    if kind != np.uint8 or not (len(shape) == 3 or (len(shape) == 4 and shape[3] in (1, 3))):
        raise InputError(f"{name}: has {kind} {list(shape)}; pictures uint8 [N, H, W] or [N, H, W, 3] were expected")
    size = int(np.prod([int(side) for side in shape], dtype=object))
    if min(shape) < 1 or size > MAX_BYTES or max(shape[1:3]) > MAX_SIDE:
        raise InputError(
            f"{name}: has the shape {list(shape)}; up to {MAX_BYTES:,} bytes of pictures with sides up to {MAX_SIDE} "
            "were expected"
        )
    data = file.read(size)
    if len(data) != size:
        raise InputError(f"{name}: is cut short: {len(data):,} of {size:,} bytes")
    array = np.frombuffer(data, np.uint8).reshape(shape, order="F" if by_columns else "C")
    return array[..., 0] if len(shape) == 4 and shape[3] == 1 else array


# Splits


def whole_set(name: str, arrays: dict[str, np.ndarray], amounts: Amounts, seed: int) -> PictureSet:
    """Pictures as they are: [N, H, W] or [N, H, W, 3] in "all", or in "train", of which an eighth validates,
    and "test".
    """
    geometry = Geometry(*reversed(next(iter(arrays.values())).shape[1:3]))
    if amounts.size not in (None, geometry):
        raise OptionError(f"{name}: its pictures are {geometry} and are taken whole; {amounts.size} was asked for")
    order = np.random.default_rng([seed, 1])
    if "all" in arrays:
        train, validation, test = shares(order.permutation(len(arrays["all"])), (7, 1, 2), name)
        places = {"train": ("all", train), "validation": ("all", validation), "test": ("all", test)}
    else:
        train, validation = shares(order.permutation(len(arrays["train"])), (7, 1), name)
        places = {
            "train": ("train", train),
            "validation": ("train", validation),
            "test": ("test", np.arange(len(arrays["test"]))),
        }
    grey = all(array.ndim == 3 for array in arrays.values())
    parts = {}
    for split, (array, chosen) in places.items():
        chosen = chosen[spread(len(chosen), amounts.of(split))]
        parts[split] = Pictures(as_frames(arrays[array][chosen]))
    return PictureSet(name, **parts, grey=grey)


def as_frames(pictures: np.ndarray) -> np.ndarray:
    """uint8 [N, 3, H, W] of [N, H, W] or [N, H, W, 3]."""
    if pictures.ndim == 3:
        return np.repeat(pictures[:, None], 3, axis=1)
    return np.ascontiguousarray(pictures.transpose(0, 3, 1, 2))


def shares(items: Sequence | np.ndarray, parts: tuple[int, ...], name: str) -> list:
    """The items cut in proportion to `parts`, each with one at least; InputError where there are too few."""
    if len(items) < len(parts):
        raise InputError(f"{name}: has {len(items)} pictures; {len(parts)} at least were expected, one for each split")
    cuts = np.cumsum(parts) * len(items) // sum(parts)
    for place in range(len(cuts)):
        # One at least for each, and one left for each of those behind.
        before = cuts[place - 1] if place else 0
        cuts[place] = min(max(cuts[place], before + 1), len(items) - (len(cuts) - 1 - place))
    return [items[start:stop] for start, stop in zip((0, *cuts[:-1]), cuts)]


def folder_set(folder: Path, amounts: Amounts, seed: int) -> PictureSet:
    """A folder of small pictures of one size, taken whole, or of any others, from which blocks are cut;
    split by picture.
    """
    paths = files_in(folder, SUFFIXES)
    if not paths:
        raise InputError(f"{folder}: is a folder; pictures in it were expected ({', '.join(SUFFIXES)})")
    paths = [paths[place] for place in np.random.default_rng([seed, 2]).permutation(len(paths))]
    parts = dict(zip(SPLITS, shares(paths, (7, 1, 2), str(folder))))
    first = planes_of(paths[0])
    if amounts.size is None and max(first.shape[1:]) <= LARGEST_WHOLE:
        amounts = Amounts(amounts.train, amounts.test, Geometry(first.shape[2], first.shape[1]))
    return cut_set(
        folder.resolve().name,
        {split: some(part, amounts.of(split)) for split, part in parts.items()},
        planes_of,
        amounts,
        seed,
    )


def planes_of(path: Path) -> np.ndarray:
    """A picture as training reads it, uint8 [3, H, W]."""
    return read_picture(path).transpose(2, 0, 1)


def dataset_set(folder: Path, amounts: Amounts, seed: int) -> PictureSet:
    """Blocks of a data set's frames, which are spread over the recordings of each of its splits."""
    sources = {split: FrameStore(folder).split(split) for split in SPLITS}
    frames = {
        split: some([(source, place) for place in range(len(source))], -(-amounts.of(split) // BLOCKS_A_FRAME))
        for split, source in sources.items()
    }
    return cut_set(folder.resolve().name, frames, frame_of, amounts, seed)


def frame_of(place: tuple[FrameSource, int]) -> np.ndarray:
    source, number = place
    return source.frames([number])[0]


def some(items: Sequence, limit: int) -> list:
    return [items[place] for place in spread(len(items), limit)]


def cut_set(
    name: str, items: Mapping[str, Sequence], read: Callable[..., np.ndarray], amounts: Amounts, seed: int
) -> PictureSet:
    """Blocks cut at random from larger pictures, uint8 [3, H, W] each, which `read` gives of each split's items."""
    size = amounts.size or DEFAULT_SIZE
    parts = {}
    for number, split in enumerate(SPLITS):
        rng = np.random.default_rng([seed, 3, number])
        if not items[split]:
            raise InputError(
                f"{name}: holds no pictures for {split}; build the data set with recordings for each split"
            )
        parts[split] = Pictures(blocks(items[split], read, size, amounts.of(split), rng, name))
    grey = all((part.data == part.data[:, :1]).all() for part in parts.values())
    return PictureSet(name, **parts, grey=grey)


def blocks(
    items: Sequence, read: Callable[..., np.ndarray], size: Geometry, count: int, rng: np.random.Generator, name: str
) -> np.ndarray:
    """At most `count` blocks uint8 [N, 3, height, width], as many from each picture;
    a picture of just that size is one.
    """
    a_picture = -(-count // len(items))
    cut = []
    for item in items:
        picture = read(item)
        rows, columns = picture.shape[1] - size.height, picture.shape[2] - size.width
        if min(rows, columns) < 0:
            raise InputError(
                f"{name}: has a picture of {picture.shape[2]}x{picture.shape[1]}, which is smaller than {size}"
            )
        for _ in range(a_picture if rows or columns else 1):
            row, column = rng.integers(rows + 1), rng.integers(columns + 1)
            # A copy, so that the picture goes.
            cut.append(picture[:, row : row + size.height, column : column + size.width].copy())
    return np.stack([cut[place] for place in spread(len(cut), count)])
