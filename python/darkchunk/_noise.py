"""The noise of a detector, measured from its frames."""

from __future__ import annotations

import ctypes as c
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ._bounded import Bounded
from ._native import Noise, call

_ELEMENTS = {"int8": 1, "uint8": 2, "int16": 3, "uint16": 4, "int32": 5, "uint32": 6}
_TEXT_BYTES = 4096


@dataclass(frozen=True)
class NoiseModel:
    """A pixel `x` has the variance `gain * (x - offset) + read_variance`.

    `gain_error`, `variance_at_0_error`: standard errors. `variance_at_0`: of the line through the variances, at 0
    counts. `misfit`: how far these are off the line, relative, in the median. `neighbours`: correlation of the noise of
    neighbours. `doubts`: why it may be no photon noise; empty where nothing speaks against it. Offset and read noise
    cannot be told from each other without a dark image: one of them is 0.
    """

    gain: float
    offset: float
    read_variance: float
    gain_error: float
    variance_at_0: float
    variance_at_0_error: float
    misfit: float
    neighbours: float
    doubts: tuple[str, ...]

    def variance(self, x: Any) -> Any:
        """The variance of a value, or of an array of values."""
        return np.maximum(self.gain * (np.asarray(x, float) - self.offset) + self.read_variance, 0.0)

    def bounded(self, noise: float = 1, **more: Any) -> Bounded:
        """The bounded codec with this noise: no pixel is off by more than `noise / 2` standard deviations."""
        if self.gain <= 0:
            raise ValueError(
                "the variance does not depend on the intensity: give Bounded(absolute=...), "
                f"{noise * math.sqrt(self.read_variance) / 2:.2f} counts are {noise / 2:g} standard deviations"
            )
        # A whole offset; what it is more adds to the variance.
        offset = math.ceil(self.offset)
        variance = self.read_variance + self.gain * (offset - self.offset)
        return Bounded(noise=noise, gain=self.gain, offset=offset, variance=variance, **more)


def noise_model(frames: Any, sentinels: Sequence[int] | None = None, saturation: int | None = None) -> NoiseModel:
    """Measures the noise of frames that follow each other in time; the scene may move slowly.

    `frames`: an array of shape (frames, height, width), of integers of 8, 16 or 32 bits; at least 3 frames, better 20.

    `sentinels`: values that are no measurements; None for those that detectors mark (all bits set in uint16 and uint32,
    below 0 in int32). `saturation`: values from it on do not count.
    """
    array = np.asarray(frames)
    if array.ndim != 3:
        raise ValueError(f"frames have the shape (frames, height, width), not {array.shape}")
    if array.dtype.name not in _ELEMENTS:
        raise TypeError(f"frames are integers of 8, 16 or 32 bits, not {array.dtype}")
    array = np.ascontiguousarray(array, array.dtype.newbyteorder("="))
    marked = None if sentinels is None else np.array(list(sentinels), np.int64)
    limit = None if saturation is None else c.byref(c.c_int64(saturation))
    noise, text = Noise(size=c.sizeof(Noise)), c.create_string_buffer(_TEXT_BYTES)
    # An array without elements may have no address.
    address = None if marked is None else (marked if marked.size else np.zeros(1, np.int64)).ctypes.data
    call(
        "dc_noise_of_frames",
        array.ctypes.data,
        _ELEMENTS[array.dtype.name],
        *array.shape,
        address,
        0 if marked is None else marked.size,
        limit,
        c.byref(noise),
        text,
        _TEXT_BYTES,
    )
    names = [field[0] for field in Noise._fields_]
    numbers = {name: getattr(noise, name) for name in names if name not in ("size", "n_doubts")}
    return NoiseModel(**numbers, doubts=tuple(text.value.decode().splitlines()))
