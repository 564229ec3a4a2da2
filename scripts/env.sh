# Environment of the wheels and of the built messages; source it from bash:
#
#   . scripts/env.sh
#
# It stands on .venv and on install/ of this checkout alone: a ROS that was sourced before is left
# out, because its Python packages do not fit the wheels. Offline commands need none of this.

_humor_root="$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)"
_humor_venv="${HUMOR_ROS_VENV:-$_humor_root/.venv}"
if [ ! -x "$_humor_venv/bin/python" ]; then
  echo "scripts/env.sh: no Python environment at $_humor_venv; run 'make setup' first" >&2
  return 1
fi

export VIRTUAL_ENV="$_humor_venv"
case ":$PATH:" in
  *":$VIRTUAL_ENV/bin:"*) ;;
  *) export PATH="$VIRTUAL_ENV/bin:$PATH" ;;
esac
unset PYTHONHOME CMAKE_PREFIX_PATH COLCON_PREFIX_PATH ROS_DISTRO

# The wheels re-execute Python once to set LD_LIBRARY_PATH, and this says that it is done.
unset _ROS_WHEELS_BOOTSTRAP_COMPLETE

# The checkout comes before its installed copy, which adds the generated humor_ros.msg.
_humor_tag="$("$VIRTUAL_ENV/bin/python" -I -c \
  'import sys; print("python%d.%d" % sys.version_info[:2])')"
export PYTHONPATH="$_humor_root"
export AMENT_PREFIX_PATH="$VIRTUAL_ENV"
export LD_LIBRARY_PATH="$VIRTUAL_ENV/lib"
for _humor_prefix in "$_humor_root"/install/*/; do
  _humor_prefix="${_humor_prefix%/}"
  [ -d "$_humor_prefix/share" ] || continue
  AMENT_PREFIX_PATH="$_humor_prefix:$AMENT_PREFIX_PATH"
  LD_LIBRARY_PATH="$_humor_prefix/lib:$LD_LIBRARY_PATH"
  PYTHONPATH="$PYTHONPATH:$_humor_prefix/lib/$_humor_tag/site-packages"
done

# Large images between processes: shared memory with room for them (see the file).
export RMW_IMPLEMENTATION=rmw_fastrtps_cpp
export FASTDDS_DEFAULT_PROFILES_FILE="${FASTDDS_DEFAULT_PROFILES_FILE:-$_humor_root/config/fastdds_shm.xml}"

unset _humor_root _humor_venv _humor_tag _humor_prefix
