"""Files that appear under their final name whole or not at all."""

import contextlib
import errno
import hashlib
import os
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

try:
    import fcntl
except ImportError:  # Windows, which refuses to rename a file that somebody writes to, and so needs no lock
    fcntl = None

from lvc.errors import OutputError

BEING_WRITTEN = "{}: is being written by another program; wait for it, or choose another name"
# Some network file systems. EBADF: NFS makes locks of those for writing, which a file or folder that is open for
# reading cannot have.
NO_LOCKS_HERE = {errno.ENOLCK, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS, errno.EBADF}
PART = ".part"
LONGEST_NAME = 255  # bytes, of nearly all file systems


def part_of(path: Path) -> Path:
    """The temporary name that an output has while it is written: beside the file that a link means."""
    path = written_path(path)
    return path.with_name(fitting(path.name, PART))


def fitting(name: str, suffix: str) -> str:
    """The name with a suffix; of one that is too long for that, the end gives way to a digest of the whole."""
    encoded = os.fsencode(name)
    room = LONGEST_NAME - len(suffix)
    if len(encoded) <= room:
        return name + suffix
    digest = "-" + hashlib.sha256(encoded).hexdigest()[:12]
    return encoded[: room - len(digest)].decode("utf-8", "ignore") + digest + suffix  # no half letter at the end


def written_path(path: Path) -> Path:
    """The file that is written where `path` is named: what a link means, else the path itself."""
    path = Path(path)
    return Path(os.path.realpath(path)) if path.is_symlink() else path


def repaired_name(path: Path) -> Path:
    """Where `lvc verify --repair` writes what holds: game.lvc and game.lvc.part become game.repaired.lvc."""
    return path.with_name(fitting(path.name.removesuffix(PART).removesuffix(".lvc"), ".repaired.lvc"))


def identity(path: str | os.PathLike) -> tuple[int, ...] | None:
    """What tells a file, as it is, from another one of its name and from itself once it was written to;
    None where there is none.
    """
    try:
        found = os.stat(path)
    except FileNotFoundError:
        return None
    return found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns


def check_output(
    path: Path,
    *,
    overwrite: bool = False,
    inputs: tuple[Path, ...] = (),
    recoverable: bool = False,
    extends: bool = False,
) -> None:
    """Raises OutputError where `path` is one of the inputs, is being written, exists and may not be overwritten, or has
    no folder.

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
        if part.is_symlink():
            raise OutputError(f"{path}: its temporary name {part} is a link; what it means would be written over")
        check_unclaimed(path, part)
        if recoverable and part.exists() and not overwrite:
            raise OutputError(
                f"{path}: an encoder died while it was written; recover what there is with lvc verify --repair "
                f"{part}, or overwrite it with -y"
            )
    except OSError as error:
        raise OutputError(f"{path}: cannot be written: {error.strerror or error}") from error


def check_unclaimed(path: Path, part: Path) -> None:
    """Raises OutputError where somebody is writing `part`; one that was left behind passes."""
    if part.exists():
        _release(_claim(path, part, os.O_RDONLY))


@contextmanager
def claimed(path: Path, part: Path, *, fresh: bool = False, folder: bool = False) -> Iterator[None]:
    """Makes `part` if need be and holds it against other writers, of this process or another; OutputError where one
    holds it.

    The operating system lets go of it when the process ends, however it does. fresh: `part` must not be there yet.
    folder: it is one. Raises OSError too.
    """
    if folder:
        part.mkdir(exist_ok=True)
    flags = os.O_RDONLY if folder else os.O_RDWR | os.O_CREAT | (os.O_EXCL if fresh else 0)
    try:
        descriptor = _claim(path, part, flags)
    except FileExistsError:
        raise OutputError(BEING_WRITTEN.format(path)) from None
    try:
        yield
    finally:
        _release(descriptor)


def _claim(path: Path, part: Path, flags: int) -> int | None:
    """An open file that keeps other writers away; None where the system has no such thing, or there is no `part`."""
    if fcntl is not None:
        return _lock(path, part, flags)
    if flags & os.O_CREAT:
        os.close(os.open(part, flags, 0o666))
    return None


def _lock(path: Path, part: Path, flags: int) -> int | None:
    """An open file that is locked; None where the file system has no locks, or there is no `part`."""
    while True:
        try:
            descriptor = os.open(part, flags | os.O_NOFOLLOW, 0o666)
        except FileNotFoundError:
            if flags & os.O_CREAT:
                raise  # the folder has gone
            return None
        kept = False
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            kept = os.path.samestat(os.fstat(descriptor), os.stat(part))
            if kept:
                return descriptor
        except BlockingIOError:
            raise OutputError(BEING_WRITTEN.format(path)) from None
        except FileNotFoundError:
            continue  # its writer ended just now and took the name away: another try
        except OSError as error:
            if error.errno not in NO_LOCKS_HERE:
                raise
            if not _may_be_locked_to_write(error, part, flags):
                return None
            flags |= os.O_RDWR
        finally:
            if not kept:
                os.close(descriptor)


def _may_be_locked_to_write(error: OSError, part: Path, flags: int) -> bool:
    """Whether a file that cannot be locked is open for reading alone, where only one for writing can be."""
    return error.errno == errno.EBADF and not flags & os.O_RDWR and part.is_file()


def _release(descriptor: int | None) -> None:
    if descriptor is not None:
        # Told, because a process that was forked meanwhile has the lock too.
        with contextlib.suppress(OSError):
            fcntl.flock(descriptor, fcntl.LOCK_UN)
        os.close(descriptor)


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

    The temporary file is there, empty, and held against other writers. Its bytes are on the disk before it gets its
    name, so that a loss of power leaves the old file or the new one. When the block fails the temporary file is
    removed, or kept for recovery where `recoverable()` is true then.
    Where `path` is a symbolic link the file it means is written. An operating system's error becomes an OutputError.
    """
    path = Path(path)
    check_output(path, overwrite=overwrite, inputs=inputs, recoverable=recoverable is not None, extends=extends)
    part = part_of(path)
    with contextlib.ExitStack() as held:
        try:
            held.enter_context(claimed(path, part, fresh=recoverable is not None and not overwrite))
            os.truncate(part, 0)
        except OSError as error:
            raise OutputError(f"{path}: cannot be written: {error.strerror or error}") from error
        try:
            yield part
            if path.exists() and not (overwrite or extends):  # somebody else wrote it meanwhile
                raise OutputError(f"{path}: exists already; overwrite it with -y")
            sync(part)
            os.replace(part, written_path(path))
            sync_folder(part.parent)
        except BaseException as error:
            if recoverable is None or not recoverable():
                part.unlink(missing_ok=True)
            if isinstance(error, OSError):
                raise OutputError(f"{path}: cannot be written: {error.strerror or error}") from error
            raise


def sync(path: Path) -> None:
    """Waits until a file's bytes are on the disk; OSError where they cannot be, which a full disk may tell only now."""
    with open(path, "r+b") as file:
        os.fsync(file.fileno())


def sync_folder(folder: Path) -> None:
    """Waits until a folder's names are on the disk, where the system can tell;
    the files under them are whole in any case.
    """
    with contextlib.suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
