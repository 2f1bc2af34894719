"""Work done in order by a thread: behind a bounded queue, or some items ahead."""

from collections import deque
from collections.abc import Callable, Generator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Self


class Background:
    """Runs jobs in threads of its own, and takes what each gives in the order in which they came. What a job raises, or
    the taking of what it gave, is raised by every later call; nothing after it is taken, and what has not begun is not
    run.

    limit: how much may be queued or in work, in the unit of the jobs' weights; a job that weighs more is taken alone.
    threads: jobs that run side by side.
    """

    def __init__(self, limit: int, *, name: str, threads: int = 1):
        self.limit = limit
        self.failure: BaseException | None = None
        self._broken = False  # whether a job has failed
        self._jobs: deque[tuple[Future, int]] = deque()
        self._workers = ThreadPoolExecutor(threads, thread_name_prefix=name)
        self._taker = ThreadPoolExecutor(1, thread_name_prefix=f"{name}-taker")

    def check(self) -> None:
        """Raises what a job raised."""
        if self.failure is not None:
            raise self.failure

    def submit(self, weight: int, job: Callable, *arguments, take: Callable = lambda _given: None) -> None:
        """Queues a job, whose result `take` is called with; blocks until there is room for it."""
        self._wait_until_below(max(self.limit - weight, 0))
        self.check()
        given = self._workers.submit(self._work, job, *arguments)
        self._jobs.append((self._taker.submit(self._take, take, given), weight))

    def finish(self) -> None:
        """Waits for all jobs."""
        self._wait_until_below(0)
        self.check()

    def stop(self) -> None:
        """Ends the threads after the jobs that they are at; those that wait are dropped."""
        self._workers.shutdown(cancel_futures=True)
        self._taker.shutdown(cancel_futures=True)

    def _wait_until_below(self, weight: int) -> None:
        while sum(each for _, each in self._jobs) > weight:
            self._jobs[0][0].result()
            self._jobs.popleft()

    def _work(self, job: Callable, *arguments):
        if self._broken:  # what it gives would not be taken
            return None
        try:
            return job(*arguments)
        except BaseException:
            self._broken = True
            raise

    def _take(self, take: Callable, given: Future) -> None:
        if self.failure is not None:
            given.cancel()
            return
        try:
            take(given.result())
        except BaseException as error:  # raised where the jobs come from
            self.failure = error


class Ahead:
    """Gives what a generator gives, which a thread works out from now on, up to `limit` items ahead of those that were
    taken.

    What the generator raises is raised in its place.
    """

    END = object()

    def __init__(self, generator: Generator, limit: int, *, name: str):
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
