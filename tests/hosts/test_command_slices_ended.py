"""`darkchunk slices` that is killed, whose disk is full, whose library crashes or hangs, and which is several processes."""

import contextlib
import fcntl
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import h5py
import numpy as np
import pytest

from common import BITSHUFFLE, ROOT
from test_command import COMMAND, run
from test_command_slices import CHECKS, EXAMPLES, compiled, is_running

COPY = ROOT / "tests" / "hosts" / "slices" / "copy.c"
SHIM = ROOT / "ffi" / "mpi" / "darkchunk_mpi.c"
IS_PROOF = os.environ.get("DARKCHUNK_PROVE") == "1"
N_MOMENTS = 20 if IS_PROOF else 3
IMAGES = np.random.default_rng(23).integers(0, 900, (40, 203, 120), "<u2")
MEANS = IMAGES.mean(axis=(0, 2))
# So little that a slab is no more than 8 rows, the height of the chunks.
LITTLE = ["--memory", 1, "-j", 2]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("ended")
    with h5py.File(folder / "data.h5", "w") as file:
        file.create_dataset("data", data=IMAGES, chunks=(10, 8, 120), compression=BITSHUFFLE, compression_opts=(0, 2))
    return folder


@pytest.fixture(scope="module")
def library(folder):
    return compiled(folder, COPY)


def command(folder, library, to, *more, told=()):
    return ["slices", "run", folder / "data.h5", "-l", library, "-o", to, *LITTLE, *more, "--", *told]


def results(path):
    with h5py.File(path) as file:
        return file["copies"][:], file["means"][:], file["entry/process/status"][:]


def is_whole(path):
    copies, means, status = results(path)
    return (copies == IMAGES.transpose(1, 0, 2)).all() and np.allclose(means, MEANS) and not status.any()


def environment(**more):
    """As `run` has it: without plugins, whose names would be in the files."""
    found = dict(os.environ, DARKCHUNK_PYTHON=sys.executable, HDF5_USE_FILE_LOCKING="FALSE", **more)
    found.pop("HDF5_PLUGIN_PATH", None)
    return found


def start(arguments, **how):
    return subprocess.Popen([str(COMMAND), *map(str, arguments)], env=environment(), stdout=subprocess.DEVNULL, **how)


def wait_until(is_so, process=None):
    """Waits for what a process does, which is not to end before."""
    end = time.monotonic() + 120
    while not is_so():
        assert process is None or process.poll() is None, f"it has ended with {process.returncode}"
        assert time.monotonic() < end, "it takes too long"
        time.sleep(0.01)


def written_down(seen):
    """The slices that the library was called for, in their order."""
    return [int(slice) for slice in seen.read_text().split()] if seen.exists() else []


def wait_at_the_gate(seen, first, process, n=1):
    """Until so many slices from `first` on have come to the gate, where they wait."""
    wait_until(lambda: sum(slice >= first for slice in written_down(seen)) >= n, process)


def noted(folder, name):
    """Where the slabs end that runs have noted of a file which is not finished; 0 where there are none."""
    ends = [0]
    for manifest in folder.glob(f".{name}.*.slabs"):
        # Without a line that is not whole.
        ends += [json.loads(line[9:]).get("end", 0) for line in manifest.read_bytes().split(b"\n")[:-1]]
    return max(ends)


def left_in_memory():
    """What processes that have ended left of memory that they shared; others may be at work at this moment."""
    paths = list(Path("/dev/shm").glob("darkchunk-slices-*"))
    return {path.name for path in paths if not is_running(path.name.split("-")[2]) and path.exists()}


