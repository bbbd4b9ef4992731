"""Terms: what verdicts, states of gaps and causes are called, so that every page and screen calls them alike.

Lower case, to stand in a sentence; what stands first is written with :meth:`str.capitalize`, which leaves Chinese as it is.
docs/glossary.md has the Chinese words for everything else.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, NamedTuple, get_args

import typer

from pipeline.domain.account import GapState
from pipeline.domain.recording import Verdict
from pipeline.domain.statement import Language
from pipeline.domain.tracked import Cause


class Terms(NamedTuple):
    """The terms of one language."""

    verdicts: Mapping[Verdict, str]
    gaps: Mapping[GapState, str]
    causes: Mapping[Cause, str]


TERMS: Final[Mapping[Language, Terms]] = {
    "en": Terms(
        verdicts={
            "continuous": "continuous",
            "interrupted": "interrupted",
            "degraded": "degraded",
            "not_testable": "not testable",
            "unreadable": "unreadable",
        },
        gaps={"explained": "explained", "unexplained": "unexplained", "open": "not yet explained"},
        causes={
            "not_docked": "did not arrive",
            "transfer": "not all files arrived",
            "metadata": "case data missing",
            "store": "archive out of order",
            "pipeline": "processing too slow",
            "clock": "device clock wrong",
            "unknown": "unknown",
        },
    ),
    "zh": Terms(
        verdicts={
            "continuous": "连续",
            "interrupted": "有中断",
            "degraded": "质量下降",
            "not_testable": "无法检查",
            "unreadable": "无法读取",
        },
        gaps={"explained": "已说明", "unexplained": "未说明", "open": "尚未说明"},
        causes={
            "not_docked": "未送达",
            "transfer": "文件未到齐",
            "metadata": "案件信息不全",
            "store": "存储故障",
            "pipeline": "处理过慢",
            "clock": "设备时钟错误",
            "unknown": "原因不明",
        },
    ),
}
VERDICT_COLOURS: Final[Mapping[str, str]] = {
    "continuous": "green",
    "interrupted": "red",
    "degraded": "yellow",
    "unreadable": "red",
}
"""On a terminal; of what could not be tested nothing is said by colour either."""


def language(text: str) -> str:
    """One of the languages we speak; raises ``BadParameter`` for another."""
    if text not in get_args(Language):
        raise typer.BadParameter(f"expected one of {', '.join(get_args(Language))}, found {text!r}")
    return text
