"""The worker pool: a channel has so many workers, and no wake is missed."""

import pytest
from eventlet.event import Event

from shared.framework.workers import WorkerPool


class Queue:
    """Work that a pool does piece by piece; it may be held up until ``go`` is sent."""

    def __init__(self, *pieces, go=None):
        self.waiting, self.done, self.go, self.finished = list(pieces), [], go, Event()

    def work(self):
        if self.go is not None:
            self.go.wait()
        if not self.waiting:
            self.finished.send(None)
            return False
        self.done.append(self.waiting.pop(0))
        return True


@pytest.fixture
def pool():
    made = WorkerPool(1)
    yield made
    made.stop()


def test_a_woken_worker_works_until_nothing_is_left(pool):
    queue = Queue(1, 2, 3)
    pool.wake("sms", queue.work)
    pool.wait_idle()
    assert queue.done == [1, 2, 3]


def test_a_wake_that_finds_all_workers_busy_is_remembered(pool):
    queue = Queue(1)
    job = pool.reserve("sms", queue.work)
    pool.wake("sms", queue.work)
    job.send(lambda: queue.done.append("job"))
    pool.wait_idle()
    assert queue.done == ["job", 1]


def test_a_reserved_worker_that_nobody_woke_does_its_job_only(pool):
    queue = Queue(1)
    pool.reserve("sms", queue.work).send(lambda: queue.done.append("job"))
    pool.wait_idle()
    assert (queue.done, queue.waiting) == (["job"], [1])


def test_a_reserved_worker_may_get_no_job(pool):
    queue = Queue(1)
    pool.reserve("sms", queue.work).send(None)
    pool.wait_idle()
    assert queue.done == []
    pool.wake("sms", queue.work)
    pool.wait_idle()
    assert queue.done == [1]


def test_where_all_workers_are_busy_none_is_reserved(pool):
    job = pool.reserve("sms", Queue().work)
    assert pool.reserve("sms", Queue().work) is None
    job.send(None)
    pool.wait_idle()
    assert pool.reserve("sms", Queue().work) is not None


def test_a_busy_channel_holds_up_no_other(pool):
    go = Event()
    sms, mail = Queue(1, go=go), Queue(1)
    pool.wake("sms", sms.work)
    pool.wake("mail", mail.work)
    mail.finished.wait()
    assert (sms.done, mail.done) == ([], [1])
    go.send(None)
    pool.wait_idle()
    assert sms.done == [1]


def test_work_that_fails_ends_its_worker_and_the_next_wake_has_another(pool):
    def fail():
        raise ValueError("a bug")

    queue = Queue(1)
    pool.wake("sms", fail)
    pool.wait_idle()
    pool.wake("sms", queue.work)
    pool.wait_idle()
    assert queue.done == [1]


def test_a_stopped_pool_takes_no_work(pool):
    queue = Queue(1)
    pool.stop()
    pool.wake("sms", queue.work)
    assert pool.reserve("sms", queue.work) is None
    pool.wait_idle()
    assert queue.done == []
