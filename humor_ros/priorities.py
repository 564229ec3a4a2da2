"""Threads that give way to others."""

from __future__ import annotations

import logging
import os
import sys
import threading

__all__ = ["be_nice"]

_log = logging.getLogger(__name__)


def be_nice(niceness: int) -> None:
    """Lower this thread's priority; Linux knows priorities of single threads.

    Args:
        niceness: by how much, 0 to 19.
    """
    if niceness == 0 or not sys.platform.startswith("linux"):
        return
    try:
        thread = threading.get_native_id()
        os.setpriority(
            os.PRIO_PROCESS, thread, min(19, os.getpriority(os.PRIO_PROCESS, 0) + niceness)
        )
    except OSError as error:
        name = threading.current_thread().name
        _log.warning("the thread %s keeps its priority: %s", name, error)
