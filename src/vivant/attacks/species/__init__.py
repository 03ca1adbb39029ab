"""One PAI species, one file: a function in its `__all__`, found by name through `plugins`."""
