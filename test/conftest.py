"""Fixtures that every test may use."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

# No example is wrong because the machine is slow or busy.
settings.register_profile(
    "any_machine", deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("any_machine")

REPOSITORY = Path(__file__).resolve().parent.parent


@pytest.hookimpl(trylast=True)  # after the terminal has its writer
def pytest_configure(config: pytest.Config) -> None:
    """Let commands say the same in every terminal and service.

    They write plainly, in lines that are not broken within the path of a temporary folder.
    """
    writer = config.get_terminal_writer()
    writer.fullwidth = writer.fullwidth  # pytest's own lines stay as they are
    for name in ("FORCE_COLOR", "PY_COLORS", "CLICOLOR_FORCE", "GITHUB_ACTIONS"):
        os.environ.pop(name, None)
    os.environ |= {"COLUMNS": "400", "TERM": "dumb"}


@pytest.fixture(scope="session")
def shared() -> Path:
    """The sibling folder of optional reference data; the test skips where it is absent."""
    folder = REPOSITORY.parent / "shared"
    if not folder.is_dir():
        pytest.skip(f"optional reference data not found: {folder}")
    return folder


@pytest.fixture(scope="session")
def shared_golden(shared: Path) -> Path:
    """The folder of golden arrays inside the reference data."""
    folder = shared / "golden"
    if not folder.is_dir():
        pytest.skip(f"golden arrays not found: {folder}")
    return folder
