"""A payload digest is the same in every packaging, and another one as soon as a unit is another, missing or elsewhere."""

from __future__ import annotations

import hashlib

import pytest

from pipeline.domain.payload import Payload, PayloadDigest

SPS, PPS, AUD = b"\x67\x42\x00\x1e", b"\x68\xce\x38", b"\x09\xf0"
IDR, P, B = b"\x65\x88\x84\x01", b"\x41\x9a\x02", b"\x01\x9e\x03"
VPS5, SPS5, PPS5, AUD5, IDR5 = b"\x40\x01\x0c", b"\x42\x01\x01", b"\x44\x01\xc1", b"\x46\x01\x10", b"\x26\x01\xaf"
AVCC = b"\x01\x42\x00\x1e\xff\xe1" + b"\x00\x04" + SPS + b"\x01\x00\x03" + PPS
HVCC = bytes([1]) + bytes(20) + b"\xff\x03" + b"".join(
    bytes([kind]) + b"\x00\x01\x00\x03" + unit for kind, unit in ((32, VPS5), (33, SPS5), (34, PPS5))
)  # fmt: skip


def parted(*units: bytes, start: bytes = b"\0\0\0\1") -> bytes:
    return b"".join(start + unit for unit in units)


def counted(*units: bytes, length_bytes: int = 4) -> bytes:
    return b"".join(len(unit).to_bytes(length_bytes, "big") + unit for unit in units)


def digest(codec: str, header: bytes, *packets: bytes) -> PayloadDigest:
    payload = Payload(codec, header)
    for packet in packets:
        payload.add(packet)
    return payload.digest()


WANTED = digest("h264", b"", parted(AUD, SPS, PPS, IDR), parted(AUD, P), parted(AUD, B))


@pytest.mark.parametrize(
    ("header", "packets"),
    [
        pytest.param(b"", (parted(SPS, PPS, IDR, start=b"\0\0\1"), parted(P), parted(B)), id="short start codes"),
        pytest.param(b"", (parted(SPS, PPS, IDR + b"\0\0"), parted(P + b"\0"), parted(B)), id="zero bytes behind units"),
        pytest.param(b"", (parted(SPS, PPS, IDR, P, B),), id="units in other packets"),
        pytest.param(parted(SPS, PPS), (parted(SPS, PPS, IDR), parted(SPS, PPS, P), parted(B)), id="sets repeated"),
        pytest.param(AVCC, (counted(IDR), counted(P), counted(B)), id="sets in the header, lengths before units"),
        pytest.param(AVCC[:4] + b"\xfd" + AVCC[5:], tuple(counted(u, length_bytes=2) for u in (IDR, P, B)), id="short lengths"),
        pytest.param(AVCC, (counted(AUD, SPS, PPS, IDR), counted(P + b"\0"), counted(B)), id="sets in both"),
    ],
)  # fmt: skip
def test_packaging_changes_nothing(header: bytes, packets: tuple[bytes, ...]) -> None:
    assert digest("h264", header, *packets) == WANTED


@pytest.mark.parametrize(
    "packets",
    [
        pytest.param((IDR, P), id="missing"),
        pytest.param((IDR, B, P), id="elsewhere"),
        pytest.param((IDR, P, B, B), id="twice"),
        pytest.param((IDR, P, B[:-1] + b"\x02"), id="other"),
        pytest.param((IDR, P + B), id="joined"),
    ],
)
def test_a_unit_that_is_missing_elsewhere_or_another_shows(packets: tuple[bytes, ...]) -> None:
    assert digest("h264", AVCC, *map(counted, packets)).sha256 != WANTED.sha256


def test_another_parameter_set_shows_in_its_own_digest() -> None:
    other = digest("h264", b"", parted(SPS + b"\x01", PPS, IDR), parted(P), parted(B))

    assert other.sha256 == WANTED.sha256
    assert other.parameter_sets_sha256 != WANTED.parameter_sets_sha256


def test_the_formula_is_the_one_that_is_written_down() -> None:
    framed = b"".join(len(unit).to_bytes(4, "big") + unit for unit in (IDR, P, B))
    sets = b"".join(len(unit).to_bytes(4, "big") + unit for unit in sorted((SPS, PPS)))

    assert (
        PayloadDigest(
            units=3,
            sha256=hashlib.sha256(b"unbroken/payload/v1\0" + framed).hexdigest(),  # type: ignore[arg-type]
            parameter_sets_sha256=hashlib.sha256(b"unbroken/payload/v1\0" + sets).hexdigest(),  # type: ignore[arg-type]
        )
        == WANTED
    )


def test_the_same_holds_for_h265() -> None:
    assert digest("hevc", HVCC, counted(IDR5)) == digest("hevc", b"", parted(AUD5, VPS5, SPS5, PPS5, IDR5))


@pytest.mark.parametrize("header", [b"\xff\xf1\x50\x40\x01\x7f\xfc", b"\xff\xf0\x50\x40\x01\x7f\xfc\xab\xcd"])
def test_sound_loses_the_header_of_a_transport_stream_and_nothing_else(header: bytes) -> None:
    assert digest("aac", b"", header + b"frame") == digest("aac", b"\x11\x88", b"frame")


def test_other_packets_are_units_as_they_are() -> None:
    assert digest("opus", b"", b"\xff\xf1" + bytes(9)) != digest("opus", b"", bytes(4))


@pytest.mark.parametrize("cut", range(len(AVCC)))
def test_a_header_that_breaks_off_is_read_as_far_as_it_goes(cut: int) -> None:
    assert digest("h264", AVCC[:cut], counted(IDR)).units <= 1


@pytest.mark.parametrize("cut", range(len(HVCC)))
def test_so_is_one_of_h265(cut: int) -> None:
    assert digest("hevc", HVCC[:cut], counted(IDR5)).units <= 1
