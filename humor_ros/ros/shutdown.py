"""Clean-up that a second Ctrl-C does not tear apart."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager

__all__ = ["ignoring_interrupts"]


@contextmanager
def ignoring_interrupts() -> Iterator[None]:
    """Ignore SIGINT within the block: ``ros2 launch`` sends it again under Ctrl-C."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before if before is not None else signal.SIG_DFL)
