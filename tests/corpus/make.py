"""Makes the corpus of bad chunks, `tests/corpus/chunks/`: run it with the Python of `.venv`.

A sound chunk for each format (from hdf5plugin's encoders, DRLE's and the bounded codec's written here by hand), and what a broken disk, a
killed writer or somebody malicious could make of it. The same bytes come out every time: the pixels are seeded, and
nothing depends on the machine. `chunks.bin` holds the stored bytes of all of them, one behind the other, `right.raw` the
pixels that every dataset has. `manifest.json` says of each chunk where it is, which filter and which parameters it belongs to
(as darkchunk stores them, as earlier versions of it did, and as the reference implementation of the filter does), what is wrong
with it, and what must become of it: "error", "right" (nothing but the right data), or "other size": it is sound, but no chunk of
this dataset, and the parameters do not say so; HDF5 from 2.2 on and the plugin where it is certain still refuse it.
`cases.py` adds every truncation and every changed byte.
"""

import json
import tempfile
from pathlib import Path

import numpy as np

import bounded
import damage
import packed

FOLDER = Path(__file__).resolve().parent / "chunks"
SHAPE = (2, 25, 31)
DTYPE = "<i2"
N_BYTES = int(np.prod(SHAPE)) * 2
DRLE, BITSHUFFLE, BLOSC, LZ4, ZSTD, BOUNDED = 36114, 32008, 32001, 32004, 32015, 36115



def pixels():
    """Dark frames with 3 % bright pixels, none of them below DRLE's threshold of 10."""
    rng = np.random.default_rng(36114)
    return np.where(rng.random(SHAPE) < 0.03, rng.integers(10, 4000, SHAPE), 0).astype(DTYPE)


# Bright pixels that are called sentinels: the first and the last of all.
SENTINELS = tuple(int(value) for value in pixels()[pixels() != 0][[0, -1]])

# Format: filter, parameters a caller gives, as darkchunk stores them, as the reference does.
FORMATS = {
    "drle": (DRLE, (10,), (10, 0, 0, 1, 1, 775, N_BYTES), None),
    "drle-sentinels": (
        DRLE, (10, 0, 0, 2, 0, 0, 0, 0, 2, *SENTINELS), (10, 0, 0, 2, 1, 775, N_BYTES, 0, 2, *SENTINELS), None
    ),
    "drle-bare": (DRLE, (10, 1), (10, 1, 0, 1, 1, 775, N_BYTES), None),
    "drle-packed": (DRLE, (10, 2), (10, 2, 0, 3, 1, 775, N_BYTES), None),
    "bitshuffle": (BITSHUFFLE, (256, 0), (0, 4, 2, 256, 0, 0, N_BYTES), (0, 4, 2, 256)),
    "bitshuffle-lz4": (BITSHUFFLE, (256, 2), (0, 4, 2, 256, 2, 0, N_BYTES), (0, 4, 2, 256, 2)),
    "bitshuffle-zstd": (BITSHUFFLE, (256, 3, 3), (0, 4, 2, 256, 3, 3, N_BYTES), (0, 4, 2, 256, 3, 3)),
    "lz4": (LZ4, (1024,), (1024, N_BYTES), (1024,)),
    "zstd": (ZSTD, (3,), (3,), (3,)),
    "bounded": (BOUNDED, (), (*[0] * 11, 1, 1, 25, 31, N_BYTES, 0, 0), None),
    "bounded-sparse": (BOUNDED, (0,), (*[0] * 11, 1, 1, 25, 31, N_BYTES, 0, 0), None),
    # As if the same bytes were float32.
    "bounded-float": (BOUNDED, (3, 0, 0x3FE00000), (3, 0, 0x3FE00000, *[0] * 8, 1, 11, 25, 31, N_BYTES, 0, 0), None),
} | {
    f"blosc-{name}": (BLOSC, (0, 0, 0, 0, level, shuffle, code), *[(2, 2, 2, N_BYTES, level, shuffle, code)] * 2)
    for name, level, shuffle, code in [
        ("blosclz", 5, 1, 0), ("lz4", 5, 2, 1), ("snappy", 5, 0, 3), ("zlib", 5, 1, 4), ("zstd", 5, 1, 5),
        ("copy", 0, 1, 0),
    ]
}

