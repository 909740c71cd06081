"""What a dataset with the bounded codec promises, by its parameters, and what came of it, by the fronts of its chunks.

Each chunk says, under a checksum, how far its pixels are from what was measured (`docs/format.md`). Only these fronts
are read.
"""

from __future__ import annotations

import math
import struct
import zlib
from dataclasses import dataclass
from typing import Any, BinaryIO

from ._bounded import BOUNDED_ID

_HEADER = struct.Struct("<4sBBBBIIIII")
_HAS_FAILED = 8
_FLOATS = (11, 12)
_MAX_FRONT = 1 << 26


class _Unsound(Exception):
    """A chunk whose front is not what was written."""


def _number(data: bytes, at: int) -> tuple[int, int]:
    value = 0
    for shift in range(0, 70, 7):
        if at >= len(data):
            break
        value |= (data[at] & 127) << shift
        at += 1
        if data[at - 1] < 128:
            return value, at
    raise _Unsound


def _numbers(data: bytes, at: int, n: int) -> tuple[list[int], int]:
    found = []
    for _ in range(n):
        value, at = _number(data, at)
        found.append(value)
    return found, at


def _signed(number: int) -> int:
    return number >> 1 ^ -(number & 1)


@dataclass
class Achieved:
    """What chunks say of their pixels, together."""

    n_chunks: int = 0
    n_pixels: int = 0
    most: float = 0
    most_sigma: float = 0.0
    sum: float = 0
    sum_of_squares: float = 0
    n_from_zero: int = 0
    n_to_zero: int = 0
    n_failed: int = 0
    n_unfiltered: int = 0
    n_unsound: int = 0

    def add(self, header: tuple[Any, ...], front: bytes) -> None:
        """Adds the chunk with this front, which was proved."""
        element, bound, options = header[2:5]
        # The bound's numbers and the saturation come first.
        of_float = 24 if bound > 2 else 0
        _, at = _numbers(front, of_float, 1 if bound > 2 else (1, 2, 8)[bound])
        (n,), at = _numbers(front, at, 1)
        most: float
        total: float
        if element in _FLOATS:
            if len(front) < at + 24:
                raise _Unsound
            (most, total, squares), sigma = struct.unpack_from("<3d", front, at), 0
            at += 24
        else:
            (most, sigma, total, squares), at = _numbers(front, at, 4)
            total = _signed(int(total))
        (from_zero, to_zero), _ = _numbers(front, at, 2)
        self.n_chunks += 1
        self.n_pixels += n
        self.most = max(self.most, most)
        self.most_sigma = max(self.most_sigma, sigma / 65536)
        self.sum += total
        self.sum_of_squares += squares
        self.n_from_zero += from_zero
        self.n_to_zero += to_zero
        self.n_failed += (options & _HAS_FAILED) != 0

    def text(self) -> str:
        """One line."""
        parts = [f"largest error {self.most:.6g}" if isinstance(self.most, float) else f"largest error {self.most}"]
        if self.most_sigma:
            parts[0] += f" ({self.most_sigma:.4f} standard deviations)"
        if self.n_pixels:
            mean, square = self.sum / self.n_pixels, self.sum_of_squares / self.n_pixels
            parts += [f"mean error {mean:.4g}", f"root mean square {math.sqrt(square):.4g}"]
        parts += [f"{self.n_to_zero} values became 0", f"{self.n_from_zero} zeros became another value"]
        for n, what in [
            (self.n_failed, "stored exactly, as a check failed"),
            (self.n_unfiltered, "stored without the filter"),
            (self.n_unsound, "damaged"),
        ]:
            if n:
                parts.append(f"{n} chunks {what}")
        return f"achieved in {self.n_chunks} chunks: " + ", ".join(parts)


def _front(read: Any, size: int) -> tuple[tuple[Any, ...], bytes]:
    """Header and front of a chunk of `size` bytes, of which `read` gives the first ones."""
    start = read(min(size, _HEADER.size))
    if len(start) < _HEADER.size:
        raise _Unsound
    header = _HEADER.unpack(start)
    magic, version, element, _, _, height, width, n_bytes, front_len, checksum = header
    frame = height * width * (2, 2, 2, 2, 1, 1, 4, 4, 4, 4, 4, 4)[min(max(element, 1), 12) - 1]
    if magic != b"DCBD" or version != 1 or frame == 0 or front_len > min(size, _MAX_FRONT):
        raise _Unsound
    n_frames = n_bytes // frame
    rest = read(min(size, _HEADER.size + front_len + 8 * (n_frames + 1)))[_HEADER.size :]
    # There is one more segment where a reference is stored.
    for n_segments in (n_frames, n_frames + 1):
        if zlib.crc32(start[:24] + rest[: front_len + 8 * n_segments]) == checksum:
            return header, rest[:front_len]
    raise _Unsound


def promised(values: tuple[int, ...]) -> str:
    """The bound that the parameters of a dataset are."""
    bound, first, second, gain, per, offset, variance, of = (*values, *(0,) * 8)[:8]
    if bound == 1 and first:
        return f"promised: no pixel is off by more than {first}"
    if bound in (3, 4):
        number = struct.unpack("<d", struct.pack("<II", first, second))[0]
        share = " times the range of the values of its chunk (the greatest finite one minus the least)"
        if number:
            return f"promised: no pixel is off by more than {number!r}{share if bound == 4 else ''}"
    if bound == 2:
        offset -= (offset >> 31) << 32
        beta = first / (second or 1)
        noise = (
            f"gain {gain / (per or 1) if gain else 1:.6g}, offset {offset}, read variance {variance / (of or 1):.6g}"
        )
        return f"promised: no pixel is off by more than {beta / 2:.6g} standard deviations ({noise})"
    return "promised: every pixel is exact"


def achieved(dataset: Any, file: BinaryIO) -> Achieved:
    """What the chunks of an h5py dataset say, whose only filter is the bounded codec. `file` is open beside HDF5."""
    found = Achieved()

    def visit(info: Any) -> None:
        if info.filter_mask & 1:
            found.n_unfiltered += 1
            return

        def beside(n: int) -> bytes:
            file.seek(info.byte_offset)
            return file.read(n)

        def through(n: int) -> bytes:
            return bytes(dataset.id.read_direct_chunk(info.chunk_offset)[1][:n])

        try:
            try:
                found.add(*_front(beside, info.size))
            except _Unsound:
                # A block before the file, or changes that are not in it yet.
                found.add(*_front(through, info.size))
        except _Unsound:
            found.n_unsound += 1

    infos: list[Any] = []
    dataset.id.chunk_iter(infos.append)
    for info in infos:
        visit(info)
    return found


def describe(dataset: Any) -> list[str]:
    """Lines on an h5py dataset whose first filter is the bounded codec; none on another."""
    dcpl = dataset.id.get_create_plist()
    if dcpl.get_nfilters() == 0 or dcpl.get_filter(0)[0] != BOUNDED_ID:
        return []
    lines = [f"  {dataset.name}: {promised(dcpl.get_filter(0)[2])}"]
    if dcpl.get_nfilters() == 1 and dataset.id.get_num_chunks():
        with open(dataset.file.filename, "rb") as file:
            lines.append(f"  {dataset.name}: {achieved(dataset, file).text()}")
    return lines
