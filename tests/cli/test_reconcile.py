"""``unbroken reconcile`` as it is read: what needs action first, each with what to do; a witness that is away is said to be."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipeline.cli.reconcile import Again, Heard, hear, in_words, report, to_say_again
from pipeline.connectors.journal import open_journal
from pipeline.domain.errors import BrokerUnavailable
from pipeline.domain.reconcile import Archive, Item, Journals, Topics, reconcile
from pipeline.settings import Settings
from pipeline.wire.codec import encode
from tests.builders import RECORDING, SOURCE, session_ended
from tests.connectors.test_journal import new
from tests.wire.contract import validator

LOST = Item(
    kind="not_announced",
    source_id="hall-1",
    recording_id="hall-1-a",
    connector="folder-1",
    numbers="3-7, 9",
    found="6 announcements",
)
ORPHAN = Item(kind="orphan", found="sha256/aa\x1b.ts")
AGREED = Heard(journals=Journals(), topics=Topics(), archive=Archive())


def test_witnesses_that_agree_say_so() -> None:
    assert in_words(AGREED, [], None) == ["journals, topics and archive agree"]


def test_an_item_is_named_with_what_to_do() -> None:
    told = in_words(AGREED, [LOST, ORPHAN], None)

    assert told[0] == "DO          not announced hall-1 hall-1-a announcements 3-7, 9 of folder-1"
    assert "unbroken reconcile --announce --write" in told[1]
    assert told[2] == "NOTE        orphan sha256/aa\\x1b.ts"


@pytest.mark.parametrize(("sent", "words"), [(False, "--write does it"), (True, "sent again: 2 announcements")])
def test_what_is_said_again_is_counted_and_whether_it_was(sent: bool, words: str) -> None:
    again = Again(segments=[b"", b""], statements=[b""], receipts=[], sent=sent)

    assert words in in_words(AGREED, [], again)[-1]


def test_nothing_is_said_again_on_one_witness_alone() -> None:
    heard = Heard(journals=Journals(), topics=None, archive=Archive(), away={"topics": "kafka does not answer"})

    with pytest.raises(BrokerUnavailable, match="kafka does not answer"):
        to_say_again(heard)


def test_journals_are_heard_while_everything_else_is_away(tmp_path: Path) -> None:
    settings = Settings(kafka="127.0.0.1:1", store_url="http://127.0.0.1:1", state=tmp_path)
    with open_journal(tmp_path / "journals", SOURCE, "folder") as journal:
        journal.see(new("/card/long.mp4").seen)
        journal.say("end-1", encode(session_ended()), ends=RECORDING, expected=0)

        heard = hear(settings, [tmp_path / "journals"])

    assert set(heard.away) == {"topics", "archive"}
    assert heard.journals is not None
    assert heard.journals.begun == ((SOURCE, "/card/long.mp4"),)
    assert [said.annotation_id for said in heard.journals.statements] == ["end-1"]
    assert {item.kind for item in reconcile(heard.journals, None, None)} == {"upload_broken_off", "not_covered"}


def test_a_folder_without_journals_is_a_witness_that_is_away(tmp_path: Path) -> None:
    settings = Settings(kafka="127.0.0.1:1", store_url="http://127.0.0.1:1", state=tmp_path)

    heard = hear(settings, [tmp_path])

    assert "no journals there" in heard.away["journals"]


def test_json_is_as_its_schema_says() -> None:
    away = Heard(away={"archive": "the store does not answer"})
    again = Again(segments=[b""], statements=[], receipts=[])
    made = [report(away, [LOST, ORPHAN], None), report(AGREED, [], again)]

    assert [error.message for one in made for error in validator("reconcile-report.v1").iter_errors(one)] == []
