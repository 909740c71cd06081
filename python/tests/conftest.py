"""The tests are about the wheel as it is installed."""

from pathlib import Path

import pytest
import support

import darkchunk


def pytest_configure(config):
    if Path(darkchunk.__file__).is_relative_to(support.ROOT / "python"):
        pytest.exit("darkchunk is imported from the repository: `cargo xtask test` installs the wheel", 2)
    config.addinivalue_line("markers", "wheel: of the installed wheel")
