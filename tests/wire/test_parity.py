"""Schema and codec are written apart and must say the same of every input."""

from __future__ import annotations

import copy
import hashlib
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

import schemas
from pipeline.domain.canonical import plain
from pipeline.domain.errors import Malformed
from pipeline.wire import codec, topics
from pipeline.wire.events import TYPES
from tests.wire.contract import accepts, examples, read
from tests.wire.pin import PINS, pins
from tests.wire.strategies import events

OPEN = {topics.LANDED.name, topics.ANNOTATION.name}
"""What outsiders send us; everything else we make ourselves."""

VALID = [
    (name, read(path))
    for name, verdict, path in examples()
    if verdict == "valid" and name in TYPES and not path.stem.startswith("unknown-field")
]
"""Without those whose unknown fields the schemas leave open: what stands there is judged by neither, but for huge integers."""
STRANGE: list[Any] = [
    None, True, 0, -1, 1.5, 2**53, -(2**53), "", "x", "x\n", "\x07", "2026-02-30T08:00:00.000Z", "2026-11-24T08:00:00.000Z",
    "1969-12-31T23:59:59.999Z", "a" * 64, "0", "-0", [], [None], {}, "R9", "segment", "metadata", "deadline_due",
]  # fmt: skip


def reads(name: str, value: Any) -> bool:
    """What the codec says of a parsed value."""
    try:
        codec.decode(name, json.dumps(value).encode())
    except Malformed:
        return False
    return True


def places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The path of every member of *value*."""
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for name, member in inner:
        yield (*path, name)
        yield from places(member, (*path, name))


@pytest.mark.parametrize(
    ("name", "verdict", "path"), list(examples()), ids=lambda part: part.stem if isinstance(part, Path) else part
)
def test_every_example_gets_its_verdict_from_schema_and_codec(name: str, verdict: str, path: Path) -> None:
    by_schema = accepts(name, read(path))
    by_codec = reads(name, read(path)) if name in TYPES else by_schema

    assert (by_schema, by_codec) == (verdict == "valid", verdict == "valid")


@pytest.mark.parametrize("name", schemas.names())
def test_every_schema_is_one_and_has_examples_both_ways(name: str) -> None:
    schema = schemas.load(name)

    Draft202012Validator.check_schema(schema)

    assert schema["$id"] == f"urn:unbroken:schema:{name}"
    assert name == "common.v1" or {verdict for each, verdict, _ in examples() if each == name} == {"valid", "invalid"}


def test_every_topic_has_its_schema_and_its_type() -> None:
    assert [topic.name for topic in topics.DATA] == list(TYPES)
    assert {topic.schema for topic in topics.DATA} <= set(schemas.names())


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(events())
def test_what_the_domain_can_hold_is_written_as_the_schema_says_and_comes_back(event: Any) -> None:
    name = codec.event_topic(event).name

    value = codec.encode(event)

    assert accepts(name, json.loads(value))
    assert json.loads(value) == plain(event)
    assert codec.decode(name, value, codec.headers(event)) == event
    assert codec.encode(codec.decode(name, value)) == value


@settings(max_examples=1500, deadline=None)
@given(st.data())
def test_schema_and_codec_agree_on_messages_with_one_thing_wrong(data: st.DataObject) -> None:
    name, valid = data.draw(st.sampled_from(VALID))
    broken = copy.deepcopy(valid)
    path = data.draw(st.sampled_from(list(places(broken))))
    strange = data.draw(st.sampled_from([*STRANGE, ...]))

    holder = broken
    for step in path[:-1]:
        holder = holder[step]
    if strange is ...:
        del holder[path[-1]]
    else:
        holder[path[-1]] = strange

    assert accepts(name, broken) == reads(name, broken), f"{name} {path} {strange!r}"


@pytest.mark.parametrize(("name", "valid"), VALID, ids=[f"{i}-{name}" for i, (name, _) in enumerate(VALID)])
def test_what_we_emit_is_closed_and_what_we_read_is_open(name: str, valid: dict[str, Any]) -> None:
    more = {**valid, "said_by_a_newer_sender": 1}

    assert accepts(name, more) == (name in OPEN)
    assert reads(name, more)


def test_published_schemas_are_as_they_were_published() -> None:
    changed = [name for name, digest in json.loads(PINS.read_text("utf-8")).items() if pins().get(name) != digest]

    assert changed == [], f"a published schema is frozen: make a new version ({', '.join(changed)})"
    assert set(pins()) == set(json.loads(PINS.read_text("utf-8"))), "pin it: python -m tests.wire.pin"


def test_the_page_lists_every_schema_once() -> None:
    page = (Path(schemas.__file__).parent / "README.md").read_text("utf-8")

    listed = re.findall(r"^\| \[`([a-z.0-9-]+)`\]\(", page, flags=re.MULTILINE)

    assert sorted(listed) == list(schemas.names())


def test_a_changed_letter_of_a_schema_would_be_seen() -> None:
    text = schemas.text("common.v1")

    assert pins()["common.v1"] == hashlib.sha256(text).hexdigest() != hashlib.sha256(text + b" ").hexdigest()