def test_a_rank_that_is_killed_goes_on_to_the_same_bytes(folder, library, tmp_path):
    # Rank 1 of 3 has some 64 slices, two at a time, 20 ms each.
    seen, gate = tmp_path / "seen", tmp_path / "gate"
    told = ["wait=20000", f"seen={seen}", f"gate={gate}"]
    one = lambda to: command(folder, library, to, "--rank", "1/3", "--resume", told=told)
    whole, part = tmp_path / "whole.h5", "whole_000001.h5"
    run(*one(whole))
    expected, slices = (tmp_path / part).read_bytes(), sorted(written_down(seen))
    seed = random.randrange(1 << 30) if IS_PROOF else 22
    print(f"seed {seed}")
    moments = random.Random(seed)
    for number in range(N_MOMENTS):
        to = tmp_path / f"out{number}.h5"
        seen.unlink()
        # It does not end before it is killed.
        gate.write_text(str(slices[-1]))
        process = start(one(to))
        # By what it has done, and not by the clock: how fast it is depends on what else the machine does. The first
        # time in the middle.
        n_begun = moments.randint(1, len(slices)) if number else len(slices) // 2
        wait_until(lambda: len(written_down(seen)) >= n_begun, process)
        time.sleep(moments.uniform(0, 0.02))
        process.send_signal(signal.SIGKILL)
        assert process.wait() == -signal.SIGKILL
        gate.unlink()
        n_before, end = len(written_down(seen)), noted(tmp_path, f"out{number}_000001.h5")
        left = {path: path.read_bytes() for path in tmp_path.glob(f".out{number}*")}
        # There is memory for two slabs, of 8 slices at most: before a third one is begun the first is noted. How many
        # others are depends on the time that it takes.
        assert n_before <= 16 or end > slices[0], (number, n_before, end)
        run(*one(to))
        assert (tmp_path / f"out{number}_000001.h5").read_bytes() == expected, number
        found = written_down(seen)
        assert sorted(set(found)) == slices
        # Again nothing but what was not noted.
        assert sorted(found[n_before:]) == [slice for slice in slices if slice >= end], (number, n_before, end)
        assert not list(tmp_path.glob(f".out{number}*"))
        # As if it was killed when it had just finished.
        for path, content in left.items():
            path.write_bytes(content)
        run(*one(to))
        assert left and not list(tmp_path.glob(f".out{number}*"))
    run(*command(folder, library, whole, "--rank", "0/3", told=told))
    run(*command(folder, library, whole, "--rank", "2/3", told=told))
    assert is_whole(whole)


@pytest.mark.skipif(sys.platform == "win32", reason="signals are of Unix")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_a_run_in_good_order(folder, library, tmp_path, number):
    to, whole, seen, gate = (tmp_path / name for name in ("out.h5", "whole.h5", "seen", "gate"))
    told = ["wait=20000", f"seen={seen}", f"gate={gate}"]
    gate.write_text("36")
    process = start(command(folder, library, to, told=told), stderr=subprocess.PIPE, text=True)
    wait_at_the_gate(seen, 36, process)
    process.send_signal(number)
    gate.unlink()
    words = " ".join(process.communicate(timeout=120)[1].split())
    assert process.returncode == 128 + number and "--resume goes on" in words, words
    run(*command(folder, library, to, "--resume", told=told))
    run(*command(folder, library, whole, told=told))
    assert to.read_bytes() == whole.read_bytes()


@pytest.mark.skipif(sys.platform == "win32", reason="signals are of Unix")
@pytest.mark.parametrize("number,more", [(signal.SIGINT, ["--parts", 4]), (signal.SIGTERM, ["--rank", "0/2"])])
def test_a_signal_ends_a_run_in_parts(folder, library, tmp_path, number, more):
    to, seen, gate = tmp_path / "out.h5", tmp_path / "seen", tmp_path / "gate"
    # The first of four parts has 48 slices or more.
    gate.write_text("20")
    process = start(command(folder, library, to, *more, told=["wait=20000", f"seen={seen}", f"gate={gate}"]))
    wait_at_the_gate(seen, 20, process)
    process.send_signal(number)
    gate.unlink()
    assert process.wait(timeout=120) == 128 + number
    assert not list(tmp_path.glob("out*.h5")), "the first part was not finished, and no other was tried"


def on_a_disk(arguments, disk, n_bytes, room, to):
    """Runs the command on a disk of so many bytes, and again when it has room."""
    text = " ".join(f"'{word}'" for word in [COMMAND, *arguments])
    script = (
        f"mount -t tmpfs -o size={n_bytes} darkchunk '{disk}' || exit 77; {text}; code=$?; ls -A '{disk}'; "
        f"[ $code = 0 ] || {{ mount -o remount,size={room} '{disk}' && {text}; }} && cp '{disk}/out.h5' '{to}'; ls -A '{disk}'; exit $code"
    )
    unshare = ["unshare", "--map-root-user", "--mount", "sh", "-c", script]
    done = subprocess.run(unshare, env=environment(), capture_output=True, text=True)
    if done.returncode in (1, 77):
        pytest.skip("this system lets nobody make a disk (unshare --map-root-user --mount)")
    return done.returncode, " ".join(done.stdout.split()), " ".join(done.stderr.split())


