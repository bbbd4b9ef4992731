"""View: an archived recording becomes a page that plays it, after the record of the viewing is locked.

Derivatives are made first, for that can take a while and fail; then the record is put, and only then are addresses signed
that let the holder read each file until the viewing ends. The page lies beside the derivatives, where nothing is locked,
so it comes from the store itself and needs no server of ours and no permission to read across origins.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final, NamedTuple

from pipeline.domain.annotation import Explanation
from pipeline.domain.archive import RecordingArchived
from pipeline.domain.canonical import canonical
from pipeline.domain.continuity import RecordingEnded
from pipeline.domain.derivative import Derivative
from pipeline.domain.errors import MediaError, ObjectDiffers
from pipeline.domain.identity import Sha256
from pipeline.domain.landing import ObjectRef
from pipeline.domain.playlist import Loaded, Placed, Slot, in_place, laid_out
from pipeline.domain.policy import Policy
from pipeline.domain.probe import MediaFacts
from pipeline.domain.time import WallMs, from_rfc3339
from pipeline.domain.viewing import Archived, Explained, Shown, View, view_document, view_key, ways
from pipeline.ports import Clock, ObjectStore
from pipeline.steps.derive import DeriveStep
from pipeline.wire import codec

Sign = Callable[[ObjectRef, int, str], str]
"""``(object, seconds, media type)``: an address that anybody may read the object from for so long."""

_FACTS: Final = ("media", "container", "reader", "streams", "identities", "clocks", "init_bytes")


class Wish(NamedTuple):
    """Who wants to see a recording, what for, and how long the page is to be good."""

    purpose: str
    by: str
    seconds: int


class Paged(NamedTuple):
    """A viewing with all a page is made of. ``record``: key of its record."""

    view: View
    record: str
    archived: Archived
    slots: Sequence[Slot]


@dataclass(frozen=True, kw_only=True)
class ViewStep:
    """*records*: the bucket. *on_copy* is told of each file before a copy of it is made."""

    store: ObjectStore
    derive: DeriveStep
    sign: Sign
    clock: Clock
    policy: Policy
    records: str
    on_copy: Callable[[str], None] = lambda _name: None

    async def view(self, archived: Archived, wish: Wish) -> Paged:
        """Lock the record of the viewing and lay the recording out. Raises what the store raises, and ``ObjectDiffers``."""
        shown, copies = await self._copies(archived)
        made_at = self.clock.now()
        view = View(
            recording_id=archived.account.recording_id,
            source_id=archived.source_id,
            revision=archived.account.revision,
            manifest_sha256=archived.manifest_sha256,
            purpose=wish.purpose,
            by=wish.by,
            made_at=made_at,
            until=WallMs(made_at + wish.seconds * 1000),
            shown=tuple(shown.values()),
        )
        record = self._record(view)

        def source(item: Placed) -> Loaded | str:
            return self._loaded(item, shown[item.original.sha256], copies, wish.seconds)

        return Paged(
            view=view,
            record=record,
            archived=archived,
            slots=laid_out(archived.placed, archived.account.gaps, source),
        )

    async def _copies(self, archived: Archived) -> tuple[dict[Sha256, Shown], dict[Sha256, Derivative]]:
        shown, copies = ways(archived.placed), {}
        for item in archived.placed:
            name = item.original.sha256
            if shown[name].way != "derived":
                continue
            self.on_copy(archived.names[name])
            try:
                made = await self.derive.derive(item.original)
            except MediaError as exc:
                shown[name] = replace(shown[name], way="none", why=f"{shown[name].why}; {exc}")
                continue
            copies[name] = made
            left_out = tuple(stream.codec for stream in made.copied.left_out)
            shown[name] = replace(shown[name], derived_sha256=made.derived.sha256, left_out=left_out)
        return shown, copies

    def _loaded(self, item: Placed, shown: Shown, copies: Mapping[Sha256, Derivative], seconds: int) -> Loaded | str:
        if shown.way == "none":
            return shown.why
        copy = copies.get(item.original.sha256)
        if copy is None:
            found = in_place(item)
            if isinstance(found, str):
                return found
            return found._replace(uri=self.sign(item.original, seconds, "application/octet-stream"))
        return Loaded(
            uri=self.sign(copy.derived, seconds, "video/mp4"),
            size_bytes=copy.derived.size_bytes,
            init_bytes=copy.copied.init_bytes,
            derived=True,
            pieces=copy.copied.pieces,
            streams=tuple(stream.codec for stream in copy.copied.streams),
        )

    def _record(self, view: View) -> str:
        data = view_document(view)
        digest = Sha256(hashlib.sha256(data).hexdigest())
        key = view_key(view, digest)
        until = WallMs(view.made_at + self.policy.provisional_retention_s * 1000)
        self.store.put_bytes(self.records, key, data, digest, retain_until=until)
        return key


def archived_of(receipt: RecordingArchived, manifest: Mapping[str, Any]) -> Archived:
    """The revision that *receipt* locked, as its *manifest* states it; raises ``ObjectDiffers`` when they do not belong together."""
    digest = Sha256(hashlib.sha256(canonical(dict(manifest))).hexdigest())
    listed = {item.object.sha256 for item in receipt.records if item.object.key.endswith("/manifest.json")}
    if listed != {digest}:
        raise ObjectDiffers(
            f"the manifest is not the one that was locked: expected {', '.join(listed) or 'none'}, found {digest} "
            f"({receipt.recording_id} r{receipt.revision})"
        )
    originals = {item["sha256"]: item for item in manifest["originals"]}
    ordered = [item for item in manifest["segments"] if not item["repeat"]]
    return Archived(
        source_id=receipt.source_id,
        manifest_sha256=digest,
        account=codec.load_state(RecordingEnded, manifest["account"]),
        placed=tuple(_placed(originals[item["sha256"]], item) for item in ordered),
        names={item["sha256"]: item["original_name"] for item in ordered},
        explanations={
            said["record"]["annotation_id"]: _explained(said["record"])
            for said in manifest["statements"]
            if said["kind"] == "explanation"
        },
    )


def _placed(original: Mapping[str, Any], segment: Mapping[str, Any]) -> Placed:
    return Placed(
        original=codec.load_state(
            ObjectRef, {name: original[name] for name in ("bucket", "key", "version_id", "sha256", "size_bytes")}
        ),
        facts=codec.load_state(MediaFacts, {name: original[name] for name in _FACTS}),
        start=_instant(segment["wall_start"]),
        end=_instant(segment["wall_end"]),
    )


def _explained(record: Mapping[str, Any]) -> Explained:
    return Explained(
        made_by=record["made_by"],
        made_at=from_rfc3339(record["made_at"]),
        explanation=codec.load_state(Explanation, record["explanation"]),
    )


def _instant(text: str | None) -> WallMs | None:
    return None if text is None else from_rfc3339(text)
