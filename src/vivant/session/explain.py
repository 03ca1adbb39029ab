"""One picture that shows a verdict: what the network saw, where it looked, what it made of it.

The boxes are those of the paper's Figures 1 and 5: white for the cells that the Advisor named,
orange for the patches that the learned offsets made of them.
"""

from collections.abc import Sequence
from textwrap import wrap

import cv2
import numpy as np
from jaxtyping import Float, UInt8
from PIL import Image, ImageDraw, ImageFont

from vivant.session.verdict import Decision, Verdict, WindowResult
from vivant.session.voting import NO_VOTE, in_words

__all__ = ["boxes_on_crop", "draw_patches", "draw_verdict", "draw_window"]

_TILE, _GAP, _LABEL = 224, 12, 26
_LEAST_COLUMNS = 5  # The heading needs their width.
_INK, _FAINT, _PAPER = (30, 32, 36), (110, 114, 122), (250, 250, 248)
_WHITE, _ORANGE, _ALARM = (255, 255, 255), (255, 140, 0), (190, 30, 30)
_COLOURS = {
    Decision.BONA_FIDE: (32, 122, 66),
    Decision.ATTACK: _ALARM,
    Decision.NO_DECISION: (150, 104, 12),
}
_TITLES = {
    Decision.BONA_FIDE: "BONA FIDE",
    Decision.ATTACK: "ATTACK",
    Decision.NO_DECISION: "NO DECISION",
}


def draw_verdict(verdict: Verdict, title: str) -> UInt8[np.ndarray, "height width 3"]:
    """A picture of a verdict, RGB: the window with the lowest score, in full.

    Args:
        verdict: From a session.
        title: What was checked, for the heading.
    """
    window = min(verdict.windows, key=lambda result: result.bona_fide_score, default=None)
    rows = [] if window is None else _rows(window)
    num_columns = max([_LEAST_COLUMNS, *(len(tiles) for _, tiles in rows)])
    width = num_columns * (_TILE + _GAP) + _GAP
    lines = _lines(verdict, window)
    poster = _poster(verdict)
    text_columns = (width - poster.width - 4 * _GAP) // 8
    body = [part for line in lines for part in wrap(line, text_columns, subsequent_indent="   ")]
    head_height = max(118 + 21 * len(body), poster.height + 90)
    height = head_height + len(rows) * (_TILE + _LABEL + _GAP) + _GAP
    sheet = Image.new("RGB", (width, height), _PAPER)
    pen = ImageDraw.Draw(sheet)
    pen.rectangle((0, 0, width, 62), fill=_COLOURS[verdict.decision])
    pen.text((_GAP, 12), _TITLES[verdict.decision], _WHITE, _font(34))
    pen.text((width - _GAP, 31), _fitted(title, 40), _WHITE, _font(20), anchor="rm")
    sheet.paste(poster, (width - poster.width - _GAP, 62 + _GAP))
    pen.text((_GAP, 74), _headline(verdict), _INK, _font(22))
    for number, line in enumerate(body):
        colour = _ALARM if "UNTRAINED" in line or "simulated" in line else _INK
        pen.text((_GAP, 110 + 21 * number), line, colour, _font(15))
    _paste(sheet, rows, head_height)
    return np.asarray(sheet)


def draw_window(window: WindowResult) -> UInt8[np.ndarray, "height width 3"]:
    """A picture of one clip, RGB: crops with their boxes, Grad-CAM, depth maps."""
    rows = _rows(window)
    width = len(window.crops) * (_TILE + _GAP) + _GAP
    sheet = Image.new("RGB", (width, len(rows) * (_TILE + _LABEL + _GAP) + _GAP), _PAPER)
    _paste(sheet, rows, _GAP)
    return np.asarray(sheet)


def draw_patches(window: WindowResult, *, is_blank: bool) -> UInt8[np.ndarray, "tile tile 3"]:
    """The newest crop that the second module saw, with its boxes; RGB, 224 pixels a side.

    Args:
        window: Of a network with that module.
        is_blank: Draw the boxes alone, on grey, and no face.
    """
    assert window.anchor_boxes is not None
    assert window.patch_boxes is not None
    crop = _scaled(window.crops[window.aam_frames[-1]])
    if is_blank:
        crop = np.full_like(crop, 128)
    boxes = (window.anchor_boxes[-1], window.patch_boxes[-1])
    return _boxed(crop, *(boxes_on_crop(each, window, _TILE) for each in boxes))