def test_a_full_disk_ends_the_run_which_goes_on_when_there_is_room(folder, library, tmp_path):
    disk, whole = tmp_path / "disk", tmp_path / "whole.h5"
    disk.mkdir()
    run(*command(folder, library, whole))
    n_bytes, out = whole.stat().st_size, tmp_path / "out.h5"
    arguments = command(folder, library, disk / "out.h5", "--resume")

    def ended(size):
        code, text, words = on_a_disk(arguments, disk, size, 20 * n_bytes, out)
        assert out.read_bytes() == whole.read_bytes() and text.split()[-1] == "out.h5", words
        out.unlink()
        if code == 0:
            return False
        assert code == 2 and "is kept, and --resume goes on with it" in words and "errno = 28" in words, words
        assert "of these by an earlier run" in text
        return "H5Dwrite_chunk" if "H5Dwrite_chunk" in words else "close"

    for share in [0.2, 0.4, 0.6, 0.8, 0.95] if IS_PROOF else [0.6]:
        assert ended(int(share * n_bytes)) == "H5Dwrite_chunk"
    # One that is full only when the file is closed: a page less than what is enough.
    pages = n_bytes // 4096
    few, enough, last = pages, 20 * pages, None
    while enough - few > 1:
        some = (few + enough) // 2
        few, enough = (some, enough) if (how := ended(4096 * some)) else (few, some)
        last = how or last
    assert last == "close"


CRASHES = [
    ("abort", "it crashed: signal 6, abort"),
    ("segfault", "it crashed: signal 11, segmentation fault"),
    ("hang", "it has not returned within the time limit"),
    ("exit", "it ended its process, with 3"),
    ("exit0", "it ended its process, with 0"),
    ("thread-exit0", "it ended its process, with 0"),
    ("babble", "its child answers nonsense"),
    ("fail", "process says 1: as it was told"),
]


@pytest.mark.skipif(sys.platform == "win32", reason="--isolate needs Linux or macOS")
@pytest.mark.parametrize("how,words", CRASHES)
def test_a_library_that_crashes_costs_its_slice(folder, library, tmp_path, how, words):
    # Longer than a call can take of a library that is well, also on a busy machine.
    isolated, to = ["--isolate", "--time-limit", 6 if how == "hang" else 100], tmp_path / "out.h5"
    before = left_in_memory()
    text = " ".join(run(*command(folder, library, to, *isolated, told=[f"how={how}", "at=100"]), code=2).split())
    assert "slice 100: " in text and words in text and ("up to slice 96" in text or "up to slice 100" in text), text
    assert not to.exists()
    for block in (1, 3):
        told = [f"how={how}", "at=100", f"block={block}"]
        # The first run had other arguments: nothing of it is used.
        more = ["--resume", "--keep-going"]
        text = run(*command(folder, library, to, *isolated, *more, told=told), code=1)
        assert "the first that failed: slice 100: " in text and words in " ".join(text.split())
        copies, means, status = results(to)
        others = np.arange(203) != 100
        assert status[100] == 2 and not status[others].any() and means[100] == 0
        assert (copies[others] == IMAGES.transpose(1, 0, 2)[others]).all() and np.allclose(means[others], MEANS[others])
        to.unlink()
    assert left_in_memory() <= before


@pytest.mark.skipif(sys.platform == "win32", reason="of Unix")
def test_a_library_that_ends_the_program_is_no_good_end(folder, library, tmp_path):
    to = tmp_path / "out.h5"
    words = "the library has ended the program (exit)"
    assert words in " ".join(run(*command(folder, library, to, told=["how=begin-exit0"]), code=2).split())
    assert not list(tmp_path.iterdir())
    seen = tmp_path / "seen"
    # Also on a thread of its own.
    other = tmp_path / "other.h5"
    assert words in " ".join(run(*command(folder, library, other, "-q", told=["how=thread-exit0", "at=100"]), code=2).split())
    arguments = command(folder, library, to, "-q", told=["how=exit0", "at=100", f"seen={seen}"])
    assert words in " ".join(run(*arguments, code=2).split()) and not to.exists()
    # It goes on after the last slab that was noted, and is ended again. The first is noted at once; how many others are depends on the
    # time that it takes.
    first, end = set(written_down(seen)), noted(tmp_path, "out.h5")
    seen.unlink()
    run(*arguments[: arguments.index("--")], "--resume", *arguments[arguments.index("--") :], code=2)
    again = set(written_down(seen))
    assert min(first) == 0 and 0 < end <= 100 and min(again) == end and 100 in first & again


