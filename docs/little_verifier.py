"""Check a copied archive with nothing but Python and openssl: python3 little_verifier.py FOLDER PUBLIC_KEY.pem...

FOLDER holds the copied buckets. Take the public keys from somewhere else. Exit 1: not as stated, or no recording there.
"""

import base64
import hashlib
import hmac
import json
import subprocess
import sys
import tempfile
from pathlib import Path

DOCUMENTS = ["chain.jsonl", "manifest.json", "playlist.m3u8", "timeline.json"]
SIGNED = ["recording_id", "revision", "close_hash", "objects_sha256", "archived_at", "key_id"]


def jcs(value):
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def sha(data):
    return hashlib.sha256(data).hexdigest()


def same(what, expected, found):
    if expected != found:
        yield f"{what}: expected {expected}, found {found}"


def chunks(path):
    with path.open("rb") as file:
        while chunk := file.read(4 << 20):
            yield chunk


def size_and_sha(path):
    if ".." in path.parts or not path.is_file():
        return "nothing"
    digest = hashlib.sha256()
    for chunk in chunks(path):
        digest.update(chunk)
    return path.stat().st_size, digest.hexdigest()


def tree(leaves):
    """RFC 6962 section 2.1."""
    if len(leaves) < 2:
        return leaves[0] if leaves else hashlib.sha256().digest()
    left = 1 << (len(leaves) - 1).bit_length() - 1
    return hashlib.sha256(b"\1" + tree(leaves[:left]) + tree(leaves[left:])).digest()


def check_further(path, content):
    """The tree over an original's chunks, and SM3 where it was asked for."""
    leaves, sm3 = [], hashlib.new("sm3") if content["sm3"] else None
    for chunk in chunks(path):
        leaves.append(hashlib.sha256(b"\0" + chunk).digest())
        if sm3:
            sm3.update(chunk)
    found = [content["chunk_root"] and tree(leaves).hex(), sm3 and sm3.hexdigest()]
    yield from same(f"{path} chunk_root and sm3", [content["chunk_root"], content["sm3"]], found)


def raw(signature):
    """The bytes of a signature, of which base64 has one spelling only."""
    found = base64.b64decode(signature)
    return found if base64.b64encode(found).decode() == signature else b""


def openssl(*words):
    return subprocess.run(["openssl", *map(str, words)], capture_output=True).stdout


def is_signed(key, message, signature):
    with tempfile.TemporaryDirectory() as name:
        text, sig = Path(name, "message"), Path(name, "signature")
        text.write_bytes(message)
        sig.write_bytes(signature)
        words = "pkeyutl", "-verify", "-pubin", "-inkey", key, "-rawin", "-in", text, "-sigfile", sig
        return b"Success" in openssl(*words)


def key_id(key):
    return sha(openssl("pkey", "-pubin", "-in", key, "-outform", "DER")[-32:])[:16]


def check_receipt(root, folder, keys, receipt):
    """The bytes of everything the receipt lists, and that the owner of the key it names signed that list."""
    for item in receipt["originals"] + receipt["records"]:
        stated = item["object"]
        place = Path(stated["bucket"], stated["key"])
        yield from same(place, (stated["size_bytes"], stated["sha256"]), size_and_sha(root / place))
        yield from same(f"lock of {place}", "COMPLIANCE", item["lock_mode"])
    here = [(folder / name).relative_to(root) for name in DOCUMENTS]
    found = [Path(item["object"]["bucket"], item["object"]["key"]) for item in receipt["records"]]
    yield from same("receipt.json records", here, found)
    objects = sha(jcs({"originals": receipt["originals"], "records": receipt["records"]}))
    yield from same("receipt.json objects_sha256", objects, receipt["objects_sha256"])
    name = receipt["key_id"]
    yield from same("receipt.json key_id", name if name in keys else sorted(keys), name)
    message, signature = jcs({word: receipt[word] for word in SIGNED}), raw(receipt["signature"])
    yield from same("receipt.json is signed", True, is_signed(keys.get(name), message, signature))


