#!/bin/sh
# Builds the behavior in app.py to a component: build.sh OUTPUT.wasm [WORK-FOLDER]
#
# Needs Python 3.10 or later with venv, and the package index on the first run. Takes about half a
# minute; with the same work folder, only the build itself.
set -eu

here=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd)
output=${1:?usage: build.sh OUTPUT.wasm [WORK-FOLDER]}
work=${2:-$(dirname -- "$output")/python-guest}
componentize_py=0.25.1

mkdir -p "$work" "$(dirname -- "$output")"
if ! "$work/venv/bin/componentize-py" --version 2>/dev/null | grep -qF "$componentize_py"; then
    python3 -m venv "$work/venv"
    "$work/venv/bin/pip" install --quiet --disable-pip-version-check "componentize-py==$componentize_py"
fi
"$work/venv/bin/componentize-py" \
    --wit-path "$here/../../../../wit/v0.1" --world user-behavior \
    componentize --python-path "$here" app --output "$output"
