"""Trees with the data sets' real names and empty files: all that a reader of names needs."""

import json
from collections.abc import Iterable, Sequence
from itertools import product
from pathlib import Path

from vivant.records import Label, Presentation, Split


def plant(root: Path, paths: Iterable[str]) -> None:
    """Empty files."""
    for path in paths:
        file = root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.touch()


def replay_attack_tree(root: Path) -> None:
    """1,200 videos, and some of `enroll/`."""
    lights = ("adverse", "controlled")
    first = 1
    for side, num_clients in (("train", 15), ("devel", 15), ("test", 20)):
        for number in range(first, first + num_clients):
            client = f"client{number:03}_session01"
            plant(
                root,
                (
                    f"{side}/real/{client}_webcam_authenticate_{light}_{take}.mov"
                    for light, take in product(lights, (1, 2))
                ),
            )
            kinds = ("print_{}_highdef_photo", "mobile_{}_mobile_photo", "mobile_{}_mobile_video")
            kinds += ("highdef_{}_highdef_photo", "highdef_{}_highdef_video")
            plant(
                root,
                (
                    f"{side}/attack/{support}/attack_{kind.format(client)}_{light}.mov"
                    for support, kind, light in product(("fixed", "hand"), kinds, lights)
                ),
            )
            plant(root, [f"enroll/{side}/{client}_webcam_enroll_adverse_1.mov"])
        first += num_clients
    plant(root, ["protocols/real-train.txt", "face-locations/train/real/client001.face"])


def casia_fasd_tree(root: Path) -> None:
    """600 videos."""
    videos = [*map(str, range(1, 9)), *(f"HR_{number}" for number in range(1, 5))]
    for release, num_subjects in (("train", 20), ("test", 30)):
        subjects = range(1, num_subjects + 1)
        plant(root, (f"{release}_release/{s}/{v}.avi" for s, v in product(subjects, videos)))


MSU_TRAIN = (2, 3, 5, 6, 7, 8, 9, 11, 12, 21, 22, 34, 53, 54, 55)
MSU_TEST = (1, 13, 14, 23, 24, 26, 28, 29, 30, 32, 33, 35, 36, 37, 39, 42, 48, 49, 50, 51)


def msu_mfsd_tree(root: Path, top: str = "") -> None:
    """280 videos and two lists, the last line of the second without an end."""
    for number, (device, ending) in product(
        MSU_TRAIN + MSU_TEST, (("android", "mp4"), ("laptop", "mov"))
    ):
        client = f"client{number:03}_{device}_SD"
        plant(root, [f"{top}real/real_{client}_scene01.{ending}"])
        plant(
            root,
            (
                f"{top}attack/attack_{client}_{species}_scene01.{ending}"
                for species in ("ipad_video", "iphone_video", "printed_photo")
            ),
        )
    train = "".join(f"{number:02}\n" for number in MSU_TRAIN)
    (root / "train_sub_list.txt").write_text(train)
    (root / "test_sub_list.txt").write_text("\n".join(f"{number:02}" for number in MSU_TEST))


ROSE_SUBJECTS = (2, 3, 4, 5, 6, 7, 9, 10, *range(11, 22), 23)
ROSE_CODES = ("G", "Ps", "Pq", "Vl", "Vm", "Mc", "Mf", "Mu", "Ml")


def rose_youtu_tree(root: Path) -> None:
    """One video of each kind, twice for bona fide, of each of 20 subjects: 200."""
    for subject in ROSE_SUBJECTS:
        codes = (f"{code}_T_HS_wg_E_{subject}_{n}.mp4" for n, code in enumerate(ROSE_CODES, 1))
        plant(root / str(subject), [*codes, f"G_NT_5s_g_E_{subject}_71.mp4"])


def nuaa_tree(root: Path) -> None:
    """Five pictures a series; IDs 1-9 in sessions 01 and 02; 1-3 and 10-15 in session 03."""
    for folder, number in product(("ClientRaw", "ImposterRaw"), range(1, 16)):
        sessions = ("01", "02") if number <= 9 else ()
        sessions += ("03",) if number <= 3 or number >= 10 else ()
        plant(
            root / folder / f"{number:04}",
            (
                f"{number:04}_{glasses}_00_{session}_{picture}.jpg"
                for glasses, session, picture in product(("00", "01"), sessions, (0, 2, 9, 10, 116))
            ),
        )


def celeba_attributes(species: int) -> list[int]:
    """44 numbers: 40 of the face, species, light, environment, label."""
    return [0] * 40 + [species, 1, 2, int(species > 0)]


def celeba_spoof_tree(root: Path) -> None:
    """Of each subject two live pictures and one of each of ten species."""
    for side, subjects in (("train", (1, 4, 10)), ("test", (2, 9))):
        listed = {}
        for subject in subjects:
            kinds = [("live", 0), ("live", 0), *(("spoof", species) for species in range(1, 11))]
            for number, (kind, species) in enumerate(kinds, 184):
                ending = "jpg" if kind == "live" else "png"
                path = f"Data/{side}/{subject}/{kind}/{number:06}.{ending}"
                listed[path] = celeba_attributes(species)
        plant(root, listed)
        plant(root, (f"{path.rpartition('.')[0]}_BB.txt" for path in listed))
        file = root / f"metas/intra_test/{side}_label.json"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(json.dumps(listed))


def rows_of(subjects: Sequence[tuple[str, int, int]]) -> list[Presentation]:
    """Presentations of subjects, each with numbers of bona fide ones and attacks."""
    return [
        Presentation(f"{name}/{label}{at}.mp4", label, "print" if label else None, name)
        for name, num_bona_fide, num_attacks in subjects
        for label, number in ((Label.BONA_FIDE, num_bona_fide), (Label.ATTACK, num_attacks))
        for at in range(number)
    ]


def sides(rows: Iterable[Presentation]) -> dict[Split | None, int]:
    """How many presentations each side has."""
    found: dict[Split | None, int] = {}
    for row in rows:
        found[row.split] = found.get(row.split, 0) + 1
    return found
