"""The command `darkchunk` on files that h5py, PyTables and netCDF4 make, and on real ones."""

import hashlib
import json
import os
import subprocess
import sys
from pathlib import Path

import h5py
import netCDF4
import numpy as np
import pytest
import tables

from common import BITSHUFFLE, DRLE, ROOT, frames

COMMAND = Path(os.environ.get("DARKCHUNK_COMMAND", ROOT / "dist" / "bin" / "darkchunk"))
PIXELS = frames(20, (33, 47), "<u2")


def run(*arguments, code=0):
    """Runs the command, which must end with `code` unless that is None; returns what it printed."""
    environment = dict(os.environ, DARKCHUNK_PYTHON=sys.executable, HDF5_USE_FILE_LOCKING="FALSE")
    environment.pop("HDF5_PLUGIN_PATH")
    command = [str(part) for part in (COMMAND, *arguments)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=300)
    assert code in (None, done.returncode), (command, done.returncode, done.stdout, done.stderr)
    assert "\x1b" not in done.stdout + done.stderr and "panicked" not in done.stderr
    return done.stdout + done.stderr


def lines(*arguments, code=0):
    """What it prints with --json."""
    return [json.loads(line) for line in run(*arguments, "--json", code=code).splitlines()]


def everything(path):
    """A file of h5py with one of each kind of thing."""
    with h5py.File(path, "w") as file:
        group = file.create_group("entry/data", track_order=True)
        group.attrs["NX_class"] = "NXdata"
        chunks = {"chunks": (1, 33, 47), "compression": "gzip", "shuffle": True, "fletcher32": True}
        data = group.create_dataset("data", data=PIXELS, **chunks)
        data.attrs["units"] = "counts"
        group["alias"] = data
        file["soft"] = h5py.SoftLink("/entry/data/data")
        file["dangling"] = h5py.SoftLink("/nowhere")
        file["external"] = h5py.ExternalLink("other.h5", "/x")
        file["loop"] = file["/"]
        file["strings"] = np.array(["a", "bb"], dtype=h5py.string_dtype())
        file.create_dataset("chunked_strings", data=["a"] * 30, dtype=h5py.string_dtype(), chunks=(10,), compression="gzip")
        file["scalar"], file["empty"] = 3.5, h5py.Empty("f4")
        file.create_dataset("lzf", data=PIXELS, chunks=(2, 33, 47), compression="lzf")
        file["type"] = np.dtype([("x", "<i2"), ("y", ">f4", (3,))])
        file.create_dataset("compound", (500,), dtype=file["type"], chunks=(100,), compression="gzip")
        file.create_dataset("scaled", data=PIXELS, chunks=(5, 33, 47), scaleoffset=0)
        file.create_dataset("holes", (100, 10), "i4", chunks=(10, 10), maxshape=(None, 10), fillvalue=7)[5] = 1
        file.create_dataset("compact", data=np.arange(5))
        layout = h5py.VirtualLayout(PIXELS.shape, "u2")
        layout[:] = h5py.VirtualSource(".", "entry/data/data", PIXELS.shape)
        file.create_virtual_dataset("virtual", layout)
        file.create_dataset("raw", (4, 8), "u1", external=[(str(path) + ".raw", 0, 32)])[...] = 1
        file["references"] = np.array([file["entry"].ref, file["lzf"].ref], dtype=h5py.ref_dtype)
        for axis in (0, 1):
            name = f"scale{axis}"
            file[name] = np.arange(PIXELS.shape[axis], dtype="f4")
            file[name].make_scale(name)
            data.dims[axis].attach_scale(file[name])
        file.create_dataset("drle", data=PIXELS, chunks=(2, 33, 47), compression=DRLE, compression_opts=(1,))
        file.create_dataset("bitshuffle", data=PIXELS, chunks=(2, 33, 47), compression=BITSHUFFLE, compression_opts=(0, 2))


