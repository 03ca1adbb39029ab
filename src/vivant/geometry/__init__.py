"""Boxes, crops and the grid: coordinates, and nothing else."""
