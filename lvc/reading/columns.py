"""Actions, rewards and whatever else belongs to frames: tables beside `.lvc` files, in npz, parquet or HDF5."""

import os
import zipfile
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import numpy as np

from lvc.errors import InputError, OptionError
from lvc.reading.given_times import GivenTime

ROWS_BY = ("index", "time")
NUMBERS = "biuf"  # numpy's kinds


@dataclass(frozen=True)
class Columns:
    """Which table stands beside each file of a data set, and which of its rows belong to which frame.

    beside: its suffix, ".npz", ".parquet", ".h5" or ".hdf5", where game.lvc goes with game.npz; or a function that
    gives a table's path for a file's path. names: the columns that are wanted; None for all that hold numbers. In HDF5
    a column is a data set of any group, named by its path as "data/demo_0/actions".
    by: "index" where row k belongs to frame k, and there are as many; "time" where the column `time` holds increasing
    seconds, and a frame belongs to the last row that is not later than it.
    """

    beside: str | Callable[[Path], str | os.PathLike]
    names: tuple[str, ...] | None = None
    by: str = "index"
    time: str = "timestamp"

    def __post_init__(self):
        if self.by not in ROWS_BY:
            raise OptionError(f"rows belong to frames by {' or '.join(ROWS_BY)}, not by {self.by!r}")
        if isinstance(self.beside, str) and self.beside not in READERS:
            raise OptionError(f"a table beside each file ends in {', '.join(READERS)}, not {self.beside!r}")
        if self.names is not None:
            object.__setattr__(self, "names", (self.names,) if isinstance(self.names, str) else tuple(self.names))

    def path_of(self, file: Path) -> Path:
        """The table that belongs to a `.lvc` file; it need not exist."""
        return file.with_suffix(self.beside) if isinstance(self.beside, str) else Path(self.beside(file))

    def read(self, file: Path, *, more: Iterable[str] = ()) -> dict[str, np.ndarray]:
        """The table of a file: arrays [rows, ...] by name, of `names`, `more` and what `by` needs;
        raises InputError.
        """
        path = self.path_of(file)
        extra = [*more, *([self.time] if self.by == "time" else [])]
        names = None if self.names is None else list(dict.fromkeys([*self.names, *extra]))
        table = read_table(path, names)
        for name in extra:
            if name not in table:
                raise InputError(f"{path}: has no column {name!r}, and has {', '.join(table)[:300]}")
        lengths = {name: len(values) for name, values in table.items()}
        if len(set(lengths.values())) > 1:
            (one, rows), (other, others) = (
                min(lengths.items(), key=lambda two: two[1]),
                max(lengths.items(), key=lambda two: two[1]),
            )
            raise InputError(
                f"{path}: {rows} rows of {one!r} and {others} of {other!r}: choose columns of one length by their names"
            )
        return table

    def rows_of(
        self, table: dict[str, np.ndarray], pts: np.ndarray, first: int, count: int, time_base: Fraction, path: Path
    ) -> np.ndarray:
        """The table's row for each frame from number `first` on, of which `pts` has the ticks; the file has `count`
        frames.

        Raises InputError where the rows do not go with the frames.
        """
        rows = len(next(iter(table.values()))) if table else 0
        if self.by == "index":
            if rows != count:
                raise InputError(
                    f"{path}: {rows} rows for {count} frames; by='time' takes tables with a row at other times"
                )
            return np.arange(first, first + len(pts))
        # A time that was rounded means the tick that it was rounded from.
        ticks = np.array([GivenTime.of(time, time_base).from_ticks for time in table[self.time]], dtype=np.int64)
        if np.any(np.diff(ticks) < 0):
            raise InputError(f"{path}: the times in column {self.time!r} do not increase")
        found = np.searchsorted(ticks, pts, side="right") - 1
        if len(found) and found[0] < 0:
            raise InputError(f"{path}: no row at {float(pts[0] * time_base):.6g} s or before, where the first frame is")
        return found


