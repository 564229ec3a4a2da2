"""DDS domains for tests: one that no other test on this machine is in."""

from __future__ import annotations

import fcntl
import random
import tempfile
from pathlib import Path
from typing import IO

#: 1-100 stays clear of the ephemeral ports of Linux.
_DOMAINS = range(1, 101)
_held: list[IO[str]] = []  # locks, kept as long as this process lives


def reserve_domain() -> str:
    """A domain of its own for as long as this process lives; any where no lock can be had."""
    domains = random.SystemRandom().sample(_DOMAINS, len(_DOMAINS))
    for domain in domains:
        path = Path(tempfile.gettempdir()) / f"humor_ros_test_domain_{domain}.lock"
        try:
            file = path.open("w")
        except OSError:  # another user's
            continue
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:  # another test's
            file.close()
            continue
        _held.append(file)
        return str(domain)
    return str(domains[0])
