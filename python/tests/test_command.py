"""The command, `explain`, and what is in the wheel."""

import hashlib
import importlib.metadata
import importlib.util
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import h5py
import numpy as np
import pytest
from support import SHAPE, environment, frames, python

import darkchunk

PLUGINS = {"libh5drle.so", "libh5bitshuffle.so", "libh5blosc.so", "libh5lz4.so", "libh5zstd.so", "libh5bounded.so"}
# HDF5 opens every file that begins with `lib`: the library that the plugins share does not.
FILES = PLUGINS | {"darkchunk.so"}


def command(*arguments, **more):
    done = subprocess.run(
        [Path(sys.executable).with_name("darkchunk"), *map(str, arguments)],
        env=environment(**more),
        capture_output=True,
        text=True,
        timeout=300,
    )
    return done.returncode, done.stdout, done.stderr


def test_the_module_and_the_script_are_the_same():
    version = importlib.metadata.version("darkchunk")
    code, out, _ = command("--version")
    assert code == 0 and out.startswith(f"darkchunk {version}, ") and darkchunk.__version__ == version
    done = subprocess.run([sys.executable, "-m", "darkchunk", "--version"], capture_output=True, text=True)
    assert done.stdout == out
    assert command("plugins", "path")[:2] == (0, f"{darkchunk.PLUGIN_PATH}\n")
    assert command()[0] == 2 and command("nothing")[0] == 2


def test_the_plugin_folder_has_the_plugins_their_library_and_nothing_else():
    assert set(os.listdir(darkchunk.PLUGIN_PATH)) == FILES


def test_the_wheel_has_its_licences_and_needs_numpy_and_h5py():
    files = {Path(file).name for file in importlib.metadata.files("darkchunk")}
    assert {"LICENSE-MIT", "LICENSE-APACHE", "THIRD-PARTY.txt", "py.typed"} <= files
    needs = importlib.metadata.requires("darkchunk")
    always = [need for need in needs if "extra ==" not in need]
    assert {need.split(">")[0] for need in always} == {"numpy", "h5py"}
    text = importlib.metadata.distribution("darkchunk").read_text("licenses/THIRD-PARTY.txt")
    assert "zstd/LICENSE" in text and "liblz4/lib/LICENSE" in text


def test_doctor_says_what_is_found_with_and_without_the_import():
    code, out, _ = command("plugins", "doctor", "--json")
    reports = json.loads(out)
    assert code == 0 and reports["used"] == "h5py" and list(reports["hosts"]) == ["h5py", "PyTables", "netCDF4"]
    for host, both in reports["hosts"].items():
        assert both["alone"]["filters"]["drle"] is None, host
        assert both["with darkchunk"]["filters"]["drle"] == f"{darkchunk.PLUGIN_PATH}/libh5drle.so", host
        assert both["alone"]["path"] == both["with darkchunk"]["path"] and "libhdf5" in both["alone"]["path"]
    assert reports["hosts"]["h5py"]["alone"]["version"] == h5py.version.hdf5_version
    code, out, _ = command("plugins", "doctor", "--host", "h5py")
    assert (
        code == 0
        and "not found" in out
        and "looks by itself in /" in out
        and f"export HDF5_PLUGIN_PATH={darkchunk.PLUGIN_PATH}" in out.splitlines()[-1]
    )
    code, out, _ = command("plugins", "doctor", "--host", "h5py", HDF5_PLUGIN_PATH=darkchunk.PLUGIN_PATH)
    assert code == 0 and out.splitlines()[-1] == "All filters are found."


def test_doctor_says_why_a_filter_is_not_found(tmp_path):
    code, out, _ = command("plugins", "doctor", "--host", "h5py", HDF5_PLUGIN_PRELOAD="::")
    assert code == 1 and "loads no plugin" in out
    (tmp_path / "libbroken.so").symlink_to("/there/is/none.so")
    code, out, _ = command("plugins", "doctor", "--host", "h5py", HDF5_PLUGIN_PATH=f"{tmp_path}:/none")
    assert "libbroken.so is a dangling link" in out and "/none: is not there" in out
    assert f"looks by itself in {tmp_path} and /none\n" in out
    code, out, _ = command("plugins", "doctor", HDF5_PLUGIN_PATH="", PYTHONPATH=blocked(tmp_path))
    assert code == 1 and "PyTables: cannot be imported" in out and "broken on purpose" in out


