"""The audit log: what was decided, by what, on which media, and nothing of what they show."""

import errno
import hashlib
import io
import json
import stat
import threading
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from made_up import POINT, MadeUpRunner
from people import person, person_video
from services import PUBLIC, SECRET, bearer, client
from text_session import TextSession, seen
from vivant.errors import InputError, OutputError, Refusal
from vivant.serving.audit import AuditLog, AuditRecord, of_outcome
from vivant.serving.problems import Problem
from vivant.session.verdict import Decision, ModelIdentity, Verdict


def hmac_by_hand(key: bytes, message: bytes) -> str:
    """RFC 2104, for keys of at most 64 bytes."""
    padded = key.ljust(64, b"\0")
    inner = hashlib.sha256(bytes(byte ^ 0x36 for byte in padded) + message).digest()
    return hashlib.sha256(bytes(byte ^ 0x5C for byte in padded) + inner).hexdigest()


def framed(*parts: bytes) -> bytes:
    """Each part after its length, 8 bytes, the highest first."""
    return b"".join(len(part).to_bytes(8, "big") + part for part in parts)


def lines(path: Path) -> list[dict]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def record_of(outcome: Verdict | Problem, **fields: object) -> AuditRecord:
    given = {
        "request": "0123456789abcdef",
        "caller": "backend",
        "session": None,
        "media_hmac": "ab" * 32,
        "num_bytes": 12,
        "model": ModelIdentity("lite", "0" * 64, None, "onnx"),
    }
    return of_outcome(outcome, **(given | fields))


@pytest.fixture(scope="module")
def verdict() -> Verdict:
    return TextSession(MadeUpRunner(0.9)).conclude([seen([10])])[0]


def test_digest_is_hmac_sha256_with_the_key_beside_the_log(tmp_path: Path) -> None:
    log = AuditLog(tmp_path / "audit.jsonl")
    digest = log.digest()
    digest.update(b"fi")
    digest.update(b"lm")
    log.close()
    key = bytes.fromhex((tmp_path / "audit.jsonl.key").read_text())
    assert len(key) == 32
    assert digest.hexdigest() == hmac_by_hand(key, b"film")


def test_log_and_key_are_readable_by_their_owner_alone(tmp_path: Path) -> None:
    AuditLog(tmp_path / "audit.jsonl").close()
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in tmp_path.iterdir()}
    assert modes == {"audit.jsonl": 0o600, "audit.jsonl.key": 0o600}


def test_log_goes_on_where_it_was_with_the_same_key(tmp_path: Path, verdict: Verdict) -> None:
    path = tmp_path / "audit.jsonl"
    keys = []
    for request in ("first", "second"):
        log = AuditLog(path)
        keys.append((tmp_path / "audit.jsonl.key").read_text())
        log.write(record_of(verdict, request=request))
        assert lines(path)[-1]["request"] == request, "on the disk before the answer"
        log.close()
    assert [line["request"] for line in lines(path)] == ["first", "second"]
    assert keys[0] == keys[1]


def test_each_log_has_a_key_of_its_own(tmp_path: Path) -> None:
    for name in ("a", "b"):
        AuditLog(tmp_path / name).close()
    assert (tmp_path / "a.key").read_text() != (tmp_path / "b.key").read_text()


def test_record_of_a_verdict_has_what_an_auditor_asks_for(verdict: Verdict) -> None:
    record = record_of(verdict, session="s1")
    assert record.decision is Decision.BONA_FIDE
    assert record.reasons == ()
    assert record.code is None
    assert record.bona_fide_score == pytest.approx(0.9)
    assert record.threshold == POINT.threshold == 0.5
    assert (record.caller, record.session, record.num_bytes) == ("backend", "s1", 12)
    assert (record.model_sha256, record.profile_sha256) == ("0" * 64, None)
    assert (record.decode_s, record.faces_s) == (0.25, 0.5)
    assert record.total_s is not None
    assert record.total_s >= 0.75
    age = datetime.now(UTC) - datetime.fromisoformat(record.time)
    assert timedelta(0) <= age + timedelta(milliseconds=1) < timedelta(minutes=1)


