"""Beside: what an archive holds beside its recordings, and what somebody laid over it.

1. A record that no receipt lists is as its seal says; a seal has its record; a report carries its own signature. For a record
   without any of these nobody answers: it is told, and NOT COVERED.
2. Each of them is locked. Until when it must be, the policy says, which this does not know.
3. No lock prevents a delete marker over an object, or another version over it. Both hide what is locked, and are faults.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from pipeline.domain.identity import Sha256
from pipeline.domain.time import to_rfc3339
from pipeline.domain.verify import Fault, Item, Lock, answers, listed, not_covered, not_signed, same


def check_entry(bucket: str, key: str, digest: Sha256, found: Sha256) -> Item:
    """An entry of a register, at *key*, against the *digest* its place is made of."""
    return answers(f"{bucket}/{key}", "documents", same(key, digest, found), "has the digest its place names")[0]


@dataclass(frozen=True, slots=True, kw_only=True)
class Vouched:
    """A record beside the recordings, at ``key``. ``found``: the digest of the bytes there (``None``: nothing is there);
    ``stated``, ``key_id``: what its seal names, of a report nothing but the key; ``genuine``: as for :func:`check_signature`;
    ``why``: why there is no such word; ``locks``: its own and its seal's by their places, none if there is nobody to ask."""

    key: str
    found: Sha256 | None
    stated: tuple[str, str] | None = None
    key_id: str = ""
    genuine: bool | None = None
    why: str = ""
    locks: tuple[tuple[str, Lock], ...] = ()


def check_seals(bucket: str, records: Sequence[Vouched], keys: Collection[str]) -> list[Item]:
    """Every record beside the recordings against its seal, and every seal against its record; *keys* as for
    :func:`check_signature`. A record without a seal is told, and NOT COVERED."""
    faults, unsealed, own = list[Fault](), list[str](), 0
    for one in records:
        where = f"{bucket}/{one.key}"
        if one.why:
            faults.append(Fault(place=where, expected="a seal or signature", found=one.why))
        elif not one.key_id:
            unsealed.append(where)
        else:
            said = list(not_signed(one.key_id, keys, one.genuine))
            if not said and one.stated is not None:
                said += same("", _sealed_place(*one.stated), _sealed_place(one.key, one.found))
            faults += [Fault(place=where, expected=each.expected, found=each.found) for each in said]
            own += not said and not keys
    told = len(records) - len(unsealed)
    items = answers(bucket, "signature", faults, f"{told} records beside the recordings, as signed") if told else []
    if own and not faults:
        why = f"{own} records beside the recordings, signed by a key that comes from the archive itself"
        items = [not_covered(bucket, "signature", why)]
    if unsealed:
        items.append(
            not_covered(bucket, "signature", f"nobody answers for {listed(unsealed, 'records without a seal')}")
        )
    return items


def _sealed_place(key: str, digest: str | None) -> str:
    return f"{key} is nothing" if digest is None else f"{key} with sha256 {digest}"


def check_record_locks(bucket: str, records: Sequence[Vouched]) -> list[Item]:
    """The locks of records beside the recordings: until when each must be locked, the policy says (``retention sweep``)."""
    asked = [held for one in records for held in one.locks]
    faults = list[Fault]()
    for key, lock in asked:
        if lock.mode != "COMPLIANCE" or lock.retain_until is None:
            date = "no date" if lock.retain_until is None else to_rfc3339(lock.retain_until)
            expected, found = "COMPLIANCE until a date", f"{lock.mode} until {date}"
            faults.append(Fault(place=f"{bucket}/{key}", expected=expected, found=found))
    told = f"{len(asked)} records and seals beside the recordings in COMPLIANCE"
    return answers(bucket, "locks", faults, told) if asked else []


class Layered(NamedTuple):
    """What lies at a key beside one version: a delete marker, or versions that are not all ``equal``. ``told``: which."""

    place: str
    marked: bool
    equal: bool
    told: str


def check_layers(bucket: str, layered: Iterable[Layered]) -> list[Item]:
    """What somebody laid over objects of *bucket*. No lock prevents either; what was locked is still beneath."""
    faults, extra = list[Fault](), 0
    for one in layered:
        if one.marked:
            faults.append(
                Fault(place=one.place, expected="no delete marker", found="a delete marker over what is locked")
            )
        elif not one.equal:
            faults.append(Fault(place=one.place, expected="versions of the same bytes", found=one.told))
        extra += one.equal
    told = f"nothing hides an object or lies over it as another; {extra} more than once, with the same bytes"
    return answers(bucket, "locks", faults, told)
