"""The list of the filters, once."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ._bounded import Bounded
from ._filters import _UINT32, DRLE, LZ4, Bitshuffle, Blosc, Filter, Zstd, _integer

CLASSES: tuple[type[Filter], ...] = (DRLE, Bitshuffle, Blosc, LZ4, Zstd, Bounded)
#: The numbers of the filters by name.
FILTERS: dict[str, int] = {filter_class.filter_name: filter_class.filter_id for filter_class in CLASSES}


def get_filters(filters: Any = tuple(FILTERS)) -> tuple[type[Filter], ...]:
    """The classes of these filters: names or numbers, one or several."""
    several = (filters,) if isinstance(filters, (str, int)) else tuple(filters)
    return tuple(_class_of(one) for one in several)


def _class_of(one: Any) -> type[Filter]:
    for known in CLASSES:
        if one is known or one in (known.filter_id, known.filter_name):
            return known
    known_ones = ", ".join(f"{name} ({number})" for name, number in FILTERS.items())
    raise ValueError(f"{one!r} is no filter of darkchunk: there are {known_ones}")


def from_filter_options(filter_id: int | str, filter_options: Sequence[int]) -> Filter:
    """The filter with parameters that a file stores (`dcpl.get_filter(i)[2]` in h5py)."""
    values = tuple(_integer(value, "a parameter", 0, _UINT32 - 1) for value in filter_options)
    return _class_of(filter_id)._from_filter_options(values)
