"""Tasks over processes: what a dead worker costs, what an interruption leaves, how many threads each has."""

import os
import signal
import subprocess
import sys

import pytest

from lvc.errors import OptionError
from lvc.parallel.workers import run, threads_of
from tests import ROOT

# Each worker is a process of its own that loads the function from the program's file, so the tests are programs.
TASKS = """
import os, signal, sys, time
from pathlib import Path
from lvc.errors import InputError
from lvc.parallel.workers import Done, Failed, Lost, run

folder = Path(sys.argv[1])

def work(task, report):
    kind, _, value = task.partition(" ")
    report(1)
    with open(folder / f"{task}.calls", "a") as file:
        file.write("called")
    if kind == "always" or (kind == "once" and (folder / f"{task}.calls").stat().st_size == len("called")):
        report(1000)
        os.kill(os.getpid(), signal.SIGKILL)
    if kind == "refused":
        raise InputError(f"{task}: is nothing to work on")
    if kind == "unsent":
        return (lambda: None), os.getpid()
    if kind == "bug":
        raise ZeroDivisionError(task)
    if kind == "long":
        (folder / "started").touch()
        try:
            time.sleep(600)
        except KeyboardInterrupt:
            (folder / f"{task}.interrupted").touch()
            raise
    if kind == "threads":
        return os.environ["OMP_NUM_THREADS"]
    report(10)
    return task.upper(), os.getpid()
"""


@pytest.fixture
def start(tmp_path):
    """`start(main)` runs a program with the tasks above and what is in `main`."""

    def run_program(main, **environment):
        program = tmp_path / "program.py"
        program.write_text(
            TASKS + "\nif __name__ == '__main__':\n" + "\n".join(f"    {line}" for line in main.strip().splitlines())
        )
        environment = {**os.environ, "PYTHONPATH": str(ROOT), **environment}
        return subprocess.Popen(
            [sys.executable, str(program), str(tmp_path)],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=environment,
        )

    return run_program


def test_a_dead_workers_task_is_done_again_and_no_other(start, tmp_path):
    main = """
tasks = ["a", "once", "always", "refused", "b", "c"]
told, lost = [], []
for outcome in run(work, tasks, workers=2, progress=told.append):
    if isinstance(outcome, Lost):
        lost.append(tasks[outcome.place])
        continue
    answer = outcome.error if isinstance(outcome, Failed) else outcome.result[0]
    print(tasks[outcome.place], type(outcome).__name__, answer, sep="|")
print(told[-1], sorted(lost), sep="|")
"""
    process = start(main)
    out, errors = process.communicate(timeout=120)
    assert (process.returncode, errors) == (0, "")
    *outcomes, last = out.splitlines()
    assert len(outcomes) == 6
    assert set(outcomes) == {
        "a|Done|A",
        "always|Failed|always: crashed each of the 3 workers that had it",
        "b|Done|B",
        "c|Done|C",
        "once|Done|ONCE",
        "refused|Failed|refused: is nothing to work on",
    }
    # 10 units of each that was done, 1 of the refused one, and nothing of what dead workers had told.
    assert last == "41|['always', 'always', 'once']"
    calls = {path.stem: path.stat().st_size // len("called") for path in tmp_path.glob("*.calls")}
    assert calls == {"a": 1, "b": 1, "c": 1, "once": 2, "always": 3, "refused": 1}


@pytest.mark.parametrize("workers", [1, 2])
def test_an_error_that_was_not_foreseen_is_its_tasks_own(start, workers):
    main = f"""
for outcome in run(work, ["bug", "a", "unsent"], workers={workers}):
    if isinstance(outcome, Failed):
        where = outcome.error.trace.splitlines()
        print(outcome.error, type(outcome.error).__name__, where[0].rstrip(":"), where[-1], sep="|")
    else:
        print(outcome.result[0])
"""
    process = start(main)
    out, errors = process.communicate(timeout=120)
    assert (process.returncode, errors) == (0, "")
    bug = "bug: ZeroDivisionError: bug|UnexpectedError|Traceback (most recent call last)|ZeroDivisionError: bug"
    lines = out.splitlines()
    assert bug in lines and "A" in lines and len(lines) == 3
    assert workers == 1 or any(line.startswith("unsent: ") and "UnexpectedError" in line for line in lines), (
        "what cannot be sent back"
    )


def test_who_leaves_interrupts_the_workers(start, tmp_path):
    main = """
outcomes = run(work, ["long 1", "a"], workers=2)
next(outcomes)
while not (folder / "started").exists():
    time.sleep(0.05)
began = time.monotonic()
outcomes.close()
print(time.monotonic() - began < 60)
"""
    process = start(main)
    assert process.communicate(timeout=120) == ("True\n", "")
    assert (tmp_path / "long 1.interrupted").exists()


def test_workers_do_not_outlive_their_parent(start, tmp_path, until):
    process = start('list(run(work, ["long 1", "long 2"], workers=2))')
    until((tmp_path / "started").exists)
    process.send_signal(signal.SIGKILL)
    # They hold its pipes: both end when the last of them does.
    process.communicate(timeout=60)


def test_threads_are_shared_out(start):
    main = 'print([outcome.result for outcome in run(work, ["threads 1", "threads 2"], workers=2)])'
    process = start(f"del os.environ['OMP_NUM_THREADS']\nos.cpu_count = lambda: 12\n{main}")
    assert process.communicate(timeout=120) == ("['6', '6']\n", "")
    process = start(main, OMP_NUM_THREADS="3")
    assert process.communicate(timeout=120) == ("['3', '3']\n", "")


def test_threads_of_decoders(monkeypatch):
    monkeypatch.setattr(os, "cpu_count", lambda: 12)
    assert [threads_of(workers, None, 100) for workers in (1, 2, 5, 50)] == [0, 6, 2, 1]
    assert threads_of(12, None, 3) == 4 and threads_of(12, None, 1) == 0
    assert threads_of(None, "auto", 100) == 1


def test_a_cluster_needs_the_package_and_an_answer(monkeypatch):
    with monkeypatch.context() as patched:
        patched.setitem(sys.modules, "ray", None)
        with pytest.raises(OptionError, match=r"pip install lvc\[ray\]"):
            list(run(print, [1], ray="auto"))
    pytest.importorskip("ray", reason="ray is not installed: pip install lvc[ray]")
    for address in ("127.0.0.1:1", "127.0.0.1:port"):
        with pytest.raises(OptionError, match=f"{address}: no Ray cluster answers there"):
            list(run(print, [1], ray=address))
