"""Files that leave."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from diagkit.errors import SourceAccessError


def write_whole(path: Path, body: bytes) -> None:
    """Write a whole file or nothing: a reader never sees half a report.

    Parameters
    ----------
    path
        The file.
    body
        What it is to hold.

    Raises
    ------
    SourceAccessError
        If it cannot be written. Then it is as it was before.
    """
    # A link stays one, and what it leads to is written.
    path = path.resolve() if path.is_symlink() else path
    mode = path.stat().st_mode & 0o777 if path.exists() else 0o644
    try:
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=".diagkit-")
        try:
            with os.fdopen(handle, "wb") as stream:
                stream.write(body)
            # mkstemp makes files for the owner alone; a report is to be shared, unless
            # the one that is there is not.
            Path(name).chmod(mode)
            Path(name).replace(path)
        except BaseException:
            Path(name).unlink(missing_ok=True)
            raise
    except OSError as error:
        msg = f"{path}: cannot be written ({error.strerror or error})"
        raise SourceAccessError(msg) from None
