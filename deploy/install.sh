#!/bin/sh
# Install a packaged project: sh install.sh DIST FOLDER [EXTRAS]
#
# DIST has the wheel and conf-wherewhen.tar.gz (`uv run kedro package`), and constraints.txt where the
# tested versions are wanted. FOLDER gets venv/ and conf/; runs are started there and write to data/.
# deploy/Dockerfile runs this script; outside a container it is run as it is. It needs uv.
set -eu
dist=$(cd "$1" && pwd) folder=$2 extras=${3:-}
mkdir -p "$folder"
cd "$folder"
wheel=$(ls "$dist"/wherewhen-*.whl)
uv venv --quiet --clear --python "${PYTHON_VERSION:-3.11}" venv
set -- "wherewhen${extras:+[$extras]} @ file://$wheel"
if [ -f "$dist/constraints.txt" ]; then set -- "$@" --constraints "$dist/constraints.txt"; fi
uv pip install --python venv/bin/python "$@"
tar -xzf "$dist/conf-wherewhen.tar.gz"
mkdir -p conf/local data
venv/bin/wherewhen --help > /dev/null
echo "$PWD/venv/bin/wherewhen is installed: start it in $PWD"
