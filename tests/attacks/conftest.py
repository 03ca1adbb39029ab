"""A face with its mesh: the astronaut of scikit-image, in the public domain."""

from dataclasses import dataclass

import cv2
import numpy as np
import pytest
from skimage import data

from vivant.attacks.motion import MovingHead
from vivant.faces.detectors.blazeface import blazeface
from vivant.faces.mesh import FaceMesh, region_of_box


@dataclass(frozen=True)
class Portrait:
    """A picture with the mesh of its face, about 130 pixels wide."""

    pixels: np.ndarray
    points: np.ndarray


@pytest.fixture(scope="session")
def portrait() -> Portrait:
    cut = data.astronaut()[0:256, 98:354]
    pixels = cv2.resize(cut, (320, 320), interpolation=cv2.INTER_CUBIC)
    found = blazeface().detect(pixels)[0]
    return Portrait(pixels, FaceMesh().fit(pixels, region_of_box(found.box, found.eyes)).points)


@pytest.fixture(scope="session")
def head(portrait: Portrait) -> MovingHead:
    return MovingHead(portrait.pixels, portrait.points)
