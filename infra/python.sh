#!/usr/bin/env bash
# The virtual environment: made with PYTHON (3.11 or newer), filled from the lock file by digest.
set -euo pipefail
python=$1 venv=$2
"$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' || {
  echo "python 3.11 or newer is needed, found $("$python" --version); set PYTHON=" >&2; exit 1; }
if ! "$python" -m venv --help >/dev/null 2>&1 || ! "$python" -c 'import ensurepip' 2>/dev/null; then
  sudo=""
  [ "$(id -u)" = 0 ] || { sudo="sudo -n"; $sudo true 2>/dev/null; } || {
    echo "python's venv module is missing; run: sudo apt-get update && sudo apt-get install -y python3-venv" >&2; exit 1; }
  echo "installing python3-venv"
  $sudo apt-get update -qq
  $sudo env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends python3-venv
fi
# An environment whose making was interrupted has a python and no pip: asking for pip tells.
"$venv/bin/python" -m pip --version >/dev/null 2>&1 || "$python" -m venv --clear "$venv"
"$venv/bin/python" -m pip install -q --disable-pip-version-check --require-hashes -r requirements/dev.lock
"$venv/bin/python" -m pip install -q --disable-pip-version-check --no-deps --no-build-isolation -e .
touch "$venv/complete"
