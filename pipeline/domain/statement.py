"""Statement: what a person or a case system may say of a recording, and what counts when more than one thing was said.

Rule 1: everything wrong with a statement is told at once, each with its field, the rule, its article and what was found;
a statement with anything wrong is not taken at all. Under one id one thing is said: the same again is the same, another thing
is wrong.
Rule 2: a statement counts from when it was received. An older or later date is refused: the deadline (article 9) is judged
by these dates, and nobody shall move it by a date.
Rule 3: nothing is edited. Of several statements about a field or a gap the last said counts; the first said of a field
dates it. All of them stay, with who said it and when.
Rule 4: what is true but explains nothing is taken, and a remark says so: a reason that is not spoken soon after the restart
does not explain a gap of a source whose reasons must be spoken (article 8).

Statements are looked at in the shape of ``schemas/annotation.made.v1``, before they are values: what cannot be a value
must be named, too.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Final, Literal, NamedTuple, get_args

from pipeline.domain.annotation import Annotation, ReasonCode
from pipeline.domain.canonical import Json, plain
from pipeline.domain.dictionary import BY_KEY, OF_ARTICLE_9, Field, heading
from pipeline.domain.identity import MAX_LABEL, label, recording_id, source_id
from pipeline.domain.policy import Policy
from pipeline.domain.time import WallMs, from_rfc3339, to_rfc3339

Language = Literal["en", "zh"]

SAID_BY_PEOPLE: Final = (
    "metadata",
    "explanation",
    "session_ended",
    "schedule_window",
    "schedule",
    "issued",
    "returned",
)
"""The other kinds are our own timers'."""
AHEAD_MS: Final = 5_000
BEHIND_MS: Final = 900_000
"""How old a date may be that comes with a statement: a case system may try for a quarter of an hour."""
MOST_CHARS: Final = 1000
MOST_SHOWN: Final = 5
"""Differences of two statements that are shown."""
_CONTROL: Final = re.compile(r"[\x00-\x08\x0b-\x1f\x7f]")
_NAME: Final = re.compile(r"[^\x00-\x1f\x7f=]{1,64}")
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


class Rule(NamedTuple):
    """A rule in words. ``article``: whose demand it serves."""

    article: int
    en: str
    zh: str