def test_info_says_what_is_in_a_file(tmp_path):
    everything(tmp_path / "a.h5")
    found = {line["path"]: line for line in lines("info", tmp_path / "a.h5")}
    kinds = {path: line["kind"] for path, line in found.items()}
    assert kinds["/"] == kinds["/entry/data"] == "group" and kinds["/type"] == "datatype"
    assert kinds["/soft"] == kinds["/dangling"] == "soft link" and found["/soft"]["target"] == "/entry/data/data"
    assert found["/external"]["target_file"] == "other.h5" and found["/external"]["target"] == "/x"
    assert kinds["/loop"] == "same" and found["/loop"]["target"] == "/"
    # The group keeps the order in which links were made.
    assert kinds["/entry/data/data"] == "dataset" and found["/entry/data/alias"]["target"] == "/entry/data/data"

    data = found["/entry/data/data"]
    assert (data["type"], data["shape"], data["chunk"]) == ("uint16", [20, 33, 47], [1, 33, 47])
    assert [step["words"] for step in data["filters"]] == ["shuffle", "gzip, level 4", "fletcher32"]
    assert data["attributes"] == ["DIMENSION_LIST", "units"] or data["attributes"] == ["units", "DIMENSION_LIST"]
    with h5py.File(tmp_path / "a.h5") as file:
        stored = file["entry/data/data"].id.get_storage_size()
        assert data["stored_bytes"] == stored and data["ratio"] == pytest.approx(PIXELS.nbytes / stored)
    assert (found["/holes"]["chunks"], found["/holes"]["chunks_stored"]) == (10, 1)
    assert found["/holes"]["max_shape"] == [None, 10] and found["/empty"]["shape"] is None
    assert found["/drle"]["filters"][0]["plugin_from"] == "darkchunk"
    assert found["/compound"]["type"] == "compound {x: int16, y: array (3) of float32 (big-endian)}"

    text = run("info", tmp_path / "a.h5", "-v")
    assert "to read DRLE (filter 36114) HDF5 needs a plugin: darkchunk" in text
    assert "of 10 chunks: 9 never written" in text
    assert max(map(len, text.splitlines()[1:])) <= 80


def test_info_knows_files_of_pytables_and_netcdf(tmp_path):
    with tables.open_file(tmp_path / "t.h5", "w") as file:
        filters = tables.Filters(5, "blosc:zstd", shuffle=True)
        file.create_carray("/", "a", obj=PIXELS, filters=filters, chunkshape=(2, 33, 47))
        file.create_table("/", "table", {"x": tables.Int16Col(), "name": tables.StringCol(7)})
    with netCDF4.Dataset(tmp_path / "n.nc", "w") as file:
        for name, size in zip("zyx", PIXELS.shape):
            file.createDimension(name, size)
        file.createVariable("v", "u2", ("z", "y", "x"), zlib=True, chunksizes=(2, 33, 47))[:] = PIXELS
    found = {line["path"]: line for line in lines("info", "-r", tmp_path)}
    assert found["/a"]["filters"][0]["words"] == "Blosc, Zstd level 5, byte shuffle"
    assert found["/table"]["type"] == "compound {name: string of 7 bytes, null-terminated, x: int16}"
    assert [step["words"] for step in found["/v"]["filters"]] == ["shuffle", "gzip, level 4"]


def test_what_cannot_be_done_is_said_and_ends_with_2(tmp_path):
    everything(tmp_path / "a.h5")
    assert "No such file" in run("info", tmp_path / "none.h5", code=2)
    assert "nothing at /nowhere" in run("info", f"{tmp_path}/a.h5:/nowhere", code=2)
    assert "-r looks into folders" in run("info", tmp_path, code=2)
    for verb in ("try", "compare", "threshold", "watch"):
        more = [tmp_path / "a.h5"] if verb == "compare" else []
        assert "is a folder, and no file" in run(verb, tmp_path, *more, code=2)
    for verb in ("cat", "noise"):
        assert "a link to /nowhere, where there is nothing" in run(verb, f"{tmp_path}/a.h5:/dangling", code=2)
    for verb in (["noise"], ["slices", "index"], ["slices", "rechunk", "-o", tmp_path / "new.h5"]):
        assert "name the dataset, too" in run(*verb, tmp_path / "a.h5", code=2)
    for verb in (["convert", "--to", "lz4"], ["recover"]):
        text = run(*verb, tmp_path / "a.h5", "-o", tmp_path / "none" / "b.h5", code=2)
        assert f"there is no folder {tmp_path / 'none'}" in text
    assert "cannot be used with" in run("convert", tmp_path / "a.h5", "-o", tmp_path / "b.h5", "--to", "lz4", "--keep-backup", code=2)
    (tmp_path / "text.h5").write_text("not HDF5")
    # The other file is looked at all the same.
    assert "bitshuffle, LZ4" in run("info", tmp_path / "text.h5", tmp_path / "a.h5", code=2)
    run("info", code=2)
    assert "complete -F" in run("completions", "bash")
    assert "Examples:" in run("info", "--help")


def test_info_of_real_files_ends_well(data_folder):
    found = lines("info", "-r", data_folder)
    datasets = [line for line in found if line["kind"] == "dataset"]
    assert len(datasets) > 50 and not [line for line in found if line["kind"] == "unreadable"]


def states(*arguments, code=0):
    return {(Path(line["file"]).name, line["path"]): line["state"] for line in lines("verify", *arguments, code=code)}


