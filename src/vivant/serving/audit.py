"""A line for each verdict, for whoever must account for it later.

Hashes and numbers: no picture, no name, nothing of what a camera wrote beside them.
"""

import hashlib
import hmac
import os
import secrets
import threading
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

from pydantic import BaseModel, ConfigDict

from vivant.errors import InputError, OutputError, Refusal
from vivant.records import Reason
from vivant.serving.problems import Problem, Trouble
from vivant.session.verdict import Decision, ModelIdentity, Verdict

__all__ = ["AuditLog", "AuditRecord", "of_outcome"]

_KEY_BYTES = 32


class AuditRecord(BaseModel):
    """What was decided, by what, and on which media."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    time: str
    """UTC, ISO 8601."""
    request: str
    """As the answer's X-Request-Id."""
    caller: str
    """Name of the key; "session", or "anyone" where the service has no keys."""
    session: str | None
    media_hmac: str
    """HMAC-SHA256 of the media's bytes, with the key beside the log: proves that a file was, or was
    not, what was judged, to whoever has both."""
    num_bytes: int
    decision: Decision | None
    """null: refused, see `code`."""
    reasons: tuple[Reason, ...]
    code: Refusal | Trouble | None
    bona_fide_score: float | None
    threshold: float | None
    model_sha256: str
    profile_sha256: str | None
    runtime: str
    decode_s: float | None
    faces_s: float | None
    network_s: float | None
    total_s: float | None


class AuditLog:
    """Adds records to a file, one JSON object a line. Safe to use from threads.

    The file can be read by its owner alone. Beside it lies the key of the digests, `NAME.key`, made
    where it is missing; keep it apart from copies of the log.

    Args:
        path: The log; made where it is missing.

    Raises:
        OutputError: it cannot be written.
        InputError: the key beside it is damaged.
    """

    def __init__(self, path: Path) -> None:
        self._lock = threading.Lock()
        key_path = path.with_name(f"{path.name}.key")
        try:
            if not key_path.exists():
                with open(key_path, "xb", opener=_private) as file:
                    file.write(secrets.token_hex(_KEY_BYTES).encode())
            self._key = bytes.fromhex(key_path.read_text())
            if len(self._key) != _KEY_BYTES:
                raise ValueError(f"{len(self._key)} bytes")
            self._file = open(path, "a+b", buffering=0, opener=_private)  # noqa: SIM115
            self._begin_line()
        except ValueError as error:
            raise InputError(f"{key_path} is no key of an audit log: restore it") from error
        except OSError as error:
            raise OutputError(f"cannot write the audit log {path}: {error.strerror}") from error

    def digest(self) -> "hmac.HMAC":
        """A keyed digest to feed media to."""
        return hmac.new(self._key, digestmod=hashlib.sha256)

    def write(self, record: AuditRecord) -> None:
        """Add a line, and wait until the disk has it.

        Raises:
            OSError: it could not be written: then the verdict must not be given either.
        """
        line = record.model_dump_json().encode() + b"\n"
        with self._lock:
            before = self._file.seek(0, os.SEEK_END)
            try:
                self._write(line)
                os.fsync(self._file.fileno())
            except OSError:
                with suppress(OSError):  # What nobody was told is not in the log either.
                    self._file.truncate(before)
                raise

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def _begin_line(self) -> None:
        """End the line that a killed process left half written."""
        end = self._file.seek(0, os.SEEK_END)
        if end:
            self._file.seek(end - 1)
            if self._file.read(1) != b"\n":
                self._write(b"\n")

    def _write(self, content: bytes) -> None:
        while content:
            content = content[self._file.write(content) :]


def of_outcome(
    outcome: Verdict | Problem,
    *,
    request: str,
    caller: str,
    session: str | None,
    media_hmac: str,
    num_bytes: int,
    model: ModelIdentity,
) -> AuditRecord:
    """The record of a verdict, which says what judged, or of media that were refused.

    Args:
        outcome: Which.
        request: Its id.
        caller: Name of the key, or what stands for none.
        session: Id of the session, if there is one.
        media_hmac: See `AuditRecord`.
        num_bytes: Of the media.
        model: Of the service: what would have judged what was refused.
    """
    verdict = None if isinstance(outcome, Problem) else outcome
    judge = model if verdict is None else verdict.model
    point = None if verdict is None else verdict.operating_point
    timings = None if verdict is None else verdict.timings
    return AuditRecord(
        time=datetime.now(UTC).isoformat(timespec="milliseconds"),
        request=request,
        caller=caller,
        session=session,
        media_hmac=media_hmac,
        num_bytes=num_bytes,
        decision=None if verdict is None else verdict.decision,
        reasons=() if verdict is None else tuple(Reason(r.code) for r in verdict.reasons),
        code=outcome.code if isinstance(outcome, Problem) else None,
        bona_fide_score=None if verdict is None else verdict.bona_fide_score,
        threshold=None if point is None else point.threshold,
        model_sha256=judge.sha256,
        profile_sha256=None if verdict is None else verdict.profile,
        runtime=judge.runtime,
        decode_s=None if timings is None else timings.decode_s,
        faces_s=None if timings is None else timings.faces_s,
        network_s=None if timings is None else timings.network_s,
        total_s=None if timings is None else timings.total_s,
    )


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)
