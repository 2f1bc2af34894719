"""Recordings of frames in the files of other programs: HDF5 (Minari's and robomimic's too), zarr, npz and npy, folders
of pictures, tars of them (webdataset), animated GIF and WebP.

    for recording in recordings_in("demos.hdf5"):
        for pictures, ticks in recording.frames():        # uint8 [T, H, W, 3], timestamps or None

Libraries read the formats; a recording is a small value that pickles, so that another process can read it.
"""

import fnmatch
import os
import re
import tarfile
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageSequence

from lvc.errors import InputError, OptionError
from lvc.interchange.frame_arrays import Pictures, blocks, layout_of, natural, series_of
from lvc.video.find import files_in
from lvc.video.picture import MODES, opaque

PICTURES = (".png", ".jpg", ".jpeg", ".webp", ".bmp", ".gif")
MILLISECOND = Fraction(1, 1000)
MAX_PICTURE_BYTES = 1 << 28  # of one member of a tar
MAX_PIXELS = 1 << 26
MINARI = Path("data/main_data.hdf5")
GIF_DEFAULT = 100  # ms: what browsers show for a duration of 0


@dataclass(frozen=True)
class Recording:
    """Frames of one name in a source: `count` of them, `width` x `height`. `key`: what they are called inside of it.

    time_base: of the timestamps that come with the frames, None where the source has none; frame_duration: of a frame,
    in it. start: its first frame, and
    episode: its number, in an array that holds several episodes.
    """

    source: Path
    key: str
    count: int
    width: int
    height: int
    form: str
    time_base: Fraction | None = None
    frame_duration: int = 1
    start: int = 0
    episode: int | None = None

    @property
    def name(self) -> str:
        """A name for the file that it becomes, without suffix."""
        inside = re.sub(r"[^A-Za-z0-9.-]+", "_", self.key).strip("_.")
        stem = self.source.name.split(".")[0] or self.source.name
        parts = [stem, inside, "" if self.episode is None else f"episode_{self.episode:06d}"]
        return "_".join(part for part in parts if part)

    def frames(self, lost: set[str] | None = None) -> Iterator[tuple[np.ndarray, list[int] | None]]:
        """Blocks of frames uint8 [T, H, W, 3] with their timestamps. lost: is told what the pictures lose on the way.

        Raises InputError for what cannot be read or is of another size.
        """
        with told_as_input(self.source):
            found = 0
            for pictures, ticks in FORMS[self.form].read(self, set() if lost is None else lost):
                if pictures.shape[1:3] != (self.height, self.width):
                    size = f"{pictures.shape[2]}x{pictures.shape[1]}"
                    raise InputError(
                        f"{self.source}: {self.key}: a frame of {size} among frames of {self.width}x{self.height}"
                    )
                found += len(pictures)
                yield pictures, ticks
            if found != self.count:
                raise InputError(
                    f"{self.source}: {self.key}: {found} frames, and {self.count} were there when it was looked at"
                )


@dataclass(frozen=True)
class Form:
    """How a kind of source is looked through and read."""

    find: Callable[[Path, str | None], Iterator[Recording]]
    read: Callable[[Recording, set], Iterator[tuple[np.ndarray, list[int] | None]]]


@contextmanager
def told_as_input(source: Path):
    """What libraries say of missing and damaged files becomes an InputError in one line."""
    try:
        yield
    except ImportError as error:
        raise OptionError(f"{source}: needs the package {error.name}: pip install lvc[convert]") from error
    except Image.DecompressionBombError as error:
        raise InputError(f"{source}: has a picture of more than {MAX_PIXELS:,} pixels") from error
    except (
        OSError,
        ValueError,
        KeyError,
        SyntaxError,
        EOFError,
        RuntimeError,
        IndexError,
        zipfile.BadZipFile,
        tarfile.TarError,
    ) as error:
        if isinstance(error, OptionError):
            raise
        reason = getattr(error, "strerror", None) or " ".join(str(error).split())[:200] or type(error).__name__
        raise InputError(f"{source}: cannot be read: {reason}") from error


