"""Starting nodes as processes of their own, and ending all of them together."""

from __future__ import annotations

import contextlib
import fcntl
import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

from ament_index_python.packages import PackageNotFoundError, get_package_share_directory

__all__ = [
    "ProcessGroup",
    "node_command",
    "package_config",
    "remove_stale_shared_memory",
    "transport_environment",
]

_SHARED_MEMORY = Path("/dev/shm")
_YOUNG_S = 60.0
_PROFILE_VARIABLES = ("FASTDDS_DEFAULT_PROFILES_FILE", "FASTRTPS_DEFAULT_PROFILES_FILE")


def package_config(name: str) -> Path:
    """A file of the package's ``config`` folder, of the checkout or installed.

    Raises:
        FileNotFoundError: naming the file.
    """
    folders = [Path(__file__).resolve().parents[2] / "config"]
    with contextlib.suppress(PackageNotFoundError):
        folders.append(Path(get_package_share_directory("humor_ros")) / "config")
    for folder in folders:
        if (folder / name).is_file():
            return folder / name
    raise FileNotFoundError(f"no {name} in {', '.join(map(str, folders))}; install the package")


def transport_environment(base: Mapping[str, str] | None = None) -> dict[str, str]:
    """The environment with room for images in shared memory, unless the user has set it.

    Args:
        base: to start from; this process's when None.
    """
    environment = dict(os.environ if base is None else base)
    if not any(environment.get(name) for name in _PROFILE_VARIABLES):
        profile = str(package_config("fastdds_shm.xml"))
        environment.update(dict.fromkeys(_PROFILE_VARIABLES, profile))
    return environment


def node_command(
    module: str,
    parameters: Mapping[str, object] | None = None,
    *,
    params_file: str | Path | None = None,
    remappings: Mapping[str, str] | None = None,
) -> list[str]:
    """The command line of a node of this package.

    Args:
        module: ``tracker_node``, ``player_node`` or ``recorder_node``.
        parameters: that win over the file.
        params_file: YAML of parameters.
        remappings: topic by topic.
    """
    command = [sys.executable, "-m", f"humor_ros.ros.{module}", "--ros-args"]
    if params_file is not None:
        command += ["--params-file", str(params_file)]
    for name, value in (parameters or {}).items():
        command += ["-p", f"{name}:={_yaml(value)}"]
    for source, target in (remappings or {}).items():
        command += ["-r", f"{source}:={target}"]
    return command


def _yaml(value: object) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str):
        return "'" + value.replace("'", "''") + "'"
    if isinstance(value, (list, tuple)):
        return "[" + ", ".join(_yaml(item) for item in value) + "]"
    return repr(value)


@dataclass(frozen=True)
class _Running:
    name: str
    process: subprocess.Popen[bytes]


class ProcessGroup:
    """Processes that live and end together; a context manager.

    Args:
        environment: of all of them.
    """

    def __init__(self, environment: Mapping[str, str]) -> None:
        self._environment = dict(environment)
        self._running: list[_Running] = []

    def __enter__(self) -> ProcessGroup:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    def start(
        self, name: str, command: Sequence[str], log: Path | None = None
    ) -> subprocess.Popen[bytes]:
        """Start one process, in a session of its own so that Ctrl-C reaches it through us alone.

        Args:
            name: for messages.
            command: program and arguments.
            log: file for its output; None leaves it on our own.
        """
        if log is None:
            process = subprocess.Popen(command, env=self._environment, start_new_session=True)
        else:
            with log.open("wb") as sink:
                process = subprocess.Popen(
                    command,
                    env=self._environment,
                    stdout=sink,
                    stderr=subprocess.STDOUT,
                    start_new_session=True,
                )
        self._running.append(_Running(name, process))
        return process

    @property
    def process_ids(self) -> dict[str, int]:
        """Ids of those that run, by name."""
        return {
            item.name: item.process.pid for item in self._running if item.process.poll() is None
        }

    def ended(self) -> dict[str, int]:
        """Return codes of those that have ended, by name."""
        codes = {item.name: item.process.poll() for item in self._running}
        return {name: code for name, code in codes.items() if code is not None}

    def stop(self, patience_s: float = 10.0) -> dict[str, int]:
        """Ask all to end, then insist.

        Args:
            patience_s: time for SIGINT to do, seconds; SIGTERM and SIGKILL follow.

        Returns:
            Return codes by name.
        """
        for number, wait_s in (
            (signal.SIGINT, patience_s),
            (signal.SIGTERM, 3.0),
            (signal.SIGKILL, 3.0),
        ):
            alive = [item.process for item in self._running if item.process.poll() is None]
            if not alive:
                break
            for process in alive:
                process.send_signal(number)
            deadline_s = time.monotonic() + wait_s
            while time.monotonic() < deadline_s and any(p.poll() is None for p in alive):
                time.sleep(0.05)
        return {item.name: item.process.poll() or 0 for item in self._running}


def remove_stale_shared_memory(folder: Path = _SHARED_MEMORY) -> list[str]:
    """Remove what killed Fast DDS processes have left in shared memory.

    A living owner holds a lock on its ``fastdds_*_el`` file; those are left alone, and young ones
    too, whose owner may be about to lock them.

    Args:
        folder: of POSIX shared memory.

    Returns:
        Names of the files removed.
    """
    removed: list[str] = []
    for lock in sorted(folder.glob("fastdds_*_el")):
        try:
            if time.time() - lock.stat().st_mtime < _YOUNG_S:
                continue
            with lock.open("rb") as file:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                base = lock.name.removesuffix("_el")
                for name in (lock.name, base, f"sem.{base}_mutex"):
                    if (folder / name).exists():
                        (folder / name).unlink()
                        removed.append(name)
        except OSError:  # alive, of another user, or gone meanwhile
            continue
    return removed
