#!/usr/bin/env bash
# The README's two commands in a new clone, with no caches, no virtual environment and no running services.
# Takes the local stack's ports; beside a stack that runs: UNBROKEN_PORT_OFFSET=1000. A taken port is named and ends the run.
set -euo pipefail
origin=$(cd "$(dirname "$0")/.." && pwd)
place=$(mktemp -d)
trap 'cd "$place/unbroken" && make down; rm -rf "$place"' EXIT
git clone -q "$origin" "$place/unbroken"
cd "$place/unbroken"
export PIP_CACHE_DIR="$place/pip" MAVEN_OPTS="-Dmaven.repo.local=$place/m2" UNBROKEN_STATE="$place/state"
time make demo
time make demo
time make test
