"""Reports from an archive made by the stages' own code: what they say, who signed it, and that a day is reported once."""

from __future__ import annotations

import base64
import hashlib
import json
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, date
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from pipeline.adapters.signing import verify
from pipeline.domain.breach import breach_document, breach_key
from pipeline.domain.canonical import canonical
from pipeline.domain.docket import DeadlineChanged
from pipeline.domain.errors import StoreUnavailable
from pipeline.domain.identity import RecordingId, Sha256
from pipeline.domain.time import WallMs, from_rfc3339
from pipeline.domain.tracked import DeadlineState
from pipeline.steps.shelf import shelf_of
from pipeline.steps.sla import DAYS_BACK, DailyReports, Heard, Period, SlaStep, day_of, decided_at
from tests.builders import SOURCE, T0, policy
from tests.builders_archive import Trusting, signer
from tests.steps.archived import FIRST, SECOND, THIRD, Archive
from tests.wire.contract import validator

POLICY = policy()
HOUR = 3600_000
DAY = date(2026, 11, 24)
DECIDED = decided_at(day_of(DAY, UTC), POLICY)


class Told:
    """A clock that is set."""

    def __init__(self, at: int = DECIDED) -> None:
        self.at = at

    def now(self) -> WallMs:
        return WallMs(self.at)


def change(name: str, state: DeadlineState, unit: str = "service-hall") -> DeadlineChanged:
    return DeadlineChanged(
        source_id=SOURCE,
        source_kind="cctv",
        unit=unit,
        recording_id=RecordingId(name),
        at=WallMs(T0 + HOUR + POLICY.deadline_s * 1000),
        state=state,
        changed_at=WallMs(T0 + 2 * HOUR),
        cause="not_docked" if state == "missed" else None,
    )


CHANGES = [change(FIRST, "met"), change(SECOND, "met"), change(THIRD, "met"), change("gone", "missed", "Team 2")]


def step(archive: Archive, clock: Told, changes: Sequence[DeadlineChanged] = CHANGES) -> SlaStep:
    def hear(_: Period) -> Heard:
        return Heard(changes=changes, said=(), cameras={})

    return SlaStep(
        store=archive.store,
        hear=hear,
        signer=signer(),
        clock=clock,
        policy=POLICY,
        records="records",
        software="unbroken test",
        zone=UTC,
    )


@pytest.fixture(scope="module")
def archive() -> Archive:
    return Archive()


def test_the_report_tells_what_the_archive_holds_and_what_it_lacks(archive: Archive) -> None:
    made_by = step(archive, Told())
    period = day_of(DAY, UTC)

    made = made_by.report(made_by.facts(period, None), period, None)

    items = {item.recording_id: item for item in made.recordings}
    assert {name: item.outcome for name, item in items.items()} == {
        FIRST: "met", SECOND: "met", THIRD: "met", "gone": "missed",
    }  # fmt: skip
    assert (items[RecordingId("gone")].archived_at, items[RecordingId("gone")].verdict) == (None, None)
    assert items[SECOND].archived_at is not None
    assert made.complete


def test_the_signature_is_the_keys_and_the_document_as_its_schema_says(archive: Archive) -> None:
    made_by = step(archive, Told())
    period = day_of(DAY, UTC)

    data = made_by.sign(made_by.report(made_by.facts(period, None), period, None))

    parsed = json.loads(data)
    assert data == canonical(parsed)
    assert [f"{error.json_path}: {error.message}" for error in validator("sla-report.v1").iter_errors(parsed)] == []
    signature = base64.b64decode(parsed.pop("signature"))
    assert verify(signer().public, canonical(parsed), signature)
    parsed["totals"]["missed"] = 0
    assert not verify(signer().public, canonical(parsed), signature)


def test_misses_the_broker_has_forgotten_are_told_from_their_records() -> None:
    archive = Archive()
    miss = change("gone", "missed", "Team 2")
    data = breach_document(miss)
    digest = Sha256(hashlib.sha256(data).hexdigest())
    archive.store.put_bytes("records", breach_key(miss), data, digest, retain_until=DECIDED)
    made_by, period = step(archive, Told(), changes=[]), day_of(DAY, UTC)
    forgetful = replace(made_by, hear=lambda _: Heard(changes=[], said=(), cameras={}, not_known=("met ones",)))

    assert made_by.report(made_by.facts(period, None), period, None).totals.missed == 0
    made = forgetful.report(forgetful.facts(period, None), period, None)
    assert (made.totals.missed, made.not_known) == (1, ("met ones",))


