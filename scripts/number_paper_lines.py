"""Keeps the line numbers of docs/paper.md true: `[gradcam.py:27 GradCam](../src/...#L27)`.

    python scripts/number_paper_lines.py            lists what is wrong; exit code 1 if anything is
    python scripts/number_paper_lines.py --write    writes the right numbers

A reference names a file and a class, function, method or field in it. One that names nothing is an
error that no number can mend.
"""

import ast
import re
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
DOCUMENT = ROOT / "docs" / "paper.md"
REFERENCE = re.compile(r"\[(?P<file>\w+\.py):\d+ (?P<name>[\w.]+)\]\(\.\./(?P<path>[\w/.]+)#L\d+\)")


def lines_of(path: Path) -> dict[str, int]:
    """Where each name of a module stands: `GradCam`, `GradCam.forward`, `AdvisorConfig.dropout`."""
    found: dict[str, int] = {}

    def visit(body: list[ast.stmt], prefix: str) -> None:
        for node in body:
            if isinstance(node, ast.ClassDef | ast.FunctionDef):
                found[prefix + node.name] = node.lineno
                if isinstance(node, ast.ClassDef):
                    visit(node.body, f"{prefix}{node.name}.")
            elif isinstance(node, ast.Assign | ast.AnnAssign):
                targets = node.targets if isinstance(node, ast.Assign) else [node.target]
                for target in targets:
                    if isinstance(target, ast.Name):
                        found[prefix + target.id] = node.lineno

    visit(ast.parse(path.read_text()).body, "")
    return found


def numbered(text: str) -> tuple[str, list[str]]:
    """The document with the right numbers, and the references that name nothing."""
    unknown: list[str] = []

    def right(match: re.Match[str]) -> str:
        path, name = ROOT / match["path"], match["name"]
        line = lines_of(path).get(name) if path.is_file() else None
        if line is None or path.name != match["file"]:
            unknown.append(match[0])
            return match[0]
        return f"[{path.name}:{line} {name}](../{match['path']}#L{line})"

    return REFERENCE.sub(right, text), unknown


def main() -> int:
    text = DOCUMENT.read_text()
    right, unknown = numbered(text)
    for reference in unknown:
        print(f"names nothing: {reference}")
    if "--write" in sys.argv[1:]:
        DOCUMENT.write_text(right)
    elif right != text:
        print("line numbers have moved: python scripts/number_paper_lines.py --write")
    return int(bool(unknown) or ("--write" not in sys.argv[1:] and right != text))


if __name__ == "__main__":
    sys.exit(main())
