"""The version, as the wheel's metadata has it."""

from __future__ import annotations

import re
from typing import NamedTuple


class VersionInfo(NamedTuple):
    """The parts of a version."""

    major: int
    minor: int
    micro: int


version = "0.1.0"
version_info = VersionInfo(*map(int, re.findall(r"\d+", version)[:3]))
