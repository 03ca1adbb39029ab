"""Ray Serve is imported once, with what its own models warn of: Pydantic's next version."""

import warnings

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    import ray.serve  # noqa: F401

from object_store import bucket, s3_environment, s3_port

__all__ = ["bucket", "s3_environment", "s3_port"]
