"""Workers of this machine: processes that do one task after another, see `lvc.parallel.workers`."""

import multiprocessing
import multiprocessing.connection
import os
import signal
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from types import FrameType
from typing import Any

from lvc.errors import UnexpectedError
from lvc.parallel.workers import POLL_SECONDS, Done, Failed, limit_threads, threads_of, turn

# Of a process that works: where it reports, and whether it is at a task.
unit_counts: Any = None
at_work = False


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
