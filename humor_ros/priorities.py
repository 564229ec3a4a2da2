"""Threads and processes that give way to others."""

from __future__ import annotations

import logging
import os
import re
import sys
import threading
from pathlib import Path

__all__ = ["be_nice", "give_way"]

_log = logging.getLogger(__name__)

#: "/autogroup-17 nice 0": the scheduling group of a session, and its own niceness (sched(7)).
_AUTOGROUP = Path("/proc/self/autogroup")
_NICE = re.compile(r"nice (-?\d+)")
_LEAST = 19


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
            os.PRIO_PROCESS, thread, min(_LEAST, os.getpriority(os.PRIO_PROCESS, 0) + niceness)
        )
    except OSError as error:
        name = threading.current_thread().name
        _log.warning("the thread %s keeps its priority: %s", name, error)


def give_way(niceness: int) -> str:
    """Lower the priority of this process: of the calling thread and those that it starts later.

    Where the kernel schedules by sessions (``kernel.sched_autogroup_enabled``) niceness counts
    within a session alone. A process that leads a session of its own therefore lowers the group of
    that session, too. A group that others may share is left alone: niceness counts among them.

    Args:
        niceness: by how much, 0 to 19; call it once.

    Returns:
        What was lowered: ``session`` for both, ``process``, or ``nothing``.
    """
    if niceness == 0 or not sys.platform.startswith("linux"):
        return "nothing"
    be_nice(niceness)
    return "session" if _lower_session(niceness) else "process"


def _lower_session(niceness: int) -> bool:
    """Whether the session's group was there, ours, and could be lowered."""
    if os.getsid(0) != os.getpid():
        return False
    try:
        found = _NICE.search(_AUTOGROUP.read_text())
        if found is None:
            return False
        _AUTOGROUP.write_text(str(min(_LEAST, int(found.group(1)) + niceness)))
    except OSError as error:  # no such groups here, or not ours to change
        _log.debug("the session keeps its priority: %s", error)
        return False
    return True
