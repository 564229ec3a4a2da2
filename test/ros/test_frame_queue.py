"""The queues between executor and worker."""

from __future__ import annotations

import threading
import time

import pytest

from humor_ros.ros.frame_queue import ImuQueue, NewestFrame

pytestmark = pytest.mark.ros


def test_the_newest_frame_replaces_one_that_waits():
    box = NewestFrame()
    for frame in "abc":
        box.put(frame)
    assert box.take(0.0) == "c"
    assert box.take(0.0) is None
    assert (box.received, box.replaced) == (3, 2)


def test_closing_wakes_the_worker():
    box = NewestFrame()
    taken = []
    thread = threading.Thread(target=lambda: taken.append(box.take(120.0)))
    thread.start()
    box.close()
    thread.join(120.0)
    assert taken == [None]


def test_samples_come_out_in_order_and_the_oldest_fall_out():
    queue = ImuQueue(capacity=3)
    for i in range(5):
        queue.put(float(i), i)
    assert queue.drain() == [2, 3, 4]
    assert (queue.received, queue.overflowed) == (5, 2)


def test_waiting_ends_with_the_sample_that_was_waited_for():
    queue = ImuQueue()
    queue.put(1.0, "a")
    assert queue.wait_until(1.0, 0.0)
    timer = threading.Timer(0.05, queue.put, (2.0, "b"))
    timer.start()
    assert queue.wait_until(2.0, 120.0)
    timer.join()


def test_waiting_ends_in_time_without_a_sample():
    queue = ImuQueue()
    start = time.monotonic()
    assert not queue.wait_until(1.0, 0.05)
    assert time.monotonic() - start >= 0.04
