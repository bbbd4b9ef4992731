"""Daemons: start one under a supervisor, know it again later, end it.

The supervisor is this file run as a program: it restarts its child until told to stop, because single Ceph daemons do
exit when a neighbour is not up yet. Its pid file holds pid and start time (clock ticks since boot, from /proc), so that a
pid number used again by a stranger is recognised as stale and never signalled. The child asks the kernel to end it with
its supervisor: a supervisor killed from outside leaves nothing behind that would hold the port.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import FrameType

_PR_SET_PDEATHSIG = 1
_LONGEST_PAUSE_S = 30
_LEAVING_S = 4
"""A service whose supervisor was killed needs a moment to leave its port."""
_STEADY_S = 20
"""A child that ran this long was well: its next restart waits 1 s again."""


class StackError(Exception):
    """Something the person who ran the command can mend; the message says what."""


@dataclass(frozen=True, slots=True)
class Daemon:
    """A process to keep running. ``port``: the TCP port it listens on, once it is ready. ``ready`` asks it.

    ``also``: further ports that must be free. ``after``: names of the daemons that must be ready first. ``make``: called
    before it is started, to write once what it needs; again is harmless.
    """

    name: str
    command: tuple[str, ...]
    folder: Path
    port: int
    ready: Callable[[], bool]
    also: tuple[int, ...] = ()
    after: tuple[str, ...] = ()
    make: Callable[[], None] = lambda: None

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
    require_free(daemon)
    process = subprocess.Popen(
        [sys.executable, str(Path(__file__).resolve()), str(daemon.pid_file), str(daemon.log), *daemon.command],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
        cwd=daemon.folder,
    )
    write_pid_file(daemon.pid_file, process.pid)
    return True


def write_pid_file(path: Path, pid: int) -> None:
    """Put pid and start time at *path* in one step. Written by who starts and by the supervisor itself, whoever lives."""
    fresh = path.with_name(f"{path.name}.{os.getpid()}")
    fresh.write_text(f"{pid} {started_at(pid)}\n")
    fresh.replace(path)


def stale(daemon: Daemon) -> str | None:
    """What is wrong with the pid file, in words, or ``None`` when it is absent or true."""
    try:
        words = daemon.pid_file.read_text().split()
    except OSError:
        return None
    if len(words) != 2 or not words[0].isdigit():
        return f"{daemon.name}: the pid file of an earlier try holds no pid; ignored ({daemon.pid_file})"
    now = started_at(int(words[0]))
    if now == words[1]:
        return None
    fate = "is gone" if now is None else "is another program now and is left alone"
    return f"{daemon.name}: stale pid file of an earlier run, pid {words[0]} {fate}; starting anew"


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


def child_pid(daemon: Daemon) -> int | None:
    """The pid of the service itself, below its supervisor."""
    pid = supervisor_pid(daemon)
    return next(iter(_family(pid)[1:]), None) if pid is not None else None


def require_free(daemon: Daemon) -> None:
    """Raises :class:`StackError` naming who holds one of its ports, as far as /proc tells."""
    for port in (daemon.port, *daemon.also):
        until = time.monotonic() + _LEAVING_S
        while not _bindable(port):
            if time.monotonic() > until:
                raise StackError(
                    f"port {port} for {daemon.name} is taken by {holder(port)}; "
                    f"stop that program, or move all ports with UNBROKEN_PORT_OFFSET=1000 or another thousand"
                )
            time.sleep(0.1)


def _bindable(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def require_space(folder: Path, needed_bytes: int, what: str) -> None:
    """Raises :class:`StackError` when the disk of *folder* has less than *needed_bytes* free."""
    free = shutil.disk_usage(folder).free
    if free < needed_bytes:
        raise StackError(
            f"not enough space for {what}: {needed_bytes} bytes needed, {free} free; "
            f"free some or set UNBROKEN_STATE to another disk ({folder})"
        )


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
                return _who(int(fd.parts[2]))
    return "another program (of another user: `sudo ss -ltnp` names it)"


def _who(pid: int) -> str:
    """*pid* in words: a service of another checkout's stack by its state folder, anything else by its command."""
    words = Path(f"/proc/{pid}/cmdline").read_bytes().decode(errors="replace").split("\0")
    parent = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1]
    above = Path(f"/proc/{parent}/cmdline").read_bytes().decode(errors="replace").split("\0")
    if len(above) > 3 and above[1].endswith("infra/native/daemon.py"):
        state = Path(above[2]).parents[2]
        return f"pid {pid} ({Path(words[0]).name}) of another stack, UNBROKEN_STATE={state}; `make down` there ends it"
    return f"pid {pid} ({' '.join(words).strip()[:80]})"


def tail(path: Path, lines: int = 15) -> str:
    """The last lines of a log, or a note that there is none."""
    try:
        return "\n".join(path.read_text(errors="replace").splitlines()[-lines:])
    except OSError:
        return "(no log)"


def supervise(pid_file: Path, log: Path, command: Sequence[str]) -> int:
    """Run *command*, restart it when it ends by itself, end it when told to; the log is cut when it passes 50 MB.

    Waits 1 s before a restart, twice as long after each that did not last, 30 s at most.
    """
    child: subprocess.Popen[bytes] | None = None
    told: list[int] = []

    def end(signum: int, _frame: FrameType | None) -> None:
        told.append(signum)
        if child is not None:
            child.terminate()

    signal.signal(signal.SIGTERM, end)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    write_pid_file(pid_file, os.getpid())
    pause_s = 1
    while not told:
        began = time.monotonic()
        child = _run(log, command)
        if told:
            # Told to stop while the child was being made: the handler knew nothing of it.
            child.terminate()
        code = child.wait()
        if told:
            break
        pause_s = 1 if time.monotonic() - began > _STEADY_S else pause_s
        with log.open("a", encoding="utf-8") as note:
            note.write(f"-- {command[0]} ended with {code}; starting it again in {pause_s} s\n")
        until = time.monotonic() + pause_s
        while not told and time.monotonic() < until:
            time.sleep(0.1)
        pause_s = min(2 * pause_s, _LONGEST_PAUSE_S)
    return 0


def _run(log: Path, command: Sequence[str]) -> subprocess.Popen[bytes]:
    if log.exists() and log.stat().st_size > 50_000_000:
        log.replace(log.with_suffix(".log.1"))
    with log.open("ab") as sink:
        return subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=sink, stderr=sink, preexec_fn=_end_with_supervisor
        )


def _end_with_supervisor() -> None:
    """In the child, before the program starts: SIGTERM when the supervisor dies (Linux; elsewhere nothing happens)."""
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)


if __name__ == "__main__":
    raise SystemExit(supervise(Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3:]))
