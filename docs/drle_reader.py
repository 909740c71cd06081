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


def number(data, at):
    """Seven bits a byte, the lowest first; the number, and where it ends."""
    value = 0
    for shift in range(0, 35, 7):
        check(at < len(data), "a number is cut short")
        value, at = value | (data[at] & 127) << shift, at + 1
        if data[at - 1] < 128:
            return value, at
    raise ValueError("DRLE: a number has more than 5 bytes")


def put_exceptions(data, pixels):
    """Records: the gap since the last one, a kind, and what the kind needs: a number of pixels, one value or several."""
    at, end, last = 0, 0, 0xFFFF
    while at < len(data):
        head, at = number(data, at)
        kind, start = head & 7, end + (head >> 3)
        n, at = number(data, at) if kind & 1 or kind == 6 else (1, at)
        check(kind < 7 and 0 < n <= len(pixels) - start, "exceptions are not in their segment")
        n_values = 0 if kind < 2 else 1 if kind < 4 else n
        check(len(data) >= at + 2 * n_values, "values are cut short")
        values, at, end = np.frombuffer(data, "<u2", n_values, at), at + 2 * n_values, start + n
        last = values[0] if kind in (2, 3) else last
        pixels[start:end] = last if kind < 4 else values


def segment(data, n_pixels):
    """A stream and, where the number of bytes is odd, the list of exceptions after it; the bits of the pixels."""
    if len(data) % 2 == 0:
        return stream(data, n_pixels)
    length, n_last = (*struct.unpack_from("<I", data[-5:]), 5) if data[-1] == 255 else (data[-1], 1)
    end = len(data) - n_last - length % 2
    check(0 < length <= end and (length >= 255) == (n_last == 5), "the length of a list is wrong")
    check(not any(data[end : len(data) - n_last]), "the byte after a list is not 0")
    pixels = stream(data[: end - length], n_pixels)
    put_exceptions(data[end - length : end], pixels)
    return pixels


def table(data, at):
    """A table of the entropy coder: for each number below 2048 its token, the token's frequency, and how far into it the number is."""
    n, at = number(data, at)
    frequencies = []
    for _ in range(n):
        frequency, at = number(data, at)
        frequencies.append(frequency)
    check(n <= 52 and sum(frequencies) == 2048, "a table is damaged")
    return [(token, f, offset) for token, f in enumerate(frequencies) for offset in range(f)], at


def unpacked(data, tables, threshold, n_pixels):
    """The pixels of a packed segment: dark runs and bright values in turn, as tokens of an entropy coder and bits after it."""
    n, at = number(data, 1)
    check(n <= n_pixels and n <= 16 * len(data) and 2 * n_pixels <= 65536 * len(data), "a segment is too short for its pixels")
    n_list, at = number(data, at)
    exceptions, at = data[at : at + n_list], at + n_list
    n_stream, at = number(data, at)
    coded, bits = data[at : at + n_stream], data[at + n_stream :]
    lanes = next((lanes for least, lanes in ((32768, 32), (8192, 16), (2048, 8), (256, 4)) if 2 * n >= least), 1)
    check(len(exceptions) == n_list and len(coded) == n_stream >= 4 * lanes and n_stream % 2 == 0, "a stream is cut short")
    states, words = np.frombuffer(coded, "<u4", lanes).tolist(), np.frombuffer(coded, "<u2", offset=4 * lanes).tolist()
    word, n_bits, at, pixels = 0, 0, 0, np.zeros(n_pixels, np.int64)
    for index in range(2 * n):
        state = states[index % lanes]
        token, frequency, offset = tables[index % 2][state % 2048]
        state = frequency * (state >> 11) + offset
        if state < 1 << 15:
            check(word < len(words), "a stream ends early")
            state, word = state << 16 | words[word], word + 1
        states[index % lanes] = state
        octave = 4 + (token - 16) // 2 if token < 32 else token - 20
        least, more = (token, 0) if token < 16 else (2 + token % 2 << octave - 1, octave - 1) if token < 32 else (1 << octave, octave)
        low = int.from_bytes(bits[n_bits // 8 : n_bits // 8 + 5], "little") >> n_bits % 8 & (1 << more) - 1
        value, n_bits = least + low, n_bits + more
        at += value if index % 2 == 0 else 1
        check(at < n_pixels if index % 2 == 0 else value + threshold <= 32767, "a run or a value is out of range")
        if index % 2:
            pixels[at - 1] = value + threshold
    check(word == len(words) and set(states) <= {1 << 15}, "a stream does not end where its segment does")
    check(n_bits <= 8 * len(bits) and int.from_bytes(bits, "little") >> n_bits == 0, "a segment has other bits than it needs")
    put_exceptions(exceptions, pixels)
    return pixels


def container(chunk):
    """Segments after a header and a table of their ends and checksums."""
    fields = struct.unpack_from("<4sBBHHHIII", chunk)
    magic, version, element, reserved, threshold, reserved_too, length, n_bytes, checksum = fields
    check(magic == b"DRLE" and version in (1, 2, 3) and reserved == reserved_too == 0, "not a container of version 1 to 3")
    check(element in TYPES and 1 <= threshold <= 32767 and length and n_bytes % 2 == 0, "a field is out of range")
    n_pixels = n_bytes // 2
    n_segments = -(-n_pixels // length)
    start = 24 + 8 * (n_segments + (version == 3))
    check(start <= len(chunk) and zlib.crc32(chunk[:20] + chunk[24:start]) == checksum, "header or table is damaged")
    pixels = np.zeros(n_pixels, TYPES[element])
    entries = list(struct.iter_unpack("<II", chunk[24:start]))
    if version == 3:
        end, checksum = entries.pop(0)
        data, start = chunk[start:end], end
        runs, at = table(data, 0)
        values, at = table(data, at)
        check(at == len(data) and zlib.crc32(data) == checksum, "the tables of a packed container are damaged")
    for index, (end, checksum) in enumerate(entries):
        data, part = chunk[start:end], pixels[index * length : (index + 1) * length]
        check(start <= end <= len(chunk) and zlib.crc32(data) == checksum, f"segment {index} is damaged")
        check(len(data) % 2 == 0 or version > 1, "a segment ends within a token")
        is_packed = version == 3 and data[:1] == b"\1"
        check(version < 3 or data[:1] in (b"\0", b"\1"), "a segment is neither packed nor a stream")
        decoded = unpacked(data, (runs, values), threshold, part.size) if is_packed else segment(data[version == 3 :], part.size)
        part.view(TYPES[element][0] + "u2")[:] = decoded
        start = end
    check(start == len(chunk), "bytes after the last segment")
    return pixels


def decode(chunk, cd_values):
    """The pixels of one stored chunk, as one line."""
    _, mode, _, version, element, _, n_bytes = (*cd_values, *(0, 0, 0, 1, 1, 0, 0)[len(cd_values) :])[:7]
    check(mode in (0, 1, 2) and version in (1, 2, 3) and element in TYPES, "unknown parameters")
    pixels = stream(chunk, n_bytes // 2).astype(TYPES[element]) if mode == 1 else container(chunk)
    check(n_bytes in (0, pixels.nbytes), "the chunk has another size than the parameters say")
    check(len(cd_values) < 5 or pixels.dtype == TYPES[element], "the chunk has another element type than the parameters say")
    return pixels
