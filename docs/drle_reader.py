"""A reader of DRLE chunks (HDF5 filter 36114), with numpy and zlib alone: docs/format.md in code, and an answer without the plugin.

    import h5py, drle_reader
    dataset = h5py.File("run.h5")["frames"]
    values = dataset.id.get_create_plist().get_filter(0)[2]      # the filter's parameters, cd_values
    mask, chunk = dataset.id.read_direct_chunk((17, 0, 0))       # stored bytes; mask 1: the chunk is the pixels themselves
    frames = drle_reader.decode(chunk, values).reshape(dataset.chunks)

What is damaged is a ValueError (or struct.error, where bytes are missing), never other pixels.
"""

import struct
import zlib

import numpy as np

TYPES = {1: "<i2", 2: ">i2", 3: "<u2", 4: ">u2"}


def check(is_sound, what):
    if not is_sound:
        raise ValueError(f"DRLE: {what}")


def stream(data, n_pixels):
    """Tokens: below 0 a run of so many dark pixels, 0 one dark pixel, above 0 a bright pixel."""
    tokens = np.frombuffer(data, "<i2").astype(np.int64)
    lengths = np.where(tokens < 0, -tokens, 1)
    check(lengths.sum() == n_pixels, "the stream stands for another number of pixels")
    return np.repeat(np.maximum(tokens, 0), lengths)


def container(chunk):
    """Segments, each a stream, behind a header and a table of their ends and checksums."""
    fields = struct.unpack_from("<4sBBHHHIII", chunk)
    magic, version, element, reserved, threshold, reserved_too, segment, n_bytes, checksum = fields
    check((magic, version, reserved, reserved_too) == (b"DRLE", 1, 0, 0), "not a container of version 1")
    check(element in TYPES and 1 <= threshold <= 32767 and segment and n_bytes % 2 == 0, "a field is out of range")
    n_pixels = n_bytes // 2
    n_segments = -(-n_pixels // segment)
    start = 24 + 8 * n_segments
    check(start <= len(chunk) and zlib.crc32(chunk[:20] + chunk[24:start]) == checksum, "header or table is damaged")
    pixels = np.zeros(n_pixels, TYPES[element])
    for index, (end, checksum) in enumerate(struct.iter_unpack("<II", chunk[24:start])):
        data, part = chunk[start:end], pixels[index * segment : (index + 1) * segment]
        check(start <= end <= len(chunk) and zlib.crc32(data) == checksum, f"segment {index} is damaged")
        part[:] = stream(data, part.size)
        start = end
    check(start == len(chunk), "bytes behind the last segment")
    return pixels


def decode(chunk, cd_values):
    """The pixels of one stored chunk, as one line."""
    _, mode, _, version, element, _, n_bytes = (*cd_values, *(0, 0, 0, 1, 1, 0, 0)[len(cd_values) :])[:7]
    check(mode in (0, 1) and version == 1 and element in TYPES, "unknown parameters")
    pixels = stream(chunk, n_bytes // 2).astype(TYPES[element]) if mode else container(chunk)
    check(n_bytes in (0, pixels.nbytes), "the chunk has another size than the parameters say")
    check(len(cd_values) < 5 or pixels.dtype == TYPES[element], "the chunk has another element type than the parameters say")
    return pixels