def test_record_says_what_judged_and_not_what_the_service_has_itself(verdict: Verdict) -> None:
    """On a cluster that may be another runtime."""
    elsewhere = replace(verdict, model=replace(verdict.model, runtime="openvino"))
    record = record_of(elsewhere)
    assert (record.runtime, record.model_sha256) == ("openvino", verdict.model.sha256)
    refused = record_of(Problem(Refusal.CORRUPT_MEDIA, "damaged at byte 7"))
    assert refused.runtime == "onnx"


def test_record_of_no_decision_has_its_reasons() -> None:
    record = record_of(TextSession(MadeUpRunner(0.9)).conclude([seen([])])[0])
    assert record.decision is Decision.NO_DECISION
    assert [reason.value for reason in record.reasons] == ["NO_FACE"]
    assert record.bona_fide_score is None


def test_record_of_refused_media_has_no_decision() -> None:
    record = record_of(Problem(Refusal.CORRUPT_MEDIA, "damaged at byte 7"))
    assert record.code is Refusal.CORRUPT_MEDIA
    for name in ("decision", "bona_fide_score", "threshold", "total_s", "profile_sha256"):
        assert getattr(record, name) is None, name
    assert "byte 7" not in record.model_dump_json()


@pytest.mark.parametrize("content", [b"", b"00" * 31, b"00" * 33, b"zz" * 32, b"\xff" * 64])
def test_damaged_key_is_refused_and_left_as_it_is(tmp_path: Path, content: bytes) -> None:
    key = tmp_path / "audit.jsonl.key"
    key.write_bytes(content)
    with pytest.raises(InputError, match=r"audit\.jsonl\.key is no key of an audit log"):
        AuditLog(tmp_path / "audit.jsonl")
    assert key.read_bytes() == content
    assert not (tmp_path / "audit.jsonl").exists()


def test_log_that_cannot_be_written_is_refused_at_the_start(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="cannot write the audit log .*gone/audit"):
        AuditLog(tmp_path / "gone" / "audit.jsonl")
    (tmp_path / "folder").mkdir()
    with pytest.raises(OutputError, match="Is a directory"):
        AuditLog(tmp_path / "folder")


