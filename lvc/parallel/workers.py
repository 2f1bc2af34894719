"""Tasks over several processes, or over the machines of a Ray cluster: how each ended, and progress in one place.

    for outcome in run(function, tasks, workers=4):
        match outcome:
            case Done(place, result): ...
            case Failed(place, error): ...
            case Lost(place): ...

A worker that dies takes no task along but its own, which another one does again.
"""

import contextlib
import os
from collections import deque
from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass
from typing import Any

from lvc.errors import InputError, LvcError, UnexpectedError

ATTEMPTS = 3  # at a task whose worker dies: a machine may be lost twice, but what crashes each worker has to end
POLL_SECONDS = 0.2  # between two looks at what the workers have done

Report = Callable[[int], None]


@dataclass(frozen=True)
class Done:
    """Task number `place` gave `result`."""

    place: int
    result: Any


@dataclass(frozen=True)
class Failed:
    """Task number `place` raised `error`, or lost all the workers that had it."""

    place: int
    error: LvcError


@dataclass(frozen=True)
class Lost:
    """The worker of task number `place` died; when the reader goes on, another one begins the task again."""

    place: int


def run(
    function: Callable[[Any, Report], Any],
    tasks: Sequence,
    *,
    workers: int | None = 1,
    ray: str | None = None,
    gpus: int = 0,
    progress: Report | None = None,
    name: Callable[[Any], str] = str,
) -> Generator[Done | Failed | Lost, None, None]:
    """Calls `function(task, report)` for each task, and yields how each ended, in the order in which they end.

    function: of a module, so that other processes find it; it may call `report` with the units of work done so far.
    What it raises is its task's failure, as an UnexpectedError with the task's name where it is no LvcError. workers:
    processes, 1 for this one alone. ray: a cluster's address ("auto", "host:6379"); `workers` is then how many tasks
    may be there at once, None for as many as there are cores, and each takes one core and `gpus`. Its machines see the
    same files under the same paths, and have the same lvc.
    progress: told the units of all tasks together. name: of a task, for the error of one that lost ATTEMPTS workers.
    An interruption, or a reader who leaves, interrupts the workers, and waits for them. Raises OptionError where there
    is no such cluster.
    """
    progress = progress or (lambda _units: None)
    if not tasks or (ray is None and min(workers, len(tasks)) == 1):
        outcomes = run_here(function, tasks, progress)
    else:
        outcomes = run_elsewhere(function, tasks, workers=workers, ray=ray, gpus=gpus, progress=progress, name=name)
    with contextlib.closing(outcomes):
        for outcome in outcomes:
            if isinstance(outcome, Failed) and isinstance(outcome.error, UnexpectedError):
                yield Failed(outcome.place, outcome.error.about(name(tasks[outcome.place])))
            else:
                yield outcome


def run_elsewhere(
    function: Callable,
    tasks: Sequence,
    *,
    workers: int | None,
    ray: str | None,
    gpus: int,
    progress: Report,
    name: Callable[[Any], str],
) -> Generator[Done | Failed | Lost, None, None]:
    """As `run`, by other processes."""
    # Not above: one process alone, as the command line's mostly is, has no use for what they import
    if ray is None:
        from lvc.parallel.processes import Processes

        crew = Processes(min(workers, len(tasks)), len(tasks))
    else:
        from lvc.parallel.cluster import Cluster

        crew = Cluster(ray, workers, gpus)
    waiting, attempts, told = deque(range(len(tasks))), [0] * len(tasks), 0
    with crew:
        while waiting or crew.running:
            while waiting and crew.has_room():
                place = waiting.popleft()
                crew.submit(function, place, tasks[place])
            for place, outcome in crew.finished():
                if outcome is None:
                    attempts[place] += 1
                    if attempts[place] < ATTEMPTS:
                        waiting.append(place)
                        outcome = Lost(place)
                    else:
                        outcome = Failed(
                            place,
                            InputError(f"{name(tasks[place])}: crashed each of the {ATTEMPTS} workers that had it"),
                        )
                yield outcome
            if (units := crew.units()) != told:
                progress(told := units)


def threads_of(workers: int | None, ray: str | None, tasks: int) -> int:
    """Threads that each worker should use for so many tasks: an even part of the cores, on a cluster one;
    0, as many as there are, without workers.
    """
    if ray is not None:
        return 1
    count = min(workers, tasks)
    return 0 if count <= 1 else max(1, (os.cpu_count() or 1) // count)


def limit_threads(threads: int) -> None:
    """Sets how many threads torch and OpenCV use, which read it when they are loaded, later;
    one who has set it knows better.
    """
    for variable in ("OMP_NUM_THREADS", "OPENCV_FOR_THREADS_NUM"):
        os.environ.setdefault(variable, str(threads))


def turn(function: Callable, place: int, task, report: Report) -> Done | Failed:
    try:
        return Done(place, function(task, report))
    except LvcError as error:
        return Failed(place, error)
    except OSError as error:
        told = f"{error.filename}: {error.strerror or error}"
        return Failed(place, UnexpectedError.of(error) if error.filename is None else LvcError(told))
    except Exception as error:  # one input's fault never ends a run over many
        return Failed(place, UnexpectedError.of(error))


def run_here(function: Callable, tasks: Sequence, progress: Report) -> Generator[Done | Failed | Lost, None, None]:
    counts = [0] * len(tasks)

    def report(units: int) -> None:
        counts[place] = units
        progress(sum(counts))

    for place, task in enumerate(tasks):
        yield turn(function, place, task, report)
