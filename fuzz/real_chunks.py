"""Small chunks and pieces of frames out of real files, for fuzz seeds: real_chunks.py DATA OUT.

Of every dataset with one of the five filters the first chunks that are small, and of larger bitshuffled ones as many
blocks as fit; of the others a few rows of a few columns. OUT gets manifest.json and chunks.bin (as tests/corpus/chunks), and
pixels.json and pixels.bin.
"""

import json
import struct
import sys
from pathlib import Path

import h5py
import numpy as np

FILTERS = (36114, 32008, 32001, 32004, 32015)
MOST_BYTES = 3900
CHUNKS_OF_A_DATASET = 3
PIECE = (20, 40)


def filter_of(dataset):
    """The number and parameters of its only filter, if that is one of ours."""
    plist = dataset.id.get_create_plist()
    if dataset.chunks is None or plist.get_nfilters() != 1:
        return None
    number, _, values, _ = plist.get_filter(0)
    return (number, list(values)) if number in FILTERS else None


def cut_bitshuffle(values, chunk):
    """The first blocks of a chunk with compressed blocks, as a chunk of their own."""
    if len(values) < 5 or values[4] not in (2, 3):
        return None
    block_bytes = struct.unpack_from(">I", chunk, 8)[0]
    at, n_blocks = 12, 0
    while at + 4 <= len(chunk):
        end = at + 4 + struct.unpack_from(">I", chunk, at)[0]
        if end > MOST_BYTES:
            break
        at, n_blocks = end, n_blocks + 1
    return struct.pack(">QI", n_blocks * block_bytes, block_bytes) + chunk[12:at] if n_blocks else None


def chunks_of(dataset, number, values):
    for at in range(min(CHUNKS_OF_A_DATASET, dataset.id.get_num_chunks())):
        mask, chunk = dataset.id.read_direct_chunk(dataset.id.get_chunk_info(at).chunk_offset)
        if mask == 0 and len(chunk) > MOST_BYTES and number == 32008:
            chunk = cut_bitshuffle(values, chunk)
        if mask == 0 and chunk and len(chunk) <= MOST_BYTES:
            yield at, chunk


def piece_of(dataset):
    """The brightest of some pieces of the first frame: most are of nothing but dark pixels."""
    if dataset.dtype.kind not in "iuf" or dataset.ndim < 2 or dataset.dtype.itemsize > 4:
        return None
    frame = dataset[(0,) * (dataset.ndim - 2)]
    height, width = (min(of, n) for of, n in zip(PIECE, frame.shape))
    rows = range(0, frame.shape[0] - height + 1, height)
    columns = range(0, frame.shape[1] - width + 1, width)
    corners = [(row, column) for row in rows for column in columns]
    pieces = [frame[y : y + height, x : x + width] for y, x in corners[:: max(1, len(corners) // 200)]]
    return max(pieces, key=lambda piece: np.count_nonzero(piece != np.median(piece)), default=None)


class Rows:
    """Rows of JSON, and their bytes one after the other."""

    def __init__(self):
        self.rows, self.bytes = [], b""

    def put(self, bytes, **row):
        self.rows.append(dict(row, at=len(self.bytes), n_bytes=len(bytes)))
        self.bytes += bytes

    def write(self, json_path, bytes_path):
        json_path.write_text(json.dumps(self.rows))
        bytes_path.write_bytes(self.bytes)


def take(name, dataset, chunks, pixels):
    found = filter_of(dataset)
    if found:
        for at, chunk in chunks_of(dataset, *found):
            chunks.put(chunk, name=f"{name}-{at}", filter=found[0], stored=found[1], expected="right")
        return
    plist = dataset.id.get_create_plist()
    is_readable = all(plist.get_filter(at)[0] < 256 for at in range(plist.get_nfilters()))
    piece = piece_of(dataset) if is_readable else None
    if piece is not None:
        kind = {"i": "signed", "u": "unsigned"}.get(dataset.dtype.kind, "other")
        little = np.ascontiguousarray(piece, piece.dtype.newbyteorder("<"))
        pixels.put(little.tobytes(), name=name, **{"class": kind}, dims=[1, *piece.shape])


def main(data, out):
    chunks, pixels = Rows(), Rows()
    for path in sorted(Path(data).rglob("*.h*5")):
        with h5py.File(path) as file:
            def visit(name, item):
                if isinstance(item, h5py.Dataset):
                    take(f"{path.stem}-{name.replace('/', '-')}", item, chunks, pixels)

            file.visititems(visit)
    out.mkdir(parents=True, exist_ok=True)
    chunks.write(out / "manifest.json", out / "chunks.bin")
    pixels.write(out / "pixels.json", out / "pixels.bin")
    print(f"{len(chunks.rows)} real chunks, {len(pixels.rows)} pieces of real frames")


main(sys.argv[1], Path(sys.argv[2]))
