from object_store import bucket, s3_environment, s3_port, without_credentials

__all__ = ["bucket", "s3_environment", "s3_port", "without_credentials"]
