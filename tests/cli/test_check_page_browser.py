"""The page of ``unbroken check --report`` in a real browser, made of real footage with known faults."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from typer.testing import CliRunner

from pipeline.cli import build
from tests.cli.browser import Browser, browser
from tests.clips import ffmpeg, film, without

__all__ = ["browser"]

MEASURE = """
const width = (one) => one.getBoundingClientRect().width, frame = document.querySelector(".frame");
const svg = frame.querySelector(".scroll > svg"), before = width(svg);
const texts = [...document.querySelectorAll("main *")].filter((one) => one.childNodes.length && one.textContent.trim());
const shown = texts.filter((one) => getComputedStyle(one).display !== "none");
const draw = (letter) => {
  const canvas = document.createElement("canvas"), pen = canvas.getContext("2d");
  pen.font = "40px " + getComputedStyle(document.body).fontFamily;
  pen.fillText(letter, 20, 60);
  return canvas.toDataURL();
};
const found = {
  script: document.documentElement.dataset.script,
  overflow: document.documentElement.scrollWidth - innerWidth,
  marks: frame.querySelectorAll(".mark:not(.crowded)").length,
  holes: frame.querySelectorAll(".hole").length,
  rows: document.querySelectorAll("tr[id]").length,
  smallest: Math.min(...shown.map((one) => parseFloat(getComputedStyle(one).fontSize))),
  ticks: frame.querySelectorAll(".ticks text").length,
  buttons: !frame.querySelector(".zoom").hidden,
  han: draw("录") !== draw("断"),
};
const labels = [...frame.querySelectorAll(".ticks text")].map((one) => one.getBoundingClientRect());
found.overlapping = labels.filter((one, place) => place && one.left < labels[place - 1].right).length;
frame.querySelector("[data-act=in]").click();
frame.querySelector("[data-act=in]").click();
found.zoomed = width(svg) / before;
found.finer = frame.querySelectorAll(".ticks text")[0].textContent;
frame.querySelector(".scroll").dispatchEvent(new KeyboardEvent("keydown", { key: "0" }));
found.back = width(svg) / before;
return found;
"""


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The page in both languages of a hall whose camera lost two seconds and then its sound, and of a body camera."""
    folder = tmp_path_factory.mktemp("pages")
    hall, body = folder / "footage/hall <1>", folder / "footage/执法仪"
    hall.mkdir(parents=True)
    body.mkdir()
    whole = film(folder / "whole.ts", seconds=10)
    silent = without(whole, folder / "silent.ts", 7.2, 9.0, "audio")
    ffmpeg("-i", str(silent), "-c", "copy", "-f", "segment", "-segment_time", "1", str(folder / "part%d.ts"))
    for number in (0, 1, 4, 5, 6, 7, 8, 9):
        (folder / f"part{number}.ts").rename(hall / f"hall_2026112408000{number}Z.ts".replace("24080", "24T080"))
    without(film(folder / "whole.mp4", seconds=6), body / "20261124T080000Z.mp4", 2, 4)
    for language in ("en", "zh"):
        done = CliRunner().invoke(
            build(),
            ["check", "-r", str(folder / "footage"), "--report", str(folder / f"{language}.html"), "--lang", language],
        )
        assert done.exit_code == 1, done.output
    return folder


@pytest.mark.parametrize("language", ["en", "zh"])
@pytest.mark.parametrize("width_px", [1200, 500])
def test_a_person_sees_every_gap_marked_nothing_cut_and_letters_that_can_be_read(
    pages: Path, browser: Browser, language: str, width_px: int
) -> None:
    found = browser.measure(pages / f"{language}.html", MEASURE, width_px)

    assert (found["script"], found["buttons"], found["overflow"] <= 0) == ("ran", True, True)
    assert found["marks"] >= 2  # the two seconds, and the sound
    assert found["holes"] == 4  # in the recording, its picture and its sound, and the sound's own
    assert found["smallest"] >= 11
    assert (found["ticks"] >= 2, found["overlapping"]) == (True, 0)
    assert found["han"], "no Chinese letters: `python3 -m infra.native install tests` installs them"


def test_zooming_in_widens_the_drawing_and_shows_finer_times(pages: Path, browser: Browser) -> None:
    found = browser.measure(pages / "en.html", MEASURE)

    assert (round(found["zoomed"], 2), round(found["back"], 2)) == (4, 1)
    assert re.fullmatch(r"\d\d:\d\d:\d\d\.\d{3}", found["finer"])


def test_the_page_is_whole_without_its_script(pages: Path, browser: Browser) -> None:
    still = pages / "still.html"
    still.write_text(
        re.sub(r"script-src '[^']*'", "script-src 'none'", (pages / "en.html").read_text("utf-8")), "utf-8"
    )

    dom = browser.open(still, "--dump-dom")

    assert 'data-script="ran"' not in dom
    assert dom.count('class="hole"') >= 4
    assert len(re.findall(r'class="mark [a-z]+"', dom)) >= 2
    assert re.search(r'class="zoom" hidden', dom)


@pytest.mark.parametrize("language", ["en", "zh"])
def test_it_prints_on_a4(pages: Path, browser: Browser, language: str, tmp_path: Path) -> None:
    browser.open(pages / f"{language}.html", "--no-pdf-header-footer", f"--print-to-pdf={tmp_path / 'page.pdf'}")

    boxes = re.findall(rb"/MediaBox \[0 0 ([\d.]+) ([\d.]+)\]", (tmp_path / "page.pdf").read_bytes())

    assert {(round(float(width)), round(float(height))) for width, height in boxes} == {(842, 595)}
    assert 3 <= len(boxes) <= 8


def test_a_screenshot_shows_more_than_white(pages: Path, browser: Browser, tmp_path: Path) -> None:
    browser.open(pages / "zh.html", f"--screenshot={tmp_path / 'page.png'}")

    assert (tmp_path / "page.png").stat().st_size > 30_000