def recordings_in(
    source: str | os.PathLike, *, key: str | None = None, episode_ends: str | None = None
) -> list[Recording]:
    """All recordings of a source, in order.

    key: a pattern of the names that are wanted, as "data/*/obs/agentview_image". episode_ends: the array, beside the
    frames, of whole numbers at which episodes end in each array of frames. Raises InputError where there is none, or it
    cannot be read, OptionError where a package is missing.
    """
    source = Path(source)
    form = form_of(source)
    with told_as_input(source):
        found = list(FORMS[form].find(source, key))
        if key is not None:
            found = [one for one in found if fnmatch.fnmatchcase(one.key, key)]
        if episode_ends is not None and found:
            found = [part for one in found for part in parted(one, episode_ends)]
    if not found:
        wanted = "" if key is None else f" named {key}"
        raise InputError(
            f"{source}: holds no frames{wanted}: arrays of pictures, uint8 or floats, of 8 to 16384 pixels a side, or "
            "pictures were expected"
        )
    return found


def form_of(source: Path) -> str:
    """The kind of a source by its name and what lies in it; raises InputError for what is none of them."""
    suffix = source.suffix.lower()
    if not source.exists():
        raise InputError(f"{source}: there is no such file or folder")
    if source.is_dir():
        if (source / MINARI).is_file():
            return "minari"
        if suffix == ".zarr" or any((source / name).exists() for name in (".zgroup", ".zarray", "zarr.json")):
            return "zarr"
        return "folder"
    form = SUFFIXES.get(suffix)
    if form is None:
        raise InputError(f"{source}: {', '.join(sorted(SUFFIXES))} or a folder of pictures was expected")
    return form


# Trees of arrays: HDF5 and zarr


@contextmanager
def hdf5_tree(source: Path):
    import h5py

    with h5py.File(source / MINARI if source.is_dir() else source, "r") as file:
        yield file


@contextmanager
def zarr_tree(source: Path):
    import zarr

    if source.is_file():
        with zipfile.ZipFile(source):  # zarr's own store breaks over a file that is none
            pass
    store: Any = zarr.storage.ZipStore(source, mode="r") if source.is_file() else str(source)
    try:
        yield zarr.open(store, mode="r")
    finally:
        if source.is_file():
            store.close()


def arrays_in(tree, path: str = "") -> Iterator[tuple[str, Any]]:
    """All arrays of a tree of groups by their paths."""
    if hasattr(tree, "shape"):
        yield path or "array", tree
        return
    for name in sorted(tree.keys(), key=natural):
        yield from arrays_in(tree[name], f"{path}/{name}" if path else name)


def find_arrays(opened, form: str):
    def find(source: Path, _key: str | None) -> Iterator[Recording]:
        singles: dict[str, tuple[int, int]] = {}
        with opened(source) as tree:
            for name, array in arrays_in(tree):
                layout = layout_of(tuple(array.shape), np.dtype(array.dtype))
                if layout is None:
                    continue
                if layout.single:
                    singles[name] = layout.width, layout.height
                else:
                    yield Recording(source, name, layout.count, layout.width, layout.height, form)
        for common, names in series_of(singles).items():
            width, height = singles[names[0]]
            yield Recording(source, common, len(names), width, height, form)

    return find


def read_arrays(opened):
    def read(recording: Recording, lost: set) -> Iterator[tuple[np.ndarray, None]]:
        pictures = Pictures(f"{recording.source}: {recording.key}")
        pictures.lost = lost
        with opened(recording.source) as tree:
            if "#" in recording.key:
                names = series_of(name for name, array in arrays_in(tree) if single(array))[recording.key]
                for name in names[recording.start : recording.start + recording.count]:
                    array = tree[name]
                    yield pictures.of(array[...], layout_of(tuple(array.shape), np.dtype(array.dtype))), None
                return
            array = tree if hasattr(tree, "shape") else tree[recording.key]
            layout = layout_of(tuple(array.shape), np.dtype(array.dtype))
            if layout.single:
                yield pictures.of(array[...], layout), None
                return
            for block in blocks(recording.count, int(np.prod(array.shape[1:])) * np.dtype(array.dtype).itemsize):
                yield pictures.of(array[recording.start + block.start : recording.start + block.stop], layout), None

    return read


def single(array) -> bool:
    layout = layout_of(tuple(array.shape), np.dtype(array.dtype))
    return layout is not None and layout.single


