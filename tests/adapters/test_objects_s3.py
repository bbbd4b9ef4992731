"""The store over S3 keeps the contract on a real server, resumes uploads by part, and maps every error."""

from __future__ import annotations

import contextlib
import io
import secrets
import socket
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest
from minio.commonconfig import COMPLIANCE, GOVERNANCE
from minio.error import S3Error
from minio.objectlockconfig import DAYS, ObjectLockConfig
from minio.retention import Retention
from pydantic import SecretStr

from pipeline.adapters.buckets import apply_buckets, check_buckets
from pipeline.adapters.clock import SystemClock
from pipeline.adapters.objects_s3 import PART_BYTES, S3Objects, open_client, open_store, parse_lock_time
from pipeline.domain.errors import (
    AccessRefused,
    Misconfigured,
    ObjectMissing,
    SourceFileChanged,
    StoreError,
    StoreFull,
    StoreUnavailable,
    UnbrokenError,
)
from pipeline.domain.identity import Sha256
from pipeline.domain.time import WallMs, from_rfc3339
from pipeline.ports import Layers
from pipeline.settings import Settings
from tests.adapters.objects_contract import ObjectsContract, sha, soon
from tests.adapters.s3 import own_settings, short_policy

stack = pytest.mark.stack


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Settings]:
    folder = tmp_path_factory.mktemp("s3")
    made = own_settings(folder, short_policy(folder))
    apply_buckets(made)
    yield made
    client = open_client(made)
    for item in client.list_objects(made.derived, recursive=True):  # hundreds of megabytes that nothing locks
        client.remove_object(made.derived, str(item.object_name))
    client.remove_bucket(made.derived)


@pytest.fixture(scope="module")
def store(settings: Settings) -> S3Objects:
    return open_store(settings)


@stack
class TestS3Objects(ObjectsContract):
    @pytest.fixture
    def locked(self, settings: Settings) -> str:
        return settings.originals

    @pytest.fixture
    def unlocked(self, settings: Settings) -> str:
        return settings.derived


@stack
class TestResume:
    """A multi-part upload that was cut off."""

    @pytest.fixture
    def path(self, tmp_path: Path) -> Path:
        path = tmp_path / "large.mp4"
        path.write_bytes(secrets.token_bytes(2 * PART_BYTES + 7))
        return path

    def _cut_off(self, settings: Settings, path: Path, *, parts: int, wrong: bool = False) -> str:
        """What a killed process leaves: an upload with its first parts. Returns its key."""
        key = f"resume/{secrets.token_hex(6)}"
        client = open_client(settings)
        upload_id = client._create_multipart_upload(settings.derived, key, {"x-amz-meta-sha256": _sha_of(path)})
        with path.open("rb") as file:
            for number in range(1, parts + 1):
                data = file.read(PART_BYTES)
                client._upload_part(settings.derived, key, data[::-1] if wrong else data, None, upload_id, number)
        return key

    @pytest.mark.parametrize("parts", [0, 1, 2])
    def test_an_upload_cut_off_sends_only_what_is_missing(self, settings: Settings, path: Path, parts: int) -> None:
        sent = list[int]()
        key = self._cut_off(settings, path, parts=parts)

        stat = open_store(settings, sent.append).put_file(settings.derived, key, path, _sha_of(path), retain_until=None)

        assert path.stat().st_size - parts * PART_BYTES == sum(sent)
        assert path.stat().st_size == stat.size_bytes
        assert _open_uploads(settings, key) == []

    def test_a_part_with_other_bytes_is_sent_again(self, settings: Settings, path: Path) -> None:
        sent = list[int]()
        key = self._cut_off(settings, path, parts=1, wrong=True)
        store = open_store(settings, sent.append)

        store.put_file(settings.derived, key, path, _sha_of(path), retain_until=None)

        assert path.stat().st_size == sum(sent)
        assert sha(store.read(settings.derived, key)) == _sha_of(path)

    def test_an_upload_another_process_ends_meanwhile_is_looked_for_and_made_good(
        self, settings: Settings, path: Path
    ) -> None:
        key = self._cut_off(settings, path, parts=1)
        client = open_client(settings)
        (mine,) = _open_uploads(settings, key)

        def end_it(_size_bytes: int) -> None:
            with contextlib.suppress(S3Error):
                client._abort_multipart_upload(settings.derived, key, mine)

        # What the native store says of it depends on how far the end has come.
        with pytest.raises(StoreUnavailable, match=r"ended elsewhere|completion is already in progress"):
            open_store(settings, end_it).put_file(settings.derived, key, path, _sha_of(path), retain_until=None)
        stat = open_store(settings).put_file(settings.derived, key, path, _sha_of(path), retain_until=None)

        assert path.stat().st_size == stat.size_bytes

    def test_two_processes_that_bring_the_same_file_make_one_object(self, settings: Settings, path: Path) -> None:
        key = f"resume/{secrets.token_hex(6)}"
        with ThreadPoolExecutor(2) as threads:
            both = [threads.submit(_patiently, open_store(settings), settings.derived, key, path) for _ in range(2)]

        assert both[0].result() == both[1].result()

    def test_a_file_that_changed_leaves_no_upload_behind(self, settings: Settings, path: Path) -> None:
        key = self._cut_off(settings, path, parts=1)

        with pytest.raises(SourceFileChanged):
            open_store(settings).put_file(settings.derived, key, path, sha(b"before"), retain_until=None)

        assert _open_uploads(settings, key) == []

    def test_uploads_nobody_finished_are_given_up_after_two_days(self, settings: Settings, path: Path) -> None:
        key = self._cut_off(settings, path, parts=1)
        store = open_store(settings)
        now = SystemClock().now()

        young = store.abort_stale_uploads(settings.derived, now)
        old = store.abort_stale_uploads(settings.derived, WallMs(now + 49 * 3600 * 1000))

        assert (young, old) == (0, 1)
        with pytest.raises(ObjectMissing):
            store.stat(settings.derived, key)


