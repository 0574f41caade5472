"""How does a text compare with the one that was reviewed?

    WEBHOOK_FUZZ_WRITE_GOLDEN=1 .venv/bin/pytest -n0 tests/reports/test_formats.py

writes the files anew; read the difference before committing it.
"""

import os
from pathlib import Path

FOLDER = Path(__file__).parent / "golden"


def check_golden(name: str, text: str) -> None:
    """Fails where `text` is not the reviewed one; with the variable set, reviews it blindly."""
    file = FOLDER / name
    if os.environ.get("WEBHOOK_FUZZ_WRITE_GOLDEN"):
        file.write_text(text, encoding="utf-8")
    assert text == file.read_text(encoding="utf-8"), f"{name} differs from the reviewed text"
