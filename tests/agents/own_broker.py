"""A real Kafka of the tests' own: other ports, its own data, and short sessions, so that it may be killed.

The version is the pinned one, or ``UNBROKEN_KAFKA_VERSION``.
"""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import time
from pathlib import Path
from typing import Final

from infra.native import kafka
from infra.native.layout import ROOT, Layout

# Without the broker's own a killed broker may not come back for nine seconds: its controller still believes in it.
SHORT_SESSIONS: Final = """group.min.session.timeout.ms=500
broker.session.timeout.ms=3000
broker.heartbeat.interval.ms=500
"""


class OwnBroker:
    """``with OwnBroker(folder) as broker``; nothing of it is left afterwards."""

    def __init__(self, folder: Path) -> None:
        self._layout = Layout(folder, folder / "run", _free_offset())
        self._process: subprocess.Popen[bytes] | None = None
        self.bootstrap = f"127.0.0.1:{self._layout.kafka}"

    def __enter__(self) -> OwnBroker:
        self._borrow_jars()
        self._command = kafka.prepare(self._layout)[0].command
        properties = Path(self._command[-1])
        properties.write_text(properties.read_text() + SHORT_SESSIONS)
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()
        shutil.rmtree(self._layout.folder("kafka") / "data", ignore_errors=True)

    def start(self) -> None:
        """Start it and wait until it answers."""
        with (self._layout.folder("kafka") / "broker.log").open("ab") as out:
            self._process = subprocess.Popen(
                self._command, stdout=out, stderr=subprocess.STDOUT, start_new_session=True
            )
        deadline = time.monotonic() + 60
        while not _listens(self._layout.kafka):
            assert self._process.poll() is None, f"kafka ended at once, see {out.name}"
            assert time.monotonic() < deadline, f"kafka does not answer, see {out.name}"
            time.sleep(0.1)

    def kill(self) -> None:
        """kill -9."""
        if self._process is not None:
            self._process.send_signal(signal.SIGKILL)
            self._process.wait()
            self._process = None

    def _borrow_jars(self) -> None:
        """Use the local stack's jars where they are, rather than fetching them again."""
        state = Path(os.environ.get("UNBROKEN_STATE") or ROOT / ".unbroken").resolve()
        jars = state / "stack/kafka" / f"lib-{kafka.version()}"
        borrowed = self._layout.folder("kafka") / jars.name
        if (jars / "complete").exists() and not borrowed.exists():
            borrowed.symlink_to(jars)


def _free_offset() -> int:
    """Ports between those of two stacks, which are moved by thousands: a stack may start at any time."""
    for offset in range(2100, 2560, 10):
        if not (_listens(19092 + offset) or _listens(19093 + offset)):
            return offset
    raise AssertionError("no free pair of ports between 21192 and 21652")


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        probe.settimeout(1)
        return probe.connect_ex(("127.0.0.1", port)) == 0
