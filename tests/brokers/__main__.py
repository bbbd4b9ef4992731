"""Run the runner's real-broker tests on each version named, or on the oldest and the newest we stand for.

``python -m tests.brokers [VERSION...]``; the exit code is 0 when all held. Each run starts a broker of its own.
"""

from __future__ import annotations

import os
import subprocess
import sys
from typing import Final

VERSIONS: Final = ("3.9.2", "4.4.0")
TESTS: Final = ("tests/agents/test_kills.py", "tests/agents/test_broker.py")


def main(versions: tuple[str, ...]) -> int:
    held = {version: run(version) for version in versions}
    for version, ok in held.items():
        print(f"kafka {version}: {'held' if ok else 'FAILED'}")
    return 0 if all(held.values()) else 1


def run(version: str) -> bool:
    """Whether all tests passed on *version*."""
    print(f"kafka {version}", flush=True)
    command = [sys.executable, "-m", "pytest", "-rP", *TESTS]
    return subprocess.run(command, env={**os.environ, "UNBROKEN_KAFKA_VERSION": version}, check=False).returncode == 0


if __name__ == "__main__":
    raise SystemExit(main(tuple(sys.argv[1:]) or VERSIONS))
