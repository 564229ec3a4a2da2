"""Who gives way to whom, told by the kernel's own files."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from humor_ros import priorities

pytestmark = pytest.mark.skipif(
    not sys.platform.startswith("linux"), reason="niceness of threads and sessions is Linux's"
)
_GROUP = Path("/proc/self/autogroup")
_SCRIPT = """
import os
from pathlib import Path
from humor_ros.priorities import give_way
lowered = give_way(7)
group = Path("/proc/self/autogroup")
told = group.read_text().split() if group.exists() else []
print(lowered, os.getpriority(os.PRIO_PROCESS, 0), told[-1] if told else "none")
"""


def own_group() -> str:
    """Niceness of this session's group; kernels may lack the file, or leave it empty."""
    told = _GROUP.read_text().split() if _GROUP.exists() else []
    return told[-1] if told else "none"


def lowered(*, own_session: bool) -> list[str]:
    run = subprocess.run(
        [sys.executable, "-c", _SCRIPT],
        capture_output=True,
        text=True,
        check=True,
        start_new_session=own_session,
    )
    return run.stdout.split()


def test_a_process_with_a_session_of_its_own_lowers_the_session_too() -> None:
    how, nice, group = lowered(own_session=True)
    assert int(nice) >= 7
    if how == "session":
        assert int(group) == 7
    else:
        assert how == "process"  # a kernel without scheduling by sessions


def test_a_session_that_others_share_keeps_its_priority() -> None:
    before = own_group()
    how, nice, group = lowered(own_session=False)
    assert how == "process"
    assert int(nice) >= 7
    assert group == before


@pytest.mark.parametrize("text", [None, "", "nothing of the kind"])
def test_a_missing_or_unknown_file_harms_nobody(
    text: str | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "autogroup"
    if text is not None:
        path.write_text(text)
    monkeypatch.setattr(priorities, "_AUTOGROUP", path)
    monkeypatch.setattr(priorities.os, "getsid", lambda _: priorities.os.getpid())
    assert not priorities._lower_session(5)
    assert not path.exists() or path.read_text() == text


def test_the_session_is_not_lowered_below_the_least(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "autogroup"
    path.write_text("/autogroup-17 nice 12\n")
    monkeypatch.setattr(priorities, "_AUTOGROUP", path)
    monkeypatch.setattr(priorities.os, "getsid", lambda _: priorities.os.getpid())
    assert priorities._lower_session(10)
    assert path.read_text() == "19"


def test_no_niceness_changes_nothing() -> None:
    assert priorities.give_way(0) == "nothing"
