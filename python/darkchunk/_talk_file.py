"""Writing the ordinary file that `darkchunk.talk.convert` makes."""

from __future__ import annotations

import os
from typing import Any

import numpy as np

from ._errors import Error
from ._open import open
from ._writer import Writer

# What tells PyTables that a dataset is a VLArray.
_TABLES = {"CLASS", "VERSION", "FLAVOR", "PSEUDOATOM"}


def write(
    source: Any, path: str, dataset: str, index: str | None, images: Any, filter: Any, frames_per_chunk: int
) -> None:
    """A new file with all that `source` has; in place of the streams their images."""
    import h5py

    old = source[dataset]
    left_out = {old.name} | ({source[index].name} if index else set())
    with h5py.File(path, "x", libver="earliest") as file:
        _copy(source, file, left_out)
        shape = images.shape[1:]
        with Writer(file, old.name, shape, "int16", filter, frames_per_chunk=frames_per_chunk, sum=False) as writer:
            for image in images:
                writer.push(image)
        for name in set(old.attrs) - _TABLES:
            _copy_attribute(old, file[old.name], name)


def _copy(source: Any, target: Any, left_out: set[str]) -> None:
    """The members and attributes of a group, but those datasets."""
    import h5py

    for name in source.attrs:
        _copy_attribute(source, target, name)
    for name in source:
        link, path = source.get(name, getlink=True), f"{source.name.rstrip('/')}/{name}"
        if not isinstance(link, h5py.HardLink):
            target[name] = link
        elif any(other.startswith(f"{path}/") for other in left_out):
            _copy(source[name], target.create_group(name), left_out)
        elif path not in left_out:
            source.copy(name, target)


def _copy_attribute(source: Any, target: Any, name: str) -> None:
    old = source.attrs.get_id(name)
    target.attrs.create(name, source.attrs[name], shape=old.shape, dtype=old.dtype)


def compare(path: str, dataset: str, images: Any) -> None:
    """Reads the file again."""
    with open(path, dataset) as written:
        if written.shape != images.shape:
            raise Error(f"the new dataset has shape {written.shape}, not {images.shape}")
        for index, image in written.iter_frames():
            if not np.array_equal(image, images[index]):
                raise Error(f"image {index} is another after compression: choose a filter without loss")


def name(part: str, out: str) -> None:
    """Gives the file its name; no other file of this name is lost."""
    try:
        os.link(part, out)
    except FileExistsError:
        raise
    except OSError:
        # No hard links here.
        os.rename(part, out)
