"""How points of one frame are found again on another, and how far that is from one homography."""

import cv2
import numpy as np


def follow(before: np.ndarray, after: np.ndarray, points: np.ndarray) -> np.ndarray:
    """Where points of a frame are on the next (Lucas and Kanade), NaN where they were lost."""
    grey = [cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY) for frame in (before, after)]
    start = points.astype(np.float32).reshape(-1, 1, 2)
    there, is_there, _ = cv2.calcOpticalFlowPyrLK(*grey, start, None, winSize=(15, 15))
    back, is_back, _ = cv2.calcOpticalFlowPyrLK(*grey[::-1], there, None, winSize=(15, 15))
    good = (is_there & is_back).astype(bool)[:, 0]
    good &= np.linalg.norm(back - start, axis=-1)[:, 0] < 0.3
    return np.where(good[:, None], there[:, 0], np.nan)


def off_plane_px(before: np.ndarray, after: np.ndarray) -> float:
    """Root mean square distance of points from the homography that fits them best."""
    good = np.isfinite(after).all(axis=1)
    assert good.sum() >= 30, f"only {good.sum()} points were followed"
    before, after = before[good], after[good]
    plane, _ = cv2.findHomography(before, after, 0)
    fitted = cv2.perspectiveTransform(before[None].astype(np.float64), plane)[0]
    return float(np.sqrt(((fitted - after) ** 2).sum(axis=1).mean()))
