"""A reader of bounded chunks (HDF5 filter 36115), with numpy and zlib alone: docs/format.md in code, and an answer without the plugin.

    import h5py, bounded_reader
    dataset = h5py.File("run.h5")["frames"]
    values = dataset.id.get_create_plist().get_filter(0)[2]      # the filter's parameters, cd_values
    mask, chunk = dataset.id.read_direct_chunk((16, 0, 0))       # stored bytes; mask 1: the chunk is the pixels themselves
    frames = bounded_reader.decode(chunk, values).reshape(dataset.chunks)

What is damaged is a ValueError, never other pixels.
"""

import math
import zlib

import numpy as np

TYPES = ["<i2", ">i2", "<u2", ">u2", "i1", "u1", "<i4", ">i4", "<u4", ">u4", "<f4", ">f4"]


def check(is_sound, what):
    if not is_sound:
        raise ValueError(f"bounded: {what}")


class Bytes:
    """Bytes, read from the first one on."""

    def __init__(self, data):
        self.data, self.at = data, 0

    def take(self, n):
        check(n <= len(self.data) - self.at, "bytes are missing")
        self.at += n
        return self.data[self.at - n : self.at]

    def integer(self, n_bytes, signed=False):
        return int.from_bytes(self.take(n_bytes), "little", signed=signed)

    def number(self):
        value = 0
        for shift in range(0, 70, 7):
            byte = self.integer(1)
            value |= (byte & 127) << shift
            if byte < 128:
                check(value < 1 << 64, "a number has more than 64 bits")
                return value
        raise ValueError("bounded: a number has more than 64 bits")

    def signed(self):
        return unfold(self.number())

    def part(self):
        return self.take(self.number())

    def real(self):
        value = float(np.frombuffer(self.take(8), "<f8")[0])
        check(math.isfinite(value), "a real number is not finite")
        return value

    def rest(self):
        return self.take(len(self.data) - self.at)


def unfold(z):
    return z >> 1 ^ -(z & 1)


def wrap(x):
    """Modulo 2^32, as int32 in int64."""
    return (x + (1 << 31)) % (1 << 32) - (1 << 31)


def greatest(most, holds):
    """The greatest number up to `most` for which it holds, as it does for 0 and all up to some number."""
    yes, no = 0, most + 1
    while no - yes > 1:
        middle = (yes + no) // 2
        yes, no = (middle, no) if holds(middle) else (yes, middle)
    return yes