def children_of(process, n):
    """The processes that one has started, when there are so many."""
    children = set()

    def are_there():
        children.clear()
        for task in Path(f"/proc/{process.pid}/task").glob("*/children"):
            # A thread may have ended by now.
            with contextlib.suppress(FileNotFoundError, ProcessLookupError):
                children.update(map(int, task.read_text().split()))
        return len(children) >= n

    wait_until(are_there, process)
    assert len(children) == n
    return children


@pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="the children of a process are found in /proc")
def test_a_batch_system_that_ends_all_processes_of_a_job_marks_no_slice_as_failed(folder, library, tmp_path):
    to, seen, gate = tmp_path / "out.h5", tmp_path / "seen", tmp_path / "gate"
    told = ["wait=20000", f"seen={seen}", f"gate={gate}"]
    arguments = command(folder, library, to, "--isolate", "--keep-going", told=told)
    gate.write_text("36")
    process = start(arguments, stderr=subprocess.PIPE, text=True)
    # Both children are in a call, and do not end it.
    wait_at_the_gate(seen, 36, process, n=2)
    for child in children_of(process, 2):
        os.kill(child, signal.SIGTERM)
    time.sleep(0.2)
    process.send_signal(signal.SIGTERM)
    gate.unlink()
    words = " ".join(process.communicate(timeout=120)[1].split())
    assert process.returncode == 128 + signal.SIGTERM and "--resume goes on" in words, words
    run(*command(folder, library, to, "--isolate", "--keep-going", "--resume", told=told))
    assert is_whole(to)


@pytest.mark.skipif(sys.platform == "win32", reason="--isolate needs Linux or macOS")
def test_a_library_in_processes_of_its_own_makes_the_same_bytes(folder, library, tmp_path):
    made, before = set(), left_in_memory()
    for more in ([], ["--isolate"], ["--isolate", "-j", 1], ["--isolate", "-j", 4]):
        to = tmp_path / "out.h5"
        arguments = command(folder, library, to, told=["block=2"])
        arguments[arguments.index("--") :] = ["--", "block=2"]
        run(*arguments[: arguments.index("-j")], *(more if "-j" in more else [*more, "-j", 2]), "--", "block=2")
        made.add(to.read_bytes())
        to.unlink()
    assert len(made) == 1 and left_in_memory() <= before
    # Inputs that are the same in every call, padding, and what is asked for again in each process.
    log, checks = tmp_path / "log", compiled(folder, CHECKS, "-DTHREADS=h5io_context", "-DWITH_BLOCKS")
    how = ["slices", "run", folder / "data.h5", "-l", checks, "-o", to, "--isolate", "-j", 3, "--"]
    # A process begins when its worker has the first call: so that each has one, calls wait until all have begun.
    run(*how, "before=2", "after=1", "block=3", f"log={log}", f"meet={tmp_path / 'meet'}")
    assert sorted(log.read_text().split("\n")[:-1]) == [f"complete {worker}" for worker in range(3)]
    with h5py.File(to) as file:
        padded = MEANS[np.clip(np.arange(203)[:, None] + np.arange(-2, 2), 0, 202)].mean(axis=1)
        assert np.allclose(file["means"][:], padded)
    with h5py.File(folder / "talk.h5", "w") as file:
        file["data/imagedata"] = np.ones((1024, 1024, 5), "u2")
        file["data/darkdata"], file["data/motorposition"] = np.zeros((1024, 5), "u2"), np.full((3, 3), 7.0)
    run("slices", "run", folder / "talk.h5", "-l", compiled(folder, EXAMPLES / "talk.c"), "-o", tmp_path / "talk.h5", "--isolate")
    with h5py.File(tmp_path / "talk.h5") as file:
        assert (file["output/data"][:] == 11).all()


