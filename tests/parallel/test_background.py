"""Jobs and items of a thread: their order, the room they take, and what they raise."""

import threading
import time

import pytest

from lvc.parallel.background import Ahead, Background


@pytest.fixture
def background():
    made = Background(4, name="test")
    yield made
    made.stop()


def test_jobs_run_in_order_in_one_other_thread(background):
    ran = []
    for number in range(50):
        background.submit(1, lambda number=number: ran.append((number, threading.get_ident())))
    background.finish()
    assert [number for number, _ in ran] == list(range(50))
    assert len({thread for _, thread in ran} | {threading.get_ident()}) == 2


@pytest.mark.parametrize(("weight", "taken"), [(1, 4), (2, 2), (3, 1), (9, 1)])
def test_a_full_queue_blocks(background, weight, taken):
    gate, submitted = threading.Event(), []

    def fill():
        for number in range(8):
            background.submit(weight, gate.wait)
            submitted.append(number)

    filler = threading.Thread(target=fill, daemon=True)
    filler.start()
    filler.join(0.5)
    assert len(submitted) == taken and filler.is_alive()
    gate.set()
    filler.join(60)
    assert len(submitted) == 8


def test_what_a_job_raises_comes_back_and_nothing_runs_after_it(background):
    ran, gate = [], threading.Event()

    def fail():
        gate.wait(60)
        raise ZeroDivisionError("of the job")

    background.submit(1, fail)
    background.submit(1, ran.append, "after")
    background.check()
    gate.set()
    with pytest.raises(ZeroDivisionError, match="of the job"):
        background.finish()
    for call in (background.check, background.finish, lambda: background.submit(1, ran.append, "later")):
        with pytest.raises(ZeroDivisionError):
            call()
    assert ran == []


def test_stopping_waits_for_the_job_in_work_and_drops_the_others(background):
    ran, started, gate = [], threading.Event(), threading.Event()

    def first():
        started.set()
        gate.wait(60)
        ran.append("first")

    background.submit(1, first)
    background.submit(1, ran.append, "second")
    started.wait(60)
    threading.Timer(0.2, gate.set).start()
    background.stop()
    assert ran == ["first"]


def counted(made, *, stop=10, failure=None):
    try:
        for number in range(stop):
            made.append((number, threading.get_ident()))
            yield number
        if failure is not None:
            raise failure
    finally:
        made.append("closed")


def test_items_are_worked_out_ahead_by_a_thread_that_begins_at_once():
    made = []
    with Ahead(counted(made), 3, name="test") as items:
        wait_until(lambda: len(made) == 3)
        assert next(items) == 0
        wait_until(lambda: len(made) == 4)
        assert list(items) == list(range(1, 10))
        assert list(items) == []
    assert made.pop() == "closed"
    assert {thread for _, thread in made}.isdisjoint({threading.get_ident()})


def test_what_the_generator_raises_comes_in_its_place():
    items = Ahead(counted([], stop=2, failure=ZeroDivisionError("of the generator")), 5, name="test")
    assert [next(items), next(items)] == [0, 1]
    with pytest.raises(ZeroDivisionError, match="of the generator"):
        next(items)
    items.close()


def test_what_is_closed_ahead_ends_and_closes_its_generator():
    made = []
    with Ahead(counted(made, stop=1000), 4, name="test") as items:
        next(items)
    assert made[-1] == "closed" and len(made) <= 6
    assert list(items) == []


def wait_until(condition):
    for _ in range(6000):
        if condition():
            return
        time.sleep(0.01)
    raise AssertionError("never came")
