"""Asks a running service about a video, in a session. The standard library is enough.

    VIVANT_KEY=KEY python docs/examples/serve_client.py CLIP.mp4 http://127.0.0.1:8080

The exit code is 0 for bona fide alone: an attack, no decision, a refusal and a failure are no pass.
"""

import json
import os
import sys
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.request import Request, urlopen


def ask(method: str, url: str, secret: str, body: bytes | None = None) -> dict[str, Any]:
    headers = {"Authorization": f"Bearer {secret}", "Content-Type": "application/octet-stream"}
    try:
        with urlopen(Request(url, body, headers, method=method), timeout=60) as answer:
            return dict(json.load(answer))
    except HTTPError as error:  # problem+json has a code, and says what to do.
        sys.exit(f"no: {error.read().decode()}")


def is_bona_fide(service: str, key: str, video: bytes) -> bool:
    session = ask("POST", f"{service}/v1/sessions", key)  # your back end
    here = f"{service}/v1/sessions/{session['id']}"
    ask("PUT", f"{here}/media", session["token"], video)  # the page or app: it has the token alone
    answer = ask("GET", here, key)["answer"]  # your back end again: what others tell it counts not
    print(json.dumps({name: answer[name] for name in ("status", "decision", "advice")}))
    return (answer["status"], answer["decision"]) == ("decided", "bona_fide")


if __name__ == "__main__":
    passed = is_bona_fide(sys.argv[2], os.environ["VIVANT_KEY"], Path(sys.argv[1]).read_bytes())
    print("yes" if passed else "no")
    sys.exit(not passed)
