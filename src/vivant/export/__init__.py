"""From a checkpoint to a graph that runs without torch, and the proof that it answers alike."""
