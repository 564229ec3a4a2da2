"""Fixtures of the HuMoR tests."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from humor_cases import SMOOTH, make_body, make_mixture, make_network

from humor_ros.body import BodyModel
from humor_ros.humor import HumorNetwork
from humor_ros.humor.body import HumorBody
from humor_ros.humor.mixture import InitialStateMixture


@pytest.fixture(scope="session")
def network() -> HumorNetwork:
    return make_network()


@pytest.fixture(scope="module")
def small() -> HumorNetwork:
    """A network whose roll-outs stay near their start."""
    network = make_network(SMOOTH).float()
    network.decoder.net[-1].weight.mul_(0.02)
    network.decoder.net[-1].bias.mul_(0.02)
    return network


@pytest.fixture(scope="module")
def free_body() -> BodyModel:
    """The packaged body."""
    return BodyModel.load()


@pytest.fixture(scope="session")
def body() -> HumorBody:
    return make_body()


@pytest.fixture(scope="session")
def mixture() -> InitialStateMixture:
    return make_mixture()


@pytest.fixture(scope="session")
def humor_golden(shared_golden: Path) -> Path:
    folder = shared_golden / "humor"
    if not folder.is_dir():
        pytest.skip(f"HuMoR's golden arrays not found: {folder}")
    return folder
