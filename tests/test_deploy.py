"""What clusters are started from is what their programs read. Nothing is started here."""

import json
import re
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path

import jsonschema
import yaml  # Comes with ray.

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
    assert content["head_node_type"] in content["available_node_types"]


def test_manifest_names_its_own_volumes_account_and_token() -> None:
    parts = {
        part["kind"]: part for part in yaml.safe_load_all((DEPLOY / "kuberay.yaml").read_text())
    }
    spec = parts["RayCluster"]["spec"]
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


def test_all_speak_of_one_ray_and_one_image() -> None:
    text = (DEPLOY / "Dockerfile.ray").read_text()
    assert f"FROM rayproject/ray:{RAY}-py311" in text
    assert f"rayVersion: {RAY}" in (DEPLOY / "kuberay.yaml").read_text()
    assert version("ray") == RAY, "the files in deploy/ name another version"
    assert len(images()) == 1
    assert images().pop() in text
