"""Keeps frames until it is known which of them become clips, in bounded memory."""

from vivant.errors import InputError
from vivant.records import Frame

__all__ = ["FrameKeeper"]

_BUDGET_BYTES = 256 * 2**20
_MIN_GROUPS = 4  # As many clips as are scored, even of the largest frames.


class FrameKeeper:
    """Frames of a video by their position.

    As long as they fit, all are kept. Then groups of N in a row are kept, evenly spread: every
    second group, then every fourth, and so on. What is kept depends on the video alone and never on
    the machine, so that the same video gives the same score everywhere.

    Args:
        num_frames: N, the frames of a clip.
        budget_bytes: Pixels to keep; at least four groups are kept whatever their size.
    """

    def __init__(self, num_frames: int, budget_bytes: int = _BUDGET_BYTES) -> None:
        if num_frames < 1:
            raise InputError(f"expected at least one frame a clip, got {num_frames}")
        self._num_frames = num_frames
        self._budget_bytes = budget_bytes
        self._stride = 1
        self._frames: dict[int, Frame] = {}

    def add(self, position: int, frame: Frame) -> None:
        """Keep a frame, or not; positions ascend."""
        if not self._is_wanted(position):
            return
        self._frames[position] = frame
        allowed = max(
            self._budget_bytes // frame.pixels.nbytes, 2 * _MIN_GROUPS * self._num_frames - 1
        )
        if len(self._frames) > allowed:
            self._stride *= 2
            self._frames = {p: f for p, f in self._frames.items() if self._is_wanted(p)}

    def __contains__(self, position: int) -> bool:
        return position in self._frames

    def __getitem__(self, position: int) -> Frame:
        return self._frames[position]

    def _is_wanted(self, position: int) -> bool:
        return position // self._num_frames % self._stride == 0
