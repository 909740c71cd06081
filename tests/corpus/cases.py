"""The corpus as cases for hosts, and as HDF5 files: each case a dataset of one chunk.

To the chunks of `tests/corpus/chunks/` come every truncation of each format's sound chunk, and every byte of it changed. The
files are made without any plugin: the filters are set as optional ones, which HDF5 lets pass, with exactly the
parameters that a dataset has, and the bytes are written past them (`H5Dwrite_chunk`).

`python cases.py FOLDER VALUES CHANGES N`: writes them, and `job.json`, which hosts are given. VALUES are the parameters: as
darkchunk stores them ("stored") or has stored them ("earlier"), as the reference does ("reference"), or with claims that are not
so ("claimed").
"""

import json
import random
import sys
from pathlib import Path
from typing import NamedTuple

FOLDER = Path(__file__).resolve().parent / "chunks"
# Cases in one file: netCDF opens all of them when it opens the file.
IN_ONE_FILE = 250


class Case(NamedTuple):
    name: str
    format: str
    filter: int
    values: tuple
    chunk: bytes
    # "error", "right", "other size" (see make.py), or "any": a changed byte that no checksum covers may be a changed pixel.
    expected: str


def manifest():
    return json.loads((FOLDER / "manifest.json").read_text())


def right():
    return (FOLDER / "right.raw").read_bytes()


def shape():
    row = manifest()[0]
    return tuple(row["shape"]), row["dtype"]


def committed(values="stored"):
    """The chunks of the corpus with the parameters that darkchunk stores ("stored") or has stored ("earlier"), or the reference
    ("reference")."""
    chunks = (FOLDER / "chunks.bin").read_bytes()
    for row in manifest():
        if row.get(values) is not None:
            chunk = chunks[row["at"]: row["at"] + row["n_bytes"]]
            yield Case(row["name"], row["format"], row["filter"], tuple(row[values]), chunk, row["expected"])


def generated(values, changes):
    """Every truncation of the sound chunks, every byte with `changes`, and parameter arrays of every length."""
    for case in committed(values):
        if case.name != case.format:
            continue
        # Pixels that are stored as they are have no more to say after the first few.
        last = 64 if len(case.chunk) >= len(right()) else len(case.chunk)
        for n_bytes in {*range(1, last), len(case.chunk) - 1}:
            yield case._replace(name=f"{case.name}-cut-{n_bytes}", chunk=case.chunk[:n_bytes], expected="error")
        expected = "error" if case.format in ("drle", "drle-sentinels", "drle-packed", "bounded", "bounded-sparse", "bounded-float") else "any"
        for at in range(last):
            for change in changes:
                chunk = bytearray(case.chunk)
                chunk[at] ^= change
                name = f"{case.name}-byte-{at}-{change:02x}"
                yield case._replace(name=name, chunk=bytes(chunk), expected=expected)
        for n_values in range(len(case.values) + 6):
            parameters = (case.values + (0xFFFFFFFF,) * 6)[:n_values]
            name = f"{case.name}-with-{n_values}-parameters"
            yield case._replace(name=name, values=parameters, expected="any")


# Where a chunk's size stands in the parameters that darkchunk stores or has stored. DRLE's nobody else writes, and so they are insisted on.
CLAIMS = {32008: 6, 32001: 3, 32004: 1, 32015: 1}
# Bytes that the corpus's short chunks decode to.
SHORT_BYTES = {"blosc": 300, "blosc-copy": 14}


def claimed():
    """Sound chunks whose parameters claim another size, and short ones whose parameters say so."""
    n_bytes = len(right())
    for case in committed("stored"):
        slot = CLAIMS.get(case.filter)
        if slot is None or case.name not in (case.format, f"{case.format}-short"):
            continue
        is_short = case.name != case.format
        own = SHORT_BYTES.get(case.format, SHORT_BYTES.get(case.format.split("-")[0], 14))
        for claim in [own] if is_short else [1, own, n_bytes - 2, n_bytes + 4, 2 * n_bytes, 0xFFFFFFFF]:
            values = (*case.values[:slot], claim, *case.values[slot + 1:])
            expected = "error" if is_short else "right"
            yield case._replace(name=f"{case.name}-claims-{claim}", values=values, expected=expected)


def all_cases(values="stored", changes=(), n_generated=None):
    """The corpus, and where `changes` are given what is generated from it, or so many of that, the same ones every time."""
    if values == "claimed":
        return list(claimed())
    found = list(generated(values, changes)) if changes else []
    if n_generated is not None and n_generated < len(found):
        found = random.Random(36114).sample(found, n_generated)
    return [*committed(values), *found]


def write(cases, folder):
    """Writes HDF5 files with one dataset a case; returns [(path, [case names])]. Needs h5py, and no plugins."""
    import h5py
    import numpy as np

    (dims, dtype), files = shape(), []
    space, datatype = h5py.h5s.create_simple(dims), h5py.h5t.py_create(np.dtype(dtype))
    cases = list(cases)
    for start in range(0, len(cases), IN_ONE_FILE):
        path = f"{folder}/{start:06}.h5"
        group = cases[start: start + IN_ONE_FILE]
        with h5py.File(path, "w") as file:
            for case in group:
                plist = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
                plist.set_chunk(dims)
                plist.set_filter(case.filter, h5py.h5z.FLAG_OPTIONAL, case.values)
                dataset = h5py.h5d.create(file.id, case.name.encode(), datatype, space, plist)
                dataset.write_direct_chunk((0,) * len(dims), case.chunk)
        files.append((path, [case.name for case in group]))
    return files


def main(folder, values, changes, n_generated):
    files = write(all_cases(values, json.loads(changes), json.loads(n_generated)), folder)
    job = dict(right=str(FOLDER / "right.raw"), files=files)
    (Path(folder) / "job.json").write_text(json.dumps(job))


if __name__ == "__main__":
    main(*sys.argv[1:])
