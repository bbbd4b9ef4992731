"""The store over S3, with the ``minio`` client; what its errors mean is :mod:`~pipeline.adapters.objects_answers`.

Four things the client would do otherwise are done here on purpose:

1. Connections are ours (:mod:`pipeline.adapters.store_http`): nothing is repeated, every wait ends, half an answer is none.
2. The digest that names the object also signs the request, so the server itself refuses a body that is not what was
   hashed. It costs nothing, where the client would hash every body once more.
3. Files beyond one part are sent as a multi-part upload that whoever comes next resumes: the server is asked for an
   upload of this key and for its parts, and a part counts as sent only if its MD5 there is the MD5 of our bytes here.
   Nothing about it is remembered on our side, so there is no moment in which a crash could lose it.
4. Locks are read from the headers of a HEAD request, leniently: servers print times with other precisions than the client
   expects.
"""

from __future__ import annotations

import base64
import hashlib
import io
import re
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import AbstractContextManager, closing, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, BinaryIO, Final, cast
from urllib.parse import urlsplit

from minio import Minio
from minio.commonconfig import COMPLIANCE
from minio.datatypes import Part
from minio.retention import Retention

from pipeline.adapters.objects_answers import mapped
from pipeline.adapters.objects_put import Wanted, put_once, whole_second
from pipeline.adapters.store_http import open_pool
from pipeline.domain.archive import LockMode
from pipeline.domain.errors import (
    Misconfigured,
    NotLocked,
    ObjectMissing,
    SourceFileChanged,
    StoreError,
    StoreUnavailable,
)
from pipeline.domain.identity import Sha256
from pipeline.domain.landing import ObjectRef
from pipeline.domain.time import WallMs
from pipeline.ports import Layers, ObjectStat
from pipeline.settings import Settings

PART_BYTES: Final = 16 << 20
"""Files up to this size are one PUT; larger ones go in parts of it. Three in flight: about 110 MB of memory."""
PARTS_IN_FLIGHT: Final = 3
_MAX_PARTS: Final = 9_000
"""S3 allows 10,000 parts; beyond 140 GB the parts grow."""
KNOWN_DIGEST: Final = "unbroken-body-sha256"
"""Name under which a body's known digest travels to the signature; never sent."""
STALE_UPLOAD_S: Final = 48 * 3600
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


def open_client(settings: Settings) -> Minio:
    """A client for the settings' store; connects at first use. Raises ``Misconfigured`` for an address that is none."""
    url = urlsplit(settings.store_url)
    if url.scheme not in ("http", "https") or not url.netloc or url.path.strip("/"):
        raise Misconfigured(
            f"the store's address is http(s)://host:port, found {settings.store_url!r} (UNBROKEN_STORE_URL)"
        )
    if not settings.store_access_key:
        raise Misconfigured(
            "no access key for the store: export UNBROKEN_STORE_ACCESS_KEY and UNBROKEN_STORE_SECRET_KEY "
            "(the local stack's are in infra/local.env)"
        )
    return _Client(
        url.netloc,
        access_key=settings.store_access_key,
        secret_key=settings.store_secret_key.get_secret_value(),
        secure=url.scheme == "https",
        region=settings.store_region,
        http_client=open_pool(settings.store_ca_file),
    )


def open_store(settings: Settings, on_sent: Callable[[int], None] | None = None) -> S3Objects:
    """The object store of an installation; *on_sent* as for :class:`S3Objects`."""
    return S3Objects(open_client(settings), on_sent)


