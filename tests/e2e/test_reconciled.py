"""A connector killed between the store and the broker: what it put and nobody heard of is found, announced once, archived."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from infra.native.daemon import child_pid
from pipeline.demo.footage import Shot
from pipeline.demo.stand import Stand, import_words
from pipeline.wire import topics
from tests.e2e.ceph import Quotas
from tests.e2e.conftest import Film
from tests.e2e.test_bad_input import _whole
from tests.e2e.test_deadlines import metrics, until
from tests.e2e.test_kills import service
from tests.oracle.look import events, journals, settled

pytestmark = pytest.mark.stack

DATE = "2026-11-24"


@contextmanager
def _silent_broker() -> Iterator[None]:
    """The broker is there and says nothing."""
    pid = child_pid(service("kafka"))
    assert pid is not None
    os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(pid, signal.SIGCONT)


def _undelivered(stand: Stand, shot: Shot) -> int:
    return sum(journal.undelivered for journal in journals(stand.folder / "journals", {shot.source_id}))


def _about(stand: Stand, shot: Shot, *words: str) -> tuple[set[str], dict[str, Any]]:
    """What ``unbroken reconcile`` says of the shot's source that is not only on its way, and the whole report."""
    report: dict[str, Any] = json.loads(stand.call("reconcile", *words, "--json", allowed=(0, 1)))
    mine = [item for item in report["items"] if item["source_id"] == shot.source_id]
    return {item["kind"] for item in mine if item["level"] != "waits"}, report


def test_what_was_put_and_never_announced_is_found_announced_and_archived_and_then_nothing_is_left_to_do(
    working: Stand, film: Film, tmp_path: Path, quotas: Quotas
) -> None:
    shot, bucket = _whole(film()), working.settings().originals
    until(lambda: "unbroken_worm_probe_success 1.0" in metrics(working, "ledger"), 90)
    command = [sys.executable, "-m", "pipeline.cli", *import_words(shot, shot.files, DATE)]
    log = tmp_path / "import.log"

    quotas.use_up(bucket)  # holds the import until the broker is silent
    with log.open("wb") as said:
        importing = subprocess.Popen(command, env=working.environment(), stdout=said, stderr=said)
    until(lambda: "intake.waiting" in log.read_text("utf-8"), 30)
    with _silent_broker():
        quotas.lift(bucket)
        until(lambda: _undelivered(working, shot), 30)
        importing.kill()
        importing.wait()
    found, report = _about(working, shot, "--announce", "--write")
    landed = [event.announcement for event in events(working, topics.LANDED) if event.source_id == shot.source_id]
    working.bring_in(shot, shot.files, DATE)  # says that the recording is over, which nobody had
    verdict = settled(working, shot.truths)
    left, again = _about(working, shot, "--announce", "--write")

    assert (found, landed) == ({"not_announced"}, [1])
    assert report["announced"] == {"segments": 1, "statements": 0, "receipts": 0, "sent": True}
    assert (left, again["announced"]["segments"]) == (set(), 0)
    assert (verdict.wrong, verdict.extra) == ([], 0)