def parted(recording: Recording, episode_ends: str) -> Iterator[Recording]:
    """The episodes of a recording in a tree of arrays."""
    if recording.form not in TREES:
        raise OptionError(f"{recording.source}: episodes' ends are for HDF5 and zarr")
    with TREES[recording.form](recording.source) as tree:
        ends = np.asarray(tree[episode_ends][...])
    if (
        ends.ndim != 1
        or ends.dtype.kind not in "iu"
        or np.any(np.diff(np.concatenate([[0], ends])) < 1)
        or (len(ends) and ends[-1] > recording.count)
    ):
        raise InputError(
            f"{recording.source}: {episode_ends}: whole numbers that increase up to {recording.count} were expected"
        )
    if not len(ends) or ends[-1] != recording.count:
        raise InputError(
            f"{recording.source}: {episode_ends}: ends at frame {ends[-1] if len(ends) else 0} of {recording.count}"
        )
    starts = [0, *ends.tolist()[:-1]]
    for number, (start, stop) in enumerate(zip(starts, ends.tolist())):
        yield replace(recording, start=start, count=stop - start, episode=number)


# Archives of arrays: npz and npy


def find_npz(source: Path, _key: str | None) -> Iterator[Recording]:
    with zipfile.ZipFile(source) as archive:
        for name in archive.namelist():
            with archive.open(name) as file:
                shape, _, dtype = npy_header(file)
            layout = layout_of(shape, dtype)
            if layout is not None:
                yield Recording(source, name.removesuffix(".npy"), layout.count, layout.width, layout.height, "npz")


def read_npz(recording: Recording, lost: set) -> Iterator[tuple[np.ndarray, None]]:
    """Block by block through the decompressor: the array is never in memory as a whole, unless it lies by columns."""
    pictures = Pictures(f"{recording.source}: {recording.key}")
    pictures.lost = lost
    with zipfile.ZipFile(recording.source) as archive, archive.open(f"{recording.key}.npy") as file:
        shape, by_columns, dtype = npy_header(file)
        layout = layout_of(shape, dtype)
        if by_columns or layout.single:
            with np.load(recording.source, allow_pickle=False) as whole:
                yield pictures.of(whole[recording.key], layout), None
            return
        frame_bytes = int(np.prod(shape[1:])) * dtype.itemsize
        for block in blocks(layout.count, frame_bytes):
            count = block.stop - block.start
            data = file.read(count * frame_bytes)
            if len(data) < count * frame_bytes:
                raise InputError(
                    f"{recording.source}: {recording.key}: was cut off in frame "
                    f"{block.start + len(data) // frame_bytes}"
                )
            yield pictures.of(np.frombuffer(data, dtype).reshape(count, *shape[1:]), layout), None


def npy_header(file) -> tuple[tuple[int, ...], bool, np.dtype]:
    """Shape, order by columns, and type of an array in numpy's form; ValueError for anything else."""
    version = np.lib.format.read_magic(file)
    read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
    return read(file)


def find_npy(source: Path, _key: str | None) -> Iterator[Recording]:
    array = np.load(source, mmap_mode="r", allow_pickle=False)
    layout = layout_of(array.shape, array.dtype)
    if layout is not None:
        yield Recording(source, "", layout.count, layout.width, layout.height, "npy")


def read_npy(recording: Recording, lost: set) -> Iterator[tuple[np.ndarray, None]]:
    pictures = Pictures(str(recording.source))
    pictures.lost = lost
    array = np.load(recording.source, mmap_mode="r", allow_pickle=False)
    layout = layout_of(array.shape, array.dtype)
    for block in blocks(recording.count, array[0].nbytes if not layout.single else array.nbytes):
        yield pictures.of(array if layout.single else array[block], layout), None


# Pictures: in folders, in tars, and moving ones


def pixels_of(picture: Image.Image, name: str, lost: set) -> np.ndarray:
    """uint8 [1, H, W, 3]; raises InputError for see-through parts and for more than 8 bits."""
    if picture.width * picture.height > MAX_PIXELS:
        raise InputError(f"{name}: has more than {MAX_PIXELS:,} pixels")
    if picture.mode not in MODES:
        raise InputError(f"{name}: has pixels of kind {picture.mode}, and 8-bit RGB or grey was expected")
    if picture.has_transparency_data:
        picture = opaque(name, picture)
        lost.add("the fourth channel, which was 255 throughout")
    return np.asarray(picture.convert("RGB"))[None]


