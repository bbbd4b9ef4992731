"""Where the stack lives and which ports it takes; ``infra/local.env`` is the one list of addresses.

UNBROKEN_STATE: the folder that holds everything. UNBROKEN_PORT_OFFSET: added to every port, for a second stack beside.
"""

from __future__ import annotations

import hashlib
import os
import tempfile
from dataclasses import dataclass
from pathlib import Path

from infra.native.daemon import StackError

ROOT = Path(__file__).resolve().parents[2]
_LONGEST_SOCKET_PATH = 80
"""An AF_UNIX path holds 107 bytes; Ceph appends names of up to some 25."""

_LARGEST_OFFSET = 12000
"""Beyond it the ports reach those the kernel hands out to clients."""


@dataclass(frozen=True, slots=True)
class Layout:
    """State folder, folder for sockets, and ports (each shifted by UNBROKEN_PORT_OFFSET so that two stacks can coexist)."""

    state: Path
    run: Path
    offset: int

    @staticmethod
    def from_environment() -> Layout:
        state = Path(os.environ.get("UNBROKEN_STATE") or ROOT / ".unbroken").resolve() / "stack"
        run = state / "run"
        if len(str(run)) > _LONGEST_SOCKET_PATH:
            run = Path(tempfile.gettempdir()) / f"unbroken-{hashlib.sha256(str(state).encode()).hexdigest()[:10]}"
        offset = os.environ.get("UNBROKEN_PORT_OFFSET") or "0"
        if not offset.isdigit() or int(offset) > _LARGEST_OFFSET:
            raise StackError(f"UNBROKEN_PORT_OFFSET is a number from 0 to {_LARGEST_OFFSET}, found {offset!r}")
        return Layout(state, run, int(offset))

    def environment(self) -> dict[str, str]:
        """``infra/local.env`` as a mapping, its ports shifted like ours."""
        lines = (ROOT / "infra/local.env").read_text().splitlines()
        pairs = dict(line.split("=", 1) for line in lines if line and not line.startswith("#"))
        moved = {"UNBROKEN_KAFKA": f"127.0.0.1:{self.kafka}", "UNBROKEN_STORE_URL": f"http://127.0.0.1:{self.store}"}
        return {**pairs, **(moved if self.offset else {})}

    @property
    def kafka(self) -> int:
        return 19092 + self.offset

    @property
    def kafka_controller(self) -> int:
        return 19093 + self.offset

    @property
    def store(self) -> int:
        return 19000 + self.offset

    @property
    def ceph_monitor(self) -> int:
        return 19678 + self.offset

    @property
    def ceph_osd(self) -> tuple[int, int]:
        return 19800 + self.offset, 19899 + self.offset

    @property
    def prometheus(self) -> int:
        return 19090 + self.offset

    @property
    def alertmanager(self) -> int:
        return 19094 + self.offset

    def folder(self, name: str) -> Path:
        """The folder of one service, made if need be."""
        path = self.path(name)
        path.mkdir(parents=True, exist_ok=True)
        return path

    def path(self, name: str) -> Path:
        """Where the folder of one service is or will be."""
        return self.state / name
