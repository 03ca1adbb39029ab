"""Clips that nobody had to film: a still face that moves in three dimensions, and its recapture."""
