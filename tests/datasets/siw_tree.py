"""The names of SiW's videos, without a licensed byte: nobody dropped out, so a few more than real."""

from pathlib import Path

TRAIN, TEST = (3, 6, 32, 33, 150, 151), (1, 2, 4)
"""Two of bob's dev subjects, two of Gradiant's, two of neither; and three of the owner's test."""
LIVE = [
    f"{sensor}-1-{medium}-{session}" for sensor in (1, 2) for medium in (1, 2) for session in (1, 2)
]
PRINT = [f"1-2-{medium}-{session}" for medium in (1, 2) for session in (1, 2)] + ["2-2-2-1"]
REPLAY = [
    f"{sensor}-3-{medium}-{session}"
    for sensor in (1, 2)
    for medium in (1, 2, 3, 4)
    for session in (1, 2)
]


def paths(train: tuple[int, ...] = TRAIN, test: tuple[int, ...] = TEST) -> list[str]:
    return [
        f"{side}/{kind}/{subject:03d}/{subject:03d}-{rest}.mov"
        for side, subjects in (("Test", test), ("Train", train))
        for kind, names in (("live", LIVE), ("spoof", PRINT + REPLAY))
        for subject in subjects
        for rest in names
    ]


def grow(root: Path, files: list[str] | None = None) -> Path:
    """Empty files with these names, each with its `.face`."""
    for path in paths() if files is None else files:
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).touch()
        (root / path).with_suffix(".face").touch()
    return root
