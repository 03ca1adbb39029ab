"""The same work on many machines: Ray (extra `ray`). Nothing of this is imported by default."""