def check_chain(lines, recording):
    """Every hash, every link to the one before, every total."""
    count = size = closes = 0
    for index, line in enumerate(lines):
        name, record = f"chain.jsonl link {index - 1}", json.loads(line["record"])
        prefix = b"avchain/segment/v1\0" if index else b"avchain/genesis/v1\0"
        yield from same(f"{name} hash", sha(prefix + line["record"].encode()), line["hash"])
        yield from same(f"{name} text", jcs(record).decode(), line["record"])
        yield from same(f"{name} number", [index - 1, index == 0], [line["seq"], line["kind"] == "genesis"])
        expected = {"recording_id": recording}
        if index:
            expected |= {"prev": lines[index - 1]["hash"], "kind": line["kind"], "seq": line["seq"]}
        if line["kind"] in ("segment", "late"):
            count, size = count + 1, size + record["content"]["length"]
            expected |= {"facts_sha256": sha(jcs(line["facts"])), "kind": "late" if closes else "segment"}
        if line["kind"] == "close":
            closes += 1
            expected |= {"count": count, "bytes": size, "links": index - 1, "revision": closes}
        yield from same(name, expected, {word: record[word] for word in expected})
    yield from same("chain.jsonl last line", "close", lines[-1]["kind"])


def check_revision(root, folder, keys, chains):
    """The receipt and what it lists, the chain, and what the documents repeat of it."""
    source, recording, revision = folder.parts[-3], folder.parts[-2], int(folder.name[1:])
    text = (folder / "receipt.json").read_bytes()
    receipt = json.loads(text)
    yield from same("receipt.json text", jcs(receipt), text)
    yield from check_receipt(root, folder, keys, receipt)
    lines = [json.loads(line) for line in (folder / "chain.jsonl").read_bytes().splitlines()]
    chains.setdefault(source, {}).setdefault(recording, {})[revision] = lines
    yield from check_chain(lines, recording)
    records = [json.loads(line["record"]) for line in lines]
    manifest = json.loads((folder / "manifest.json").read_bytes())
    account, genesis = manifest["account"], records[0]
    yield from same("manifest.json account", records[-1].get("account_sha256"), sha(jcs(account)))
    ends = [lines[0]["hash"], lines[-1]["hash"], len(lines)]
    yield from same("manifest.json chain", ends, [manifest["chain"][word] for word in ("genesis", "head", "links")])
    stated = ("kind", "seq", "hash")
    said = [([line[word] for word in stated], line["record"]) for line in lines if "annotation_id" in line["record"]]
    repeated = [([one[word] for word in stated], jcs(one["record"]).decode()) for one in manifest["statements"]]
    yield from same("manifest.json statements", said, repeated)
    for one in manifest["statements"]:
        shown = one["disclosed"] or {"salt": "", "metadata": None}
        made = hmac.new(bytes.fromhex(shown["salt"]), jcs(shown["metadata"]), "sha256").hexdigest()
        yield from same("manifest.json disclosed", one["record"].get("commitment", made), made)
    about = {"source_id": source, "recording_id": recording, "revision": revision, "unit": genesis["unit"]}
    about["source_kind"] = genesis["source_kind"]
    yield from same("manifest.json", about, {word: manifest[word] for word in about})
    for one in records:
        if "content" in one and (path := root / one["object"]["bucket"] / one["object"]["key"]).is_file():
            yield from check_further(path, one["content"])
    stated = {one["content"]["sha256"]: one["content"]["length"] for one in records if "content" in one}
    found = {item["object"]["sha256"]: item["object"]["size_bytes"] for item in receipt["originals"]}
    yield from same("receipt.json originals", stated, found)
    about |= {"format": "unbroken.receipt.v1", "close_hash": lines[-1]["hash"], "ended_at": account["ended_at"]}
    about["first_received_at"] = account["first_received_at"]
    timeline = json.loads((folder / "timeline.json").read_bytes())
    repeated = {word: account[word] for word in ("runs", "gaps", "started_at", "ended_at")}
    yield from same("timeline.json", repeated, {word: timeline[word] for word in repeated})
    beside = ("originals", "records", "objects_sha256", "archived_at", "key_id", "signature")
    yield from same("receipt.json", about, {word: receipt[word] for word in receipt if word not in beside})


