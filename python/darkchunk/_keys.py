"""What stands in `dataset[...]`: start, count and step along each axis.

By h5py's rules, in which the axis of a list stays where it is: numpy puts it first where a number and a slice are
before it. Beside these: steps backwards, and lists in any order and with repeats.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

# Bytes that a part of a list has at most, where a chunk has not more.
_MAX_PART = 64 << 20


@dataclass(frozen=True)
class Selection:
    """A part of a dataset. Along each axis: `start`, `count`, `step` (positive), whether it is read backwards
    (`flipped`), and whether a number chose it, so that the result has no such axis (`dropped`). `listed`: the axis that
    is chosen by a list, and its numbers; `count` there is how many."""

    start: tuple[int, ...]
    count: tuple[int, ...]
    step: tuple[int, ...]
    flipped: tuple[bool, ...]
    dropped: tuple[bool, ...]
    listed: tuple[int, NDArray[np.int64]] | None

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of the result."""
        return tuple(n for n, dropped in zip(self.count, self.dropped, strict=True) if not dropped)


@dataclass(frozen=True)
class _Axis:
    start: int
    count: int
    step: int = 1
    flipped: bool = False
    dropped: bool = False
    numbers: NDArray[np.int64] | None = None


def selection(key: Any, shape: tuple[int, ...]) -> Selection | None:
    """The selection that `key` means; None for a kind of key that is not known here."""
    keys = _expanded(key if isinstance(key, tuple) else (key,), len(shape))
    if keys is None:
        return None
    axes = []
    for axis, (one, n) in enumerate(zip(keys, shape, strict=True)):
        found = _slice(one, n) if isinstance(one, slice) else _number(one, n, axis) or _listed(one, n, axis)
        if found is None:
            return None
        axes.append(found)
    listed = [(axis, found.numbers) for axis, found in enumerate(axes) if found.numbers is not None]
    if len(listed) > 1:
        return None
    return Selection(
        tuple(found.start for found in axes),
        tuple(found.count for found in axes),
        tuple(found.step for found in axes),
        tuple(found.flipped for found in axes),
        tuple(found.dropped for found in axes),
        listed[0] if listed else None,
    )


def _expanded(keys: tuple[Any, ...], n_axes: int) -> tuple[Any, ...] | None:
    """One key for each axis."""
    places = [index for index, key in enumerate(keys) if key is Ellipsis]
    if len(places) > 1:
        raise IndexError("an index has one '...' at most")
    if len(keys) - len(places) > n_axes:
        several = any(isinstance(key, (str, bytes)) or np.ndim(key) > 1 for key in keys if not isinstance(key, slice))
        if several:
            return None
        raise IndexError(f"{len(keys) - len(places)} indices for {n_axes} dimensions")
    place = places[0] if places else len(keys)
    rest = keys[place + 1 :]
    fill = (slice(None),) * (n_axes - place - len(rest))
    return keys[:place] + fill + rest


def _slice(one: slice, n: int) -> _Axis:
    start, stop, step = one.indices(n)
    count = len(range(start, stop, step))
    if count == 0:
        return _Axis(0, 0)
    if step > 0:
        return _Axis(start, count, step)
    return _Axis(start + (count - 1) * step, count, -step, flipped=True)


def _number(one: Any, n: int, axis: int) -> _Axis | None:
    if isinstance(one, (bool, np.bool_)):
        return None
    try:
        index = operator.index(one)
    except TypeError:
        return None
    if not -n <= index < n:
        raise IndexError(f"index {index} is outside of axis {axis}, which has {n}")
    return _Axis(index % n, 1, dropped=True)


