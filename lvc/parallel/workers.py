"""Tasks over several processes, or over the machines of a Ray cluster: how each ended, and progress in one place.

    for outcome in run(function, tasks, workers=4):
        match outcome:
            case Done(place, result): ...
            case Failed(place, error): ...
            case Lost(place): ...

A worker that dies takes no task along but its own, which another one does again.
"""

import contextlib
import multiprocessing
import multiprocessing.connection
import os
import signal
import socket
import threading
from collections import deque
from collections.abc import Callable, Generator, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from types import FrameType
from typing import Any

from lvc.errors import InputError, LvcError, OptionError, UnexpectedError

ATTEMPTS = 3  # at a task whose worker dies: a machine may be lost twice, but what crashes each worker has to end
POLL_SECONDS = 0.2  # between two looks at what the workers have done
STOP_SECONDS = 10  # that workers of a cluster have to put away what they are at
QUEUED = 2  # tasks for each core of a cluster: one in work, one that is there when that is done

Report = Callable[[int], None]

# Of a process that works: where it reports, and whether it is at a task.
unit_counts: Any = None
at_work = False


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
    crew = Processes(min(workers, len(tasks)), len(tasks)) if ray is None else Cluster(ray, workers, gpus)
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


class Processes:
    """Workers of this machine, a pool of one process each: where one breaks the others go on."""

    def __init__(self, count: int, tasks: int):
        # Spawned: a fork of a process that runs threads (of OpenCV, FFmpeg, torch) may hang.
        self.context = multiprocessing.get_context("spawn")
        # Each worker writes only its task's place, so no lock is needed, which a crash might leave locked.
        self.counts = self.context.RawArray("Q", tasks)
        self.stop = self.context.RawValue("b", 0)
        self.count = count
        self.idle: list[ProcessPoolExecutor] = []
        self.running: dict[Future, tuple[int, ProcessPoolExecutor]] = {}

    def __enter__(self):
        return self

    def has_room(self) -> bool:
        return len(self.running) < self.count

    def submit(self, function: Callable, place: int, task) -> None:
        while self.idle:
            pool = self.idle.pop()
            try:
                self.running[pool.submit(work_here, function, place, task)] = (place, pool)
                return
            except BrokenProcessPool:  # it died while it had nothing to do
                pool.shutdown(wait=False)
        pool = ProcessPoolExecutor(
            1,
            mp_context=self.context,
            initializer=start_worker,
            initargs=(self.counts, self.stop, threads_of(self.count, None, self.count)),
        )
        self.running[pool.submit(work_here, function, place, task)] = (place, pool)

    def finished(self) -> Iterator[tuple[int, Done | Failed | None]]:
        """The tasks that have ended, after a while at most; None for one whose worker died."""
        for future in wait(self.running, timeout=POLL_SECONDS, return_when=FIRST_COMPLETED).done:
            place, pool = self.running[future]
            try:
                outcome = future.result()
                self.idle.append(pool)
            except BrokenProcessPool:
                pool.shutdown(wait=False)
                self.counts[place], outcome = 0, None
            except Exception as error:  # what cannot be sent from one process to another
                self.idle.append(pool)
                outcome = Failed(place, UnexpectedError.of(error))
            del self.running[future]
            yield place, outcome

    def units(self) -> int:
        return sum(self.counts)

    def __exit__(self, kind, error, trace) -> None:
        self.stop.value = kind is not None
        for pool in [*self.idle, *(pool for _, pool in self.running.values())]:
            pool.shutdown(wait=True, cancel_futures=True)


def start_worker(counts, stop, threads: int) -> None:
    """Sets up a process: where it reports, how many threads it has, and that it neither hears Ctrl-C nor outlives its
    parent.
    """
    global unit_counts, at_work
    unit_counts, at_work = counts, False
    limit_threads(threads)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGUSR1, interrupted)

    def end_with_parent():
        parent = multiprocessing.parent_process().sentinel
        while not multiprocessing.connection.wait([parent], POLL_SECONDS):
            if stop.value:
                signal.pthread_kill(threading.main_thread().ident, signal.SIGUSR1)  # wakes it where it waits
                multiprocessing.connection.wait([parent])
        os._exit(1)

    threading.Thread(target=end_with_parent, daemon=True).start()


