"""A network that answers what a test wants, and the cards that go with it."""

from collections.abc import Mapping

import numpy as np

from builders import small_config
from vivant.networks.card import (
    ModelCard,
    OperatingPoint,
    Preprocessing,
    TrainingRecord,
    WeightsFile,
)
from vivant.networks.config import AamConfig, NetworkConfig
from vivant.records import Scores
from vivant.runtimes.runner import check_clips

TRAINED = TrainingRecord(data="made-up:1", is_synthetic=False, pai_species=("print",))
POINT = OperatingPoint(threshold=0.5, rule="dev-eer", data="made-up:1 dev")


def card(
    training: TrainingRecord | None = TRAINED,
    point: OperatingPoint | None = POINT,
    architecture: NetworkConfig | None = None,
    **fields: object,
) -> ModelCard:
    return ModelCard(
        model="made_up",
        architecture=architecture or small_config(),
        preprocessing=Preprocessing(
            crop_side_px=224,
            context_scale=2.0 if architecture and architecture.advisor.context else None,
            mean_rgb=(0.5, 0.5, 0.5),
            std_rgb=(0.5, 0.5, 0.5),
        ),
        training=training,
        operating_point=point,
        versions={},
        weights=WeightsFile(file_name="made_up.onnx", format="onnx", sha256="0" * 64),
        **fields,
    )


class MadeUpRunner:
    """Answers with given scores, one a clip, and patches on cells 5, 6, 9 and 10 of the card's
    grid, moved by (8, 4) pixels of the crop. With a frames head, its parts add 1, -2, 3, -4 ..."""

    def __init__(self, scores: float | list[float] = 0.9, card_: ModelCard | None = None) -> None:
        self.card = card_ or card()
        self.runtime = "onnx"
        self.scores = scores
        self.clips: list[np.ndarray] = []
        self.encoded = self.executed = 0

    def run(self, clips: np.ndarray, context: np.ndarray | None = None) -> Scores:
        check_clips(self.card, clips, context)
        self.clips.append(clips)
        b, n = clips.shape[:2]
        score = np.broadcast_to(np.asarray(self.scores, np.float32), (b,)).copy()
        aam, advisor = self.card.architecture.aam, self.card.architecture.advisor
        side = advisor.map_side
        cam = np.zeros((b, n, side, side), np.float32)
        cam[..., side // 2, side // 2] = 1
        parts = np.zeros(16, np.float32)
        if advisor.head == "frames":
            parts = (np.arange(1, 13) * np.resize([1, -1], 12)).astype(np.float32)
        return Scores(
            bona_fide_score=score,
            advisor_score=score,
            advisor_logits=np.zeros((b, 2), np.float32),
            advisor_embedding=np.tile(parts, (b, 1)),
            cam=cam,
            **({} if aam is None else self._aam(aam, score, b, n)),
        )

    def run_part(self, part: str, given: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        """The same answers part by part, and a count of what they cost."""
        if part == "encode":
            self.encoded += len(given["frames"])
            return {"features": np.zeros((len(given["frames"]), 8, 7, 7), np.float32)}
        if part == "execute":
            num = len(given["patches"])
            self.executed += num
            values, side = np.zeros((num, 1), np.float32), 14
            depth = np.full((num, side, side), 0.5, np.float32)
            return {"each_embedding": values, "each_fused_feature": values, "each_depth": depth}
        if part == "advise":
            scores = self.run(given["clips"])
            b, n = given["clips"].shape[:2]
            return {
                "advisor_logits": scores.advisor_logits,
                "advisor_embedding": scores.advisor_embedding,
                "cam": scores.cam,
                "anchors": scores.anchors,
                "centres": np.zeros((b, n, 4, 2), np.float32),
                "boxes": scores.boxes,
                "patches": np.zeros((b, n, 4, 3, 56, 56), np.float32),
            }
        score = np.asarray(self.scores, np.float32).reshape(-1)[:1]
        b, n = given["each_embedding"].shape[:2]
        return {
            "bona_fide_score": score,
            "advisor_score": score,
            "aam_score": score,
            "aam_logits": np.zeros((b, n, 2), np.float32),
            "aam_embedding": given["each_embedding"].mean(2),
            "fused_feature": given["each_fused_feature"].mean(2),
        }

    @staticmethod
    def _aam(aam: AamConfig, score: np.ndarray, b: int, n: int) -> dict[str, np.ndarray]:
        cells, side = np.array([5, 6, 9, 10]), aam.grid_side
        corners = np.stack([cells % side, cells // side], axis=-1) * 168.0 / (side - 1) + [8, 4]
        boxes = np.concatenate([corners, corners + 56], axis=-1).astype(np.float32)
        return {
            "aam_score": score,
            "anchors": np.broadcast_to(cells, (b, n, 4)).copy(),
            "boxes": np.broadcast_to(boxes, (b, n, 4, 4)).copy(),
            "depth": np.full((b, n, 4, aam.depth_side, aam.depth_side), 0.5, np.float32),
        }