def blocked(folder):
    """A folder for PYTHONPATH in which PyTables cannot be imported."""
    (folder / "tables.py").write_text("raise ImportError('broken on purpose')")
    return folder


def test_install_copies_and_what_is_there_is_left(tmp_path):
    place = tmp_path / "a" / "plugin"
    code, out, _ = command("plugins", "install", "--to", place, "--dry-run")
    assert code == 0 and "would be written" in out and not place.exists()
    assert command("plugins", "install", "--to", place)[0] == 0
    assert set(os.listdir(place)) == FILES
    assert "is there" in command("plugins", "install", "--to", place)[1]
    read = (
        "import h5py, sys; f = h5py.File('x', 'w', driver='core', backing_store=False)\n"
        "f.create_dataset('a', (8, 8), '<i2', chunks=(8, 8), compression=36114, compression_opts=(1,))"
    )
    assert python(read, HDF5_PLUGIN_PATH=place).returncode == 0
    assert python(read).returncode != 0
    (place / "libh5lz4.so").write_bytes(b"of somebody else")
    code, _, error = command("plugins", "install", "--to", place)
    assert code == 2 and "libh5lz4.so is not darkchunk's" in error
    assert (place / "libh5lz4.so").read_bytes() == b"of somebody else"
    assert command("plugins", "install", "--to", place, "--force")[0] == 0
    assert (place / "libh5lz4.so").stat().st_size > 1000
    code, _, error = command("plugins", "install", "--to", "/proc/nowhere")
    assert code == 2 and error.startswith("error: ")


@pytest.fixture
def file(tmp_path):
    with h5py.File(tmp_path / "file.h5", "w") as file:
        file.create_dataset("entry/data", data=frames(), chunks=SHAPE, compression=darkchunk.DRLE())
        file.create_dataset("plain", data=frames())
        dcpl = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
        dcpl.set_chunk(SHAPE)
        dcpl.set_shuffle()
        for number in (32020, 60000):
            dcpl.set_filter(number, h5py.h5z.FLAG_OPTIONAL, ())
        space = h5py.h5s.create_simple(SHAPE)
        h5py.h5d.create(file.id, b"foreign", h5py.h5t.STD_I16LE, space, dcpl)
    return tmp_path / "file.h5"


def test_the_verbs_of_the_library_find_and_convert(file, tmp_path):
    code, out, error = command("info", f"{file}:/entry", "--json")
    (entry,) = (row for row in map(json.loads, out.splitlines()) if row["kind"] == "dataset")
    assert code == 0 and not error and entry["filters"][0]["id"] == darkchunk.DRLE_ID
    assert command("verify", f"{file}:/entry", "-q") == (0, "", "")
    pixels = hashlib.sha256(frames().tobytes()).hexdigest()
    assert pixels in command("hash", f"{file}:/entry/data")[1]
    new = tmp_path / "neu-\u00b5.h5"
    code, _, error = command("convert", file, "-o", new, "--to", "keep", "-d", "/entry/*=bitshuffle-lz4")
    assert code == 0, error
    with h5py.File(new) as converted:
        assert converted["entry/data"].id.get_create_plist().get_filter(0)[0] == darkchunk.BSHUF_ID
        assert np.array_equal(converted["entry/data"], frames())


def test_the_verbs_of_the_library_end_as_they_say(file, tmp_path):
    with h5py.File(file, "r+") as opened:
        opened["entry/data"].id.write_direct_chunk((4, 0, 0), b"damaged")
    code, out, _ = command("verify", f"{file}:/entry")
    assert code == 1 and "damaged" in out
    code, out, error = command("info", tmp_path / "none.h5")
    assert code == 2 and not out and "none.h5" in error
    assert command("info")[0] == 2 and command("verify", "--nothing", file)[0] == 2
    code, out, _ = command("--help")
    assert code == 0 and "verify" in out and "plugins doctor" in out
    assert "plugins doctor" in command()[2]


def test_the_command_uses_the_hdf5_of_h5py_and_after_it_others(file, tmp_path):
    """The order is fixed: h5py's, PyTables', the one that DARKCHUNK_HDF5 names."""
    assert command("hash", f"{file}:/plain", DARKCHUNK_HDF5="/none.so")[0] == 0
    blocked(tmp_path)
    (tmp_path / "h5py.py").write_text("raise ImportError('broken on purpose')")
    code, _, error = command("hash", f"{file}:/plain", DARKCHUNK_HDF5="/none.so", PYTHONPATH=tmp_path)
    assert code == 2 and "DARKCHUNK_HDF5=/none.so" in error
    tables = next(Path(importlib.util.find_spec("tables").origin).parents[1].glob("tables.libs/libhdf5-*"))
    assert command("hash", f"{file}:/plain", DARKCHUNK_HDF5=tables, PYTHONPATH=tmp_path)[0] == 0


