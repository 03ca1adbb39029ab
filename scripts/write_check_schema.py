"""Writes docs/check.schema.json, the JSON Schema of what `vivant check --json` prints."""

import json
from pathlib import Path

from vivant.session.report import json_schema

TARGET = Path(__file__).parents[1] / "docs" / "check.schema.json"

if __name__ == "__main__":
    TARGET.write_text(json.dumps(json_schema(), indent=2) + "\n")
    print(f"wrote {TARGET.name}")
