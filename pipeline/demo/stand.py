"""Stand: one isolated installation of the product on the local stack, driven as a person would drive it.

Own topics, buckets, journals, keys and policy, so that what is tried here never mixes with real recordings and two
stands never mix with each other. Everything goes through the real command line in child processes; workers are known
by the process this stand started and ended only by it.
"""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib.resources import files
from pathlib import Path
from typing import Any, Final

from pipeline.demo.footage import Shot
from pipeline.demo.masters import BLOCK_S
from pipeline.domain.time import to_rfc3339
from pipeline.settings import Settings

_POLICY: Final = {
    "version": '"demo-1"',
    "block_s": str(BLOCK_S),
    "next_block_grace_s": "30",
    "idle_end_s": "600",
    "provisional_retention_s": "86400",
    "keep_s": "172800",
    "checkpoint_s": "2",
}
"""What the demo changes of the shipped policy: locks cannot be shortened, so footage nobody needs is kept for a day; and a
demo lasts no longer than a checkpoint would be waited for."""

CASE: Final = ("--case-name", "Unlicensed food sales", "--party", "Sample Trading Co.", "--recorded-date")


def port_offset() -> int:
    """By how much the ports of this stack are moved."""
    return int(os.environ.get("UNBROKEN_PORT_OFFSET") or "0")


class StandFailed(Exception):
    """A command or worker of the stand did not do what it must; the message carries its own last words."""


@dataclass
class Stand:
    """``folder`` holds everything of this stand; ``ports``: where each worker answers /readyz and /metrics, moved like
    the stack's own by ``UNBROKEN_PORT_OFFSET``."""

    folder: Path
    prefix: str
    ports: Mapping[str, int]
    workers: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.ports = {which: port + port_offset() for which, port in self.ports.items()}
        self.folder.mkdir(parents=True, exist_ok=True)
        policy = self.folder / "policy.toml"
        policy.write_text(_demo_policy((files("pipeline") / "policy.toml").read_text("utf-8")), "utf-8")

    @property
    def variables(self) -> dict[str, str]:
        """What makes this stand another installation than the default one."""
        return {
            "UNBROKEN_TOPIC_PREFIX": self.prefix,
            "UNBROKEN_BUCKET_PREFIX": f"{self.prefix}-",
            "UNBROKEN_STATE": str(self.folder),
            "UNBROKEN_POLICY": str(self.folder / "policy.toml"),
            "UNBROKEN_SWEEP_S": "2",
        }

    def settings(self) -> Settings:
        """The same as a value, for what this process asks itself."""
        return Settings(topic_prefix=self.prefix, bucket_prefix=f"{self.prefix}-", state=self.folder)

    def call(self, *arguments: str, timeout_s: float = 120, allowed: tuple[int, ...] = (0,)) -> str:
        """Standard output of ``unbroken <arguments>``; raises :class:`StandFailed` on another exit code or time-out."""
        command = [sys.executable, "-m", "pipeline.cli", *arguments]
        said = f"unbroken {' '.join(arguments[:2])}"
        try:
            done = subprocess.run(
                command, env=self.environment(), capture_output=True, text=True, timeout=timeout_s, check=False
            )
        except subprocess.TimeoutExpired as exc:
            raise StandFailed(f"{said}: no end after {timeout_s:.0f} s") from exc
        if done.returncode not in allowed:
            raise StandFailed(f"{said}: exit {done.returncode}: {(done.stderr or done.stdout).strip()[-2000:]}")
        return done.stdout

    def prepare(self) -> None:
        """Topics and buckets."""
        self.call("topics", "apply")
        self.call("store", "apply")

    def start(self, which: str) -> None:
        """Start a worker; :meth:`ready` waits for it."""
        variables = {"UNBROKEN_WORKER_PORT": str(self.ports[which])}
        with self.log(which).open("ab") as log:
            self.workers[which] = subprocess.Popen(
                [sys.executable, "-m", "pipeline.cli", "worker", which],
                env=self.environment() | variables,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def log(self, which: str) -> Path:
        """A worker's log file."""
        return self.folder / f"worker-{which}.log"

    def ready(self, which: str, timeout_s: float = 60) -> None:
        """Wait until the worker owns its partitions; raises :class:`StandFailed` with the end of its log."""
        deadline = time.monotonic() + timeout_s
        while not self._answers(which):
            code = self.workers[which].poll()
            if code is not None or time.monotonic() > deadline:
                what = f"ended with {code}" if code is not None else f"not ready after {timeout_s:.0f} s"
                tail = self.log(which).read_text("utf-8", "replace")[-1500:]
                raise StandFailed(f"worker {which} {what}; {self.log(which)} ends:\n{tail}")
            time.sleep(0.1)

    def kill(self, which: str) -> None:
        """SIGKILL: nothing in the worker gets to say goodbye."""
        self.workers[which].kill()
        self.workers.pop(which).wait()

    def stop(self, timeout_s: float = 60) -> dict[str, int]:
        """SIGTERM all workers and wait; exit codes by worker. One that does not end in time is killed (code -9)."""
        for worker in self.workers.values():
            worker.send_signal(signal.SIGTERM)
        deadline = time.monotonic() + timeout_s
        codes = {}
        for which, worker in self.workers.items():
            try:
                codes[which] = worker.wait(max(0.1, deadline - time.monotonic()))
            except subprocess.TimeoutExpired:
                worker.kill()
                codes[which] = worker.wait()
        self.workers.clear()
        return codes

    def recordings(self) -> dict[str, dict[str, Any]]:
        """``unbroken recordings --json`` by recording id; empty when a service did not answer just now (exit code 3)."""
        said = self.call("recordings", "--json", allowed=(0, 3))
        return {report["recording_id"]: report for report in json.loads(said or "[]")}

    def announce_window(self, shot: Shot) -> None:
        """Tell the product of the shot's planned pause, if it has one."""
        if shot.window is not None:
            window = (
                "--start",
                to_rfc3339(shot.window[0]),
                "--end",
                to_rfc3339(shot.window[1]),
                "--reason",
                shot.window[2],
            )
            self.call("schedule", "--source", shot.source_id, *window)

    def bring_in(self, shot: Shot, paths: tuple[Path, ...], date: str) -> dict[str, Any]:
        """``unbroken import`` of *paths* with the shot's names, and its case data if it has a case; the result table."""
        result: dict[str, Any] = json.loads(self.call(*import_words(shot, paths, date)))
        return result

    def environment(self) -> dict[str, str]:
        """What a process of this stand is started with."""
        return dict(os.environ) | self.variables

    def _answers(self, which: str) -> bool:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.ports[which]}/readyz", timeout=2) as answer:
                return bool(answer.status == 200)
        except (urllib.error.URLError, OSError):
            return False


def import_words(shot: Shot, paths: tuple[Path, ...], date: str) -> list[str]:
    """The command line that brings *paths* of *shot* in."""
    words = ["import", *map(str, paths), "--source", shot.source_id, "--unit", shot.unit, "--kind", shot.kind]
    if shot.recording is not None:
        words += ["--recording", shot.recording]
    if shot.case:
        words += [*CASE, date]
    return [*words, "--json"]


def _demo_policy(shipped: str) -> str:
    """The shipped policy with the demo's numbers."""
    text = shipped
    for name, value in _POLICY.items():
        text, count = re.subn(rf"(?m)^{name} = .*$", f"{name} = {value}", text)
        if not count:
            raise StandFailed(f"the shipped policy has no entry named {name}")
    return text
