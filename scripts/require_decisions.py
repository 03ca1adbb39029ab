"""Fails unless `vivant check --json` decided as the clips' names say: what `make demo` ends with.

vivant check bona_fide.mp4 attack_print.mp4 --json | python scripts/require_decisions.py
"""

import json
import sys
from pathlib import Path


def main() -> None:
    """Read records from standard input, one a line."""
    wrong, seen = [], set()
    for line in sys.stdin:
        record = json.loads(line)
        wanted = Path(record["path"]).stem.removesuffix(".mp4")
        expected = "bona_fide" if wanted.startswith("bona_fide") else "attack"
        seen.add(expected)
        if record["decision"] != expected:
            wrong.append(f"{record['path']}: expected {expected}, got {record['decision']}")
    if wrong or seen != {"bona_fide", "attack"}:
        sys.exit("; ".join(wrong) or f"expected clips of both classes, got {sorted(seen)}")
    print("bona fide and attacks were told apart (SYNTHETIC clips: how it answers, not how well)")


if __name__ == "__main__":
    main()
