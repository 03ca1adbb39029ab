"""Where the service's log goes: standard error, a line of JSON each."""

import json
import logging
import sys

__all__ = ["log_to_stderr"]

_LOGGERS = {"vivant.serving": logging.INFO, "uvicorn.error": logging.WARNING}


class _Lines(logging.Formatter):
    """A record as one JSON object: time, level, message, and the error behind it."""

    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, object] = {
            "time": self.formatTime(record, "%Y-%m-%dT%H:%M:%S%z"),
            "level": record.levelname.lower(),
        }
        given = getattr(record, "fields", None)
        line |= given if isinstance(given, dict) else {"message": record.getMessage()}
        if record.exc_info:
            line["error"] = self.formatException(record.exc_info)
        return json.dumps(line)


def log_to_stderr() -> None:
    """Log requests, and what goes wrong; no address, no query, no name of a file."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_Lines())
    for name, level in _LOGGERS.items():
        logger = logging.getLogger(name)
        logger.handlers = [handler]
        logger.setLevel(level)
        logger.propagate = False
