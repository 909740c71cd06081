"""`darkchunk with` runs programs on a file without filters, and leaves nothing; `watch` follows a recording."""

import fcntl
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import h5py

from common import DRLE
from test_command import COMMAND, PIXELS, everything

READS = """
import sys, h5py
with h5py.File(sys.argv[1]) as file:
    filters = [file[path].compression or file[path].id.get_create_plist().get_nfilters() for path in ("drle", "lzf", "virtual")]
    print(sys.argv[1], filters, int(file["drle"][7].sum()), int(file["virtual"][7].sum()))
sys.exit(int(sys.argv[2]))
"""


def start(*arguments):
    environment = dict(os.environ, DARKCHUNK_PYTHON=sys.executable)
    # The program has no plugins.
    environment.pop("HDF5_PLUGIN_PATH", None)
    command = [str(part) for part in (COMMAND, *arguments)]
    # A shell gives its background jobs a SIGINT that is ignored, which stays so.
    pipes = dict(stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    return subprocess.Popen(command, env=environment, text=True, preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL), **pipes)


def ended(process, code=0):
    out, error = process.communicate(timeout=300)
    assert process.returncode == code, (process.returncode, out, error)
    assert "panicked" not in error
    return out, error


def test_a_program_without_plugins_reads_the_file(tmp_path):
    everything(tmp_path / "a.h5")
    into = tmp_path / "into"
    into.mkdir()
    for code in (0, 3):
        out, _ = ended(start("with", tmp_path / "a.h5", "--into", into, "--", sys.executable, "-c", READS, "{}", code), code)
        assert out.startswith(str(into)) and "a.h5 [0, 0, 0]" in out
        assert out.split()[-2:] == [str(int(PIXELS[7].sum()))] * 2
        assert not list(into.iterdir())
    out, _ = ended(start("with", tmp_path / "a.h5", "-q", "--", "ls"))
    assert out.startswith("/dev/shm/") and not Path(out.strip()).parent.exists()


def test_files_that_it_leads_to_are_there_and_decompressed(tmp_path):
    folder = tmp_path / "run"
    folder.mkdir()
    with h5py.File(folder / "data.h5", "w") as file:
        file.create_dataset("x", data=PIXELS, chunks=(1, 33, 47), compression=DRLE, compression_opts=(1,))
    with h5py.File(folder / "master.h5", "w") as file:
        file["x"] = h5py.ExternalLink("data.h5", "x")
    (folder / "notes.txt").write_text("notes")
    program = "import sys, h5py, os; print(int(h5py.File(sys.argv[1])['x'][3].sum()), sorted(os.listdir(os.path.dirname(sys.argv[1]))))"
    out, _ = ended(start("with", folder / "master.h5", "--", sys.executable, "-c", program))
    assert out.split()[0] == str(int(PIXELS[3].sum())) and "['data.h5', 'master.h5', 'notes.txt']" in out
    assert sorted(path.name for path in folder.iterdir()) == ["data.h5", "master.h5", "notes.txt"]


def test_nothing_is_left_whatever_ends_it(tmp_path):
    everything(tmp_path / "a.h5")
    into = tmp_path / "into"
    into.mkdir()
    (into / "darkchunk-with-999999999").mkdir()
    # What a process of another container is using, whose number is not seen here.
    used = into / "darkchunk-with-999999998"
    used.mkdir()
    lock = os.open(used, os.O_RDONLY)
    fcntl.flock(lock, fcntl.LOCK_EX)
    sleeps = (sys.executable, "-c", "import time; print('up', flush=True); time.sleep(600)")
    for number in (signal.SIGINT, signal.SIGTERM):
        process = start("with", tmp_path / "a.h5", "--into", into, "--", *sleeps)
        assert process.stdout.readline() == "up\n" and len(list(into.iterdir())) == 2
        process.send_signal(number)
        process.communicate(timeout=120)
        assert process.returncode in (1, 128 + number) and list(into.iterdir()) == [used]
    os.close(lock)
    _, error = ended(start("with", tmp_path / "a.h5", "--into", into, "--", "/no/such/program"), 2)
    assert "cannot be started" in error and not list(into.iterdir())
    out, error = ended(start("with", tmp_path / "a.h5", "--into", into, "--", "sh", "-c", "echo new > $(dirname {})/new.txt"))
    (left,) = into.iterdir()
    assert "the program has written to" in error and [path.name for path in left.iterdir()] == ["new.txt"]


