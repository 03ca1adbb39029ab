"""The page's files: all of them, as what they are, nothing beside them, and nothing from elsewhere."""

import asyncio
import gzip
import json
import re
from importlib.resources import files
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pytest

from services import client
from vivant.serving.static_page import has_device_mode, page_files

PACKAGE = Path(str(files("vivant")))
FOLDER = PACKAGE / "serving" / "page"
TYPES = {
    ".css": "text/css; charset=utf-8",
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".json": "application/json",
    ".mjs": "text/javascript; charset=utf-8",
    ".onnx": "application/octet-stream",
    ".svg": "image/svg+xml",
    ".wasm": "application/wasm",
}
# For whoever has the package; no browser asks for them.
NOTICES = {"LICENSE", "ThirdPartyNotices.txt"}
SVG = "http://www.w3.org/2000/svg"
# Of a message to programmers, which nothing opens.
VENDORS_OWN = {"https://web.dev/cross-origin-isolation-guide/"}


def sources() -> list[Path]:
    return [
        path
        for path in sorted(FOLDER.rglob("*"))
        if path.suffix in (".html", ".js", ".css", ".mjs")
    ]


async def ask_for(app: Any, path: str) -> tuple[int, bytes]:
    """Status and body of a path that no client makes shorter before it asks."""
    said: list[Any] = []
    asked = iter([{"type": "http.request", "body": b"", "more_body": False}])

    async def receive() -> dict[str, Any]:
        for message in asked:
            return message
        await asyncio.Event().wait()  # The client stays, and has nothing more to say.
        raise AssertionError

    async def send(message: Any) -> None:
        said.append(message)

    scope = {
        "type": "http",
        "method": "GET",
        "path": unquote(path),
        "raw_path": path.encode(),
        "query_string": b"",
        "root_path": "",
        "headers": [(b"host", b"127.0.0.1")],
        "state": {},
    }
    await app(scope, receive, send)
    return said[0]["status"], b"".join(message.get("body", b"") for message in said[1:])


def test_each_file_is_served_whole_as_what_it_is() -> None:
    with client(request_burst=1000) as asked:
        for path in sorted(FOLDER.rglob("*")):
            if path.is_dir() or path.name in NOTICES:
                continue
            name = path.relative_to(FOLDER).as_posix().removesuffix(".gz")
            answer = asked.get(f"/page/{name}")
            assert answer.status_code == 200, name
            assert answer.headers["content-type"] == TYPES[Path(name).suffix], name
            content = path.read_bytes()
            expected = gzip.decompress(content) if path.suffix == ".gz" else content
            assert answer.content == expected, name


def test_index_is_the_page() -> None:
    with client() as asked:
        answer = asked.get("/")
    assert answer.content == (FOLDER / "index.html").read_bytes()
    assert answer.headers["content-type"] == "text/html; charset=utf-8"


def test_runtime_is_served_packed_as_wasm() -> None:
    with client() as asked:
        answer = asked.get("/page/vendor/ort-wasm-simd-threaded.wasm")
    assert answer.headers["content-encoding"] == "gzip"
    assert answer.headers["content-type"] == "application/wasm"
    packed = (FOLDER / "vendor" / "ort-wasm-simd-threaded.wasm.gz").stat().st_size
    assert int(answer.headers["content-length"]) == packed
    assert answer.content[:4] == b"\0asm"


@pytest.mark.parametrize(
    ("name", "place"),
    [
        ("models/lite.onnx", "session/models/lite.onnx"),
        ("models/lite.onnx.json", "session/models/lite.onnx.json"),
        ("models/blazeface_full_range.onnx", "faces/models/blazeface_full_range.onnx"),
        ("models/face_mesh.onnx", "faces/models/face_mesh.onnx"),
    ],
)
def test_models_that_ship_are_served(name: str, place: str) -> None:
    with client() as asked:
        answer = asked.get(f"/page/{name}")
    assert answer.content == (PACKAGE / place).read_bytes()
    assert answer.headers["content-type"] == TYPES[Path(name).suffix]