def test_threads_write_whole_lines(tmp_path: Path, verdict: Verdict) -> None:
    log = AuditLog(tmp_path / "audit.jsonl")

    def write(number: int) -> None:
        for i in range(10):
            log.write(record_of(verdict, request=f"{number}-{i}"))

    threads = [threading.Thread(target=write, args=(n,)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    log.close()
    written = [line["request"] for line in lines(tmp_path / "audit.jsonl")]
    assert sorted(written) == sorted(f"{n}-{i}" for n in range(4) for i in range(10))


def test_line_that_cannot_be_written_whole_leaves_nothing(
    tmp_path: Path, verdict: Verdict, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "audit.jsonl"
    log = AuditLog(path)
    log.write(record_of(verdict, request="first"))
    whole = path.read_bytes()
    raw = log._file

    class Full(io.RawIOBase):
        """A disk that has room for ten bytes."""

        def write(self, content: Any) -> int:
            if raw.tell() >= len(whole) + 10:
                raise OSError(errno.ENOSPC, "No space left on device")
            return int(raw.write(content[:10]) or 0)

        def seek(self, *where: int) -> int:
            return raw.seek(*where)

        def truncate(self, size: int | None = None) -> int:
            return raw.truncate(size)

    with monkeypatch.context() as patch:
        patch.setattr(log, "_file", Full())
        with pytest.raises(OSError, match="No space left"):
            log.write(record_of(verdict, request="withheld"))
    assert path.read_bytes() == whole
    log.write(record_of(verdict, request="third"))
    log.close()
    assert [line["request"] for line in lines(path)] == ["first", "third"]


def test_line_that_a_kill_left_torn_is_ended(tmp_path: Path, verdict: Verdict) -> None:
    path = tmp_path / "audit.jsonl"
    path.write_bytes(b'{"time": "2026')
    log = AuditLog(path)
    log.write(record_of(verdict, request="next"))
    log.close()
    torn, line = path.read_text().splitlines()
    assert (torn, json.loads(line)["request"]) == ('{"time": "2026', "next")


def test_service_writes_a_line_for_each_verdict_and_nothing_of_the_picture(
    tmp_path: Path,
) -> None:
    path = tmp_path / "audit.jsonl"
    with client(has_keys=True, audit=path) as asked:
        film = person_video()
        named = {"media": ("alice.mp4", film)}
        full = asked.post("/v1/check", files=named, headers=bearer(SECRET))
        asked.post("/v1/check", content=film, headers=bearer(PUBLIC))
        refused = asked.post("/v1/check", content=b"no video", headers=bearer(SECRET))
        opened = asked.post("/v1/sessions", headers=bearer(SECRET)).json()
        asked.put(
            f"/v1/sessions/{opened['id']}/media", content=film, headers=bearer(opened["token"])
        )
        assert asked.post("/v1/check", content=film).status_code == 401
    key = bytes.fromhex((tmp_path / "audit.jsonl.key").read_text())
    first, public, bad, session = lines(path)
    assert [line["caller"] for line in (first, public, bad, session)] == [
        "backend", "page", "backend", "session",
    ]  # fmt: skip
    expected = hmac_by_hand(key, framed(film))
    assert [line["media_hmac"] for line in (first, public, session)] == [expected] * 3
    assert bad["media_hmac"] == hmac_by_hand(key, framed(b"no video"))
    assert (first["num_bytes"], bad["num_bytes"]) == (len(film), 8)
    assert first["request"] == full.headers["x-request-id"]
    assert bad["request"] == refused.headers["x-request-id"]
    assert (first["decision"], bad["decision"]) == ("bona_fide", None)
    assert (first["code"], bad["code"]) == (None, "UNSUPPORTED_FORMAT")
    assert (session["session"], first["session"]) == (opened["id"], None)
    for line in (first, public, bad, session):
        assert set(line) == set(AuditRecord.model_fields)
        assert all(not isinstance(value, str) or len(value) <= 64 for value in line.values())
    text = path.read_text()
    for secret in (
        "alice",
        "mp4",
        SECRET,
        PUBLIC,
        opened["token"],
        hashlib.sha256(film).hexdigest(),
    ):
        assert secret not in text


def test_frames_are_digested_each_with_its_length(tmp_path: Path) -> None:
    def jpeg(seed: int) -> bytes:
        file = io.BytesIO()
        Image.fromarray(person(scale=1.5, seed=seed)).save(file, "JPEG")
        return file.getvalue()

    pictures = [jpeg(i) for i in range(5)]
    path = tmp_path / "audit.jsonl"
    with client(audit=path) as asked:
        sent = [("frames", (f"{i}.jpg", one, "image/jpeg")) for i, one in enumerate(pictures)]
        assert asked.post("/v1/check", files=sent).status_code == 200
    key = bytes.fromhex((tmp_path / "audit.jsonl.key").read_text())
    (line,) = lines(path)
    assert line["media_hmac"] == hmac_by_hand(key, framed(*pictures))
    assert line["num_bytes"] == sum(map(len, pictures))
    assert line["caller"] == "anyone"


def test_verdict_that_cannot_be_written_down_is_not_given(tmp_path: Path) -> None:
    with client(audit=tmp_path / "audit.jsonl") as asked:

        def full_disk(_: AuditRecord) -> None:
            raise OSError(28, "No space left on device")

        asked.app.state.service._audit.write = full_disk
        answer = asked.post("/v1/check", content=person_video())
    assert (answer.status_code, answer.json()["code"]) == (500, "FAILED")
    assert "bona_fide" not in answer.text
