"""Which videos the synthetic benchmark has: names of OULU-NPU or SiW, in four sizes."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product

from vivant.datasets import oulu_npu, siw
from vivant.errors import UnknownNameError
from vivant.records import Split

__all__: list[str] = []

LAYOUTS = ("oulu-npu", "siw")
READERS = {"oulu-npu": "oulu_npu", "siw": "siw"}
"""The data set whose reader and protocols each layout is for."""


@dataclass(frozen=True, slots=True)
class Size:
    """How much is made, the same for both layouts."""

    num_frames: int
    """Of each video."""
    is_whole: bool
    """Every name of the layout, or the half or third of them that `_oulu_npu` and `_siw` keep."""
    num_train: int | None
    """Subjects of the train side; None: all."""
    num_others: int | None
    """Subjects of the dev side, and of the test side; None: all."""

    def num_subjects(self, split: Split) -> int | None:
        """Of a side; None: all."""
        return self.num_train if split is Split.TRAIN else self.num_others


SIZES = {
    "smoke": Size(num_frames=20, is_whole=False, num_train=3, num_others=3),
    "tiny": Size(num_frames=20, is_whole=False, num_train=16, num_others=8),
    "small": Size(num_frames=20, is_whole=False, num_train=None, num_others=None),
    "full": Size(num_frames=30, is_whole=True, num_train=None, num_others=None),
}
FRAME_RATE = 10.0
"""Of all videos, in a second: clips are sampled each 0.1 s."""
FRAME_SIZES = {"oulu-npu": (360, 480), "siw": (480, 360)}
"""(width, height) of the frames: phones upright, cameras on a stand."""
FACE_PX = {"oulu-npu": 150.0, "siw": 124.0}
"""Width of the mean face's mesh. The detector's box is 1.13 times as wide."""


_PAPERS = {"1": "print_glossy", "2": "print_matt"}
"""Of SiW's prints, by session."""


@dataclass(frozen=True, slots=True)
class Video:
    """One video to be made."""

    path: str
    """Relative to the root, with slashes."""
    subject: int
    camera: str
    """Which of the layout's cameras films it."""
    session: str
    """Which of the layout's rooms and lights it is filmed in."""
    pai_species: str | None
    instrument: str | None
    """As the reader names it: `print_1`."""
    paper: str | None = None
    """Of SiW's prints, whose session tells the paper: `print_glossy` or `print_matt`."""
    is_mirrored: bool = False
    """Left and right exchanged: SiW's names with `.m`."""


def plan(layout: str, size: str) -> tuple[Video, ...]:
    """All videos of a size, subject by subject.

    Args:
        layout: One of `LAYOUTS`.
        size: One of `SIZES`.

    Raises:
        UnknownNameError: no such layout or size.
    """
    if layout not in LAYOUTS:
        raise UnknownNameError("layout", layout, LAYOUTS)
    if size not in SIZES:
        raise UnknownNameError("size", size, SIZES)
    make = _oulu_npu if layout == "oulu-npu" else _siw
    return tuple(make(SIZES[size]))


def _oulu_npu(size: Size) -> Iterator[Video]:
    """Where not whole, each user has a third of the 18 pairs of phone and session.

    User, session and phone add up to a multiple of three: then each user has every phone and every
    session, and each pair of the two a third of the users.
    """
    for split, users in oulu_npu.USERS.items():
        for user in users[: size.num_subjects(split)]:
            for phone, session, file in product(oulu_npu.PHONES, oulu_npu.SESSIONS, oulu_npu.FILES):
                if not size.is_whole and (user + int(session) + int(phone)) % 3:
                    continue
                instrument = oulu_npu.INSTRUMENTS.get(file)
                name = f"{phone}_{session}_{user:02}_{file}"
                yield Video(
                    f"{oulu_npu.FOLDERS[split]}/{name}.avi",
                    user,
                    f"phone_{phone}",
                    f"session_{session}",
                    instrument.partition("_")[0] if instrument else None,
                    instrument,
                )


def _siw(size: Size) -> Iterator[Video]:
    """Where not whole, each subject has half of the names of each type.

    Type, medium and session of the 28 names: bona fide in two lights and two sessions, prints in
    two lights on two papers by sensor 1 alone, replays on four devices.
    """
    dev = siw.DEV_SUBJECTS["bob"]
    sides: dict[Split, list[int]] = {split: [] for split in Split}
    for subject in range(1, siw.NUM_SUBJECTS + 1):
        if subject in siw.TEST_SUBJECTS:
            sides[Split.TEST].append(subject)
        else:
            sides[Split.DEV if subject in dev else Split.TRAIN].append(subject)
    mirrored = min(sides[Split.TRAIN])  # One subject's first name has `.m`.
    for split, subjects in sides.items():
        for subject in subjects[: size.num_subjects(split)]:
            kept = (
                name
                for name in _siw_names()
                if size.is_whole or (subject + sum(map(int, name))) % 2 == 0
            )
            for number, (sensor, kind, medium, session) in enumerate(kept):
                folder = "Test" if split is Split.TEST else "Train"
                label = "live" if kind == "1" else "spoof"
                is_mirrored = subject == mirrored and number == 0
                ending = ".m.mov" if is_mirrored else ".mov"
                name = f"{subject:03}-{sensor}-{kind}-{medium}-{session}{ending}"
                species = {"1": None, "2": "print", "3": "replay"}[kind]
                yield Video(
                    f"{folder}/{label}/{subject:03}/{name}",
                    subject,
                    f"sensor_{sensor}",
                    # A replay's medium is the device: it is filmed in both lights too.
                    f"light_{1 + int(session) % 2}" if kind == "3" else f"light_{medium}",
                    species,
                    f"{species}_{medium}" if species else None,
                    _PAPERS[session] if kind == "2" else None,
                    is_mirrored,
                )


def _siw_names() -> Iterator[tuple[str, str, str, str]]:
    """(sensor, type, medium, session) of the 28 videos of a subject."""
    yield from product("12", "1", "12", "12")
    yield from product("1", "2", "12", "12")
    yield from product("12", "3", "1234", "12")