class S3Objects:
    """:class:`pipeline.ports.ObjectStore` over S3. Thread-safe; memory is bounded by the parts in flight, whatever the files.

    *on_sent* hears the size of each body that arrived.
    """

    def __init__(self, client: Minio, on_sent: Callable[[int], None] | None = None) -> None:
        self._client = client
        self._on_sent = on_sent or (lambda _size_bytes: None)
        self._senders = ThreadPoolExecutor(PARTS_IN_FLIGHT, thread_name_prefix="part")
        self._room = threading.Semaphore(PARTS_IN_FLIGHT)

    def put_file(self, bucket: str, key: str, path: Path, sha256: Sha256, *, retain_until: WallMs | None) -> ObjectStat:
        try:
            size_bytes = path.stat().st_size
            if size_bytes <= PART_BYTES:
                data = path.read_bytes()
                if hashlib.sha256(data).hexdigest() != sha256:
                    raise _changed(path)
                return self.put_bytes(bucket, key, data, sha256, retain_until=retain_until)
            wanted = _wanted(bucket, key, sha256, size_bytes, retain_until)
            return put_once(self, wanted, lambda: self._send_parts(wanted, path))
        except OSError as exc:
            raise SourceFileChanged(f"the file cannot be read: {exc} ({path})") from exc

    def put_bytes(
        self, bucket: str, key: str, data: bytes, sha256: Sha256, *, retain_until: WallMs | None
    ) -> ObjectStat:
        wanted = _wanted(bucket, key, sha256, len(data), retain_until)
        return put_once(self, wanted, lambda: self._send(wanted, data))

    def stat(self, bucket: str, key: str, version_id: str | None = None) -> ObjectStat:
        query = {"versionId": version_id} if version_id else {}
        with mapped(f"{bucket}/{key}"):
            response = self._client._execute("HEAD", bucket, key, query_params=cast(Any, query))
        return _stat(bucket, key, response.headers)

    def open(self, ref: ObjectRef) -> AbstractContextManager[BinaryIO]:
        return self._open(ref.bucket, ref.key, ref.version_id)

    def read(self, bucket: str, key: str, limit_bytes: int = 64 << 20) -> bytes:
        with self._open(bucket, key, "") as body:
            data = body.read(limit_bytes + 1)
        if len(data) > limit_bytes:
            raise ValueError(f"expected at most {limit_bytes} bytes, found more ({bucket}/{key})")
        return data

    def extend_retention(self, bucket: str, key: str, version_id: str, until: WallMs) -> ObjectStat:
        found = self.stat(bucket, key, version_id)
        if found.lock_mode == "COMPLIANCE" and found.retain_until is not None and found.retain_until >= until:
            return found
        date = datetime.fromtimestamp(whole_second(until) / 1000, UTC)
        with mapped(f"{bucket}/{key}"):
            self._client.set_object_retention(bucket, key, Retention(COMPLIANCE, date), version_id=version_id or None)
        found = self.stat(bucket, key, version_id)
        if found.lock_mode != "COMPLIANCE" or found.retain_until is None or found.retain_until < until:
            raise NotLocked(
                f"the lock was not extended: expected COMPLIANCE until {until}, "
                f"found {found.lock_mode} until {found.retain_until} ({bucket}/{key})"
            )
        return found

    def set_hold(self, bucket: str, key: str, version_id: str, on: bool) -> ObjectStat:
        found = self.stat(bucket, key, version_id)
        if found.legal_hold is on:
            return found
        change = self._client.enable_object_legal_hold if on else self._client.disable_object_legal_hold
        with mapped(f"{bucket}/{key}"):
            change(bucket, key, version_id=version_id or None)
        found = self.stat(bucket, key, version_id)
        if found.legal_hold is not on:
            raise NotLocked(f"the legal hold was not changed: expected {on}, found {found.legal_hold} ({bucket}/{key})")
        return found

    def list(self, bucket: str, prefix: str) -> Iterator[ObjectStat]:
        with mapped(f"{bucket}/{prefix}"):
            for found in self._client.list_objects(bucket, prefix=prefix, recursive=True):
                yield ObjectStat(
                    bucket=bucket,
                    key=found.object_name or "",
                    version_id=found.version_id or "",
                    size_bytes=found.size or 0,
                    sha256=None,
                    lock_mode="none",
                    retain_until=None,
                    legal_hold=False,
                )

    def versions(self, bucket: str, key: str) -> Sequence[str]:
        with mapped(f"{bucket}/{key}"):
            found = list(self._client.list_objects(bucket, prefix=key, recursive=True, include_version=True))
        mine = [item for item in found if item.object_name == key and not item.is_delete_marker]
        return [item.version_id or "" for item in mine]  # S3 lists a key's versions newest first

    def signed_address(self, ref: ObjectRef, seconds: int, media_type: str) -> str:
        """Where anybody may read this version, by ranges too, for so many seconds; the store says it is *media_type*."""
        with mapped(f"{ref.bucket}/{ref.key}"):
            return self._client.presigned_get_object(
                ref.bucket,
                ref.key,
                expires=timedelta(seconds=seconds),
                response_headers={"response-content-type": media_type},
                version_id=ref.version_id or None,
            )

    def layers(self, bucket: str, prefix: str) -> Iterator[Layers]:
        with mapped(f"{bucket}/{prefix}"):
            listed = self._client.list_objects(bucket, prefix=prefix, recursive=True, include_version=True)
            held: list[Any] = []
            for item in listed:  # of each page the versions in the order of their keys, then the markers
                if item.is_delete_marker:
                    yield Layers(key=str(item.object_name), marked=True)
                    continue
                if held and held[0].object_name != item.object_name:
                    yield from _layers(held)
                    held = []
                held.append(item)
            yield from _layers(held)

    def unfinished_uploads(self, bucket: str) -> int:
        """How many multi-part uploads were begun and not ended: running now, or broken off."""
        with mapped(bucket):
            return len(self._client._list_multipart_uploads(bucket).uploads)

    def abort_stale_uploads(self, bucket: str, now: WallMs, older_than_s: int = STALE_UPLOAD_S) -> int:
        """Give up multi-part uploads nobody has finished for that long; returns how many. Takes no stored object away."""
        aborted = 0
        with mapped(bucket):
            for upload in self._client._list_multipart_uploads(bucket).uploads:
                begun = upload.initiated_time
                if begun is not None and begun.timestamp() * 1000 < now - older_than_s * 1000:
                    self._client._abort_multipart_upload(bucket, upload.object_name, cast(str, upload.upload_id))
                    aborted += 1
        return aborted

    @contextmanager
    def _open(self, bucket: str, key: str, version_id: str) -> Iterator[BinaryIO]:
        where = f"{bucket}/{key}"
        query = {"versionId": version_id} if version_id else {}
        with mapped(where):
            response = self._client._execute("GET", bucket, key, query_params=cast(Any, query), preload_content=False)
        try:
            with closing(io.BufferedReader(_Body(response, where), 1 << 18)) as body:
                yield cast(BinaryIO, body)
        finally:
            response.close()  # not drained: a reader that stops early must not wait for gigabytes
            response.release_conn()

    def _send(self, wanted: Wanted, data: bytes) -> None:
        with mapped(_where(wanted)):
            self._client._execute(
                "PUT",
                wanted.bucket,
                wanted.key,
                body=data,
                headers=_headers(wanted) | _checksum(wanted.sha256),
                no_body_trace=True,
            )
        self._on_sent(len(data))

    def _send_parts(self, wanted: Wanted, path: Path) -> None:
        """Begin a multi-part upload or take one up again, send what is missing, complete.

        The digest of what was read is compared before completion, so a file that changed meanwhile never becomes an
        object. Another process may end the same upload while we work on it: then the outcome is unknown, and looked for.
        """
        try:
            upload_id, present = self._begin(wanted)
            sent = self._send_missing(wanted, path, upload_id, present)
            with mapped(_where(wanted)):
                self._client._complete_multipart_upload(wanted.bucket, wanted.key, upload_id, list(sent))
        except ObjectMissing as exc:
            raise StoreUnavailable(f"the upload was ended elsewhere ({_where(wanted)})") from exc

    def _send_missing(self, wanted: Wanted, path: Path, upload_id: str, present: dict[int, Part]) -> Sequence[Part]:
        whole = hashlib.sha256()
        parts: list[Future[Part]] = []
        try:
            for number, data in enumerate(_chunks(path, _part_bytes(wanted.size_bytes), self._room), start=1):
                there = present.get(number)
                parts.append(self._senders.submit(self._send_part, wanted, upload_id, number, data, there))
                whole.update(data)
                if any(part.done() and part.exception() for part in parts[-2 * PARTS_IN_FLIGHT :]):
                    break
            sent = [part.result() for part in parts]
        finally:
            wait(parts)  # not cancelled: each one that was handed over also gives its room back
        if whole.hexdigest() != wanted.sha256:
            with mapped(_where(wanted)):
                self._client._abort_multipart_upload(wanted.bucket, wanted.key, upload_id)
            raise _changed(path)
        return sent

    def _send_part(self, wanted: Wanted, upload_id: str, number: int, data: bytes, there: Part | None) -> Part:
        try:
            if there is not None and there.size == len(data) and there.etag == hashlib.md5(data).hexdigest():  # noqa: S324
                return Part(number, there.etag)
            with mapped(f"{_where(wanted)} part {number}"):
                etag = self._client._upload_part(
                    wanted.bucket,
                    wanted.key,
                    data,
                    {KNOWN_DIGEST: hashlib.sha256(data).hexdigest()},
                    upload_id,
                    number,
                )
            self._on_sent(len(data))
            return Part(number, etag)
        finally:
            self._room.release()

    def _begin(self, wanted: Wanted) -> tuple[str, dict[int, Part]]:
        """The newest unfinished upload of this key with the parts it has, or a new one."""
        with mapped(_where(wanted)):
            found = self._client._list_multipart_uploads(wanted.bucket, prefix=wanted.key).uploads
            open_ones = [upload for upload in found if upload.object_name == wanted.key and upload.upload_id]
            if not open_ones:
                return self._client._create_multipart_upload(wanted.bucket, wanted.key, _headers(wanted)), {}
        newest = max(open_ones, key=lambda upload: (upload.initiated_time or _EPOCH, upload.upload_id))
        return str(newest.upload_id), self._parts(wanted, str(newest.upload_id))

    def _parts(self, wanted: Wanted, upload_id: str) -> dict[int, Part]:
        found: dict[int, Part] = {}
        marker: str | None = None
        while True:
            with mapped(_where(wanted)):
                page = self._client._list_parts(wanted.bucket, wanted.key, upload_id, part_number_marker=marker)
            found |= {
                part.part_number: Part(part.part_number, part.etag.strip('"'), size=part.size) for part in page.parts
            }
            if not page.is_truncated:
                return found
            marker = str(page.next_part_number_marker)


