"""Chunks of the bounded codec by its format, and what can be wrong with them. An encoder of its own, as simple as can be: one tap,
one table, one lane; no loss."""

import struct
import zlib

import numpy as np

N_TOKENS = 52


def number(value):
    out = b""
    while value >= 0x80:
        out += bytes([value & 0x7F | 0x80])
        value >>= 7
    return out + bytes([value])


def signed(value):
    return number(2 * value if value >= 0 else -2 * value - 1)


def token(folded):
    """Token, bits, number of bits."""
    if folded < 16:
        return folded, 0, 0
    octave = folded.bit_length() - 1
    n_bits = octave if octave >= 12 else octave - 1
    base = 20 + octave if octave >= 12 else 16 + 2 * (octave - 4) + (folded >> (octave - 1) & 1)
    return base, folded & ((1 << n_bits) - 1), n_bits


def fold(value):
    return 2 * value if value >= 0 else -2 * value - 1


def table(tokens):
    """Frequencies that add up to 2048."""
    counts = np.bincount(np.array(tokens or [0]), minlength=N_TOKENS)
    frequencies = np.where(counts > 0, np.maximum(1, counts * 2048 // counts.sum()), 0)
    frequencies[frequencies.argmax()] += 2048 - frequencies.sum()
    return [int(frequency) for frequency in frequencies]


def stored_table(frequencies):
    n = max(at for at, frequency in enumerate(frequencies) if frequency) + 1
    return number(n) + b"".join(number(frequency) for frequency in frequencies[:n])


def stream(symbols, n_lanes):
    """`symbols` are pairs of frequencies and token."""
    states, words = [1 << 15] * n_lanes, []
    for index, (frequencies, symbol) in reversed(list(enumerate(symbols))):
        state, frequency = states[index % n_lanes], frequencies[symbol]
        if state >= frequency << 20:
            words.append(state & 0xFFFF)
            state >>= 16
        state = (state // frequency << 11) + state % frequency + sum(frequencies[:symbol])
        states[index % n_lanes] = state
    return struct.pack(f"<{n_lanes}I{len(words)}H", *states, *reversed(words))


def bits_of(parts):
    value = at = 0
    for bits, n_bits in parts:
        value |= bits << at
        at += n_bits
    return value.to_bytes((at + 7) // 8, "little")


def predicted(frame, has_tap):
    """Tokens and bits of a frame, each pixel predicted as the one above it."""
    above = np.vstack([np.zeros((1, frame.shape[1]), int), frame[:-1]]) if has_tap else np.zeros_like(frame)
    # A difference changes its sign where the prediction is not below the nearest level, as here it never is.
    return [token(fold(-int(difference))) for difference in (frame - above).ravel()]


def sparse(frame):
    """Runs and values in turn."""
    parts, run = [], 0
    for value in frame.ravel():
        if value == 0:
            run += 1
        else:
            parts += [token(run), token(fold(int(value)) - 1)]
            run = 0
    return parts


def front(models, n_pixels, *, scale=(0, 0, -32768, 32767), reference=0, lanes=0, achieved=None):
    origin, shift, least, most = scale
    achieved = number(n_pixels) + bytes(6) if achieved is None else achieved
    head = number(0) + achieved + b"\0" + b"\1" + bytes(2) + bytes(4) + bytes([reference, lanes])
    return head + signed(origin) + bytes([shift]) + struct.pack("<hh", least, most) + models


def model(frequencies, taps=(), thresholds=()):
    stored = b"".join(struct.pack("<Bbbh", *tap) for tap in taps)
    return (
        bytes([len(taps)]) + stored + bytes(4) + bytes([len(thresholds) + 1])
        + struct.pack(f"<{len(thresholds)}i", *thresholds) + stored_table(frequencies) * (len(thresholds) + 1)
    )


def assemble(front, segments, shape, n_bytes, *, header=(1, 1, 0, 0)):
    height, width = shape
    start = 28 + len(front) + 8 * len(segments)
    entries, end = b"", start
    for segment in segments:
        end += len(segment)
        entries += struct.pack("<II", end, zlib.crc32(segment))
    head = b"DCBD" + bytes(header) + struct.pack("<IIII", height, width, n_bytes, len(front))
    checksum = zlib.crc32(head + front + entries)
    return head + struct.pack("<I", checksum) + front + entries + b"".join(segments)


def parts(data, is_sparse=False):
    """Models, segments, and the shape of a frame."""
    height, width = data.shape[-2:] if data.ndim > 1 else (1, data.size)
    frames = data.reshape(-1, height, width).astype(int)
    has_tap = height >= 8 and width >= 16
    if is_sparse:
        coded = [sparse(frame) for frame in frames]
        tables = [table([part[0] for frame in coded for part in frame[at::2]]) for at in (0, 1)]
        models = model(table([0])) + b"\1" + b"".join(stored_table(frequencies) for frequencies in tables)
    else:
        coded = [predicted(frame, has_tap) for frame in frames]
        tables = [table([part[0] for frame in coded for part in frame])]
        models = model(tables[0], [(0, 1, 0, 4096)] if has_tap else []) + b"\0"
    segments = []
    for frame in coded:
        n_lanes = (1 if len(frame) < 256 else 4 if len(frame) < 2048 else 32) if is_sparse else 1
        coded_stream = stream([(tables[at % len(tables)], part[0]) for at, part in enumerate(frame)], n_lanes)
        count = number(len(frame) // 2) if is_sparse else b""
        bits = bits_of([part[1:] for part in frame])
        segments.append(bytes([is_sparse]) + count + number(len(coded_stream)) + coded_stream + bits)
    return models, segments, (height, width)


def chunk(data, is_sparse=False):
    models, segments, shape = parts(data, is_sparse)
    return assemble(front(models, data.size), segments, shape, data.nbytes)


def damages(data):
    """Chunks under checksums that fit: (name, bytes, what is wrong, expected)."""
    models, segments, shape = parts(data)
    good = front(models, data.size)

    def made(front=good, segments=segments, shape=shape, n_bytes=data.nbytes, **more):
        return assemble(front, segments, shape, n_bytes, **more)

    def of(**more):
        return made(front(models, data.size, **more))

    yield "version", made(header=(2, 1, 0, 0)), "version 2", "error"
    yield "element", made(header=(1, 13, 0, 0)), "an element type that does not exist", "error"
    yield "other-element", made(header=(1, 3, 0, 0)), "another element type than the dataset's", "error"
    yield "bound", made(header=(1, 1, 5, 0)), "a bound that does not exist", "error"
    yield "bound-of-floats", made(header=(1, 1, 3, 0)), "a bound of float32", "error"
    yield "options", made(header=(1, 1, 0, 16)), "options that do not exist", "error"
    yield "no-height", made(shape=(0, 31)), "frames without rows", "error"
    yield "huge-width", made(shape=(1, 2**32 - 1)), "frames of 4 Gpixel", "error"
    yield "size", made(n_bytes=data.nbytes * 1000), "a size a thousand times the dataset's", "error"
    yield "reference", of(reference=1), "a reference where there are two frames", "error"
    yield "previous", of(reference=2), "the frame before as reference where there are two frames", "error"
    yield "no-reference", of(reference=3), "a reference that does not exist", "error"
    yield "lanes", of(lanes=6), "64 lanes", "error"
    yield "two-lanes", of(lanes=1), "two lanes where there is one", "error"
    yield "shift", of(scale=(0, 17, 0, 1)), "a shift of 17", "error"
    yield "scale", of(scale=(0, 0, 1, 0)), "a least value above the most", "error"
    yield "sentinels", made(good[: 1 + len(number(data.size)) + 6] + b"\11" + good[2 + len(number(data.size)) + 6 :]), "9 sentinels", "error"
    yield "long-front", made(good + b"\0"), "a front with a byte after its end", "error"
    yield "short-front", made(good[:-1]), "a front without its last byte", "error"
    frequencies = table([0])
    for what, taps, wrong in [
        ("tap-row", [(0, 0, 1, 4096)], "a tap of the row itself"),
        ("tap-left", [(0, 1, 3, 4096)], "a tap three pixels to the left"),
        ("tap-plane", [(2, 1, 0, 4096)], "a tap of a plane that does not exist"),
        ("tap-reference", [(1, 0, 0, 4096)], "a tap of a reference that is not there"),
        ("taps", [(0, 1, 0, 1)] * 17, "17 taps"),
    ]:
        yield what, made(front(model(frequencies, taps) + b"\0", data.size)), wrong, "error"
    many = model(frequencies, thresholds=range(16))
    yield "tables", made(front(many + b"\0", data.size)), "17 tables", "error"
    sum_of_table = model(frequencies)[:-3] + b"\1" + number(2047)
    yield "table", made(front(sum_of_table + b"\0", data.size)), "frequencies that add up to 2047", "error"
    for what, segment, wrong in [
        ("empty", b"", "a frame without a byte"),
        ("mode", b"\4" + segments[0][1:], "a mode that does not exist"),
        ("flags", b"\x80" + segments[0][1:], "a frame with an option that does not exist"),
        ("exceptions", b"\x40\1\0" + bytes(4) + segments[0][1:], "exceptions of integers"),
        ("first-model", b"\x10" + segments[0][1:], "a model that is not there"),
        ("no-runs", b"\1\1" + number(4) + struct.pack("<I", 1 << 15), "a sparse frame without its tables"),
        ("states", b"\0" + number(3) + bytes(3), "a stream that ends within a state"),
        ("low-state", b"\0" + number(4) + bytes(4), "a state below 2^15"),
        ("high-state", b"\0" + number(4) + b"\xff" * 4, "a state of 2^32 - 1"),
        ("odd-words", b"\0" + number(5) + struct.pack("<IB", 1 << 15, 0), "a stream that ends within a word"),
        ("short-stream", b"\0" + number(4) + struct.pack("<I", 1 << 15), "a stream without words"),
        ("no-bits", segments[0][: -max(1, len(segments[0]) // 20)], "a frame without its last bits"),
        ("more-bits", segments[0] + b"\1", "a frame with more bits than it has"),
        ("constant", b"\2\0\1", "a frame of one level with a byte after it"),
        ("raw", b"\3" + bytes(10), "a raw frame of ten bytes"),
    ]:
        yield what, made(segments=[segment, segments[1]]), wrong, "error"
    end = struct.unpack_from("<I", made(), 28 + len(good))[0]
    raw = [b"\3" + data[at].tobytes() for at in range(2)]
    yield "all-raw", made(number(0) + number(data.size) + bytes(6) + b"\0\0", raw), "nothing: its frames are raw", "right"
    moved = bytearray(made())
    struct.pack_into("<I", moved, 28 + len(good), end + 1)
    yield "end", bytes(moved), "the end of a frame is one too far, without a checksum for it", "error"
    yield "tail", made() + b"\0", "a byte after the last frame", "error"


FLOAT_SHAPE = (25, 31)


def float_front(n_pixels, *, bound=(0.5, 0.5, 0.75), saturation=0, errors=(0.5, 0, 0), coded=None):
    """The front of a chunk of float32, one lane, no taps."""
    head = struct.pack(f"<{len(bound)}d", *bound) + number(saturation) + number(n_pixels) + struct.pack("<3d", *errors) + bytes(2)
    if coded is None:
        return head + b"\0\0"
    return head + b"\0" + b"\1" + bytes(2) + bytes(4) + bytes(2) + signed(0) + struct.pack("<Bhh", 0, -1, 1) + coded


def exceptions(frame):
    """A frame of one level, of which each pixel is an exception; of the bytes `frame`."""
    n = len(frame) // 4
    return number(n) + bytes(n) + frame


def float_chunk(data):
    """The bytes of `data` as float32 within half of 1, that no level is near enough to."""
    raw = data.tobytes()
    height, width = FLOAT_SHAPE if len(raw) % (4 * FLOAT_SHAPE[0] * FLOAT_SHAPE[1]) == 0 else (1, len(raw) // 4)
    frames = [raw[at : at + 4 * height * width] for at in range(0, len(raw), 4 * height * width)]
    segments = [b"\x42" + exceptions(frame) + signed(0) for frame in frames]
    front_of = float_front(len(raw) // 4, coded=model(table([0])) + b"\0")
    return assemble(front_of, segments, (height, width), len(raw), header=(1, 11, 3, 0))


def exact_float_chunk(data):
    """The same without loss: levels are bits in their order, each predicted as 0."""
    bits = data.reshape(-1).view("<i4").astype(np.int64)
    levels = np.where(bits < 0, bits ^ 0x7FFFFFFF, bits)
    coded = [token(fold(int((-level + 2**31) % 2**32 - 2**31))) for level in levels]
    frequencies = table([part[0] for part in coded])
    coded_stream = stream([(frequencies, part[0]) for part in coded], 1)
    segment = b"\0" + number(len(coded_stream)) + coded_stream + bits_of([part[1:] for part in coded])
    front_of = float_front(len(levels), bound=(), errors=(0, 0, 0), coded=model(frequencies) + b"\0")
    return assemble(front_of, [segment], FLOAT_SHAPE, data.nbytes, header=(1, 11, 0, 0))


def float_damages(data):
    """As `damages`, of a chunk of float32."""
    coded, n_pixels = model(table([0])) + b"\0", data.size // 2
    good = b"\x42" + exceptions(data.tobytes()) + signed(0)

    def made(segment=good, header=(1, 11, 3, 0), **more):
        return assemble(float_front(n_pixels, coded=coded, **more), [segment], FLOAT_SHAPE, data.nbytes, header=header)

    yield "exact", exact_float_chunk(data), "nothing: it is exact", "right"
    raw = assemble(float_front(n_pixels), [b"\3" + data.tobytes()], FLOAT_SHAPE, data.nbytes, header=(1, 11, 3, 8))
    yield "raw", raw, "nothing: a check failed, and its frame is raw", "right"
    yield "relative", made(header=(1, 11, 4, 0)), "nothing: a relative bound", "right"
    yield "counts", made(header=(1, 11, 1, 0)), "a bound in counts", "error"
    yield "big-endian", made(header=(1, 12, 3, 0)), "another byte order than the dataset's", "error"
    yield "unbiased", made(header=(1, 11, 3, 1)), "an option of integers", "error"
    yield "saturation", made(saturation=9), "a saturation", "error"
    nan, infinite = float("nan"), float("inf")
    for what, bound, wrong in [
        ("nan", (nan, 0.5, 0.75), "a bound that is no number"),
        ("below-0", (-0.5, 0.5, 0.75), "a bound below 0"),
        ("tolerance", (0.5, infinite, 0.75), "a tolerance without end"),
        ("no-tolerance", (0.5, 0, 0.75), "steps without a tolerance"),
        ("no-step", (0.5, 0.5, 0), "a tolerance without steps"),
        ("short-step", (0.5, 0.5, 2.0**-121), "steps that are too short"),
        ("long-step", (0.5, 0.5, 2.0**128), "steps that are too long"),
    ]:
        yield what, made(bound=bound), wrong, "error"
    yield "error", made(errors=(nan, 0, 0)), "an error that is no number", "error"
    set_of = number(n_pixels) + bytes(n_pixels)
    for what, segment, wrong in [
        ("no-exceptions", b"\x42" + number(0) + signed(0), "exceptions of which there is none"),
        ("outside", b"\x42" + number(n_pixels) + b"\1" + bytes(n_pixels - 1) + data.tobytes() + signed(0), "an exception after the last pixel"),
        ("set", b"\x42" + number(n_pixels) + bytes(n_pixels - 1) + b"\x80" + data.tobytes() + signed(0), "a set that does not end"),
        ("bits", b"\x42" + set_of + data.tobytes()[:-8], "exceptions without their bits"),
        ("raw-exceptions", b"\x43" + exceptions(data.tobytes()) + data.tobytes(), "exceptions of a raw frame"),
        ("exceptions-tail", good + b"\1", "a frame with a byte after its end"),
    ]:
        yield what, made(segment), wrong, "error"
