"""How a command names a protocol of a store: `oulu-npu:1`."""

import re
from collections.abc import Sequence

from vivant.datasets.dataset import DataSet, Splits, by_split, check_apart
from vivant.datasets.subjects import parse_shares, split_by_subject
from vivant.errors import DataError
from vivant.plugins import find
from vivant.records import Presentation

__all__: list[str] = []

_NAME = re.compile(r"(?P<dataset>[A-Za-z][A-Za-z0-9_-]*)(?::(?P<protocol>\S+))?")


def parse_protocol(text: str) -> tuple[str, str]:
    """The data set and the protocol that a command's `--protocol` names.

    Args:
        text: The data set, with hyphens or underscores, and its protocol after a colon, or
            `subject:` with the shares of the subjects; without either, the sides are those of the
            data set's own folders.

    Raises:
        DataError: it is not of this form.

    >>> parse_protocol("oulu-npu:1"), parse_protocol("folder")
    (('oulu_npu', '1'), ('folder', ''))
    """
    found = _NAME.fullmatch(text)
    if found is None:
        raise DataError(
            f"expected DATA_SET:PROTOCOL, such as oulu-npu:1, or DATA_SET alone, got {text!r}"
        )
    return found["dataset"].replace("-", "_"), found["protocol"] or ""


def divide(dataset: str, presentations: Sequence[Presentation], protocol: str) -> Splits:
    """Divide what a store holds by a protocol of its data set.

    Args:
        dataset: Of the store, as its manifest names it.
        presentations: Of the store.
        protocol: For `parse_protocol`.

    Raises:
        DataError: the protocol is another data set's, no presentation has a side of its own where
            no protocol is named, or a subject or a file is on two sides.
        UnknownNameError: the data set has no such protocol, or is not known here.
    """
    name, rule = parse_protocol(protocol)
    if name != dataset:
        raise DataError(
            f"expected a protocol of {dataset}, from which the store was prepared, got "
            f"{protocol!r}: `vivant data list` names them"
        )
    found: DataSet = find("vivant.datasets", name, "data set")()
    if rule.startswith("subject:"):
        return split_by_subject(presentations, parse_shares(rule), seed=0)
    if rule:
        return found.split(presentations, rule)
    if not any(row.split for row in presentations):
        word = name.replace("_", "-")
        known = [f"{word}:{each}" for each in (*found.protocols, "subject:0.6/0.2/0.2")]
        raise DataError(
            "expected presentations with sides of their own, found none: use a protocol "
            f"({', '.join(known)})"
        )
    splits = by_split(presentations)
    shared = any(each.shares_subjects for each in found.protocols.values())
    check_apart(splits, subjects=not shared)
    return splits
