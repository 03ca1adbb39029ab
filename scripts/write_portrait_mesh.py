"""Writes the mesh of the portrait that synthetic people are made of, as FaceMesh sees it.

    python scripts/write_portrait_mesh.py

It goes to src/vivant/attacks/astronaut_mesh.csv; `tests/attacks/test_portrait.py` holds it against
the models again.
"""

from pathlib import Path

import numpy as np
from jaxtyping import Float, UInt8

from vivant.attacks import portrait
from vivant.faces.detectors.blazeface import blazeface
from vivant.faces.mesh import FaceMesh, region_of_box, region_of_points

OUT = Path(portrait.__file__).with_name("astronaut_mesh.csv")


def fit(pixels: UInt8[np.ndarray, "height width 3"]) -> Float[np.ndarray, "468 3"]:
    """The mesh after it has settled."""
    found = blazeface().detect(pixels)[0]
    model = FaceMesh()
    mesh = model.fit(pixels, region_of_box(found.box, found.eyes))
    for _ in range(5):
        mesh = model.fit(pixels, region_of_points(mesh.points))
    return mesh.points


def main() -> None:
    """Write the file."""
    pixels = portrait.cut()
    both = np.hstack([fit(pixels), fit(np.ascontiguousarray(pixels[:, ::-1]))])
    lines = ["x,y,z,mirrored_x,mirrored_y,mirrored_z"]
    lines += [",".join(f"{value:.2f}" for value in row) for row in both]
    OUT.write_text("\n".join(lines) + "\n")
    print(f"{OUT}: {len(both)} points")


if __name__ == "__main__":
    main()
