"""Requirements: exact, for every supported Python, and complete."""

from __future__ import annotations

from importlib import metadata
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / "requirements"
INSTALLED = ("runtime.txt", "ros.txt", "build.txt", "dev.txt")
ENVIRONMENTS = [{"python_version": version} for version in ("3.10", "3.11", "3.12")]


def _read(name: str) -> list[Requirement]:
    lines = (line.partition("#")[0].strip() for line in (FOLDER / name).read_text().splitlines())
    return [Requirement(line) for line in lines if line]


def _applies(requirement: Requirement, environment: dict[str, str]) -> bool:
    return requirement.marker is None or requirement.marker.evaluate(environment)


@pytest.mark.parametrize("name", [*INSTALLED, "constraints.txt"])
def test_every_version_is_exact(name: str) -> None:
    assert [str(r) for r in _read(name) if [s.operator for s in r.specifier] != ["=="]] == []


@pytest.mark.parametrize("environment", ENVIRONMENTS, ids=lambda e: e["python_version"])
def test_a_package_has_one_version_for_each_python(environment: dict[str, str]) -> None:
    names = [
        canonicalize_name(requirement.name)
        for file in (*INSTALLED, "constraints.txt")
        for requirement in _read(file)
        if _applies(requirement, environment)
    ]
    assert sorted(names) == sorted(set(names))


@pytest.mark.parametrize("name", ["runtime.txt", "ros_install.txt"])
def test_every_python_gets_the_same_packages(name: str) -> None:
    sets = [{r.name for r in _read(name) if _applies(r, e)} for e in ENVIRONMENTS]
    assert sets[0] == sets[1] == sets[2]


def test_ros_install_agrees_with_the_wheels_but_for_numpy() -> None:
    runtime = {str(r) for r in _read("runtime.txt")}
    assert [r.name for r in _read("ros_install.txt") if str(r) not in runtime] == ["numpy"]


def test_everything_that_comes_along_is_pinned() -> None:
    pinned = {canonicalize_name(r.name) for f in (*INSTALLED, "constraints.txt") for r in _read(f)}
    pending = [r.name for file in INSTALLED for r in _read(file)]
    seen: set[str] = set()
    while pending:
        name = canonicalize_name(pending.pop())
        if name in seen:
            continue
        seen.add(name)
        try:
            requires = metadata.distribution(name).requires or []
        except metadata.PackageNotFoundError:
            continue
        parsed = [Requirement(line) for line in requires]
        pending += [r.name for r in parsed if _applies(r, {"extra": ""})]
    gpu = {name for name in seen if name.startswith(("nvidia-", "cuda-"))}
    assert seen - pinned - gpu == set()
