"""A store that goes away over a deadline is told to be its cause, on real services."""

from __future__ import annotations

import asyncio
import secrets
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from pipeline.demo.stand import Stand
from pipeline.domain.canary import beat_file
from pipeline.domain.time import WallMs
from pipeline.settings import Settings
from tests.e2e.conftest import delete_topics
from tests.e2e.test_deadlines import breaches, metrics, until

pytestmark = pytest.mark.stack

DEADLINE_S = 40


class Gate:
    """Passes connections on to a port, until it is shut: then they end at once."""

    def __init__(self, port: int) -> None:
        self.is_open = True
        self._port = port
        self._server = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._server.getsockname()[1]
        self._held: list[socket.socket] = []
        threading.Thread(target=self._serve, daemon=True).start()

    def shut(self) -> None:
        self.is_open = False
        for held in self._held:
            with suppress(OSError):
                held.shutdown(socket.SHUT_RDWR)

    def _serve(self) -> None:
        while True:
            inner, _ = self._server.accept()
            if not self.is_open:
                inner.close()
                continue
            outer = socket.create_connection(("127.0.0.1", self._port))
            self._held += [inner, outer]
            for one, other in ((inner, outer), (outer, inner)):
                threading.Thread(target=_pass_on, args=(one, other), daemon=True).start()


def _pass_on(one: socket.socket, other: socket.socket) -> None:
    with suppress(OSError):
        while data := one.recv(65536):
            other.sendall(data)
    with suppress(OSError):
        other.shutdown(socket.SHUT_RDWR)


class Behind(Stand):
    """A stand whose workers see the store through a gate."""

    gate: Gate

    @property
    def variables(self) -> dict[str, str]:
        return {**super().variables, "UNBROKEN_STORE_URL": f"http://127.0.0.1:{self.gate.port}"}


@pytest.fixture
def gated(stand: Stand, tmp_path: Path) -> Iterator[tuple[Stand, Behind]]:
    """An installation whose day is 40 s: commands and the media worker go straight, the ledger worker through the gate."""
    prefix = f"e2e{secrets.token_hex(3)}"
    straight = Stand(folder=tmp_path, prefix=prefix, ports={"media": 19151})
    Behind.gate = Gate(urlsplit(Settings().store_url).port or 80)
    behind = Behind(folder=tmp_path, prefix=prefix, ports={"ledger": 19152})
    policy = tmp_path / "policy.toml"
    text = policy.read_text("utf-8").replace("deadline_s = 86400", f"deadline_s = {DEADLINE_S}")
    policy.write_text(text.replace("at_risk_before_s = 14400", "at_risk_before_s = 5"), "utf-8")
    straight.prepare()
    straight.start("media")
    behind.start("ledger")
    straight.ready("media")
    behind.ready("ledger")
    yield straight, behind
    behind.stop()
    straight.stop()
    asyncio.run(delete_topics(straight))


def test_a_store_that_is_away_over_the_deadline_is_its_cause(gated: tuple[Stand, Behind], tmp_path: Path) -> None:
    straight, behind = gated
    until(lambda: "unbroken_worm_probe_success 1.0" in metrics(behind, "ledger"), 90)
    behind.gate.shut()
    file = tmp_path / "session" / "talk.wav"
    file.parent.mkdir()
    file.write_bytes(beat_file(WallMs(time.time_ns() // 1_000_000)))

    words = ("--source", "vr-1", "--unit", "inspection", "--kind", "voice_recorder", "--recording", "talk-1")
    case = ("--case-name", "c", "--party", "p", "--recorded-date", "2026-11-24")
    straight.call("import", str(file.parent), *words, *case)
    time.sleep(DEADLINE_S + 10)
    behind.gate.is_open = True
    told = until(lambda: {one["state"]: one for one in breaches(straight, "vr-1")}, 120)

    assert (told["missed"]["cause"], told["missed"]["missing_fields"]) == ("store", [])