def read_table(path: Path, names: list[str] | None) -> dict[str, np.ndarray]:
    """Arrays of numbers [rows, ...] by name; raises InputError for what is missing, damaged or no number."""
    reader = READERS.get(path.suffix.lower())
    if reader is None:
        raise InputError(f"{path}: a table ends in {', '.join(READERS)}")
    try:
        table = reader(path, names)
    except ImportError as error:
        raise OptionError(f"{path}: needs the package {error.name}: pip install lvc[tables]") from error
    except FileNotFoundError as error:
        raise InputError(f"{path}: there is no such table") from error
    except KeyError as error:
        raise InputError(f"{path}: has no column {str(error.args[0])[:200]!r}") from error
    # As numpy, pyarrow and h5py tell damage
    except (OSError, ValueError, zipfile.BadZipFile, EOFError, RuntimeError) as error:
        raise InputError(f"{path}: cannot be read: {getattr(error, 'strerror', None) or error}") from error
    for name, values in list(table.items()):
        if values.dtype.kind not in NUMBERS or values.ndim == 0:
            if names is not None:
                raise InputError(
                    f"{path}: column {name!r} holds {values.dtype} {list(values.shape)}; numbers [rows, ...] were "
                    "expected"
                )
            del table[name]
    return table


def read_npz(path: Path, names: list[str] | None) -> dict[str, np.ndarray]:
    with np.load(path, allow_pickle=False) as archive:
        if names is not None:
            return {name: archive[name] for name in names}
        found = {}
        for name in archive.files:
            try:
                found[name] = archive[name]
            except ValueError as error:
                if "pickle" not in str(error):  # objects, which hold no numbers
                    raise
        return found


def read_parquet(path: Path, names: list[str] | None) -> dict[str, np.ndarray]:
    import pyarrow
    from pyarrow import parquet

    with parquet.ParquetFile(path) as file:
        held = file.schema_arrow.names
        for name in names or ():
            if name not in held:
                raise KeyError(name)
        table = file.read(columns=names)
    found = {}
    for name in table.column_names:
        column = table[name].combine_chunks()
        shape = [len(column)]
        while (
            pyarrow.types.is_list(column.type)
            or pyarrow.types.is_large_list(column.type)
            or pyarrow.types.is_fixed_size_list(column.type)
        ):
            inner = column.flatten()
            if len(column) and len(inner) % len(column):
                raise ValueError(f"the lists of column {name!r} are of several lengths")
            lengths = np.unique(column.value_lengths().to_numpy(zero_copy_only=False)) if len(column) else [0]
            if len(lengths) > 1:
                raise ValueError(f"the lists of column {name!r} are of several lengths")
            shape.append(int(lengths[0]))
            column = inner
        found[name] = column.to_numpy(zero_copy_only=False).reshape(shape)
    return found


def read_hdf5(path: Path, names: list[str] | None) -> dict[str, np.ndarray]:
    import h5py

    with h5py.File(path, "r") as file:
        if names is not None:
            return {name: file[name][...] for name in names}
        found = {}

        def add(name: str, item) -> None:
            if isinstance(item, h5py.Dataset) and item.ndim and item.dtype.kind in NUMBERS:
                found[name] = item[...]

        file.visititems(add)
        return found


READERS = {".npz": read_npz, ".parquet": read_parquet, ".h5": read_hdf5, ".hdf5": read_hdf5}


def episode_starts(values: np.ndarray) -> np.ndarray:
    """Where episodes start among frames, from 0, by a column's value for each frame.

    values: bool [frames], True at each episode's last frame; or whole numbers [frames], which change from episode to
    episode.
    """
    if values.ndim != 1 or values.dtype.kind not in "biu":
        raise OptionError(
            f"episodes are told by a column of bool or of whole numbers, one a frame, not by {values.dtype} "
            f"{list(values.shape)}"
        )
    ends = values[:-1] if values.dtype.kind == "b" else values[1:] != values[:-1]
    return np.concatenate([[0], np.flatnonzero(ends) + 1])
