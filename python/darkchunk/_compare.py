"""What a codec did to the data: the command `darkchunk compare`, called by a program.

It runs in a process of its own, so that no lock of HDF5 is held meanwhile.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from ._errors import ArgumentError, Error
from ._filters import Filter

_Data = str | os.PathLike[str] | ArrayLike
_ELEMENTS = ("int8", "uint8", "int16", "uint16", "int32", "uint32", "float32", "float64")


@contextmanager
def _named(data: _Data, what: str) -> Iterator[str]:
    """`FILE:/PATH` of data: those of an array are put into a file meanwhile."""
    if isinstance(data, (str, os.PathLike)):
        yield os.fspath(data)
        return
    import h5py

    array = np.asarray(data)
    if array.dtype.name not in _ELEMENTS:
        raise ArgumentError(f"{what} has elements of {array.dtype}: {', '.join(_ELEMENTS)} can be compared")
    with tempfile.TemporaryDirectory(prefix="darkchunk-") as folder:
        name = os.path.join(folder, f"{what}.h5")
        with h5py.File(name, "w") as file:
            file["data"] = array
        yield f"{name}:/data"


def compare(
    reference: _Data,
    test: _Data | None = None,
    *,
    codec: str | Filter | None = None,
    noise: str | tuple[float, float, float] = "counter",
    technique: str | None = None,
    limits: Mapping[str, float | None] | None = None,
    sentinels: Sequence[int] = (),
    saturation: int | None = None,
    mask: ArrayLike | None = None,
    data_range: float | None = None,
    sample: int | None = 16,
    seed: int = 1,
    html: str | os.PathLike[str] | None = None,
    threads: int | None = None,
) -> dict[str, Any]:
    """What was lost, in the units of the experiment, and whether that is within limits.

    Args:
        reference: the counts as they were measured: `"FILE"` or `"FILE:/PATH"`, or an array of integers of 8, 16 or 32
            bits (frames, height, width); or float32 or float64, of which nothing is said in sigma: errors, range,
            zeros, and whether NaN and the like are kept.
        test: the same, decoded from something lossy. A whole dataset is read in blocks, whatever its size; an array is
            first written to a temporary file.
        codec: in place of `test`, a codec that is applied in memory: `Bounded(noise=1)`, or in the words of the command
            `"bounded:noise=1"`, `"drle:20"`.
        noise: sigma of a pixel: `"counter"`, `(gain, offset, variance)`, `"repeats"` or `"none"`.
        technique: `"saxs=ROW,COLUMN"`, `"powder=ROW,COLUMN"`, `"mx"`, `"xpcs=FILE:/LABELS"`, `"vmi"` or
            `"vmi=ROW,COLUMN"`, `"line=FROM..TO"` or `"tomography"` (`"tomography=ROW+ROW,AXIS,DEGREES"`).
        limits: limits of your own, by name; None: not checked.
        sentinels: values that stand for "no measurement".
        saturation: values from here on are saturated.
        mask: (height, width), not 0 where a pixel is masked.
        data_range: for PSNR and SSIM; None: that of the sample.
        sample: frames for SSIM, spots, ghosts and others; None: all.
        seed: which frames are the sample.
        html: a file for the report as a page.
        threads: None: one for each processor.

    Returns:
        All numbers, as the command's JSON object: `result["verdict"]["passes"]`, `result["ratio"]`, `result["report"]`.

    Raises:
        ArgumentError: for data that cannot be compared, and arguments that mean nothing.
        Error: if a file cannot be read.

    """
    if (test is None) == (codec is None):
        raise ArgumentError("give either test or codec")
    with ExitStack() as stack:
        words = ["compare", stack.enter_context(_named(reference, "reference"))]
        if isinstance(codec, Filter):
            codec = f"{codec.filter_id}:{','.join(map(str, codec.filter_options))}"
        if test is not None:
            words += [stack.enter_context(_named(test, "test"))]
        if mask is not None:
            masked = (np.asarray(mask) != 0).astype(np.uint8)
            words += ["--mask", stack.enter_context(_named(masked, "mask"))]
        if limits is not None:
            folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="darkchunk-"))
            words += ["--limits", _written(folder, dict(limits))]
        options = {"codec": codec, "technique": technique, "saturation": saturation, "range": data_range, "html": html}
        words += [f"--{name}={value}" for name, value in (options | {"jobs": threads}).items() if value is not None]
        words += [f"--sentinel={value}" for value in sentinels]
        words += ["--all"] if sample is None else [f"--sample={sample}"]
        return _run([*words, f"--noise={_noise(noise)}", f"--seed={seed}"])


def _written(folder: str, limits: dict[str, float | None]) -> str:
    name = os.path.join(folder, "limits.json")
    with open(name, "w", encoding="utf-8") as file:
        json.dump(limits, file)
    return name


def _noise(noise: str | tuple[float, float, float]) -> str:
    return noise if isinstance(noise, str) else ",".join(repr(float(number)) for number in noise)


def _run(words: Sequence[str]) -> dict[str, Any]:
    command = [sys.executable, "-m", "darkchunk", *words, "--json"]
    done = subprocess.run(command, capture_output=True, text=True, encoding="utf-8", check=False)
    if done.returncode not in (0, 1) or not done.stdout:
        text = done.stderr.strip().removeprefix("darkchunk: ").removeprefix("error: ")
        raise (ArgumentError if done.returncode == 2 else Error)(text or f"the command ended with {done.returncode}")
    found = json.loads(done.stdout)
    assert isinstance(found, dict)
    return found
