"""Grad-CAM of the Advisor in closed form: forward operations only (paper 3.2, Eq. 3 and 4).

Between the feature map F and the score y_c stand a mean over 49 positions, an LSTM and a linear
layer. So dy_c/dF_ij = (1/49) dy_c/dg, and no gradient has to pass the backbone: Eq. 3 becomes
alpha_k = (1/49) dy_c/dg_k with z = 49, and dy_c/dg is the LSTM's vector-Jacobian product, written
out below. It needs no autograd, so inference runs under `no_grad` and exports as ordinary nodes.

Where the standard deviation of F is read too, nothing changes: its gradient at a position is
proportional to F_ij - mean(F), whose mean over the positions is zero, and Eq. 3 takes that mean.
"""

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

from vivant.networks.advisor import Advisor, AdvisorOutput, LstmTrace

__all__ = ["GradCam", "lstm_input_gradient"]

# Axes: b clips, n frames, c channels of the feature map, h units of the LSTM.


class GradCam(nn.Module):
    """Where the Advisor looks. It has no weights of its own."""

    def forward(self, advisor: Advisor, output: AdvisorOutput) -> Float[Tensor, "b n map map"]:
        """The weighted feature map of each frame before Eq. 4's ReLU, for the predicted class.

        It is a constant to training: the anchors carry no gradient (decision D9). Dropout does not
        touch it.

        Args:
            advisor: Whose maps they are.
            output: What `advisor` said of the clips.

        Returns:
            sum_k alpha_k F_k for each frame; `relu` of it is Eq. 4's S. The scale means nothing:
            early frames have small values, because the LSTM forgets (decision D6).
        """
        with torch.no_grad():
            height, width = output.features.shape[3:]
            gradient = self.description_gradient(advisor, output)  # (b, n, d)
            covered = advisor.frame_parts[advisor.map_part]
            gradient = gradient[:, :, covered.start : covered.end]  # (b, n, c)
            if advisor.config.levels:
                gradient = gradient / advisor.feature_deviation[covered.start : covered.end]
            alpha = gradient / (height * width)  # Eq. 3
            # A product of matrices: as a sum of products it would be written out in graphs.
            weighted: Tensor = alpha[:, :, None] @ output.features.flatten(3)  # (b, n, 1, 49)
            return weighted[:, :, 0].reshape(*alpha.shape[:2], height, width)

    def description_gradient(
        self, advisor: Advisor, output: AdvisorOutput
    ) -> Float[Tensor, "b n d"]:
        """dy/dg of each frame's description, of the class that `score_gradient` takes."""
        direction = self.score_gradient(advisor, output.readout)  # (b, h), or (b, d)
        num_frames = output.features.shape[1]
        spread = (direction / num_frames)[:, None].expand(-1, num_frames, -1)
        if output.trace is None:
            return spread
        if advisor.config.readout == "last":
            per_frame = torch.zeros_like(output.trace.tanh_cell)  # (b, n, h)
            per_frame[:, -1] = direction
        else:
            per_frame = spread
        gradient = lstm_input_gradient(advisor.lstm.cell, output.trace, per_frame)
        return gradient @ advisor.project.weight if advisor.config.levels else gradient

    @staticmethod
    def score_gradient(advisor: Advisor, readout: Float[Tensor, "b h"]) -> Float[Tensor, "b h"]:
        """dy/dh of the predicted class c: y is the margin y_c - y_other, or y_c (decision D4)."""
        weight, bias = advisor.classifier.weight, advisor.classifier.bias
        logits = F.linear(readout, weight, bias)  # (b, 2), without dropout
        attack = (logits[:, 1] > logits[:, 0])[:, None]  # (b, 1)
        bona_fide_row, attack_row = weight  # (h,), (h,)
        if advisor.config.cam_target == "margin":
            return torch.where(attack, attack_row - bona_fide_row, bona_fide_row - attack_row)
        return torch.where(attack, attack_row, bona_fide_row)


def lstm_input_gradient(
    cell: nn.LSTMCell, trace: LstmTrace, hidden_gradient: Float[Tensor, "b n h"]
) -> Float[Tensor, "b n c"]:
    """dy/dg of each frame: back-propagation through time, written out (Eq. 3).

    Args:
        cell: The weights.
        trace: What `Lstm` kept.
        hidden_gradient: dy/dh of each frame's hidden state, as the classifier alone gives it.
    """
    cell_gradient = torch.zeros_like(hidden_gradient[:, 0])  # (b, h)
    carried = cell_gradient
    gradients = []
    for t in reversed(range(hidden_gradient.shape[1])):
        i, f, g, o, previous_cell, tanh_cell = (part[:, t] for part in trace)
        dh = hidden_gradient[:, t] + carried
        dc = cell_gradient + dh * o * (1 - tanh_cell**2)
        dz = torch.cat(
            [
                dc * g * i * (1 - i),
                dc * previous_cell * f * (1 - f),
                dc * i * (1 - g**2),
                dh * tanh_cell * o * (1 - o),
            ],
            dim=1,
        )  # (b, 4h)
        gradients.append(dz @ cell.weight_ih)  # (b, c)
        carried, cell_gradient = dz @ cell.weight_hh, dc * f
    return torch.stack(gradients[::-1], dim=1)  # (b, n, c)
