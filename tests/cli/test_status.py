"""``unbroken status`` as an operator reads it at three in the morning."""

from __future__ import annotations

from typing import Any

from pipeline.cli.status import STAGES, cameras, deadlines, gaps, rows, standings
from pipeline.cli.status_screen import headline, in_words
from pipeline.domain.canary import CANARY_UNIT
from pipeline.domain.docket import SourceDeadlines
from pipeline.domain.duty import Camera
from pipeline.domain.identity import RecordingId, SourceId
from pipeline.domain.time import WallMs, from_rfc3339, to_rfc3339
from pipeline.wire import topics
from pipeline.wire.reports import Awaited
from tests.builders import T0
from tests.domain.test_sla import DAY, HOUR, change
from tests.wire.contract import validator

NOW = from_rfc3339("2026-11-24T09:30:00.000Z")
DUE: dict[str, Any] = {
    "recording_id": "r-1",
    "source_id": "bwc-1",
    "at": "2026-11-25T08:00:00.000Z",
    "state": "tracked",
    "progress": "described",
    "missing_fields": [],
}
QUIET: dict[str, Any] = {
    "workers": [{"name": "media", "ready": True, "detail": None}, {"name": "ledger", "ready": True, "detail": None}],
    "stages": [{"name": name, "lag": 0, "quarantined": 0} for name in STAGES],
    "recordings": {"open": 1, "pending": 0, "archived": 5},
    "deadlines": {
        "tracked": 1,
        "at_risk": 0,
        "missed": 0,
        "missed_today": 0,
        "next": DUE,
        "oldest": DUE,
    },
    "gaps": {"open": 0, "unexplained": 0, "to_review": 0},
    "cameras": {"silent": []},
    "quarantine": {"waiting": 0},
    "store": {"tried_at": "2026-11-24T06:00:00.000Z", "passed": True},
    "verified": {"parts": 672, "fresh": 672, "failures": 0, "oldest_at": "2026-10-28T06:00:00.000Z"},
    "not_known": [],
}


def test_a_quiet_system_says_so() -> None:
    text = "\n".join(in_words(QUIET, NOW))

    assert list(validator("status.v1").iter_errors(QUIET)) == []
    assert "waiting" not in text.replace("nothing waiting", "").replace("quarantine: 0 waiting", "")
    assert "NOT KNOWN" not in text
    assert text.startswith("all in order, nothing waits for anybody\n")
    assert "next deadline: r-1 in 22 h 30 min (2026-11-25 08:00 UTC): not archived yet" in text
    assert [line for line in text.splitlines() if line.startswith("stage")] == [
        f"stages {', '.join(STAGES)}: nothing waiting"
    ]


def test_what_needs_somebody_comes_first_and_what_can_wait_for_the_day_comes_second() -> None:
    night = {
        **QUIET,
        "workers": QUIET["workers"][:1],
        "deadlines": {**QUIET["deadlines"], "at_risk": 2, "missed_today": 1},
        "gaps": {"open": 1, "unexplained": 3, "to_review": 0},
        "quarantine": {"waiting": 4},
        "store": {"tried_at": "2026-11-24T06:00:00.000Z", "passed": False},
    }

    assert headline(night) == [
        "NEEDS SOMEBODY NOW: no ledger worker is ready; 2 at risk of missing the deadline; the store's locks did not hold",
        "for the day: 1 missed today; 4 in quarantine; 3 gaps unexplained",
    ]


def test_a_deadline_that_waits_for_case_data_says_which_and_how_to_give_them() -> None:
    due = {**DUE, "progress": "verified", "missing_fields": ["case_name", "party_name"]}
    late = {**due, "recording_id": "r-0", "at": "2026-11-24T09:25:00.000Z", "state": "missed"}

    text = "\n".join(in_words({**QUIET, "deadlines": {**QUIET["deadlines"], "next": due, "oldest": late}}, NOW))

    assert (
        "next deadline: r-1 in 22 h 30 min (2026-11-25 08:00 UTC): case data missing: case_name, party_name; `unbroken describe r-1 --source bwc-1`"
        in text
    )
    assert "oldest not complete: MISSED r-0 5 min ago (2026-11-24 09:25 UTC)" in text


def test_a_worker_that_is_down_is_named_with_the_command_that_starts_it() -> None:
    down = {**QUIET, "workers": [{"name": "media", "ready": False, "detail": "nobody answers on port 19101"}]}

    text = "\n".join(in_words(down, NOW))

    assert "nobody answers on port 19101; start it: unbroken worker media" in text


def test_what_a_worker_waits_for_is_said_beside_its_being_ready() -> None:
    media, ledger = QUIET["workers"]
    full = {**QUIET, "workers": [media, {**ledger, "detail": "the store is full, give it room"}]}

    lines = in_words(full, NOW)

    assert list(validator("status.v1").iter_errors(full)) == []
    assert lines[0] == "NEEDS SOMEBODY NOW: the ledger worker waits: the store is full, give it room"
    assert "worker ledger: ready; waits: the store is full, give it room" in lines


def test_what_waits_is_counted_per_stage_and_what_was_missed_is_said() -> None:
    busy = {
        **QUIET,
        "stages": [{"name": "archive", "lag": 12, "quarantined": 2}],
        "deadlines": {"tracked": 0, "at_risk": 0, "missed": 3, "missed_today": 1, "next": None, "oldest": None},
    }

    text = "\n".join(in_words(busy, NOW))

    assert "stage archive: 12 waiting, 2 in quarantine" in text
    assert "deadlines missed in all: 3" in text
    assert "deadlines: 0 at risk, 1 missed today, 0 open" in text
    assert "next deadline: none open" in text


