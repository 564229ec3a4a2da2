#!/usr/bin/env bash
# Keeps whole virtual environments between checkouts.
#
#   venv_cache.sh keep ENTRY VENV   store VENV as ENTRY
#   venv_cache.sh take ENTRY VENV   put a copy of ENTRY at VENV; fails where there is none
#
# An environment knows its own path (the first line of its scripts, pyvenv.cfg), so a copy is told
# its new one. An entry is complete as soon as it can be seen, and is never run from.
set -euo pipefail

verb="$1"
entry="$2"
venv="$3"

copy() { cp -a --reflink=auto "$1" "$2"; }

# Tells the copy at $1 that it will live at $venv.
relocate() {
  local old
  old="$(cat "$1/.origin")"
  find "$1/bin" "$1/pyvenv.cfg" -type f -exec grep -qI -F "$old" {} \; -print0 |
    xargs -0 -r sed -i "s|$old|$venv|g"
}

case "$verb" in
  keep)
    mkdir -p "$(dirname "$entry")"
    fresh="$entry.$$"
    copy "$venv" "$fresh"
    rm -f "$fresh/.package"
    echo "$venv" >"$fresh/.origin"
    mv -T "$fresh" "$entry" 2>/dev/null || rm -rf "$fresh"
    # The three newest are enough.
    ls -1dt "$(dirname "$entry")"/venv-* | tail -n +4 | xargs -r rm -rf
    ;;
  take)
    [ -f "$entry/.origin" ] || exit 1
    fresh="$venv.taking"
    rm -rf "$venv" "$fresh"
    copy "$entry" "$fresh"
    relocate "$fresh"
    rm -f "$fresh/.origin" "$fresh/.wheels"
    mv -T "$fresh" "$venv"
    touch "$entry"
    ;;
  *)
    echo "venv_cache.sh: unknown verb '$verb', expected keep or take" >&2
    exit 2
    ;;
esac