def interrupted(_number: int, _frame: FrameType | None) -> None:
    if at_work:
        raise KeyboardInterrupt


def work_here(function: Callable, place: int, task) -> Done | Failed:
    global at_work

    def report(units: int) -> None:
        unit_counts[place] = units

    at_work = True
    try:
        return turn(function, place, task, report)
    finally:
        at_work = False


class Cluster:
    """Workers of a Ray cluster: each task is one of Ray's, tried once; what is lost is seen and done again here."""

    def __init__(self, address: str, count: int | None, gpus: int):
        try:
            import ray
            from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy
        except ImportError as error:
            raise OptionError("a Ray cluster needs the package ray: pip install lvc[ray]") from error
        self.ray, self.count = ray, count
        self.opened = not ray.is_initialized()
        if self.opened:
            try:
                knock(address)
                ray.init(address=address, log_to_driver=False, logging_level="ERROR")
            except (OSError, RuntimeError, ValueError) as error:
                reason = getattr(error, "strerror", None) or str(error).partition("\n")[0]
                raise OptionError(f"{address}: no Ray cluster answers there: {reason}") from error
        here = NodeAffinitySchedulingStrategy(ray.get_runtime_context().get_node_id(), soft=True)
        # Beside this process, so that no other machine's end takes the board along.
        self.board = ray.remote(num_cpus=0, scheduling_strategy=here)(Board).remote()
        self.work = ray.remote(num_cpus=1, num_gpus=gpus, max_retries=0)(work_there)
        self.running: dict[Any, int] = {}
        self.last_units = 0

    def __enter__(self):
        return self

    def has_room(self) -> bool:
        count = self.count or QUEUED * max(1, int(self.ray.cluster_resources().get("CPU", 1)))
        return len(self.running) < count

    def submit(self, function: Callable, place: int, task) -> None:
        self.running[self.work.remote(function, place, task, self.board, os.getcwd())] = place

    def finished(self) -> Iterator[tuple[int, Done | Failed | None]]:
        """The tasks that have ended, after a while at most; None for one whose worker died."""
        errors = self.ray.exceptions
        for task in self.ray.wait(list(self.running), num_returns=1, timeout=POLL_SECONDS)[0]:
            place = self.running.pop(task)
            try:
                outcome = self.ray.get(task)
            except errors.RayTaskError as error:  # what cannot be sent from one process to another
                outcome = Failed(place, UnexpectedError.of(error))
            except errors.RayError:
                self.board.report.remote(place, 0)
                outcome = None
            yield place, outcome

    def units(self) -> int:
        with contextlib.suppress(self.ray.exceptions.RayError):  # the bar stands still, the work goes on
            self.last_units = self.ray.get(self.board.total.remote(), timeout=STOP_SECONDS)
        return self.last_units

    def __exit__(self, kind, error, trace) -> None:
        try:
            if kind is not None and self.running:
                for task in self.running:
                    self.ray.cancel(task)
                self.ray.wait(list(self.running), num_returns=len(self.running), timeout=STOP_SECONDS)
        finally:
            if self.opened:
                self.ray.shutdown()
            else:
                self.ray.kill(self.board)


def knock(address: str) -> None:
    """Raises OSError or ValueError where nothing listens at HOST:PORT,
    which Ray itself would ask again and again for minutes.
    """
    host, colon, port = address.rpartition(":")
    if colon and "://" not in address:
        socket.create_connection((host.strip("[]"), int(port)), timeout=STOP_SECONDS).close()


class Board:
    """Where a cluster's workers write how far they are."""

    def __init__(self) -> None:
        self.units: dict[int, int] = {}

    def report(self, place: int, units: int) -> None:
        self.units[place] = units

    def total(self) -> int:
        return sum(self.units.values())


def work_there(function: Callable, place: int, task, board, folder: str) -> Done | Failed:
    try:
        os.chdir(folder)  # so that relative paths, which files may remember, mean what they mean here
    except OSError as error:
        return Failed(
            place, InputError(f"{folder}: cannot be entered on {os.uname().nodename}: {error.strerror or error}")
        )
    limit_threads(1)
    return turn(function, place, task, lambda units: board.report.remote(place, units))