@pytest.mark.parametrize(("early_ms", "written"), [(1, False), (0, True), (-1, True)])
def test_a_day_is_reported_once_all_its_deadlines_are_decided(early_ms: int, written: bool) -> None:
    keys = step(Archive(), Told(DECIDED - early_ms)).keep_days()

    assert keys == (
        [
            "reports/2026-11-24/unit-Team_202.json",
            "reports/2026-11-24/unit-service-hall.json",
            "reports/2026-11-24/all.json",
        ]
        if written
        else []
    )


def test_a_day_is_reported_once_and_locked_and_no_stranger_to_the_archive() -> None:
    archive, clock = Archive(), Told()
    first = step(archive, clock).keep_days()
    before = archive.store.read("records", first[0])
    clock.at += HOUR

    again = step(archive, clock, changes=[]).keep_days()

    assert (again, archive.store.read("records", first[0])) == ([], before)
    assert archive.store.stat("records", first[0]).lock_mode == "COMPLIANCE"
    assert shelf_of(archive.store, "records").extra == []


def test_of_two_workers_that_report_the_same_day_the_first_report_is_the_one() -> None:
    archive = Archive()
    keys = step(archive, Told()).keep_days()
    data = {key: archive.store.read("records", key) for key in keys}
    later = step(archive, Told(DECIDED + HOUR))

    assert later._keep_day(DAY, day_of(DAY, UTC)) == []
    assert {key: archive.store.read("records", key) for key in keys} == data


def test_days_a_worker_missed_are_made_up_for_and_days_without_anything_get_none() -> None:
    assert len(step(Archive(), Told(DECIDED + 4 * 24 * HOUR)).keep_days()) == 3
    assert step(Archive(), Told(DECIDED + 9 * 24 * HOUR)).keep_days() == []
    assert step(Archive(), Told(), changes=[]).keep_days() == []


def test_a_day_with_an_open_deadline_is_waited_for_and_reported_as_it_stands_in_the_end() -> None:
    open_ = [*CHANGES[:-1], change("gone", "tracked", "Team 2")]
    last_look = DECIDED + (DAYS_BACK - 2) * 24 * HOUR

    waiting = step(Archive(), Told(last_look - 24 * HOUR), changes=open_).keep_days()
    decided = step(Archive(), Told(last_look - 24 * HOUR)).keep_days()
    archive = Archive()
    in_the_end = step(archive, Told(last_look), changes=open_).keep_days()

    assert (waiting, len(decided), len(in_the_end)) == ([], 3, 3)
    assert json.loads(archive.store.read("records", in_the_end[-1]))["complete"] is False


def test_nothing_is_written_to_a_store_that_is_not_trusted_and_an_error_ends_nothing() -> None:
    heard: list[object] = []
    trust = Trusting()
    reports = DailyReports(step(Archive(), Told()), trust, 1, heard.append)
    trust.why = "the last try failed"
    reports.look()
    trust.why = ""
    reports.look()

    away = StoreUnavailable("no answer")
    broken = DailyReports(step(Archive(), Told()), trust, 1, heard.append)
    object.__setattr__(broken._step, "hear", lambda _: (_ for _ in ()).throw(away))
    broken.look()

    assert [len(one) if isinstance(one, list) else one for one in heard] == [3, away]


@pytest.mark.parametrize(
    ("day", "zone", "start", "hours"),
    [
        ("2026-11-24", "Asia/Shanghai", "2026-11-23T16:00:00.000Z", 24),
        ("2026-03-29", "Europe/Berlin", "2026-03-28T23:00:00.000Z", 23),
        ("2026-10-25", "Europe/Berlin", "2026-10-24T22:00:00.000Z", 25),
    ],
)
def test_a_day_is_the_sites_own_whatever_its_clock_does(day: str, zone: str, start: str, hours: int) -> None:
    first, last = day_of(date.fromisoformat(day), ZoneInfo(zone))

    assert (first, last - first) == (from_rfc3339(start), hours * HOUR)


def test_the_steps_for_a_judge_are_those_of_the_page(archive: Archive, tmp_path: Path) -> None:
    """The listing in docs/sla.md, run on a report and on one that was changed."""
    page = (Path(__file__).parents[2] / "docs/sla.md").read_text("utf-8")
    listing = page.split("```python\n")[1].split("```")[0]
    made_by = step(archive, Told())
    period = day_of(DAY, UTC)
    data = made_by.sign(made_by.report(made_by.facts(period, None), period, None))
    (tmp_path / "key.pub.pem").write_bytes(signer().public_pem)

    assert _run(listing, tmp_path, data) == 0
    assert _run(listing, tmp_path, data.replace(b'"missed":1', b'"missed":0')) != 0


def _run(listing: str, folder: Path, data: bytes) -> int:
    (folder / "report.json").write_bytes(data)
    command = [sys.executable, "-c", listing, "report.json", "key.pub.pem"]
    return subprocess.run(command, cwd=folder, capture_output=True, check=False, timeout=60).returncode
