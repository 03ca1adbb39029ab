"""Build a network, score clips, and read where it looked. Needs the extra `train`.

python docs/examples/score_clips.py
"""

import torch

from vivant.networks.models import lite
from vivant.networks.network import Network
from vivant.networks.preprocessing import Normalise

torch.manual_seed(0)
network = Network(lite()).eval()  # UNTRAINED: random weights
normalise = Normalise.of(network.advisor.backbone)

clips = torch.randint(0, 256, (2, 5, 224, 224, 3), dtype=torch.uint8)  # RGB, 0..255
with torch.inference_mode():
    output = network(normalise(clips))

assert output.boxes is not None
assert output.depth is not None
for clip in range(len(clips)):
    print(f"clip {clip}: bona fide score {output.bona_fide_score[clip]:.3f} (UNTRAINED)")
    for box, depth in zip(output.boxes[clip, -1], output.depth[clip, -1], strict=True):
        corners = ", ".join(f"{value:.0f}" for value in box)
        print(f"  looked at x0 y0 x1 y1 = {corners}: mean depth {depth.mean():+.3f}")
