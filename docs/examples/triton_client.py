"""Checks a clip with a network that Triton runs; faces, crops and the decision stay vivant's.

    vivant export RUN/lite.safetensors.json --to triton --out models
    python docs/examples/triton_client.py CLIP.mp4 models/lite/1/model.onnx.json http://127.0.0.1:8000

The exit code is 0 for bona fide alone: an attack, no decision and a failure are no pass.
"""

import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import numpy as np

from vivant.errors import CardError, InputError, VivantError
from vivant.networks.card import read_card
from vivant.networks.part_specs import output_fields
from vivant.records import Scores
from vivant.runtimes.runner import check_clips, label, to_scores
from vivant.session.session import Session
from vivant.session.verdict import Decision

TYPES: dict[str, np.dtype[Any]] = {"FP32": np.dtype("<f4"), "INT64": np.dtype("<i8")}
LENGTH = "Inference-Header-Content-Length"  # Of the JSON, after which the tensors' bytes come.


class TritonRunner:
    """A network in Triton, as a `Runner`: KServe's protocol, version 2, with binary tensors.

    Args:
        card_path: Of the graph, in the model repository: MODEL/VERSION/model.onnx.json.
        url: Of the server.

    Raises:
        CardError: the server has another graph than the card's.
        OSError: it does not answer, or has no such model.
    """

    def __init__(self, card_path: Path, url: str) -> None:
        self.card = read_card(card_path)
        self.runtime = label("triton", self.card.precision)
        version, model = (folder.name for folder in card_path.resolve().parents[:2])
        self.place = f"{url}/v2/models/{model}/versions/{version}"
        _, content = self.ask("config")
        given = json.loads(content).get("parameters", {}).get("weights_sha256", {})
        if given.get("string_value") != self.card.weights.sha256:
            raise CardError(f"{self.place} is not the graph of {card_path}: export it again")

    def run(self, clips: np.ndarray, context: np.ndarray | None = None) -> Scores:
        """Score clips, as many as the server takes at once: see `Runner.run`."""
        check_clips(self.card, clips, context)
        fields = output_fields(self.card.architecture)
        given = {"clips": clips} if context is None else {"clips": clips, "context": context}
        tensors = [
            {
                "name": name,
                "shape": values.shape,
                "datatype": "UINT8",
                "parameters": {"binary_data_size": values.nbytes},
            }
            for name, values in given.items()
        ]
        wanted = [{"name": name, "parameters": {"binary_data": True}} for name in fields]
        head = json.dumps({"inputs": tensors, "outputs": wanted}).encode()
        content = b"".join(values.tobytes() for values in given.values())
        length, content = self.ask("infer", head + content, len(head))
        at, found = length, {}
        for output in json.loads(content[:length])["outputs"]:
            dtype, size = TYPES[output["datatype"]], output["parameters"]["binary_data_size"]
            values = np.frombuffer(content, dtype, size // dtype.itemsize, at)
            # A number for each clip comes as (clips, 1): Triton has no shape without an axis.
            shape = output["shape"][:1] if output["name"].endswith("_score") else output["shape"]
            found[output["name"]] = values.reshape(shape)
            at += size
        if set(found) != set(fields) or {len(v) for v in found.values()} != {len(clips)}:
            raise InputError(f"{self.place} did not answer for each of {len(clips)} clips")
        return to_scores({name: found[name] for name in fields})

    def run_part(self, part: str, given: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        """Triton has the whole graph: a stream needs a runtime of this machine."""
        raise CardError(f"{self.place} does not run {part!r} alone: use `check`, not a stream")

    def ask(self, what: str, body: bytes | None = None, length: int = 0) -> tuple[int, bytes]:
        """The answer's body, and how much of it is JSON."""
        headers = {"Content-Type": "application/octet-stream", LENGTH: str(length)} if body else {}
        try:
            with urlopen(Request(f"{self.place}/{what}", body, headers), timeout=60) as answer:
                content: bytes = answer.read()
                return int(answer.headers.get(LENGTH, len(content))), content
        except HTTPError as error:
            raise OSError(f"{self.place}/{what}: {error.read().decode()}") from error


def is_bona_fide(clip: Path, card_path: Path, url: str) -> bool:
    with Session(TritonRunner(card_path, url)) as session:
        seen = session.see(clip)  # Decoded, looked at and cut on this machine ...
        (verdict,) = session.conclude([seen])  # ... scored there, decided here by the card.
    print(f"{verdict.decision}, score {verdict.bona_fide_score}, by {verdict.model.runtime}")
    for finding in (*verdict.reasons, *verdict.cautions):
        print(f"{finding.code}: {finding.message}")
    return verdict.decision is Decision.BONA_FIDE


if __name__ == "__main__":
    try:
        passed = is_bona_fide(Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3])
    except (VivantError, OSError) as error:
        sys.exit(f"no: {error}")
    sys.exit(not passed)
