"""One page for people: it stands by itself, opens without a network, and shows no face unasked."""

import base64
import io
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import jinja2
import numpy as np
from jaxtyping import UInt8
from PIL import Image

from vivant.evaluation.figures import det_svg, histogram_svg
from vivant.evaluation.judging import MIN_PRESENTATIONS
from vivant.evaluation.scores import ScoreTable

__all__ = ["Section", "data_uri", "environment", "render_report"]

_NAMES = {"fused": "whole network", "advisor": "Advisor alone", "aam": "second module alone"}


@dataclass(frozen=True, slots=True)
class Section:
    """One score of one unit."""

    name: str
    """Whose score."""
    unit: str
    content: Mapping[str, Any]
    """Of `judging.measure`."""
    table: ScoreTable
    """What it was measured on."""


@dataclass(frozen=True, slots=True)
class Mistake:
    """A presentation on the wrong side of the threshold."""

    path: str
    kind: str
    score: float
    picture: UInt8[np.ndarray, "height width 3"] | None = None
    """RGB; None unless pictures were asked for."""


def environment() -> jinja2.Environment:
    """The templates of this package; what is not known is an error, and text is escaped."""
    return jinja2.Environment(
        loader=jinja2.PackageLoader("vivant.evaluation"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def render_report(
    title: str,
    facts: Sequence[tuple[str, str]],
    sections: Sequence[Section],
    *,
    notices: Sequence[str] = (),
    reasons: Mapping[str, Counter[str]] | None = None,
    worst: Sequence[Mistake] | None = None,
) -> str:
    """The page as HTML.

    Args:
        title: Of the page.
        facts: Names and values: model, data, the command.
        sections: The first is drawn, and its presentations without an answer are listed. Where
            there are several, they stand side by side too.
        notices: What nobody may overlook.
        reasons: Why there is no answer, by kind: `bona_fide` or a PAI species.
        worst: Errors to show; None: no such part.
    """
    shown = [_shown(section, is_drawn=number == 0) for number, section in enumerate(sections)]
    content = sections[0].content
    return (
        environment()
        .get_template("report.html")
        .render(
            title=title,
            notices=notices,
            facts=facts,
            side_by_side=shown if len(shown) > 1 else [],
            sections=shown,
            no_answer=_no_answer(content["rates"], reasons or {}),
            worst=worst if worst is None else [_mistake(each) for each in worst],
            min_presentations=MIN_PRESENTATIONS,
        )
    )


def find_mistakes(table: ScoreTable, threshold: float, most: int = 8) -> list[Mistake]:
    """Those farthest on the wrong side, bona fide and attacks in turn.

    Args:
        table: A line for each presentation, with a column `path`; those without have no name.
        threshold: Accepted from it on.
        most: Of each class.
    """
    scored = [
        (row.score, row.pai_species, row.columns.get("path", "?"))
        for row in table.rows
        if row.score is not None
    ]
    bona_fide = sorted((s, path) for s, kind, path in scored if kind is None and s < threshold)
    attacks = sorted(
        ((s, path, kind) for s, kind, path in scored if kind is not None and s >= threshold),
        key=lambda found: (-found[0], found[1]),
    )
    return [
        *(Mistake(path, "bona fide, rejected", score) for score, path in bona_fide[:most]),
        *(Mistake(path, f"{kind}, accepted", score) for score, path, kind in attacks[:most]),
    ]


def data_uri(picture: UInt8[np.ndarray, "height width 3"] | bytes) -> str:
    """A picture that needs no file beside the page.

    Args:
        picture: RGB, which becomes a JPEG; or a PNG file's content.
    """
    kind, content = "png", picture
    if isinstance(content, np.ndarray):
        file = io.BytesIO()
        Image.fromarray(content).save(file, "JPEG", quality=85)
        kind, content = "jpeg", file.getvalue()
    return f"data:image/{kind};base64,{base64.b64encode(content).decode()}"


def _shown(section: Section, *, is_drawn: bool) -> dict[str, Any]:
    threshold = section.content["convention"]["threshold"]
    name = _NAMES.get(section.name, section.name)
    shown = {
        "name": name,
        "unit": section.unit,
        "heading": f"{name}, by {section.unit}",
        "content": section.content,
        "det": None,
        "histogram": None,
    }
    if is_drawn:
        bona_fide, attacks = section.table.by_class()
        curves = {"worst species": (bona_fide, attacks)}
        curves |= {kind: (bona_fide, {kind: of}) for kind, of in attacks.items()}
        rates = section.content["rates"]
        points = [(rates["apcer_max"]["rate"], rates["bpcer"]["rate"])]
        shown |= {
            "det": det_svg(curves, points),
            "histogram": histogram_svg((bona_fide, attacks), threshold),
        }
    return shown


def _no_answer(
    rates: Mapping[str, Any], reasons: Mapping[str, Counter[str]]
) -> list[dict[str, Any]]:
    rejected = {"bona_fide": rates["as_rejected"]["bpcer"], **rates["as_rejected"]["apcer"]}
    return [
        {
            "kind": kind,
            **found,
            "as_rejected": rejected[kind]["rate"],
            "reasons": ", ".join(
                f"{code} {num}" for code, num in reasons.get(kind, Counter()).most_common()
            ),
        }
        for kind, found in rates["no_answer"].items()
        if found["missing"]
    ]


def _mistake(each: Mistake) -> dict[str, Any]:
    picture = None if each.picture is None else data_uri(each.picture)
    return {"path": each.path, "kind": each.kind, "score": each.score, "picture": picture}
