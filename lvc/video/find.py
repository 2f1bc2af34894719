"""Files of certain kinds in a folder."""

import os
from collections.abc import Collection
from pathlib import Path

from lvc.errors import InputError


def files_in(folder: Path, suffixes: Collection[str]) -> list[Path]:
    """The files at any depth of a folder whose names end so (".mp4", in either case), sorted, without hidden ones and
    hidden folders.

    Links to folders are not followed. Raises InputError where the folder, or one in it, cannot be read.
    """

    def refuse(error: OSError):
        raise InputError(f"{error.filename}: cannot be read: {error.strerror or error}") from error

    found = []
    for parent, folders, files in os.walk(folder, onerror=refuse):
        folders[:] = [name for name in folders if not name.startswith(".")]
        found += [
            Path(parent, name) for name in files if not name.startswith(".") and Path(name).suffix.lower() in suffixes
        ]
    return sorted(found)
