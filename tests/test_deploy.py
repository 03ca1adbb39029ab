"""What clusters are started from is what their programs read. Nothing is started here."""

import json
import re
import shlex
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path

import jsonschema
import pytest
import yaml  # Comes with ray.
from typer.testing import CliRunner

from vivant.cli.app import app

ROOT = Path(__file__).parents[1]
DEPLOY = ROOT / "deploy"
RAY = "2.60.0"


def images() -> set[str]:
    texts = [(DEPLOY / name).read_text() for name in ("ray-cluster.yaml", "kuberay.yaml")]
    return {found for text in texts for found in re.findall(r"REGISTRY/\S+", text)}


def test_cluster_file_is_as_rays_own_schema_has_it() -> None:
    found = find_spec("ray")
    assert found is not None
    assert found.origin is not None
    schema = json.loads((Path(found.origin).parent / "autoscaler/ray-schema.json").read_text())
    content = yaml.safe_load((DEPLOY / "ray-cluster.yaml").read_text())
    jsonschema.validate(content, schema)
    kinds = content["available_node_types"]
    assert content["head_node_type"] in kinds
    # Ray gives its own right to the head alone, and starts a cluster that anyone may use.
    assert all("IamInstanceProfile" in kind["node_config"] for kind in kinds.values())
    assert "--env RAY_AUTH_MODE=token" in content["docker"]["run_options"]
    assert any(place.endswith(".ray/auth_token") for place in content["file_mounts"])


def test_manifest_names_its_own_volumes_account_and_token() -> None:
    parts = {
        part["kind"]: part for part in yaml.safe_load_all((DEPLOY / "kuberay.yaml").read_text())
    }
    spec = parts["RayCluster"]["spec"]
    # Who starts the nodes asks the head, too.
    assert "RAY_AUTH_TOKEN" in [each["name"] for each in spec["autoscalerOptions"]["env"]]
    groups = [spec["headGroupSpec"], *spec["workerGroupSpecs"]]
    for group in groups:
        pod = group["template"]["spec"]
        (container,) = pod["containers"]
        assert pod["serviceAccountName"] == parts["ServiceAccount"]["metadata"]["name"]
        claim = parts["PersistentVolumeClaim"]["metadata"]["name"]
        assert [volume["persistentVolumeClaim"]["claimName"] for volume in pod["volumes"]] == [
            claim
        ]
        assert [m["name"] for m in container["volumeMounts"]] == [v["name"] for v in pod["volumes"]]
        assert container["resources"]["requests"] == container["resources"]["limits"]
        assert "RAY_AUTH_TOKEN" in [each["name"] for each in container["env"]]
    assert [group["minReplicas"] <= group["maxReplicas"] for group in groups[1:]] == [True, True]


@pytest.mark.parametrize("name", ["ray-cluster.yaml", "kuberay.yaml"])
def test_commands_are_there_to_be_copied(name: str) -> None:
    """Each on one line: what follows would be a command of its own."""
    lines = (DEPLOY / name).read_text().splitlines()
    (line,) = [line for line in lines if "vivant data prepare" in line]
    words = shlex.split(line.removeprefix("#"))
    words = shlex.split(words[-1]) if name == "ray-cluster.yaml" else words[words.index("--") + 1 :]
    assert words[:3] == ["vivant", "data", "prepare"]
    known = CliRunner().invoke(app, ["data", "prepare", "--help"]).output
    assert all(word in known for word in words if word.startswith("--"))


def test_all_speak_of_one_ray_and_one_image() -> None:
    text = (DEPLOY / "Dockerfile.ray").read_text()
    assert f"FROM rayproject/ray:{RAY}-py311" in text
    assert f"rayVersion: {RAY}" in (DEPLOY / "kuberay.yaml").read_text()
    assert version("ray") == RAY, "the files in deploy/ name another version"
    assert len(images()) == 1
    assert images().pop() in text