@pytest.mark.skipif(sys.platform == "win32", reason="--isolate needs Linux or macOS")
def test_what_goes_wrong_before_the_first_slice_is_said(folder, library, tmp_path):
    to = tmp_path / "out.h5"
    text = run(*command(folder, library, to, "--isolate", told=["how=begin"]), code=2)
    assert "it crashed: signal 6, abort" in text
    checks = compiled(folder, CHECKS, "-DTHREADS=h5io_context", "-DWITH_BLOCKS")
    for wrong, words in [
        ("init", "h5io_init says 7: as it was told"),
        ("missing", "input 0, /nowhere: "),
        ("differs", "it asks for other inputs"),
        ("complete", "processing_complete says 7"),
    ]:
        # The second process begins with the first call of its worker, which the first worker waits for.
        told = [f"wrong={wrong}", f"meet={tmp_path / f'meet-{wrong}'}"]
        how = ["slices", "run", folder / "data.h5", "-l", checks, "-o", to, "--isolate", "-j", 2, "--", *told]
        assert words in " ".join(run(*how, code=2).split())
    # It has begun, and is told the end.
    log = tmp_path / "log"
    few = ["slices", "run", folder / "data.h5", "-l", checks, "-o", to, "--isolate", "--memory", 0, "--", f"log={log}"]
    assert "MB of memory are too few" in " ".join(run(*few, code=2).split()) and log.read_text() == "complete 0\n"
    assert "no seconds" in run(*command(folder, library, to, "--isolate", "--time-limit", 0), code=2)
    # The limit is for calls, and not for the start of the library. On a busy machine a call may be kept for so long:
    # then once more.
    for number in range(5):
        slow = tmp_path / f"slow{number}.h5"
        text = run(*command(folder, library, slow, "--isolate", "--time-limit", 2, told=["how=begin-slow"]), code=None)
        if "within the time limit" not in " ".join(text.split()):
            break
    assert slow.exists() and is_whole(slow), text
    assert "--isolate" in run(*command(folder, library, to, "--time-limit", 1), code=2)
    assert "no socket" in run("slices", "worker", code=2)


@pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="the children of a process are found in /proc")
def test_no_child_outlives_its_parent(folder, library, tmp_path):
    arguments = command(folder, library, tmp_path / "out.h5", "--isolate", told=["how=hang", "at=50"])
    process = start(arguments)
    children = children_of(process, 2)
    time.sleep(0.3)
    process.kill()
    process.wait()
    end = time.monotonic() + 120
    while any(map(is_running, children)) and time.monotonic() < end:
        time.sleep(0.02)
    assert not any(map(is_running, children))


def test_bytes_do_not_depend_on_workers_and_pixels_not_on_ranks(folder, library, tmp_path):
    made, hashes = {}, set()
    for n_ranks in (1, 2, 3):
        for n_workers in (1, 2, 4):
            place = tmp_path / f"{n_ranks}-{n_workers}"
            place.mkdir()
            for rank in range(n_ranks):
                more = ["--rank", f"{rank}/{n_ranks}"] if n_ranks > 1 else []
                how = ["slices", "run", folder / "data.h5", "-l", library, "-o", place / "out.h5", "--memory", 2, *more]
                run(*how, "-j", n_workers)
            files = [path for path in sorted(place.iterdir()) if n_ranks == 1 or path.name != "out.h5"]
            assert len(files) == n_ranks
            made.setdefault(n_ranks, set()).add(b"".join(path.read_bytes() for path in files))
            lines = run("hash", "--json", place / "out.h5").splitlines()
            hashes.add(tuple((line["path"], line.get("xxh3") or line.get("sha256")) for line in map(json.loads, lines)
                             if line["path"] in ("/copies", "/means", "/entry/process/status")))
    assert [len(each) for each in made.values()] == [1, 1, 1]
    assert len(hashes) == 1 and len(next(iter(hashes))) == 3


def mpis():
    """Each MPI that is here: its compiler, and how a program is started."""
    beside = Path(sys.executable).parent / "mpicc"
    mpich = beside if beside.exists() else shutil.which("mpicc.mpich")
    if mpich:
        yield "mpich", str(mpich), [str(mpich).replace("mpicc", "mpiexec")]
    if shutil.which("mpicc.openmpi"):
        yield "openmpi", "mpicc.openmpi", ["mpirun.openmpi", "--allow-run-as-root", "--oversubscribe"]


MPIS = list(mpis())


def shim(folder, name, compiler):
    to = folder / f"{name}.so"
    if not to.exists():
        flags = ["-O1", "-Wall", "-Wextra", "-Werror", "-shared", "-fPIC"]
        subprocess.run([compiler, *flags, "-o", to, SHIM], check=True)
    return to


