"""Frames of a dataset in any HDF5 file, for `cargo xtask demo --input`.

    source.py describe FILE DATASET         prints {"shape": [N, H, W], "dtype": "i16" or "u16"}
    source.py raw FILE DATASET              prints the frames raw, little-endian
    source.py expected FILE DATASET T N     the first N, pixels below T set to 0: what the recording must hold
"""

import json
import os
import sys

import h5py
import numpy as np

TYPES = {"int16": "i16", "uint16": "u16"}


def fail(message):
    sys.exit(f"error: {message}")


def open_dataset(path, name):
    if not os.path.exists(path):
        fail(f"there is no file {path}")
    try:
        file = h5py.File(path, "r")
    except OSError as error:
        fail(f"{path} does not open as HDF5: {error}")
    if not name:
        fail(f"--dataset is missing; {path} holds {datasets(file)}")
    if not isinstance(file.get(name), h5py.Dataset):
        fail(f"{path} has no dataset {name}; it holds {datasets(file)}")
    return file[name]


def datasets(file):
    found = []
    file.visititems(lambda name, item: found.append(name) if isinstance(item, h5py.Dataset) else None)
    return ", ".join(found[:20]) or "no dataset"


def shape(dataset):
    """(frames, height, width); a single image is one frame."""
    if dataset.ndim not in (2, 3) or 0 in dataset.shape:
        fail(f"{dataset.name} has the shape {dataset.shape}: frames have (frames, height, width), all above 0")
    return (1,) * (3 - dataset.ndim) + dataset.shape


def describe(dataset):
    kind = dataset.dtype.newbyteorder("=").name
    if kind not in TYPES:
        fail(f"{dataset.name} holds {dataset.dtype}: the demo records int16 and uint16 frames")
    print(json.dumps({"shape": shape(dataset), "dtype": TYPES[kind]}))


def frames(dataset, n):
    little_endian = dataset.dtype.newbyteorder("<")
    for index in range(n):
        yield np.ascontiguousarray(dataset[index] if dataset.ndim == 3 else dataset[()], dtype=little_endian)


def main():
    command, path, name, *rest = sys.argv[1:]
    dataset = open_dataset(path, name)
    if command == "describe":
        return describe(dataset)
    for frame in frames(dataset, int(rest[1]) if command == "expected" else shape(dataset)[0]):
        if command == "expected":
            frame[frame < int(rest[0])] = 0
        try:
            sys.stdout.buffer.write(frame.tobytes())
        except BrokenPipeError:
            # Whoever reads has failed and says why.
            os._exit(1)


if __name__ == "__main__":
    main()
