"""The two queues between the executor thread, which only puts, and the worker, which infers."""

from __future__ import annotations

import threading
import time
from collections import deque
from typing import Generic, TypeVar

__all__ = ["ImuQueue", "NewestFrame"]

T = TypeVar("T")


class NewestFrame(Generic[T]):
    """A mailbox for one frame: a new frame replaces one that nobody has taken yet.

    Attributes:
        received: frames put in so far.
        replaced: frames lost because a newer one came before the worker was free.
    """

    def __init__(self) -> None:
        self._condition = threading.Condition()
        self._frame: T | None = None
        self._closed = False
        self.received = 0
        self.replaced = 0

    def put(self, frame: T) -> None:
        """Leave ``frame`` for the worker; never blocks."""
        with self._condition:
            self.received += 1
            if self._frame is not None:
                self.replaced += 1
            self._frame = frame
            self._condition.notify()

    def take(self, timeout_s: float) -> T | None:
        """Wait for a frame and take it; None after ``timeout_s`` seconds or when closed."""
        with self._condition:
            if self._frame is None and not self._closed:
                self._condition.wait(timeout_s)
            frame, self._frame = self._frame, None
            return frame

    def close(self) -> None:
        """Wake the worker and forget the waiting frame."""
        with self._condition:
            self._closed = True
            self._frame = None
            self._condition.notify_all()


class ImuQueue(Generic[T]):
    """Samples on their way to the worker, with the time of the newest one.

    The oldest samples fall out when ``capacity`` is reached, so that memory stays flat while no
    image comes.

    Attributes:
        received: samples put in so far.
        overflowed: samples that fell out unread.
    """

    def __init__(self, capacity: int = 8192) -> None:
        self._samples: deque[T] = deque(maxlen=capacity)
        self._arrived = threading.Event()
        self._awaited_stamp_s = float("inf")
        self._newest_stamp_s = float("-inf")
        self.received = 0
        self.overflowed = 0

    def put(self, stamp_s: float, sample: T) -> None:
        """Append one sample; wakes the worker only when it waits for this time."""
        if len(self._samples) == self._samples.maxlen:
            self.overflowed += 1
        self._samples.append(sample)
        self.received += 1
        self._newest_stamp_s = stamp_s
        if stamp_s >= self._awaited_stamp_s:
            self._arrived.set()

    def wait_until(self, stamp_s: float, timeout_s: float) -> bool:
        """Wait until a sample of ``stamp_s`` or later has come.

        Args:
            stamp_s: time that the samples must reach, seconds.
            timeout_s: longest wait, seconds.

        Returns:
            Whether such a sample has come.
        """
        deadline = time.monotonic() + timeout_s
        self._arrived.clear()
        self._awaited_stamp_s = stamp_s
        try:
            while self._newest_stamp_s < stamp_s:
                remaining = deadline - time.monotonic()
                if remaining <= 0 or not self._arrived.wait(remaining):
                    return self._newest_stamp_s >= stamp_s
                self._arrived.clear()
            return True
        finally:
            self._awaited_stamp_s = float("inf")

    def drain(self) -> list[T]:
        """Take every waiting sample, oldest first."""
        samples: list[T] = []
        while self._samples:
            samples.append(self._samples.popleft())
        return samples

    def clear(self) -> None:
        """Forget the samples and the newest time (a jump of the clock, a restart)."""
        self._samples.clear()
        self._newest_stamp_s = float("-inf")
