"""Messages of the core, which uses Python's logging, in the node's log."""

from __future__ import annotations

import logging

from rclpy.impl.rcutils_logger import RcutilsLogger

__all__ = ["LogBridge"]


class LogBridge(logging.Handler):
    """Forwards the package's log records to a node's logger.

    Args:
        logger: of the node.
    """

    def __init__(self, logger: RcutilsLogger) -> None:
        super().__init__(level=logging.INFO)
        self._logger = logger
        self._source = logging.getLogger("humor_ros")

    def install(self) -> None:
        """Begin to forward."""
        self._source.addHandler(self)
        self._source.setLevel(logging.INFO)
        self._source.propagate = False

    def remove(self) -> None:
        """Leave logging as it was."""
        self._source.removeHandler(self)
        self._source.setLevel(logging.NOTSET)
        self._source.propagate = True

    def emit(self, record: logging.LogRecord) -> None:
        """Forward one record with its severity."""
        text = self.format(record)
        if record.levelno >= logging.ERROR:
            self._logger.error(text)
        elif record.levelno >= logging.WARNING:
            self._logger.warning(text)
        else:
            self._logger.info(text)
