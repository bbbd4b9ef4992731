"""Codec: events of the domain to bytes and back, strictly; and stage states to JSON and back.

The wire is JSON as ``schemas/`` promises it. Encoding is deterministic: fields in the order of declaration, ``None``
written as ``null``, wall times as RFC 3339, nanoseconds as decimal strings; the parsed bytes equal
``domain.canonical.plain(event)``. Decoding refuses what a schema refuses, with the place and both sides, and then makes
the domain value, whose own rules hold too. Three things it knows that a schema cannot say:

1. A field nobody knows is passed over: a newer sender may say more. (The schemas of what we emit are closed.)
2. A number written ``1.0`` is not an integer here, and one beyond 2**53-1 is refused anywhere, because evidence must
   read alike in every language.
3. Of a field given twice the last one counts, as for every common JSON reader; the quarantine and the topic keep the
   bytes.

What :func:`encode` writes, :func:`decode` reads: a value that would not come back is refused when it is written.
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Callable
from dataclasses import is_dataclass, replace
from typing import Any, Final, Literal, TypeVar, get_args, get_origin, get_type_hints

import msgspec

from pipeline.domain.canonical import MAX_SAFE_INTEGER
from pipeline.domain.errors import Malformed, UnsupportedVersion
from pipeline.domain.quarantine import Quarantined
from pipeline.domain.time import Nanos, WallMs, from_decimal, from_rfc3339, to_rfc3339
from pipeline.wire import topics
from pipeline.wire.cloudevents import headers, key
from pipeline.wire.events import TYPES, Event, Headers, event_topic

__all__ = ["decode", "dump_state", "encode", "encode_quarantined", "event_topic", "headers", "key", "load_state"]

T = TypeVar("T")

_MAX_BYTES: Final = {topic.name: topic.max_value_bytes for topic in topics.DATA}


def encode(event: Event) -> bytes:
    """The one JSON form of *event*; raises :class:`Malformed` if it has none that every reader understands."""
    name = event_topic(event).name
    try:
        value = _ENCODER.encode(event)
    except (ValueError, OverflowError) as exc:  # a lone surrogate in a name, an instant outside 1970..9999
        raise Malformed(f"{name} cannot be written: {exc}") from exc
    _check_size(name, value)
    _check_integers(name, value)
    return value


def decode(topic: str, value: bytes | None, headers: Headers = ()) -> Any:
    """The event in *value*, of the type that *topic* (without the installation's prefix) carries.

    Raises :class:`UnsupportedVersion` when the header ``ce_type`` names another version of the same event, and
    :class:`Malformed` for everything else that is not what the topic promises; ``KeyError`` for a topic we do not have.
    """
    decoder = _DECODERS[topic]
    _check_type(topic, headers)
    if value is None:
        raise Malformed(f"null value: expected a {topic} as a JSON object, found a tombstone")
    _check_size(topic, value)
    try:
        value.decode("utf-8")  # msgspec passes over bad bytes inside fields it does not know
        event = decoder.decode(value)
        _check_integers(topic, value)
    except UnicodeDecodeError as exc:
        raise Malformed(f"{topic}: expected UTF-8, found byte 0x{value[exc.start]:02x} at byte {exc.start}") from exc
    except RecursionError as exc:
        raise Malformed(f"{topic}: expected a flat object, found brackets nested too deep to read") from exc
    except msgspec.ValidationError as exc:
        raise Malformed(f"{topic} at {_place_and_sides(TYPES[topic], str(exc))}") from exc
    except msgspec.DecodeError as exc:
        raise Malformed(f"{topic}: expected one JSON object, found bytes that are none: {exc}") from exc
    return event


def encode_quarantined(item: Quarantined, headers: Headers) -> bytes:
    """*item* with the headers its input came with, kept as they are."""
    kept = tuple((name, base64.b64encode(raw).decode()) for name, raw in headers)
    return encode(replace(item, headers_base64=kept))


def dump_state(state: object) -> Any:
    """*state* (frozen dataclasses, tuples, dicts with string keys, plain values) as what ``json`` can write."""
    return msgspec.to_builtins(state, enc_hook=_spell)


def load_state(kind: type[T], raw: Any) -> T:
    """The inverse of :func:`dump_state`; raises :class:`Malformed` naming the place. A field the state did not have
    when it was written gets its default."""
    try:
        return msgspec.convert(raw, kind, dec_hook=_read)
    except msgspec.ValidationError as exc:
        raise Malformed(f"state {kind.__name__} at {_place_and_sides(kind, str(exc))}") from exc


def _spell(value: object) -> str:
    if isinstance(value, WallMs):
        return to_rfc3339(value)
    if isinstance(value, Nanos):
        return str(int(value))
    raise NotImplementedError(f"no JSON form for {type(value).__name__}")


_READ: Final[dict[type[Any], Callable[[str], Any]]] = {WallMs: from_rfc3339, Nanos: from_decimal}


def _read(kind: type[Any], raw: object) -> Any:
    if not isinstance(raw, str):
        raise ValueError(f"expected a string for {kind.__name__}, found {raw!r:.80}")
    return _READ[kind](raw)


_ENCODER: Final = msgspec.json.Encoder(enc_hook=_spell)
_DECODERS: Final = {name: msgspec.json.Decoder(kind, dec_hook=_read) for name, kind in TYPES.items()}


def _check_size(topic: str, value: bytes) -> None:
    limit = _MAX_BYTES[topic]
    if len(value) > limit:
        raise Malformed(f"{topic}: expected at most {limit} bytes, found {len(value)}")


def _check_type(topic: str, headers: Headers) -> None:
    """A sender that names the event's type must name ours; one that names none is believed by the topic."""
    for name, raw in headers:
        if name != "ce_type":
            continue
        wanted, found = f"unbroken.{topic}", raw.decode("utf-8", errors="replace")
        if found == wanted:
            return
        if re.sub(r"\.v[0-9]+$", "", found) == re.sub(r"\.v[0-9]+$", "", wanted):
            raise UnsupportedVersion(
                f"{topic}: expected ce_type {wanted}, found {found[:200]}; upgrade, then release it"
            )
        raise Malformed(f"{topic}: expected ce_type {wanted}, found {found[:200]!r}")


# Every digit becomes 0, so that one search finds any run of 16: the shortest number that may pass 2**53-1.
_DIGITS_AS_ZERO: Final = bytes(0x30 if 0x30 <= byte <= 0x39 else byte for byte in range(256))


def _check_integers(topic: str, value: bytes) -> None:
    """Refuse integers beyond 2**53-1, wherever they stand. The parse is only for the rare message with 16 digits in a row."""
    if b"0" * 16 not in value.translate(_DIGITS_AS_ZERO):
        return

    def refuse(digits: str) -> int:
        if len(digits) > 17 or abs(int(digits)) > MAX_SAFE_INTEGER:
            raise Malformed(f"{topic}: expected integers up to 2**53-1, found {digits[:40]}")
        return int(digits)

    json.loads(value, parse_int=refuse)


_MSGSPEC: Final = re.compile(r"(?P<what>.*?)(?: - at `(?P<place>[^`]*)`)?", flags=re.DOTALL)


def _place_and_sides(kind: type[Any], message: str) -> str:
    """msgspec says ``Expected `int`, got `str` - at `$.sequence```; we say the place first, and what would be right."""
    match = _MSGSPEC.fullmatch(message)
    what, place = (match["what"], match["place"] or "$") if match else (message, "$")
    what = what.replace("`, got `", "`, found `")
    if what.startswith("Invalid enum value"):
        what = f"expected {_choices(kind, place)}, found{what.removeprefix('Invalid enum value')}"
    return f"{place}: {what[:1].lower()}{what[1:]}"


def _choices(kind: Any, place: str) -> str:
    """The words allowed at *place* (``$.facts.streams[...].kind``) of *kind*."""
    for word in re.findall(r"\.(\w+)", place):
        kind = get_type_hints(next(part for part in _parts(kind) if is_dataclass(part)))[word]
    words = next((get_args(part) for part in _parts(kind) if get_origin(part) is Literal), ())
    return f"one of {', '.join(map(str, words))}" if words else "another word"


def _parts(kind: Any) -> list[Any]:
    """*kind* and what its unions and tuples are made of."""
    parts = [kind]
    for part in parts:
        if get_origin(part) is not Literal:
            parts += get_args(part)
    return parts