def wait_for_the_dead(folder, name):
    """Until no process that was killed has a manifest of this file any more: one that waits for the disk is there for
    some moments."""

    def is_locked(manifest):
        with contextlib.suppress(FileNotFoundError), manifest.open("rb+") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                return True
        return False

    wait_until(lambda: not any(map(is_locked, folder.glob(f".{name}*.slabs"))))


def under_mpi(launcher, with_shim, arguments, n=3):
    command = [*launcher, "-n", str(n), str(COMMAND), *map(str, arguments)]
    done = subprocess.run(command, env=environment(DARKCHUNK_MPI=str(with_shim)), capture_output=True, text=True, timeout=300)
    return done.returncode, " ".join((done.stdout + done.stderr).split())


@pytest.mark.skipif(not MPIS, reason="no mpicc is here")
@pytest.mark.parametrize("name,compiler,launcher", MPIS, ids=[mpi[0] for mpi in MPIS])
def test_mpi_hands_out_the_parts(folder, library, tmp_path, name, compiler, launcher):
    with_shim, to, seen = shim(folder, name, compiler), tmp_path / "out.h5", tmp_path / "seen"
    told = ["wait=500", f"seen={seen}"]
    code, text = under_mpi(launcher, with_shim, command(folder, library, to, told=told))
    assert code == 0 and is_whole(to), text
    # 26 heights of chunks, 8 parts for each of three processes.
    assert len(list(tmp_path.glob("out_*.h5"))) == 24 and "shows all 24 parts" in text
    assert sorted(map(int, seen.read_text().split())) == list(range(203)), "each slice once"
    # The same parts as of one process without MPI, and as without the library.
    alone = tmp_path / "alone.h5"
    run(*command(folder, library, alone, "--parts", 24, told=told))
    for number in range(24):
        one, other = (tmp_path / f"{of}_{number:06}.h5" for of in ("out", "alone"))
        assert one.read_bytes() == other.read_bytes()
    code, text = under_mpi(launcher, "no", command(folder, library, tmp_path / "static.h5"))
    assert code == 0 and is_whole(tmp_path / "static.h5") and len(list(tmp_path.glob("static_*.h5"))) == 3, text


@pytest.mark.skipif(not MPIS, reason="no mpicc is here")
@pytest.mark.parametrize("name,compiler,launcher", MPIS, ids=[mpi[0] for mpi in MPIS])
def test_all_processes_of_mpi_end_with_the_worst_error(folder, library, tmp_path, name, compiler, launcher):
    with_shim, to = shim(folder, name, compiler), tmp_path / "out.h5"
    failing = ["how=fail", "at=100"]
    code, text = under_mpi(launcher, with_shim, command(folder, library, to, told=failing))
    assert code == 2 and "slice 100: process says 1: as it was told" in text, (code, text)
    assert "another process has failed" in text and not to.exists()
    code, text = under_mpi(launcher, with_shim, command(folder, library, to, "--resume", "--keep-going", told=failing))
    assert code == 1 and "was there" in text and results(to)[2].tolist() == [2 * (slice == 100) for slice in range(203)]
    # A process that dies takes the others with it, and they go on.
    dying = tmp_path / "dying.h5"
    told = ["how=abort", "at=100"]
    code, text = under_mpi(launcher, with_shim, command(folder, library, dying, told=told))
    assert code not in (0, 1) and not dying.exists()
    wait_for_the_dead(tmp_path, "dying")
    more = ["--resume", "--isolate", "--keep-going"]
    code, text = under_mpi(launcher, with_shim, command(folder, library, dying, *more, told=told))
    assert code == 1 and results(dying)[2].sum() == 2, text


@pytest.mark.skipif(not MPIS, reason="no mpicc is here")
def test_a_library_of_another_mpi_is_refused(folder, library, tmp_path):
    name, compiler, launcher = MPIS[0]
    to = tmp_path / "out.h5"
    code, text = under_mpi(launcher, tmp_path / "none.so", command(folder, library, to))
    assert code == 2 and "none.so: it cannot be loaded" in text
    if len(MPIS) > 1:
        other, compiler, _ = MPIS[1]
        code, text = under_mpi(launcher, shim(folder, other, compiler), command(folder, library, to))
        assert code != 0 and not to.exists()
