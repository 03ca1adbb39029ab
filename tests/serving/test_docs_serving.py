"""What docs/serving.md says is so: its tables, its messages, its curl lines and its client."""

import io
import json
import os
import re
import shlex
import shutil
import struct
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from made_up import MadeUpRunner
from people import person_video, swaying
from services import PUBLIC, SECRET, STREAM, bearer, client, listening
from vivant.errors import Refusal
from vivant.serving.limits import ServiceLimits
from vivant.serving.problems import Problem, Trouble
from vivant.serving.streaming import _Hello, _Ticket

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "serving.md").read_text()
CURL = re.findall(r"^curl .*$", PAGE + (ROOT / "README.md").read_text(), re.MULTILINE)
CLIENT = ROOT / "docs" / "examples" / "serve_client.py"
# Asked on this machine, whatever proxy it has for the world.
DIRECT = os.environ | {"no_proxy": "127.0.0.1", "NO_PROXY": "127.0.0.1"}


def rows(heading: str) -> list[list[str]]:
    """The rows of the first table below a heading, without its own two."""
    section = PAGE.split(f"\n## {heading}\n")[1]
    lines = section[section.index("\n|") + 1 :].partition("\n\n")[0].splitlines()
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines[2:]]


def examples() -> Iterator[dict[str, object]]:
    for block in re.findall(r"^ *```json\n(.*?)^ *```$", PAGE, re.MULTILINE | re.DOTALL):
        yield json.loads(block)


def example(*names: str, kind: str | None = None) -> dict[str, object]:
    """The one example that has these fields, or is a message of this kind."""
    (found,) = [
        one
        for one in examples()
        if set(names) <= set(one) and (kind is None or one.get("type") == kind)
    ]
    return found


def test_table_of_limits_has_each_with_its_default() -> None:
    table = {row[0].strip("`"): row for row in rows("Limits")}
    assert list(table) == list(ServiceLimits.model_fields)
    for name, default in ServiceLimits():
        number, _, shown = table[name][1].partition(" ")
        assert float(number) == default, name
        if shown:
            size, unit = shown.strip("()").split()
            assert float(size) * {"KiB": 2**10, "MiB": 2**20}[unit] == default, name


def test_tables_of_errors_and_limits_have_each_code_with_its_status() -> None:
    written = {code: int(row[0]) for row in rows("Errors") for code in row[1].split(", ")}
    # The service takes no paths: nothing that it is sent is no file.
    codes = [*Trouble, *(code for code in Refusal if code is not Refusal.NOT_A_FILE)]
    assert written == {code.value: Problem(code, "").status for code in codes}
    for _, _, _, met in rows("Limits"):
        for status, code in re.findall(r"(\d{3}) ([A-Z_]+)", met):
            assert written[code] == int(status)


def test_table_of_endpoints_has_each() -> None:
    written = set(re.findall(r"`(?:GET|POST|PUT|WS) (/\S*?)(?:`|\?)", PAGE))
    with client() as asked:
        assert set(asked.get("/openapi.json").json()["paths"]) <= written
        for path in ("/", "/openapi.json", "/v1/service"):
            assert path in written
            assert asked.get(path).status_code == 200


def test_session_and_public_answer_have_the_fields_that_are_shown() -> None:
    with client(MadeUpRunner(0.9), has_keys=True) as asked:
        opened = asked.post("/v1/sessions", headers=bearer(SECRET)).json()
        here = f"/v1/sessions/{opened['id']}"
        session = asked.get(here, headers=bearer(SECRET)).json()
        assert set(session) == set(example("state"))
        assert session["state"] == example("state")["state"]
        for secret, path in ((opened["token"], f"{here}/media"), (PUBLIC, "/v1/check")):
            send = asked.post if path == "/v1/check" else asked.put
            answer = send(path, content=person_video(), headers=bearer(secret)).json()
            shown = example("schema_version")
            assert set(answer) == set(shown)
            assert set(answer["model"]) == set(shown["model"])  # type: ignore[call-overload]
        problem = asked.put(f"{here}/media", headers=bearer(opened["token"]), content=b"a").json()
        assert set(problem) == set(example("status", "detail", kind="about:blank"))


