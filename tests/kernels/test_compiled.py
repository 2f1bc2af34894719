"""Compiled code: kept on disk for the next process, never for other sources, and never where others could put theirs."""

import ast
import json
import os
import shutil
import stat
import subprocess
import sys
from pathlib import Path

import numba
import pytest

from lvc.kernels import compiled as module
from lvc.kernels.compiled import FOLDER_VARIABLE, SOURCES, cache_folder, compiled

PACKAGE = Path(module.__file__).parent
HIDDEN = FOLDER_VARIABLE, "XDG_CACHE_HOME", "LOCALAPPDATA"


@pytest.fixture
def folder_now(monkeypatch):
    """`folder_now(**environment)`: where compiled code would be kept by a process of this environment."""

    def found(**environment):
        for name in HIDDEN:
            monkeypatch.delenv(name, raising=False)
        for name, value in environment.items():
            monkeypatch.setenv(name, str(value))
        return cache_folder.__wrapped__()

    return found


@pytest.fixture
def sources(tmp_path, monkeypatch):
    """A copy of the sources, whose digest the folder is of."""
    root = tmp_path / "lvc"
    for pattern in SOURCES:
        for path in PACKAGE.glob(pattern):
            (root / path.relative_to(PACKAGE)).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(path, root / path.relative_to(PACKAGE))
    monkeypatch.setattr(module, "__file__", str(root / "compiled.py"))
    return root


def test_the_folder_is_that_of_the_environment_or_the_users_cache(folder_now, tmp_path):
    digest = folder_now(LVC_CACHE=tmp_path / "given").name
    assert len(digest) == 16 and int(digest, 16) >= 0
    assert folder_now(LVC_CACHE=tmp_path / "given") == tmp_path / "given" / "code" / digest
    assert (tmp_path / "given" / "code" / digest).is_dir()
    assert folder_now(XDG_CACHE_HOME=tmp_path / "cache") == tmp_path / "cache" / "lvc" / "code" / digest
    assert folder_now(LOCALAPPDATA=tmp_path / "local") == tmp_path / "local" / "lvc" / "code" / digest
    assert folder_now(HOME=tmp_path) == tmp_path / ".cache" / "lvc" / "code" / digest
    assert folder_now(LVC_CACHE="", HOME=tmp_path) == tmp_path / ".cache" / "lvc" / "code" / digest, "nothing is not the folder that is worked in"


def test_other_sources_have_another_folder(folder_now, sources, tmp_path):
    here = {"LVC_CACHE": tmp_path / "cache"}
    before = folder_now(**here)
    assert folder_now(**here) == before
    found = {before}
    for path in sorted(sources.rglob("*.py")):
        text = path.read_text()
        path.write_text(text + "\n")
        found.add(folder_now(**here))
        path.write_text(text)
    assert len(found) == 1 + len(list(sources.rglob("*.py")))
    assert folder_now(**here) == before
    (sources / "palette/walk.py").rename(sources / "palette/walked.py")
    assert folder_now(**here) not in found, "what a module is called is of its code too"


def test_every_source_of_compiled_functions_counts():
    """A compiled function holds on to what it calls and to numbers of other modules: all of these must be among the sources."""
    counted = {path for pattern in SOURCES for path in PACKAGE.glob(pattern)}
    users = 0
    for path in PACKAGE.rglob("*.py"):
        tree = ast.parse(path.read_text())
        functions = [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef) and any(getattr(one, "id", "") in ("compiled", "bare", "inlined") for one in node.decorator_list)]
        if not functions:
            continue
        users += 1
        assert path in counted, f"{path} has compiled functions: add it to SOURCES"
        origins = {alias.asname or alias.name: node.module for node in ast.walk(tree) if isinstance(node, ast.ImportFrom) for alias in node.names}
        for name in {node.id for function in functions for part in function.body for node in ast.walk(part) if isinstance(node, ast.Name)}:
            if origins.get(name, "").startswith("lvc."):
                origin = PACKAGE.parent / (origins[name].replace(".", "/") + ".py")
                assert origin in counted, f"{name} of {origin} is compiled into {path}: add it to SOURCES"
    assert users > 5