RULES: Final[Mapping[str, Rule]] = {
    "known_kind": Rule(2, f"one of {', '.join(SAID_BY_PEOPLE)}", f"应为 {'、'.join(SAID_BY_PEOPLE)} 之一"),
    "valid_id": Rule(
        2,
        "1 to 96 letters, digits, dot, dash or underscore, the first a letter or digit",
        "应为 1 至 96 个字母、数字、点、横线或下划线，以字母或数字开头",
    ),
    "valid_label": Rule(
        2, f"1 to {MAX_LABEL} characters without control characters", f"应为 1 至 {MAX_LABEL} 个字符，不含控制字符"
    ),
    "valid_text": Rule(
        9, f"at most {MOST_CHARS} characters without control characters", f"不得超过 {MOST_CHARS} 个字符，不含控制字符"
    ),
    "same_words": Rule(
        10,
        "what was said first under this id, which stays; say another thing, or a correction, under an id of its own",
        "同一编号应为同一内容，先前的陈述仍然有效；另有陈述或更正，请使用新的编号",
    ),
    "not_blank": Rule(9, "a text that is not blank", "必须填写，不得为空"),
    "said_now": Rule(
        9,
        "no date at all, or one of the last 15 minutes: a statement counts from when it is received",
        "不填时间，或填最近 15 分钟内的时间：补充陈述自收到之时起算",
    ),
    "something_said": Rule(9, "at least one field", "至少填写一个项目"),
    "mandatory": Rule(9, "every field its unit must fill in", "本单位的必填项目必须填写"),
    "still_missing": Rule(
        9, "not said here; the recording is complete only when it is", "此处未填写；填写后该记录方为完整"
    ),
    "said_once": Rule(9, "each field once", "同一项目只能填写一次"),
    "valid_name": Rule(9, "a field name of 1 to 64 characters", "项目名称应为 1 至 64 个字符"),
    "valid_date": Rule(9, "a day that has come, as YYYY-MM-DD", "应为已到来的日期，格式为 YYYY-MM-DD"),
    "never_typed": Rule(9, "nothing: the system finds it out by itself", "不得填写：由系统自动生成"),
    "listed_value": Rule(5, "one of the listed values", "应为所列值之一"),
    "no_state_secrets": Rule(
        13,
        "no state secret: it does not belong on this network, follow the procedure for secrets",
        "涉及国家秘密的不得在本网络处理，请按保密规定办理",
    ),
    "known_reason": Rule(
        8, "one of R1, R2, R3, R4, R5, R6, R7, R9", "中断原因应为 R1、R2、R3、R4、R5、R6、R7、R9 之一"
    ),
    "reason_in_words": Rule(8, "a text, because the reason is R9 (other)", "原因为 R9（其他客观原因）时必须写明"),
    "ends_after_start": Rule(8, "an end after its start", "结束时间应晚于开始时间"),
    "handed_over": Rule(4, "a time that has come", "应为已到来的时间"),
    "due_back_later": Rule(4, "a time after it was handed out", "归还期限应晚于领用时间"),
    "has_happened": Rule(8, "a time that has come", "应为已到来的时间"),
    "voice_whole": Rule(8, "both ends of the spoken reason, or none", "语音说明的起止时间应同时填写或同时不填"),
    "voice_after_restart": Rule(
        8, "a reason spoken after recording restarted", "语音说明应在重新开始记录之后"
    ),
    "valid_instant": Rule(
        9, "a time like 2026-11-24T08:00:00.000Z (UTC)", "应为形如 2026-11-24T08:00:00.000Z 的时间（UTC）"
    ),
    "declared_by_people": Rule(9, "declared, because a person says it", "由人说明时应为 declared"),
    "valid_count": Rule(9, "a number of files from 0", "应为不小于 0 的文件数"),
    "column_missing": Rule(2, "a column of this name", "表中应有此列"),
    "no_heading": Rule(9, "as many cells as headings", "单元格不得多于表头"),
    "readable_table": Rule(
        9, "a table (CSV) in UTF-8 or GB18030, within the limits", "应为 UTF-8 或 GB18030 编码的 CSV 表，且不超过限额"
    ),
    "shape": Rule(2, "what schemas/annotation.made.v1 describes", "应符合 schemas/annotation.made.v1"),
    "voice_missing": Rule(
        8,
        "taken, but unspoken: it does not explain a gap of a source whose reasons must be spoken",
        "已收，但没有语音说明：对须语音说明的设备，该中断仍为未说明",
    ),
    "voice_late": Rule(
        8,
        "taken, but spoken too long after the restart to explain a gap of a source whose reasons must be spoken",
        "已收，但语音说明距重新开始记录过久：对须语音说明的设备，该中断仍为未说明",
    ),
    "to_review": Rule(8, "taken; reason R9 (other) waits for a review", "已收；原因 R9（其他客观原因）须经人工复核"),
}  # fmt: skip


class Objection(NamedTuple):
    """What is to be said against a field of a statement. ``refuses``: the statement is not taken because of it."""

    field: str
    rule: str
    found: str
    refuses: bool = True

    @property
    def article(self) -> int:
        """Whose demand the rule serves; the field's own article where it has one."""
        name = self.field.rpartition(".")[2]
        return (BY_KEY[name].article if name in BY_KEY else 0) or RULES[self.rule].article


def in_words(said: Objection, language: Language) -> str:
    """The objection for people: field, what is expected, what was found, rule and article."""
    rule, name = RULES[said.rule], said.field.rpartition(".")[2]
    if language == "zh":
        spoken = heading(name) if name in BY_KEY else _NAMES.get(name)
        shown = f"{spoken}（{said.field}）" if spoken else said.field
        found = f"；现为：{_in_chinese(said.found)}" if said.found else ""
        return f"{shown}：{rule.zh}{found}（规则 {said.rule}，第{_numeral(said.article)}条）"
    found = f", found {said.found}" if said.found else ""
    verb = "" if not said.refuses else "expected "
    return f"{said.field}: {verb}{rule.en}{found} (rule {said.rule}, article {said.article})"


def objections(raw: Mapping[str, object], now: WallMs, policy: Policy) -> tuple[Objection, ...]:
    """Everything to be said against *raw*, a statement received at *now*, in the order of its fields; what does not refuse
    it is a remark. Fields of a wrong type are left to the codec, which knows the schema."""
    found = list(_of_all(raw, now))
    kind = raw.get("kind")
    body = raw.get(_BODY.get(str(kind), ""))
    if isinstance(body, Mapping):
        if kind == "metadata":
            found += _of_metadata(body, now, policy)
        elif kind == "explanation":
            found += _of_explanation(body, now, policy)
        elif kind == "session_ended":
            found += _of_end(body)
        elif kind == "schedule_window":
            found += _in_order(body, "window", "start", "end")
            found += _blank("window.reason", body.get("reason"))
        elif kind == "issued":
            found += _in_order(body, "issue", "at", "due_back", rule="due_back_later")
            found += _of_officer(body, "issue", now)
        elif kind == "returned":
            found += _of_officer(body, "returned", now)
    return tuple(found)