def _listed(one: Any, n: int, axis: int) -> _Axis | None:
    """A list or array of numbers, or of as many truth values as the axis has."""
    if isinstance(one, (str, bytes, type(None))):
        return None
    numbers = np.asarray(one)
    if numbers.ndim != 1:
        return None
    if numbers.dtype == bool:
        if len(numbers) != n:
            raise IndexError(f"a mask of {len(numbers)} for axis {axis}, which has {n}")
        numbers = np.flatnonzero(numbers)
    if numbers.size == 0:
        return _Axis(0, 0)
    if numbers.dtype.kind not in "iu":
        return None
    numbers = numbers.astype(np.int64)
    if numbers.min() < -n or numbers.max() >= n:
        raise IndexError(f"an index in a list is outside of axis {axis}, which has {n}")
    return _Axis(0, len(numbers), numbers=np.where(numbers < 0, numbers + n, numbers))


@dataclass(frozen=True)
class Part:
    """Of a selection with a list what is read at once: `block`, without a list. Of it `taken`, along the list's axis
    `axis` of the result, is put to `place` in the result."""

    block: Selection
    axis: int
    taken: NDArray[np.int64]
    place: tuple[Any, ...]


def parts(chosen: Selection, chunks: tuple[int, ...] | None, element_bytes: int) -> list[Part]:
    """A selection with a list in parts, in which each chunk that is wanted is once, and no other."""
    assert chosen.listed is not None
    axis, numbers = chosen.listed
    order = np.argsort(numbers, kind="stable")
    ordered = numbers[order]
    near = chunks[axis] if chunks else 1
    chunk, row = ordered // near, element_bytes * math.prod(_without(chosen.count, axis))
    is_last = (np.diff(chunk) > 0) & (np.diff(ordered) > 1)
    is_last |= np.diff(chunk // max(1, _MAX_PART // (row * near))) > 0
    found = []
    for group in np.split(np.arange(len(ordered)), np.flatnonzero(is_last) + 1):
        low, high = int(ordered[group[0]]), int(ordered[group[-1]])
        block = replace(_with(chosen, axis, low, high - low + 1), listed=None)
        for piece, places in _cut(block, axis, chunks, element_bytes):
            at: list[Any] = [slice(first, first + n) for first, n in zip(places, piece.count, strict=True)]
            at[axis] = order[group]
            place = tuple(one for one, dropped in zip(at, chosen.dropped, strict=True) if not dropped)
            found.append(Part(piece, axis - sum(chosen.dropped[:axis]), ordered[group] - low, place))
    return found


def _cut(
    block: Selection, axis: int, chunks: tuple[int, ...] | None, element_bytes: int
) -> Iterator[tuple[Selection, tuple[int, ...]]]:
    """A block in pieces of whole chunks along the axes other than `axis`, with the place in the block of each."""
    lengths = [
        0 if index == axis or not chunks else (start + (n - 1) * step) // chunks[index] - start // chunks[index]
        for index, (start, n, step) in enumerate(zip(block.start, block.count, block.step, strict=True))
    ]
    if element_bytes * math.prod(block.count) <= _MAX_PART or not chunks or not any(lengths):
        yield block, (0,) * len(lengths)
        return
    at = lengths.index(max(lengths))
    start, n, step = block.start[at], block.count[at], block.step[at]
    border = (start // chunks[at] + (lengths[at] + 1) // 2) * chunks[at]
    n_before = -(-(border - start) // step)
    halves = [(start, n_before, 0), (start + n_before * step, n - n_before, n_before)]
    for first, count, place in halves:
        shift = n - place - count if block.flipped[at] else place
        for piece, places in _cut(_with(block, at, first, count), axis, chunks, element_bytes):
            yield piece, (*places[:at], places[at] + shift, *places[at + 1 :])


def _with(chosen: Selection, axis: int, start: int, count: int) -> Selection:
    """The same with another start and count along an axis."""
    starts, counts = list(chosen.start), list(chosen.count)
    starts[axis], counts[axis] = start, count
    return replace(chosen, start=tuple(starts), count=tuple(counts))


def _without(numbers: tuple[int, ...], axis: int) -> tuple[int, ...]:
    return numbers[:axis] + numbers[axis + 1 :]
