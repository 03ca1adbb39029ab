"""Makes a contact sheet of simulated attacks, to be looked at.

    python scripts/attack_sheet.py OUT.png [--draws 5] [--seed 0]

A row for bona fide and one for each PAI species, a column for each draw; below it cut-outs of the
faces, each pixel three by three, so that dots, pixels and moire can be judged.
"""

import argparse
import time
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
from jaxtyping import UInt8
from moving_portrait import (
    FRAME_RATE,
    HEIGHT,
    SEED,
    WIDTH,
    head_and_shoulders,
    move_head,
    room,
)

from vivant.attacks.camera import Camera, Filming, to_light
from vivant.attacks.ranges import draw
from vivant.attacks.simulate import simulate, species_by_name

FRAME = 24  # Which one is shown, of each clip.
SMALL = (320, 240)
CUT_PX, ENLARGED = 106, 3


def tile(
    pixels: UInt8[np.ndarray, "height width 3"],
) -> UInt8[np.ndarray, "rows columns 3"]:
    """A frame, smaller, and below it the middle of its face, larger."""
    small = cv2.resize(pixels, SMALL, interpolation=cv2.INTER_AREA)
    y, x = HEIGHT // 2 - 72, (WIDTH - CUT_PX) // 2
    cut = pixels[y : y + 72, x : x + CUT_PX]
    large = cv2.resize(cut, None, fx=ENLARGED, fy=ENLARGED, interpolation=cv2.INTER_NEAREST)
    large = cv2.copyMakeBorder(large, 0, 0, 0, SMALL[0] - large.shape[1], cv2.BORDER_CONSTANT)
    return np.asarray(np.vstack([small, large]), np.uint8)


def main(arguments: Sequence[str] | None = None) -> None:
    """Write the sheet."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("out", type=Path, help="a .png")
    parser.add_argument("--draws", type=int, default=5, help="columns")
    parser.add_argument("--seed", type=int, default=0, help="of the draws")
    options = parser.parse_args(arguments)
    moving, meshes = move_head(head_and_shoulders(), np.random.default_rng(SEED))
    moving, meshes = moving[: FRAME + 1], meshes[: FRAME + 1]
    columns: list[list[UInt8[np.ndarray, "rows columns 3"]]] = []
    for number in range(options.draws):
        generator = np.random.default_rng([options.seed, number])
        filming = Filming(draw(Camera, generator), generator)
        filmed = [filming.film(to_light(frame)) for frame in moving]
        tiles = [tile(filmed[-1])]
        for species in species_by_name():
            camera = draw(Camera, generator)
            made = simulate(
                species, filmed, meshes, [room(generator)], FRAME_RATE, camera, generator
            )
            started = time.perf_counter()
            frames = list(made.frames)
            took_ms = 1000 * (time.perf_counter() - started) / len(frames)
            tiles.append(tile(frames[-1]))
            shown = ", ".join(f"{name} {value}" for name, value in made.parameters.items())
            print(f"draw {number}, {species}, {took_ms:.0f} ms a frame: {shown}")
        columns.append(tiles)
    sheet = np.hstack([np.vstack(tiles) for tiles in columns])
    cv2.imwrite(str(options.out), cv2.cvtColor(sheet, cv2.COLOR_RGB2BGR))


if __name__ == "__main__":
    main()
