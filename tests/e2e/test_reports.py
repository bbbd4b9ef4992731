"""What people say and what is reported of a demo's footage, on real services: the report equals the planted truth, with
Prometheus or without it, it is as signed, and tables and requests that are repeated change nothing."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from pipeline.demo.stand import Stand, port_offset
from pipeline.demo.truth import Truth
from tests.e2e.conftest import Film, signed_by_the_key_of
from tests.e2e.monitor import Monitor
from tests.oracle.look import settled

pytestmark = pytest.mark.stack

DATE = "2026-11-24"
TOKEN = "a-token-of-twenty-chars"
PORT = 19143 + port_offset()


def test_the_report_equals_the_planted_truth_and_what_is_said_twice_changes_nothing(
    working: Stand, film: Film, tmp_path: Path
) -> None:
    shots = film()
    for shot in shots:
        working.announce_window(shot)
        working.bring_in(shot, (*shot.files, *shot.late), DATE)
    truths = [truth for shot in shots for truth in shot.truths]
    assert settled(working, truths).wrong == []

    with Monitor(tmp_path / "monitor", list(working.ports.values())) as monitor:
        monitor.wait(lambda: monitor.ask('up{job="unbroken-worker"} == 1'), 30, "worker that is watched")
        watched = _report(working)
        monitor.end("prometheus")
        made = _report(working)
    assert _differences(truths, made) == []
    assert {name for name in made if made[name] != watched[name]} == {"made_at", "signature"}
    signed_by_the_key_of(working, made)

    told = next(truth for truth in truths if truth.kind == "body_camera")
    table = tmp_path / "cases.csv"
    table.write_text(_table(told, "118"), "utf-8")
    first = json.loads(working.call("cases", "import", str(table), "--json"))
    again = json.loads(working.call("cases", "import", str(table), "--json"))
    assert (first["sent"], again["sent"], again["refused"]) == (1, 0, 0)
    exported = working.call("cases", "export")
    assert told.recording_id in exported
    assert "118" in exported

    with _served(working):
        said = {
            "annotation_id": f"case-system-{told.recording_id}",
            "kind": "metadata",
            "source_id": told.source_id,
            "recording_id": told.recording_id,
            "made_by": "Case Office",
            "metadata": {"extra": [["case_no", "119"]]},
        }
        assert [_post(said)[0], _post(said)[0], _post({**said, "made_by": ""})[0]] == [200, 200, 422]
        status, told = _post({**said, "metadata": {"extra": [["case_no", "120"]]}})
        assert (status, told["statements"][0]["said"][0]["rule"]) == (422, "same_words")
        assert "metadata.extra.case_no '119', now '120'" in told["statements"][0]["said"][0]["text"]
    assert _eventually(lambda: "119" in working.call("cases", "export"))


def _report(stand: Stand) -> dict[str, Any]:
    today = datetime.now(UTC).date()
    days = ("--from", (today - timedelta(days=2)).isoformat(), "--to", (today + timedelta(days=1)).isoformat())
    made: dict[str, Any] = json.loads(stand.call("sla", "report", *days, "--json", allowed=(0, 1)))
    assert "<table>" in stand.call("sla", "report", *days, "--html", "--lang", "zh", allowed=(0, 1))
    return made


def _differences(truths: Sequence[Truth], made: Mapping[str, Any]) -> list[str]:
    """Where the report differs from the truth, for the recordings the truth is about."""
    names = {truth.recording_id for truth in truths}
    items = {item["recording_id"]: item for item in made["recordings"] if item["recording_id"] in names}
    found = [f"{name}: not reported" for name in sorted(names - set(items))]
    for truth in truths:
        item = items.get(truth.recording_id)
        if item is None:
            continue
        gaps = [gap for gap in made["gaps"] if gap["recording_id"] == truth.recording_id]
        sides = {
            "outcome": ("met" if truth.deadline == "met" else "open", item["outcome"]),
            "verdict": (truth.verdict, item["verdict"]),
            "unit": (truth.unit, item["unit"]),
            "gaps": ([gap.state == "explained" for gap in truth.gaps], [gap["explained"] for gap in gaps]),
            "reasons": ([gap.reason for gap in truth.gaps], [gap["reason"] for gap in gaps]),
        }
        found += [f"{truth.recording_id} {name}: {want} != {got}" for name, (want, got) in sides.items() if want != got]
    return found


def _table(told: Truth, case_no: str) -> str:
    head = "记录编号,设备编号,案件名称,当事人,记录日期,案件编号"
    return f"{head}\n{told.recording_id},{told.source_id},无证经营,某公司,{DATE},{case_no}\n"


@contextmanager
def _served(stand: Stand) -> Iterator[None]:
    ours = {"UNBROKEN_STATEMENTS_TOKEN": TOKEN, "UNBROKEN_STATEMENTS_PORT": str(PORT)}
    server = subprocess.Popen(
        [sys.executable, "-m", "pipeline.cli", "serve"], env={**os.environ, **stand.variables, **ours}
    )
    try:
        assert _eventually(_lives)
        yield
    finally:
        server.terminate()
        assert server.wait(30) == 0


def _lives() -> bool:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{PORT}/livez", timeout=2) as answer:
            return bool(answer.status == 200)
    except OSError:
        return False


def _post(said: Mapping[str, Any]) -> tuple[int, Any]:
    request = urllib.request.Request(
        f"http://127.0.0.1:{PORT}/v1/statements",
        data=json.dumps(said).encode(),
        headers={"Authorization": f"Bearer {TOKEN}", "Content-Type": "application/json"},
    )
    try:
        with urllib.request.urlopen(request, timeout=30) as answer:
            return answer.status, json.load(answer)
    except urllib.error.HTTPError as exc:
        return exc.code, json.load(exc)


def _eventually(holds: Any, patience_s: float = 30) -> bool:
    until = time.monotonic() + patience_s
    while not holds():
        if time.monotonic() > until:
            return False
        time.sleep(0.3)
    return True
