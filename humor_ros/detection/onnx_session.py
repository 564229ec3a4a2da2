"""Opens an ONNX model on disk with few, sleeping threads and errors that tell the remedy."""

from __future__ import annotations

from pathlib import Path
from typing import Any

__all__ = ["ModelFileError", "open_session"]


class ModelFileError(ValueError):
    """A model file exists but cannot be used: corrupt, truncated or of the wrong shape."""


def open_session(
    path: Path, *, threads: int, providers: tuple[str, ...] = ("CPUExecutionProvider",)
) -> Any:
    """Opens ``path`` with onnxruntime.

    Threads do not spin between calls: spinning threads take the cores that the motion
    network needs.

    Args:
        path: the .onnx file.
        threads: threads inside one operator (``intra_op_num_threads``), at least 1.
        providers: onnxruntime execution providers, best first.

    Returns:
        An ``onnxruntime.InferenceSession``.

    Raises:
        FileNotFoundError: no file at ``path``.
        ModelFileError: onnxruntime cannot read the file.
    """
    import onnxruntime

    if not path.is_file():
        raise FileNotFoundError(f"no ONNX model at '{path}': give the path of an existing .onnx")
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    options.add_session_config_entry("session.inter_op.allow_spinning", "0")
    try:
        return onnxruntime.InferenceSession(str(path), options, providers=list(providers))
    except Exception as error:  # onnxruntime raises a family of unrelated types
        raise ModelFileError(
            f"cannot read the ONNX model '{path}' ({error}): the file is corrupt or not ONNX; "
            "fetch or export it again"
        ) from error
