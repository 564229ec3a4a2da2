"""package.xml, CMakeLists.txt, setup.py and entry_points.txt tell the same story."""

from __future__ import annotations

import ast
import re
import sys
import xml.etree.ElementTree as ElementTree
from importlib import metadata
from pathlib import Path

import pytest

import humor_ros

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = ElementTree.parse(ROOT / "package.xml").getroot()
CMAKE = (ROOT / "CMakeLists.txt").read_text(encoding="utf-8")
PROGRAMS = dict(
    re.findall(r"^(\w+) = ([\w.]+:\w+)$", (ROOT / "entry_points.txt").read_text(), re.MULTILINE)
)
#: Python modules of apt packages, by the package's name in package.xml where it differs.
_DEPENDENCY_OF = {"tf2_ros": "tf2_ros_py", "cv2": "python3-opencv", "numpy": "python3-numpy"}
_DEPENDENCY_OF |= {"scipy": "python3-scipy", "yaml": "python3-yaml"}
#: The library below tf_transformations, taken alone where that package is absent.
_DEPENDENCY_OF |= {"transforms3d": "tf_transformations"}
#: Published with where they are importable; named in a comment of package.xml.
_OPTIONAL = {"hri_msgs"}
#: Read by the offline tools only where a user chooses ViTPose.
_OPTIONAL_PYTHON = {"transformers"}


def _dependencies(*kinds: str) -> set[str]:
    wanted = kinds or ("depend", "exec_depend")
    return {str(node.text) for kind in wanted for node in PACKAGE.findall(kind)}


def _imports(folder: Path) -> set[str]:
    names = set()
    for path in sorted(folder.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                names |= {alias.name.partition(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
                names.add(node.module.partition(".")[0])
    return names - set(sys.stdlib_module_names) - {"humor_ros"}


def _pip_names(name: str) -> set[str]:
    text = (ROOT / "requirements" / name).read_text(encoding="utf-8")
    return {found.lower() for found in re.findall(r"^([A-Za-z0-9_.-]+?)[=<;]", text, re.MULTILINE)}


def test_is_a_format_3_ament_cmake_package_with_interfaces() -> None:
    assert PACKAGE.get("format") == "3"
    assert PACKAGE.findtext("export/build_type") == "ament_cmake"
    assert PACKAGE.findtext("member_of_group") == "rosidl_interface_packages"


def test_version_is_that_of_the_python_package() -> None:
    assert PACKAGE.findtext("version") == humor_ros.__version__


def test_name_is_that_of_the_cmake_project() -> None:
    assert f"project({PACKAGE.findtext('name')})" in CMAKE


def test_licence_is_apache() -> None:
    assert PACKAGE.findtext("license") == "Apache-2.0"
    assert "Apache License" in (ROOT / "LICENSE").read_text(encoding="utf-8")


def test_every_message_is_generated() -> None:
    listed = re.findall(r'"(msg/\w+\.msg)"', CMAKE)
    assert listed == sorted(f"msg/{path.name}" for path in (ROOT / "msg").glob("*.msg"))


def test_every_package_that_cmake_finds_is_a_dependency() -> None:
    found = set(re.findall(r"find_package\((\w+) REQUIRED\)", CMAKE))
    assert found <= _dependencies("buildtool_depend", "build_depend", "depend")


def test_every_message_dependency_is_declared() -> None:
    used = {
        kind
        for path in (ROOT / "msg").glob("*.msg")
        for kind in re.findall(r"^(\w+)/\w+", path.read_text(encoding="utf-8"), re.MULTILINE)
    }
    assert used <= _dependencies("depend")


@pytest.mark.parametrize("folder", ["humor_ros", "launch"])
def test_every_import_is_a_declared_dependency(folder: str) -> None:
    by_pip = {name.replace("-", "_") for name in _pip_names("ros_install.txt")}
    unknown = {
        name
        for name in _imports(ROOT / folder)
        if _DEPENDENCY_OF.get(name, name) not in _dependencies() and name not in by_pip
    }
    assert unknown - _OPTIONAL - _OPTIONAL_PYTHON == set()


def test_optional_packages_are_named_in_a_comment() -> None:
    text = (ROOT / "package.xml").read_text(encoding="utf-8")
    assert [name for name in _OPTIONAL if name not in text] == []


def test_core_imports_no_ros() -> None:
    ros = {name for name in _dependencies() if not name.startswith("python3-")}
    for room in sorted((ROOT / "humor_ros").iterdir()):
        if room.is_dir() and room.name not in ("ros", "assets", "__pycache__"):
            assert _imports(room) & ros == set(), room.name


def test_every_program_has_its_function() -> None:
    for name, target in PROGRAMS.items():
        module, _, function = target.partition(":")
        path = ROOT / Path(*module.split(".")).with_suffix(".py")
        assert path.is_file(), f"{name}: {path}"
        names = {
            node.name
            for node in ast.parse(path.read_text(encoding="utf-8")).body
            if isinstance(node, ast.FunctionDef)
        }
        assert function in names, f"{name}: {target}"


def test_pip_offers_every_program() -> None:
    # The built messages leave a distribution of the same name, without programs.
    scripts = {
        point.name: point.value
        for distribution in metadata.distributions(name="humor_ros")
        for point in distribution.entry_points
        if point.group == "console_scripts"
    }
    if not scripts:
        pytest.skip("not installed by pip (a colcon workspace)")
    wanted = {f"humor-ros-{name}": target for name, target in PROGRAMS.items()}
    assert scripts == {"humor-ros": "humor_ros.cli:main", **wanted}


def test_source_tree_does_not_hide_the_generated_messages() -> None:
    assert not (ROOT / "humor_ros" / "msg").exists()
    assert not (ROOT / "setup.cfg").exists()


def test_ament_knows_the_package_by_its_marker() -> None:
    assert (ROOT / "resource" / "humor_ros").is_file()


def test_stand_in_for_tf2_is_out_of_sight_of_colcon() -> None:
    assert (ROOT / "overlay" / "COLCON_IGNORE").is_file()