_BODY: Final = {
    "metadata": "metadata",
    "explanation": "explanation",
    "session_ended": "ended",
    "schedule_window": "window",
    "issued": "issue",
    "returned": "returned",
}


def _of_all(raw: Mapping[str, object], now: WallMs) -> Iterator[Objection]:
    if raw.get("kind") not in SAID_BY_PEOPLE:
        yield Objection("kind", "known_kind", _shown(raw.get("kind")))
    parsers: tuple[tuple[str, Callable[[str], object]], ...] = (
        ("source_id", source_id),
        ("recording_id", recording_id),
    )
    for name, parse in parsers:
        text = raw.get(name)
        if isinstance(text, str) and _fails(parse, text):
            yield Objection(name, "valid_id", _shown(text))
    for name in ("annotation_id", "made_by", "unit"):
        text = raw.get(name)
        if isinstance(text, str) and (not text.strip() or _fails(_label, text)):
            yield Objection(name, "valid_label", _shown(text))
    made = _instant(raw.get("made_at"))
    if made is not None and not now - BEHIND_MS <= made <= now + AHEAD_MS:
        yield Objection("made_at", "said_now", _shown(raw.get("made_at")))


def _of_metadata(body: Mapping[str, object], now: WallMs, policy: Policy) -> Iterator[Objection]:
    pairs: list[tuple[object, object]] = [(name, body.get(name)) for name in OF_ARTICLE_9 if body.get(name) is not None]
    extra = body.get("extra")
    listed = extra if isinstance(extra, list) else []
    pairs += [(pair[0], pair[1]) for pair in listed if isinstance(pair, list) and len(pair) == 2]
    if not pairs:
        yield Objection("metadata", "something_said", "nothing")
    names = [str(name) for name, _ in pairs]
    for name in sorted({name for name in names if names.count(name) > 1}):
        yield Objection(f"metadata.{name}", "said_once", f"{names.count(name)} times")
    for key, text in pairs:
        if isinstance(key, str) and isinstance(text, str):
            yield from _of_field(key, text, now, policy)


def _of_field(name: str, text: str, now: WallMs, policy: Policy) -> Iterator[Objection]:
    place = f"metadata.{name}"
    known: Field | None = BY_KEY.get(name)
    choices = tuple(policy.retention) if name == "retention_class" else known.choices if known is not None else ()
    if not _NAME.fullmatch(name):
        yield Objection(place[:80], "valid_name", _shown(name))
    if known is not None and known.computed:
        yield Objection(place, "never_typed", _shown(text))
    elif not text.strip():
        yield Objection(place, "not_blank", _shown(text))
    elif len(text) > MOST_CHARS or _CONTROL.search(text):
        yield Objection(place, "valid_text", f"{len(text)} characters")
    elif choices and text not in choices:
        yield Objection(place, "listed_value", f"{_shown(text)}, not {', '.join(choices)}")
    elif (name, text) == ("secrecy", "state"):
        yield Objection(place, "no_state_secrets", _shown(text))
    elif name == "recorded_date" and not _has_come(text, now):
        yield Objection(place, "valid_date", _shown(text))


def _of_explanation(body: Mapping[str, object], now: WallMs, policy: Policy) -> Iterator[Objection]:
    yield from _in_order(body, "explanation", "gap_start", "gap_end")
    start, end = _instant(body.get("gap_start")), _instant(body.get("gap_end"))
    if end is not None and end > now + AHEAD_MS:
        yield Objection("explanation.gap_end", "has_happened", _shown(body.get("gap_end")))
    reason, text = body.get("reason"), body.get("text", "")
    if reason not in get_args(ReasonCode):
        yield Objection("explanation.reason", "known_reason", _shown(reason))
    if reason == "R9" and isinstance(text, str) and not text.strip():
        yield Objection("explanation.text", "reason_in_words", _shown(text))
    elif reason == "R9":
        yield Objection("explanation.reason", "to_review", "", refuses=False)
    if isinstance(text, str) and (len(text) > MOST_CHARS or _CONTROL.search(text)):
        yield Objection("explanation.text", "valid_text", f"{len(text)} characters")
    voice = body.get("voice_start"), body.get("voice_end")
    if voice == (None, None):
        yield Objection("explanation.voice_start", "voice_missing", "", refuses=False)
    elif None in voice:
        name = "voice_start" if voice[0] is None else "voice_end"
        yield Objection(f"explanation.{name}", "voice_whole", "nothing")
    else:
        yield from _in_order(body, "explanation", "voice_start", "voice_end")
        yield from _spoken_soon(body, start, end, policy)


