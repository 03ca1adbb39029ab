"""How well a face must be filmed before anybody judges it: one list, each limit with its reason.

The numbers were set on 20 webcam clips of bona fide people (five of them; 455 looks, faces of 54 to
82 pixels, hands before faces) and on generated damage; none was fitted on attacks. A model's card
may carry its own. `tests/faces/test_webcam.py` holds the numbers below against the clips.
"""

from pydantic import BaseModel, ConfigDict, Field

__all__ = ["QualityLimits"]


class QualityLimits(BaseModel):
    """Limits on each frame, and on the clip as a whole."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", allow_inf_nan=False, validate_default=True
    )

    min_face_px: float = Field(48, ge=0)
    """FACE_TOO_SMALL. Shorter side of the face box. Below, the crop of 224 is enlarged more than
    3.6 times and holds nothing of a print's dots or a screen's pixels."""
    warn_face_px: float = Field(112, ge=1)
    """A warning below this: the crop of 224 is enlarged."""
    min_inside: float = Field(0.9, ge=0, le=1)
    """FACE_CUT_OFF. Share of the face box inside the frame."""
    min_brightness: float = Field(40, ge=0, le=255)
    """TOO_DARK. Mean luma of the face: below, noise is most of what there is."""
    max_brightness: float = Field(225, ge=0, le=255)
    """TOO_BRIGHT. Mean luma of the face."""
    max_saturated: float = Field(0.3, ge=0, le=1)
    """TOO_BRIGHT. Share of the face's pixels at 250 or more: they have lost their texture."""
    min_contrast: float = Field(12, ge=0)
    """LOW_CONTRAST. Standard deviation of the face's luma."""
    min_sharpness: float = Field(0.1, ge=0)
    """TOO_BLURRED. See `quality.measure`: 0.28 to 0.66 for webcams, 0.07 for a face of 107 pixels
    after a Gaussian blur of 2 pixels."""
    max_yaw_deg: float = Field(40, gt=0, le=180)
    """POSE. Turned to the side: beyond, one cheek hides the other."""
    max_pitch_deg: float = Field(40, gt=0, le=90)
    """POSE. Turned up or down."""
    max_roll_deg: float = Field(45, gt=0, le=180)
    """POSE. Tilted to a shoulder."""
    min_presence_logit: float = 12
    """OCCLUDED. What the mesh says of the face in view: 4 to 12 with a fist before the mouth, 12 to
    32 when all is seen, but for 2 of 446 looks with the head tilted far (9.8 and 11.3). A cover in
    the colour of the skin may reach 15."""

    min_other_area: float = Field(0.25, gt=0, le=1)
    """MULTIPLE_FACES. Another face counts from this share of the area of the one followed; smaller
    ones are bystanders."""
    max_other_share: float = Field(0.2, ge=0, le=1)
    """MULTIPLE_FACES. Share of the frames searched that may hold such another face."""
    max_lost_share: float = Field(0.25, ge=0, le=1)
    """FACE_LOST. Share of the frames from the face's first to the clip's end that may lack it."""
    min_likeness: float = Field(0.55, ge=-1, le=1)
    """FACE_CHANGED. Correlation of the face's detail before and after a moment: at least 0.62 for
    one person with hands before the face. Of 310 pairs of clips of two people half are below 0.63
    and 29 % below the limit; with the colour's limit, 58 % are noticed by the face alone."""
    max_colour_change: float = Field(2.5, ge=0)
    """FACE_CHANGED. Change of the face's mean colour, in units of Lab: at most 1.5 for one person,
    half of the pairs of two people are above 2.4 and 48 % above the limit."""
    max_scene_change: float = Field(11, ge=0)
    """FACE_CHANGED. Change of the whole picture between two looks, in grey levels: at most 7.1 in
    one go of a standing camera, at least 13.9 where clips of two people were joined, all 310 pairs.
    Two clips of one person before one camera may differ by as little as 2. A picture that moves all
    the time may change more: see `identity.changes`."""
    max_jumps: int = Field(0, ge=0)
    """FACE_CHANGED. How often a face may appear where the one before it was not."""
    min_motion: float = Field(0.15, ge=0)
    """STATIC_FRAMES. Mean change of the face's luma from one look to the next, in grey levels:
    below, the frames are copies of one picture."""
    max_static_share: float = Field(0.5, ge=0, le=1)
    """STATIC_FRAMES. Share of the changes that may be smaller than that."""

    @classmethod
    def off(cls) -> "QualityLimits":
        """Limits that no face fails, for research: a number that is none (NaN) still does.

        NO_FACE and TOO_FEW_FRAMES are no limits and stay.
        """
        return cls(
            min_face_px=0,
            min_inside=0,
            min_brightness=0,
            max_brightness=255,
            max_saturated=1,
            min_contrast=0,
            min_sharpness=0,
            max_yaw_deg=180,
            max_pitch_deg=90,
            max_roll_deg=180,
            min_presence_logit=-1e9,
            max_other_share=1,
            max_lost_share=1,
            min_likeness=-1,
            max_colour_change=361,  # From corner to corner of a and b.
            max_scene_change=255,
            max_jumps=10**9,
            min_motion=0,
            max_static_share=1,
        )
