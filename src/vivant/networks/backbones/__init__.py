"""Backbones of the Advisor: crops in, 7x7 feature maps out. A new one is one new file.

Each file lists in `__all__` functions without arguments that build a `Backbone`.
"""
