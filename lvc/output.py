"""Files that appear under their final name whole or not at all."""

import os
from contextlib import contextmanager
from pathlib import Path

from lvc.errors import OutputError


def check_output(path: Path, *, overwrite: bool = False, inputs: tuple[Path, ...] = ()) -> None:
    """Raises OutputError where `path` is one of the inputs, exists and may not be overwritten, or has no folder."""
    for source in inputs:
        if source.exists() and path.exists() and os.path.samefile(source, path):
            raise OutputError(f"{path}: the output is also the input; choose another name")
    if path.is_dir():
        raise OutputError(f"{path}: is a folder; a file name was expected")
    if path.exists() and not overwrite:
        raise OutputError(f"{path}: exists already; overwrite it with -y")
    if not path.parent.is_dir():
        raise OutputError(f"{path}: there is no folder {path.parent}")


@contextmanager
def written_whole(path: Path, *, overwrite: bool = False, inputs: tuple[Path, ...] = (), keep_part: bool = False):
    """Gives the temporary name `<path>.part` to write to, and renames it to `path` when the block ends well.

    When the block fails the temporary file is removed, or kept for recovery with `keep_part`.
    An operating system's error on the file becomes an OutputError.
    """
    path = Path(path)
    check_output(path, overwrite=overwrite, inputs=inputs)
    part = path.with_name(path.name + ".part")
    try:
        yield part
        if path.exists() and not overwrite:  # somebody else wrote it meanwhile
            raise OutputError(f"{path}: exists already; overwrite it with -y")
        os.replace(part, path)
    except BaseException as error:
        if not keep_part:
            part.unlink(missing_ok=True)
        if isinstance(error, OSError) and not isinstance(error, FileNotFoundError):
            raise OutputError(f"{path}: cannot be written: {error.strerror or error}") from error
        raise
