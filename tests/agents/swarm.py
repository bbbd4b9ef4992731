"""Worker processes of a test: started, stopped, killed and paused by number. All of them end with the test."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import IO

ROOT = Path(__file__).parents[2]


class Swarm:
    """``with Swarm(kafka, prefix, folder) as swarm``; logs go to *folder*, one file per start."""

    def __init__(self, kafka: str, prefix: str, folder: Path, form: str = "ours") -> None:
        self._command = [sys.executable, "-m", "tests.agents.worker", kafka, prefix, form]
        self._folder = folder
        self._running: dict[int, tuple[subprocess.Popen[bytes], IO[bytes]]] = {}
        self.starts = 0

    def __enter__(self) -> Swarm:
        return self

    def __exit__(self, *_: object) -> None:
        for number in list(self._running):
            self.kill(number)

    def start(self, number: int) -> None:
        self.starts += 1
        out = (self._folder / f"worker-{number}-{self.starts}.log").open("wb")
        self._running[number] = (
            subprocess.Popen(self._command, cwd=ROOT, stdout=out, stderr=subprocess.STDOUT, start_new_session=True),
            out,
        )

    def signal(self, number: int, signum: int) -> None:
        self._running[number][0].send_signal(signum)

    def kill(self, number: int) -> None:
        """SIGKILL; waits until it is gone."""
        self.signal(number, signal.SIGKILL)
        self._reap(number)

    def stop(self, number: int) -> tuple[int, float]:
        """SIGTERM; returns the exit code and the seconds it took."""
        began = time.monotonic()
        self.signal(number, signal.SIGTERM)
        return self._reap(number), time.monotonic() - began

    def pid(self, number: int) -> int:
        return self._running[number][0].pid

    def ended(self, number: int) -> int | None:
        """The exit code if the worker ended by itself."""
        return self._running[number][0].poll()

    def log(self) -> str:
        """Everything the workers have written so far."""
        return "\n".join(path.read_text(errors="replace") for path in sorted(self._folder.glob("worker-*.log")))

    def wait_for(self, words: str, times: int, seconds: float = 60) -> None:
        """Wait until the logs hold *words* that often."""
        deadline = time.monotonic() + seconds
        while self.log().count(words) < times:
            assert time.monotonic() < deadline, f"{words!r} not {times} times in the logs within {seconds} s"
            time.sleep(0.2)

    def _reap(self, number: int) -> int:
        process, out = self._running.pop(number)
        try:
            return process.wait(65)
        finally:
            out.close()
