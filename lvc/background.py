"""Work done in order by a thread: behind a bounded queue, or some items ahead."""

from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Self


class Background:
    """Runs jobs one after another in a thread of its own. What one raises is raised by every later call, and no job after it is run.

    limit: how much may be queued or in work, in the unit of the jobs' weights; a job that weighs more is taken alone.
    """

    def __init__(self, limit: int, *, name: str):
        self.limit = limit
        self.failure: BaseException | None = None
        self._jobs: deque[tuple[Future, int]] = deque()
        self._pool = ThreadPoolExecutor(1, thread_name_prefix=name)

    def check(self) -> None:
        """Raises what a job raised."""
        if self.failure is not None:
            raise self.failure

    def submit(self, weight: int, job: Callable, *arguments) -> None:
        """Queues a job; blocks until there is room for it."""
        self._wait_until_below(max(self.limit - weight, 0))
        self.check()
        self._jobs.append((self._pool.submit(self._run, job, arguments), weight))

    def finish(self) -> None:
        """Waits for all jobs."""
        self._wait_until_below(0)
        self.check()

    def stop(self) -> None:
        """Ends the thread after the job that it is at; those that wait are dropped."""
        self._pool.shutdown(cancel_futures=True)

    def _wait_until_below(self, weight: int) -> None:
        while sum(each for _, each in self._jobs) > weight:
            self._jobs[0][0].result()
            self._jobs.popleft()

    def _run(self, job: Callable, arguments: tuple) -> None:
        if self.failure is not None:
            return
        try:
            job(*arguments)
        except BaseException as error:  # noqa: BLE001  raised where the jobs come from
            self.failure = error


class Ahead:
    """Gives what a generator gives, which a thread works out from now on, up to `limit` items ahead of those that were taken.

    What the generator raises is raised in its place.
    """

    END = object()

    def __init__(self, generator: Iterator, limit: int, *, name: str):
        self._generator = generator
        self._pool = ThreadPoolExecutor(1, thread_name_prefix=name)
        self._items: deque[Future] = deque(self._submit() for _ in range(limit))

    def _submit(self) -> Future:
        return self._pool.submit(next, self._generator, self.END)

    def __iter__(self) -> Self:
        return self

    def __next__(self):
        if not self._items:
            raise StopIteration
        item = self._items.popleft().result()
        if item is self.END:
            self.close()
            raise StopIteration
        self._items.append(self._submit())
        return item

    def close(self) -> None:
        """Ends the thread after the item that it is at, and the generator."""
        self._items.clear()
        self._pool.shutdown(cancel_futures=True)
        self._generator.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_) -> None:
        self.close()