def _layers(found: Sequence[Any]) -> Iterator[Layers]:
    if len(found) > 1:
        versions = tuple((item.version_id or "", item.size or 0, item.etag or "") for item in found)
        yield Layers(key=str(found[0].object_name), versions=versions)


class _Client(Minio):
    """The client, signing a body by the digest we already have (S3 Signature Version 4, ``x-amz-content-sha256``)."""

    def _build_headers(
        self, host: str, headers: Any = None, body: bytes | None = None, creds: Any = None
    ) -> tuple[Any, datetime]:
        digest = headers.pop(KNOWN_DIGEST, None) if headers else None
        if digest is None or body is None:
            return super()._build_headers(host, headers, body, creds)
        built, date = super()._build_headers(host, headers, None, creds)
        built["Content-Length"] = str(len(body))
        built["x-amz-content-sha256"] = digest
        return built, date


class _Body(io.RawIOBase):
    """A response's bytes, with the transport's errors mapped."""

    def __init__(self, response: Any, where: str) -> None:
        self._response = response
        self._where = where

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        with mapped(self._where):
            data = self._response.read(len(buffer))
        buffer[: len(data)] = data
        return len(data)


def _wanted(bucket: str, key: str, sha256: Sha256, size_bytes: int, retain_until: WallMs | None) -> Wanted:
    until = None if retain_until is None else whole_second(retain_until)
    return Wanted(bucket=bucket, key=key, sha256=sha256, size_bytes=size_bytes, retain_until=until)


