"""Any event the domain can hold, built from the types alone; only fields with a rule of their own are named here."""

from __future__ import annotations

from dataclasses import MISSING, fields, replace
from datetime import date
from functools import cache
from types import NoneType, UnionType
from typing import Any, Final, Literal, Union, get_args, get_origin, get_type_hints

from hypothesis import strategies as st

from pipeline.domain.annotation import (
    Annotation,
    AnnotationKind,
    Explanation,
    Issue,
    Metadata,
    Outage,
    Return,
    ScheduleWindow,
    SessionEnded,
)
from pipeline.domain.canonical import MAX_SAFE_INTEGER
from pipeline.domain.continuity import Judged, JudgedSegment, RecordingEnded
from pipeline.domain.duty import SilenceChanged
from pipeline.domain.identity import RecordingId, Sha256, SourceId
from pipeline.domain.schedule import Schedule, ZoneOffset
from pipeline.domain.time import MAX_WALL_MS, Nanos, WallMs
from pipeline.wire.events import TYPES

_FIELDS_WITH_A_RULE: Final = {
    "counts": "size_bytes error_ms packets index partition offset covered_ms segments bytes expected_segments close_seq",
    "from_one": "announcement time_base_num time_base_den revision position silent_after_s init_bytes",
    "from_genesis": "seq through_seq",
    "labels": "connector unit annotation_id made_by grounds probe_version officer",
    "not_empty": "bucket key staged_key",
    "weekdays": "weekday",
    "minutes_of_day": "from_minute to_minute",
    "minutes_from_utc": "minutes",
    "days": "day",
    "some": "offsets",
}

_text = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
_label = st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1, max_size=12)
_id = st.from_regex(r"[A-Za-z0-9][A-Za-z0-9._-]{0,95}", fullmatch=True)

_BY_RULE: Final[dict[str, st.SearchStrategy[Any]]] = {
    "counts": st.integers(0, MAX_SAFE_INTEGER),
    "from_one": st.integers(1, MAX_SAFE_INTEGER),
    "from_genesis": st.integers(-1, MAX_SAFE_INTEGER),
    "labels": _label,
    "not_empty": _label,
    "weekdays": st.integers(1, 7),
    "minutes_of_day": st.integers(0, 1440),
    "minutes_from_utc": st.integers(-1080, 1080),
    "days": st.dates(min_value=date(1970, 1, 1)).map(date.isoformat),
    "some": st.lists(
        st.builds(ZoneOffset, since=st.integers(0, MAX_WALL_MS).map(WallMs), minutes=st.integers(-1080, 1080)),
        min_size=1,
        max_size=2,
    ).map(tuple),
}
_BY_TYPE: Final[dict[Any, st.SearchStrategy[Any]]] = {
    bool: st.booleans(),
    int: st.integers(-MAX_SAFE_INTEGER, MAX_SAFE_INTEGER),
    str: _text,
    NoneType: st.none(),
    SourceId: _id,
    RecordingId: _id,
    Sha256: st.binary(min_size=32, max_size=32).map(bytes.hex),
    WallMs: st.integers(0, MAX_WALL_MS).map(WallMs),
    Nanos: st.integers(-(1 << 62), 1 << 62).map(Nanos),
}


def events() -> st.SearchStrategy[Any]:
    """Any event of any topic."""
    kinds: list[Any] = list(TYPES.values())
    return st.one_of(*(_of(kind) for kind in kinds))


@cache
def _of(kind: Any) -> st.SearchStrategy[Any]:
    if kind in _BY_TYPE:
        return _BY_TYPE[kind]
    origin, parts = get_origin(kind), get_args(kind)
    if origin is Literal:
        return st.sampled_from(parts)
    if origin in (Union, UnionType):
        return st.one_of(*map(_of, parts))
    if origin is tuple:
        return st.lists(_of(parts[0]), max_size=2).map(tuple) if parts[-1] is ... else st.tuples(*map(_of, parts))
    if kind is Annotation:
        return st.one_of(*map(_annotation, get_args(AnnotationKind)))
    if kind is Judged:
        return st.one_of(*map(_judged, ("segment", "annotation", "ended")))
    if kind is SilenceChanged:
        return _built(kind, size_ms=_BY_RULE["counts"])
    if kind is Explanation:
        return _built(kind).map(lambda e: replace(e, text=e.text + "because"))
    return _built(kind)


def _built(kind: Any, /, **given: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    hints = get_type_hints(kind)
    made = {
        field.name: given[field.name] if field.name in given else _field(field.name, hints[field.name])
        for field in fields(kind)
    }
    optional = {field.name for field in fields(kind) if field.default is not MISSING}
    wanted = {name: strategy for name, strategy in made.items() if name in given or name not in optional}
    rest = {name: strategy for name, strategy in made.items() if name not in wanted}
    return st.fixed_dictionaries(wanted, optional=rest).map(lambda values: kind(**values))


def _field(name: str, kind: Any) -> st.SearchStrategy[Any]:
    for rule, names in _FIELDS_WITH_A_RULE.items():
        if name in names.split():
            return st.one_of(st.none(), _BY_RULE[rule]) if NoneType in get_args(kind) else _BY_RULE[rule]
    return _of(kind)


def _annotation(kind: str) -> st.SearchStrategy[Any]:
    bodies: dict[str, Any] = {
        "metadata": ("metadata", Metadata),
        "explanation": ("explanation", Explanation),
        "session_ended": ("ended", SessionEnded),
        "schedule_window": ("window", ScheduleWindow),
        "schedule": ("schedule", Schedule),
        "issued": ("issue", Issue),
        "returned": ("returned", Return),
        "outage": ("outage", Outage),
    }
    name, body = bodies.get(kind, (None, None))
    given = {each: st.none() for each, _ in bodies.values()} | ({name: _of(body)} if name else {})
    recording = _id if kind in ("metadata", "explanation", "session_ended", "deadline_due") else _of(RecordingId | None)
    if kind in ("schedule", "issued"):
        given["unit"] = _label
    return _built(Annotation, kind=st.just(kind), recording_id=recording, **given)


def _judged(kind: str) -> st.SearchStrategy[Any]:
    bodies: dict[str, Any] = {"segment": JudgedSegment, "annotation": Annotation, "ended": RecordingEnded}
    given = {name: _of(body) if name == kind else st.none() for name, body in bodies.items()}
    return _built(Judged, kind=st.just(kind), **given)
