"""Where data lies: a folder of this machine, or a place in an object store, by its URL.

A folder of this machine is a `pathlib.Path`, all else a `UPath`: the same names over fsspec.
"""

import os
import re
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from errno import EACCES, EIO, ENOENT
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit
from urllib.request import url2pathname

import fsspec
from upath import UPath

from vivant import files
from vivant.errors import InputError, OutputError

__all__ = [
    "Place",
    "claim",
    "is_there",
    "key_of",
    "listed_below",
    "names_in",
    "one_line",
    "reached",
    "read",
    "read_text",
    "remove",
    "sizes_below",
    "table_uri",
    "to_place",
    "write",
]

Place = Path | UPath
"""A folder or file: on this machine, or at a URL."""


@dataclass(frozen=True, slots=True)
class _Cloud:
    """An object store that both fsspec and Lance know by this scheme."""

    package: str
    """What fsspec needs for it."""
    credentials: str
    """The variables by which both of them are let in."""


_CLOUDS = {
    "s3": _Cloud("s3fs", "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"),
    "gs": _Cloud("gcsfs", "GOOGLE_APPLICATION_CREDENTIALS"),
    "az": _Cloud("adlfs", "AZURE_STORAGE_ACCOUNT_NAME and AZURE_STORAGE_ACCOUNT_KEY"),
}
_URL = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*)://(.*)", re.DOTALL)
_SHOWN = 300  # Characters of another library's message: theirs can hold whole pages.


def to_place(text: str) -> Place:
    """The place that a user named.

    Credentials come from the environment alone: a URL is kept in shells' histories, in logs and in
    what a run writes down about itself.

    Args:
        text: A path, or a URL: `file://`, `s3://`, `gs://`, `az://`.

    Raises:
        InputError: an unknown kind of URL, one without a bucket or with a secret in it, or the
            package that its store needs is not installed.

    >>> to_place("data/oulu"), to_place("file:///data/my%20oulu")
    (PosixPath('data/oulu'), PosixPath('/data/my oulu'))
    """
    match = _URL.fullmatch(text)
    if match is None:
        scheme = text.partition(":")[0].lower()
        if ":" in text and scheme in ("file", *_CLOUDS):  # As paths would make of two slashes.
            raise InputError(
                f"expected {scheme}://, got {scheme}: without two slashes; a folder of this name "
                f"is ./{scheme}:"
            )
        return Path(text)
    scheme, rest = match[1].lower(), match[2]
    if scheme == "file":
        parts = urlsplit(text)
        if parts.netloc not in ("", "localhost"):
            raise InputError(f"expected file:///PATH, of this machine, got {text!r}")
        if "?" in text or "#" in text:  # A URL's path ends there, and the folder would be another.
            raise InputError(f"expected %3F and %23 for ? and # in {text!r}, or a path")
        return Path(url2pathname(parts.path))
    if scheme not in _CLOUDS:
        known = ", ".join(f"{each}://" for each in ("file", *_CLOUDS))
        raise InputError(f"expected a path or one of {known}, got {scheme}://")
    cloud = _CLOUDS[scheme]
    bucket = rest.partition("/")[0]
    # A secret may hold a slash: of KEY:SECRET@BUCKET its first part alone may be the bucket's.
    is_key = ":" in bucket and not bucket.startswith("arn:")
    if "@" in bucket or is_key or "?" in rest:
        # What it was is not repeated: messages are copied into logs.
        raise InputError(
            f"expected {scheme}://BUCKET/FOLDER without @, : and ?, which come with secrets: give "
            f"those in the environment ({cloud.credentials})"
        )
    if not bucket:
        raise InputError(f"expected {scheme}://BUCKET/FOLDER, got {text!r}")
    try:
        fsspec.get_filesystem_class(scheme)
    except ImportError as error:
        raise InputError(
            f"{scheme}:// needs {cloud.package}, which is not installed or does not work: "
            f"pip install {cloud.package}"
        ) from error
    return UPath(f"{scheme}://{rest.rstrip('/')}")


def table_uri(folder: Place, name: str) -> str:
    """A Lance table in a folder, as Lance wants it named.

    Raises:
        InputError: Lance would refuse the endpoint.
    """
    if isinstance(folder, Path):
        return str(folder / f"{name}.lance")
    endpoint = os.environ.get("AWS_ENDPOINT_URL_S3") or os.environ.get("AWS_ENDPOINT_URL", "")
    is_plain = folder.protocol == "s3" and endpoint.startswith("http://")
    if is_plain and "AWS_ALLOW_HTTP" not in os.environ:
        # Lance would try for seconds, and say "builder error".
        raise InputError(
            f"the endpoint {endpoint} is not encrypted: set AWS_ALLOW_HTTP=true where that is meant"
        )
    # Lance reads a URL: `%` and `#` mean something there. fsspec takes them as they are.
    return f"{folder.protocol}://{quote(f'{key_of(folder)}/{name}.lance')}"


def key_of(place: UPath) -> str:
    """Its bucket and its name there, as fsspec takes them; a bucket alone without a slash."""
    return place.path.rstrip("/")


@contextmanager
def reached(place: Place) -> Iterator[None]:
    """Within, whatever a store's library raises is an OSError that says it in one line.

    Raises:
        OSError: with `strerror`; FileNotFoundError and PermissionError where that is known.
    """
    try:
        yield
    except Exception as error:  # botocore's, aiohttp's, Azure's, Google's: none has a common root.
        if isinstance(place, Path):
            raise
        raise _as_os_error(place, error) from error


