"""The native stack's supervision and messages, with small real processes in place of the services."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from infra.native import daemon as daemons
from infra.native import kafka, packages, store
from infra.native.daemon import Daemon, StackError
from infra.native.layout import Layout

SERVER = """
import socket, sys, time
s = socket.socket(); s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
s.bind(("127.0.0.1", int(sys.argv[1]))); s.listen(); time.sleep(600)
"""


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _server(folder: Path, port: int) -> Daemon:
    return Daemon("server", (sys.executable, "-c", SERVER, str(port)), folder, port, lambda: daemons.listening(port))


def test_a_daemon_is_started_once_known_again_and_stopped(tmp_path: Path) -> None:
    server = _server(tmp_path, _free_port())

    first, second = daemons.start(server), daemons.start(server)
    daemons.wait_ready(server, 20)
    pid = daemons.supervisor_pid(server)
    stopped, again = daemons.stop(server), daemons.stop(server)

    assert (first, second, stopped, again) == (True, False, True, False)
    assert pid is not None
    assert not daemons.listening(server.port)


def test_a_killed_daemon_is_brought_back_by_its_supervisor(tmp_path: Path) -> None:
    server = _server(tmp_path, _free_port())
    daemons.start(server)
    daemons.wait_ready(server, 20)
    supervisor = daemons.supervisor_pid(server)
    assert supervisor is not None
    child = int(Path(f"/proc/{supervisor}/task/{supervisor}/children").read_text().split()[0])

    os.kill(child, signal.SIGKILL)
    while daemons.started_at(child) is not None:
        time.sleep(0.05)
    daemons.wait_ready(server, 20)

    assert daemons.supervisor_pid(server) == supervisor
    assert "starting it again" in daemons.tail(server.log)
    daemons.stop(server)


def test_a_stale_pid_file_is_recognised_and_its_stranger_left_alone(tmp_path: Path) -> None:
    server = _server(tmp_path, _free_port())
    stranger = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
    server.pid_file.write_text(f"{stranger.pid} 12345\n")

    stopped = daemons.stop(server)

    assert not stopped
    assert stranger.poll() is None
    assert not server.pid_file.exists()
    stranger.kill()
    stranger.wait()


@pytest.mark.parametrize("content", ["", "nonsense", "999999999 1"], ids=["empty", "nonsense", "no-such-process"])
def test_a_pid_file_that_says_nothing_counts_as_not_running(tmp_path: Path, content: str) -> None:
    server = _server(tmp_path, _free_port())
    server.pid_file.write_text(content)

    assert daemons.supervisor_pid(server) is None


def test_a_taken_port_is_named_with_who_holds_it(tmp_path: Path) -> None:
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        held.listen()
        port = held.getsockname()[1]

        with pytest.raises(StackError, match=rf"port {port} for server is taken by pid {os.getpid()} "):
            daemons.start(_server(tmp_path, port))


def test_a_daemon_that_never_answers_is_reported_with_the_end_of_its_log(tmp_path: Path) -> None:
    broken = Daemon(
        "broken", (sys.executable, "-c", "raise SystemExit('no disk today')"), tmp_path, _free_port(), lambda: False
    )
    daemons.start(broken)

    with pytest.raises(StackError, match="no disk today"):
        daemons.wait_ready(broken, 3)

    daemons.stop(broken)


def test_a_full_disk_is_refused_before_anything_is_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store, "NEEDED_BYTES", 1 << 60)

    with pytest.raises(StackError, match=rf"{1 << 60} bytes needed, \d+ free.*UNBROKEN_STATE"):
        store.daemons(Layout(tmp_path, tmp_path / "run", 0))[0].make()

    assert not (tmp_path / "ceph/mon").exists()


def test_a_full_disk_is_refused_before_kafka_fetches_or_formats(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(kafka, "NEEDED_BYTES", 1 << 60)

    with pytest.raises(StackError, match=rf"kafka: {1 << 60} bytes needed, \d+ free.*{tmp_path}"):
        kafka.daemons(Layout(tmp_path, tmp_path / "run", 0))[0].make()

    assert list((tmp_path / "kafka").iterdir()) == []


def test_missing_programs_are_named_by_their_packages() -> None:
    found = packages.missing(["ffmpeg"])
    packages.NEEDED["no-such-program"] = "no-such-package"

    absent = packages.missing(["ffmpeg", "no-such-program"])

    del packages.NEEDED["no-such-program"]
    assert absent == [*found, "no-such-package"]


def test_a_deep_state_folder_still_gets_a_socket_path_that_fits(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("UNBROKEN_STATE", str(tmp_path / ("deep-" * 40)))

    layout = Layout.from_environment()

    assert len(str(layout.run)) <= 80


def test_two_stacks_share_no_port() -> None:
    here, beside = Layout(Path(), Path(), 0), Layout(Path(), Path(), 300)

    ports = [
        {
            own.kafka,
            own.kafka_controller,
            own.store,
            own.ceph_monitor,
            own.prometheus,
            own.alertmanager,
            *range(*own.ceph_osd),
        }
        for own in (here, beside)
    ]

    assert ports[0] & ports[1] == set()


@pytest.mark.stack
def test_a_monitor_moves_with_its_stack_s_ports(tmp_path: Path) -> None:
    def address(offset: int) -> str:
        layout = Layout(tmp_path, tmp_path / "run", offset)
        store.daemons(layout)[0].make()
        words = (
            "ceph-mon",
            "-c",
            str(tmp_path / "ceph/ceph.conf"),
            "-i",
            "a",
            "--extract-monmap",
            str(tmp_path / "map"),
        )
        subprocess.run(words, check=True, capture_output=True)
        said = subprocess.run(
            ("monmaptool", "--print", str(tmp_path / "map")), check=True, capture_output=True, text=True
        )
        return said.stdout.splitlines()[-1]

    made, moved, again = address(0), address(2000), address(2000)

    assert "127.0.0.1:19678/" in made
    assert (moved, "127.0.0.1:21678/" in moved) == (again, True)