class Levels:
    """What levels stand for."""

    def __init__(self, bound, numbers, options, info, saturation, last):
        self.bound, self.numbers = bound, numbers
        self.unbiased, self.keep_zero = options & 1, options & 2
        self.range = info.min, info.max
        self.top = max(min(info.max, saturation - 1) if saturation else info.max, 0)
        self.bottom = max(info.min, 0) if options & 4 else info.min
        self.up, self.down, self.zero, self.first = [], [], (0, 0), 0
        self.low, self.high = self.bottom, self.top
        self.step = 1 if bound == 0 else (numbers[0] + 1 if self.unbiased else 2 * numbers[0] + 1)
        if bound == 2:
            self.low, self.high = self.lattice(last) if self.unbiased else self.intervals(last)
        self.low_level, self.high_level = self.level(self.low), self.level(self.high)
        if self.unbiased and self.inner(self.high_level) < self.high:
            self.high_level += 1

    def tolerance(self, x):
        bn, bd, gn, gd, o, rn, rd = self.numbers
        right = bn * bn * (gn * rd * (x - o) + gd * rn)
        return min(math.isqrt(right // (4 * bd * bd * gd * rd)), 1 << 33) if right > 0 else 0

    def reach(self, y, last):
        """The last of the values after `last` that are all within their tolerance of y."""
        while last < self.top:
            following = y + self.tolerance(last + 1)
            if following <= last:
                break
            last = max(following, last + 1)
        return min(last, self.top)

    def is_enough(self, last):
        return len(self.up) == 1 << 14 or self.first + len(self.up) > last

    def first_up(self, z):
        return z + 1 + greatest(self.top - z, lambda n: n == 0 or self.tolerance(z + n) == 0)

    def intervals(self, last):
        if not self.keep_zero:
            self.zero = (-greatest(-self.bottom, lambda d: d <= self.tolerance(-d)), self.reach(0, 0))
        start = self.first_up(self.zero[1])
        self.first = start - self.zero[1]
        while start <= self.top and not self.is_enough(last):
            value = min(start + self.tolerance(start), self.top)
            self.up.append((start, value))
            start = self.reach(value, value) + 1
        end = self.zero[0] - 1
        while end >= self.bottom and self.tolerance(end) > 0 and len(self.down) < 1 << 12:
            width = greatest(end - self.bottom, lambda w: w <= 2 * self.tolerance(end - w))
            self.down.append((end - width, end - width // 2))
            end -= width + 1
        return end + 1, start - 1

    def lattice(self, last):
        value = max(self.first_up(0) - 1, min(1 if self.keep_zero else 0, self.top))
        self.first = value
        self.up.append((value, value))
        while value < self.top and not self.is_enough(last):
            value = min(value + 1 + self.tolerance(value + 1), self.top)
            self.up.append((value, value))
        high, value = value, 0
        while value > self.bottom and len(self.down) < 1 << 12:
            keeps = self.keep_zero and value == 0
            more = greatest(0 if keeps else value - self.bottom - 1, lambda m: m <= self.tolerance(value - m))
            if more == 0 and not keeps:
                break
            value -= more + 1
            self.down.append((value, value))
        return value, high

    def level(self, x):
        """The level whose interval has x; if unbiased, the highest one that is not above x."""
        if self.bound < 2:
            s = self.step
            if not self.keep_zero:
                return x // s if self.unbiased else (x + s // 2) // s
            away = (abs(x) - 1) // s + 1 if x > 0 or not self.unbiased else -(-(abs(x) - 1) // s) + 1
            return (x > 0) * away - (x < 0) * away
        if self.zero[0] <= x <= self.zero[1]:
            return 0
        if x < 0:
            return -1 - sum(start > x for start, _ in self.down)
        n = sum(start <= x for start, _ in self.up)
        return self.first + n - 1 if n else x - self.zero[1]

    def inner(self, level):
        if self.bound < 2:
            if not self.keep_zero or level == 0:
                return level * self.step
            first = 1 if self.unbiased else 1 + self.step // 2
            return ((abs(level) - 1) * self.step + first) * (1 if level > 0 else -1)
        if level == 0:
            return 0
        if level < 0:
            return (self.down[min(-1 - level, len(self.down) - 1)] if self.down else (0, 0))[1]
        if level < self.first or not self.up:
            return self.zero[1] + level
        return self.up[min(level - self.first, len(self.up) - 1)][1]

    def value(self, level):
        if level > self.high_level:
            value = self.high + level - self.high_level
        elif level < self.low_level:
            value = self.low - (self.low_level - level)
        else:
            value = min(max(self.inner(level), self.low), self.high)
        return min(max(value, self.range[0]), self.range[1])


def table(data):
    """For each number below 2048: its token, the token's frequency, and how far into it the number is."""
    frequencies = [data.number() for _ in range(data.number())]
    check(len(frequencies) <= 52 and sum(frequencies) == 2048, "a table does not add up to 2048")
    tokens = np.repeat(np.arange(len(frequencies)), frequencies)
    starts = np.cumsum(frequencies) - frequencies
    return tokens, np.array(frequencies)[tokens], np.arange(2048) - starts[tokens]


class Model:
    def __init__(self, data, most_tables):
        n = data.integer(1)
        check(n <= 16, "a model has too many taps")
        self.taps = [
            (data.integer(1), data.integer(1, True), data.integer(1, True), data.integer(2, True)) for _ in range(n)
        ]
        for plane, dy, dx, _ in self.taps:
            check(plane < 2 and (-1 if plane else 1) <= dy <= 2 and abs(dx) <= 2, "a tap is not there")
        self.bias = data.integer(4, True)
        n = data.integer(1)
        check(1 <= n <= most_tables, "a model has a wrong number of tables")
        self.thresholds = np.array([data.integer(4, True) for _ in range(n - 1)], np.int64)
        self.tables = [np.stack(part) for part in zip(*(table(data) for _ in range(n)))]


class Stream:
    """The entropy coder's lanes."""

    def __init__(self, data, n_lanes):
        data = Bytes(data)
        self.states = np.array([data.integer(4) for _ in range(n_lanes)], np.int64)
        check(((self.states >= 1 << 15) & (self.states < 1 << 31)).all(), "a state is out of range")
        rest = data.rest()
        check(len(rest) % 2 == 0, "a stream ends within a word")
        self.words, self.at = np.frombuffer(rest, "<u2").astype(np.int64), 0

    def tokens(self, tables, chosen, lanes):
        """A token of each of these lanes, which are all different, by the table chosen for it."""
        states = self.states[lanes]
        token, frequency, offset = (part[chosen, states & 2047] for part in tables)
        states = frequency * (states >> 11) + offset
        low = states < 1 << 15
        words = self.words[self.at : self.at + low.sum()]
        check(len(words) == low.sum(), "a stream ends early")
        states[low], self.at = states[low] << 16 | words, self.at + len(words)
        self.states[lanes] = states
        return token

    def finish(self):
        check(self.at == len(self.words) and (self.states == 1 << 15).all(), "a stream does not end with its frame")


class Bits:
    def __init__(self, data):
        self.data, self.at = data, 0

    def folded(self, token):
        """The folded difference of a token."""
        if token < 16:
            return int(token)
        octave = int(token) - 20 if token >= 32 else 4 + (int(token) - 16) // 2
        n_bits = octave if token >= 32 else octave - 1
        first, shift = divmod(self.at, 8)
        bits = int.from_bytes(self.data[first : first + 5], "little") >> shift & (1 << n_bits) - 1
        self.at += n_bits
        check(self.at <= 8 * len(self.data), "bits are missing")
        return 1 << octave | (0 if token >= 32 else (int(token) - 16) % 2 << n_bits) | bits

    def finish(self):
        first, shift = divmod(self.at, 8)
        rest = int.from_bytes(self.data[first : first + 1], "little") >> shift
        check(rest == 0 and not any(self.data[first + 1 :]), "bytes follow the end of a frame")


class Chunk:
    def __init__(self, chunk):
        data = Bytes(chunk)
        check(data.take(5) == b"DCBD\1", "not a chunk of version 1")
        element, bound, self.options = data.integer(1), data.integer(1), data.integer(1)
        check(1 <= element <= 12 and bound < 5 and self.options < 16, "a type, bound or option that does not exist")
        self.dtype, self.is_float = np.dtype(TYPES[element - 1]), element > 10
        check(bound == 0 or self.is_float == (bound > 2), "the bound is of another element type")
        check(not self.is_float or self.options in (0, 8), "options that float32 does not have")
        self.height, self.width, self.n_bytes, n_front = (data.integer(4) for _ in range(4))
        self.n_pixels = self.height * self.width
        frame_bytes = self.n_pixels * self.dtype.itemsize
        check(frame_bytes and self.n_bytes and self.n_bytes % frame_bytes == 0, "the size is not that of whole frames")
        self.n_frames = self.n_bytes // frame_bytes
        checksum, front, start = data.integer(4), Bytes(data.take(n_front)), data.at
        self.read_front(front, bound)
        n = self.n_frames + (self.reference == 1)
        entries = Bytes(data.take(8 * n))
        check(zlib.crc32(chunk[:24] + front.data + entries.data) == checksum, "front or table is damaged")
        self.segments, start = [], data.at
        for _ in range(n):
            end, of_segment = entries.integer(4), entries.integer(4)
            check(start < end <= len(chunk) and end - start >= frame_bytes / 65536, "a segment has a wrong end")
            check(zlib.crc32(chunk[start:end]) == of_segment, "a segment is damaged")
            self.segments.append(chunk[start:end])
            start = end
        check(start == len(chunk), "bytes follow the last frame")

    def read_front(self, front, bound):
        size = self.dtype.itemsize
        is_signed = [front.number, front.number, front.number, front.number, front.signed, front.number, front.number]
        self.bound, self.step, numbers = bound, 0.0, []
        if bound in (1, 2):
            numbers = [read() for read in (is_signed if bound == 2 else is_signed[:1])]
        elif bound:
            asked, tolerance, self.step = (front.real() for _ in range(3))
            is_exact = tolerance == 0 and self.step == 0
            check(
                asked >= 0 and (is_exact or tolerance > 0 and 2**-120 <= self.step <= 2**127), "a bound is out of range"
            )
        if bound == 2:
            short = numbers[:4] + numbers[6:]
            check(all(1 <= number <= 65535 for number in short), "the noise model is out of range")
        saturation = front.number()
        check(saturation == 0 or not self.is_float, "float32 has no saturation")
        if self.is_float:
            errors = [front.number(), *(front.real() for _ in range(3))]
        else:
            errors = [front.number() for _ in range(3)] + [front.signed(), front.number()]
        self.achieved = [*errors, front.number(), front.number()]
        n = front.integer(1)
        check(n <= 8 and (n == 0 or size > 1 or self.height > 1), "too many sentinels")
        self.sentinels = [front.number() for _ in range(n)]
        self.sets = [front.part() for _ in range(n)]
        self.reference, self.model, has_coding = 0, None, front.integer(1)
        check(has_coding < 2, "neither coded nor raw")
        if has_coding:
            self.read_coding(front, numbers, saturation)
        check(front.at == len(front.data), "the front is longer than what is in it")

    def read_coding(self, front, numbers, saturation):
        first, last, checksum = front.signed(), front.signed(), front.integer(4)
        check(-1 << 32 <= first <= last <= 1 << 32, "the levels are out of range")
        known = ()
        if not self.is_float:
            self.levels = Levels(self.bound, numbers, self.options, np.iinfo(self.dtype), saturation, last)
            known = range(first, first + min(last - first + 1, 1 << 14)) if self.bound else ()
        values = np.array([wrap(self.levels.value(level)) for level in known], "<i4")
        check(zlib.crc32(values.tobytes()) == checksum, "levels stand for other values than when it was written")
        self.reference = front.integer(1)
        has_planes = self.width >= 16 and self.height >= 8
        may_have = has_planes and self.n_frames * self.dtype.itemsize >= 8
        check(self.reference < 3 and (self.reference == 0 or may_have), "no such reference")
        self.n_lanes = 1 << min(front.integer(1), 6)
        check(self.n_lanes <= 32, "too many lanes")
        self.origin, self.shift = front.signed(), front.integer(1)
        self.least, self.most = front.integer(2, True), front.integer(2, True)
        check(abs(self.origin) <= 1 << 31 and self.shift <= 16 and self.least <= self.most, "the scale is out of range")
        self.model = Model(front, 16)
        self.first = Model(front, 4) if self.reference else None
        taps = self.model.taps + (self.first.taps if self.first else [])
        check(has_planes or all(tap[0] for tap in taps), "a model predicts from pixels that are not there")
        has_sparse = front.integer(1)
        check(has_sparse < 2, "neither with nor without sparse frames")
        self.sparse = [np.stack(part) for part in zip(table(front), table(front))] if has_sparse else None

    def mask(self, own):
        """For each pixel 0, or the number of the sentinel that it is."""
        found = np.zeros((self.height, self.width), np.int64)
        for index in reversed(range(len(self.sentinels))):
            of_chunk = np.bitwise_xor.accumulate(self.marks(self.sets[index]), axis=0)
            is_it = of_chunk ^ self.marks(own[index]) if own else of_chunk
            found[is_it] = index + 1
        return found

    def marks(self, data):
        marks, data, at = np.zeros(self.n_pixels, bool), Bytes(data), 0
        while data.at < len(data.data):
            at += data.number()
            check(at < self.n_pixels, "a masked pixel is not in the frame")
            marks[at], at = True, at + 1
        return marks.reshape(self.height, self.width)

    def frame(self, segment, reference, pixels, is_reference=False):
        """Decodes a segment to `pixels`; returns the plane of the frame, or of the one before it where that is raw."""
        data = Bytes(segment)
        head = data.integer(1)
        mode, is_first = head & 15, head & 16
        may_have_exceptions = self.is_float and mode != 3 and not is_reference
        check(
            mode < 4 and head < (128 if may_have_exceptions else 64), "a frame is stored in a way that does not exist"
        )
        own = [data.part() for _ in self.sentinels] if head & 32 else []
        exceptions = self.exceptions(data) if head & 64 else None
        if mode == 3:
            check(not is_reference, "the stored reference is raw")
            pixels[:] = np.frombuffer(data.take(pixels.nbytes), self.dtype).reshape(pixels.shape)
            check(not any(data.rest()), "bytes follow the end of a frame")
            return reference
        check(self.model is not None, "a frame is coded, and the chunk has no model")
        mask = self.mask(own)
        scale = (0, 0) if is_reference else (self.origin, self.shift)
        plane = np.zeros((self.height + 3, self.width + 4), np.int64)
        if reference is not None and not is_first:
            plane[:2] = reference[2]
        if mode == 0:
            levels = self.predicted(data, is_first, reference, mask, plane, scale)
        elif mode == 1:
            levels = self.runs(data, mask)
        else:
            levels = np.full((self.height, self.width), wrap(data.signed()))
            check(not any(data.rest()), "bytes follow the end of a frame")
        if mode:
            for y in range(self.height):
                self.enter(plane, y, levels[y], mask[y], scale)
        plane[-1] = plane[-2]
        if not is_reference:
            self.store(levels, mask, pixels)
        if exceptions is not None:
            is_one, bits = exceptions
            pixels.view(self.dtype.str.replace("f", "u"))[is_one] = bits
        return plane

    def exceptions(self, data):
        """Pixels that are not what their levels stand for, and their bits."""
        pixels = self.marks(data.part())
        check(pixels.any(), "a frame says that it has exceptions, and has none")
        return pixels, np.frombuffer(data.take(4 * pixels.sum()), "<u4")

    def enter(self, plane, y, levels, mask, scale):
        row = np.clip(wrap(levels - scale[0]) >> scale[1], self.least, self.most)
        plane[y + 2, 2:-2] = np.where(mask > 0, plane[y + 1, 2:-2], row)
        plane[y + 2, :2], plane[y + 2, -2:] = plane[y + 2, 2], plane[y + 2, -3]

    def predicted(self, data, is_first, reference, mask, plane, scale):
        model = self.first if is_first else self.model
        check(model is not None, "a frame uses a model that the chunk does not have")
        has_taps = any(tap[0] for tap in model.taps)
        check(not has_taps or reference is not None and not is_first, "a frame is predicted from one that is not there")
        stream, bits = Stream(data.part(), self.n_lanes), Bits(data.rest())
        levels = np.zeros((self.height, self.width), np.int64)
        for y in range(self.height):
            sums = np.full(self.width, model.bias, np.int64)
            for is_of_reference, dy, dx, weight in model.taps:
                row = (reference if is_of_reference else plane)[y + 2 - dy]
                sums += weight * row[2 - dx : 2 - dx + self.width]
            sums = wrap(sums)
            chosen = (sums[:, None] > model.thresholds).sum(1)
            folded = np.zeros(self.width, np.int64)
            for x in range(0, self.width, self.n_lanes):
                pixels = x + np.flatnonzero(mask[y, x : x + self.n_lanes] == 0)
                folded[pixels] = stream.tokens(model.tables, chosen[pixels], pixels - x)
            for x in np.flatnonzero(folded >= 16):
                folded[x] = bits.folded(folded[x])
            levels[y] = self.nearest(sums, unfold(folded), scale)
            self.enter(plane, y, levels[y], mask[y], scale)
        stream.finish()
        bits.finish()
        return levels

    def nearest(self, sums, difference, scale):
        """The levels that differ so much from the nearest one."""
        b = 12 - scale[1]
        if b <= 0:
            return wrap(scale[0] + wrap(sums << -b) - difference)
        nearest = wrap(sums + (1 << (b - 1))) >> b
        sign = np.where(wrap(sums - (nearest << b)) >= 0, -1, 1)
        return wrap(scale[0] + nearest + sign * difference)

    def runs(self, data, mask):
        check(self.sparse is not None, "a frame needs tables that the chunk does not have")
        n = data.number()
        check(n <= self.n_pixels, "a sparse frame has more values than pixels")
        n_lanes = 1 if n < 128 else 4 if n < 1024 else 32
        stream, bits = Stream(data.part(), n_lanes), Bits(data.rest())
        free = np.flatnonzero(mask.ravel() == 0)
        levels, at = np.zeros(self.n_pixels, np.int64), 0
        for index in range(0, 2 * n, n_lanes):
            numbers = np.arange(index, min(index + n_lanes, 2 * n))
            tokens = stream.tokens(self.sparse, numbers & 1, numbers - index)
            for number, token in zip(numbers, tokens):
                folded = bits.folded(token)
                if number & 1 == 0:
                    at += folded
                    check(at < len(free), "a sparse frame has other values than it has pixels for")
                else:
                    levels[free[at]], at = wrap(unfold((folded + 1) % (1 << 32))), at + 1
        stream.finish()
        bits.finish()
        return levels.reshape(self.height, self.width)

    def store(self, levels, mask, pixels):
        bits = levels
        if self.is_float and self.step:
            with np.errstate(over="ignore"):
                bits = (levels * self.step).astype("<f4").view("<u4").astype(np.int64)
        elif self.is_float:
            bits = np.where(levels < 0, levels ^ 0x7FFFFFFF, levels)
        elif self.bound:
            numbers = levels % (1 << 32) if self.dtype.str[1:] == "u4" else levels
            known, index = np.unique(numbers, return_inverse=True)
            bits = np.array([self.levels.value(int(level)) for level in known], np.int64)[index].reshape(levels.shape)
        for index, sentinel in enumerate(self.sentinels):
            bits = np.where(mask == index + 1, sentinel, bits)
        unsigned = bits % (1 << 8 * self.dtype.itemsize)
        pixels.view(self.dtype.str.replace("i", "u").replace("f", "u"))[:] = unsigned

    def decode(self):
        pixels = np.empty((self.n_frames, self.height, self.width), self.dtype)
        segments, plane = list(self.segments), None
        if self.reference == 1:
            plane = self.frame(segments.pop(0), None, None, is_reference=True)
        for segment, of_frame in zip(segments, pixels):
            found = self.frame(segment, plane, of_frame)
            plane = found if self.reference == 2 else plane
        return pixels


def decode(chunk, cd_values=()):
    """The frames of one stored chunk, if it is what the filter's parameters say."""
    opened = Chunk(bytes(chunk))
    element, _, _, n_bytes = (*cd_values, *(0,) * 16)[12:16]
    check(
        element == 0 or opened.dtype == TYPES[min(element, 12) - 1],
        "the chunk has another element type than the parameters say",
    )
    check(n_bytes in (0, opened.n_bytes), "the chunk has another size than the parameters say")
    return opened.decode()
