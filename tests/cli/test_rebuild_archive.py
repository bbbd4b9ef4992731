"""``unbroken rebuild --from-archive`` as it is read: what is known, what is left out, and the next command."""

from __future__ import annotations

import pytest

from pipeline.cli.rebuild_archive import Restored, in_words, report
from pipeline.domain.rebuild import rebuild
from tests.builders import SOURCE, policy
from tests.domain.test_rebuild import a_day
from tests.wire.contract import validator

KNOWN = a_day().known()
WHOLE = Restored(
    source_id=SOURCE,
    recordings=2,
    open=2,
    links=12,
    left_out=0,
    faults=(),
    rebuilt=rebuild(SOURCE, KNOWN, (), policy()),
)
CUT = WHOLE._replace(left_out=2, faults=("hall-1-a: link 3: expected link 3, found link 5",))


@pytest.mark.parametrize(
    ("written", "following"), [(False, "the same with --write"), (True, "unbroken reconcile --announce --write")]
)
def test_the_last_line_is_the_next_command(written: bool, following: str) -> None:
    told = in_words([WHOLE], written=written)

    assert told[0] == "hall-1: 2 recordings, 2 open, 12 links"
    assert following in told[-1]


def test_what_is_not_gone_on_from_is_told_with_both_sides() -> None:
    told = in_words([CUT], written=False)

    assert "2 links of items cut in half or behind a contradiction left out" in told[0]
    assert told[1] == "    CONTRADICTS hall-1-a: link 3: expected link 3, found link 5"


def test_an_empty_archive_lets_workers_start() -> None:
    assert in_words([], written=True) == ["the archive holds nothing yet: workers may start on empty topics"]


def test_json_is_as_its_schema_says() -> None:
    made = [report([], written=True), report([WHOLE, CUT], written=False)]

    assert [error.message for one in made for error in validator("rebuild-archive-report.v1").iter_errors(one)] == []
    assert made[1][0]["position"] == WHOLE.rebuilt.continuity.position > 0
