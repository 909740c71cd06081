"""Packed DRLE containers by their format, and what can be wrong with them. An encoder of its own, as simple as can be."""

import numpy as np

from bounded import bits_of, number, stored_table, stream, table, token
from damage import LENGTHS_32, drle_frame, drle_stream

THRESHOLD = 10


def pairs(frame):
    """The dark pixels before each bright one, and its value above the threshold, in turn."""
    bright = np.flatnonzero(frame >= THRESHOLD)
    runs = np.diff(bright, prepend=-1) - 1
    return [int(part) for pair in zip(runs, frame[bright] - THRESHOLD) for part in pair]


def lanes(n_tokens):
    return next((n for least, n in ((32768, 32), (8192, 16), (2048, 8), (256, 4)) if n_tokens >= least), 1)


def segment(parts, tables, n_lanes=None, n_bright=None, listed=b"", coded=None, bits=None, first=1):
    tokens = [token(part) for part in parts]
    symbols = [(tables[at % 2], part[0]) for at, part in enumerate(tokens)]
    coded = stream(symbols, n_lanes or lanes(len(symbols))) if coded is None else coded
    bits = bits_of([part[1:] for part in tokens]) if bits is None else bits
    n_bright = len(parts) // 2 if n_bright is None else n_bright
    return bytes([first]) + number(n_bright) + number(len(listed)) + listed + number(len(coded)) + coded + bits


def parts_of(data):
    """Tables and segments; frames are the segments."""
    frames = [pairs(frame) for frame in data.reshape(-1, min(775, data.size)).astype(int)]
    tables = [table([token(part)[0] for frame in frames for part in frame[at::2]]) for at in (0, 1)]
    return frames, tables


def codes(tables):
    return b"".join(map(stored_table, tables))


def chunk(data):
    frames, tables = parts_of(data)
    return drle_frame([codes(tables), *(segment(frame, tables) for frame in frames)], data.nbytes, version=3)


def damages(data):
    """(name, bytes, what is wrong, expected)"""
    (first, second), tables = parts_of(data)
    n_bytes = data.nbytes

    def of(one=first, tables=tables, stored=None, n_bytes=n_bytes, **changed):
        stored = codes(tables) if stored is None else stored
        return drle_frame([stored, segment(one, tables, **changed), segment(second, tables)], n_bytes, version=3)

    # Tables in which every token is.
    all_tokens = [table([*range(52)])] * 2
    plain = b"\0" + drle_stream(data[0].reshape(-1), THRESHOLD)
    mixed = [codes(tables), plain, segment(second, tables)]
    yield "plain-segment", drle_frame(mixed, n_bytes, version=3), "nothing: a segment that is not packed", "right"
    yield "padded", of(bits=bits_of([token(part)[1:] for part in first]) + bytes(9)), "nothing: zeros after the bits", "right"
    yield "version-2", drle_frame(mixed, n_bytes, version=2), "a packed container that says it is none", "error"
    yield "form-2", of(first=2), "no such form of a segment", "error"
    yield "more-bright", of(n_bright=len(first) // 2 + 1), "a bright pixel more than the stream has", "error"
    yield "fewer-bright", of(n_bright=len(first) // 2 - 1), "a bright pixel fewer than the stream has", "error"
    for what, value in LENGTHS_32.items():
        yield f"bright-{what}", of(n_bright=value), f"claims {value} bright pixels", "error"
        yield f"size-{what}", of(n_bytes=value), f"claims {value} bytes", "error"
    yield "run-long", of([776, *first[1:]], all_tokens), "a run past the segment's end", "error"
    yield "run-huge", of([2**32 - 1, *first[1:]], all_tokens), "a run of 2^32 - 1", "error"
    n_dark_after = 775 - sum(first[::2]) - len(first) // 2
    yield "too-long", of([first[0] + n_dark_after + 1, *first[1:]], all_tokens), "a pixel too many", "error"
    yield "too-bright", of([first[0], 32758, *first[2:]], all_tokens), "a value of 32768", "error"
    yield "cut", of(coded=stream([], 1)), "a stream of states alone", "error"
    yield "lanes", of(n_lanes=4), "more lanes than the tokens need", "error"
    yield "state", of(coded=bytes(4)), "a state of 0", "error"
    yield "odd", of(coded=stream([], 1) + b"\0"), "a stream that ends within a word", "error"
    yield "no-bits", of(bits=b""), "a segment without its bits", "error"
    yield "more-bits", of(bits=bits_of([token(part)[1:] for part in first]) + b"\1"), "more bits than are needed", "error"
    yield "list", of(listed=number(776 << 3)), "an exception beyond the segment", "error"
    yield "list-cut", of(listed=b"\x02"), "a list that ends within a record", "error"
    yield "codes-short", of(stored=codes(tables)[:-1]), "tables that lack a byte", "error"
    yield "codes-long", of(stored=codes(tables) + b"\0"), "a byte after the tables", "error"
    yield "codes-missing", of(stored=b""), "no tables", "error"
    yield "codes-sum", of(stored=number(1) + number(2047) + stored_table(tables[1])), "frequencies of 2047", "error"
    yield "codes-many", of(stored=number(53) + b"\0" * 53 + stored_table(tables[1])), "a table of 53 tokens", "error"
    certain = [table([0]), table([5])]
    bomb = segment([], certain, n_bright=775, coded=stream([(certain[0], 0)], 4), bits=b"")
    yield "bomb", drle_frame([codes(certain), bomb, bomb], n_bytes, version=3), "775 bright pixels out of nothing", "error"
    empty = segment([], tables)
    yield "dark-bomb", drle_frame([codes(tables), empty], 64 << 20, segment_pixels=32 << 20, version=3), "64 MB out of 8 bytes", "error"
