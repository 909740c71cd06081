"""The bounded codec as an object: integers and float32, exact or with an error that no pixel exceeds."""

from __future__ import annotations

import math
import struct
from collections.abc import Sequence
from fractions import Fraction
from numbers import Integral, Rational, Real
from typing import Any

from ._filters import _UINT32, Filter, _integer, _one_of

BOUNDED_ID = 36115

_N_SLOTS = 11
# What sentinels are, in their slot: int32 and float32, as of elements.
_INTEGERS, _FLOATS = 7, 11
_MOST = 65535


def _ratio(value: Any, what: str, most: int = _MOST) -> Fraction:
    """`value` as a fraction of a number up to `most` and one up to 65535, rounded down. A float is as it is printed."""
    try:
        exact = Fraction(value if isinstance(value, Rational) else str(value))
    except (TypeError, ValueError, OverflowError):
        raise TypeError(f"{what} is a number, not {value!r}") from None
    found = _below(exact, min(_MOST, math.floor(most / exact))) if 0 < exact <= most else Fraction(0)
    if found == 0 or exact - found > exact / 1000:
        raise ValueError(
            f"{what} is {value}: give one above 0, the ratio of a number up to {most} and one up to {_MOST}"
        )
    return found


def _below(exact: Fraction, most: int) -> Fraction:
    """The greatest fraction up to `exact` with a denominator up to `most`."""
    found = exact.limit_denominator(most)
    if found <= exact:
        return found
    # The neighbour p / q before n / d is that with n q - d p = 1 and the greatest q.
    n, d = found.numerator, found.denominator
    least = pow(n, -1, d)
    q = least + (most - least) // d * d
    return Fraction((n * q - 1) // d, q)


def _halves(value: Any, what: str) -> tuple[int, int]:
    """A float64 as two parameters, the lower half first."""
    try:
        number = float(value) if isinstance(value, Real) else None
    except OverflowError:
        number = None
    if number is None:
        raise TypeError(f"{what} is a number, not {value!r}")
    if not 0 <= number < math.inf:
        raise ValueError(f"{what} is {value}: give a finite one from 0 on")
    low, high = struct.unpack("<II", struct.pack("<d", number))
    return low, high


def _sentinels(values: Sequence[Any]) -> list[int]:
    """Sentinels as parameters: of which kind they are, their number, and each as 32 bits."""
    if any(isinstance(value, Real) and not isinstance(value, Integral) for value in values):
        bits = [int.from_bytes(struct.pack("<f", float(value)), "little") for value in values]
        return [_FLOATS, 0, 0, 0, 0, len(bits), *bits]
    bits = [_integer(value, "a sentinel", -(1 << 31), _UINT32 - 1) % _UINT32 for value in values]
    return [_INTEGERS, 0, 0, 0, 0, len(bits), *bits]


class Bounded(Filter):
    """Integers of 8, 16 and 32 bits and float32: exact, or off by no more than is allowed.

    Without a bound nothing is lost. `absolute`: no pixel is off by more than this; of integers it is rounded down.
    `relative`, of float32: no pixel is off by more than this share of the range of the values of its chunk, which is
    the greatest finite one minus the least; one hot pixel makes it wide, so that `absolute` says more. Write such a
    chunk as a whole: one that is written in pieces is encoded again, and each time may add an error. `noise`, of
    integers: steps of so many standard deviations of the noise, so that no pixel is off by more than half of it; a
    pixel `x` has the variance `gain * (x - offset) + variance`, and a photon counter has `gain=1`, which is the
    default. `unbiased`: the mean of the errors is 0, for sums over many pixels. `only_zero_becomes_zero`: no other
    value becomes 0. `exact_negatives`: True, negative values are exact; False, not even those of int32; None, those of
    int32 are. `verify`: each chunk is decoded again when it is written. `reference`: what a frame is predicted from:
    "auto", "none", "mean" or "previous". `saturation`: values from it on are exact; 0 for none. `sentinels`: values
    that are no measurements, and kept: integers for integers, floats for float32. NaN and infinities are kept in any
    case. Of the options float32 has `verify`, `reference` and `sentinels`.

    A pixel is predicted from the rows above it, never from the left: traces over time are best stored as (time, trace).

    `noise`, `gain` and `variance` are stored as ratios of whole numbers, rounded down.
    """

    filter_id = BOUNDED_ID
    filter_name = "bounded"
    _REFERENCES = ("auto", "none", "mean", "previous")

    def __init__(
        self,
        absolute: float | None = None,
        noise: float | Fraction | None = None,
        gain: float | Fraction = 1,
        offset: int = 0,
        variance: float | Fraction = 0,
        unbiased: bool = False,
        only_zero_becomes_zero: bool = False,
        exact_negatives: bool | None = None,
        verify: bool = False,
        reference: str = "auto",
        saturation: int = 0,
        sentinels: Sequence[float] | None = None,
        relative: float | None = None,
    ) -> None:
        if sum(bound is not None for bound in (absolute, noise, relative)) > 1:
            raise ValueError("give one of absolute, noise and relative, not both or more")
        if noise is None and (gain != 1 or offset != 0 or variance != 0):
            raise ValueError("gain, offset and variance say what the noise is: give a bound by it, noise=1 for example")
        slots = [0] * _N_SLOTS
        config: dict[str, Any] = {}
        if isinstance(absolute, Integral) and 0 <= absolute < _UINT32:
            config["absolute"] = absolute
            slots[:2] = 1, _integer(absolute, "absolute", 0, _UINT32 - 1)
        elif absolute is not None:
            slots[:3] = 3, *_halves(absolute, "absolute")
            config["absolute"] = float(absolute)
        if noise is not None:
            config["noise"] = ratio = _ratio(noise, "noise")
            slots[:3] = 2, ratio.numerator, ratio.denominator
        if relative is not None:
            slots[:3] = 4, *_halves(relative, "relative")
            if relative >= 1:
                raise ValueError(f"relative is {relative}: give a share of the range, 0.01 for a hundredth")
            config["relative"] = float(relative)
        if gain != 1:
            config["gain"] = ratio = _ratio(gain, "gain")
            slots[3:5] = ratio.numerator, ratio.denominator
        if variance != 0:
            config["variance"] = ratio = _ratio(variance, "variance", _UINT32 - 1)
            slots[6:8] = ratio.numerator, ratio.denominator
        slots[5] = _integer(offset, "offset", -(1 << 31), (1 << 31) - 1) % _UINT32
        slots[8] = unbiased + 2 * only_zero_becomes_zero + {None: 0, True: 4, False: 8}[exact_negatives] + 16 * verify
        slots[9] = _one_of(reference, "reference", self._REFERENCES)
        slots[10] = _integer(saturation, "saturation", 0, _UINT32 - 1)
        given = {
            "offset": (offset, 0),
            "unbiased": (unbiased, False),
            "only_zero_becomes_zero": (only_zero_becomes_zero, False),
            "exact_negatives": (exact_negatives, None),
            "verify": (verify, False),
            "reference": (reference, "auto"),
            "saturation": (saturation, 0),
        }
        config |= {name: value for name, (value, default) in given.items() if value != default}
        if sentinels is not None:
            config["sentinels"] = named = tuple(sentinels)
            slots += [1, *_sentinels(named)]
        while slots and slots[-1] == 0:
            slots.pop()
        super().__init__(slots, config)

    @classmethod
    def _from_filter_options(cls, values: Sequence[int]) -> Bounded:
        slots = (*values[:_N_SLOTS], *(0,) * (_N_SLOTS - len(values)))
        bound, n, d, gain, gain_d, offset, variance, variance_d, options, reference, saturation = slots
        version = values[_N_SLOTS] if len(values) > _N_SLOTS else 0
        if bound > 4 or version > 1 or reference >= len(cls._REFERENCES) or options & 12 == 12 or options >= 32:
            raise ValueError(f"{tuple(values)} are no parameters of the bounded codec")
        named: tuple[float, ...] = tuple(values[18 : 18 + values[17]]) if len(values) > 18 else ()
        if len(values) > 12 and values[12] in (11, 12):
            named = tuple(struct.unpack("<f", struct.pack("<I", bits))[0] for bits in named)
        number = struct.unpack("<d", struct.pack("<II", n, d))[0] if bound > 2 else None
        return cls(
            absolute=n if bound == 1 else number if bound == 3 else None,
            noise=Fraction(n, d or 1) if bound == 2 else None,
            gain=Fraction(gain or 1, gain_d or 1),
            offset=offset - _UINT32 if offset >= _UINT32 // 2 else offset,
            variance=Fraction(variance, variance_d or 1),
            unbiased=bool(options & 1),
            only_zero_becomes_zero=bool(options & 2),
            exact_negatives={0: None, 4: True, 8: False}[options & 12],
            verify=bool(options & 16),
            reference=cls._REFERENCES[reference],
            saturation=saturation,
            sentinels=named or None,
            relative=number if bound == 4 else None,
        )
