"""The preview draws what the board's JSON says: every title, words for values, and an answer that is missing shows as missing."""

from __future__ import annotations

from html import escape
from typing import Any

import pytest

from dashboards.boards import BOARDS
from dashboards.legends import STATES
from dashboards.preview import Source, page, shown
from dashboards.words import LANGUAGES, PANELS, Language


class Stub(Source):
    """Answers every query alike: *value*, or nothing."""

    def __init__(self, value: float | None) -> None:
        super().__init__("", 60)
        self._value = value

    def _ask(self, target: dict[str, Any]) -> list[dict[str, Any]]:
        if self._value is None:
            return []
        point = [self.end, str(self._value)]
        values = {"values": [[self.end - 30, str(self._value)], point]} if target["range"] else {"value": point}
        return [{"metric": {"le": "60.0", "unit": "hall <1>", "stage": "probe"}, **values}]


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("key", BOARDS)
@pytest.mark.parametrize("value", [None, 0.0, 3.5, float("inf")])
def test_every_panel_is_drawn_whatever_the_answer(key: str, language: Language, value: float | None) -> None:
    html, height = page(key, language, Stub(value))

    assert [panel.key for panel in BOARDS[key].panels if escape(PANELS[panel.key][0].into(language)) not in html] == []
    assert "hall <1>" not in html
    assert height > 400


def test_a_number_nobody_reports_is_told_as_such() -> None:
    for key, board in BOARDS.items():
        html, _ = page(key, "en", Stub(None))

        assert html.count(STATES["no_data"].en) == len(board.panels)


@pytest.mark.parametrize(
    ("value", "unit", "text"),
    [
        (0.9243, "percentunit", "92.43%"),
        (3 * 1024**3, "bytes", "3.0 GiB"),
        (23.9, "h", "23.9 hour"),
        (86_040, "dthms", "23:54:00"),
        (-65, "dthms", "00:01:05 ago"),
        (0.25, "s", "250 ms"),
        (0, "h", "0"),
        (-1, "bytes", "not known"),
    ],
)
def test_values_are_told_in_their_unit_or_in_words(value: float, unit: str, text: str) -> None:
    words = {"options": {"from": -2, "to": -0.5, "result": {"text": "not known", "color": "text"}}}
    defaults = {"unit": unit, "mappings": [words], "thresholds": {"steps": [{"value": None, "color": "green"}]}}

    assert shown(value, defaults)[0] == text
