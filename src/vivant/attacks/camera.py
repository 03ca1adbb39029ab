"""What a camera makes of light: lens, sensor, exposure. The same for bona fide and attack.

Light is linear, 0..1, 1 is the brightest that the camera records at gain 1; pixels are sRGB,
0..255.
"""

from dataclasses import dataclass
from functools import cache

import cv2
import numpy as np
from jaxtyping import Float32, UInt8

from vivant.attacks.light import Light
from vivant.attacks.ranges import ranged
from vivant.errors import InputError

__all__ = ["Camera", "Filming", "to_light", "to_pixels"]

_STEPS = 4095  # Light is brought to this many steps (12 bits) before its curve is looked up.
_GAINS = (0.25, 6.0)  # How far auto-exposure can go: a darker room stays dark.
_METERED = 8  # Auto-exposure looks at each 8th pixel.


@dataclass(frozen=True, slots=True)
class Camera:
    """A phone's front camera or a webcam."""

    defocus_px: float = ranged(0.4, 0.22, 0.8, log=True)
    """Standard deviation of the lens's blur, in pixels of the frame."""
    aperture: float = ranged(0.6, 0.5, 0.95)
    """Share of a pixel's width that gathers light, 0..1: the less, the more moire."""
    shot_noise: float = ranged(0.012, 0.008, 0.03, log=True)
    """Standard deviation of the noise that full light has by itself at gain 1, 0..1."""
    read_noise: float = ranged(0.002, 0.001, 0.005, log=True)
    """Standard deviation of the noise in the dark, 0..1 of full light."""
    gain: float = 1.0
    """By which the light is amplified before auto-exposure, noise and all; auto-exposure takes it
    back as far as it can."""
    exposure: float = ranged(0.2, 0.14, 0.27)
    """Mean light that auto-exposure wants, 0..1."""
    exposure_speed: float = ranged(0.08, 0.03, 0.25, log=True)
    """Share of what is missing that auto-exposure makes up for from one frame to the next, 0..1; 0
    is a camera whose exposure is fixed."""
    red: float = ranged(1.0, 0.9, 1.12)
    """What the white balance leaves of red, against green."""
    blue: float = ranged(1.0, 0.88, 1.12)
    """What it leaves of blue."""
    vignetting: float = ranged(0.15, 0.0, 0.35)
    """Share of the light that the corners lose, 0..1."""
    contrast: float = ranged(0.2, 0.0, 0.5)
    """Of the curve from light to pixels: 0 is sRGB, 1 a full S."""
    sharpening: float = ranged(0.3, 0.0, 0.8)
    """Of edges, after the colours are put together: 0 is none."""
    mosaic: bool = True
    """Whether each pixel sees one colour, through a Bayer filter; the others are made up."""
    crf: int = ranged(20, 16, 28)
    """Of the recording: `vivant.attacks.recording`; the higher, the more is thrown away."""

    def __post_init__(self) -> None:
        lens_and_light = (self.defocus_px, self.gain, self.exposure, self.red, self.blue)
        numbers = (*lens_and_light, self.shot_noise, self.read_noise, self.sharpening)
        shares = (self.exposure_speed, self.vignetting, self.contrast)
        if not (
            min(numbers) >= 0
            and np.isfinite(numbers).all()
            and 0 < self.aperture <= 1
            and all(0 <= share <= 1 for share in shares)
        ):
            raise InputError(
                "expected blur, noise, gain, exposure, colours and sharpening of at least 0, an "
                "aperture in 0..1 and speed, vignetting and contrast within it, got "
                f"{self}"
            )