def test_messages_of_a_stream_have_the_fields_that_are_shown() -> None:
    hello = example(kind="hello")
    assert set(hello) == set(_Hello.model_fields)
    assert set(hello["session"]) == set(_Ticket.model_fields)  # type: ignore[call-overload]
    with client(MadeUpRunner(0.9), has_keys=True) as asked:
        with asked.websocket_connect(STREAM) as socket:
            socket.send_json(hello | {"session": None, "key": PUBLIC})
            ready = socket.receive_json()
            assert ready == example(kind="ready")
            for i, pixels in enumerate([np.zeros((480, 640, 3), np.uint8), *swaying(10)]):
                file = io.BytesIO()
                Image.fromarray(pixels).save(file, "JPEG")
                socket.send_bytes(struct.pack("<d", i / 10) + file.getvalue())
                frame = socket.receive_json()
                if i == 0:
                    assert frame == example(kind="frame")
            socket.send_json(example(kind="end"))
            verdict = socket.receive_json()
            assert set(verdict) == set(example(kind="verdict"))
            assert set(verdict["answer"]) == set(example("schema_version"))
        with asked.websocket_connect(STREAM) as socket:
            socket.send_json({"type": "hallo"})
            assert set(socket.receive_json()) == set(example(kind="problem"))


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    path = tmp_path / "clip.mp4"
    path.write_bytes(person_video())
    return path


def test_curl_is_shown() -> None:
    assert len(CURL) >= 3


@pytest.mark.skipif(
    shutil.which("curl") is None and not os.environ.get("VIVANT_REQUIRE_BROWSER"),
    reason="curl is not installed",
)
@pytest.mark.parametrize("line", CURL)
def test_curl_lines_get_the_answer(line: str, clip: Path) -> None:
    with listening(MadeUpRunner(0.9)) as (service, port):
        words = shlex.split(
            re.sub(r"@[\w./]+", f"@{clip}", line.partition("#")[0].replace(":8080", f":{port}"))
        )
        ran = subprocess.run(
            [words[0], "--silent", "--show-error", *words[1:]],
            capture_output=True, text=True, env=DIRECT, check=True, timeout=60,
        )  # fmt: skip
        answer = json.loads(ran.stdout)
        verdict = service.session.check(clip.read_bytes())
    assert (answer["status"], answer["decision"]) == ("decided", verdict.decision.value)
    assert answer["bona_fide_score"] == pytest.approx(verdict.bona_fide_score)


def ask(clip: Path, port: int, key: str = SECRET) -> tuple[int, str]:
    """Exit code of the client, and all that it prints."""
    ran = subprocess.run(
        [sys.executable, "-W", "error", str(CLIENT), str(clip), f"http://127.0.0.1:{port}"],
        capture_output=True, text=True, env=DIRECT | {"VIVANT_KEY": key}, check=False, timeout=60,
    )  # fmt: skip
    return ran.returncode, ran.stdout + ran.stderr


def test_client_says_yes_to_bona_fide_once_and_no_to_all_else(clip: Path, tmp_path: Path) -> None:
    black = tmp_path / "black.png"
    Image.fromarray(np.zeros((240, 320, 3), np.uint8)).save(black)
    with listening(MadeUpRunner(0.9), has_keys=True) as (_, port):
        code, said = ask(clip, port)
        assert (code, said.splitlines()[-1]) == (0, "yes")
        assert json.loads(said.splitlines()[0])["decision"] == "bona_fide"
        for path, key, expected in (
            (clip, SECRET, "sent before"),  # The same bytes again.
            (black, SECRET, '"decision": null'),
            (CLIENT, SECRET, "UNSUPPORTED_FORMAT"),
            (clip, "guess", "UNAUTHORIZED"),
            (clip, PUBLIC, "FORBIDDEN"),
        ):
            code, said = ask(path, port, key)
            assert code == 1
            assert expected in said
            assert "yes" not in said
    with listening(MadeUpRunner(0.1), has_keys=True) as (_, port):
        code, said = ask(clip, port)
        assert (code, said.splitlines()[-1]) == (1, "no")
        assert json.loads(said.splitlines()[0])["decision"] == "attack"


def test_client_is_as_short_as_it_is_said_to_be() -> None:
    body = CLIENT.read_text().split("def is_bona_fide")[1].split("\n\n\n")[0]
    assert len(body.splitlines()) <= 10