def test_verify_calls_nothing_damaged_that_is_only_odd(tmp_path):
    everything(tmp_path / "a.h5")
    found = {path: state for (_, path), state in states(tmp_path / "a.h5").items()}
    assert found["/entry/data/alias" if "/entry/data/alias" in found else "/entry/data/data"] == "intact"
    assert found["/drle"] == "intact"
    for path in ("/bitshuffle", "/lzf", "/scaled"):
        assert found[path] == "decodes", path
    assert found["/compound"] == found["/empty"] == "empty" and found["/scalar"] == "readable"
    assert found["/raw"] == found["/virtual"] == found["/strings"] == "elsewhere"
    assert not {"damaged", "not examined"} & set(found.values())
    assert "sound" in run("verify", tmp_path / "a.h5")
    assert run("verify", tmp_path / "a.h5", "-q") == ""


def test_verify_calls_no_real_file_damaged(data_folder):
    found = lines("verify", "-r", data_folder / "interop", code=2)
    assert not [line for line in found if line["state"] == "damaged"]
    # Only filters of others, which need their plugins.
    others = [line for line in found if line["state"] == "not examined"]
    assert others and all("none that darkchunk decodes" in line["reason"] for line in others)


def spoil(path, dataset, chunk, how):
    """Changes a stored chunk of a file."""
    with h5py.File(path) as file:
        place = file[dataset].id.get_chunk_info(chunk)
    with open(path, "r+b") as file:
        if how == "cut":
            file.truncate(place.byte_offset + place.size // 2)
            return
        file.seek(place.byte_offset)
        stored = bytearray(file.read(place.size))
        for at in [len(stored) // 2] if how == "bit" else range(len(stored) // 3, len(stored)):
            stored[at] = stored[at] ^ 0x10 if how == "bit" else 0
        file.seek(place.byte_offset)
        file.write(stored)


def test_verify_of_a_folder_finds_exactly_the_files_that_are_spoilt(tmp_path):
    kinds = {
        "gzip": {"compression": "gzip", "shuffle": True},
        "fletcher": {"fletcher32": True},
        "drle": {"compression": DRLE, "compression_opts": (1,)},
        "bitshuffle": {"compression": BITSHUFFLE, "compression_opts": (0, 2)},
        "lzf": {"compression": "lzf"},
    }
    for index in range(60):
        (tmp_path / str(index % 7)).mkdir(exist_ok=True)
        for name, options in [list(kinds.items())[index % len(kinds)]]:
            with h5py.File(tmp_path / str(index % 7) / f"{index}.h5", "w") as file:
                file.create_dataset(name, data=PIXELS, chunks=(1, 33, 47), **options)
    places = {int(path.stem): path for path in tmp_path.rglob("*.h5")}
    spoilt = [(0, "gzip", "bit"), (11, "fletcher", "bit"), (22, "drle", "bit"), (32, "drle", "zeros"), (33, "bitshuffle", "zeros")]
    for index, name, how in [*spoilt, (44, "lzf", "zeros"), (5, "gzip", "cut")]:
        spoil(places[index], name, 7, how)
    places[21].write_bytes(b"\0" * 100 + places[21].read_bytes()[100:])
    expected = {0, 5, 11, 21, 22, 32, 33, 44}
    for jobs in (1, 4):
        found = states("-r", tmp_path, "-j", jobs, code=1)
        assert {int(Path(file).stem) for (file, _), state in found.items() if state == "damaged"} == expected
    text = run("verify", "-r", tmp_path, "-q", code=1)
    assert text.count("DAMAGED") + text.count(": damaged") >= len(expected)
    assert "chunk 7 (frame 7)" in text and max(map(len, text.splitlines())) <= 160


def test_verify_tells_damage_from_what_it_could_not_do(tmp_path):
    everything(tmp_path / "a.h5")
    assert "No such file" in run("verify", tmp_path / "none.h5", tmp_path / "a.h5", code=2)
    (tmp_path / "text").write_text("not HDF5")
    run("verify", tmp_path / "text", code=2)
    (tmp_path / "text.h5").write_text("not HDF5")
    assert "damaged" in run("verify", tmp_path / "text.h5", code=1)


def test_what_links_to_other_files_lead_to_is_said_not_to_be_looked_at(tmp_path):
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file.create_dataset("x", data=PIXELS, chunks=(1, 33, 47), compression="gzip")
    with h5py.File(tmp_path / "master.h5", "w") as file:
        file["data"] = h5py.ExternalLink("a.h5", "/x")
    master = tmp_path / "master.h5"
    assert "sound: 0 datasets; 1 link to other files, not followed" in " ".join(run("verify", master).split())
    assert "not followed: 1 link to other files" in run("hash", master)
    assert run("hash", master, "-q") == "" and len(run("hash", f"{master}:/data").split()) == 2
    assert f"such as {master}:/data" in run("try", master, code=2)


def test_a_filter_that_nobody_has_is_named(tmp_path):
    with h5py.File(tmp_path / "a.h5", "w") as file:
        plist = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
        plist.set_chunk((1, 33, 47))
        plist.set_filter(4711, h5py.h5z.FLAG_OPTIONAL, ())
        space = h5py.h5s.create_simple(PIXELS.shape)
        data = h5py.h5d.create(file.id, b"x", h5py.h5t.STD_U16LE, space, plist)
        data.write_direct_chunk((0, 0, 0), PIXELS[0].tobytes())
    for verb in (["hash"], ["cat", "-o", tmp_path / "x.npy"], ["diff", tmp_path / "a.h5"]):
        text = " ".join(run(*verb, f"{tmp_path}/a.h5:/x" if verb[0] != "diff" else tmp_path / "a.h5", code=2).split())
        assert "filter 4711" in text and "HDF5_PLUGIN_PATH" in text, text


def test_the_hash_is_that_of_the_pixels_whatever_they_are_stored_with(tmp_path):
    everything(tmp_path / "a.h5")
    run("convert", tmp_path / "a.h5", "-o", tmp_path / "b.h5", "--to", "zstd:1", "--chunk", "7,0,0", "-d", "c*=keep", "-d", "h*=keep", "-d", "scale*=keep")
    before = {line["path"]: line["sha256"] for line in lines("hash", tmp_path / "a.h5")}
    after = {line["path"]: line["sha256"] for line in lines("hash", tmp_path / "b.h5", "-j", 3)}
    assert before == after and len(before) > 8 and "/strings" not in before
    with h5py.File(tmp_path / "a.h5") as file:
        for path, found in before.items():
            assert hashlib.sha256(np.asarray(file[path][()]).tobytes()).hexdigest() == found, path
    assert run("hash", f"{tmp_path}/a.h5:/lzf").startswith(before["/lzf"] + "  ")
    assert "no hash" in run("hash", f"{tmp_path}/a.h5:/strings", code=2)
    assert "null dataspace" in run("hash", f"{tmp_path}/a.h5:/empty", code=2)


def test_names_cannot_do_anything_to_a_terminal(tmp_path):
    name = "x\x1b[2J\n  y: intact\r\u202ez"
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file.create_dataset(name, data=PIXELS, chunks=(1, 33, 47), compression="gzip", fletcher32=True)
        file[name + " soft"] = h5py.SoftLink(name)
    spoil(tmp_path / "a.h5", name, 2, "bit")
    verbs = [("info", 0), ("verify", 1), ("hash", 2), ("recover", 1), ("convert", 2)]
    for verb, code in verbs:
        more = ("-o", tmp_path / verb) if verb in ("recover", "convert") else ()
        more += ("--to", "zstd:3") if verb == "convert" else ()
        text = run(verb, tmp_path / "a.h5", *more, code=code)
        assert not [c for c in text if c != "\n" and (c < " " or c == "\u202e")], (verb, text)
        assert "  y: intact" not in text.splitlines() and "\\u{1b}[2J\\n" in text, (verb, text)


def test_what_is_not_damaged_is_not_called_so(tmp_path, monkeypatch):
    everything(tmp_path / "a.h5")
    for link, words in [("/dangling", "a link to /nowhere"), ("/external", "the file other.h5")]:
        text = " ".join(run("verify", f"{tmp_path / 'a.h5'}:{link}", code=2).split())
        assert words in text and "DAMAGED" not in text, text
    # A file that its writer has marked as open; one that is locked.
    with h5py.File(tmp_path / "b.h5", "w", libver="latest") as file:
        file["x"] = PIXELS
        file.flush()
        found = lines("verify", tmp_path / "b.h5", code=2)
    assert found[0]["state"] == "not examined" and "a program has the file open" in found[0]["reason"]
    # Complex numbers, which HDF5 1.10 does not know.
    old = Path("/usr/lib/x86_64-linux-gnu/libhdf5_serial.so.103")
    if not old.exists():
        pytest.skip("no HDF5 1.10 is here")
    with h5py.File(tmp_path / "c.h5", "w", libver="latest") as file:
        file["x"], file["complex"] = PIXELS, np.arange(3) + 1j
    run("verify", tmp_path / "c.h5")
    monkeypatch.setenv("DARKCHUNK_HDF5", str(old))
    found = {line["path"]: line for line in lines("verify", tmp_path / "c.h5", code=2)}
    assert found["/x"]["state"] == "readable" and found["/complex"]["state"] == "not examined"
    assert "does not know this format" in found["/complex"]["reason"]


@pytest.mark.skipif(sys.platform == "win32", reason="pipes with names are of Unix")
def test_a_pipe_is_not_waited_for(tmp_path):
    everything(tmp_path / "a.h5")
    for name in ("pipe", "pipe.h5"):
        os.mkfifo(tmp_path / name)
    assert {line["file"] for line in lines("info", "-r", tmp_path)} == {str(tmp_path / "a.h5")}
    assert "a pipe" in run("info", tmp_path / "pipe.h5", code=2)
