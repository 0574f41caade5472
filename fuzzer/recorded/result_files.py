"""How is a document of results kept?

The file is complete or it is not there, and is readable by its owner only.
"""

import contextlib
import json
import os
import tempfile
from collections.abc import Mapping
from pathlib import Path


def save_document(document: Mapping[str, object], path: Path) -> None:
    """Write it whole or not at all, mode 0600. Raises OSError."""
    data = (json.dumps(document, indent=2, ensure_ascii=True) + "\n").encode()
    descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        Path(name).replace(path)
    except BaseException:
        with contextlib.suppress(OSError):
            Path(name).unlink()
        raise