def _spoken_soon(
    body: Mapping[str, object], start: WallMs | None, end: WallMs | None, policy: Policy
) -> Iterator[Objection]:
    """A voice inside the gap is impossible; one just before the stated end may be the clock's error."""
    spoken = _instant(body.get("voice_start"))
    if spoken is None or start is None or end is None:
        return
    if spoken <= start:
        yield Objection("explanation.voice_start", "voice_after_restart", _shown(body.get("voice_start")))
    elif spoken > end + policy.voice_within_s * 1000:
        found = f"{(spoken - end) // 1000} s, at most {policy.voice_within_s} s"
        yield Objection("explanation.voice_start", "voice_late", found, refuses=False)


def _of_end(body: Mapping[str, object]) -> Iterator[Objection]:
    if body.get("reason") != "declared":
        yield Objection("ended.reason", "declared_by_people", _shown(body.get("reason")))
    count = body.get("expected_segments")
    if isinstance(count, int) and count < 0:
        yield Objection("ended.expected_segments", "valid_count", _shown(count))


def _of_officer(body: Mapping[str, object], place: str, now: WallMs) -> Iterator[Objection]:
    """A device changed hands, now or before: what will be is no statement."""
    at, officer = _instant(body.get("at")), body.get("officer")
    if at is not None and at > now + AHEAD_MS:
        yield Objection(f"{place}.at", "handed_over", _shown(body.get("at")))
    if isinstance(officer, str) and (not officer.strip() or _fails(_label, officer)):
        yield Objection(f"{place}.officer", "valid_label", _shown(officer))


def _in_order(
    body: Mapping[str, object], place: str, first: str, last: str, rule: str = "ends_after_start"
) -> Iterator[Objection]:
    instants = []
    for name in (first, last):
        text = body.get(name)
        instants.append(_instant(text))
        if isinstance(text, str) and instants[-1] is None:
            yield Objection(f"{place}.{name}", "valid_instant", _shown(text))
    start, end = instants
    if start is not None and end is not None and end <= start:
        yield Objection(f"{place}.{last}", rule, _shown(body.get(last)))


def _blank(place: str, text: object) -> Iterator[Objection]:
    if isinstance(text, str) and not text.strip():
        yield Objection(place, "not_blank", _shown(text))


# -- what counts ---------------------------------------------------------------------------------------------------------


class Described(NamedTuple):
    """A field as it stands: its value, who said it last and when, in which statement."""

    text: str
    made_by: str
    made_at: WallMs
    annotation_id: str


def described(statements: Iterable[Annotation]) -> dict[str, Described]:
    """Each field as the last statement about it has it (rule 3); in the order of the dictionary, a unit's own last."""
    found: dict[str, Described] = {}
    for said in sorted(statements, key=lambda one: (one.made_at, one.annotation_id)):
        if said.metadata is None:
            continue
        named = [(name, getattr(said.metadata, name)) for name in OF_ARTICLE_9]
        for name, text in (*named, *said.metadata.extra):
            if text is not None and text.strip():
                found[name] = Described(text, said.made_by, said.made_at, said.annotation_id)
    order = {name: place for place, name in enumerate(BY_KEY)}
    return dict(sorted(found.items(), key=lambda item: (order.get(item[0], len(order)), item[0])))


def news(told: Mapping[str, str], standing: Mapping[str, Described]) -> dict[str, str]:
    """Those fields of *told* that do not stand as told already."""
    return {name: text for name, text in told.items() if name not in standing or standing[name].text != text}


