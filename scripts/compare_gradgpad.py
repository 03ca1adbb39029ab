"""Compares our rates with those that gradgpad reports, on the score files that gradgpad ships.

    python3.11 -m venv ORACLE
    ORACLE/bin/pip install gradgpad==2.1.0 numpy==1.26.4 pandas==1.5.3 scipy==1.17.1 \
        scikit-learn==1.9.1
    python scripts/compare_gradgpad.py ORACLE/bin/python [--only grandtest]

gradgpad (MIT) is an oracle in an environment of its own: pandas below 2 needs a Python below 3.12.
For each of its protocols it gives scores of a devel and a test side and its numbers. The scores go
through a file as `vivant metrics` reads it, with the sign changed: gradgpad's are higher for
attacks. A line a protocol, in per cent, `gradgpad/ours`; then, of each number, how often both are
the same, and how often they are once gradgpad's convention is computed instead of ours. Ends with 1
where a number is left that no convention explains.
"""

import argparse
import csv
import json
import math
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Float

from vivant.evaluation.judging import find_threshold, half_total_error, judge_table
from vivant.evaluation.scores import read_scores
from vivant.metrics.rates import Rates, bpcer, rates
from vivant.metrics.rules import parse_rule
from vivant.metrics.thresholds import apcer_at_bpcer, bpcer_at_apcer, eer_threshold

VERSION = "2.1.0"
KINDS = ("fine", "coarse")
"""17 PAI species; print, replay, mask, makeup, partial."""
SHOWN = ("ACER", "ACER at dev-eer", "ACER of groups", "HTER", "EER of the dev side")
LIMIT = 0.1  # Of APCER at a BPCER, and of BPCER at an APCER.
SAME = 1e-6  # Per cent: one of 12,000 presentations is 0.008.
ORACLE = """
import importlib.metadata, json, pathlib, sys
from gradgpad.foundations.metrics.eer import eer
from gradgpad.foundations.metrics.metrics import Metrics, meta_label_info_provider
from gradgpad.foundations.scores.scores import Scores
from gradgpad.public_api import GRADGPAD_SCORES_PATH

version, limit, only = sys.argv[1], float(sys.argv[2]), sys.argv[3]
assert importlib.metadata.version("gradgpad") == version
names = {label: name for name, of in meta_label_info_provider(True).items() for label in of}
for devel in sorted(pathlib.Path(GRADGPAD_SCORES_PATH).glob("*/*_devel.json")):
    protocol = devel.name.removesuffix("_devel.json")
    # Others in these folders are intermediate: no protocol of gradgpad reads them.
    if not protocol.startswith(devel.parent.name) or only not in protocol:
        continue
    files = {"dev": devel, "test": devel.with_name(f"{protocol}_test.json")}
    sides = {side: Scores.from_filename(str(file)) for side, file in files.items()}
    labels = {side: of.get_numpy_fine_grained_pai_labels() for side, of in sides.items()}
    scores = {side: of.get_numpy_scores() for side, of in sides.items()}
    eer_value, threshold = eer(scores["dev"], labels["dev"])
    print(json.dumps({
        "protocol": protocol,
        "lines": [
            (side, names.get(label, ""), score)
            for side in sides
            for label, score in zip(labels[side].tolist(), scores[side].tolist())
        ],
        "eer": eer_value,
        "threshold": threshold,
        "analysis": Metrics(sides["dev"], sides["test"]).get_indepth_analysis([limit], [limit]),
    }), flush=True)
"""

Scores = Float[np.ndarray, " _"]
BySpecies = Mapping[str, Scores]


class Compared(NamedTuple):
    """One number, as a share."""

    what: str
    gradgpad: float
    """As it reports it."""
    ours: float
    as_gradgpad: float
    """What its convention gives here."""

    def differences(self) -> tuple[float, float]:
        """In per cent: of ours, and what its convention leaves of that."""
        return 100 * abs(self.ours - self.gradgpad), 100 * abs(self.as_gradgpad - self.gradgpad)