def test_what_the_program_has_put_in_the_place_of_a_link_stays(tmp_path):
    everything(tmp_path / "a.h5")
    (tmp_path / "results.txt").write_text("of the last run")
    (tmp_path / "into").mkdir()
    writes = ("sh", "-c", "cd $(dirname {}) && rm results.txt && echo new > results.txt")
    _, error = ended(start("with", tmp_path / "a.h5", "--into", tmp_path / "into", "--", *writes))
    (left,) = (tmp_path / "into").iterdir()
    assert "the program has written to" in error and (left / "results.txt").read_text() == "new\n"
    assert (tmp_path / "results.txt").read_text() == "of the last run"


def test_a_path_out_of_the_folder_that_would_lead_elsewhere_is_an_error(tmp_path):
    (tmp_path / "run").mkdir()
    everything(tmp_path / "run" / "a.h5")
    with h5py.File(tmp_path / "run" / "a.h5", "a") as file:
        file["elsewhere"] = h5py.ExternalLink("../raw.h5", "/data")
    _, error = ended(start("with", tmp_path / "run" / "a.h5", "--into", tmp_path, "--", "true"), 2)
    assert "../raw.h5" in error and "convert --to none" in error
    assert [path.name for path in tmp_path.iterdir()] == ["run"]


def test_too_little_room_is_said_before_anything_is_written(tmp_path):
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file.create_dataset("x", (1 << 16, 1 << 12, 1 << 12), "u4", chunks=(1, 1 << 12, 1 << 12), compression="gzip")
    _, error = ended(start("with", tmp_path / "a.h5", "--", "true"), 2)
    assert "has room for" in error and "--into" in error


WRITES = """
import sys, time, h5py, numpy as np
swmr = sys.argv[2] == "swmr"
file = h5py.File(sys.argv[1], "w", libver="latest" if swmr else None)
data = file.create_dataset("entry/data/data", (0, 32, 48), "u2", maxshape=(None, 32, 48), chunks=(1, 32, 48), compression="gzip")
if swmr:
    file.swmr_mode = True
file.flush()
print("up", flush=True)
for number in range(30):
    if number % 10 == 0:
        sys.stdin.readline()
    data.resize(number + 1, axis=0)
    if number != 5:
        data[number] = np.full((32, 48), number + 1)
    data.flush() if swmr else file.flush()
    time.sleep(0.1)
file.close()
"""


def writing(path, kind):
    """A program that has made a file, and writes ten frames when it is told to, three times."""
    command = [sys.executable, "-c", WRITES, str(path), kind]
    writer = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert writer.stdout.readline() == "up\n"
    return writer


def lines_until(process, is_enough):
    """What a command prints with --json, until it is enough."""
    lines = []
    while not is_enough(lines):
        line = process.stdout.readline()
        assert line, process.communicate()[1]
        lines.append(json.loads(line))
    return lines


