"""Where the service's log goes: standard error, a line of JSON each, or of words in a terminal."""

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


class _Words(logging.Formatter):
    """The same for people who watch."""

    def __init__(self) -> None:
        super().__init__("%(asctime)s  %(message)s", "%H:%M:%S")

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802 - logging's name.
        given = getattr(record, "fields", None)
        if isinstance(given, dict):
            record.message = "{method} {route}  {status}  {seconds:.3f} s".format_map(given)
        return super().formatMessage(record)


def log_to_stderr() -> None:
    """Log requests, and what goes wrong; no address, no query, no name of a file."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_Words() if sys.stderr.isatty() else _Lines())
    for name, level in _LOGGERS.items():
        logger = logging.getLogger(name)
        logger.handlers = [handler]
        logger.setLevel(level)
        logger.propagate = False
