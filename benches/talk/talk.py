"""Records frames with PyTables as the DRLE talk did, and checks any of the three recordings.

usage: talk.py earray|vlarray CASE.json FILE.h5
       talk.py check CASE.json FILE.h5

Runs under the system's Python, because Debian's PyTables has LZO. Prints one line of JSON.

earray: an EArray with shuffle and LZO, chunks of at least one image (more if they fit in 1 MiB), a chunk cache of 64 MiB.
  Dark image, threshold and sum are one compiled loop before; it writes to a warm buffer, as the images are used again.
vlarray: DRLE in the application layer, in the same compiled loop; a variable-length array with 50 images an entry.
"""

import ctypes
import json
import os
import sys
import time

import numpy
import tables

IMAGES_PER_ENTRY = 50
CACHE = {"CHUNK_CACHE_SIZE": 64 << 20, "CHUNK_CACHE_NELMTS": 10007}


def clocks():
    """The wall's, and this process's own: what other programs take of a shared processor is not in it."""
    return time.perf_counter(), time.process_time()


def pointer(array):
    return ctypes.c_void_p(array.ctypes.data)


class Case:
    """Images, dark image and loops, as CASE.json names them."""

    def __init__(self, path):
        with open(path) as file:
            case = json.load(file)
        self.shape = (case["height"], case["width"])
        self.n_pixels = case["height"] * case["width"]
        self.images = numpy.fromfile(case["images"], "<i2").reshape(-1, *self.shape)
        self.dark = numpy.fromfile(case["dark"], "<i2")
        self.threshold = ctypes.c_int16(case["threshold"])
        self.n_frames = case["n_frames"]
        self.sum = numpy.zeros(self.n_pixels, "<u4")
        loops = ctypes.CDLL(case["loops"])
        loops.encode.restype = loops.decode.restype = ctypes.c_size_t
        self.loops = loops

    def image(self, i):
        return self.images[i % len(self.images)]

    def run(self, loop, i, out):
        """One of the loops over image `i`."""
        size = ctypes.c_size_t(self.n_pixels)
        return loop(pointer(self.image(i)), pointer(self.dark), self.threshold, pointer(self.sum), pointer(out), size)

    def expected(self, i):
        pixels = self.image(i).ravel() - self.dark
        return numpy.where(pixels < self.threshold.value, 0, pixels).reshape(self.shape)


def record_earray(case, path):
    frame = numpy.zeros((1, *case.shape), "<i2")
    images_per_chunk = max(1, (1 << 20) // frame.nbytes)
    filters = tables.Filters(complevel=1, complib="lzo", shuffle=True)
    start = clocks()
    with tables.open_file(path, "w", **CACHE) as file:
        array = file.create_earray(
            "/", "images", tables.Int16Atom(), (0, *case.shape), filters=filters, expectedrows=case.n_frames,
            chunkshape=(images_per_chunk, *case.shape),
        )
        for i in range(case.n_frames):
            case.run(case.loops.correct, i, frame)
            array.append(frame)
    return [end - begin for begin, end in zip(start, clocks())]


def record_vlarray(case, path):
    tokens = numpy.zeros(IMAGES_PER_ENTRY * case.n_pixels, "<i2")
    start = clocks()
    with tables.open_file(path, "w", **CACHE) as file:
        array = file.create_vlarray("/", "images", tables.Int16Atom(), expectedrows=case.n_frames // IMAGES_PER_ENTRY)
        array.attrs.images_per_entry = IMAGES_PER_ENTRY
        for first in range(0, case.n_frames, IMAGES_PER_ENTRY):
            end = 0
            for i in range(first, min(first + IMAGES_PER_ENTRY, case.n_frames)):
                end += case.run(case.loops.encode, i, tokens[end:])
            array.append(tokens[:end])
    return [end - begin for begin, end in zip(start, clocks())]


def images_of_entry(case, tokens):
    frame = numpy.empty(case.shape, "<i2")
    at = 0
    while at < len(tokens):
        rest = numpy.ascontiguousarray(tokens[at:])
        sizes = ctypes.c_size_t(len(rest)), ctypes.c_size_t(case.n_pixels)
        n = case.loops.decode(pointer(rest), sizes[0], pointer(frame), sizes[1])
        if n == 0:
            raise SystemExit(f"a stream that does not decode, at token {at}")
        at += n
        yield frame


def check(case, path):
    """Compares the first and the last hundred images or so."""
    with tables.open_file(path) as file:
        if "/images" not in file:
            array = file.get_node("/entry/instrument/detector/data")  # ours, through the plugin
        else:
            array = file.root.images
        is_ragged = isinstance(array, tables.VLArray)
        n_images = case.n_frames if is_ragged else len(array)
        if n_images != case.n_frames:
            raise SystemExit(f"{path}: {n_images} images of {case.n_frames}")
        if is_ragged:
            for entry in {0, len(array) - 1}:
                for i, image in enumerate(images_of_entry(case, array[entry]), IMAGES_PER_ENTRY * entry):
                    same(image, case.expected(i), path, i)
        else:
            for i in [*range(100), *range(n_images - 100, n_images)]:
                same(array[i], case.expected(i), path, i)


def same(image, expected, path, i):
    if not numpy.array_equal(image, expected):
        raise SystemExit(f"{path}: image {i} differs")


def main():
    what, case, path = sys.argv[1:]
    case = Case(case)
    if what == "check":
        check(case, path)
        print(json.dumps({"checked": True}))
        return
    seconds, cpu_seconds = {"earray": record_earray, "vlarray": record_vlarray}[what](case, path)
    print(json.dumps({"seconds": seconds, "cpu_seconds": cpu_seconds, "file_bytes": os.path.getsize(path)}))


main()
