"""Statements as they come in: JSON of a form, a table's row or a request to a value, or to everything said against it."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final, NamedTuple

from pipeline.domain.annotation import Annotation
from pipeline.domain.errors import Malformed
from pipeline.domain.policy import Policy
from pipeline.domain.statement import Language, Objection, contradiction, in_words, objections, refused
from pipeline.domain.time import WallMs
from pipeline.wire import topics
from pipeline.wire.codec import decode, load_state

_PLACE: Final = re.compile(r"annotation\.made\.v1 at \$\.?(?P<place>[^:]*): (?P<what>.*)", flags=re.DOTALL)


class Taken(NamedTuple):
    """``annotation`` is ``None`` when the statement is refused; what does not refuse it is a remark."""

    annotation: Annotation | None
    said: tuple[Objection, ...]


def take(raw: Mapping[str, object], now: WallMs, policy: Policy) -> Taken:
    """*raw* (``schemas/annotation.made.v1``), received at *now*, as a value."""
    found = objections(raw, now, policy)
    if refused(found):
        return Taken(None, tuple(one for one in found if one.refuses))  # a remark says that something was taken
    try:
        annotation = decode(
            topics.ANNOTATION.name, json.dumps(raw, ensure_ascii=False).encode("utf-8", "surrogatepass")
        )
    except Malformed as exc:
        match = _PLACE.fullmatch(str(exc))
        place, what = (match["place"], match["what"]) if match else ("", str(exc))
        return Taken(None, (*found, Objection(place or "statement", "shape", what)))
    return Taken(annotation, found)


def archived(manifest: Mapping[str, Any]) -> Iterator[Annotation]:
    """The statements about a recording as its manifest keeps them, in the order of its chain."""
    for listed in manifest["statements"]:
        record, kind = listed["record"], listed["kind"]
        told = {name: record[name] for name in ("annotation_id", "made_at", "made_by")}
        told |= {"kind": kind, "source_id": manifest["source_id"], "recording_id": manifest["recording_id"]}
        if kind == "explanation":
            yield load_state(Annotation, {**told, "explanation": record["explanation"]})
        elif listed["disclosed"] is not None:
            yield load_state(Annotation, {**told, "metadata": listed["disclosed"]["metadata"]})


class Told(NamedTuple):
    """One of the statements handed in, and what is said of it. ``annotation`` is ``None`` where nothing is to be sent."""

    place: str
    annotation: Annotation | None
    said: tuple[Objection, ...]


def unlike(told: Sequence[Told], first: Mapping[str, Annotation]) -> list[Told]:
    """*told*, where those are refused whose id was used for another statement: one of *first*, or an earlier one of *told*."""
    known, found = dict(first), []
    for one in told:
        if one.annotation is None:
            found.append(one)
            continue
        against = contradiction(known.setdefault(one.annotation.annotation_id, one.annotation), one.annotation)
        found.append(one if against is None else Told(one.place, None, (*one.said, against)))
    return found


def told_report(told: Sequence[Told], language: Language, *, sent: int, problem: str | None = None) -> dict[str, Any]:
    """What became of *told*, in the shape of ``schemas/statements-told.v1``."""
    return {
        "sent": sent,
        "refused": sum(refused(one.said) for one in told),
        "problem": problem,
        "statements": [
            {
                "place": one.place,
                "annotation_id": None if one.annotation is None else one.annotation.annotation_id,
                "refused": refused(one.said),
                "said": [
                    {
                        "field": said.field,
                        "rule": said.rule,
                        "article": said.article,
                        "refuses": said.refuses,
                        "text": in_words(said, language),
                    }
                    for said in one.said
                ],
            }
            for one in told
        ],
    }
