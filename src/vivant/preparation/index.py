"""What is known of every stored frame without reading a picture: a few numbers each, in memory."""

from dataclasses import dataclass

import numpy as np
import pyarrow.compute as pc
from jaxtyping import Bool, Float, Int

from vivant.geometry.boxes import median_box
from vivant.geometry.crop import CropBox, crop_box
from vivant.preparation.square import Square
from vivant.preparation.store import Store
from vivant.records import FaceBox

__all__ = ["FrameIndex", "place_crop"]

_COLUMNS = ["presentation", "position", "number", "time_s", "square", "quarters", "face", "faults"]


@dataclass(frozen=True, slots=True, eq=False)
class FrameIndex:
    """Of each row of the table `frames`, by its place there."""

    presentation: Int[np.ndarray, " rows"]
    position: Int[np.ndarray, " rows"]
    number: Int[np.ndarray, " rows"]
    """Of the file's frames; the position where nobody counted."""
    time_s: Float[np.ndarray, " rows"]
    squares: Int[np.ndarray, "rows 3"]
    quarters: Int[np.ndarray, " rows"]
    faces: Float[np.ndarray, "rows 4"]
    is_usable: Bool[np.ndarray, " rows"]
    """Whether the frame has no fault."""

    @classmethod
    def read(cls, store: Store) -> "FrameIndex":
        """Read the light columns of a store."""
        table = store.frames().to_table(columns=_COLUMNS)
        position = table["position"].to_numpy()
        number = pc.coalesce(table["number"], table["position"]).to_numpy()
        return cls(
            table["presentation"].to_numpy(),
            position,
            number,
            table["time_s"].to_numpy(),
            _flat(table["square"]).reshape(-1, 3),
            table["quarters"].to_numpy(),
            _flat(table["face"]).reshape(-1, 4),
            pc.list_value_length(table["faults"]).to_numpy() == 0,
        )

    def places(self) -> dict[int, Int[np.ndarray, " frames"]]:
        """The rows of each presentation, in the order of time."""
        order = np.lexsort((self.position, self.presentation))
        ids, starts = np.unique(self.presentation[order], return_index=True)
        parts = np.split(order, starts[1:]) if len(ids) else []
        return {int(number): part for number, part in zip(ids, parts, strict=True)}

    def square(self, place: int) -> Square:
        """The square of a row."""
        x, y, side = (int(edge) for edge in self.squares[place])
        return Square(CropBox(x, y, side), int(self.quarters[place]))

    def face(self, window: tuple[int, ...]) -> FaceBox:
        """The one box of a clip."""
        boxes = [FaceBox(*(float(edge) for edge in self.faces[place])) for place in window]
        return median_box(boxes)


def place_crop(
    face: FaceBox, squares: tuple[Square, ...], frame_size: tuple[int, int], scale: float
) -> CropBox | None:
    """Where to cut a clip: as `geometry.crop_box`, within what is stored of all of its frames.

    Args:
        face: Of the clip.
        squares: Of its frames.
        frame_size: (width, height) in pixels.
        scale: Side of the crop as a multiple of the face's longer side.

    Returns:
        In pixels of the frame; None where the face moves so far that it is not in all squares.
    """
    x0, y0 = max(each.box.x for each in squares), max(each.box.y for each in squares)
    x1 = min(each.box.x + each.box.side_px for each in squares)
    y1 = min(each.box.y + each.box.side_px for each in squares)
    wanted = crop_box(face, *frame_size, scale)
    side = min(wanted.side_px, x1 - x0, y1 - y0)
    if side <= 0:
        return None
    x, y = min(max(wanted.x, x0), x1 - side), min(max(wanted.y, y0), y1 - side)
    return CropBox(x, y, side)


def _flat(column: object) -> np.ndarray:
    return np.asarray(pc.list_flatten(column).to_numpy())
