"""Connections to the store: a site's own authority and no other, and no half answer taken for a whole one."""

from __future__ import annotations

import datetime
import ipaddress
import secrets
import socket
import ssl
import threading
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, EllipticCurvePrivateKey, generate_private_key
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from pydantic import SecretStr

from pipeline.adapters.buckets import apply_buckets
from pipeline.adapters.objects_s3 import PART_BYTES, S3Objects, open_store
from pipeline.domain.errors import Misconfigured, StoreUnavailable
from pipeline.settings import Settings
from tests.adapters.objects_contract import ref, sha, soon
from tests.adapters.s3 import own_settings, short_policy
from tests.faults.proxy import Proxy, Request, answer

HELD = answer(200, b"", "ETag: x", "x-amz-meta-sha256: " + "a" * 64, "x-amz-object-lock-mode: COMPLIANCE")


class Authority:
    """A site's certificate authority, made for the test."""

    def __init__(self, folder: Path) -> None:
        self._key = generate_private_key(SECP256R1())
        self._name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "A site's own authority")])
        self._folder = folder
        folder.mkdir()
        certificate = self._certificate(self._name, self._key, x509.BasicConstraints(ca=True, path_length=0))
        self.file = folder / "ca.pem"
        self.file.write_bytes(certificate.public_bytes(Encoding.PEM))

    def server(self, address: str = "127.0.0.1") -> ssl.SSLContext:
        """What a server at *address* needs to end encryption."""
        key = generate_private_key(SECP256R1())
        name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "store")])
        other = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address(address))])
        certificate, private = self._folder / "server.pem", self._folder / "server.key"
        certificate.write_bytes(self._certificate(name, key, other).public_bytes(Encoding.PEM))
        private.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate, private)
        return context

    def _certificate(
        self, name: x509.Name, key: EllipticCurvePrivateKey, extension: x509.ExtensionType
    ) -> x509.Certificate:
        now = datetime.datetime.now(datetime.UTC)
        return (
            x509.CertificateBuilder()
            .subject_name(name)
            .issuer_name(self._name)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - datetime.timedelta(hours=1))
            .not_valid_after(now + datetime.timedelta(hours=1))
            .add_extension(extension, critical=True)
            .sign(self._key, SHA256())
        )


def store(url: str, ca_file: Path | None = None) -> S3Objects:
    return open_store(
        Settings(store_url=url, store_access_key="a", store_secret_key=SecretStr("b"), store_ca_file=ca_file)
    )


def secure(context: ssl.SSLContext) -> Proxy:
    return Proxy(("127.0.0.1", 9), tls=context, lie=lambda _request, _ask: HELD)


@pytest.fixture
def site(tmp_path: Path) -> Authority:
    return Authority(tmp_path / "site")


def test_a_store_whose_certificate_the_site_s_authority_signed_is_spoken_to(site: Authority) -> None:
    with secure(site.server()).running() as proxy:
        stat = store(f"https://127.0.0.1:{proxy.port}", site.file).stat("bucket", "key")

    assert stat.lock_mode == "COMPLIANCE"


def test_a_certificate_of_another_authority_stops_everything_and_says_what_to_do(
    site: Authority, tmp_path: Path
) -> None:
    other = Authority(tmp_path / "other")
    with secure(other.server()).running() as proxy:
        url = f"https://127.0.0.1:{proxy.port}"

        with pytest.raises(StoreUnavailable, match="UNBROKEN_STORE_CA_FILE"):
            store(url, site.file).stat("bucket", "key")
        with pytest.raises(StoreUnavailable, match="UNBROKEN_STORE_CA_FILE"):
            store(url).stat("bucket", "key")


def test_a_certificate_for_another_address_is_not_believed(site: Authority) -> None:
    with (
        secure(site.server("127.0.0.2")).running() as proxy,
        pytest.raises(StoreUnavailable, match="not valid for"),
    ):
        store(f"https://127.0.0.1:{proxy.port}", site.file).stat("bucket", "key")


@pytest.mark.parametrize("text", [None, "", "not PEM"])
def test_a_file_that_holds_no_certificates_is_named(tmp_path: Path, text: str | None) -> None:
    path = tmp_path / "ca.pem"
    if text is not None:
        path.write_text(text)

    with pytest.raises(Misconfigured, match=r"ca\.pem"):
        store("https://127.0.0.1:1", path)


@pytest.fixture
def breaking() -> Iterator[tuple[str, list[int]]]:
    """A server that sends so many bytes of its answer, then ends the connection in good order."""
    cut = [0]
    server = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        while True:
            try:
                client, _ = server.accept()
            except OSError:
                return
            with client:
                client.recv(1 << 16)
                client.sendall(HELD[: cut[0]])

    threading.Thread(target=serve, daemon=True).start()
    yield f"http://127.0.0.1:{server.getsockname()[1]}", cut
    server.close()


def test_an_answer_whose_headers_end_midway_is_no_object_without_digest_and_lock(
    breaking: tuple[str, list[int]],
) -> None:
    url, cut = breaking
    held = store(url)

    for cut[0] in range(len(HELD)):
        with pytest.raises(StoreUnavailable):
            held.stat("bucket", "key")
    cut[0] = len(HELD)

    assert held.stat("bucket", "key").lock_mode == "COMPLIANCE"


def test_the_proxy_hands_a_lie_the_request_and_the_store_s_own_answer() -> None:
    asked = list[Request]()

    def lie(request: Request, _ask: object) -> bytes:
        asked.append(request)
        return HELD

    with Proxy(("127.0.0.1", 9), lie=lie).running() as proxy:
        store(f"http://127.0.0.1:{proxy.port}").stat("bucket", "key")

    assert [(request.method, request.operation) for request in asked] == [("HEAD", "head")]


@pytest.mark.stack
def test_the_real_store_behind_encryption_is_used_like_any_other(site: Authority, tmp_path: Path) -> None:
    plain = own_settings(tmp_path, short_policy(tmp_path))
    apply_buckets(plain)
    url = urlsplit(plain.store_url)
    data = secrets.token_bytes(PART_BYTES + 1)
    (tmp_path / "large.mp4").write_bytes(data)
    with Proxy((url.hostname or "", url.port or 80), tls=site.server()).running() as proxy:
        held = open_store(
            plain.model_copy(update={"store_url": f"https://127.0.0.1:{proxy.port}", "store_ca_file": site.file})
        )

        stat = held.put_file(plain.originals, "large", tmp_path / "large.mp4", sha(data), retain_until=soon(5))

        assert stat.lock_mode == "COMPLIANCE"
        with held.open(ref(stat)) as body:
            assert body.read() == data
