"""The metadata of each frame: what columns there are, and how a frame's values are packed."""

from __future__ import annotations

import struct
from collections.abc import Mapping
from typing import Any

import numpy as np

from . import _native
from ._errors import UnsupportedError
from ._filters import _integer
from ._writer import _name

# In the order of the library's numbers, which begin with 1. numpy's own codes differ by platform.
_TYPES = ("i1", "u1", "i2", "u2", "i4", "u4", "i8", "u8", "f4", "f8")
_CODES = "bBhHiIqQfd"
_NUMBERS = {np.dtype(name): (number, code) for number, (name, code) in enumerate(zip(_TYPES, _CODES, strict=True), 1)}


class Columns:
    """The columns of a recorder."""

    def __init__(self, columns: Mapping[str, Any]) -> None:
        """`columns`: a dtype or (dtype, n) or (dtype, n, unit) by name."""
        made, layout, self._lengths = [], "=", dict[str, int]()
        self._codes = ""
        for name, what in columns.items():
            dtype, n, units = (*what, "", "")[:3] if isinstance(what, tuple) else (what, 0, "")
            found = np.dtype(dtype)
            if found not in _NUMBERS or not found.isnative:
                raise UnsupportedError(
                    f"column {name}: {found!r} is no number of 8 to 64 bits in the machine's byte order"
                )
            number, code = _NUMBERS[found]
            length = _integer(n or 0, f"the length of column {name}", 0, 1 << 16)
            made.append(_native.Column(_name(name), number, length, _name(units)))
            layout += f"{max(length, 1)}{code}"
            self._codes += code
            self._lengths[name] = length
        self._row = struct.Struct(layout)
        self._has_vectors = any(self._lengths.values())
        self.structs: Any = (_native.Column * len(made))(*made)

    @property
    def row_bytes(self) -> int:
        """Bytes of a frame's values."""
        return self._row.size

    def packed(self, metadata: Mapping[str, Any]) -> bytes | None:
        """A frame's values, one after the other; None where it has none."""
        if not metadata:
            return None
        if len(metadata) != len(self._lengths):
            raise self._others(metadata)
        try:
            values = [metadata[key] for key in self._lengths]
        except KeyError:
            raise self._others(metadata) from None
        try:
            return self._row.pack(*(self._flat(values) if self._has_vectors else values))
        except struct.error as error:
            raise ValueError(f"metadata {dict(metadata)}: {self._wrong(values) or error}") from None

    def _others(self, metadata: Mapping[str, Any]) -> TypeError:
        missing, unknown = set(self._lengths) - set(metadata), set(metadata) - set(self._lengths)
        return TypeError(f"metadata: {sorted(missing)} are missing, {sorted(unknown)} are no columns")

    def _wrong(self, values: list[Any]) -> str:
        """What is wrong with the first value that does not fit its column."""
        for (key, length), value, code in zip(self._lengths.items(), values, self._codes, strict=True):
            try:
                struct.pack(f"={max(length, 1)}{code}", *(value if length else [value]))
            except struct.error as error:
                return f"column {key}: {error}"
        return ""

    def _flat(self, values: list[Any]) -> list[Any]:
        flat: list[Any] = []
        for (key, length), value in zip(self._lengths.items(), values, strict=True):
            if not length:
                flat.append(value)
            elif len(value) == length:
                flat.extend(value)
            else:
                raise ValueError(f"column {key}: {len(value)} numbers, {length} are expected")
        return flat
