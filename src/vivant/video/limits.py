"""What is read of a file that nobody vouches for. Each limit is named in its refusal."""

from pydantic import BaseModel, ConfigDict, Field

__all__ = ["VideoLimits"]

_FULL_HD = 1920 * 1080


class VideoLimits(BaseModel):
    """Limits on media, and on what decoding them may cost."""

    model_config = ConfigDict(frozen=True, extra="forbid", validate_default=True)

    max_bytes: int = Field(64 * 2**20, gt=0)
    """Size of a file: a minute of good 1080p."""
    min_side_px: int = Field(64, gt=0)
    """Sides of a frame: below this no face has 48 pixels."""
    max_side_px: int = Field(4096, gt=0)
    max_pixels: int = Field(4096 * 2304, gt=0)
    """Pixels of a frame: 4K cinema."""
    max_still_side_px: int = Field(8192, gt=0)
    """Sides of a still picture, whose cameras have more pixels than a video's."""
    max_still_pixels: int = Field(25_000_000, gt=0)
    """Pixels of a still picture: twice what phones take (decoding needs about 9 bytes a pixel)."""
    max_seconds: float = Field(60, gt=0)
    max_frames: int = Field(1800, gt=0)
    """Frames of a video, whatever their size: a minute at 30 a second."""
    max_total_pixels: int = Field(1800 * _FULL_HD, gt=0)
    """Frames times pixels: a minute of 1080p."""
    max_streams: int = Field(8, gt=0)
    """Tracks of a container."""
    max_boxes: int = Field(20_000, gt=0)
    """Boxes of an MP4 file."""
    max_box_depth: int = Field(16, gt=0)
    """How deep the boxes of an MP4 file may lie in one another."""
    max_samples: int = Field(200_000, gt=0)
    """Samples of a track other than the picture's: a minute of sound has 3,000."""
    min_corrupt_frames: int = Field(3, ge=0)
    """So many damaged frames are dropped without a word about the file ..."""
    max_corrupt_share: float = Field(0.25, ge=0, le=1)
    """... and more where they are no larger a share than this."""
    max_memory_bytes: int = Field(2**30, gt=0)
    """Address space of the process that decodes."""
    cpu_seconds: float = Field(5, gt=0)
    """Processor time of the process that decodes, before its first frame ..."""
    cpu_seconds_per_frame: float = Field(0.02, gt=0)
    """... and for each frame of 1080p, in proportion to its pixels (measured: 0.0064)."""
    max_silence_s: float = Field(20, gt=0)
    """How long to wait for the next frame of the process that decodes ..."""
    max_wait_s: float = Field(120, gt=0)
    """... and for all of them, not counting what is done with them meanwhile."""

    def cpu_budget_s(self, num_frames: int, num_pixels: int) -> float:
        """Processor time allowed for so many frames of so many pixels, in seconds."""
        return self.cpu_seconds + self.cpu_seconds_per_frame * num_frames * num_pixels / _FULL_HD