def find_folder(source: Path, _key: str | None) -> Iterator[Recording]:
    """Each folder with pictures is a recording, its pictures in the order of their numbers."""
    found = files_in(source, PICTURES)
    folders: dict[Path, list[Path]] = {}
    for path in found:
        folders.setdefault(path.parent, []).append(path)
    for folder in sorted(folders, key=lambda folder: natural(str(folder))):
        with Image.open(min(folders[folder], key=lambda path: natural(path.name))) as first:
            width, height = first.size
        inside = folder.relative_to(source)
        yield Recording(
            source, "" if inside == Path(".") else str(inside), len(folders[folder]), width, height, "folder"
        )


def read_folder(recording: Recording, lost: set) -> Iterator[tuple[np.ndarray, None]]:
    folder = recording.source / recording.key
    paths = [
        path
        for path in folder.iterdir()
        if path.suffix.lower() in PICTURES and not path.name.startswith(".") and path.is_file()
    ]
    for path in sorted(paths, key=lambda path: natural(path.name)):
        with told_as_input(path), Image.open(path) as picture:
            yield pixels_of(picture, str(path), lost), None


def pictures_in_tar(archive: tarfile.TarFile) -> Iterator[tuple[str, tarfile.TarInfo]]:
    """The pictures of a tar, in its order, with the folder of each; in webdataset's form a sample's key is its name
    without suffix.
    """
    for member in archive:
        if member.isfile() and Path(member.name).suffix.lower() in PICTURES:
            if member.size > MAX_PICTURE_BYTES:
                raise InputError(
                    f"{os.fsdecode(archive.name)}: {member.name}: has {member.size:,} bytes, at most "
                    f"{MAX_PICTURE_BYTES:,} expected"
                )
            yield str(Path(member.name).parent).strip("./"), member


def find_tar(source: Path, _key: str | None) -> Iterator[Recording]:
    folders: dict[str, list] = {}
    with tarfile.open(source) as archive:
        for folder, member in pictures_in_tar(archive):
            if folder not in folders:
                with Image.open(archive.extractfile(member)) as first:
                    folders[folder] = [0, *first.size]
            folders[folder][0] += 1
    for folder, (count, width, height) in folders.items():
        yield Recording(source, folder, count, width, height, "tar")


def read_tar(recording: Recording, lost: set) -> Iterator[tuple[np.ndarray, None]]:
    with tarfile.open(recording.source) as archive:
        for folder, member in pictures_in_tar(archive):
            if folder == recording.key:
                with told_as_input(recording.source), Image.open(archive.extractfile(member)) as picture:
                    yield pixels_of(picture, f"{recording.source}: {member.name}", lost), None


def find_animation(source: Path, _key: str | None) -> Iterator[Recording]:
    with Image.open(source, formats=("GIF", "WEBP")) as picture:
        duration = shown_for(picture)
        yield Recording(source, "", getattr(picture, "n_frames", 1), *picture.size, "animation", MILLISECOND, duration)


def read_animation(recording: Recording, lost: set) -> Iterator[tuple[np.ndarray, list[int]]]:
    with Image.open(recording.source, formats=("GIF", "WEBP")) as picture:
        at = 0
        for frame in ImageSequence.Iterator(picture):
            yield pixels_of(frame, str(recording.source), lost), [at]
            at += shown_for(frame)


def shown_for(frame: Image.Image) -> int:
    """Milliseconds, at least one."""
    frame.load()  # of WebP the time is known only then
    return max(1, int(frame.info.get("duration") or GIF_DEFAULT))


TREES = {"hdf5": hdf5_tree, "minari": hdf5_tree, "zarr": zarr_tree}
FORMS = {
    **{form: Form(find_arrays(opened, form), read_arrays(opened)) for form, opened in TREES.items()},
    "npz": Form(find_npz, read_npz),
    "npy": Form(find_npy, read_npy),
    "folder": Form(find_folder, read_folder),
    "tar": Form(find_tar, read_tar),
    "animation": Form(find_animation, read_animation),
}
SUFFIXES = {
    ".h5": "hdf5",
    ".hdf5": "hdf5",
    ".zip": "zarr",
    ".npz": "npz",
    ".npy": "npy",
    ".tar": "tar",
    ".gif": "animation",
    ".webp": "animation",
}