def test_a_silent_camera_is_named_with_its_unit_the_longest_silent_first_and_ten_of_them_at_most() -> None:
    states = [
        SourceDeadlines(
            source_id=SourceId(f"hall-{number}"), camera=Camera(unit="service-hall", silent_since=WallMs(T0 - number))
        )
        for number in range(1, 12)
    ]
    heard = SourceDeadlines(source_id=SourceId("hall-12"), camera=Camera(unit="service-hall"))

    found = {**QUIET, "cameras": cameras([heard, *states])}
    lines = in_words(found, WallMs(T0 + HOUR))

    first = lines.index("cameras silent: 11") + 1
    assert list(validator("status.v1").iter_errors(found)) == []
    assert found["cameras"]["silent"][0]["since"] == to_rfc3339(WallMs(T0 - 11))
    assert lines[first].startswith("  hall-11 of service-hall, since 1 h 1 min ago")
    assert "11 cameras silent" in lines[0]
    assert lines[first + 10] == "  and 1 more: --json names all"


def test_every_stage_with_state_is_shown() -> None:
    assert set(STAGES) == {"probe", *topics.STATEFUL_STAGES, "keeping", "breach"}


def test_a_count_of_zero_is_still_told() -> None:
    assert standings([]) == {"open": 0, "pending": 0, "archived": 0}


def test_what_could_not_be_asked_is_not_known_and_never_zero() -> None:
    dark = {
        **QUIET,
        "stages": rows(None, None),
        "recordings": None,
        "deadlines": None,
        "cameras": None,
        "gaps": None,
        "quarantine": None,
        "store": None,
        "verified": None,
        "not_known": [{"what": "deadlines", "why": "kafka does not answer, start it"}],
    }

    lines = in_words(dark, NOW)

    assert list(validator("status.v1").iter_errors(dark)) == []
    for part in ("recordings", "deadlines", "gaps", "cameras silent", "quarantine", "store locks", "archive verified"):
        assert any(line.startswith(f"{part}: NOT KNOWN") for line in lines)
    assert all("NOT KNOWN" in line for line in lines if line.startswith("stage"))
    assert lines[-1] == "NOT KNOWN deadlines: kafka does not answer, start it"
    assert lines[0] == "NEEDS SOMEBODY NOW: NOT KNOWN, see below: deadlines"
    assert "0" not in "".join(lines)


def test_a_store_whose_locks_did_not_hold_is_told_with_what_follows() -> None:
    text = "\n".join(in_words({**QUIET, "store": {"tried_at": "2026-11-24T06:00:00.000Z", "passed": False}}, NOW))

    assert "store locks: DID NOT HOLD when tried 3 h 30 min ago (2026-11-24 06:00 UTC); nothing is archived" in text


def test_deadlines_are_counted_by_their_last_word_and_those_of_today_by_their_date() -> None:
    today = (T0 + DAY, T0 + 2 * DAY)
    changes = [
        change("a", "tracked", ended=2 * HOUR),
        change("a", "at_risk", ended=2 * HOUR),
        change("b", "missed"),
        change("c", "missed", ended=-2 * HOUR),
        change("c", "late", ended=-2 * HOUR, progress="archived"),
        change("d", "expected", ended=5 * HOUR),
        change("e", "missed", ended=3 * HOUR),
        change("e", "late", ended=3 * HOUR, progress="archived"),
        change("f", "met"),
        change("canary-1", "missed", unit=CANARY_UNIT),
    ]

    found = deadlines(changes, today, {RecordingId("a"): Awaited("verified", ("case_name",))})

    assert (found["tracked"], found["at_risk"], found["missed"], found["missed_today"]) == (1, 1, 3, 2)
    assert (found["next"]["recording_id"], found["oldest"]["recording_id"]) == ("a", "b")
    assert (found["next"]["progress"], found["next"]["missing_fields"]) == ("verified", ["case_name"])
    assert (found["oldest"]["progress"], found["oldest"]["missing_fields"]) == (None, [])


def test_an_expectation_that_was_answered_is_not_the_oldest_for_ever() -> None:
    changes = [change("issued-1", "missed"), change("r", "late", stands_for=RecordingId("issued-1"))]

    assert deadlines(changes, (T0, T0 + DAY), {})["oldest"] is None


def test_gaps_are_counted_by_who_must_act() -> None:
    told = [{"state": "open", "review": "not_needed"}, {"state": "explained", "review": "waiting"}]

    assert gaps(told) == {"open": 1, "unexplained": 0, "to_review": 1}


def test_how_much_of_the_archive_was_read_back_is_told_and_what_failed_stands_out() -> None:
    some = {**QUIET, "verified": {"parts": 672, "fresh": 600, "failures": 2, "oldest_at": "2026-10-28T06:00:00.000Z"}}

    text = "\n".join(in_words(some, NOW))

    assert "archive verified: 672 of 672 parts read back in the policy's time" in "\n".join(in_words(QUIET, NOW))
    assert "archive verified: 600 of 672 parts read back in the policy's time" in text
    assert ", 2 FAILURES: see UnbrokenVerifyFailed" in text
