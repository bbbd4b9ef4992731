"""The words of ``unbroken check``: as much is said in one language as in the other."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import fields
from typing import get_args

import pytest

from pipeline.cli import check_groups, check_read
from pipeline.cli.check import WORDS
from pipeline.cli.check_chinese import CHINESE
from pipeline.cli.check_english import ENGLISH
from pipeline.cli.check_words import Words, found, length, reason, say, untested
from pipeline.connectors import folder, names
from pipeline.domain.check import Observation
from pipeline.domain.findings import Evidence, FindingKind, Level
from pipeline.domain.grounds import Untested, UntestedWhy
from pipeline.domain.probe import MediaKind, StreamKind
from pipeline.domain.recording import Verdict
from pipeline.domain.statement import Language
from pipeline.domain.time import ClockOrigin

GROUPS = {
    "verdicts": Verdict,
    "headline": Verdict,
    "levels": Level,
    "evidence": Evidence,
    "streams": StreamKind,
    "media": MediaKind,
    "kinds": FindingKind,
    "why_untested": UntestedWhy,
    "origins": ClockOrigin,
}


def spoken(words: Words) -> Iterator[tuple[str, str]]:
    """Every word of a language with where it stands; the reasons are a list of its own."""
    for field in fields(words):
        value = getattr(words, field.name)
        if field.name == "reasons":
            continue
        entries = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, tuple) else []
        if isinstance(value, str):
            yield field.name, value
        for key, entry in entries:
            if isinstance(entry, str):
                yield f"{field.name}.{key}", entry
            else:
                yield from ((f"{field.name}.{key}.{place}", text) for place, text in enumerate((*entry[:2], *entry[2])))


def test_both_languages_say_the_same_things_with_the_same_values() -> None:
    english, chinese = dict(spoken(ENGLISH)), dict(spoken(CHINESE))
    values = {
        where: (set(re.findall(r"{(\w+)}", text)), set(re.findall(r"{(\w+)}", chinese[where])))
        for where, text in english.items()
    }

    assert english.keys() == chinese.keys()
    assert {where: pair for where, pair in values.items() if pair[0] != pair[1]} == {}


def test_no_chinese_word_was_left_in_english_nor_the_other_way() -> None:
    han = re.compile(r"[\u3400-\u9fff]")
    signs = {"tag", "comma", "colon", "joined"}
    bare = {"other_reason", "stream", "why_untested.unread", "headline.interrupted"}

    left = [where for where, text in spoken(CHINESE) if not han.search(text) and where not in signs | bare]

    assert left == []
    assert [where for where, text in spoken(ENGLISH) if han.search(text)] == []


@pytest.mark.parametrize("language", get_args(Language))
def test_every_kind_of_thing_has_its_word(language: Language) -> None:
    words = WORDS[language]

    missing = {name: set(get_args(of)) - set(getattr(words, name)) for name, of in GROUPS.items()}

    assert not any(missing.values()), missing
    assert set(words.clocks) == {"identity", "media_clock", "wall_clock", "none"}


def test_every_reason_a_file_is_left_out_is_said_in_chinese() -> None:
    told = [*check_read._REASONS.values(), check_read._EMPTY, check_read._CHANGED, "not found"]
    told += [*folder._OS_REASONS.values(), *names._SIDE.values(), "not a regular file"]
    told += [check_groups._ELSEWHERE, check_groups._NO_INIT, check_groups._INITS]
    told += [
        "not media by its name (.txt) nor by its first bytes",
        "none of the 12 files it names is there: copy them beside it",
        "an init segment: it describes 3 of the files and holds no media itself",
        "a list of files that are not here",
        "a list of more than 64 MiB: no recorder writes such",
        "a master playlist, which names lists and no files: check one of a.m3u8, b.m3u8",
        "a list without entries; line 3: no time",
        "encrypted (AES-128): decrypt it with the key its list names, and check again",
    ]

    left = [text for text in told if "系统原文" in reason(CHINESE, text)]

    assert left == []
    assert "12" in reason(CHINESE, "none of the 12 files it names is there: copy them beside it")
    assert "AES-128" in reason(CHINESE, told[-1])
    assert [reason(ENGLISH, text) for text in told] == told


def test_a_reason_nobody_foresaw_is_kept_in_its_own_words() -> None:
    assert reason(CHINESE, "cannot be read: Stale file handle").endswith("cannot be read: Stale file handle")


@pytest.mark.parametrize(
    ("ms", "english", "chinese"),
    [
        (0, "0.000 s", "0.000 秒"),
        (59_999, "59.999 s", "59.999 秒"),
        (60_000, "1 min 00.000 s", "1 分 00.000 秒"),
        (3_600_001, "1 h 0 min 00.001 s", "1 小时 0 分 00.001 秒"),
    ],
)
def test_lengths_are_said_to_the_millisecond(ms: int, english: str, chinese: str) -> None:
    assert (length(ENGLISH, ms), length(CHINESE, ms)) == (english, chinese)


def observation(kind: FindingKind, size_ms: int | None, how_many: int | None) -> Observation:
    return Observation(
        kind, "note", "bytes", "this", "that", None, None, None, None, None, None, size_ms, how_many, None
    )  # fmt: skip


@pytest.mark.parametrize("language", get_args(Language))
@pytest.mark.parametrize("kind", get_args(FindingKind))
@pytest.mark.parametrize(("size_ms", "how_many"), [(None, None), (1500, None), (None, 12), (1500, 12)])
def test_a_finding_is_said_whichever_numbers_it_has(
    language: Language, kind: FindingKind, size_ms: int | None, how_many: int | None
) -> None:
    text = found(WORDS[language], observation(kind, size_ms, how_many))

    assert text
    assert "{" not in text
    assert "None" not in text


@pytest.mark.parametrize("language", get_args(Language))
@pytest.mark.parametrize("why", get_args(UntestedWhy))
def test_what_was_not_tested_is_said_with_a_strangers_names_as_they_are(language: Language, why: UntestedWhy) -> None:
    item = Untested(why, ("{reason}.mp4", "b", "c", "d"), how_many=2, size_ms=2000, reason="0 bytes")

    text = untested(WORDS[language], item)

    assert "None" not in text
    assert ("{reason}.mp4" in text) == ("{files}" in WORDS[language].why_untested[why])


def test_one_and_many() -> None:
    assert [say("{count} gap|{count} gaps", count=count) for count in (0, 1, 1200)] == ["0 gaps", "1 gap", "1,200 gaps"]
