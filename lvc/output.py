"""Files that appear under their final name whole or not at all."""

import os
import stat
from collections.abc import Callable
from contextlib import contextmanager
from pathlib import Path

from lvc.errors import OutputError


def part_of(path: Path) -> Path:
    """The temporary name that an output has while it is written: beside the file that a link means."""
    path = Path(path)
    if path.is_symlink():
        path = Path(os.path.realpath(path))
    return path.with_name(path.name + ".part")


def identity(path: str | os.PathLike) -> tuple[int, ...] | None:
    """What tells a file, as it is, from another one of its name and from itself once it was written to; None where there is none."""
    try:
        found = os.stat(path)
    except FileNotFoundError:
        return None
    return found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns


def check_output(
    path: Path, *, overwrite: bool = False, inputs: tuple[Path, ...] = (), recoverable: bool = False, extends: bool = False
) -> None:
    """Raises OutputError where `path` is one of the inputs, exists and may not be overwritten, or has no folder.

    recoverable: the part file of an earlier run is worth keeping, and is not overwritten either unless told.
    extends: what is written begins with all that `path` holds, so that `path` itself may be replaced.
    """
    try:
        part = part_of(path)
        for source in inputs:
            if source.exists() and path.exists() and os.path.samefile(source, path):
                raise OutputError(f"{path}: the output is also the input; choose another name")
            if source.exists() and part.exists() and os.path.samefile(source, part):
                raise OutputError(f"{path}: its temporary name {part} is the input; choose another name")
        if path.is_dir():
            raise OutputError(f"{path}: is a folder; a file name was expected")
        if path.exists() and not stat.S_ISREG(path.stat().st_mode):
            raise OutputError(f"{path}: is no regular file; a name for one was expected")
        if path.exists() and not (overwrite or extends):
            raise OutputError(f"{path}: exists already; overwrite it with -y")
        if not part.parent.is_dir():
            raise OutputError(f"{path}: there is no folder {part.parent}")
        if part.is_dir():
            raise OutputError(f"{path}: its temporary name {part} is a folder")
        if recoverable and part.exists() and not overwrite:
            raise OutputError(
                f"{path}: is being written, or an encoder died while it was; "
                f"recover what there is with lvc verify --repair {part}, or overwrite it with -y"
            )
    except OSError as error:
        raise OutputError(f"{path}: cannot be written: {error.strerror or error}") from error


@contextmanager
def written_whole(
    path: Path,
    *,
    overwrite: bool = False,
    inputs: tuple[Path, ...] = (),
    recoverable: Callable[[], bool] | None = None,
    extends: bool = False,
):
    """Gives the temporary name `<path>.part` to write to, and renames it to `path` when the block ends well.

    When the block fails the temporary file is removed, or kept for recovery where `recoverable()` is true then.
    Where `path` is a symbolic link the file it means is written. An operating system's error becomes an OutputError.
    """
    path = Path(path)
    check_output(path, overwrite=overwrite, inputs=inputs, recoverable=recoverable is not None, extends=extends)
    part = part_of(path)
    try:
        yield part
        if path.exists() and not (overwrite or extends):  # somebody else wrote it meanwhile
            raise OutputError(f"{path}: exists already; overwrite it with -y")
        os.replace(part, part.with_name(part.name.removesuffix(".part")))
    except BaseException as error:
        if recoverable is None or not recoverable():
            part.unlink(missing_ok=True)
        if isinstance(error, OSError):
            raise OutputError(f"{path}: cannot be written: {error.strerror or error}") from error
        raise
