"""``unbroken status`` as an operator reads it at three in the morning."""

from __future__ import annotations

from typing import Any

from pipeline.cli.status import STAGES, in_words, standings
from pipeline.wire import topics
from tests.wire.contract import validator

QUIET: dict[str, Any] = {
    "workers": [{"name": "media", "ready": True, "detail": None}, {"name": "ledger", "ready": True, "detail": None}],
    "stages": [{"name": name, "lag": 0, "quarantined": 0} for name in STAGES],
    "recordings": {"open": 1, "pending": 0, "archived": 5},
    "deadlines": {
        "tracked": 1,
        "at_risk": 0,
        "missed": 0,
        "next": {"recording_id": "r-1", "at": "2026-11-25T08:00:00.000Z", "state": "tracked"},
    },
}


def test_a_quiet_system_says_so() -> None:
    text = "\n".join(in_words(QUIET))

    assert list(validator("status.v1").iter_errors(QUIET)) == []
    assert "waiting" not in text.replace("nothing waiting", "")
    assert "next deadline: 2026-11-25T08:00:00.000Z for r-1" in text


def test_a_worker_that_is_down_is_named_with_the_command_that_starts_it() -> None:
    down = {**QUIET, "workers": [{"name": "media", "ready": False, "detail": "nobody answers on port 19101"}]}

    text = "\n".join(in_words(down))

    assert "nobody answers on port 19101; start it: unbroken worker media" in text


def test_what_waits_is_counted_per_stage_and_what_was_missed_is_said() -> None:
    busy = {
        **QUIET,
        "stages": [{"name": "archive", "lag": 12, "quarantined": 2}],
        "deadlines": {"tracked": 0, "at_risk": 0, "missed": 3, "next": None},
    }

    text = "\n".join(in_words(busy))

    assert "12 inputs waiting, 2 in quarantine: unbroken quarantine list" in text
    assert "deadlines missed: 3" in text
    assert "next deadline: none open" in text


def test_every_stage_with_state_is_shown() -> None:
    assert set(STAGES) == {"probe", *topics.STATEFUL_STAGES, "keeping", "breach"}


def test_a_count_of_zero_is_still_told() -> None:
    assert standings([]) == {"open": 0, "pending": 0, "archived": 0}