class Corners(NamedTuple):
    """The ROC curve that gradgpad reads its numbers from: scikit-learn's, all species in one."""

    thresholds: Scores
    """Falling: accepted from it on. The first, infinity, is cut to the highest score."""
    far: Scores
    frr: Scores

    @classmethod
    def of(cls, bona_fide: Scores, attacks: Scores) -> "Corners":
        """Points in line with both beside them, at even distances, are left out."""
        thresholds = np.unique(np.concatenate([bona_fide, attacks]))[::-1]
        far, tpr = (
            len(scores) - np.searchsorted(np.sort(scores), thresholds)
            for scores in (attacks, bona_fide)
        )
        keep = np.ones(len(thresholds), np.bool_)
        keep[1:-1] = (np.diff(far, 2) != 0) | (np.diff(tpr, 2) != 0)
        return cls(
            np.append(thresholds[0], thresholds[keep]),
            np.append(0, far[keep]) / len(attacks),
            1 - np.append(0, tpr[keep]) / len(bona_fide),
        )

    def eer(self) -> tuple[float, float]:
        """EER and its threshold: where straight lines between the corners meet FAR = FRR."""
        too_strict = self.frr - self.far
        left = int(np.flatnonzero(too_strict >= 0)[-1])
        right = left + 1
        share = too_strict[left] / (too_strict[left] - too_strict[right])
        if self.far[left] == self.far[right]:  # The root finder stops at the nearer of both ends.
            share = float(too_strict[left] > -too_strict[right])
        rate, threshold = (
            float(values[left] + share * (values[right] - values[left]))
            for values in (self.far, self.thresholds)
        )
        return rate, threshold

    def hter(self, threshold: float) -> float:
        """At the corner whose threshold is nearest, instead of at the threshold."""
        at = int(np.abs(self.thresholds - threshold).argmin())
        return float((self.far[at] + self.frr[at]) / 2)

    def far_at(self, frr: float) -> float:
        """At the corner whose FRR is nearest, which may be above."""
        return float(self.far[np.abs(self.frr - frr).argmin()])

    def frr_at(self, far: float) -> float:
        """At the corner whose FAR is nearest, which may be above."""
        return float(self.frr[np.abs(self.far - far).argmin()])


def pooled(attacks: BySpecies) -> Scores:
    """All attacks in one."""
    return np.concatenate([*attacks.values()])


def grouped(attacks: BySpecies, groups: Mapping[str, str]) -> dict[str, Scores]:
    """The attacks of each group of species."""
    names = sorted({groups[name] for name in attacks})
    return {
        group: pooled({name: of for name, of in attacks.items() if groups[name] == group})
        for group in names
    }


class Sides:
    """The scores of one protocol, by way of a file of scores, and what gradgpad says of them."""

    def __init__(self, case: Mapping[str, Any], file: Path) -> None:
        with file.open("w", newline="", encoding="utf-8") as stream:
            writer = csv.writer(stream)
            writer.writerow(("label", "pai", "split", "score"))
            for side, name, score in case["lines"]:
                writer.writerow(("attack" if name else "bona_fide", name, side, repr(-score)))
        table = read_scores(file)
        self.dev, self.test = table.split("dev"), table.split("test")
        self.bona_fide, self.attacks = self.test.by_class()
        self.corners = Corners.of(self.bona_fide, pooled(self.attacks))
        self.eer, self.exact_threshold = case["eer"], -case["threshold"]
        # gradgpad's scores are single precision, and what they are compared with is rounded to it.
        self.threshold = float(np.float32(self.exact_threshold))
        self.hter = case["analysis"]["hter_fine_grained_pai"] / 100
        self.fine, self.coarse = (case["analysis"][f"{kind}_grained_pai"] for kind in KINDS)

    def as_gradgpad(self, attacks: BySpecies) -> Rates:
        """Rates where neither an attack at the threshold is an error nor bona fide there."""
        accepted = {name: float((of > self.threshold).mean()) for name, of in attacks.items()}
        return Rates(self.threshold, bpcer(self.bona_fide, self.threshold), accepted)

    def compared(self) -> Iterator[Compared]:
        """All numbers."""
        yield from self._equal_error()
        yield from self._at_threshold()
        yield from self._of_groups()
        yield from self._at_limits()

    def _equal_error(self) -> Iterator[Compared]:
        """How the threshold is found, and what it costs to find it as we do."""
        bona_fide, attacks = self.dev.by_class()
        rate, threshold = Corners.of(bona_fide, pooled(attacks)).eer()
        own_threshold, own_rate = eer_threshold(bona_fide, attacks, "pooled")
        yield Compared("EER of the dev side", self.eer, own_rate, rate)
        yield Compared("its threshold", self.exact_threshold, own_threshold, threshold)
        own = half_total_error(self.test, own_threshold)
        theirs = self.as_gradgpad({"all": pooled(self.attacks)}).acer
        yield Compared("weighted ACER at our EER", self.fine["wacer"] / 100, own, theirs)
        own_threshold = find_threshold(parse_rule("dev-eer"), self.test, self.dev)
        own = judge_table(self.test, own_threshold).acer
        yield Compared(
            "ACER at dev-eer", self.fine["acer"] / 100, own, self.as_gradgpad(self.attacks).acer
        )

    def _at_threshold(self) -> Iterator[Compared]:
        """Both at gradgpad's threshold."""
        ours, theirs = judge_table(self.test, self.threshold), self.as_gradgpad(self.attacks)
        yield Compared("BPCER", self.fine["bpcer"] / 100, ours.bpcer.rate, theirs.bpcer)
        reported = {name: rate / 100 for name, rate in self.fine["apcer_per_pai"].items()}
        own = {name: found.rate for name, found in ours.apcer_by_species.items()}
        assert own.keys() == reported.keys()
        for name, rate in reported.items():
            yield Compared("APCER of a species", rate, own[name], theirs.apcer_by_species[name])
        yield Compared("APCER of the worst", max(reported.values()), own[ours.worst], theirs.apcer)
        yield Compared("ACER", self.fine["acer"] / 100, ours.acer, theirs.acer)
        half = half_total_error(self.test, self.threshold)
        all_in_one = self.as_gradgpad({"all": pooled(self.attacks)}).acer
        yield Compared("weighted ACER", self.fine["wacer"] / 100, half, all_in_one)
        yield Compared("HTER", self.hter, half, self.corners.hter(self.exact_threshold))

    def _of_groups(self) -> Iterator[Compared]:
        """gradgpad numbers its groups 1 to 5, takes these for species, and groups them again."""
        groups = {name: name.partition("_")[0] for name in self.attacks}
        again = {"print": "print", "replay": "print", "mask": "print"}
        twice = {name: again.get(group, "replay") for name, group in groups.items()}
        ours = rates(self.bona_fide, grouped(self.attacks, groups), self.threshold)
        theirs = self.as_gradgpad(grouped(self.attacks, twice))
        assert theirs.apcer_by_species.keys() == self.coarse["apcer_per_pai"].keys()
        for name, rate in self.coarse["apcer_per_pai"].items():
            own = ours.apcer_by_species.get(name, math.nan)
            yield Compared("APCER of a group", rate / 100, own, theirs.apcer_by_species[name])
        yield Compared("ACER of groups", self.coarse["acer"] / 100, ours.acer, theirs.acer)

    def _at_limits(self) -> Iterator[Compared]:
        """One error where the other is 10 %, on the test side itself."""
        reported = self.fine["relative_working_points"]
        each = [Corners.of(self.bona_fide, of).far_at(LIMIT) for of in self.attacks.values()]
        rate = reported["apcer"]["bpcer_10"] / 100
        own = apcer_at_bpcer(self.bona_fide, self.attacks, LIMIT)[1]
        yield Compared("APCER at BPCER 10 %", rate, own, max(each))
        rate = reported["bpcer"]["apcer_10"] / 100
        own = bpcer_at_apcer(self.bona_fide, self.attacks, LIMIT)[1]
        yield Compared("BPCER at APCER 10 %", rate, own, self.corners.frr_at(LIMIT))


