"""Who may call: keys of 256 random bits, of which a file holds the SHA-256 only."""

import hashlib
import hmac
import secrets
from enum import StrEnum
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from vivant.errors import InputError
from vivant.files import write_whole

__all__ = ["Key", "Keys", "Level", "add_key", "read_keys"]

_PREFIX = "vivant_"


class Level(StrEnum):
    """What a caller may know."""

    TRUSTED = "trusted"
    """Your back end: verdicts with their scores, sessions and what came of them, metrics."""
    PUBLIC = "public"
    """A page or an app that anybody can take apart: decisions without scores, and new sessions. A
    score would tell an attacker how much is missing."""


class Key(BaseModel):
    """One caller's key, as the file has it."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str = Field(pattern=r"^[\w.-]{1,64}$")
    """For logs and audit records."""
    level: Level
    sha256: str = Field(pattern=r"^[0-9a-f]{64}$")
    """Of the key. It is random and long: no slower hash is needed."""


class Keys(BaseModel):
    """All keys of a service."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    keys: tuple[Key, ...]

    def find(self, secret: str) -> Key | None:
        """The key that a caller shows; None where it is not known."""
        digest = _digest(secret)
        found = None
        for key in self.keys:  # All of them, whichever fits: time tells nothing.
            if hmac.compare_digest(key.sha256, digest):
                found = key
        return found


def read_keys(path: Path) -> Keys:
    """The keys of a file.

    Raises:
        InputError: it cannot be read, is none, or has no key.
    """
    try:
        keys = Keys.model_validate_json(path.read_bytes())
    except OSError as error:
        raise InputError(f"cannot read the keys {path}: {error.strerror}") from error
    except ValidationError as error:
        raise InputError(
            f"{path} is no file of keys: {error.errors()[0]['msg']}. Make one with `vivant key add`"
        ) from error
    if not keys.keys:
        raise InputError(f"{path} has no key: add one with `vivant key add`")
    return keys


def add_key(path: Path, name: str, level: Level) -> str:
    """Make a key, and add its hash to a file, which is made where it is missing.

    Returns:
        The key itself, which is kept nowhere.

    Raises:
        InputError: the name is taken or no name, or the file is none of keys.
    """
    known = read_keys(path).keys if path.exists() else ()
    if any(key.name == name for key in known):
        raise InputError(f"{path} has a key named {name}: choose another name")
    secret = _PREFIX + secrets.token_urlsafe(32)
    try:
        key = Key(name=name, level=level, sha256=_digest(secret))
    except ValidationError as error:
        raise InputError(
            f"expected a name of letters, digits, dots and dashes, at most 64, got {name!r}"
        ) from error
    content = Keys(keys=(*known, key)).model_dump_json(indent=2) + "\n"
    mode = path.stat().st_mode & 0o777 if path.exists() else 0o600
    write_whole(path, content)
    path.chmod(mode)  # Its owner alone reads it, unless somebody said otherwise.
    return secret


def _digest(secret: str) -> str:
    return hashlib.sha256(secret.encode("utf-8", "surrogateescape")).hexdigest()
