"""``unbroken status`` as an operator reads it at three in the morning."""

from __future__ import annotations

from typing import Any

from pipeline.cli.status import STAGES, deadlines, gaps, in_words, rows, standings
from pipeline.domain.canary import CANARY_UNIT
from pipeline.domain.identity import RecordingId
from pipeline.wire import topics
from tests.builders import T0
from tests.domain.test_sla import DAY, HOUR, change
from tests.wire.contract import validator

QUIET: dict[str, Any] = {
    "workers": [{"name": "media", "ready": True, "detail": None}, {"name": "ledger", "ready": True, "detail": None}],
    "stages": [{"name": name, "lag": 0, "quarantined": 0} for name in STAGES],
    "recordings": {"open": 1, "pending": 0, "archived": 5},
    "deadlines": {
        "tracked": 1,
        "at_risk": 0,
        "missed": 0,
        "missed_today": 0,
        "next": {"recording_id": "r-1", "at": "2026-11-25T08:00:00.000Z", "state": "tracked"},
        "oldest": {"recording_id": "r-1", "at": "2026-11-25T08:00:00.000Z", "state": "tracked"},
    },
    "gaps": {"open": 0, "unexplained": 0, "to_review": 0},
    "quarantine": {"waiting": 0},
    "store": {"tried_at": "2026-11-24T06:00:00.000Z", "passed": True},
    "verified": {"parts": 672, "fresh": 672, "failures": 0, "oldest_at": "2026-10-28T06:00:00.000Z"},
    "not_known": [],
}


def test_a_quiet_system_says_so() -> None:
    text = "\n".join(in_words(QUIET))

    assert list(validator("status.v1").iter_errors(QUIET)) == []
    assert "waiting" not in text.replace("nothing waiting", "").replace("quarantine: 0 waiting", "")
    assert "NOT KNOWN" not in text
    assert "next deadline: 2026-11-25T08:00:00.000Z for r-1" in text


def test_a_worker_that_is_down_is_named_with_the_command_that_starts_it() -> None:
    down = {**QUIET, "workers": [{"name": "media", "ready": False, "detail": "nobody answers on port 19101"}]}

    text = "\n".join(in_words(down))

    assert "nobody answers on port 19101; start it: unbroken worker media" in text


def test_what_waits_is_counted_per_stage_and_what_was_missed_is_said() -> None:
    busy = {
        **QUIET,
        "stages": [{"name": "archive", "lag": 12, "quarantined": 2}],
        "deadlines": {"tracked": 0, "at_risk": 0, "missed": 3, "missed_today": 1, "next": None, "oldest": None},
    }

    text = "\n".join(in_words(busy))

    assert "12 inputs waiting, 2 in quarantine: unbroken quarantine list" in text
    assert "deadlines missed: 3" in text
    assert "deadlines at risk: 0, missed today: 1" in text
    assert "next deadline: none open" in text


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
        "gaps": None,
        "quarantine": None,
        "store": None,
        "verified": None,
        "not_known": [{"what": "deadlines", "why": "kafka does not answer, start it"}],
    }

    lines = in_words(dark)

    assert list(validator("status.v1").iter_errors(dark)) == []
    for part in ("recordings", "deadlines", "gaps", "quarantine", "store locks", "archive verified"):
        assert any(line.startswith(f"{part}: NOT KNOWN") for line in lines)
    assert all("NOT KNOWN" in line for line in lines if line.startswith("stage"))
    assert lines[-1] == "NOT KNOWN deadlines: kafka does not answer, start it"
    assert "0" not in "".join(lines)


def test_a_store_whose_locks_did_not_hold_is_told_with_what_follows() -> None:
    text = "\n".join(in_words({**QUIET, "store": {"tried_at": "2026-11-24T06:00:00.000Z", "passed": False}}))

    assert "store locks: DID NOT HOLD, nothing is archived" in text


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

    found = deadlines(changes, today)

    assert (found["tracked"], found["at_risk"], found["missed"], found["missed_today"]) == (1, 1, 3, 2)
    assert (found["next"]["recording_id"], found["oldest"]["recording_id"]) == ("a", "b")


def test_an_expectation_that_was_answered_is_not_the_oldest_for_ever() -> None:
    changes = [change("issued-1", "missed"), change("r", "late", stands_for=RecordingId("issued-1"))]

    assert deadlines(changes, (T0, T0 + DAY))["oldest"] is None


def test_gaps_are_counted_by_who_must_act() -> None:
    told = [{"state": "open", "review": "not_needed"}, {"state": "explained", "review": "waiting"}]

    assert gaps(told) == {"open": 1, "unexplained": 0, "to_review": 1}


def test_how_much_of_the_archive_was_read_back_is_told_and_what_failed_stands_out() -> None:
    some = {**QUIET, "verified": {"parts": 672, "fresh": 600, "failures": 2, "oldest_at": "2026-10-28T06:00:00.000Z"}}

    text = "\n".join(in_words(some))

    assert "archive verified: 672 of 672 parts are fresh" in "\n".join(in_words(QUIET))
    assert "archive verified: 600 of 672 parts are fresh, 2 FAILURES" in text