def test_ctrl_c_ends_the_command(tmp_path):
    with h5py.File(tmp_path / "large.h5", "w") as made:
        made["x"] = np.zeros(1 << 20, "u1")
    script = Path(sys.executable).with_name("darkchunk")
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    with subprocess.Popen([script, "cat", tmp_path / "large.h5:/x"], env=environment(), **pipes) as running:
        # Within the library it waits for somebody who reads from the pipe.
        end = time.monotonic() + 60
        while "pipe_write" not in Path(f"/proc/{running.pid}/wchan").read_text() and time.monotonic() < end:
            time.sleep(0.02)
        running.send_signal(signal.SIGINT)
        assert running.wait(timeout=120) == -signal.SIGINT
        assert not running.stderr.read()


def test_explain_names_the_filters_of_a_file_and_what_is_missing(file):
    text = darkchunk.explain(file)
    assert "/entry/data: DRLE (36114): all filters are here" in text
    assert "/foreign: shuffle (2) + VBZ (32020) + filter 60000 (60000)" in text
    assert "missing: VBZ (32020). Do: pip install vbz-h5py-plugin" in text and "missing: filter 60000" in text
    assert darkchunk.explain(f"{file}:/entry") == "/entry/data: DRLE (36114): all filters are here"
    assert "no such file" in darkchunk.explain("nothing.h5")
    file.with_name("text").write_text("text")
    assert "no HDF5 file" in darkchunk.explain(file.with_name("text"))
    with pytest.raises(TypeError, match="path or an exception"):
        darkchunk.explain(3)


def test_explain_says_of_a_file_that_lacks_its_end_what_saves_the_rest(file):
    file.write_bytes(file.read_bytes()[:-100])
    text = darkchunk.explain(file)
    assert "truncated" in text and f"`darkchunk recover {file} -o NEW`" in text
    with pytest.raises(OSError, match="truncated") as error:
        h5py.File(file)
    assert "`darkchunk recover FILE -o NEW`" in darkchunk.explain(error.value)


def test_explain_says_what_to_type_for_an_error_of_a_host(file):
    code = """
import sys, h5py, numpy as np
import darkchunk
path, done = sys.argv[1], []
def attempt(work):
    try:
        work()
    except Exception as error:
        print(darkchunk.explain(error))
attempt(lambda: h5py.File(path)["entry/data"][0])
new = h5py.File("x", "w", driver="core", backing_store=False)
attempt(lambda: new.create_dataset("a", (8, 8), "<i2", chunks=(8, 8), compression=36114))
import tables
attempt(lambda: tables.open_file(path).root.entry.data[0])
attempt(lambda: 1 / 0)
"""
    done = python(code, file, DARKCHUNK_AUTO=0)
    assert done.returncode == 0, done.stderr
    read, write, of_tables, other = parts(done.stdout)
    assert read.startswith("OSError") and "no plugin" in read and "`import darkchunk`" in read
    assert write.startswith("ValueError") and "DRLE, number 36114" in write and "`import darkchunk`" in write
    assert "`import darkchunk`" in of_tables
    assert "does not say that a filter is missing" in other


def parts(text):
    """One for each error: it begins with the exception's name."""
    found = []
    for line in text.splitlines():
        if line.split(":")[0].endswith(("Error", "Ext")):
            found.append(line)
        else:
            found[-1] += "\n" + line
    return found


def test_the_readme_of_the_package_runs(tmp_path):
    text = (
        importlib.metadata.metadata("darkchunk").get_payload()
        or importlib.metadata.metadata("darkchunk")["Description"]
    )
    blocks = [block.split("```")[0] for block in text.split("```python\n")[1:]]
    assert len(blocks) >= 2
    for code in blocks:
        done = subprocess.run(
            [sys.executable, "-c", code], cwd=tmp_path, env=environment(), capture_output=True, text=True
        )
        assert done.returncode == 0, done.stderr
    with h5py.File(tmp_path / "run.h5") as file:
        assert np.array_equal(file["drle"], file["counts"]) and file["drle"].id.get_storage_size() < 8e6
