"""The names of OULU-NPU's 4,950 videos and of its owner's 42 lists, without a licensed byte.

Written out here by counting, apart from the reader's own rules.
"""

from collections.abc import Sequence
from pathlib import Path

FOLDERS = {"Train": "Train_files", "Dev": "Dev_files", "Test": "Test_files"}
USERS = {"Train": range(1, 21), "Dev": range(21, 36), "Test": range(36, 56)}
PROTOCOLS = ["1", "2", *(f"3_{k}" for k in range(1, 7)), *(f"4_{k}" for k in range(1, 7))]


def names(side: str) -> list[tuple[int, int, int, int]]:
    """(phone, session, user, file) of all videos of a side."""
    return [
        (phone, session, user, file)
        for phone in range(1, 7)
        for session in range(1, 4)
        for user in USERS[side]
        for file in range(1, 6)
    ]


def paths() -> list[str]:
    return [
        f"{FOLDERS[side]}/{phone}_{session}_{user:02d}_{file}.avi"
        for side in FOLDERS
        for phone, session, user, file in names(side)
    ]


def grow(root: Path, files: list[str] | None = None) -> Path:
    """Empty files with these names, or all of them, each with its `.txt`."""
    for folder in FOLDERS.values():
        (root / folder).mkdir(parents=True)
    for path in paths() if files is None else files:
        (root / path).touch()
        (root / path).with_suffix(".txt").touch()
    return root


def chosen(protocol: str, side: str) -> list[str]:
    """The ids of the owner's list, as table 3.1 of the specification says."""
    number, _, fold = protocol.partition("_")
    test = side == "Test"
    found = []
    for phone, session, user, file in names(side):
        if number in "14" and (session == 3) is not test:
            continue
        if number in "24" and file not in ((1, 3, 5) if test else (1, 2, 4)):
            continue
        if number in "34" and (phone == int(fold)) is not test:
            continue
        found.append(f"{phone}_{session}_{user:02d}_{file}")
    return found


def label(name: str, side: str) -> str:
    if name.endswith("1"):
        return "+1"
    return "-2" if side == "Test" and name[-1] in "45" else "-1"


def list_path(protocol: str, side: str) -> str:
    number, _, fold = protocol.partition("_")
    return f"Protocols/Protocol_{number}/{side}{'_' * bool(fold)}{fold}.txt"


def write_lists(root: Path, protocols: Sequence[str] = PROTOCOLS) -> Path:
    """All 42, or those of some protocols, in the manner of different editors."""
    for index, (protocol, side) in enumerate((p, s) for p in protocols for s in FOLDERS):
        path = root / list_path(protocol, side)
        path.parent.mkdir(parents=True, exist_ok=True)
        comma, end, start = [(",", "\n", ""), (" , ", "\r\n", "\ufeff"), (",", "\n\n", "\n")][
            index % 3
        ]
        lines = [f"{label(name, side)}{comma}{name}" for name in chosen(protocol, side)]
        path.write_bytes((start + end.join(lines)).encode())
    return root