def check_source(recordings):
    """Revisions continue each other, and each genesis names a close of a recording that began before."""
    newest = []
    for name, revisions in recordings.items():
        yield from same(f"{name} revisions", list(range(1, len(revisions) + 1)), sorted(revisions))
        last = max(revisions)
        newest.append(revisions[last])
        for number, lines in revisions.items():
            yield from same(f"{name} r{number} in the chain of r{last}", lines, revisions[last][: len(lines)])
    closes, named = {None}, False
    for lines in sorted(newest, key=lambda lines: json.loads(lines[0]["record"])["position"]):
        genesis = json.loads(lines[0]["record"])
        is_there = genesis["previous"] in closes and not (named and genesis["previous"] is None)
        yield from same(f"genesis of {genesis['recording_id']} names a close that is there", True, is_there)
        named = named or genesis["previous"] is not None
        closes |= {line["hash"] for line in lines if line["kind"] == "close"}


def check_signed(path, keys, sealed=None):
    """A document that carries its signature; a seal also names place and digest of what was *sealed*."""
    document = json.loads(path.read_bytes())
    yield from same("text", jcs(document), path.read_bytes())
    signature = raw(document.pop("signature"))
    yield from same("is signed", True, is_signed(keys.get(document["key_id"]), jcs(document), signature))
    yield from same("format", "unbroken.seal.v1" if sealed else "unbroken.sla-report.v1", document["format"])
    if sealed:
        found = size_and_sha(sealed[1])
        yield from same(
            "sealed", [document["key"], document["sha256"]], [sealed[0], found if found == "nothing" else found[1]]
        )


def check_beside(records, keys):
    """Every seal with its record, and every report."""
    for path in sorted(records.glob("seals/**/*.json")):
        key = path.relative_to(records / "seals")
        yield from told(f"{records.name} {key}", check_signed(path, keys, (key.as_posix(), records / key)))
    for path in sorted(records.glob("reports/*/*.json")):
        yield from told(f"{records.name} {path.relative_to(records)}", check_signed(path, keys))


def told(name, faults):
    """The faults with their place; what is not even in the shape the page describes is the last of them."""
    try:
        for fault in faults:
            yield f"{name} {fault}"
    except (ArithmeticError, AttributeError, LookupError, OSError, RecursionError, TypeError, ValueError) as exc:
        yield f"{name} is not as the format says: {type(exc).__name__} {exc}"


def check(root, keys):
    """Everything in the copy at *root* that is not as stated; *keys*: files of public keys by id."""
    chains = {}
    for folder in sorted(root.glob("*records/recordings/*/*/r*")):
        yield from told(f"{folder.parent.name} {folder.name}", check_revision(root, folder, keys, chains))
    for source, recordings in chains.items():
        yield from told(source, check_source(recordings))
    for records in root.glob("*records"):
        yield from check_beside(records, keys)


if __name__ == "__main__":
    copy, outside = Path(*sys.argv[1:2]), sys.argv[2:]
    looked_at = len(list(copy.glob("*records/recordings/*/*/r*"))) or sys.exit(f"no copied recordings in {copy}")
    pems = {key_id(pem): pem for pem in outside or copy.glob("*records/keys/*.pem")}
    left = ("" if outside else "whose key signed (it came from the copy itself), ") + "locks, records without a seal"
    different = "\n".join(check(copy, pems))
    print(different or f"{looked_at} revisions: all as stated; {left}, files nothing names: NOT COVERED")
    sys.exit(bool(different))