def _where(wanted: Wanted) -> str:
    return f"{wanted.bucket}/{wanted.key}"


def _headers(wanted: Wanted) -> dict[str, Any]:
    """Our digest as metadata, and the lock. A server may ignore a lock given with a multi-part upload: the bucket's
    default retention holds then, and the protocol extends it."""
    headers = {"Content-Type": "application/octet-stream", "x-amz-meta-sha256": wanted.sha256}
    if wanted.retain_until is not None:
        headers["x-amz-object-lock-mode"] = "COMPLIANCE"
        date = datetime.fromtimestamp(wanted.retain_until / 1000, UTC)
        headers["x-amz-object-lock-retain-until-date"] = f"{date:%Y-%m-%dT%H:%M:%S}.000Z"
    return headers


def _checksum(sha256: Sha256) -> dict[str, Any]:
    """S3 wants a checksum beside a lock: the digest we have. (An MD5 of every body would cost more than the upload's
    own hashing.)"""
    return {
        KNOWN_DIGEST: sha256,
        "x-amz-sdk-checksum-algorithm": "SHA256",
        "x-amz-checksum-sha256": base64.b64encode(bytes.fromhex(sha256)).decode(),
    }


def _part_bytes(size_bytes: int) -> int:
    mebibytes = -(-size_bytes // _MAX_PARTS) + (1 << 20) - 1 >> 20
    return max(PART_BYTES, mebibytes << 20)


def _chunks(path: Path, part_bytes: int, room: threading.Semaphore) -> Iterator[bytes]:
    """The file in parts, each read only when there is room in flight; whoever sends a part makes room again."""
    with path.open("rb") as file:
        data = b"-"
        while data:
            room.acquire()
            data = b""
            try:
                data = file.read(part_bytes)
            finally:
                if not data:
                    room.release()
            if data:
                yield data


def _stat(bucket: str, key: str, headers: Any) -> ObjectStat:
    mode = headers.get("x-amz-object-lock-mode")
    return ObjectStat(
        bucket=bucket,
        key=key,
        version_id=headers.get("x-amz-version-id") or "",
        size_bytes=int(headers.get("content-length") or 0),
        sha256=headers.get("x-amz-meta-sha256"),
        lock_mode=cast(LockMode, mode) if mode in ("COMPLIANCE", "GOVERNANCE") else "none",
        retain_until=parse_lock_time(headers.get("x-amz-object-lock-retain-until-date")),
        legal_hold=headers.get("x-amz-object-lock-legal-hold") == "ON",
    )


_LOCK_TIME: Final = re.compile(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.(\d+))?(Z|[+-]\d\d:?\d\d)")


def parse_lock_time(text: str | None) -> WallMs | None:
    """Retain-until as servers print it, with any number of decimals, rounded down to the millisecond; ``None`` if absent.

    Raises ``StoreError`` for what is no time: a lock we cannot read is not taken for one.
    """
    if not text:
        return None
    match = _LOCK_TIME.fullmatch(text)
    if match is None:
        raise StoreError(f"the store's retain-until is not understood: {text!r}")
    second = datetime.fromisoformat(match[1] + match[3].replace("Z", "+00:00"))
    whole_ms = (second - _EPOCH) // timedelta(milliseconds=1)
    return WallMs(whole_ms + int((match[2] or "0").ljust(3, "0")[:3]))


def _changed(path: Path) -> SourceFileChanged:
    return SourceFileChanged(f"the file changed while it was read; let the recorder finish, then import again ({path})")