def test_device_mode_needs_the_runtime_and_every_model(monkeypatch: pytest.MonkeyPatch) -> None:
    assert has_device_mode()
    whole = page_files()
    for name in [*whole]:
        rest = {key: path for key, path in whole.items() if key != name}
        monkeypatch.setattr("vivant.serving.static_page.page_files", lambda rest=rest: rest)
        is_needed = name.startswith("models/") or name.endswith(".wasm")
        assert has_device_mode() is not is_needed, name


@pytest.mark.parametrize(
    "name",
    [
        "../app.py",
        "../keys.py",
        "%2e%2e/app.py",
        "%2e%2e%2fapp.py",
        "..%2fapp.py",
        "..%5capp.py",
        "....//app.py",
        "vendor/../../app.py",
        "vendor/%2e%2e/%2e%2e/app.py",
        "vendor/../index.html",
        "/etc/passwd",
        "%2fetc%2fpasswd",
        "index.html%00",
        "index.html/",
        "INDEX.HTML",
        "vendor/LICENSE",
        "vendor/ort-wasm-simd-threaded.wasm.gz",
        "models/",
        "models/../../app.py",
        "vendor",
        "",
        ".",
    ],
)
def test_what_is_no_file_of_the_page_is_not_there(name: str) -> None:
    with client() as asked:
        status, body = asyncio.run(ask_for(asked.app, f"/page/{name}"))
    assert status == 404
    assert json.loads(body)["code"] == "NOT_FOUND"


def test_asking_in_so_many_words_finds_what_is_there() -> None:
    with client() as asked:
        assert asyncio.run(ask_for(asked.app, "/page/app%2ejs"))[0] == 200


def test_only_files_of_the_package_are_named() -> None:
    for name, path in page_files().items():
        assert path.resolve().is_relative_to(PACKAGE.resolve()), name
        assert path.is_file(), name
        assert path.suffix != ".py"


def test_file_that_a_browser_has_is_not_sent_again() -> None:
    with client() as asked:
        first = asked.get("/page/style.css")
        assert first.headers["cache-control"] == "no-cache", "asked for anew each time"
        tag = first.headers["etag"]
        other = asked.get("/page/app.js")
    assert tag
    assert tag != other.headers["etag"]


@pytest.mark.parametrize("path", sources(), ids=lambda path: path.name)
def test_no_file_of_the_page_names_another_site(path: Path) -> None:
    text = path.read_text("utf-8")
    allowed = {SVG} | (VENDORS_OWN if path.parent.name == "vendor" else set())
    found = set(re.findall(r"(?:https?|wss?)://[^\s'\"`<>)\\]+", text))
    assert found <= allowed
    # Addresses that take the page's own scheme: //host/...
    assert not re.findall(r"(?:src|href|action)\s*=\s*[\"']?//", text)
    assert not re.findall(r"(?:url\(|import\s*\(?|from\s*|fetch\()\s*[\"'`]?//[\w.]", text)


def test_page_needs_no_inline_script_or_style() -> None:
    """The policy of the gate would not run them."""
    text = (FOLDER / "index.html").read_text("utf-8")
    for tag in re.findall(r"<script\b[^>]*>", text):
        assert "src=" in tag
    assert "<style" not in text
    assert not re.findall(r"<[^>]+\s(?:style|on\w+)\s*=", text)


def test_what_the_page_loads_is_there() -> None:
    names = page_files().keys()
    text = (FOLDER / "index.html").read_text("utf-8")
    loaded = re.findall(r"(?:src|href)=\"(page/[^\"]+)\"", text)
    assert loaded
    for one in loaded:
        assert one.removeprefix("page/") in names
    for path in FOLDER.glob("*.js"):
        for one in re.findall(r"from\s+[\"']\./([^\"']+)[\"']", path.read_text("utf-8")):
            assert one in names, (path.name, one)