def read(place: Place) -> bytes:
    """The content of a file.

    Raises:
        OSError: it cannot be read.
    """
    if isinstance(place, Path):
        return place.read_bytes()
    with reached(place):
        place.fs.invalidate_cache()
        content: bytes = place.fs.cat_file(place.path)
    return content


def read_text(place: Place) -> str:
    """The content of a small file, in UTF-8.

    Raises:
        OSError: it cannot be read.
        UnicodeDecodeError: it is no text.
    """
    return read(place).decode()


def write(place: Place, content: str | bytes) -> None:
    """Write a file, text in UTF-8: it has the old content or all of the new.

    Raises:
        OutputError: it cannot be written.
    """
    if isinstance(place, Path):
        files.write_whole(place, content)
        return
    try:
        with reached(place):
            place.fs.pipe_file(
                place.path, content if isinstance(content, bytes) else content.encode()
            )
    except OSError as error:
        raise OutputError(f"cannot write {place}: {error.strerror}") from error


def claim(folder: Place, name: str, identity: Mapping[str, Any], what: str, instead: str) -> None:
    """Make sure that what a folder keeps of an earlier run belongs to this one: `files.claim`.

    Raises:
        OutputError: it does not, or the folder cannot be read or written.
    """
    if isinstance(folder, Path):
        files.claim(folder, name, identity, what, instead)
        return
    there = None
    try:
        there = read_text(folder / name)
    except FileNotFoundError:
        pass
    except (OSError, UnicodeDecodeError) as error:
        raise OutputError(f"{folder / name} cannot be read: {one_line(error)}") from error
    text = files.claim_text(there, identity, f"{folder} has {what}", instead)
    if text is not None:
        write(folder / name, text)


def remove(folder: Place) -> None:
    """Remove a folder and the files in it, as far as can be: what is left harms nobody."""
    if isinstance(folder, Path):
        shutil.rmtree(folder, ignore_errors=True)
        return
    with suppress(OSError), reached(folder):
        folder.fs.rm(folder.path, recursive=True)


def is_there(place: Place) -> bool:
    """Whether something is at a place.

    Raises:
        OSError: nobody could say.
    """
    if isinstance(place, Path):
        return place.exists()
    try:
        with reached(place):
            place.fs.invalidate_cache()
            place.fs.info(place.path)
    except FileNotFoundError:
        return False
    return True


def names_in(folder: Place) -> list[str]:
    """Names of what lies directly in a folder, sorted; none where there is no such folder.

    Raises:
        OSError: it cannot be read.
    """
    if isinstance(folder, Path):
        return sorted(each.name for each in folder.iterdir()) if folder.exists() else []
    with reached(folder):
        folder.fs.invalidate_cache()
        found = folder.fs.find(key_of(folder), maxdepth=1, withdirs=True)
    # Not each of fsspec's stores knows a depth, and some name the folder itself.
    rests = (name[len(key_of(folder)) + 1 :] for name in found)
    return sorted({rest.partition("/")[0] for rest in rests if rest})


def sizes_below(folder: Place) -> dict[str, int]:
    """Bytes of each file at any depth of a folder, by its path there, with slashes.

    In an object store a name that ends with a slash marks a folder, and is none of a file: it is
    listed as it is.

    Raises:
        OSError: it cannot be read.
    """
    if isinstance(folder, Path):
        inside = (path for path in folder.rglob("*") if path.is_file())
        return {path.relative_to(folder).as_posix(): path.stat().st_size for path in inside}
    return {name: size for name, (size, _) in listed_below(folder).items()}


def listed_below(folder: UPath) -> dict[str, tuple[int, str]]:
    """Bytes of each file below a folder of an object store, and the store's mark of its content.

    By its path there, as for `sizes_below`. The mark is another where the content is.

    Raises:
        OSError: it cannot be read.
    """
    with reached(folder):
        folder.fs.invalidate_cache()
        found = folder.fs.find(key_of(folder), detail=True)
        folder.fs.invalidate_cache()  # Of a large data set it keeps as much again.
    # A folder may be marked by an object of its own name; without a rest it is no file below it.
    start = len(key_of(folder)) + 1
    return {
        name[start:]: (int(info["size"] or 0), _mark(info))
        for name, info in found.items()
        if name[start:]
    }


def one_line(error: Exception) -> str:
    """What another library says, short, on one line, and without places in its own source."""
    text = " ".join(str(error).partition(", /")[0].split()) or type(error).__name__
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}..."


def _mark(info: Mapping[str, Any]) -> str:
    """What a store says of an object's content: its name for that differs between stores."""
    for name in ("ETag", "etag", "LastModified", "updated", "last_modified"):
        if info.get(name):
            return str(info[name])
    return ""


def _as_os_error(place: UPath, error: Exception) -> OSError:
    """The same as an OSError, with what to do where that is known."""
    told = one_line(error)
    if isinstance(error, FileNotFoundError):
        is_name = str(error) in (place.path, str(place))
        return FileNotFoundError(ENOENT, "nothing is there" if is_name else told)
    cloud = _CLOUDS.get(place.protocol)
    is_denied = isinstance(error, PermissionError) or "credential" in type(error).__name__.lower()
    if cloud is not None and is_denied:
        return PermissionError(
            EACCES, f"{told}. Credentials come from the environment: set {cloud.credentials}"
        )
    number = error.errno if isinstance(error, OSError) and error.errno else EIO
    return OSError(number, told)
