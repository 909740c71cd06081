"""The plugins must be there: these tests are about the libraries as they are shipped."""

import os
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from common import DATA, NAMES, PLUGINS  # noqa: E402


# For this process as for the others, before an HDF5 is loaded that reads it.
os.environ["HDF5_PLUGIN_PATH"] = str(PLUGINS)


def pytest_configure(config):
    missing = [name for name in NAMES if not (PLUGINS / f"lib{name}.so").exists()]
    if missing:
        pytest.exit(f"no {', '.join(missing)} in {PLUGINS}: run `cargo xtask dist`, or set DARKCHUNK_PLUGINS", 2)


@pytest.fixture(scope="session")
def data_folder():
    if not DATA.is_dir():
        pytest.skip(f"real data is not here ({DATA}); set DARKCHUNK_DATA")
    return DATA