def test_only_one_module_compiles():
    """The others would keep code that is not of their sources' digest."""
    for path in PACKAGE.rglob("*.py"):
        if path != PACKAGE / "compiled.py":
            names = {alias.name for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Import) for alias in node.names}
            names |= {node.module for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.ImportFrom) and node.module}
            assert not {name for name in names if name.split(".")[0] == "numba"}, path


def private(folder: Path, temporary: Path) -> bool:
    return folder.is_dir() and folder.parent == temporary and stat.S_IMODE(folder.stat().st_mode) == 0o700


@pytest.fixture
def temporary(tmp_path, monkeypatch):
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setattr(module.tempfile, "tempdir", str(folder))
    return folder


def test_where_no_folder_can_be_made_a_private_one_is_used(folder_now, tmp_path, temporary):
    (tmp_path / "file").write_text("not a folder")
    folder = folder_now(LVC_CACHE=tmp_path / "file")
    assert private(folder, temporary)
    assert folder_now(LVC_CACHE=tmp_path / "file") != folder, "what another process finds it may not have made"


def test_where_the_folder_cannot_be_written_a_private_one_is_used(folder_now, tmp_path, temporary, monkeypatch):
    # Root may write anywhere, so the question itself is answered.
    monkeypatch.setattr(module.os, "access", lambda path, mode: False)
    assert private(folder_now(LVC_CACHE=tmp_path / "cache"), temporary)


def test_a_user_without_a_home_has_a_private_folder(folder_now, temporary, monkeypatch):
    def nowhere():
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.setattr(module.Path, "home", nowhere)
    assert private(folder_now(), temporary)


@pytest.mark.parametrize("before", ["", "/somewhere/else"])
def test_where_others_keep_their_compiled_code_is_left_as_it_was(monkeypatch, before):
    monkeypatch.setattr(numba.config, "CACHE_DIR", before)
    assert compiled(lambda number: number + 1)(1) == 2
    assert numba.config.CACHE_DIR == before

    def broken(*arguments, **options):
        raise ValueError("no such option")

    monkeypatch.setattr(module, "njit", broken)
    with pytest.raises(ValueError, match="no such option"):
        compiled(lambda number: number)
    assert numba.config.CACHE_DIR == before


def test_the_next_process_finds_what_this_one_compiled(tmp_path):
    code = """
import json, sys
import numpy as np
from lvc.entropy.mixing import scattered
found = scattered(np.uint64(5), 12)
print(json.dumps([found, sum(scattered.stats.cache_hits.values()), sum(scattered.stats.cache_misses.values())]))
"""
    seen = []
    for _ in range(2):
        answer = subprocess.run([sys.executable, "-c", code], env={**os.environ, "LVC_CACHE": str(tmp_path)}, capture_output=True, text=True, check=True)
        seen.append(json.loads(answer.stdout))
    assert seen[0][0] == seen[1][0]
    assert [one[1:] for one in seen] == [[0, 1], [1, 0]]
    assert list((tmp_path / "code").glob("*/*/*.nbi"))


DAMAGES = {"truncated": lambda data: data[: len(data) // 2], "empty": lambda data: b"", "other bytes": lambda data: bytes(len(data))}


@pytest.mark.parametrize("which", ["nbi", "nbc"])
@pytest.mark.parametrize("damage", DAMAGES)
def test_damaged_code_is_compiled_again(tmp_path, which, damage):
    code = """
import numpy as np
from lvc.entropy.mixing import scattered
print(scattered(np.uint64(5), 12), sum(scattered.stats.cache_hits.values()))
"""
    answers = []
    for turn in range(3):
        answer = subprocess.run([sys.executable, "-c", code], env={**os.environ, "LVC_CACHE": str(tmp_path)}, capture_output=True, text=True, check=True)
        answers.append(answer.stdout.split())
        if turn == 0:
            files = list((tmp_path / "code").glob(f"*/*/*.{which}"))
            assert files
            for path in files:
                path.write_bytes(DAMAGES[damage](path.read_bytes()))
    assert answers[0][0] == answers[1][0] == answers[2][0]
    assert [hits for _, hits in answers] == ["0", "0", "1"], "and what is compiled is kept in its place"


def test_where_nothing_can_be_kept_functions_are_compiled_all_the_same(monkeypatch):
    def full(*arguments):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("numba.core.caching.IndexDataCacheFile.save", full)
    assert compiled(lambda number: number + 2)(1) == 3
