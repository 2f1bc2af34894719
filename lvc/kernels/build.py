"""Builds the shared library of all C sources of this folder: `python -m lvc.kernels.build` puts it beside them.

`python -m lvc.kernels.build --sanitize FILE` builds one elsewhere that address and undefined-behaviour sanitizers
watch over; $LVC_KERNELS names it.

Imports nothing of lvc and nothing that is not in Python, because building a wheel runs it before anything is installed.
The compiler is $CC, or the machine's cc, or the one that PyPI's `ziglang` brings.
"""

import hashlib
import importlib.util
import os
import sys
from collections.abc import Sequence
from pathlib import Path

FOLDER = Path(__file__).parent
SUFFIX = {"darwin": ".dylib", "win32": ".dll"}.get(sys.platform, ".so")
LIBRARY = FOLDER / f"kernels{SUFFIX}"
FLAGS = (
    "-std=c11",
    "-O3",
    "-fwrapv",
    "-fno-strict-aliasing",
    "-ffp-contract=off",  # a multiplication and an addition stay two: an encoder decides alike on every machine
    "-fvisibility=hidden",
    *(() if sys.platform == "win32" else ("-fPIC", "-pthread")),
)
WARNINGS = "-Wall", "-Wextra"
SANITIZERS = "-fsanitize=address,undefined", "-fno-sanitize-recover=all", "-fno-omit-frame-pointer", "-g"
COMPILERS = "cc", "gcc", "clang"


class BuildError(Exception):
    """No compiler is there, or it refused a source: what it said."""


def sources(folder: Path = FOLDER) -> list[Path]:
    """Everything that the library is made of, C files and headers, in the order of their names."""
    return sorted(path for path in folder.iterdir() if path.suffix in (".c", ".h"))


def sources_digest(folder: Path = FOLDER) -> str:
    """The digest, 16 hexadecimal digits, of the sources' names and bytes and of the flags; the library carries it."""
    digest = hashlib.sha256(" ".join(FLAGS).encode())
    for path in sources(folder):
        content = path.read_bytes()
        digest.update(f"\n{path.name} {len(content)}\n".encode() + content)
    return digest.hexdigest()[:16]


def is_current(library: Path = LIBRARY, *, folder: Path = FOLDER) -> bool:
    """True if a library is there that was built from the sources as they are."""
    return library.exists() and sources_digest(folder).encode() in library.read_bytes()


def find_compiler() -> list[str] | None:
    """The command that compiles C here, or None."""
    import shlex
    import shutil

    if given := os.environ.get("CC"):
        return shlex.split(given)
    for name in COMPILERS:
        if path := shutil.which(name):
            return [path]
    return [sys.executable, "-m", "ziglang", "cc"] if importlib.util.find_spec("ziglang") else None


def build(
    target: Path = LIBRARY, *, folder: Path = FOLDER, compiler: Sequence[str] | None = None, flags: Sequence[str] = ()
) -> Path:
    """Compiles the C files of a folder into the shared library `target`, which appears whole or not at all.

    compiler: the command, by default what `find_compiler` finds. flags: more of them, as SANITIZERS. Raises BuildError.
    """
    import subprocess
    import tempfile
    from concurrent.futures import ThreadPoolExecutor

    compiler = find_compiler() if compiler is None else list(compiler)
    if compiler is None:
        raise BuildError(
            f"no C compiler: none of {', '.join(COMPILERS)} is in PATH, and PyPI's ziglang is not installed"
        )

    def run(*arguments: str) -> None:
        try:
            done = subprocess.run([*compiler, *arguments], capture_output=True, text=True, check=False)
        except OSError as error:
            raise BuildError(f"{compiler[0]}: {error.strerror}") from error
        if done.returncode:
            raise BuildError(f"{' '.join([*compiler, *arguments])}\n{done.stderr.strip()}")

    every = *FLAGS, *WARNINGS, *flags, f'-DLVC_SOURCES_DIGEST="{sources_digest(folder)}"'
    with tempfile.TemporaryDirectory() as scratch, ThreadPoolExecutor(os.cpu_count()) as pool:
        files = {path: str(Path(scratch) / f"{path.stem}.o") for path in sources(folder) if path.suffix == ".c"}
        for finished in [pool.submit(run, *every, "-c", str(path), "-o", made) for path, made in files.items()]:
            finished.result()
        target.parent.mkdir(parents=True, exist_ok=True)
        part = target.with_name(f"{target.stem}.{os.getpid()}.part{target.suffix}")
        try:
            run(
                "-shared",
                *(() if "-g" in flags or sys.platform == "darwin" else ("-Wl,-s",)),
                *flags,
                *files.values(),
                "-o",
                str(part),
            )
            part.replace(target)
        finally:
            part.unlink(missing_ok=True)
    return target


if __name__ == "__main__":
    try:
        match sys.argv[1:]:
            case []:
                print(build())
            case ["--sanitize", target]:
                print(build(Path(target), flags=SANITIZERS))
            case _:
                sys.exit("python -m lvc.kernels.build [--sanitize FILE]")
    except BuildError as refusal:
        sys.exit(str(refusal))