def test_a_recording_is_followed_until_it_ends(tmp_path):
    for kind in ("flushed", "swmr"):
        path = tmp_path / f"{kind}.h5"
        writer = writing(path, kind)
        process, lines = start("watch", path, "--every", "0.4", "--json"), []
        # The writer goes on when all that it has written was seen.
        for n in (0, 10, 20):
            lines += lines_until(process, lambda new: new and (new[-1]["state"], new[-1]["frames"]) == ("open", n))
            print("go", file=writer.stdin, flush=True)
        writer.communicate(timeout=120)
        out, _ = ended(process, 1)
        *lines, last = [*lines, *map(json.loads, out.splitlines())]
        frames = [line["frames"] for line in lines if line["state"] == "open"]
        assert {0, 10, 20} <= set(frames) and frames == sorted(frames) and frames[0] == 0, frames
        assert (last["state"], last["path"], last["frames"], last["missing"]) == ("ended", "/entry/data/data", 30, 1)
        rates = [line["frames_per_second"] for line in lines if line["frames_per_second"]]
        # Ten frames take a second at least. A line may be late, which makes the next rate too large.
        assert len(rates) > 1 and sorted(rates)[(len(rates) - 1) // 2] < 40, rates
        assert last["bytes"] == 29 * 32 * 48 * 2 and last["ratio"] > 5


def test_a_watch_ends_by_ctrl_c_and_where_nobody_writes(tmp_path):
    path = tmp_path / "a.h5"
    writer = writing(path, "flushed")
    process = start("watch", path, "--every", "0.1")
    assert "frames" in process.stdout.readline()
    process.send_signal(signal.SIGINT)
    out, _ = process.communicate(timeout=120)
    assert process.returncode in (0, 1) and "it goes on" in out and max(map(len, out.splitlines())) <= 80
    # Of several files one that cannot be read hides nothing of the others.
    with open(tmp_path / "begun.h5", "wb") as begun:
        process = start("watch", begun.name, path, "--every", "0.1")
        while " frames " not in (line := process.stdout.readline()):
            assert line, process.communicate()[1]
        process.send_signal(signal.SIGINT)
        out, error = ended(process, 2)
    assert "it goes on" in out and "begun.h5" in error, (out, error)
    writer.kill()
    writer.communicate()
    with h5py.File(tmp_path / "done.h5", "w") as file:
        file.create_dataset("x", data=PIXELS, chunks=(1, 33, 47), maxshape=(None, 33, 47))
    out, _ = ended(start("watch", tmp_path / "done.h5"))
    assert "the recording has ended: 20 frames: 20 written" in " ".join(out.split())


RECORDS = """
import sys, time, h5py, numpy as np
with h5py.File(sys.argv[1], "w") as file:
    kinds = {"images": (8, 16), "spectra": (64,)}
    data = {name: file.create_dataset(f"entry/{name}", (0, *shape), "u2", maxshape=(None, *shape), chunks=(1, *shape), compression="gzip")
            for name, shape in kinds.items()}
    file.create_dataset("entry/times", (0,), "f8", maxshape=(None,), chunks=(64,))
    file["entry/fixed"] = np.zeros((1000, 1000))
    for number in range(12):
        for name, dataset in data.items():
            if name == "images" or number % 2 == 0:
                dataset.resize(len(dataset) + 1, axis=0)
                dataset[-1] = number
        file.flush()
        if number == 0:
            print("up", flush=True)
            sys.stdin.readline()
        time.sleep(0.1)
"""


def test_each_dataset_that_grows_is_shown_of_each_file(tmp_path):
    paths = [tmp_path / "a.h5", tmp_path / "b.h5"]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    writers = [subprocess.Popen([sys.executable, "-c", RECORDS, path], **pipes) for path in paths]
    for writer in writers:
        assert writer.stdout.readline() == "up\n"
    processes = [start("watch", *paths, "--every", "0.2", *more) for more in ((), ("--json",))]
    # The writers go on when each dataset has been shown three times, and the first line of text is there.
    first, lines = processes[0].stdout.readline(), lines_until(processes[1], lambda new: len(new) >= 12 and new[-1]["state"] == "open")
    for writer in writers:
        print("go", file=writer.stdin, flush=True)
    for writer in writers:
        writer.communicate(timeout=120)
        assert writer.returncode == 0
    text, rest = (ended(process)[0] for process in processes)
    text, lines = first + text, [*lines, *map(json.loads, rest.splitlines())]
    last = {(line["file"], line["path"]): line["frames"] for line in lines if line["state"] == "ended"}
    assert last == {(str(path), f"/entry/{name}"): n for path in paths for name, n in (("images", 12), ("spectra", 6))}
    assert sum(line["state"] == "open" for line in lines) > 8
    for path in paths:
        assert f"{path}:/entry/spectra: the recording has ended: 6 frames: 6 written" in " ".join(text.split())
    assert max(map(len, text.splitlines())) <= max(80, len(str(tmp_path)) + 40)
