"""The stack's command: what it says and what it leaves alone, in a state folder and on ports of its own."""

from __future__ import annotations

import fcntl
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from infra.native import daemon as daemons
from infra.native import packages
from infra.native.__main__ import daemons as all_daemons
from infra.native.__main__ import main, status
from infra.native.daemon import Daemon, StackError
from infra.native.layout import Layout

SERVER = """
import socket, sys, time
s = socket.socket(); s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
s.bind(("127.0.0.1", int(sys.argv[1]))); s.listen(); time.sleep(600)
"""


def _server(folder: Path, port: int) -> Daemon:
    folder.mkdir(parents=True, exist_ok=True)
    return Daemon("server", (sys.executable, "-c", SERVER, str(port)), folder, port, lambda: daemons.listening(port))


@pytest.fixture
def running(tmp_path: Path) -> Iterator[Daemon]:
    """A server under its supervisor, as the service of a stack whose state folder is ``tmp_path / "here"``."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    server = _server(tmp_path / "here/stack/server", port)
    daemons.start(server)
    daemons.wait_ready(server, 20)
    yield server
    daemons.stop(server)


def _gone(pid: int, patience_s: float = 10) -> bool:
    until = time.monotonic() + patience_s
    while time.monotonic() < until and daemons.started_at(pid) is not None:
        time.sleep(0.05)
    return daemons.started_at(pid) is None


def test_asking_for_the_status_of_a_stack_never_started_writes_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code = status(Layout(tmp_path / "state", tmp_path / "run", 0), as_json=False)

    assert code == 1
    assert "make up" in capsys.readouterr().out
    assert list(tmp_path.iterdir()) == []


def test_a_port_held_by_another_stack_is_named_with_its_state_folder(running: Daemon, tmp_path: Path) -> None:
    second = _server(tmp_path / "there/stack/server", running.port)

    with pytest.raises(StackError, match=f"of another stack, UNBROKEN_STATE={tmp_path / 'here'};"):
        daemons.start(second)

    assert daemons.supervisor_pid(second) is None
    assert running.ready()


def test_a_further_port_of_a_service_is_looked_at_too(running: Daemon, tmp_path: Path) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        free = probe.getsockname()[1]

    with pytest.raises(StackError, match=f"port {running.port} for kafka is taken by pid"):
        daemons.require_free(Daemon("kafka", ("true",), tmp_path, free, lambda: False, also=(running.port,)))


def test_a_killed_supervisor_takes_its_service_along_and_the_next_start_mends_it(running: Daemon) -> None:
    supervisor, child = daemons.supervisor_pid(running), daemons.child_pid(running)
    assert supervisor is not None
    assert child is not None

    os.kill(supervisor, signal.SIGKILL)
    left_nothing = _gone(child)
    said = daemons.stale(running)
    again = daemons.start(running)
    daemons.wait_ready(running, 20)

    assert left_nothing
    assert said is not None
    assert f"pid {supervisor} is gone" in said
    assert again


def test_a_pid_file_says_what_became_of_its_process(tmp_path: Path) -> None:
    server = _server(tmp_path, 1)
    own = f"{os.getpid()} {daemons.started_at(os.getpid())}"

    said = []
    for content in ("nonsense", "999999999 1", f"{os.getpid()} 1", own):
        server.pid_file.write_text(content)
        said.append(daemons.stale(server))

    assert said[0] is not None
    assert "holds no pid" in said[0]
    assert said[1] is not None
    assert "is gone" in said[1]
    assert said[2] is not None
    assert "another program" in said[2]
    assert said[3] is None


def test_a_second_command_on_the_same_stack_waits_for_the_first(tmp_path: Path) -> None:
    (tmp_path / "stack").mkdir()
    with (tmp_path / "stack/lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        second = subprocess.Popen(
            [sys.executable, "-m", "infra.native", "down"],
            env={**os.environ, "UNBROKEN_STATE": str(tmp_path)},
            stdout=subprocess.PIPE,
            text=True,
        )
        assert second.stdout is not None
        first_line = second.stdout.readline()
    rest = second.communicate(timeout=30)[0]

    assert "waiting for it" in first_line
    assert "nothing of ours is running" in rest
    assert second.returncode == 0


def test_without_root_and_sudo_the_exact_command_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "apt-get").write_text("#!/bin/sh\nexit 1\n")
    (tmp_path / "apt-get").chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("UNBROKEN_STATE", str(tmp_path / "state"))
    monkeypatch.setattr(os, "geteuid", lambda: 1000)

    code = main(["up"])

    said = capsys.readouterr().err
    assert code == 1
    assert "sudo apt-get install -y --no-install-recommends ceph-common ceph-mon ceph-osd ffmpeg maven" in said
    assert not (tmp_path / "state").exists()


def test_an_unknown_service_is_refused_with_those_there_are(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("UNBROKEN_STATE", str(tmp_path / "state"))
    monkeypatch.setattr(packages, "install", list)

    code = main(["up", "kafkas"])

    assert code == 1
    assert "no such service: kafkas; there are ceph-mon ceph-osd radosgw kafka" in capsys.readouterr().err


def test_the_ports_are_those_of_the_local_environment_unless_moved(tmp_path: Path) -> None:
    plain, moved = Layout(tmp_path, tmp_path, 0), Layout(tmp_path, tmp_path, 1000)

    assert plain.environment()["UNBROKEN_KAFKA"] == f"127.0.0.1:{plain.kafka}"
    assert plain.environment()["UNBROKEN_STORE_URL"] == f"http://127.0.0.1:{plain.store}"
    assert moved.environment()["UNBROKEN_KAFKA"] == "127.0.0.1:20092"
    assert moved.environment()["UNBROKEN_STORE_URL"] == "http://127.0.0.1:20000"


def test_a_service_comes_after_those_it_needs(tmp_path: Path) -> None:
    seen: set[str] = set()

    for daemon in all_daemons(Layout(tmp_path, tmp_path, 0)):
        assert set(daemon.after) <= seen
        seen.add(daemon.name)

    assert len(seen) == 6


@pytest.mark.parametrize("offset", ["-1000", "12001", "many"])
def test_a_shift_of_ports_that_cannot_be_is_refused(
    offset: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("UNBROKEN_PORT_OFFSET", offset)

    code = main(["status"])

    assert code == 1
    assert f"from 0 to 12000, found '{offset}'" in capsys.readouterr().err
