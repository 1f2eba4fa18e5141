"""Files as people upload them."""

from pathlib import Path

import pytest


@pytest.fixture
def write(tmp_path: Path):
    """Writes bytes or text (as UTF-8) into a file and gives its path."""

    def write(content: str | bytes, name: str = "upload.csv") -> Path:
        path = tmp_path / name
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return path

    return write
