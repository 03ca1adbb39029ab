"""Boxes, crops and the 4x4 grid: coordinates, and nothing else."""
