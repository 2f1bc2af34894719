"""Workers of a Ray cluster, see `lvc.parallel.workers`."""

import contextlib
import os
import socket
from collections.abc import Callable, Iterator
from typing import Any

from lvc.errors import InputError, OptionError, UnexpectedError
from lvc.parallel.workers import POLL_SECONDS, Done, Failed, limit_threads, turn

STOP_SECONDS = 10  # that workers have to put away what they are at
QUEUED = 2  # tasks for each core: one in work, one that is there when that is done


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
