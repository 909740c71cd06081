"""What can be wrong with a chunk, format by format. Chunks are made by hand here, field by field."""

import struct
import zlib

import numpy as np

LENGTHS_64 = {"0": 0, "1": 1, "minus-1": 2**64 - 1, "2-31": 2**31, "2-63": 2**63, "64-mb": 64 << 20}
LENGTHS_32 = {"0": 0, "1": 1, "minus-1": 2**32 - 1, "2-31": 2**31, "int-max": 0x7FFFFFFF}


def put(chunk, at, layout, value):
    """`chunk` with one field changed."""
    field = struct.pack(layout, value)
    return chunk[:at] + field + chunk[at + len(field):]


def everywhere(chunk):
    """Damage that needs no knowledge of the format: (name, bytes, what is wrong)."""
    rng = np.random.default_rng(len(chunk))
    yield "1-byte", chunk[:1], "one byte is left"
    yield "4-bytes", chunk[:4], "four bytes are left"
    yield "half", chunk[: len(chunk) // 2], "the second half is missing"
    yield "no-tail", chunk[:-3], "the last three bytes are missing"
    yield "zeros", bytes(len(chunk) + 1), "overwritten with zeros"
    yield "ones", b"\xff" * (len(chunk) + 1), "overwritten with 0xff"
    yield "noise", rng.bytes(len(chunk) + 1), "overwritten with noise"


def few(name, data):
    """The seven pixels of the short chunk; of Blosc's encoders, which do not take so few, 150, and of float32 eight, which are four of it."""
    n_pixels = 150 if name.startswith("blosc") and name != "blosc-copy" else 8 if name == "bounded-float" else 7
    return np.ascontiguousarray(data.reshape(-1)[:n_pixels])


def of_format(name, chunk, data):
    """Damage to a format's own fields: (name, bytes, what is wrong, expected)."""
    if name in ("bitshuffle-lz4", "bitshuffle-zstd", "lz4"):
        yield from of_framed(chunk, data.nbytes)
    if name == "lz4":
        yield from of_lz4(data.nbytes)
    if name == "zstd":
        yield from of_zstd(chunk, data)
    if name == "drle":
        yield from of_drle(chunk, data)
    if name == "drle-sentinels":
        yield from of_drle_list(chunk, data)
    if name == "drle-bare":
        yield from of_drle_bare(data.size)
    if name.startswith("blosc"):
        yield from of_blosc(chunk, data)
    if name == "blosc-copy":
        yield from of_blosc_blocks(data)
    if name == "blosc-zlib":
        yield from of_blosc_zlib(data)


# Bitshuffle and LZ4: u64 BE decoded size, u32 BE block size; per block u32 BE length and data.


def of_framed(chunk, n_bytes):
    for what, value in LENGTHS_64.items():
        yield f"size-{what}", put(chunk, 0, ">Q", value), f"claims {value} bytes", "error"
    yield "size-64-mb-of-16-bytes", struct.pack(">QII", 64 << 20, 8192, 0), "claims 64 MB and has 16 bytes", "error"
    for more in (-1, 1, -2, 2, 16):
        yield f"size-off-by-{more}", put(chunk, 0, ">Q", n_bytes + more), f"claims {n_bytes + more} bytes", "error"
    for what, value in LENGTHS_32.items():
        yield f"length-{what}", put(chunk, 12, ">I", value), f"the first block has {value} bytes", "error"
        # A block may be larger than the chunk, but then the first one is longer than what there is of it.
        yield f"block-{what}", put(chunk, 8, ">I", value), f"the block size is {value}", "error"
    (length,) = struct.unpack(">I", chunk[12:16])
    for more in (-1, 1):
        yield f"length-off-by-{more}", put(chunk, 12, ">I", length + more), "the first block's length is off", "error"
    yield "many-blocks", struct.pack(">QI", 2**32 - 16, 16) + bytes(4096), "claims 2^28 blocks", "error"
    yield "no-blocks", struct.pack(">QI", n_bytes, 512), "ends behind its header", "error"
    yield "bytes-behind", chunk + b"\xaa" * 32, "has 32 bytes behind its end, which are left alone", "right"


def lz4_block(n_bytes, stream, block=None):
    return struct.pack(">QII", n_bytes, block or n_bytes, len(stream)) + stream


def of_lz4(n_bytes):
    def block(stream):
        return lz4_block(n_bytes, stream)

    yield "stored-past-end", struct.pack(">QII", n_bytes, n_bytes, n_bytes) + bytes(16), "a stored block past the end", "error"
    yield "offset-0", block(b"\x1fA\x00\x00" + b"\xff" * 11 + b"\x90"), "a match at offset 0", "error"
    yield "offset-before-start", block(b"\x1fA\xff\xff" + b"\xff" * 11 + b"\x90"), "a match before the start", "error"
    yield "match-too-long", block(b"\x1fA\x01\x00" + b"\xff" * 64 + b"\x00"), "a match past the decoded size", "error"
    yield "match-endless", block(b"\x1fA\x01\x00" + b"\xff" * 4096), "a match whose length does not end", "error"
    yield "literals-endless", block(b"\xf0" + b"\xff" * 4096), "literals whose length does not end", "error"
    yield "literals-too-many", block(b"\xf0\xff\xff" + bytes(16)), "more literals than there are", "error"
    yield "no-last-literals", block(b"\x1fA\x01\x00" + b"\xff" * 11 + b"\xe4"), "ends with a match that is too short", "error"
    yield "empty-block", block(b""), "a block without a byte", "error"
    bomb = b"\x1fA\x01\x00" + b"\xff" * 8192
    yield "bomb", lz4_block(4 << 20, bomb), "4 MB from 8 KB", "error"
    yield "bomb-2-gb", lz4_block(2**31, bomb), "claims 2 GB", "error"


# Zstd: magic, frame header descriptor, window, content size; blocks of a 3-byte header.

MAGIC = bytes.fromhex("28b52ffd")


def zstd_frame(blocks, content=None, window=0x50, descriptor=None):
    """A frame by hand: window byte, 8-byte content size where it has one, and `blocks`: (last, type, size, bytes)."""
    head = MAGIC + bytes([descriptor if descriptor is not None else (0xC0 if content is not None else 0), window])
    if content is not None:
        head += struct.pack("<Q", content)
    return head + b"".join(struct.pack("<I", size << 3 | kind << 1 | last)[:3] + data for last, kind, size, data in blocks)


def of_zstd(chunk, data):
    n_bytes = data.nbytes
    raw, repeat, reserved = 0, 1, 3
    zeros = [(1, repeat, n_bytes, b"\0")]
    # (All ones mean that a frame does not state its size.)
    for what, value in (LENGTHS_64 | {"minus-1": 2**64 - 2, "int-max": 0x7FFFFFFF, "off-by-1": n_bytes + 1}).items():
        yield f"size-{what}", zstd_frame(zeros, value), f"the frame claims {value} bytes", "error"
    yield "reserved-block", zstd_frame([(1, reserved, n_bytes, b"\0")], n_bytes), "a block of the reserved type", "error"
    yield "reserved-bit", zstd_frame(zeros, n_bytes, descriptor=0xC8), "a reserved bit is set", "error"
    yield "dictionary", zstd_frame(zeros, n_bytes, descriptor=0xC1), "needs a dictionary", "error"
    yield "window-huge", zstd_frame(zeros, n_bytes, window=0xFF), "a window of 3.75 TB", "error"
    yield "raw-past-end", zstd_frame([(1, raw, n_bytes, b"abc")], n_bytes), "a raw block past the end", "error"
    yield "no-last-block", zstd_frame([(0, repeat, n_bytes, b"\0")], n_bytes), "no block is the last one", "error"
    few, many = zstd_frame([(1, repeat, 14, b"\0")]), zstd_frame([(1, repeat, n_bytes + 1, b"\0")])
    yield "no-size-short", few, "states no size and decodes to 14 bytes", "other size"
    yield "no-size-long", many, "states no size and decodes to too much", "other size"
    bomb = [(i == 511, repeat, 128 << 10, b"\0") for i in range(512)]
    yield "bomb", zstd_frame(bomb, 64 << 20), "64 MB from 2 KB", "other size"
    yield "bomb-claims-right-size", zstd_frame(bomb, n_bytes), "64 MB from 2 KB that claims the right size", "error"
    yield "bomb-without-size", zstd_frame(bomb), "64 MB from 2 KB, and no size", "other size"
    yield "empty-blocks", zstd_frame([(0, raw, 0, b"")] * 4096, n_bytes), "4096 empty blocks and no last one", "error"
    yield "skippable", struct.pack("<II", 0x184D2A50, 0xFFFFFFF0) + bytes(32), "a frame to be skipped, of 4 GB", "error"
    yield "bytes-behind", chunk + b"\xaa" * 32, "has 32 bytes behind the frame", "error"
    yield from of_zstd_frames(data.tobytes())


def of_zstd_frames(raw):
    """What other writers store: frames without a size, several of them, and more than frames."""
    stored, cut = 0, 1000

    def frame(content, has_size=True):
        return zstd_frame([(1, stored, len(content), content)], len(content) if has_size else None)

    first, second, skipped = frame(raw[:cut]), frame(raw[cut:]), struct.pack("<II", 0x184D2A5F, 5) + b"hello"
    yield "no-size", frame(raw, has_size=False), "nothing: a frame that does not state its size", "right"
    yield "two-frames", first + second, "nothing: two frames", "right"
    yield "two-frames-no-size", frame(raw[:cut], has_size=False) + second, "nothing: two frames, one without a size", "right"
    yield "skipped", skipped + first + skipped + second, "nothing: frames that are to be skipped", "right"
    yield "zeros-behind", first + second + bytes(40), "nothing: zeros behind the frames", "right"
    yield "second-cut", first + second[:-1], "the second frame lacks a byte", "error"
    yield "second-magic", first + b"\x29" + second[1:], "the second frame's magic number is damaged", "error"
    yield "second-missing", first, "the second frame is missing", "other size"
    yield "second-twice", first + second + second, "the second frame is there twice", "other size"
    yield "skipped-alone", skipped, "no frame but one to be skipped", "error"
    yield "skipped-cut", first + second + skipped[:-1], "a frame to be skipped lacks a byte", "error"


# DRLE: a header of 24 bytes, a table of (end, checksum), streams. See docs/format.md.


def drle_stream(pixels, threshold):
    tokens, run = [], 0
    for pixel in [*pixels.tolist(), None]:
        if pixel is not None and pixel < threshold and run < 2**15:
            run += 1
            continue
        if run:
            tokens.append(-run if run > 1 else 0)
        run = 0
        if pixel is not None:
            tokens.append(pixel)
    return np.array(tokens, "<i2").tobytes()


def drle_frame(streams, n_bytes, segment_pixels=775, threshold=10, element=1, version=1, ends=None):
    """A container by hand; its checksums are those of what is in it."""
    head = struct.pack("<4sBBHHHII", b"DRLE", version, element, 0, threshold, 0, segment_pixels, n_bytes)
    at, table = 24 + 8 * len(streams), b""
    for index, stream in enumerate(streams):
        at += len(stream)
        table += struct.pack("<II", ends[index] if ends else at, zlib.crc32(stream))
    return head + struct.pack("<I", zlib.crc32(head + table)) + table + b"".join(streams)


def drle_container(data, threshold):
    """The sound container; frames are the segments."""
    frames = data.reshape(-1, min(775, data.size))
    return drle_frame([drle_stream(frame, threshold) for frame in frames], data.nbytes)


def tokens(*values):
    return np.array(values, "<i2").tobytes()


def of_drle(chunk, data):
    first, second = (drle_stream(frame.reshape(-1), 10) for frame in data)
    n_bytes, both = data.nbytes, [first, second]
    for what, value in LENGTHS_32.items():
        yield f"size-{what}", drle_frame(both, value), f"claims {value} bytes", "error"
        yield f"segment-{what}", drle_frame(both, n_bytes, segment_pixels=value), f"segments of {value} pixels", "error"
        yield f"end-{what}", drle_frame(both, n_bytes, ends=[value, value]), f"segments that end at {value}", "error"
    yield "ends-swapped", drle_frame(both, n_bytes, ends=[len(chunk), 40 + len(first)]), "segments that overlap", "error"
    yield "end-before-payload", drle_frame(both, n_bytes, ends=[8, len(chunk)]), "a segment within the table", "error"
    yield "threshold-0", drle_frame(both, n_bytes, threshold=0), "threshold 0", "error"
    yield "threshold-40000", drle_frame(both, n_bytes, threshold=40000), "threshold 40000", "error"
    yield "element", drle_frame(both, n_bytes, element=3), "another element type than the dataset's", "error"
    yield "element-9", drle_frame(both, n_bytes, element=9), "no such element type", "error"
    yield "version", drle_frame(both, n_bytes, version=4), "another version", "error"
    yield "version-2", drle_frame(both, n_bytes, version=2), "nothing: version 2, in which no segment has a list", "right"
    odd = closed(first, record(0, 0))
    yield "list-in-version-1", drle_frame([odd, second], n_bytes), "a list in a container of version 1", "error"
    yield "many-segments", drle_frame(both, 2**32 - 2, segment_pixels=1), "2^31 segments", "error"
    yield "segment-short", drle_frame([first, second[:-2]], n_bytes), "a segment that is a token short", "error"
    yield "segment-long", drle_frame([first, second + tokens(0)], n_bytes), "a segment that is a token long", "error"
    yield "segment-empty", drle_frame([first, b""], n_bytes), "a segment without tokens", "error"
    yield "run-too-long", drle_frame([first, tokens(-776)], n_bytes), "a run past the segment's end", "error"
    yield "bomb", drle_frame([tokens(*[-32768] * 512)] * 2, n_bytes), "32 M pixels in the segments", "error"
    bomb = drle_frame([tokens(*[-32768] * 1024)], 64 << 20, segment_pixels=32 << 20)
    yield "bomb-64-mb", bomb, "64 MB from 2 KB", "error"
    yield "bytes-behind", chunk + b"\xaa" * 32, "has bytes behind its last segment", "error"


# Version 2: behind a segment's stream the list of its exceptions, and the list's length; the segment is odd then.

SENTINEL, WIDE, SEVERAL, AS_THEY_ARE = 2, 4, 1, 6


def number(value):
    """Seven bits a byte, the lowest first."""
    low = bytes([value & 0x7F | (0x80 if value > 0x7F else 0)])
    return low + (number(value >> 7) if value > 0x7F else b"")


def record(gap, kind, n=None, values=()):
    """One record of a list; `n` where it has one."""
    return number(gap << 3 | kind) + (b"" if n is None else number(n)) + tokens(*values)


def closed(stream, listed, length=None, padding=b"\0", long=None):
    """A segment of this stream and list."""
    length = len(listed) if length is None else length
    long = length >= 255 if long is None else long
    end = struct.pack("<IB", length, 255) if long else struct.pack("<B", length)
    return stream + listed + padding * (len(listed) % 2) + end


def drle_list(pixels, sentinels):
    """The list of the sentinels in these pixels."""
    listed, end, last = b"", 0, -1
    pixels = pixels.tolist()
    for start, value in enumerate(pixels):
        if value not in sentinels or start and pixels[start - 1] == value:
            continue
        n = next((i for i, other in enumerate(pixels[start:]) if other != value), len(pixels) - start)
        kind = (0 if value == last else SENTINEL) | (SEVERAL if n > 1 else 0)
        listed += record(start - end, kind, n if n > 1 else None, () if value == last else (value,))
        end, last = start + n, value
    return listed


def drle_with_sentinels(data, threshold, sentinels):
    """The sound container of frames with these sentinels."""
    segments = []
    for frame in data.reshape(-1, min(775, data.size)):
        listed = drle_list(frame.reshape(-1), sentinels)
        stream = drle_stream(np.where(np.isin(frame, sentinels), 0, frame), threshold)
        segments.append(closed(stream, listed) if listed else stream)
    return drle_frame(segments, data.nbytes, version=2 if any(len(part) % 2 for part in segments) else 1)


def of_drle_list(chunk, data):
    frame, second = (part.reshape(-1) for part in data)
    second = drle_stream(second, 10)
    n_pixels = frame.size
    (lone,) = np.flatnonzero(frame)[:1].tolist()
    value = int(frame[lone])
    rest = frame.copy()
    rest[lone] = 0
    # The frame but for its first bright pixel, which a list has to bring.
    stream, dark = drle_stream(rest, 10), drle_stream(np.zeros_like(frame), 10)
    right = record(lone, WIDE, None, (value,))

    def chunk_of(segment, version=2):
        return drle_frame([segment, second], data.nbytes, version=version)

    def listed(what, list_, wrong, expected="error", stream=stream, **closing):
        return what, chunk_of(closed(stream, list_, **closing)), wrong, expected

    whole = record(0, AS_THEY_ARE, n_pixels, frame.tolist())
    yield listed("wide", right, "nothing: one bright pixel in the list", "right")
    yield listed("wide-several", record(lone, WIDE | SEVERAL, 1, (value,)), "nothing: one, said to be several", "right")
    yield listed("sentinel", record(lone, SENTINEL, None, (value,)), "nothing: the pixel is a sentinel", "right")
    again = record(lone, SENTINEL, None, (value,)) + record(n_pixels - lone - 2, AS_THEY_ARE, 1, frame[-1:].tolist())
    yield listed("as-it-is", again, "nothing: a bright pixel, and the last one as it is", "right")
    yield listed("as-they-are", whole, "nothing: all pixels are in the list", "right", stream=dark)
    yield listed("number-long", bytes([right[0] & 0x7F | 0x80]) + right[1:] if len(number(lone << 3 | WIDE)) > 1
                 else bytes([right[0] | 0x80, 0]) + right[1:], "nothing: a number with a byte more", "right")
    yield listed("kind-7", record(lone, 7, 1, (value,)), "a kind that there is not")
    yield listed("none", record(lone, WIDE | SEVERAL, 0), "a run of no pixels")
    yield listed("past-end", record(n_pixels, WIDE, None, (value,)), "a pixel past the segment's end")
    yield listed("run-past-end", record(lone, 1, n_pixels), "a run past the segment's end")
    yield listed("gap-huge", record(2**32, WIDE, None, (value,)), "a gap of 2^32 pixels")
    yield listed("run-huge", record(lone, 1, 2**35 - 1), "a run of 2^35 pixels")
    yield listed("number-endless", b"\xff" * 5 + right, "a number that does not end")
    yield listed("value-cut", right[:-1], "half a value")
    yield listed("values-missing", record(lone, WIDE | SEVERAL, 3, (value,)), "three pixels and one value")
    yield listed("second-past-end", right + record(n_pixels - lone - 1, 0), "a second pixel past the segment's end")
    yield listed("n-missing", number(lone << 3 | 1), "a run without its length")
    yield listed("length-0", b"", "a list of no bytes", length=0)
    yield listed("length-too-long", right, "a list longer than its segment", length=254)
    yield listed("length-huge", right, "a list of 2^32 bytes", length=2**32 - 1)
    yield listed("length-off-by-1", right, "a list with a byte of the stream", length=len(right) + 1)
    yield listed("length-off-by-2", right, "a list with a token of the stream", length=len(right) + 2)
    yield listed("length-short", right, "a list without its last byte", length=len(right) - 1)
    yield listed("length-form", right, "a short length in the long form", long=True)
    yield listed("padding", record(lone, WIDE | SEVERAL, 1, (value,)) if len(right) % 2 == 0 else right,
                 "a byte that is not 0 behind the list", padding=b"\1")
    yield "255-alone", chunk_of(b"\xff"), "a segment of one byte, which says that four stand before it", "error"
    yield "stream-missing", chunk_of(closed(b"", whole)), "a list of all pixels and no stream", "error"
    yield "bomb", chunk_of(closed(tokens(*[-32768] * 512), record(0, 1, 2**31))), "2^31 sentinels", "error"
    yield "version-1", chunk_of(closed(stream, right), version=1), "a list in a container of version 1", "error"
    yield "version", chunk_of(closed(stream, right), version=4), "another version", "error"


def of_drle_bare(n_pixels):
    yield "odd", tokens(-1550) + b"\0", "an odd number of bytes", "error"
    yield "run-too-long", tokens(-1551), "one pixel too many", "error"
    yield "run-too-short", tokens(-1549), "one pixel too few", "error"
    yield "bomb", tokens(*[-32768] * 1024), "64 MB from 2 KB", "error"
    yield "all-single", tokens(*[0] * (n_pixels + 1)), "single dark pixels, one too many", "error"


# Blosc 1: a header of 16 bytes, block starts, streams of i32 length and data. Little-endian.


def blosc_header(n_bytes, block, stored, flags, type_size=2, version=2, codec_version=1):
    return struct.pack("<BBBBIII", version, codec_version, flags, type_size, n_bytes, block, stored)


def blosc_copy(raw):
    return blosc_header(len(raw), len(raw), 16 + len(raw), 0x03) + raw


def blosc_blocks(raw, block=310, flags=0x10, starts=None, lengths=None):
    """A chunk of stored streams: not shuffled, not split, in several blocks."""
    parts = [raw[at: at + block] for at in range(0, len(raw), block)]
    at = 16 + 4 * len(parts)
    body, places = b"", []
    for index, part in enumerate(parts):
        places.append(at + len(body))
        body += struct.pack("<I", lengths[index] if lengths else len(part)) + part
    table = struct.pack(f"<{len(parts)}I", *(starts(places) if starts else places))
    return blosc_header(len(raw), block, at + len(body), flags) + table + body


def of_blosc(chunk, data):
    n_bytes = data.nbytes
    sizes = {"decoded-size": 4, "block-size": 8, "stored-size": 12}
    for field, at in sizes.items():
        (sound,) = struct.unpack("<I", chunk[at: at + 4])
        for what, value in (LENGTHS_32 | {"too-much": len(chunk) + n_bytes, "off-by-1": sound + 1}).items():
            # A copy has no blocks, but a block size that makes no sense is refused all the same.
            is_right = chunk[2] & 0x02 and (field, what) == ("block-size", "1")
            expected = "right" if is_right else "error"
            yield f"{field}-{what}", put(chunk, at, "<I", value), f"the {field} is {value}", expected
    for version in (0, 1, 3, 5, 255):
        yield f"version-{version}", put(chunk, 0, "B", version), f"format version {version}", "error"
    yield "element-0", put(chunk, 3, "B", 0), "elements of 0 bytes", "error"
    yield "flag-8", put(chunk, 2, "B", chunk[2] | 0x08), "a flag of later versions", "error"
    if not chunk[2] & 0x02:
        for number in (5, 6, 7):
            flags = chunk[2] & 0x1F | number << 5
            yield f"compressor-{number}", put(chunk, 2, "B", flags), f"compressor format {number}", "error"
        yield "copy-flag", put(chunk, 2, "B", chunk[2] | 0x02), "the copy flag on compressed data", "error"
        for what, value in (LENGTHS_32 | {"header": 8, "end": len(chunk), "past-end": len(chunk) + 1}).items():
            yield f"start-{what}", put(chunk, 16, "<I", value), f"the first block starts at {value}", "error"
        (start,) = struct.unpack("<I", chunk[16:20])
        for what, value in (LENGTHS_32 | {"past-end": len(chunk)}).items():
            yield f"stream-{what}", put(chunk, start, "<I", value), f"the first stream has {value} bytes", "error"


def of_blosc_blocks(data):
    raw = data.tobytes()
    yield "exceeds-data", put(blosc_copy(raw)[:200], 12, "<I", 200), "a copy whose size exceeds the data", "error"
    yield "exceeds-data-2", put(blosc_copy(raw)[:200], 4, "<I", 2**31 - 17), "a copy of 2 GB in 200 bytes", "error"
    yield "blocks", blosc_blocks(raw), "nothing: ten blocks of stored streams", "right"
    yield "starts-same", blosc_blocks(raw, starts=lambda places: places[:1] * 10), "all blocks are one", "error"
    overlap = blosc_blocks(raw, starts=lambda places: [place - 2 * i for i, place in enumerate(places)])
    yield "starts-overlap", overlap, "blocks that overlap", "error"
    yield "starts-in-header", blosc_blocks(raw, starts=lambda places: [0] * len(places)), "blocks in the header", "error"
    yield "starts-past-end", blosc_blocks(raw, starts=lambda places: [p + 10**6 for p in places]), "blocks past the end", "error"
    for what, value in LENGTHS_32.items():
        lengths = [310] * 9 + [value]
        yield f"last-stream-{what}", blosc_blocks(raw, lengths=lengths), f"the last stream has {value} bytes", "error"
    many = blosc_header(2**31 - 17, 1, 4096, 0x10) + bytes(4080)
    yield "many-blocks", many, "claims 2^31 blocks of one byte", "error"


def of_blosc_zlib(data):
    def chunk(stream, flags=0x70):
        return blosc_header(data.nbytes, data.nbytes, 24 + len(stream), flags) + struct.pack("<II", 20, len(stream)) + stream

    yield "bomb", chunk(zlib.compress(bytes(16 << 20), 9)), "16 MB from 16 KB", "error"
    empty = b"\x78\x01" + b"\x00\x00\x00\xff\xff" * 4096
    yield "empty-blocks", chunk(empty), "4096 empty deflate blocks", "error"
    zeros = b"\x1f" + b"\x00"
    yield "blosclz-bomb", chunk(zeros + b"\xe0" + b"\xff" * 4096, 0x10), "a match whose length does not end", "error"
    yield "blosclz-before-start", chunk(b"\x00A\xff\xff\xff\xff\xff\x00", 0x10), "a match before the start", "error"
    yield "snappy-size", chunk(b"\xff\xff\xff\xff\x0f" + bytes(64), 0x50), "Snappy that claims 4 GB", "error"
    yield "lz4-before-start", chunk(b"\x1fA\xff\xff" + b"\xff" * 12, 0x30), "an LZ4 match before the start", "error"
