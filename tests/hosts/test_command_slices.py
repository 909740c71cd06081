"""`darkchunk slices`: C libraries over slices, beside h5py."""

import json
import os
import struct
import subprocess
import sys
import time
from pathlib import Path

import h5py
import numpy as np
import pytest

from common import BITSHUFFLE, ROOT
from test_command import COMMAND, run

HEADERS = ROOT / "ffi" / "include"
EXAMPLES = ROOT / "examples" / "slices"
CHECKS = ROOT / "tests" / "hosts" / "slices" / "checks.c"
FLAGS = ["-O1", "-g", "-Wall", "-Wextra", "-Werror", "-shared", "-fPIC", f"-I{HEADERS}"]
IMAGES = np.random.default_rng(22).integers(0, 900, (12, 37, 20), "<u2")


def compiled(folder, source, *more, standard="c99", compiler="gcc"):
    """The library that a source makes, without any warning."""
    library = folder / ("-".join([source.stem, standard, *more]).replace("=", "") + ".so")
    if not library.exists():
        language = ["-x", "c++"] if compiler == "g++" else ["-pedantic"] if standard == "c99" else []
        command = [compiler, f"-std={standard}", *FLAGS, *more, *language, str(source), "-o", str(library)]
        done = subprocess.run(command, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
    return library


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("slices")
    with h5py.File(folder / "data.h5", "w") as file:
        file.create_dataset("data", data=IMAGES, chunks=(5, 8, 20), compression=BITSHUFFLE, compression_opts=(0, 2))
    return folder


def checks(folder, name, *arguments, output=True, more=(), threads="h5io_any", code=0, **how):
    """Runs the library of checks with what it is told; returns what the command printed, and the means."""
    library = compiled(folder, CHECKS, f"-DTHREADS={threads}", "-DWITH_BLOCKS", **how)
    to = folder / f"{name}.h5"
    to.unlink(missing_ok=True)
    where = ["-o", to] if output else []
    text = run("slices", "run", folder / "data.h5", "-l", library, *where, *more, "--", *arguments, code=code)
    assert not [left for left in folder.iterdir() if left.name.endswith(".tmp")]
    if code == 2 or not output:
        assert not to.exists()
        return text, None, None
    with h5py.File(to) as file:
        return text, file["means"][:], file["entry/process/status"][:]


MEANS = IMAGES.mean(axis=(0, 2))


@pytest.mark.parametrize("threads", ["h5io_one", "h5io_context", "h5io_any"])
@pytest.mark.parametrize("standard", ["c99", "c++11"])
def test_each_library_gets_its_slices_and_ends_once_a_context(folder, threads, standard):
    log = folder / f"log-{threads}-{standard}"
    compiler = "g++" if standard == "c++11" else "gcc"
    how = {"threads": threads, "standard": standard, "compiler": compiler, "more": ["-j", 3]}
    _, means, status = checks(folder, f"{threads}-{standard}", f"log={log}", **how)
    assert np.allclose(means, MEANS) and not status.any()
    n_contexts = 3 if threads == "h5io_context" else 1
    assert sorted(log.read_text().split("\n")[:-1]) == [f"complete {worker}" for worker in range(n_contexts)]


@pytest.mark.parametrize("before,after,block", [(0, 0, 4), (1, 2, 1), (2, 0, 3), (3, 50, 7)])
def test_padding_and_blocks(folder, before, after, block):
    padded = MEANS[np.clip(np.arange(37)[:, None] + np.arange(-before, after + 1), 0, 36)].mean(axis=1)
    told = [f"before={before}", f"after={after}", f"block={block}"]
    for more in (["-j", 1], ["-j", 4], ["-j", 1, "--memory", 1]):
        _, means, _ = checks(folder, "padded", *told, more=more)
        assert np.allclose(means, padded), more


def test_a_virtual_dataset_that_lacks_a_source_is_refused(folder):
    with h5py.File(folder / "virtual.h5", "w") as file:
        layout = h5py.VirtualLayout((20, 37, 24), "u2")
        layout[:10] = h5py.VirtualSource("gone.h5", "data", (10, 37, 24))
        file.create_virtual_dataset("data", layout)
    library = compiled(folder, CHECKS, "-DTHREADS=h5io_any", "-DWITH_BLOCKS")
    for verb in (["plan"], ["run", "-o", folder / "of-virtual.h5"]):
        text = " ".join(run("slices", *verb, folder / "virtual.h5", "-l", library, code=2).split())
        assert "gone.h5:data is not there, of which the virtual dataset is made" in text, text


def test_a_slice_is_left_out_and_a_run_stops(folder):
    _, means, status = checks(folder, "skip", "wrong=skip", "at=30")
    assert means[30] == 0 and status[30] == 1 and np.allclose(np.delete(means, 30), np.delete(MEANS, 30))
    _, means, status = checks(folder, "stop", "wrong=stop", "at=20")
    assert not means[20:].any() and np.allclose(means[:20], MEANS[:20])
    assert (status[:20] == 0).all() and (status[20:] == 3).all()


def test_a_slice_that_fails_ends_the_run_or_is_marked(folder):
    log = folder / "log-fails"
    text, _, _ = checks(folder, "fails", "wrong=process", "at=11", f"log={log}", code=2)
    assert "slice 11: process says 7: as it was told" in text and log.read_text() == "complete 0\n"
    text, means, status = checks(folder, "goes-on", "wrong=process", "at=11", more=["--keep-going"], code=1)
    assert "the first that failed: slice 11" in text
    assert status.tolist() == [2 if slice == 11 else 0 for slice in range(37)] and means[11] == 0


@pytest.mark.parametrize(
    "wrong,words",
    [
        ("init", "h5io_init says 7: as it was told"),
        ("counts", "asks for 0 inputs"),
        ("request_input", "request_input says 7"),
        ("location", "no location for input 0"),
        ("missing", "input 0, /nowhere: "),
        ("set_input_slice", "set_input_slice says 7"),
        ("no map", "no input is sliced"),
        ("gap", "no slicing_map has axis 1"),
        ("negative", "which is negative"),
        ("twice", "axis 1 twice"),
        ("differs", "context 1 asks for other inputs"),
        ("request_output", "request_output says 7"),
        ("no name", "no location for output 0"),
        ("root", "it needs a path"),
        ("taken", "each output needs a name of its own"),
        ("type", "the type 55 of output means is none"),
        ("rank", "has the rank 33"),
        ("shape", "one of its axes must be -1"),
        ("axis", "there is no slicing axis 2"),
        ("padding", "-1 slices before"),
        ("complete", "processing_complete says 7"),
    ],
)
def test_what_a_library_does_wrong_is_an_error_that_says_so(folder, wrong, words):
    library = compiled(folder, CHECKS, "-DTHREADS=h5io_context", "-DWITH_BLOCKS")
    log, to = folder / f"log-{wrong}", folder / f"{wrong}.h5"
    arguments = ["-o", to, "-j", 2, "--", f"wrong={wrong}", f"log={log}"]
    text = run("slices", "run", folder / "data.h5", "-l", library, *arguments, code=2)
    assert words in " ".join(text.split()), text
    assert to.exists() == (wrong == "complete")
    # Each context that has begun has ended, and no other.
    ended = log.read_text().split("\n")[:-1]
    assert len(ended) == len(set(ended)) and (wrong == "init") == (not ended)


def test_what_is_no_library_is_named(folder):
    text = folder / "text.so"
    text.write_text("no library")
    (folder / "empty.c").write_text("int nothing(void); int nothing(void) { return 0; }\n")
    for library, words in [
        (folder / "nowhere.so", "No such file"),
        (text, "cannot be loaded"),
        (compiled(folder, folder / "empty.c"), "it has no h5io_library"),
    ]:
        assert words in run("slices", "plan", folder / "data.h5", "-l", library, code=2)
    library = compiled(folder, CHECKS)
    assert "is not NAME=VALUE" in run("slices", "plan", folder / "data.h5", "-l", library, "--", "x", code=2)
    assert "No such file" in run("slices", "plan", folder / "none.h5", "-l", library, code=2)
    taken = folder / "there.h5"
    taken.write_text("something")
    assert "is there already" in run("slices", "run", folder / "data.h5", "-l", library, "-o", taken, code=2)
    assert taken.read_text() == "something"


def test_a_plan_says_what_is_read_and_runs_nothing(folder):
    library, log = compiled(folder, CHECKS), folder / "log-plan"
    text = run("slices", "plan", folder / "data.h5", "-l", library, "--", "wrong=process", "at=0", f"log={log}")
    assert "37 slices" in text and "memory: at most" in text and log.read_text() == "complete 0\n"
    plan = json.loads(run("slices", "plan", folder / "data.h5", "-l", library, "--json"))
    assert plan["inputs"][0]["decoded_bytes"] == 15 * 40 * 20 * 2 and plan["memory"] < 2_000_000_000
    benchmark = compiled(folder, EXAMPLES / "benchmark.c", standard="c11")
    assert len(run("slices", "plan", folder / "data.h5", "-l", benchmark, "--json", "--", "input=data").splitlines()) == 1


def test_the_talks_example(folder):
    rng = np.random.default_rng(2012)
    images, dark = rng.integers(0, 60_000, (1024, 1024, 3), "<u2"), rng.integers(0, 500, (1024, 3)).astype(">u2")
    positions = rng.random((25, 30)) * 100
    with h5py.File(folder / "talk.h5", "w") as file:
        chunks = {"chunks": (1024, 16, 3), "compression": BITSHUFFLE, "compression_opts": (0, 2)}
        file.create_dataset("data/imagedata", data=images, **chunks)
        file["data/darkdata"], file["data/motorposition"] = dark, positions
    whole = images.astype("i4") - dark.astype("i4")[:, None]
    expected = whole.reshape(512, 2, 512, 2, 3).sum(axis=(1, 3)) + int(positions.mean())
    made = set()
    for jobs, language in [(1, {}), (2, {}), (4, {}), (3, {"standard": "c++11", "compiler": "g++"})]:
        to = folder / f"talk-{jobs}.h5"
        library = compiled(folder, EXAMPLES / "talk.c", **language)
        run("slices", "run", folder / "talk.h5", "-l", library, "-o", to, "-j", jobs)
        if not language:
            made.add(to.read_bytes())
    assert len(made) == 1, "the same bytes with any number of threads"
    with h5py.File(to) as file:
        assert file["output/data"].dtype == "i4" and (file["output/data"][:] == expected).all()
        process = file["entry/process"]
        assert process.attrs["NX_class"] == "NXprocess" and process["library_name"].asstr()[()] == "talk"
        assert process["inputs"].asstr()[:].tolist() == ["/data/imagedata", "/data/darkdata", "/data/motorposition"]
        assert process["slicing_maps"].asstr()[:].tolist() == ["[0, 0, 1]", "[0, 1]", "[0, 0]"]
        assert len(process["library_sha256"][()]) == 64 and len(process["arguments"]) == 0


def fnv(data):
    """FNV-1a of each row of bytes."""
    sums = np.full(len(data), 0xCBF29CE484222325, "u8")
    with np.errstate(over="ignore"):
        for column in data.T:
            sums = (sums ^ column) * np.uint64(0x100000001B3)
    return sums


def test_the_benchmark_counts_every_slice(folder):
    library = compiled(folder, EXAMPLES / "benchmark.c", standard="c11")
    for slicing, axes in [("0,1", (1,)), ("2,1", (1, 0)), ("0,0,1", (2,)), ("1,2,3", (0, 1, 2))]:
        rest = [axis for axis in range(3) if axis not in axes]
        slices = IMAGES.transpose(*axes, *rest).reshape(np.prod([IMAGES.shape[axis] for axis in axes]), -1)
        to = folder / f"sums-{slicing}.h5"
        text = run("slices", "run", folder / "data.h5", "-l", library, "-q", "-o", to, "--", "input=data", f"map={slicing}")
        found = json.loads(text)
        assert (found["slices"], found["done"], found["bytes"]) == (len(slices), len(slices), IMAGES.nbytes)
        with h5py.File(to) as file:
            sums = file["checksum"]
            assert sums.shape == tuple(IMAGES.shape[axis] for axis in axes)
            assert (sums[:].ravel() == fnv(np.ascontiguousarray(slices).view("u1"))).all()
    assert "map=N,N" in run("slices", "plan", folder / "data.h5", "-l", library, "--", "input=data", "map=x", code=2)
    without = run("slices", "run", folder / "data.h5", "-l", library, "-q", "--", "input=data", f"map={slicing}")
    assert json.loads(without)["checksum"] == found["checksum"]


def counted(*arguments):
    """The JSON lines of a command, the bytes that it read by the system's account, and its peak of memory."""
    code = (
        "import json, resource, subprocess, sys; done = subprocess.run(sys.argv[1:], capture_output=True, text=True);"
        "print(json.dumps([done.returncode, done.stdout, done.stderr, resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss]))"
    )
    environment = dict(os.environ, DARKCHUNK_PYTHON=sys.executable, HDF5_USE_FILE_LOCKING="FALSE")
    command = [sys.executable, "-c", code, str(COMMAND), *map(str, arguments)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    status, out, error, peak = json.loads(done.stdout)
    assert status == 0, error
    return [json.loads(line) for line in out.splitlines()], peak * 1024


def file_bytes(plan):
    return sum(each["bytes"] for each in plan["inputs"])


@pytest.mark.parametrize("chunk", [(8, 16, 400), (16, 16, 400), (1, 400, 400)])
def test_a_set_larger_than_memory_stays_within_what_the_plan_says(folder, chunk):
    file = folder / "large.h5"
    with h5py.File(file, "w") as target:
        opened = target.create_dataset(
            "data", (480, 400, 400), "<u2", chunks=chunk, compression=BITSHUFFLE, compression_opts=(0, 2)
        )
        rng = np.random.default_rng(3)
        for first in range(0, 480, 16):
            opened[first : first + 16] = rng.integers(0, 50, (16, 400, 400))
    library = compiled(folder, EXAMPLES / "benchmark.c", standard="c11")
    told = ["--", "input=data", "map=0,1"]
    # A tiny one: what the program itself, HDF5 and the library take.
    small = [folder / "data.h5", "-l", library, "--json", "-j", 2, "--memory", 15, *told]
    large = [file, "-l", library, "--json", "-j", 2, "--memory", 15, *told]
    took = []
    # What the system counts is another number each time, by some hundred KB: the least of some is what it takes.
    while len(took) < 5 and (not took or min(took) > plan["memory"] * 1.1):
        _, base = counted("slices", "run", *small)
        (plan, found, benchmark), peak = counted("slices", "run", *large)
        took.append(peak - base)
    assert benchmark["done"] == 400 and plan["memory"] <= 15_000_000 < file_bytes(plan) / 10
    assert min(took) <= plan["memory"] * 1.1, (took, plan["memory"])
    read, stored, decoded = found["inputs"][0]["read_bytes"], plan["inputs"][0]["stored_bytes"], found["inputs"][0]["decoded_bytes"]
    n_bytes = file_bytes(plan)
    if chunk[0] == 1:
        # Slabs of some rows: the blocks at both ends are decoded twice, and the first time all of each chunk is read.
        assert decoded <= 1.05 * plan["inputs"][0]["decoded_bytes"] < 2 * n_bytes and read <= 3 * stored
    else:
        assert read == stored and decoded == n_bytes
    file.unlink()


def tiff(path):
    """The image of an uncompressed TIFF, by its tags."""
    data = path.read_bytes()
    order = {b"II": "<", b"MM": ">"}[data[:2]]
    get = lambda kind, at: struct.unpack_from(order + kind, data, at)
    is_big = get("H", 2)[0] == 43
    size, number = (8, "Q") if is_big else (4, "I")
    at = get(number, 8 if is_big else 4)[0]
    n_tags = get("Q" if is_big else "H", at)[0]
    at += 8 if is_big else 2
    tags = {}
    for entry in range(at, at + n_tags * (4 + 2 * size), 4 + 2 * size):
        tag, kind = get("HH", entry)
        n, value = get(number, entry + 4)[0], entry + 4 + size
        kind = {3: "H", 4: "I", 5: "II", 16: "Q"}[kind]
        fits = struct.calcsize(f"{n}{kind}" if kind != "II" else "II") <= size
        tags[tag] = get(f"{n}{kind}" if n > 1 else kind, value if fits else get(number, value)[0])
    assert list(tags) == sorted(tags) and get(number, at + n_tags * (4 + 2 * size)) == (0,)
    assert tags[282] == tags[283] == (1, 1) and tags[277] == (1,) and tags[259] == (1,)
    pixels = b"".join(data[start : start + n] for start, n in zip(tags[273], tags[279]))
    kind = {1: "u", 2: "i", 3: "f"}[tags[339][0]]
    (width,), (height,) = tags[256], tags[257]
    assert len(tags[273]) == -(-height // tags[278][0])
    return np.frombuffer(pixels, f"{order}{kind}{tags[258][0] // 8}").reshape(height, width), is_big


@pytest.mark.parametrize("dtype", ["u1", "i1", ">u2", "i2", "u4", "i4", "f4", "<f8", "u8"])
def test_a_tiff_has_the_pixels_of_its_slice(folder, dtype):
    images = (np.arange(3 * 5 * 12).reshape(3, 5, 12) * 37 % 251 - (0 if "u" in dtype else 100)).astype(dtype)
    with h5py.File(folder / "images.h5", "w") as file:
        file["data"] = images
    library = compiled(folder, EXAMPLES / "tiff.c", standard="c11")
    to = folder / f"tiff-{dtype[-2:]}"
    to.mkdir()
    for big in (0, 1):
        told = ["--", "input=data", "map=0,0,1", f"folder={to}", f"big={big}"]
        run("slices", "run", folder / "images.h5", "-l", library, *told)
        names = sorted(path.name for path in to.iterdir())
        assert names == [f"slice_{number:02d}.tif" for number in range(12)]
        for number, name in enumerate(names):
            image, is_big = tiff(to / name)
            assert is_big == bool(big) and image.dtype.kind == images.dtype.kind
            assert image.dtype.itemsize == images.itemsize and (image == images[:, :, number]).all()


def test_a_tiff_of_many_strips_and_what_it_refuses(folder):
    image = np.random.default_rng(1).integers(0, 60_000, (1, 3000, 3001), "u2")
    with h5py.File(folder / "strips.h5", "w") as file:
        file.create_dataset("data", data=image, chunks=(1, 3000, 3001), compression=BITSHUFFLE, compression_opts=(0, 2))
    library, to = compiled(folder, EXAMPLES / "tiff.c", standard="c11"), folder / "strips"
    to.mkdir()
    how = ["slices", "run", folder / "strips.h5", "-l", library, "--", "input=data"]
    for big in (0, 1):
        run(*how, f"folder={to}", f"big={big}", "name=image")
        assert (tiff(to / "image0.tif")[0] == image[0]).all()
    assert "No such file or directory" in run(*how, f"folder={to / 'none'}", code=2)
    assert "must be an image or a line" in run(*how[:-2], "--", "input=data", "map=0,0,0", code=2)
    assert "too long" in run(*how, f"name={'x' * 5000}", code=2)
    assert sorted(path.name for path in to.iterdir()) == ["image0.tif"]


HALF = 'python3 -c "import sys, numpy as n; n.save(sys.argv[2], n.load(sys.argv[1])[::2] / 2 + int(sys.argv[3]))" "$1" "$2" "$3"'


def external(folder, command, *arguments, code=0, more=()):
    """Runs a program for each of some slices; returns what is printed, and the output."""
    library = compiled(folder, EXAMPLES / "external.c", standard="c11")
    few, to, shared = folder / "few.h5", folder / "external.h5", folder / "shared"
    with h5py.File(few, "w") as file:
        file["data"] = IMAGES[:, :5]
    to.unlink(missing_ok=True)
    shared.mkdir(exist_ok=True)
    told = ["input=data", "map=0,1,0", f"command={command.replace('python3', sys.executable)}", f"folder={shared}", *arguments]
    if any(argument.startswith("serve=") for argument in arguments):
        told.pop(2)
    text = run("slices", "run", few, "-l", library, "-o", to, *more, "--", "type=float64", "shape=6,20,-1", *told, code=code)
    assert not list(shared.iterdir()), "files of a call are removed"
    if not to.exists():
        return " ".join(text.split()), None
    with h5py.File(to) as file:
        return " ".join(text.split()), file["data"][:]


def test_a_program_is_run_for_each_slice(folder):
    for jobs in (1, 3):
        _, found = external(folder, HALF, more=["-j", jobs])
        expected = IMAGES[::2, :5].transpose(0, 2, 1) / 2 + np.arange(5)
        assert (found == expected).all()


@pytest.mark.parametrize(
    "command,arguments,words",
    [
        ("echo no good >&2; exit 3", [], "slice 0: process says 6: the program ended with 3; it said: no good"),
        ("kill -9 $$", [], "was ended by signal 9"),
        ("sleep 1000 & sleep 1000", ["seconds=0.3"], "was killed after so many seconds"),
        ("true", [], "the program has written nothing"),
        (HALF, ["shape=5,20,-1"], "has written another array than"),
        ("printf nonsense > $2", [], "has written another array than"),
        ("true", ["type=float16"], "type=NAME is int8"),
        ("true", ["shape=x"], "shape=N,N"),
        ("true", ["folder=/nowhere"], "/nowhere/darkchunk-"),
    ],
)
def test_a_program_that_fails_is_reported_with_what_it_said(folder, command, arguments, words):
    # The first of two arguments with one name counts.
    library = compiled(folder, EXAMPLES / "external.c", standard="c11")
    if any(argument.split("=")[0] in ("type", "shape", "folder") for argument in arguments):
        defaults = [text for text in ("type=float64", "shape=6,20,-1") if text.split("=")[0] != arguments[0].split("=")[0]]
        told = ["input=data", "map=0,1,0", f"command={command.replace('python3', sys.executable)}", *arguments, *defaults]
        where = ["-o", folder / "none.h5", "-j", 1]
        text = " ".join(run("slices", "run", folder / "data.h5", "-l", library, *where, "--", *told, code=2).split())
    else:
        text, found = external(folder, command, *arguments, code=2, more=["-j", 1])
        assert found is None
    assert words in text, text


SERVER = """python3 -c "
import os, sys, time, numpy as n
for line in sys.stdin:
    one, other, number = line.rstrip(chr(10)).split(chr(9))
    open('PIDS', 'a').write(str(os.getpid()) + chr(10))
    n.save(other, n.load(one)[::2] / 2 + int(number))
    answer = 'done'
    WHAT
    print(answer, flush=True)
AFTER"
"""


def is_running(number):
    stat = Path(f"/proc/{number}/stat")
    try:
        return stat.read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def server(folder, what="", *arguments, after="", **how):
    """As `external`, by a program that stays; returns the numbers of its processes, too."""
    pids = folder / "pids"
    pids.unlink(missing_ok=True)
    text = SERVER.replace("PIDS", str(pids)).replace("WHAT", what).replace("AFTER", after)
    text, found = external(folder, "true", "serve=" + text.replace("python3", sys.executable), *arguments, **how)
    # One that was killed at its start has written nothing.
    numbers = set(pids.read_text().split()) if pids.exists() else set()
    end = time.monotonic() + 60
    while any(map(is_running, numbers)) and time.monotonic() < end:
        time.sleep(0.02)
    assert not any(map(is_running, numbers)), "all of them have ended"
    return text, found, numbers


def test_a_program_stays_for_all_slices_of_a_worker(folder):
    expected = IMAGES[::2, :5].transpose(0, 2, 1) / 2 + np.arange(5)
    for jobs in (1, 3):
        _, found, numbers = server(folder, more=["-j", jobs])
        assert (found == expected).all() and 1 <= len(numbers) <= jobs
    _, found, numbers = server(folder, after="time.sleep(1000)", more=["-j", 1])
    assert (found == expected).all() and len(numbers) == 1, "one that does not end is killed"
    text, found, _ = server(folder, "if number == '3': answer = 'skip'", more=["-j", 2])
    assert "1 skipped" in text and not found[..., 3].any() and (found[..., 4] == expected[..., 4]).all()


@pytest.mark.parametrize(
    "what,words",
    [
        ("answer = 'no good'; print('nor this', file=sys.stderr, flush=True)", "the program says: no good; it said: nor this"),
        ("print('broken', file=sys.stderr); sys.exit(3)", "the program ended with 3; it said: broken"),
        ("os.kill(os.getpid(), 9)", "the program ended with 137"),
        ("time.sleep(1000)", "the program was killed after so many seconds: "),
        ("os.remove(other)", "the program has written nothing"),
    ],
)
def test_a_program_that_stays_and_fails_costs_its_slice(folder, what, words):
    what = f"if number == '2': {what}"
    expected = IMAGES[::2, :5].transpose(0, 2, 1) / 2 + np.arange(5)
    others, more = [0, 1, 3, 4], ["-j", 1]
    # The time is for the start of Python and its imports, too; only one that is to be killed is waited for. A busy
    # machine may keep another one for so long: then there is more time.
    for seconds in (8, 60) if "killed" in words else (100,):
        text, none, _ = server(folder, what, f"seconds={seconds}", more=more, code=2)
        again, found, numbers = server(folder, what, f"seconds={seconds}", more=[*more, "--keep-going"], code=1)
        is_it = f"slice 2: process says 6: {words}" in text and (found[..., others] == expected[..., others]).all()
        if is_it:
            break
    assert is_it and none is None and words in again and not found[..., 2].any(), (text, again)
    assert len(numbers) == (2 if "ended" in words or "killed" in words else 1), "another one was started"


def test_the_guide_does_what_it_says_in_an_empty_folder(tmp_path):
    text = (ROOT / "docs" / "slices.md").read_text()
    text = text.split("## Ten minutes")[1].split("## Python")[0]
    programs = tmp_path / "programs"
    programs.mkdir()
    (programs / "darkchunk").symlink_to(COMMAND)
    (programs / "python").symlink_to(sys.executable)
    folder = tmp_path / "empty"
    folder.mkdir()
    environment = dict(os.environ, PATH=f"{programs}:{os.environ['PATH']}", DARKCHUNK_PYTHON=sys.executable)
    printed = []
    for before, block in zip(text.split("```")[::2], text.split("```")[1::2]):
        language, code = block.split("\n", 1)
        if language == "c":
            (folder / before.rsplit("`", 2)[-2]).write_text(code)
            continue
        command = [sys.executable, "-c", code] if language == "python" else ["sh", "-e", "-c", code]
        done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True)
        assert done.returncode == 0 and not done.stderr, (code, done.stdout, done.stderr)
        printed.append(done.stdout)
    with h5py.File(folder / "scan.h5") as scan, h5py.File(folder / "means.h5") as means:
        assert np.allclose(means["means"][:], scan["entry/data/data"][:].mean(axis=(1, 2)))
    assert printed[-1] == "(512, 512, 3) True\n"
    assert (folder / "talk.c").read_text() == (EXAMPLES / "talk.c").read_text()
    assert (folder / "h5io.h").read_text() == (HEADERS / "h5io.h").read_text()


@pytest.mark.parametrize("compiler", ["gcc", "g++"])
def test_the_guides_library_compiles_and_gives_means(folder, compiler):
    text = (ROOT / "docs" / "slices.md").read_text()
    source = folder / ("mean.c" if compiler == "gcc" else "mean.cpp")
    source.write_text(text.split("```c\n")[1].split("```")[0])
    library, to = folder / f"mean-{compiler}.so", folder / f"mean-{compiler}.h5"
    flags = ["-O2", "-Wall", "-Werror", "-shared", "-fPIC", f"-I{HEADERS}"]
    subprocess.run([compiler, *flags, "-o", str(library), str(source)], check=True)
    with h5py.File(folder / "scan.h5", "w") as file:
        file["entry/data/data"] = IMAGES
    run("slices", "run", folder / "scan.h5", "-l", library, "-o", to)
    with h5py.File(to) as file:
        assert np.allclose(file["means"][:], IMAGES.mean(axis=(1, 2)))


# Chunks are 8 rows high: units of 0, 8, 16, 24 and 32.
@pytest.mark.parametrize("how", ["--rank", "PMI", "OMPI_COMM_WORLD", "srun", "Slurm's array"])
def test_ranks_share_the_slices_and_the_last_one_makes_a_master(folder, monkeypatch, how):
    library = compiled(folder, CHECKS, "-DWITH_BLOCKS")
    to = folder / f"{how.strip('-').replace(' ', '-')}.h5"

    def rank(number, n_ranks, *more):
        variables = {
            "PMI": {"PMI_RANK": number, "PMI_SIZE": n_ranks},
            "OMPI_COMM_WORLD": {"OMPI_COMM_WORLD_RANK": number, "OMPI_COMM_WORLD_SIZE": n_ranks},
            "srun": {"SLURM_PROCID": number, "SLURM_STEP_NUM_TASKS": n_ranks, "SLURM_NTASKS": n_ranks},
            "Slurm's array": {
                "SLURM_ARRAY_TASK_ID": number + 1,
                "SLURM_ARRAY_TASK_MIN": 1,
                "SLURM_ARRAY_TASK_MAX": n_ranks,
            },
        }
        for name, value in variables.get(how, {}).items():
            monkeypatch.setenv(name, str(value))
        told = ["--rank", f"{number}/{n_ranks}"] if how == "--rank" else []
        return run("slices", "run", folder / "data.h5", "-l", library, "-o", to, *told, *more)

    text = " ".join(rank(2, 3).split())
    assert "rank 2 of 3" in text and "is made when 2 other parts are there" in text, text
    rank(0, 3, "-j", 1)
    assert not to.exists()
    assert "shows all 3 parts" in " ".join(rank(1, 3, "-j", 3).split())
    with h5py.File(to) as file:
        assert file["means"].is_virtual and np.allclose(file["means"][:], MEANS)
        assert not file["entry/process/status"][:].any()
        assert file["entry/process/library_name"][()] == b"checks"
        assert not any(os.path.isabs(source.file_name) for source in file["means"].virtual_sources())
    assert not [left for left in folder.iterdir() if left.name.endswith(".tmp")]


def test_a_run_in_parts_that_has_failed_goes_on(folder, tmp_path):
    library = compiled(folder, CHECKS, "-DWITH_BLOCKS")
    command = ["slices", "run", folder / "data.h5", "-l", library, "--parts", 4]
    whole, to = tmp_path / "whole.h5", tmp_path / "out.h5"
    run(*command, "-o", whole)
    text = run(*command, "-o", to, "--", "wrong=process", "at=20", code=2)
    assert "slice 20" in text and not to.exists()
    before = {path.name: path.read_bytes() for path in tmp_path.glob("out_*.h5")}
    assert list(before) and not [left for left in tmp_path.iterdir() if left.name.endswith(".tmp")]
    # Other arguments are another run.
    assert "of another run" in " ".join(run(*command, "-o", to, "--resume", code=2).split())
    for name in before:
        (tmp_path / name).unlink()
    run(*command, "-o", to)
    (tmp_path / "out_000002.h5").unlink()
    to.unlink()
    text = " ".join(run(*command, "-o", to, "--resume").split())
    assert text.count("was there") == 3, text
    with h5py.File(to) as file:
        assert np.allclose(file["means"][:], MEANS)
    for number in range(4):
        one, other = (tmp_path / f"{name}_{number:06}.h5" for name in ("whole", "out"))
        assert one.read_bytes() == other.read_bytes(), number


def test_a_part_that_is_kept_is_of_the_same_input_and_says_what_failed(folder, tmp_path):
    library = compiled(folder, CHECKS, "-DWITH_BLOCKS")
    source, to = tmp_path / "data.h5", tmp_path / "out.h5"
    source.write_bytes((folder / "data.h5").read_bytes())
    told = ["--keep-going", "--", "wrong=process", "at=20"]
    command = ["slices", "run", source, "-l", library, "--parts", 4, "-o", to]
    run(*command, *told, code=1)
    to.unlink()
    text = " ".join(run(*command, "--resume", *told, code=1).split())
    assert text.count("was there") == 4 and "was there, with 1 slice that failed" in text, text
    to.unlink()
    os.utime(source, (1, 1))
    assert "an input that has changed" in " ".join(run(*command, "--resume", *told, code=2).split())
    assert not to.exists()


@pytest.mark.parametrize(
    "more,words",
    [
        (["--rank", "3/3"], "is no rank"),
        (["--parts", 2, "--rank", "0/2"], "cannot be used with"),
    ],
)
def test_ranks_and_parts_that_make_no_sense_are_refused(folder, tmp_path, more, words):
    library = compiled(folder, CHECKS, "-DWITH_BLOCKS")
    to = tmp_path / "out.h5"
    text = run("slices", "run", folder / "data.h5", "-l", library, "-o", to, *more, code=2)
    assert words in " ".join(text.split()) and not list(tmp_path.iterdir())