def _paste(
    sheet: Image.Image, rows: Sequence[tuple[str, list[UInt8[np.ndarray, "tile tile 3"]]]], y: int
) -> None:
    """Rows of tiles with their labels, from y on."""
    pen = ImageDraw.Draw(sheet)
    for label, tiles in rows:
        pen.text((_GAP, y), label, _FAINT, _font(15))
        for column, tile in enumerate(tiles):
            sheet.paste(Image.fromarray(tile), (_GAP + column * (_TILE + _GAP), y + _LABEL))
        y += _TILE + _LABEL + _GAP


def _headline(verdict: Verdict) -> str:
    if verdict.bona_fide_score is None:
        return "nothing was scored"
    score = f"bona fide score {verdict.bona_fide_score:.3f}"
    point = verdict.operating_point
    if point is None:
        return f"{score}, no threshold"
    return f"{score}, threshold {point.threshold:.3f} ({point.rule} on {point.data})"


def _lines(verdict: Verdict, window: WindowResult | None) -> list[str]:
    """What is said beside the pictures."""
    lines = [f"{reason.code}: {reason.message}" for reason in verdict.reasons]
    lines += [f"note: {caution.message}" for caution in verdict.cautions]
    width, height = verdict.frame_size
    lines.append(
        f"face on {verdict.num_faces} of {verdict.num_looks} frames looked at, {width}x{height}"
    )
    if window is not None:
        scores = ", ".join(
            f"{result.bona_fide_score:.3f} at {result.times_s[0]:.1f} s"
            + (" (padded)" if result.is_padded else "")
            for result in verdict.windows
        )
        lines.append(f"windows: {scores}; below: the lowest, {window.times_s[0]:.1f} s")
        if window.aam_score is not None:
            lines.append(
                f"in this window: Advisor {window.advisor_score:.3f}, "
                f"patches {window.aam_score:.3f}"
            )
        if window.patches_vote is False:
            lines.append(NO_VOTE)
        if window.map_share is not None:
            lines.append(in_words(window.map_share))
    model = verdict.model
    training = "UNTRAINED" if model.training is None else f"trained on {model.training.data}"
    lines.append(f"model {model.name} {model.sha256[:12]}, {training}, {model.runtime}")
    return lines


def _rows(window: WindowResult) -> list[tuple[str, list[UInt8[np.ndarray, "tile tile 3"]]]]:
    crops = [_scaled(crop) for crop in window.crops]
    times = ", ".join(f"{time_s:.2f}" for time_s in window.times_s)
    cams = _cam_tiles(crops, window.cam)
    map_label = "Grad-CAM of the Advisor: what drew it (bright)"
    if window.map_share is not None:
        map_label += f"; it covers {window.map_share:.0%} of what moves the logit"
    if window.anchor_boxes is None or window.patch_boxes is None:
        return [(f"the crops at {times} s", crops), (map_label, cams)]
    boxed = [crop.copy() for crop in crops]
    depths = [_blank_tile("not judged by this model") for _ in crops]
    for at, frame in enumerate(window.aam_frames):
        anchors = boxes_on_crop(window.anchor_boxes[at], window, _TILE)
        patches = boxes_on_crop(window.patch_boxes[at], window, _TILE)
        boxed[frame] = _boxed(boxed[frame], anchors, patches)
        if window.depth is not None:
            depths[frame] = _depth_tile(window.depth[at])
    no_vote = ", no vote" if window.patches_vote is False else ""
    orange = f"orange: patches judged{no_vote}"
    rows = [
        (f"the crops at {times} s; white: cells the Advisor named, {orange}", boxed),
        (map_label, cams),
    ]
    if window.depth is not None:
        label = "estimated depth of the patches, by number (bright is near; flat attacks stay dark)"
        rows.append((label + no_vote, depths))
    return rows


def _cam_tiles(
    crops: Sequence[UInt8[np.ndarray, "tile tile 3"]], cam: Float[np.ndarray, "n map map"]
) -> list[UInt8[np.ndarray, "tile tile 3"]]:
    """The maps over the crops, all to one scale."""
    largest = float(cam.max())
    tiles = []
    for crop, values in zip(crops, cam, strict=True):
        scaled = (255 * values / largest if largest > 0 else 0 * values).astype(np.uint8)
        smooth = cv2.resize(scaled, (_TILE, _TILE), interpolation=cv2.INTER_CUBIC)
        heat = cv2.cvtColor(cv2.applyColorMap(smooth, cv2.COLORMAP_INFERNO), cv2.COLOR_BGR2RGB)
        grey = cv2.cvtColor(cv2.cvtColor(crop, cv2.COLOR_RGB2GRAY), cv2.COLOR_GRAY2RGB)
        tiles.append(np.asarray(cv2.addWeighted(grey, 0.45, heat, 0.55, 0), np.uint8))
    return tiles


