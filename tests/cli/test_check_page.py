"""The page of ``unbroken check --report``: it says what the JSON says, to people, and nothing in it is a stranger's code."""

from __future__ import annotations

import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from typer.testing import CliRunner

from pipeline.cli import build
from pipeline.cli.check import WORDS
from pipeline.cli.check_chinese import CHINESE
from pipeline.cli.check_english import ENGLISH
from pipeline.cli.check_page import Made, page, refused, write
from pipeline.cli.check_screen import report
from pipeline.cli.check_words import Words
from pipeline.cli.markup import tag
from pipeline.domain.check import Checked, FileRead, check
from pipeline.domain.grounds import Unread
from pipeline.domain.probe import SegmentProbed
from pipeline.domain.time import WallMs
from tests.builders import T0, hole, mp4, photo, policy, probed, unreadable

MADE = Made(at=WallMs(T0 + 86_400_000), command="unbroken check <b>", software="0.0", zone=ZoneInfo("Asia/Shanghai"))
HOSTILE = (
    "<script>alert(1)</script>.ts",
    '" onload="alert(1)".ts',
    "</title></svg><img src=x onerror=alert(1)>.ts",
    "evil\u202e4pm.exe.ts",
    "\x1b[2Jnul\x00\n.ts",
    "a" * 300 + ".ts",
    "大厅一号机 & co.ts",
    "{files}{reason}.ts",
)


