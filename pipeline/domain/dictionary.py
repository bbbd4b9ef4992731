"""Dictionary: the fields people fill in about a recording, under the names forms and case systems print above them.

Article 9 names four (the date of storage is the system's own), other articles the rest; "etc." leaves the list open, so a
unit may use further names of its own. A heading is read in Chinese or as its key. The columns of a bureau's list of matters
to record (article 5) are among the headings, so a filled-in list is read as it stands.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final, NamedTuple


class Field(NamedTuple):
    """``article`` asks for it (0: proposed). ``headings``: Chinese names, the first is shown. ``choices``: all it may be,
    where that is few. ``computed``: found out by the system and never typed."""

    key: str
    article: int
    headings: tuple[str, ...]
    choices: tuple[str, ...] = ()
    computed: bool = False


FIELDS: Final = (
    Field("recording_id", 2, ("记录编号", "档号")),
    Field("source_id", 2, ("设备编号",)),
    Field("unit_id", 3, ("单位", "全宗", "执法机构")),
    Field("case_name", 9, ("案件名称",)),
    Field("party_name", 9, ("当事人", "当事人姓名或单位名称")),
    Field("recorded_date", 9, ("记录日期",)),
    Field("stored_date", 9, ("存储日期",), computed=True),
    Field("case_no", 0, ("案件编号",)),
    Field("matter_id", 5, ("序号", "事项清单编号")),
    Field("enforcement_type", 0, ("执法类别",)),
    Field("step", 0, ("执法环节",)),
    Field("method", 5, ("记录方式",)),
    Field("continuity_class", 5, ("记录要求",), ("uninterrupted", "per_list")),
    Field("place", 6, ("记录场合", "记录地点")),
    Field("content_note", 0, ("记录内容",)),
    Field("started_at", 6, ("开始记录时间",)),
    Field("process_note", 0, ("记录过程",)),
    Field("ended_at", 6, ("结束记录时间",)),
    Field("recording_unit", 7, ("记录部门",)),
    Field("recorder_id", 7, ("记录人员",)),
    Field("badge_no", 7, ("执法证号",)),
    Field("retention_class", 12, ("保管期限",)),
    Field("secrecy", 13, ("密级", "敏感"), ("none", "personal", "trade", "state")),
    Field("title", 0, ("题名",)),
    Field("action_identifier", 0, ("管理活动标识符",)),
    Field("device_kind", 2, ("设备类型",), computed=True),
    Field("covered_from", 0, ("实际开始时间",), computed=True),
    Field("covered_to", 0, ("实际结束时间",), computed=True),
    Field("verdict", 0, ("完整性结论",), computed=True),
    Field("sha256", 0, ("数字摘要",), computed=True),
    Field("clock_offset_ms", 0, ("时钟偏差",), computed=True),
    Field("reviewed_explanation", 8, ("复核的中断说明",)),
    Field("review_result", 8, ("复核结论",), ("accepted", "rejected")),
    Field("review_note", 8, ("复核意见",)),
)
OF_ARTICLE_9: Final = ("case_name", "party_name", "recorded_date")
"""Those that a statement has a place of its own for."""
MATTERS_LIST: Final = (
    "matter_id", "enforcement_type", "step", "method", "place", "content_note", "started_at", "process_note", "ended_at",
    "recording_unit", "recorder_id",
)  # fmt: skip
"""The columns of a list of matters to record, in the order in which such lists are published."""

BY_KEY: Final[Mapping[str, Field]] = MappingProxyType({field.key: field for field in FIELDS})
_BY_HEADING: Final = {name.casefold(): field.key for field in FIELDS for name in (field.key, *field.headings)}


def key_of(heading: str) -> str:
    """The key a heading stands for; a name nobody knows is the unit's own and stands for itself."""
    name = heading.strip()
    return _BY_HEADING.get(name.casefold(), name)


def heading(key: str) -> str:
    """What is printed above a field in Chinese; a unit's own name as it is."""
    return BY_KEY[key].headings[0] if key in BY_KEY else key