def _depth_tile(depth: Float[np.ndarray, "k d d"]) -> UInt8[np.ndarray, "tile tile 3"]:
    """The maps of one frame's patches side by side, numbered."""
    columns = int(np.ceil(np.sqrt(len(depth))))
    side = _TILE // columns
    tile = np.full((_TILE, _TILE, 3), 235, np.uint8)
    for number, values in enumerate(depth):
        row, column = divmod(number, columns)
        grey = (255 * values.clip(0, 1)).astype(np.uint8)
        large = cv2.resize(grey, (side - 2, side - 2), interpolation=cv2.INTER_NEAREST)
        y, x = row * side + 1, column * side + 1
        tile[y : y + side - 2, x : x + side - 2] = large[..., None]
    picture = Image.fromarray(tile)
    pen = ImageDraw.Draw(picture)
    for number in range(len(depth)):
        row, column = divmod(number, columns)
        _number(pen, (column * side + 4.0, row * side + 3.0), number)
    return np.asarray(picture)


def _blank_tile(text: str) -> UInt8[np.ndarray, "tile tile 3"]:
    tile = Image.new("RGB", (_TILE, _TILE), (235, 235, 233))
    ImageDraw.Draw(tile).text((_TILE // 2, _TILE // 2), text, _FAINT, _font(15), anchor="mm")
    return np.asarray(tile)


def _boxed(
    crop: UInt8[np.ndarray, "tile tile 3"],
    anchors: Float[np.ndarray, "k 4"],
    patches: Float[np.ndarray, "k 4"],
) -> UInt8[np.ndarray, "tile tile 3"]:
    picture = Image.fromarray(crop)
    pen = ImageDraw.Draw(picture)
    last = _TILE - 1
    # White is wider, so that it shows where a patch stayed on its cell.
    for boxes, colour, line in ((anchors, _WHITE, 4), (patches, _ORANGE, 2)):
        for box in boxes:
            x0, y0, x1, y1 = (round(min(max(float(edge), 0), last)) for edge in box)
            inset = 0 if colour == _WHITE else 1
            edges = (x0 + inset, y0 + inset, x1 - inset, y1 - inset)
            pen.rectangle(edges, outline=colour, width=line)
    for number, box in enumerate(patches):
        _number(pen, (float(box[0]) + 4, float(box[1]) + 3), number)
    return np.asarray(picture)


def _number(pen: ImageDraw.ImageDraw, place: tuple[float, float], number: int) -> None:
    pen.text(place, str(number + 1), _ORANGE, _font(14), stroke_width=2, stroke_fill=(0, 0, 0))


def _poster(verdict: Verdict) -> Image.Image:
    """The frame with its face box, small."""
    poster = Image.fromarray(verdict.poster)
    scale = min(320 / poster.width, 200 / poster.height)
    small = poster.resize(
        (max(1, round(poster.width * scale)), max(1, round(poster.height * scale)))
    )
    face = verdict.poster_face
    if face is not None:
        edges = [edge * scale for edge in (face.x0, face.y0, face.x1, face.y1)]
        ImageDraw.Draw(small).rectangle(edges, outline=_WHITE, width=2)
    return small


def boxes_on_crop(
    boxes: Float[np.ndarray, "k 4"], window: WindowResult, side_px: int
) -> Float[np.ndarray, "k 4"]:
    """Boxes of a window's frame in pixels of its crop, which they may leave.

    Args:
        boxes: x0 y0 x1 y1, in pixels of the frame.
        window: With the crop.
        side_px: Of the crop as it is shown.
    """
    crop = window.crop
    corner = np.array([crop.x, crop.y, crop.x, crop.y], dtype=np.float64)
    return np.asarray((boxes - corner) * (side_px / crop.side_px))


def _scaled(crop: UInt8[np.ndarray, "side side 3"]) -> UInt8[np.ndarray, "tile tile 3"]:
    if crop.shape[0] == _TILE:
        return crop
    return np.asarray(cv2.resize(crop, (_TILE, _TILE), interpolation=cv2.INTER_AREA), np.uint8)


def _fitted(text: str, longest: int) -> str:
    return text if len(text) <= longest else f"...{text[-longest + 3 :]}"


def _font(size: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    return ImageFont.load_default(size)
