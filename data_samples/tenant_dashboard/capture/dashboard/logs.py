"""Two views of the same records: text in a file, JSON on standard output."""

from __future__ import annotations

import json
import logging
import sys
import time
import warnings
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from sqlalchemy.exc import SAWarning

if TYPE_CHECKING:
    from pathlib import Path

TEXT_FORMAT = "%(asctime)s [%(levelname)-8s] %(name)s: %(message)s"
TIME_FORMAT = "%Y-%m-%d %H:%M:%S"


class JsonFormatter(logging.Formatter):
    """One JSON object a record, UTC with microseconds."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the record as one line of JSON."""
        moment = datetime.fromtimestamp(record.created, UTC)
        fields = {
            "timestamp": moment.isoformat(timespec="microseconds"),
            "level": record.levelname,
            "logger": record.name,
            "message": record.getMessage(),
        }
        if record.exc_info:
            fields["exception"] = self.formatException(record.exc_info)
        return json.dumps(fields, ensure_ascii=False)


def set_up_logging(api_log: Path) -> None:
    """Attach both handlers to the root logger.

    ``py.warnings`` is deliberately not captured: warnings go bare to standard
    error. Each SAWarning is wanted, not only the first from a place.
    """
    text = logging.Formatter(TEXT_FORMAT, TIME_FORMAT)
    text.converter = time.gmtime
    file_handler = logging.FileHandler(api_log, encoding="utf-8")
    file_handler.setFormatter(text)
    console = logging.StreamHandler(sys.stdout)
    console.setFormatter(JsonFormatter())
    logging.basicConfig(level=logging.INFO, handlers=[file_handler, console])
    warnings.simplefilter("always", SAWarning)
