"""Daemons: start one under a supervisor, know it again later, end it.

The supervisor is this file run as a program: it restarts its child until told to stop, because single Ceph daemons do
exit when a neighbour is not up yet. Its pid file holds pid and start time (clock ticks since boot, from /proc), so that a
pid number used again by a stranger is recognised as stale and never signalled.
"""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import FrameType


class StackError(Exception):
    """Something the person who ran the command can mend; the message says what."""


@dataclass(frozen=True, slots=True)
class Daemon:
    """A process to keep running. ``port``: the TCP port it listens on, once it is ready. ``ready`` asks it."""

    name: str
    command: tuple[str, ...]
    folder: Path
    port: int
    ready: Callable[[], bool]

    @property
    def log(self) -> Path:
        return self.folder / f"{self.name}.log"

    @property
    def pid_file(self) -> Path:
        return self.folder / f"{self.name}.pid"


def supervisor_pid(daemon: Daemon) -> int | None:
    """The pid of the running supervisor, or ``None``; a stale pid file is removed."""
    try:
        pid_text, started = daemon.pid_file.read_text().split()
    except (OSError, ValueError):
        return None
    if started_at(int(pid_text)) == started:
        return int(pid_text)
    daemon.pid_file.unlink(missing_ok=True)
    return None


def started_at(pid: int) -> str | None:
    """Start time of *pid* in clock ticks since boot, or ``None`` when there is no such process."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return None
    return None if fields[0] == "Z" else fields[19]


def start(daemon: Daemon) -> bool:
    """Start *daemon* unless it runs; returns whether it was started. Raises :class:`StackError` if its port is taken."""
    if supervisor_pid(daemon) is not None:
        return False
    require_free(daemon.port, daemon.name)
    process = subprocess.Popen(
        [sys.executable, str(Path(__file__).resolve()), str(daemon.log), *daemon.command],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
        cwd=daemon.folder,
    )
    daemon.pid_file.write_text(f"{process.pid} {started_at(process.pid)}\n")
    return True


def wait_ready(daemon: Daemon, patience_s: float) -> None:
    """Return when *daemon* answers; raises :class:`StackError` with the end of its log when it does not in time."""
    until = time.monotonic() + patience_s
    while time.monotonic() < until:
        if daemon.ready():
            return
        if supervisor_pid(daemon) is None:
            break
        time.sleep(0.2)
    raise StackError(
        f"{daemon.name} is not ready after {patience_s:.0f} s; its log ends:\n{tail(daemon.log)}\n({daemon.log})"
    )


def stop(daemon: Daemon, patience_s: float = 20) -> bool:
    """End *daemon* and its supervisor; returns whether it ran. Only processes we started are ever signalled."""
    pid = supervisor_pid(daemon)
    if pid is None:
        return False
    started = started_at(pid)
    os.kill(pid, signal.SIGTERM)
    until = time.monotonic() + patience_s
    while time.monotonic() < until and started_at(pid) == started:
        _reap(pid)
        time.sleep(0.1)
    if started_at(pid) == started:
        # The supervisor leads its own session: its group is the daemon and nothing else.
        os.killpg(pid, signal.SIGKILL)
    daemon.pid_file.unlink(missing_ok=True)
    return True


def _reap(pid: int) -> None:
    """Collect *pid* if it is our own child, so that it does not linger as a zombie that looks alive."""
    with contextlib.suppress(ChildProcessError):
        os.waitpid(pid, os.WNOHANG)


def resident_bytes(daemon: Daemon) -> int:
    """Resident memory of the supervisor and everything below it."""
    pid = supervisor_pid(daemon)
    return sum(_rss(member) for member in _family(pid)) if pid is not None else 0


def _family(pid: int) -> list[int]:
    members = [pid]
    for task in Path(f"/proc/{pid}/task").glob("*/children"):
        with contextlib.suppress(OSError):
            for child in task.read_text().split():
                members += _family(int(child))
    return members


def _rss(pid: int) -> int:
    try:
        return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except OSError:
        return 0


def listening(port: int) -> bool:
    """Whether something accepts connections on the loopback *port*."""
    with socket.socket() as probe:
        probe.settimeout(0.5)
        return probe.connect_ex(("127.0.0.1", port)) == 0


def require_free(port: int, name: str) -> None:
    """Raises :class:`StackError` naming who holds *port*, as far as /proc tells."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError as exc:
            raise StackError(
                f"port {port} for {name} is taken by {holder(port)}; stop that program, or set UNBROKEN_PORT_OFFSET to move all ports"
            ) from exc


def holder(port: int) -> str:
    """Pid and command of the program that listens on *port*, or ``another program``."""
    inodes = set()
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        for line in Path(table).read_text().splitlines()[1:] if Path(table).exists() else ():
            fields = line.split()
            if fields[3] == "0A" and int(fields[1].rpartition(":")[2], 16) == port:
                inodes.add(f"socket:[{fields[9]}]")
    for fd in Path("/proc").glob("[0-9]*/fd/*"):
        with contextlib.suppress(OSError):
            if str(fd.readlink()) in inodes:
                pid = fd.parts[2]
                command = (
                    Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace").strip()
                )
                return f"pid {pid} ({command[:80]})"
    return "another program"


def tail(path: Path, lines: int = 15) -> str:
    """The last lines of a log, or a note that there is none."""
    try:
        return "\n".join(path.read_text(errors="replace").splitlines()[-lines:])
    except OSError:
        return "(no log)"


def supervise(log: Path, command: Sequence[str]) -> int:
    """Run *command*, restart it when it ends by itself, end it when told to; the log is cut when it passes 50 MB."""
    child: subprocess.Popen[bytes] | None = None
    stopping = False

    def end(_signum: int, _frame: FrameType | None) -> None:
        nonlocal stopping
        stopping = True
        if child is not None:
            child.terminate()

    signal.signal(signal.SIGTERM, end)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    while not stopping:
        if log.exists() and log.stat().st_size > 50_000_000:
            log.replace(log.with_suffix(".log.1"))
        with log.open("ab") as sink:
            child = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=sink, stderr=sink)
        code = child.wait()
        if not stopping:
            with log.open("a", encoding="utf-8") as note:
                note.write(f"-- {command[0]} ended with {code}; starting it again in 1 s\n")
            time.sleep(1)
    return 0


if __name__ == "__main__":
    raise SystemExit(supervise(Path(sys.argv[1]), sys.argv[2:]))
