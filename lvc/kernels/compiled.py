"""Functions compiled to machine code when they are first used, and kept on disk for the next process.

What Numba keeps by itself holds on to a caller's code after a function that it calls has changed in another file. Wrong code is a wrong
file here; so what is kept lies under the digest of all the sources together.
"""

import hashlib
import os
import tempfile
from collections.abc import Callable
from contextlib import suppress
from functools import lru_cache
from pathlib import Path

from numba import config, njit

SOURCES = ("kernels/compiled.py", "entropy/bits.py", "entropy/mixing.py", "native/shown.py", "codecs/palette/*.py")
FOLDER_VARIABLE = "LVC_CACHE"


def compiled(function: Callable, **options) -> Callable:
    """The function, compiled where it is first called; it lets other threads run."""
    before, config.CACHE_DIR = config.CACHE_DIR, str(cache_folder())
    try:
        made = njit(cache=True, nogil=True, error_model="numpy", **options)(function)
    finally:
        config.CACHE_DIR = before
    make_forgiving(made._cache)
    return made


def make_forgiving(cache) -> None:
    """What is kept is worth seconds, no more: where it is damaged, or the disk is full, functions are compiled as if nothing were kept."""
    load, save = cache.load_overload, cache.save_overload

    def loaded(*arguments):
        try:
            return load(*arguments)
        except Exception:  # bytes that are no code raise whatever Numba, pickle or LLVM make of them
            return None

    def saved(*arguments):
        try:
            save(*arguments)
        except Exception:
            with suppress(Exception):  # the index may be what is damaged
                cache.flush()
                save(*arguments)

    cache.load_overload, cache.save_overload = loaded, saved


def bare(function: Callable) -> Callable:
    """The same of a function that makes no arrays, and so need not count who holds those that it is given: that took half of the time."""
    return compiled(function, _nrt=False)


def inlined(function: Callable) -> Callable:
    """The same, within each function that calls it: for those of the innermost loops, to which a call would hand a dozen arrays."""
    return compiled(function, _nrt=False, forceinline=True)


@lru_cache(maxsize=1)
def cache_folder() -> Path:
    """Where code of just these sources is kept: under the environment's LVC_CACHE, or the user's cache, or else where files are temporary."""
    digest = hashlib.sha256()
    root = Path(__file__).parent.parent
    for pattern in SOURCES:
        for path in sorted(root.glob(pattern)):
            source = path.read_bytes()
            digest.update(f"{path.relative_to(root).as_posix()} {len(source)}\n".encode() + source)
    given = os.environ.get(FOLDER_VARIABLE)
    try:
        user = Path(given) if given else Path(os.environ.get("XDG_CACHE_HOME") or os.environ.get("LOCALAPPDATA") or Path.home() / ".cache") / "lvc"
        folder = user / "code" / digest.hexdigest()[:16]
        folder.mkdir(parents=True, exist_ok=True)
        if os.access(folder, os.W_OK):
            return folder
    except (OSError, RuntimeError):  # RuntimeError: a user whose home nobody knows, as in some containers
        pass
    # A folder of this process's user alone: another's code must not run here.
    return Path(tempfile.mkdtemp(prefix="lvc-code-"))


def is_kept() -> bool:
    """Whether code is there that an earlier process has compiled."""
    return any(cache_folder().rglob("*.nbi"))