# As earlier versions of darkchunk stored them.
EARLIER = {"zstd": (3, N_BYTES)}


def encoded_by_hdf5plugin(name, data, folder):
    """The stored bytes of `data` as one chunk, by hdf5plugin's encoder."""
    import h5py
    import hdf5plugin  # noqa: F401

    number, given, _, _ = FORMATS[name]
    with h5py.File(f"{folder}/made.h5", "w") as file:
        # An optional filter, so that Blosc's plain copy comes out too.
        dataset = file.create_dataset("chunk", data=data, chunks=data.shape, compression=number, compression_opts=given)
        mask, chunk = dataset.id.read_direct_chunk((0,) * data.ndim)
        assert mask == 0, f"{name}: stored without the filter"
        return bytes(chunk)


def sound_chunk(name, data, folder):
    raw = data.tobytes()
    if name == "drle":
        return damage.drle_container(data, threshold=10)
    if name == "drle-sentinels":
        return damage.drle_with_sentinels(data, 10, SENTINELS)
    if name == "drle-bare":
        return damage.drle_stream(data.reshape(-1), 10)
    if name == "drle-packed":
        return packed.chunk(data)
    if name == "bounded-float":
        return bounded.float_chunk(data)
    if name.startswith("bounded"):
        return bounded.chunk(data, is_sparse=name.endswith("sparse"))
    if name == "blosc-copy":
        return damage.blosc_copy(raw)
    return encoded_by_hdf5plugin(name, data, folder)


def rows(data, folder):
    """(name, format, chunk, what is wrong, expected)"""
    twice = np.concatenate([data, data])
    for name in FORMATS:
        chunk = sound_chunk(name, data, folder)
        yield name, name, chunk, "nothing", "right"
        yield from ((f"{name}-{what}", name, bad, wrong, "error") for what, bad, wrong in damage.everywhere(chunk))
        short, long = (sound_chunk(name, part, folder) for part in [damage.few(name, data), twice])
        expected = "other size" if name == "zstd" else "error"
        yield f"{name}-short", name, short, "a sound chunk that decodes to too little", expected
        yield f"{name}-long", name, long, "a sound chunk that decodes to twice the size", expected
        by_hand = {"bounded": bounded.damages, "bounded-float": bounded.float_damages, "drle-packed": packed.damages}
        damages = by_hand[name](data) if name in by_hand else damage.of_format(name, chunk, data)
        for what, bad, wrong, expected in damages:
            yield f"{name}-{what}", name, bad, wrong, expected


def main():
    FOLDER.mkdir(parents=True, exist_ok=True)
    for old in FOLDER.iterdir():
        old.unlink()
    data = pixels()
    (FOLDER / "right.raw").write_bytes(data.tobytes())
    manifest, chunks = [], b""
    with tempfile.TemporaryDirectory() as folder:
        for name, base, chunk, wrong, expected in rows(data, folder):
            number, given, ours, reference = FORMATS[base]
            manifest.append(
                dict(name=name, format=base, filter=number, given=given, stored=ours, reference=reference, dtype=DTYPE,
                     shape=SHAPE, chunk=SHAPE, at=len(chunks), n_bytes=len(chunk), wrong=wrong, expected=expected)
                | ({"earlier": EARLIER[base]} if base in EARLIER else {})
            )
            chunks += chunk
    (FOLDER / "chunks.bin").write_bytes(chunks)
    lines = ",\n".join(json.dumps(row) for row in manifest)
    (FOLDER / "manifest.json").write_text(f"[\n{lines}\n]\n")
    print(f"{len(manifest)} chunks, {sum(f.stat().st_size for f in FOLDER.iterdir())} bytes in {FOLDER}")


if __name__ == "__main__":
    main()
