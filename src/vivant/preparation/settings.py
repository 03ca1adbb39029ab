"""What preparation does to a presentation: one record, stored beside what it made."""

from pydantic import BaseModel, ConfigDict, Field

from vivant.faces.limits import QualityLimits
from vivant.video.limits import VideoLimits
from vivant.video.series import Series

__all__ = ["PreparationSettings"]


def _of_own_data() -> VideoLimits:
    """Limits for files that came from a data set's owner: longer, and still bounded."""
    return VideoLimits(
        max_bytes=2**30,
        max_seconds=600,
        max_frames=36_000,
        max_total_pixels=36_000 * 1920 * 1080,
        max_memory_bytes=4 * 2**30,
        max_wait_s=1800,
    )


class PreparationSettings(BaseModel):
    """Settings that change what is stored: with others, it is another store."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", allow_inf_nan=False, validate_default=True
    )

    interval_s: float = Field(0.1, gt=0)
    """Time between two frames of a clip, in seconds (D24)."""
    margin: float = Field(1.75, ge=1)
    """Side of the stored square as a multiple of the face's longer side: training jitters the crop
    between 1.2 and 1.5 of it (D21), and a head moves within a clip, whose crop stands still."""
    face_px: float = Field(172, ge=16)
    """Pixels of the face's longer side that are kept at least: 224 / 1.3, so that the usual crop is
    never enlarged from a smaller one. Smaller faces are stored as they were filmed."""
    jpeg_quality: int = Field(95, ge=1, le=100)
    """Of the stored squares: 95 is off by a grey level where the camera's noise is 4."""
    max_frames: int | None = Field(None, ge=1)
    """Frames to store of a presentation at most, in groups of five; None: all."""
    picture_rate: float = Field(30, gt=0)
    """Frames in a second, of folders of pictures, which do not say it."""
    series: Series = Series.EVEN
    """What is known of when the pictures of a folder were taken."""
    close_faces: bool = False
    """Whether faces that fill the frame are looked for too, as web portraits have them. A session
    does not find those."""
    depth_maps: bool = False
    """Whether depth is read from maps of the user's, instead of the face's mesh."""
    video_limits: VideoLimits = Field(default_factory=_of_own_data)
    """What is read of files."""
    quality_limits: QualityLimits = QualityLimits()
    """What is marked as a fault; frames with faults are stored all the same."""
