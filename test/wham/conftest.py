"""Fixtures of the WHAM tests."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from wham_cases import StickBody, make_network

from humor_ros.wham import WhamNetwork


@pytest.fixture(scope="session")
def body() -> StickBody:
    return StickBody()


@pytest.fixture
def network() -> WhamNetwork:
    return make_network()
