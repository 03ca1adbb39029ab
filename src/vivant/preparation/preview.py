"""A sheet of what the network will see: stored squares, their meshes and their depth maps."""

from collections.abc import Sequence
from dataclasses import dataclass
from io import BytesIO
from typing import Any

import cv2
import numpy as np
from jaxtyping import Float, UInt8
from PIL import Image, ImageDraw, ImageFont

from vivant.errors import DataError
from vivant.preparation.index import FrameIndex
from vivant.preparation.store import Store

__all__ = ["preview_sheet"]

_SIDE = 168  # Of each picture, in pixels.
_GAP = 6
_CAPTION = 46
_COLUMNS = 4  # Frames beside each other.
_PAPER, _INK, _GREY = (250, 250, 248), (20, 20, 20), (110, 110, 110)
_MESH = (0, 220, 160)


@dataclass(frozen=True, slots=True, eq=False)
class _Tile:
    crop: UInt8[np.ndarray, "side side 3"]
    landmarks: Float[np.ndarray, "468 2"]
    depth: UInt8[np.ndarray, "depth_side depth_side"] | None
    title: str
    lines: tuple[str, ...]


def preview_sheet(
    store: Store, num_frames: int, seed: int, species: Sequence[str] = ()
) -> UInt8[np.ndarray, "height width 3"]:
    """Random frames of a store, as many of each kind as of the others.

    Each has the stored square, the same with its mesh, and its depth map; an attack has none, for
    its depth is 0 everywhere by definition.

    Args:
        store: Prepared.
        num_frames: How many.
        seed: Of the choice.
        species: Only these: PAI species, or `bona_fide`; none named: all.

    Raises:
        DataError: there is no such frame.
    """
    rows = {row["id"]: row for row in store.presentations() if row["num_frames"]}
    kinds: dict[str, list[int]] = {}
    index = FrameIndex.read(store)
    for place, owner in enumerate(index.presentation.tolist()):
        if owner in rows:
            kinds.setdefault(rows[owner]["pai_species"] or "bona_fide", []).append(place)
    wanted = {kind: places for kind, places in kinds.items() if not species or kind in species}
    missing = [kind for kind in species if kind not in kinds]
    if missing or not wanted:
        raise DataError(
            f"{store.folder} has no frames of {', '.join(missing) or 'any kind'}; it has "
            f"{', '.join(sorted(kinds)) or 'none at all'}"
        )
    places = _choose(wanted, num_frames, np.random.default_rng(seed))
    columns = ["crop", "depth", "landmarks", "face_px", "faults"]
    table = store.frames().take(places, columns=columns).to_pylist()
    tiles = [
        _tile(frame, rows[int(index.presentation[place])], index.time_s[place])
        for place, frame in zip(places, table, strict=True)
    ]
    return _drawn(tiles)


def _choose(
    kinds: dict[str, list[int]], num_frames: int, generator: np.random.Generator
) -> list[int]:
    """Frames of each kind in turn."""
    shuffled = {kind: generator.permutation(kinds[kind]).tolist() for kind in sorted(kinds)}
    chosen: list[int] = []
    while len(chosen) < num_frames and any(shuffled.values()):
        for places in shuffled.values():
            if places and len(chosen) < num_frames:
                chosen.append(places.pop())
    return chosen


def _tile(frame: dict[str, Any], row: dict[str, Any], time_s: float) -> _Tile:
    crop = np.asarray(Image.open(BytesIO(frame["crop"])), np.uint8)
    depth = None
    if frame["depth"] is not None:
        depth = np.asarray(Image.open(BytesIO(frame["depth"])), np.uint8)
    kind = row["pai_species"] or "bona fide"
    side = "" if row["split"] is None else f", {row['split']}"
    found = ", ".join(frame["faults"])
    return _Tile(
        crop,
        np.array(frame["landmarks"]).reshape(-1, 3)[:, :2],
        depth,
        f"{kind}{side}",
        (
            f"{row['path']} at {time_s:.1f} s",
            f"face {frame['face_px']:.0f} px, stored {len(crop)} px"
            + (f", {found}" if found else ""),
        ),
    )


def _drawn(tiles: Sequence[_Tile]) -> UInt8[np.ndarray, "height width 3"]:
    columns = min(_COLUMNS, len(tiles))
    wide, high = 3 * _SIDE + 4 * _GAP, _SIDE + _CAPTION + 2 * _GAP
    num_rows = -(-len(tiles) // columns)
    sheet = Image.new("RGB", (columns * wide, num_rows * high), _PAPER)
    pen = ImageDraw.Draw(sheet)
    title, text = (ImageFont.load_default(size=size) for size in (14, 11))
    for number, tile in enumerate(tiles):
        x, y = number % columns * wide + _GAP, number // columns * high + _GAP
        for at, picture in enumerate((tile.crop, _with_mesh(tile), _depth_picture(tile))):
            sheet.paste(Image.fromarray(_sized(picture)), (x + at * (_SIDE + _GAP), y))
        pen.text((x, y + _SIDE + 2), tile.title, _INK, title)
        for at, line in enumerate(tile.lines):
            pen.text((x, y + _SIDE + 18 + 13 * at), _shortened(line, text, wide), _GREY, text)
    return np.asarray(sheet, np.uint8)


def _with_mesh(tile: _Tile) -> UInt8[np.ndarray, "side side 3"]:
    picture = _sized(tile.crop).copy()
    scale = _SIDE / len(tile.crop)
    for x, y in np.rint(scale * tile.landmarks - 0.5).astype(int).tolist():
        cv2.circle(picture, (x, y), 1, _MESH, -1)
    return picture


def _depth_picture(tile: _Tile) -> UInt8[np.ndarray, "side side 3"]:
    if tile.depth is None:
        return np.zeros((_SIDE, _SIDE, 3), np.uint8)
    return np.repeat(_sized(tile.depth)[..., None], 3, axis=2)


def _sized(picture: UInt8[np.ndarray, "side side *channels"]) -> UInt8[np.ndarray, "..."]:
    shrinks = len(picture) > _SIDE
    interpolation = cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR
    return np.asarray(cv2.resize(picture, (_SIDE, _SIDE), interpolation=interpolation), np.uint8)


def _shortened(line: str, font: Any, width_px: int) -> str:
    """The line as far as it fits: the end of a path says more than its beginning."""
    if font.getlength(line) <= width_px - 2 * _GAP:
        return line
    while font.getlength("..." + line) > width_px - 2 * _GAP:
        line = line[1:]
    return "..." + line