class Filming:
    """A camera that is filming: it remembers its exposure from one frame to the next.

    Args:
        camera: What films.
        generator: Draws the noise.
        light: Of the room; without one it is even, white and of level 1. The dimmer, the more the
            camera has to amplify, and the noisier its frames.
    """

    def __init__(
        self, camera: Camera, generator: np.random.Generator, light: Light | None = None
    ) -> None:
        self.camera = camera
        self.light = light or Light()
        """Its level and colour fall on all that is seen; what shines by itself has to undo the
        colour."""
        self.exposure: float | None = None
        """What auto-exposure multiplies by; None before the first frame."""
        self._generator = generator
        self._curve = _tone_curve(camera.contrast)
        self._sites: Float32[np.ndarray, "height width *channels"] | None = None

    def film(
        self, light: Float32[np.ndarray, "height width 3"]
    ) -> UInt8[np.ndarray, "height width 3"]:
        """The next frame of a scene: `focus`, then `record`.

        Args:
            light: RGB, linear, 0..1.

        Returns:
            RGB, 0..255.
        """
        return self.record(self.focus(light))

    def focus(
        self, light: Float32[np.ndarray, "height width channels"]
    ) -> Float32[np.ndarray, "height width channels"]:
        """What the lens throws on the sensor: the scene, a little blurred."""
        if self.camera.defocus_px == 0:
            return light
        return np.asarray(cv2.GaussianBlur(light, (0, 0), self.camera.defocus_px), np.float32)

    def record(
        self, light: Float32[np.ndarray, "height width 3"]
    ) -> UInt8[np.ndarray, "height width 3"]:
        """What the sensor makes of the light on it: the next frame.

        The curve comes before the colours are put together and not after, as it would in a camera:
        a third of the work, for a difference below the noise.
        """
        camera = self.camera
        # What comes in has level 1: a dimmer room's light is amplified more, and its noise with it.
        gain = np.float32(camera.gain * self._meter(light))
        level = np.float32(self.light.level)
        caught = _through_bayer(light) if camera.mosaic else light
        sites = self._sensitivity(caught.shape)
        signal = caught * (sites * (gain * level))
        # Of a signal that is g times what the light gave, the light's own noise is g times too.
        spread = np.maximum(signal, 0)
        spread *= np.float32(camera.shot_noise**2) * gain
        spread += np.float32(camera.read_noise**2)
        np.sqrt(spread, out=spread)
        spread *= self._generator.standard_normal(signal.shape, np.float32)
        spread += signal
        levels = self._curve[_steps(spread)]
        if camera.mosaic:
            levels = np.asarray(cv2.cvtColor(levels, cv2.COLOR_BAYER_RGGB2RGB), np.uint8)
        if camera.sharpening == 0:
            return levels
        soft = cv2.GaussianBlur(levels, (5, 5), 1.0)
        amount = camera.sharpening
        return np.asarray(cv2.addWeighted(levels, 1 + amount, soft, -amount, 0), np.uint8)

    def _meter(self, light: Float32[np.ndarray, "height width 3"]) -> float:
        """What auto-exposure multiplies by; it has settled when the first frame is taken."""
        camera = self.camera
        if camera.exposure_speed == 0:
            return 1.0
        strength = camera.gain * self.light.level
        seen = float(np.clip(light[::_METERED, ::_METERED] * strength, 0, 1).mean())
        wanted = float(np.clip(camera.exposure / max(seen, 1e-6), *_GAINS))
        before = wanted if self.exposure is None else self.exposure
        self.exposure = before * (wanted / before) ** camera.exposure_speed
        return self.exposure

    def _sensitivity(self, shape: tuple[int, ...]) -> Float32[np.ndarray, "height width *channels"]:
        """What lens, the light's colour and white balance leave at each place of the sensor."""
        if self._sites is None or self._sites.shape != shape:
            height, width = shape[:2]
            y, x = np.mgrid[-1 : 1 : height * 1j, -1 : 1 : width * 1j]
            lens = (1 - self.camera.vignetting * (x * x + y * y) / 2)[..., None]
            red, blue = self.camera.red * self.light.red, self.camera.blue * self.light.blue
            colours = lens * np.array([red, 1.0, blue])
            colours = np.asarray(colours, np.float32)
            self._sites = _through_bayer(colours) if self.camera.mosaic else colours
        return self._sites


def to_light(
    pixels: UInt8[np.ndarray, "height width 3"],
) -> Float32[np.ndarray, "height width 3"]:
    """Linear light of sRGB pixels."""
    return np.asarray(cv2.LUT(pixels, _light_curve()), np.float32)


def to_pixels(
    light: Float32[np.ndarray, "height width 3"],
) -> UInt8[np.ndarray, "height width 3"]:
    """Pixels (sRGB) of linear light; what is beyond 0..1 is cut off."""
    return np.asarray(_tone_curve(0.0)[_steps(light)], np.uint8)


def _through_bayer(
    light: Float32[np.ndarray, "height width 3"],
) -> Float32[np.ndarray, "height width"]:
    """One colour of each pixel: red and green in one row, green and blue in the next."""
    seen = light[..., 1].copy()
    seen[::2, ::2] = light[::2, ::2, 0]
    seen[1::2, 1::2] = light[1::2, 1::2, 2]
    return seen


def _steps(
    light: Float32[np.ndarray, "height width *channels"],
) -> np.ndarray[tuple[int, ...], np.dtype[np.uint16]]:
    """The nearest step of the curves."""
    steps = light * np.float32(_STEPS)
    steps += np.float32(0.5)
    np.clip(steps, 0, _STEPS, out=steps)
    return steps.astype(np.uint16)


@cache
def _light_curve() -> Float32[np.ndarray, "256"]:
    """The sRGB curve (IEC 61966-2-1) from pixels to light."""
    value = np.arange(256) / 255
    light = np.where(value <= 0.04045, value / 12.92, ((value + 0.055) / 1.055) ** 2.4)
    return light.astype(np.float32)


@cache
def _tone_curve(contrast: float) -> UInt8[np.ndarray, "4096"]:
    """The sRGB curve from steps of light to pixels, bent to an S: darker dark, lighter light."""
    step = np.arange(_STEPS + 1) / _STEPS
    shown = np.where(step <= 0.0031308, step * 12.92, 1.055 * step ** (1 / 2.4) - 0.055)
    bent = (1 - contrast) * shown + contrast * shown**2 * (3 - 2 * shown)
    return np.asarray(np.rint(255 * bent), np.uint8)
