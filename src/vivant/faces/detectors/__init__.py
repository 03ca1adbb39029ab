"""Face detectors: one file each, found by the name of the function that builds it."""
