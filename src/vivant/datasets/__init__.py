"""Data sets: one file each reads a folder as its owner gave it, and knows its protocols."""
