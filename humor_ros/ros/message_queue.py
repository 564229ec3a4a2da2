"""A bounded queue of messages between the executor thread and the thread that takes them in."""

from __future__ import annotations

import threading
from collections import deque
from typing import Generic, TypeVar

__all__ = ["MessageQueue"]

T = TypeVar("T")


class MessageQueue(Generic[T]):
    """The oldest message falls out when a full queue gets another; putting never waits.

    Args:
        capacity: most messages that wait.

    Attributes:
        received: messages put in so far.
        overflowed: messages that fell out unread.
    """

    def __init__(self, capacity: int) -> None:
        self._messages: deque[T] = deque(maxlen=capacity)
        self._condition = threading.Condition()
        self._closed = False
        self.received = 0
        self.overflowed = 0

    def put(self, message: T) -> None:
        """Append one message and wake the reader."""
        with self._condition:
            self.received += 1
            self.overflowed += len(self._messages) == self._messages.maxlen
            self._messages.append(message)
            self._condition.notify()

    def take(self, timeout_s: float) -> T | None:
        """The oldest message; None when none comes in time, or the queue was closed."""
        with self._condition:
            if not self._messages and not self._closed:
                self._condition.wait(max(0.0, timeout_s))
            return self._messages.popleft() if self._messages else None

    def close(self) -> None:
        """Wake the reader and forget what waits."""
        with self._condition:
            self._closed = True
            self._messages.clear()
            self._condition.notify_all()