@stack
def test_a_body_that_is_not_what_its_digest_says_is_refused_by_the_server(settings: Settings) -> None:
    with pytest.raises(StoreUnavailable, match="changed on their way"):
        open_store(settings).put_bytes(settings.derived, "wrong", b"sent", sha(b"hashed"), retain_until=None)


@stack
def test_a_locked_version_can_be_neither_removed_nor_unlocked(settings: Settings, store: S3Objects) -> None:
    stat = store.put_bytes(settings.originals, "held", b"x", sha(b"x"), retain_until=soon(30))
    client = open_client(settings)

    with pytest.raises(S3Error, match="AccessDenied"):
        client.remove_object(settings.originals, "held", version_id=stat.version_id)
    with pytest.raises(S3Error, match="AccessDenied"):
        client.set_object_retention(
            settings.originals, "held", Retention(GOVERNANCE, _datetime(soon(60))), version_id=stat.version_id
        )
    with pytest.raises(S3Error, match="AccessDenied"):
        client.set_object_retention(
            settings.originals, "held", Retention(COMPLIANCE, _datetime(soon(5))), version_id=stat.version_id
        )
    client.remove_object(settings.originals, "held")

    assert list(store.layers(settings.originals, "held")) == [Layers(key="held", marked=True)]
    assert store.stat(settings.originals, "held", stat.version_id) == stat


@stack
def test_another_version_over_a_locked_one_is_told_newest_first(settings: Settings, store: S3Objects) -> None:
    first = store.put_bytes(settings.originals, "over", b"x", sha(b"x"), retain_until=soon(5))
    second = open_client(settings).put_object(settings.originals, "over", io.BytesIO(b"yy"), 2)

    (found,) = store.layers(settings.originals, "over")

    assert [(name, size) for name, size, _ in found.versions] == [(second.version_id, 2), (first.version_id, 1)]
    assert len({tag for _, _, tag in found.versions}) == 2


@stack
class TestBuckets:
    def test_applying_twice_changes_nothing(self, settings: Settings) -> None:
        assert () == apply_buckets(settings) == check_buckets(settings)

    def test_missing_buckets_are_named_with_the_remedy(self, tmp_path: Path) -> None:
        mine = own_settings(tmp_path)

        lines = check_buckets(mine)

        assert [
            name in line
            for name, line in zip((mine.originals, mine.records, mine.derived, mine.worm_probe), lines, strict=True)
        ]
        assert all("unbroken store apply" in line for line in lines)

    def test_a_bucket_made_and_not_configured_is_completed(self, tmp_path: Path) -> None:
        mine = own_settings(tmp_path, short_policy(tmp_path))
        open_client(mine).make_bucket(mine.originals, object_lock=True)
        found = check_buckets(mine)[0]

        apply_buckets(mine)

        assert "expected COMPLIANCE for 1 days, found 0" in found
        assert check_buckets(mine) == ()

    def test_a_longer_default_retention_is_kept(self, tmp_path: Path) -> None:
        mine = own_settings(tmp_path, short_policy(tmp_path))
        apply_buckets(mine)
        client = open_client(mine)
        client.set_object_lock_config(mine.records, ObjectLockConfig(COMPLIANCE, 2, DAYS))

        assert apply_buckets(mine) == ()

        assert client.get_object_lock_config(mine.records).duration == 2

    def test_a_bucket_that_cannot_lock_is_refused(self, tmp_path: Path) -> None:
        mine = own_settings(tmp_path)
        open_client(mine).make_bucket(mine.records)

        with pytest.raises(Misconfigured, match=f"{mine.records} was made without Object Lock"):
            apply_buckets(mine)