class Read(HTMLParser):
    """A page taken apart: elements with their attributes, and the text of tables' rows."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        if self.elements and self.elements[-1][0] not in ("style", "script"):
            self.text += data

    def having(self, tag: str, word: str = "") -> list[dict[str, str | None]]:
        return [found for name, found in self.elements if name == tag and word in (found.get("class") or "")]


def checked(*items: SegmentProbed, names: tuple[str, ...] = (), unread: tuple[Unread, ...] = ()) -> Checked:
    files = []
    for number, item in enumerate(items):
        landed = item.landed
        files.append(
            FileRead(
                name=names[number] if names else f"{number:05d}.ts",
                sha256=landed.object.sha256,
                size_bytes=landed.object.size_bytes,
                facts=item.facts,
                start=landed.claimed_start,
                sequence=landed.sequence,
            )
        )
    return check("hall", files, unread, "cctv", MADE.at, policy())


def made(*results: Checked, words: Words = ENGLISH, passed_over: tuple[Unread, ...] = ()) -> str:
    return "".join(page(results, passed_over, policy(), words, MADE))


ALL_SORTS = checked(
    probed(0, sequence=1),
    probed(1, sequence=2),
    probed(1, sequence=2),
    mp4(4, 10_000, hole(2000, 5000)),
    unreadable(6),
    photo(7),
    unread=(Unread("empty.mp4", "0 bytes: copy it again"),),
)


@pytest.mark.parametrize("words", WORDS.values(), ids=WORDS)
def test_every_finding_gap_and_file_of_the_json_is_on_the_page(words: Words) -> None:
    (told,) = report([ALL_SORTS], (), policy())["recordings"]
    read = Read(made(ALL_SORTS, words=words))

    rows = [found["id"] for found in read.having("tr") if found.get("id")]
    assert rows == [f"r1-f{place}" for place in range(1, len(told["findings"]) + 1)]
    for finding in told["findings"]:
        assert finding["detail"].removeprefix("expected ").split(", found ")[0] in read.text
        assert words.kinds[finding["kind"]].name in read.text
        if finding["kind"] == "gap":
            assert f"{finding['seconds']:.3f}" in read.text
    for file in told["files"]:
        assert file["sha256"] in read.text
        assert file["name"] in read.text
    assert "empty.mp4" in read.text


def test_the_verdict_is_said_first_with_what_is_missing() -> None:
    result = checked(probed(0), probed(1), probed(4))

    english, chinese = Read(made(result)).text, Read(made(result, words=CHINESE)).text

    assert "Interrupted: 1 gap, 20.000 s of 50.000 s missing, 3 files" in english
    assert (
        "From 16:00:20.000 to 16:00:40.000, 20.000 s of recording are missing, between 00001.ts and 00002.ts" in english
    )
    assert "有中断：1 处缺失，50.000 秒中共缺 20.000 秒，3 个文件" in chinese


def test_a_gap_by_the_clock_alone_says_how_far_its_length_may_be_off() -> None:
    assert "its length may be off by up to 2.000 s" in Read(made(checked(mp4(0), mp4(4)))).text


def test_each_mark_on_the_timeline_leads_to_its_row_and_back() -> None:
    read = Read(made(ALL_SORTS))
    anchors = {found["href"] for found in read.having("a")}

    marks = [found["id"] or "" for found in read.having("svg", "mark")]

    assert len(marks) >= 2
    assert {f"#{mark}" for mark in marks} <= anchors
    assert {f"#{mark.replace('-m', '-f')}" for mark in marks} <= anchors


def test_gaps_are_hatched_named_and_framed_in_every_bar() -> None:
    read = Read(made(checked(probed(0), probed(3))))

    holes = read.having("rect", "hole")

    assert len(holes) == 1 + 1  # the whole recording, and its picture
    assert {found["fill"] for found in holes} == {"url(#hatch-1)"}
    assert [(found["x"], found["width"]) for found in holes] == [("25.0%", "50.0000%")] * 2


@pytest.mark.parametrize("words", WORDS.values(), ids=WORDS)
def test_a_strangers_names_are_text_and_nothing_else(words: Words) -> None:
    result = checked(*(probed(2 * number) for number in range(len(HOSTILE))), names=HOSTILE)
    result = replace(result, name=HOSTILE[2], unread=(Unread(HOSTILE[0], HOSTILE[2]),))

    text = made(result, words=words, passed_over=(Unread(HOSTILE[1], HOSTILE[0]),))

    read = Read(text)
    assert [name for name, _ in read.elements].count("script") == 1
    assert not read.having("img")
    assert not any(key.startswith("on") for _, found in read.elements for key in found)
    assert all(char.isprintable() or char in "\n\t" for char in text)
    assert "evil\\x202e4pm.exe.ts" in read.text
    assert "{files}{reason}.ts" in read.text
    assert "<script>alert(1)</script>.ts" in read.text


def test_the_page_asks_for_nothing_from_anywhere() -> None:
    text = made(ALL_SORTS)
    (guard,) = re.findall(r'Content-Security-Policy" content="([^"]*)"', text)

    addresses = {address for _, found in Read(text).elements for address in (found.get("src"), found.get("href"))}

    assert guard.startswith("default-src 'none'; style-src 'sha256-")
    assert "unsafe" not in guard
    assert all(address is None or address.startswith("#") for address in addresses)
    assert not re.search(r"url\((?!#)", text)


@pytest.mark.parametrize(("words", "tag_"), [(ENGLISH, "en"), (CHINESE, "zh-Hans")])
def test_the_language_is_declared(words: Words, tag_: str) -> None:
    assert f'<html lang="{tag_}">' in made(ALL_SORTS, words=words)


def test_nothing_to_judge_is_said() -> None:
    assert ENGLISH.nothing in made()
    assert ENGLISH.not_one_file in made(checked(unread=(Unread("a.mp4", "0 bytes"),)))


def test_a_day_of_short_files_is_a_page_of_a_few_megabytes() -> None:
    result = checked(probed(0), probed(2))
    one = result.files[0][1]
    assert one.start is not None
    day = [
        (
            f"{number:05d}.ts",
            replace(one, start=WallMs(one.start + 2000 * number), end=WallMs(one.start + 2000 * number + 2000)),
        )
        for number in range(43_200)
    ]
    assert result.ended is not None
    ended = replace(result.ended, ended_at=WallMs(one.start + 86_400_000))

    text = made(replace(result, files=tuple(day), ended=ended))

    assert len(text) < 6_000_000
    assert "The 43,200 files are drawn together" in text
    assert "Shown are" in text
    assert text.count("43199.ts") >= 1
    assert len(Read(text).having("rect", "file")) <= 241


def test_a_card_full_of_empty_files_is_counted_not_recited() -> None:
    unread = tuple(Unread(f"{number}.mp4", "0 bytes") for number in range(1000))

    text = Read(made(checked(probed(0), unread=unread))).text

    assert ("29.mp4" in text, "30.mp4" in text, "970 more" in text) == (True, False, True)
    assert ENGLISH.why_untested["uncorroborated"] in text
    assert ENGLISH.why_untested["outside"] in text


# Colours: WCAG 2.1, 1.4.3.


def luminance(colour: str) -> float:
    digits = colour.lstrip("#")
    wide = digits if len(digits) == 6 else "".join(2 * digit for digit in digits)
    parts = [int(wide[at : at + 2], 16) / 255 for at in (0, 2, 4)]
    linear = [part / 12.92 if part <= 0.03928 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


@pytest.mark.parametrize("scheme", [0, 1, 2], ids=["light", "dark", "print"])
@pytest.mark.parametrize("ground", ["paper", "panel"])
@pytest.mark.parametrize("ink", ["ink", "soft", "link", "bad", "worse"])
def test_every_text_is_readable_on_its_ground(scheme: int, ink: str, ground: str) -> None:
    style = re.search(r"<style>(.*?)</style>", made(), re.DOTALL)
    assert style is not None
    blocks = re.findall(r":root {(.*?)}", style[1], re.DOTALL)
    colours = dict(re.findall(r"--([\w-]+): (#[0-9a-f]+)", blocks[scheme]))

    light, dark = sorted((luminance(colours[ink]), luminance(colours[ground])), reverse=True)

    assert (light + 0.05) / (dark + 0.05) >= 4.5


# Where it is written.


def test_a_page_replaces_only_a_plain_file_that_is_not_judged(tmp_path: Path) -> None:
    plain, film, link = tmp_path / "old.html", tmp_path / "a.ts", tmp_path / "link.html"
    plain.touch()
    film.touch()
    link.symlink_to(plain)

    answers = {
        path: refused(path, {film})
        for path in (tmp_path / "new.html", plain, film, tmp_path, link, tmp_path / "no" / "x.html")
    }

    assert [path for path, why in answers.items() if why is None] == [tmp_path / "new.html", plain]


def test_a_page_that_cannot_be_finished_leaves_the_old_one(tmp_path: Path) -> None:
    path = tmp_path / "page.html"
    path.write_text("old")

    def pieces() -> Any:
        yield "new"
        raise OSError(28, "No space left on device")

    with pytest.raises(OSError, match="No space"):
        write(path, pieces())

    assert (path.read_text(), list(tmp_path.iterdir())) == ("old", [path])


def run(*arguments: str | Path) -> tuple[int, str]:
    done = CliRunner().invoke(build(), ["check", "--jobs", "1", *map(str, arguments)])
    return done.exit_code, done.output


def test_wrong_usage_of_the_report_is_exit_2(tmp_path: Path) -> None:
    (tmp_path / "a.mp4").write_bytes(b"film")

    codes = [
        run(tmp_path, "--report", tmp_path / "a.mp4")[0],
        run(tmp_path, "--report", tmp_path)[0],
        run(tmp_path, "--lang", "fr")[0],
    ]

    assert codes == [2, 2, 2]
    assert (tmp_path / "a.mp4").read_bytes() == b"film"


def test_the_page_lies_where_it_was_asked_for_whatever_the_verdict(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "in/a.mp4").write_bytes(b"film")

    code, output = run(tmp_path / "in", "--report", tmp_path / "out.html", "--lang", "zh")

    assert code == 4
    assert "out.html" in output
    assert "无法读取" in (tmp_path / "out.html").read_text("utf-8")


def test_markup_escapes_what_is_not_markup() -> None:
    assert tag("p", "<b>", tag("i", "&"), title='"') == '<p title="&quot;">&lt;b&gt;<i>&amp;</i></p>'
