"""The scripts behind make: set-up, cached environments, the demo's video."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
SCRIPTS = [*sorted((ROOT / "scripts").glob("*.sh")), ROOT / ".ci" / "run"]

if shutil.which("bash") is None:
    pytest.skip("needs bash", allow_module_level=True)


def _run(*command: str | Path, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [str(part) for part in command],
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
        env={**os.environ, **environment},
    )


@pytest.mark.parametrize("path", SCRIPTS, ids=lambda path: path.name)
def test_script_parses(path: Path) -> None:
    done = _run("bash", "-n", path)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("path", SCRIPTS, ids=lambda path: path.name)
def test_script_can_be_run_unless_it_is_sourced(path: Path) -> None:
    assert os.access(path, os.X_OK) == (path.name != "env.sh")


def test_setup_refuses_an_unfit_python(tmp_path: Path) -> None:
    old = tmp_path / "old_python"
    old.write_text("#!/bin/sh\nexit 1\n")
    old.chmod(0o755)
    done = _run(ROOT / "scripts/setup.sh", PYTHON=str(old))
    assert done.returncode == 1
    assert "Python 3.10, 3.11 or 3.12" in done.stderr


def test_environment_needs_a_setup(tmp_path: Path) -> None:
    done = _run("bash", "-c", f". {ROOT}/scripts/env.sh", HUMOR_ROS_VENV=str(tmp_path))
    assert done.returncode == 1
    assert "make setup" in done.stderr


def test_demo_takes_a_video_of_ones_own(tmp_path: Path) -> None:
    video = tmp_path / "own.mp4"
    video.touch()
    assert _run(ROOT / "scripts/demo_video.sh", video).stdout.strip() == str(video)


def test_demo_names_a_video_that_is_missing(tmp_path: Path) -> None:
    done = _run(ROOT / "scripts/demo_video.sh", tmp_path / "none.mp4")
    assert done.returncode == 1
    assert "none.mp4" in done.stderr


class TestCache:
    """An environment that is kept and taken elsewhere."""

    @pytest.fixture
    def kept(self, tmp_path: Path) -> Path:
        venv = tmp_path / "first" / ".venv"
        (venv / "bin" / "__pycache__").mkdir(parents=True)
        (venv / "bin" / "colcon").write_text(f"#!{venv}/bin/python\nmain()\n")
        (venv / "pyvenv.cfg").write_text(f"command = python -m venv {venv}\n")
        (venv / ".package").write_text("a checkout")
        assert self._cache("keep", tmp_path / "cache/venv-1", venv).returncode == 0
        return tmp_path

    @staticmethod
    def _cache(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
        return _run(ROOT / "scripts/venv_cache.sh", *arguments)

    def test_is_told_its_new_place(self, kept: Path) -> None:
        venv = kept / "second" / ".venv"
        venv.parent.mkdir()
        assert self._cache("take", kept / "cache/venv-1", venv).returncode == 0
        assert (venv / "bin/colcon").read_text() == f"#!{venv}/bin/python\nmain()\n"

    def test_stays_as_it_was_in_the_cache(self, kept: Path) -> None:
        venv = kept / "second" / ".venv"
        venv.parent.mkdir()
        self._cache("take", kept / "cache/venv-1", venv)
        entry = kept / "cache/venv-1"
        assert str(kept / "first") in (entry / "bin/colcon").read_text()

    def test_forgets_the_checkout_that_was_installed(self, kept: Path) -> None:
        assert not (kept / "cache/venv-1/.package").exists()

    def test_an_entry_that_is_missing_is_an_error(self, tmp_path: Path) -> None:
        assert self._cache("take", tmp_path / "none", tmp_path / ".venv").returncode == 1

    def test_three_entries_are_kept(self, kept: Path) -> None:
        for number in range(2, 6):
            entry = kept / f"cache/venv-{number}"
            assert self._cache("keep", entry, kept / "first/.venv").returncode == 0
            os.utime(entry, (1e9 + number, 1e9 + number))
        assert len(list((kept / "cache").iterdir())) == 3