def cases(oracle: Path, only: str) -> Iterator[dict[str, Any]]:
    """What gradgpad reports, a protocol at a time."""
    command = [str(oracle), "-c", ORACLE, VERSION, str(LIMIT), only]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        yield from map(json.loads, process.stdout)
    if process.returncode:
        sys.exit(f"gradgpad {VERSION} did not run with {oracle}")


def main(arguments: Sequence[str] | None = None) -> None:
    """Compare, print both tables, judge."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("oracle", type=Path, help="the Python of an environment with gradgpad")
    parser.add_argument("--only", default="", help="protocols that have this in their name")
    options = parser.parse_args(arguments)
    found: dict[str, list[Compared]] = {}
    unexplained = []
    print("in %, gradgpad/ours, of", ", ".join(SHOWN), flush=True)
    with tempfile.TemporaryDirectory() as folder:
        for case in cases(options.oracle, options.only):
            numbers = [*Sides(case, Path(folder, "scores.csv")).compared()]
            shown = (each for what in SHOWN for each in numbers if each.what == what)
            pairs = (f"{100 * each.gradgpad:.2f}/{100 * each.ours:.2f}" for each in shown)
            print(f"{case['protocol']}:", *pairs, flush=True)
            for each in numbers:
                found.setdefault(each.what, []).append(each)
                if not each.differences()[1] < SAME:
                    unexplained.append(f"{case['protocol']}: {each}")
    if not found:
        sys.exit(f"no protocol has {options.only!r} in its name")
    print("number: how many, the same, largest difference in %; the same by gradgpad's convention")
    for what, numbers in found.items():
        ours, left = np.array([each.differences() for each in numbers]).T
        largest = np.max(ours, initial=0, where=~np.isnan(ours))
        same, explained = int((ours < SAME).sum()), int((left < SAME).sum())
        print(f"{what}: {len(numbers)}, {same}, {largest:.3f}; {explained}, {left.max():.1e}")
    if unexplained:
        sys.exit("\n".join(["no convention explains:", *unexplained]))


if __name__ == "__main__":
    main()
