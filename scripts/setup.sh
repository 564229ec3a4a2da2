#!/usr/bin/env bash
# Makes .venv with the pinned wheels, the messages below install/, and the command humor-ros.
# Safe to repeat: each step leaves a stamp and is skipped while what it was made from is unchanged.
#
#   PYTHON=python3.12   interpreter to build on (3.10 to 3.12, with headers); default: python3
#   TORCH=default       the PyTorch that PyPI serves (CUDA); default: the CPU build
#   HUMOR_ROS_CACHE=DIR where whole environments are kept between checkouts; default: none
set -euo pipefail

root="$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)"
cd "$root"
venv="$root/.venv"
torch_build="${TORCH:-cpu}"
torch_index=https://download.pytorch.org/whl/cpu

# A ROS that was sourced, or another environment, would mix its packages into ours.
unset PYTHONHOME PYTHONPATH AMENT_PREFIX_PATH CMAKE_PREFIX_PATH COLCON_PREFIX_PATH ROS_DISTRO
unset LD_LIBRARY_PATH VIRTUAL_ENV _ROS_WHEELS_BOOTSTRAP_COMPLETE

say() { echo "setup: $*"; }
fail() {
  echo "setup: $*" >&2
  exit 1
}
digest() { sha256sum | cut -c1-16; }
pip() { "$venv/bin/python" -m pip --disable-pip-version-check --no-input "$@"; }

# The interpreter that was asked for, else the one below .venv, else the first that fits.
find_python() {
  local candidate
  for candidate in ${PYTHON:-"$venv/bin/python" python3 python3.12 python3.11 python3.10}; do
    command -v "$candidate" >/dev/null || continue
    "$candidate" - 2>/dev/null <<'EOF' && return
import os, sys

if not (3, 10) <= sys.version_info[:2] <= (3, 12):
    sys.exit(1)
print(os.path.realpath(getattr(sys, "_base_executable", sys.executable)))
EOF
  done
  fail "needs Python 3.10, 3.11 or 3.12, not found as ${PYTHON:-python3}; install one and name it:" \
    "make setup PYTHON=python3.12"
}

check_tools() {
  local tool header
  for tool in git make c++; do
    command -v "$tool" >/dev/null ||
      fail "$tool is missing; on Debian and Ubuntu: sudo apt install git make g++"
  done
  header="$("$1" -c 'import sysconfig; print(sysconfig.get_paths()["include"])')/Python.h"
  [ -f "$header" ] ||
    fail "the headers of $1 are missing ($header); on Debian and Ubuntu: sudo apt install python3-dev"
  "$1" -c 'import ensurepip, venv' 2>/dev/null ||
    fail "$1 cannot make environments; on Debian and Ubuntu: sudo apt install python3-venv"
}

# The CPU build lies on PyTorch's own index; a wheel that pip finds elsewhere (find-links) does, too.
install_torch() {
  local version
  version="$(sed -n 's/^torch==//p' requirements/runtime.txt)"
  if [ "$torch_build" = cpu ]; then
    local args=(install -q -c requirements/constraints.txt "torch==$version+cpu")
    pip "${args[@]}" >/dev/null 2>&1 && return
    pip "${args[@]}" --timeout 10 --retries 1 --extra-index-url "$torch_index" && return
    say "note: no CPU build of PyTorch at $torch_index; taking the (larger) one of PyPI"
  fi
  pip install -q -c requirements/constraints.txt "torch==$version"
}

install_wheels() {
  local stamp="$venv/.wheels" wanted="$1"
  [ "$(cat "$stamp" 2>/dev/null)" = "$wanted $venv" ] && return
  if [ -n "${HUMOR_ROS_CACHE:-}" ] && scripts/venv_cache.sh take "$HUMOR_ROS_CACHE/$wanted" "$venv"
  then
    echo "$wanted $venv" >"$stamp"
    say "took the environment from $HUMOR_ROS_CACHE/$wanted"
    return
  fi
  say "installing wheels into .venv (some minutes, about 2 GB)"
  # Made anew for another interpreter, and where the checkout has moved.
  if [ "$(readlink -f "$venv/bin/python" 2>/dev/null)" != "$(readlink -f "$python")" ] ||
    ! grep -qF "$venv/bin" "$venv/bin/pip"; then
    "$python" -m venv --clear "$venv"
  fi
  rm -f "$stamp"
  install_torch
  pip install -q -c requirements/constraints.txt -r requirements/runtime.txt \
    -r requirements/ros.txt -r requirements/build.txt -r requirements/dev.txt
  echo "$wanted $venv" >"$stamp"
  if [ -n "${HUMOR_ROS_CACHE:-}" ]; then
    scripts/venv_cache.sh keep "$HUMOR_ROS_CACHE/$wanted" "$venv"
  fi
}

install_package() {
  local stamp="$venv/.package" wanted
  wanted="$root $(cat setup.py pyproject.toml entry_points.txt humor_ros/__init__.py | digest)"
  [ "$(cat "$stamp" 2>/dev/null)" = "$wanted" ] && [ -x "$venv/bin/humor-ros" ] && return
  say "installing the command humor-ros"
  pip install -q --no-deps --no-build-isolation -e .
  echo "$wanted" >"$stamp"
}

build_messages() {
  local stamp=install/.messages wanted packages=(humor_ros)
  if [ ! -e "$venv/share/tf2_msgs/package.xml" ]; then
    packages+=(tf2_msgs)
  fi
  wanted="$venv $1 $(
    {
      find msg cmake overlay -type f -print0 | sort -z | xargs -0 cat
      cat CMakeLists.txt package.xml entry_points.txt
      find launch config requirements -type f | sort
    } | digest
  )"
  [ "$(cat "$stamp" 2>/dev/null)" = "$wanted" ] && return
  say "building the messages (${packages[*]})"
  case "$(cat "$stamp" 2>/dev/null)" in
    "$venv $1 "*) ;;
    *) rm -rf build install ;;
  esac
  mkdir -p build
  (
    # shellcheck source=scripts/env.sh
    . scripts/env.sh
    colcon --log-base build/log build --symlink-install --event-handlers console_direct- \
      --base-paths . overlay/tf2_msgs --packages-select "${packages[@]}" \
      --cmake-args -DBUILD_TESTING=OFF -DCMAKE_BUILD_TYPE=Release
  ) >build/setup.log 2>&1 || {
    cat build/setup.log >&2
    fail "the messages did not build; the log above is build/setup.log"
  }
  echo "$wanted" >"$stamp"
}

python="$(find_python)"
check_tools "$python"
version="$("$python" -c 'import platform; print(platform.python_version())')"
wheels="venv-$({
  echo "$version $torch_build"
  cat requirements/{constraints,runtime,ros,build,dev}.txt
} | digest)"
install_wheels "$wheels"
install_package
build_messages "$wheels"
say "ready: .venv/bin/humor-ros --help"
