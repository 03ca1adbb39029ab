"""From draws to batches: reads, decodes and stacks clips, in processes of its own if asked for."""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import NamedTuple

import cv2
import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from vivant.errors import DataError, TrainingError
from vivant.geometry.crop import CROP_SCALE
from vivant.preparation.clips import ClipStore, PreparedClip, RawClip, decode
from vivant.preparation.place import Place
from vivant.training.draws import Augmentation, Draw
from vivant.training.rendering import render

__all__ = ["Batch", "ClipReader", "deaths_told", "load_batches"]

# Axes: b clips, n frames of a clip.


class Batch(NamedTuple):
    """Clips for one micro-batch, on whatever device. Images are as they were filmed."""

    crops: Tensor
    """uint8, (b, n, side, side, 3), RGB, 0..255."""
    depth: Tensor
    """uint8, (b, n, 224, 224): 0 far and background, 255 nearest; all 0 of an attack."""
    has_depth: Tensor
    """bool, (b, n): whether the depth is known."""
    labels: Tensor
    """int64, (b,), `Label` of each clip."""
    flips: Tensor
    """bool, (b,): which are to be mirrored."""
    colours: Tensor
    """float32, (b, 3): to be added to red, green, blue in 0..1."""
    gammas: Tensor
    """float32, (b,): exponents."""
    holes: Tensor
    """float32, (b, 2, 4): x0 y0 x1 y1 in 0..1 of the crop, of what is erased."""
    keys: Tensor
    """int64, (b,): `Draw.key`."""
    context: Tensor | None = None
    """uint8, (b, n, 160, 160, 3): the wider crops, where the network sees them."""


class ClipReader(Dataset[Batch]):
    """Reads batches. Each process opens the store for itself: Lance and fork do not go together.

    Args:
        folder: The store.
        num_frames: N, the frames of a clip.
        side_px: Of the crops.
        depth_side_px: Of the depth maps.
        context_scale: Side of the wider crops as a multiple of the face's longer side; None: there
            are none.
    """

    def __init__(
        self,
        folder: Place,
        num_frames: int,
        side_px: int,
        depth_side_px: int,
        context_scale: float | None = None,
    ) -> None:
        self._folder = folder
        self._context_scale = context_scale
        self._num_frames = num_frames
        self._side_px = side_px
        self._depth_side_px = depth_side_px
        self._store: ClipStore | None = None

    def __getstate__(self) -> dict[str, object]:
        return self.__dict__ | {"_store": None}

    def __getitem__(self, draws: Sequence[Draw]) -> Batch:
        """One micro-batch.

        Raises:
            DataError: a stored picture is damaged.
        """
        if self._store is None:
            self._store = ClipStore(self._folder, self._num_frames)
        raw = self._store.read([draw.window for draw in draws])
        others = [draw.background for draw in draws if draw.background is not None]
        behind = iter(self._store.read(others))
        clips = [
            self._decode(clip, draw, None if draw.background is None else next(behind))
            for clip, draw in zip(raw, draws, strict=True)
        ]
        depth = np.stack([clip.depth for clip in clips])
        wide = [clip.context for clip in clips if clip.context is not None]
        if self._side_px != self._depth_side_px:
            depth = _shrunk(depth, self._depth_side_px)
        augmentations = [draw.augmentation for draw in draws]
        return Batch(
            torch.from_numpy(np.stack([clip.crops for clip in clips])),
            torch.from_numpy(depth),
            torch.from_numpy(np.stack([clip.has_depth for clip in clips])),
            torch.tensor([int(draw.label) for draw in draws]),
            torch.tensor([each.is_flipped for each in augmentations]),
            torch.tensor([each.colour for each in augmentations]),
            torch.tensor([each.gamma for each in augmentations]),
            torch.tensor([_holes(each) for each in augmentations]),
            torch.tensor([draw.key for draw in draws]),
            None if not wide else torch.from_numpy(np.stack(wide)),
        )

    def _decode(self, clip: RawClip, draw: Draw, background: RawClip | None) -> PreparedClip:
        how = draw.augmentation
        # Jitter is one of the camera's place: both crops of a frame have it.
        wider = self._context_scale and self._context_scale * how.scale / CROP_SCALE
        if draw.species is None and not how.camera and how.shift == (0.0, 0.0):
            return decode(clip, how.scale, self._side_px, context_scale=wider)
        return render(
            clip, how.scale, self._side_px, wider, species=draw.species, background=background,
            shift=how.shift, camera=how.camera, seed=draw.seed, ranges=draw.ranges,
        )  # fmt: skip


def load_batches(
    reader: ClipReader, micro_batches: Iterable[Sequence[Draw]], num_workers: int
) -> Iterator[Batch]:
    """The micro-batches in their order, read ahead.

    Args:
        reader: Of the store.
        micro_batches: Draws of each; may be many: it is taken as needed.
        num_workers: Processes; 0 reads in this one.

    Raises:
        DataError: a stored picture is damaged.
        TrainingError: a process died.
    """
    loader: DataLoader[Batch | DataError] = DataLoader(
        _Telling(reader),
        sampler=micro_batches,
        batch_size=None,
        num_workers=num_workers,
        multiprocessing_context="spawn" if num_workers else None,
        worker_init_fn=_use_one_thread if num_workers else None,
        pin_memory=torch.cuda.is_available(),
        # The loader draws a number for its processes: not from the generator that dropout uses, or
        # a training that goes on would not have the bits of one that was never stopped.
        generator=torch.Generator(),
    )
    with deaths_told():
        for found in loader:
            if isinstance(found, DataError):
                raise found
            yield found


@contextmanager
def deaths_told() -> Iterator[None]:
    """Within, the death of a process that reads is a TrainingError, wherever it is noticed.

    torch raises it out of a signal: in the middle of whatever the main thread does. A batch that
    was under way then ends as a broken connection.

    Raises:
        TrainingError: a process died.
    """
    try:
        yield
    except (RuntimeError, ConnectionError, EOFError) as error:
        if isinstance(error, RuntimeError) and "DataLoader worker (pid" not in str(error):
            raise
        raise TrainingError(
            "a process that reads clips died: killed from outside, or out of memory. Go on with "
            "--resume, perhaps with --set data.num_workers=0"
        ) from error


class _Telling(Dataset[Batch | DataError]):
    """Gives an error back: one that is raised comes out of a process as a long traceback."""

    def __init__(self, reader: ClipReader) -> None:
        self._reader = reader

    def __getitem__(self, draws: Sequence[Draw]) -> Batch | DataError:
        try:
            return self._reader[draws]
        except DataError as error:
            return error


def _holes(augmentation: Augmentation) -> list[tuple[float, float, float, float]]:
    return [augmentation.erased, augmentation.cut_out]


def _shrunk(depth: np.ndarray, side_px: int) -> np.ndarray:
    num_clips, num_frames = depth.shape[:2]
    size = (side_px, side_px)
    maps = [cv2.resize(each, size, interpolation=cv2.INTER_AREA) for clip in depth for each in clip]
    return np.stack(maps).reshape(num_clips, num_frames, side_px, side_px)


def _use_one_thread(worker: int) -> None:
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