class _Answer(BaseHTTPRequestHandler):
    """Answers everything with the status that the key asks for, or not at all."""

    def do_GET(self) -> None:
        status = int(self.path.split("?")[0].rpartition("/")[2])
        if status == 0:
            self.connection.shutdown(socket.SHUT_RDWR)
            return
        body = b"<html>not S3</html>"
        self.send_response(status)
        self.send_header("Content-Type", "text/html")
        self.send_header("Content-Length", str(len(body) + (100 if status == 200 else 0)))
        self.end_headers()
        self.wfile.write(body)

    do_HEAD = do_PUT = do_GET  # noqa: N815  # names the base class asks for

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture(scope="module")
def odd_server() -> Iterator[str]:
    server = HTTPServer(("127.0.0.1", 0), _Answer)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()


def _odd_store(url: str) -> S3Objects:
    return open_store(Settings(store_url=url, store_access_key="a", store_secret_key=SecretStr("b")))


@pytest.mark.parametrize(
    ("status", "error"),
    [
        (500, StoreUnavailable),
        (503, StoreUnavailable),
        (507, StoreFull),
        (429, StoreUnavailable),
        (408, StoreUnavailable),
        (403, AccessRefused),
        (400, StoreError),
        (0, StoreUnavailable),
    ],
)
def test_every_answer_is_one_of_our_errors(odd_server: str, status: int, error: type[UnbrokenError]) -> None:
    with pytest.raises(error, match=rf"\(bucket/{status}\)"):
        _odd_store(odd_server).read("bucket", str(status))


def test_a_body_that_breaks_off_is_no_short_object(odd_server: str) -> None:
    with pytest.raises(StoreUnavailable):
        _odd_store(odd_server).read("bucket", "200")


def test_a_store_that_is_not_there_is_unavailable() -> None:
    with pytest.raises(StoreUnavailable, match="does not answer"):
        _odd_store("http://127.0.0.1:1").stat("bucket", "key")


@stack
def test_wrong_keys_are_refused_and_not_retried_as_a_failure(settings: Settings) -> None:
    wrong = settings.model_copy(update={"store_secret_key": SecretStr("wrong")})

    with pytest.raises(AccessRefused, match="key"):
        open_store(wrong).read(settings.derived, "key")


@pytest.mark.parametrize("url", ["", "127.0.0.1:19000", "ftp://host", "http://host/path"])
def test_an_address_that_is_none_is_named(url: str) -> None:
    with pytest.raises(Misconfigured, match="UNBROKEN_STORE_URL"):
        _odd_store(url)


@pytest.mark.parametrize(
    "text",
    ["2026-11-24T21:47:14.509Z", "2026-11-24T21:47:14.509000000Z", "2026-11-24T21:47:14.5099+00:00"],
)
def test_lock_times_are_read_at_any_precision(text: str) -> None:
    assert from_rfc3339("2026-11-24T21:47:14.509Z") == parse_lock_time(text)


@pytest.mark.parametrize("text", ["2026-11-24T21:47:14Z", "2026-11-24T21:47:14.0Z"])
def test_lock_times_without_decimals_are_whole_seconds(text: str) -> None:
    assert from_rfc3339("2026-11-24T21:47:14.000Z") == parse_lock_time(text)


def test_a_lock_time_nobody_understands_is_no_lock() -> None:
    with pytest.raises(StoreError, match="tomorrow"):
        parse_lock_time("tomorrow")


def _sha_of(path: Path) -> Sha256:
    return sha(path.read_bytes())


def _open_uploads(settings: Settings, key: str) -> list[str]:
    found = open_client(settings)._list_multipart_uploads(settings.derived, prefix=key).uploads
    return [str(upload.upload_id) for upload in found]


def _patiently(store: S3Objects, bucket: str, key: str, path: Path) -> str:
    """As a connector does: an unknown outcome is tried again. Returns the digest the store reports."""
    while True:
        try:
            return str(store.put_file(bucket, key, path, _sha_of(path), retain_until=None).sha256)
        except StoreUnavailable:
            continue


def _datetime(at: WallMs) -> datetime:
    return datetime.fromtimestamp(at / 1000, UTC)
