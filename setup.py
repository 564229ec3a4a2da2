"""Python half of the package for ``pip install``; colcon builds the same tree from CMakeLists."""

from __future__ import annotations

import re
from pathlib import Path

from setuptools import find_packages, setup

_ROOT = Path(__file__).resolve().parent
_ENTRY_POINT = re.compile(r"^([a-z0-9_]+) *= *([A-Za-z0-9_.]+:[A-Za-z0-9_]+)$", re.MULTILINE)
_REQUIREMENT = re.compile(r"^([A-Za-z0-9][A-Za-z0-9._-]*)", re.MULTILINE)


def _read(name: str) -> str:
    return (_ROOT / name).read_text(encoding="utf-8")


def _version() -> str:
    found = re.search(r'^__version__ = "([^"]+)"$', _read("humor_ros/__init__.py"), re.MULTILINE)
    if found is None:
        raise RuntimeError('humor_ros/__init__.py has no line __version__ = "..."')
    return found.group(1)


def _console_scripts() -> list[str]:
    programs = [
        f"humor-ros-{name} = {target}"
        for name, target in _ENTRY_POINT.findall(_read("entry_points.txt"))
    ]
    return ["humor-ros = humor_ros.cli:main", *programs]


def _files(folder: str) -> list[str]:
    return sorted(
        str(path.relative_to(_ROOT)) for path in (_ROOT / folder).iterdir() if path.is_file()
    )


setup(
    name="humor_ros",
    version=_version(),
    description="Online human motion for robots: WHAM and HuMoR in ROS 2",
    license="Apache-2.0",
    python_requires=">=3.10,<3.13",
    packages=find_packages(include=["humor_ros", "humor_ros.*"]),
    package_data={"humor_ros": ["py.typed", "assets/**/*"]},
    data_files=[
        ("share/ament_index/resource_index/packages", ["resource/humor_ros"]),
        ("share/humor_ros", ["package.xml", "LICENSE", "NOTICE"]),
        ("share/humor_ros/launch", _files("launch")),
        ("share/humor_ros/config", _files("config")),
        ("share/humor_ros/config/imu", _files("config/imu")),
        ("share/humor_ros/requirements", _files("requirements")),
    ],
    # Names only: the versions that are tested together stand in requirements/.
    install_requires=sorted(set(_REQUIREMENT.findall(_read("requirements/runtime.txt")))),
    entry_points={"console_scripts": _console_scripts()},
)
