"""Makes `pytables-3.8.h5` and `pandas-2.0.h5`: files of PyTables up to 3.9.2, which put fletcher32 before Blosc.

The chunk that Blosc is given is then four bytes longer than the dataset's, while its parameters say the dataset's. The files
lie beside this recipe, as today's PyTables does not make such files:

    python3.11 -m venv old && old/bin/pip install tables==3.8.0 numpy==1.26.4 pandas==2.0.3
    old/bin/python tests/data/pytables/make.py
"""

from pathlib import Path

import numpy as np

FOLDER = Path(__file__).parent
COMPRESSORS = ["blosclz", "lz4", "lz4hc", "zlib", "zstd"]
SHUFFLES = ["none", "byte", "bit"]
TYPES = ["<i2", ">u2", "<i4", "<f8"]
SHAPE, CHUNK = (5, 9, 11), (2, 9, 11)
N_ROWS = 300


def frames(dtype):
    """Frames with a bright pixel in every seventh."""
    numbers = np.arange(np.prod(SHAPE)).reshape(SHAPE)
    return np.where(numbers % 7 == 3, numbers % 1009, 0).astype(dtype)


def rows():
    numbers = np.arange(N_ROWS)
    columns = [("id", "<i4"), ("energy", "<f8"), ("flag", "u1")]
    return np.rec.fromarrays([numbers, numbers * 0.25, numbers % 3], dtype=columns)


def names():
    """{name of an array: (compressor, shuffle, element type)}"""
    chains = [(compressor, shuffle) for compressor in COMPRESSORS for shuffle in SHUFFLES]
    return {f"{chain[0]}_{chain[1]}": (*chain, TYPES[index % len(TYPES)]) for index, chain in enumerate(chains)}


def filters(compressor, shuffle):
    import tables

    shuffles = dict(shuffle=shuffle == "byte", bitshuffle=shuffle == "bit")
    return tables.Filters(complevel=5, complib=f"blosc:{compressor}", fletcher32=True, **shuffles)


def write_tables(path):
    import tables

    with tables.open_file(path, "w") as file:
        for name, (compressor, shuffle, dtype) in names().items():
            options = dict(filters=filters(compressor, shuffle), chunkshape=CHUNK)
            file.create_carray("/", name, obj=frames(dtype), track_times=False, **options)
        file.create_table("/", "rows", obj=rows(), filters=filters("zstd", "byte"), track_times=False)


def write_pandas(path):
    import pandas

    with pandas.HDFStore(path, "w", complevel=5, complib="blosc:zstd", fletcher32=True) as store:
        store.append("rows", pandas.DataFrame(rows()))


if __name__ == "__main__":
    write_tables(FOLDER / "pytables-3.8.h5")
    write_pandas(FOLDER / "pandas-2.0.h5")
