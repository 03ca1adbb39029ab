"""Face anti-spoofing with reasons: is it the person before the camera, or a picture of one?

`vivant` implements "Attended-Auxiliary Supervision Representation for Face Anti-spoofing"
completely. ARCHITECTURE.md shows the layers, docs/paper.md where each equation stands.
"""

from importlib.metadata import version

__version__ = version("vivant")