def contradiction(first: Annotation, again: Annotation) -> Objection | None:
    """What is to be said against *again*, under whose id *first* was said: nothing when it is the same, whenever it was said."""
    before, after = (dict(_parts(plain(replace(one, made_at=WallMs(0))))) for one in (first, again))
    names = [name for name in (before | after) if before.get(name) != after.get(name)]
    if not names:
        return None
    told = "; ".join(f"{name} {_shown(before.get(name))}, now {_shown(after.get(name))}" for name in names[:MOST_SHOWN])
    more = f"; {len(names) - MOST_SHOWN} more" if len(names) > MOST_SHOWN else ""
    found = f"{first.annotation_id}: {to_rfc3339(first.made_at)}, {first.made_by}: {told}{more}"
    return Objection("annotation_id", "same_words", found)


def _parts(value: Json, place: str = "") -> Iterator[tuple[str, str]]:
    """The leaves of *value* with their places; a field's name is the place of what is said in it."""
    if isinstance(value, Mapping):
        for name, item in value.items():
            yield from _parts(item, f"{place}.{name}" if place else name)
    elif isinstance(value, (list, tuple)):
        for number, item in enumerate(value):
            named = isinstance(item, (list, tuple)) and len(item) == 2 and isinstance(item[0], str)
            yield from _parts(item[1], f"{place}.{item[0]}") if named else _parts(item, f"{place}.{number}")
    elif value is not None:
        yield place, str(value)


def incomplete(raw: Mapping[str, object], policy: Policy, *, refuses: bool = False) -> tuple[Objection, ...]:
    """The fields that the statement's unit must fill in (article 9 and its own) and that it does not say. Not wrong in a
    statement, because another may say the rest; where a whole one is wanted (*refuses*), it is."""
    body, unit = raw.get("metadata"), raw.get("unit")
    if not isinstance(body, Mapping):
        return ()
    extra = body.get("extra")
    said = {name for name in OF_ARTICLE_9 if body.get(name)}
    said |= {str(pair[0]) for pair in extra if isinstance(pair, list) and pair} if isinstance(extra, list) else set()
    wanted = policy.mandatory_of(unit if isinstance(unit, str) else None)
    rule = "mandatory" if refuses else "still_missing"
    return tuple(Objection(f"metadata.{name}", rule, "", refuses) for name in wanted if name not in said)


# -- reading -------------------------------------------------------------------------------------------------------------


def _label(text: str) -> str:
    return label(text, "name")


def _fails(parse: Callable[[str], object], text: str) -> bool:
    try:
        parse(text)
    except ValueError:
        return True
    return False


def _instant(text: object) -> WallMs | None:
    try:
        return from_rfc3339(text) if isinstance(text, str) else None
    except ValueError:
        return None


def _has_come(text: str, now: WallMs) -> bool:
    """Whether *text* is a day that has begun somewhere on earth."""
    try:
        day = date.fromisoformat(text)
    except ValueError:
        return False
    return len(text) == 10 and text >= "1970-01-01" and day <= (_EPOCH + timedelta(milliseconds=now, hours=14)).date()


def _shown(value: object) -> str:
    return "nothing" if value is None else f"{str(value)[:80]!r}"


_NAMES: Final = {
    "kind": "种类", "made_by": "陈述人", "made_at": "陈述时间", "gap_start": "中断开始", "gap_end": "中断结束", "reason": "原因",
    "text": "文字说明", "voice_start": "语音说明开始", "voice_end": "语音说明结束", "start": "开始", "end": "结束",
    "expected_segments": "文件数",
}  # fmt: skip
"""What the fields of a statement are called that are no field of the dictionary."""
_FOUND: Final = (
    (re.compile("nothing"), "未填写"),
    (re.compile(r"(\d+) characters"), r"\1 个字符"),
    (re.compile(r"(\d+) times"), r"\1 次"),
    (re.compile(r"('.*'), not (.+)"), r"\1，可填 \2"),
    (re.compile(r"(\d+) s, at most (\d+) s"), r"\1 秒，至多 \2 秒"),
)
"""Our own words about what was found; a value that somebody gave stands in quotation marks and stays as it is."""


def _in_chinese(found: str) -> str:
    for pattern, said in _FOUND:
        if match := pattern.fullmatch(found):
            return match.expand(said)
    return found


_DIGITS: Final = "零一二三四五六七八九"


def _numeral(number: int) -> str:
    """A number up to 19 as articles are counted in Chinese."""
    return _DIGITS[number] if number < 10 else f"十{_DIGITS[number - 10] if number > 10 else ''}"


def refused(said: Sequence[Objection]) -> bool:
    """Whether any of *said* keeps the statement out."""
    return any(one.refuses for one in said)
