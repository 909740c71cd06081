"""`darkchunk convert` keeps everything of a file, and leaves the source whole whatever happens."""

import contextlib
import hashlib
import os
import random
import resource
import subprocess
import sys
import time

import h5py
import netCDF4
import numpy as np
import pytest
import tables

from common import BITSHUFFLE, frames, tool
from test_command import COMMAND, PIXELS, everything, lines, run

TARGETS = ["none", "lz4", "zstd:3", "gzip:4", "shuffle-gzip:1", "bitshuffle-lz4", "bitshuffle-zstd:3", "blosc:zstd:5:bit", "bounded:exact"]


def value(file, thing):
    """Something that can be compared: of a reference, the name of what it leads to."""
    if isinstance(thing, h5py.Reference):
        return file[thing].name if thing else None
    if isinstance(thing, np.ndarray) and thing.dtype == object:
        return [value(file, item) for item in thing.ravel()]
    if isinstance(thing, (np.ndarray, np.void)) and thing.dtype.names:
        return [value(file, item) for item in np.atleast_1d(thing) for item in item.tolist()]
    return thing.tolist() if isinstance(thing, (np.ndarray, np.generic)) else thing


def attributes(file, thing):
    return [(name, thing.attrs.get_id(name).dtype, str(value(file, thing.attrs[name]))) for name in thing.attrs]


def contents(path):
    """All of a file that users see, but for filters and chunks."""
    found = {}
    with h5py.File(path) as file:
        def visit(group):
            for name in group:
                place = f"{group.name.rstrip('/')}/{name}"
                link = group.get(name, getlink=True)
                if not isinstance(link, h5py.HardLink):
                    found[place] = (type(link), link.path, getattr(link, "filename", None))
                    continue
                thing = group[name]
                info = h5py.h5o.get_info(thing.id)
                is_new = (info.addr, "seen") not in found
                found[(info.addr, "seen")] = None
                if not is_new:
                    found[place] = thing.name
                    continue
                more = ()
                if isinstance(thing, h5py.Dataset):
                    more = (thing.dtype, thing.shape, thing.maxshape, thing.id.get_type().committed(), thing.is_virtual)
                    data = None if thing.shape is None else thing[()]
                    is_plain = hasattr(data, "dtype") and not data.dtype.hasobject
                    more += (str(value(file, thing.fillvalue)), data.tobytes() if is_plain else str(value(file, data)))
                    more += tuple(scale.keys() for scale in thing.dims)
                    if thing.is_virtual:
                        more += tuple((part.file_name, part.dset_name) for part in thing.virtual_sources())
                found[place] = (type(thing), info.rc, attributes(file, thing), more)
                if isinstance(thing, h5py.Group):
                    visit(thing)

        visit(file)
        found["/"] = attributes(file, file)
    return {key: what for key, what in found.items() if isinstance(key, str)}


def same(before, after):
    before, after = contents(before), contents(after)
    assert list(before) == list(after)
    for place in before:
        assert before[place] == after[place], place


def make(path, kind):
    if kind == "h5py":
        everything(path)
        with h5py.File(path, "a") as file:
            file.attrs["names"] = np.array(["a", "bcd"], dtype=h5py.string_dtype())
            file.attrs.create("null", h5py.Empty("i4"))
            file["entry"].attrs["reference"] = file["entry/data"].ref
            file["region"] = file["holes"].regionref[3:7]
            file.create_dataset("sequences", (3,), h5py.vlen_dtype(np.dtype("i2")))[1] = [1, 2, 3]
            kind = np.dtype([("to", h5py.ref_dtype), ("n", "i4"), ("name", h5py.string_dtype())])
            table = file.create_dataset("table", (2,), kind, chunks=(1,), compression="gzip")
            table[0] = (file["lzf"].ref, 3, "lzf")
    elif kind == "pytables":
        with tables.open_file(path, "w") as file:
            filters = tables.Filters(5, "blosc:zstd", shuffle=True)
            file.create_carray("/", "array", obj=PIXELS, filters=filters, chunkshape=(2, 33, 47))
            file.create_earray("/group", "grows", obj=PIXELS[:, 0], filters=filters, createparents=True)
            table = file.create_table("/", "table", {"x": tables.Int16Col(), "name": tables.StringCol(7)}, filters=filters)
            table.append([(f"n{i}".encode(), i) for i in range(2000)])
            file.create_vlarray("/", "ragged", tables.Int32Atom()).append([1, 2, 3])
    else:
        with netCDF4.Dataset(path, "w") as file:
            file.title, file.numbers = "a title", np.arange(5)
            for name, size in zip("zyx", PIXELS.shape):
                file.createDimension(name, None if name == "z" else size)
                file.createVariable(name, "f4", (name,))[:] = np.arange(size)
            variable = file.createVariable("v", "u2", ("z", "y", "x"), zlib=True, chunksizes=(2, 33, 47), fill_value=9)
            variable[:], variable.units = PIXELS, "counts"
            file.createGroup("inner").createVariable("w", "f8", ("y", "x"))[:] = PIXELS[0]


@pytest.mark.parametrize("kind", ["h5py", "pytables", "netcdf"])
def test_everything_is_kept_and_all_pixels_are_equal(tmp_path, kind):
    make(tmp_path / "a.h5", kind)
    before = hashlib.sha256((tmp_path / "a.h5").read_bytes()).digest()
    for target in TARGETS if kind == "h5py" else ["bitshuffle-lz4", "none"]:
        (tmp_path / "b.h5").unlink(missing_ok=True)
        options = ("-d", "compound=keep", "-d", "table=keep") if target == "bounded:exact" else ()
        if target == "bounded:exact" and kind == "h5py":
            options += ("-d", "scale*=keep")
        found = lines("convert", tmp_path / "a.h5", "-o", tmp_path / "b.h5", "--to", target, *options, "-j", 2)
        assert found[-1]["converted"] >= 2 and all(line["equal"] for line in found[:-1])
        same(tmp_path / "a.h5", tmp_path / "b.h5")
        assert not {"damaged", "not examined"} & {line["state"] for line in lines("verify", tmp_path / "b.h5")}
    assert hashlib.sha256((tmp_path / "a.h5").read_bytes()).digest() == before
    assert sorted(path.name for path in tmp_path.iterdir() if path.name[0] == ".") == []
    if kind == "netcdf":
        with netCDF4.Dataset(tmp_path / "b.h5") as file:
            assert (file["v"][:] == PIXELS).all() and file["v"].dimensions == ("z", "y", "x")
    if kind == "pytables":
        with tables.open_file(tmp_path / "b.h5") as file:
            assert (file.root.array[:] == PIXELS).all() and file.root.table[7]["x"] == 7
            assert file.root.ragged[0].tolist() == [1, 2, 3]


def named(path):
    """A netCDF-4 file with strings, which have a fill value, in chunks and in one piece; and one of h5py's."""
    with netCDF4.Dataset(path, "w") as file:
        file.createDimension("time", None)
        file.createDimension("n", 3)
        file.createVariable("sample", str, ("time", "n"))[:2] = np.array([["a", "bb", ""], ["\u00e9", "x" * 500, "c"]], dtype=object)
        file.createVariable("place", str, ("n",))[1] = "here"
        file.createVariable("note", str, ())[...] = "one"
        file.createVariable("never", str, ("time",), fill_value="none")
    with h5py.File(path, "a") as file:
        options = {"chunks": (10,), "maxshape": (None,), "compression": "gzip", "fillvalue": "nobody"}
        # The last chunk was never stored.
        people = file.create_dataset("people", (35,), h5py.string_dtype(), **options)
        people[:25] = ["some"] * 24 + ["last"]
        file.create_dataset("pixels", data=PIXELS, chunks=(1, 33, 47))


def named_values(path):
    with netCDF4.Dataset(path) as file:
        found = {name: np.asarray(file[name][...]).tolist() for name in ("sample", "place", "note", "never")}
        assert file["sample"].dimensions == ("time", "n")
    # HDF5 2.0 reads such a chunk only where it may write.
    with h5py.File(path, "r+") as file:
        found |= {"people": file["people"][:].tolist(), "chunks": file["people"].id.get_num_chunks()}
    return found


@pytest.mark.parametrize("verb", [["convert", "--to", "zstd:3"], ["recover"]])
def test_strings_with_a_fill_value_are_what_they_were(tmp_path, verb):
    named(tmp_path / "a.nc")
    run(verb[0], tmp_path / "a.nc", "-o", tmp_path / "b.nc", *verb[1:])
    before, after = named_values(tmp_path / "a.nc"), named_values(tmp_path / "b.nc")
    assert before == after and before["chunks"] == 3
    assert before["sample"][1] == ["\u00e9", "x" * 500, "c"] and before["people"][23:26] == [b"some", b"last", b"nobody"]
    run("diff", tmp_path / "a.nc", tmp_path / "b.nc")
    with h5py.File(tmp_path / "b.nc", "r+") as file:
        file["people"][30] = "nobody"
    run("diff", tmp_path / "a.nc", tmp_path / "b.nc")
    with h5py.File(tmp_path / "b.nc", "r+") as file:
        file["people"][31] = "somebody"
    assert "1 of 35 elements differ" in run("diff", tmp_path / "a.nc", tmp_path / "b.nc", code=1)


def test_hdf5s_own_tool_finds_no_difference(tmp_path):
    with h5py.File(tmp_path / "a.h5", "w", userblock_size=1024) as file:
        file.create_dataset("x/data", data=PIXELS, chunks=(1, 33, 47), compression="gzip").attrs["n"] = 3
        file.create_dataset("lz", data=PIXELS, chunks=(1, 33, 47), compression=BITSHUFFLE, compression_opts=(0, 2))
    with open(tmp_path / "a.h5", "r+b") as file:
        file.write(b"the user's own block")
    run("convert", tmp_path / "a.h5", "-o", tmp_path / "b.h5", "--to", "bitshuffle-lz4", "--chunk", "3,0,11")
    done = tool("h5diff", "-v", tmp_path / "a.h5", tmp_path / "b.h5")
    assert done.returncode == 0, done.stdout + done.stderr
    with h5py.File(tmp_path / "b.h5") as file:
        assert file["lz"].chunks == (3, 33, 11) and file.userblock_size == 1024
    assert (tmp_path / "b.h5").read_bytes().startswith(b"the user's own block")


def test_datasets_that_do_not_change_have_the_same_chunks(tmp_path):
    everything(tmp_path / "a.h5")
    run("convert", tmp_path / "a.h5", "-o", tmp_path / "b.h5", "-d", "holes=bitshuffle-lz4")
    with h5py.File(tmp_path / "a.h5") as before, h5py.File(tmp_path / "b.h5") as after:
        for name in ("entry/data/data", "lzf", "scaled", "drle", "bitshuffle"):
            one, other = before[name].id, after[name].id
            assert one.get_num_chunks() == other.get_num_chunks() > 1
            for index in range(one.get_num_chunks()):
                offset = one.get_chunk_info(index).chunk_offset
                assert one.read_direct_chunk(offset) == other.read_direct_chunk(offset)
        # What was never written stays so.
        assert after["holes"].id.get_num_chunks() == before["holes"].id.get_num_chunks() == 1


def test_pixels_change_only_where_that_is_allowed_and_what_is_lost_is_said(tmp_path):
    noise = np.random.default_rng(2).integers(0, 40, (6, 30, 40)).astype("i2")
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file.create_dataset("data", data=noise, chunks=(1, 30, 40), compression="gzip")
    convert = ("convert", tmp_path / "a.h5", "-o", tmp_path / "b.h5", "--to")
    assert "--lossy" in run(*convert, "drle:20", code=2) and not (tmp_path / "b.h5").exists()
    lost = lines(*convert, "drle:20", "--lossy")[0]["lost"]
    below = noise[noise < 20]
    assert (lost["pixels"], lost["changed"], int(lost["sum"])) == (noise.size, (below > 0).sum(), -below.sum())
    with h5py.File(tmp_path / "b.h5") as file:
        assert (file["data"][:] == np.where(noise < 20, 0, noise)).all()
    again = ("convert", tmp_path / "b.h5", "-o", tmp_path / "c.h5", "--to")
    assert "second loss" in run(*again, "bounded:absolute=2", "--lossy", code=2)
    assert "LOSSY" in run(*again, "bounded:absolute=2", "--lossy", "--force")
    run(*again[:3], tmp_path / "d.h5", "--to", "zstd:3")
    # Negative pixels are lost with any threshold: that is found, not believed.
    with h5py.File(tmp_path / "n.h5", "w") as file:
        file.create_dataset("data", data=noise - 2, chunks=(4, 30, 40))
        # The fill value is kept; what is beyond the edge is no pixel.
        filled = np.where(noise == 7, -1, noise)
        file.create_dataset("edge", data=filled, chunks=(4, 30, 40), fillvalue=-1)
    negative = ("convert", tmp_path / "n.h5", "-o", tmp_path / "m.h5", "--to", "drle:1")
    text = run(*negative, code=2)
    assert "/data" in text and "pixels below 0" in text and "--lossy" in text and not (tmp_path / "m.h5").exists()
    lost = {line["path"]: line.get("lost") for line in lines(*negative, "--lossy")}
    assert (lost["/data"]["changed"], lost["/edge"]["changed"]) == ((noise < 2).sum(), 0)
    with h5py.File(tmp_path / "m.h5") as file:
        assert (file["data"][:] == np.maximum(noise - 2, 0)).all() and (file["edge"][:] == filled).all()
    (tmp_path / "m.h5").unlink()
    run("convert", tmp_path / "n.h5", "-o", tmp_path / "m.h5", "-d", "edge=drle:1")


def test_what_cannot_be_converted_ends_with_2_and_replaces_nothing(tmp_path, data_folder):
    everything(tmp_path / "a.h5")
    source = (tmp_path / "a.h5").read_bytes()
    out = ("-o", tmp_path / "b.h5")
    with h5py.File(tmp_path / "f.h5", "w") as file:
        file["data"] = np.random.default_rng(1).random((30, 40, 50))
    for arguments, words in [
        ((tmp_path / "f.h5", *out, "--to", "drle:1"), "/data has elements of float64: DRLE is for int16"),
        ((tmp_path / "f.h5", "-n", "--to", "drle:1"), "DRLE is for int16"),
        ((tmp_path / "a.h5", *out, "-d", "chunked_strings=lz4"), "refer to other places"),
        ((tmp_path / "a.h5", *out, "-d", "virtual=lz4"), "in other files or datasets"),
        ((tmp_path / "a.h5", *out, "-d", "nothing=lz4"), "no dataset is meant"),
        ((tmp_path / "a.h5", *out, "--to", "lzma"), "a target is one of"),
        ((tmp_path / "a.h5", *out), "what is to be done"),
        ((tmp_path / "a.h5", "-o", tmp_path / "a.h5", "--to", "lz4"), "is there already"),
        ((f"{tmp_path}/a.h5:/lzf", *out, "--to", "lz4"), "a whole file"),
        ((data_folder / "interop" / "hdfgroup_h5ex_d_blosc2.h5", *out, "--to", "lz4"), "32026"),
    ]:
        text = run("convert", *arguments, code=2)
        assert words in text, (arguments, text)
        assert not (tmp_path / "b.h5").exists() and (tmp_path / "a.h5").read_bytes() == source
    # A filter that is missing here is no hindrance where its chunks stay as they are.
    run("convert", data_folder / "interop" / "hdfgroup_h5ex_d_blosc2.h5", *out, "-d", "*=keep")
    with h5py.File(tmp_path / "b.h5") as file:
        assert file["DS1"].id.get_create_plist().get_filter(0)[0] == 32026
    # A damaged chunk.
    from test_command import spoil
    spoil(tmp_path / "a.h5", "entry/data/data", 3, "bit")
    assert "/entry/data" in run("convert", tmp_path / "a.h5", "-o", tmp_path / "c.h5", "--to", "lz4", code=2)
    assert not (tmp_path / "c.h5").exists()


def test_files_are_replaced_only_when_that_is_asked_for(tmp_path):
    everything(tmp_path / "a.h5")
    os.chmod(tmp_path / "a.h5", 0o640)
    source = (tmp_path / "a.h5").read_bytes()
    text = run("convert", tmp_path / "a.h5", "-n", "--to", "zstd")
    assert "nothing is written" in text and "-> Zstd, level 3" in text
    assert "shuffle + gzip, level 2" in run("convert", tmp_path / "a.h5", "-n", "--to", "shuffle-gzip:2")
    assert "bitshuffle, Zstd level 5" in run("convert", tmp_path / "a.h5", "-n", "--to", "bitshuffle-zstd:5")
    assert (tmp_path / "a.h5").read_bytes() == source
    run("convert", tmp_path / "a.h5", "--replace", "--keep-backup", "--to", "zstd")
    assert (tmp_path / "a.h5.before").read_bytes() == source != (tmp_path / "a.h5").read_bytes()
    assert (tmp_path / "a.h5").stat().st_mode & 0o777 == 0o640
    same(tmp_path / "a.h5.before", tmp_path / "a.h5")
    assert "is there already" in run("convert", tmp_path / "a.h5", "--replace", "--keep-backup", "--to", "lz4", code=2)
    os.mkdir(tmp_path / "folder")
    for name in ("x.h5", "folder/y.h5"):
        (tmp_path / name).write_bytes(source)
    (tmp_path / "a.h5.before").unlink()
    run("convert", "-r", tmp_path, "-o", tmp_path.parent / (tmp_path.name + "-new"), "--to", "lz4")
    same(tmp_path / "folder" / "y.h5", tmp_path.parent / (tmp_path.name + "-new") / "folder" / "y.h5")


def test_what_a_killed_run_left_is_named(tmp_path):
    everything(tmp_path / "a.h5")
    left = [tmp_path / ".b.h5.4711.unfinished", tmp_path / ".b.npy.12.unfinished"]
    for path in left:
        path.write_bytes(b"half")
    text = run("convert", tmp_path / "a.h5", "-o", tmp_path / "b.h5", "--to", "lz4")
    assert ".b.h5.4711.unfinished" in text and ".12." not in text
    assert ".b.npy.12.unfinished" in run("cat", f"{tmp_path}/a.h5:/lzf", "-o", tmp_path / "b.npy")
    assert all(path.read_bytes() == b"half" for path in left)
    assert "unfinished" not in run("convert", tmp_path / "a.h5", "-o", tmp_path / "c.h5", "--to", "lz4")


def large(path, n_frames=150):
    with h5py.File(path, "w") as file:
        data = np.tile(frames(10, (256, 256), "<u2"), (n_frames // 10, 1, 1))
        file.create_dataset("data", data=data, chunks=(1, 256, 256), compression="gzip", compression_opts=1)


def test_a_killed_conversion_leaves_the_source_and_no_half_file(tmp_path):
    large(tmp_path / "a.h5")
    source = hashlib.sha256((tmp_path / "a.h5").read_bytes()).digest()
    environment = dict(os.environ, DARKCHUNK_PYTHON=sys.executable)
    n_moments = 50 if os.environ.get("DARKCHUNK_PROVE") == "1" else 2
    n_killed = 0
    for _ in range(n_moments):
        command = [COMMAND, "convert", tmp_path / "a.h5", "--replace", "--to", "zstd:1"]
        with subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL) as process:
            deadline = time.monotonic() + random.uniform(0.05, 0.5)
            while process.poll() is None and time.monotonic() < deadline:
                time.sleep(0.002)
            process.kill()
            n_killed += process.wait() != 0
        if hashlib.sha256((tmp_path / "a.h5").read_bytes()).digest() != source:
            # It was done before the moment came.
            assert lines("verify", tmp_path / "a.h5")[0]["state"] in ("decodes", "intact")
            large(tmp_path / "a.h5")
    print(f"killed at {n_moments} moments, {n_killed} of them before the end")


def test_a_killed_conversion_goes_on_where_it_was(tmp_path):
    with h5py.File(tmp_path / "a.h5", "w") as file:
        data = np.tile(frames(10, (256, 256), "<u2"), (4, 1, 1))
        for index in range(8):
            options = {"chunks": (1, 256, 256), "compression": "gzip", "compression_opts": 1}
            file.create_dataset(f"group/{index}", data=data + np.uint16(index), **options).attrs["index"] = index
    source = hashlib.sha256((tmp_path / "a.h5").read_bytes()).digest()
    environment = dict(os.environ, DARKCHUNK_PYTHON=sys.executable)
    command = [COMMAND, "convert", tmp_path / "a.h5", "-o", tmp_path / "b.h5", "--to", "zstd:1", "--resume"]
    n_parts = []

    def n_listed():
        # The list is gone as soon as the file is there.
        with contextlib.suppress(FileNotFoundError):
            return (tmp_path / ".b.h5.parts" / "list").read_text().count("\n")
        return 0

    for _ in range(50 if os.environ.get("DARKCHUNK_PROVE") == "1" else 2):
        with subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL) as process:
            # At some moment after another part is complete, so that there is progress.
            deadline = time.monotonic() + 20
            n_before = len(n_parts) and n_parts[-1]
            while process.poll() is None and time.monotonic() < deadline:
                found = n_listed()
                if found > n_before + 1:
                    time.sleep(random.uniform(0, 0.05))
                    break
                time.sleep(0.002)
            process.kill()
        assert hashlib.sha256((tmp_path / "a.h5").read_bytes()).digest() == source
        if (tmp_path / "b.h5").exists():
            same(tmp_path / "a.h5", tmp_path / "b.h5")
            (tmp_path / "b.h5").unlink()
            n_parts = []
        elif n_listed():
            n_parts.append(n_listed())
    run("convert", tmp_path / "a.h5", "-o", tmp_path / "b.h5", "--to", "zstd:1", "--resume")
    same(tmp_path / "a.h5", tmp_path / "b.h5")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.h5", "b.h5"]


def test_parts_of_another_file_or_target_are_not_used(tmp_path):
    from test_command import spoil
    large(tmp_path / "a.h5", 20)
    out = ("-o", tmp_path / "b.h5", "--resume", "--to")
    run("convert", tmp_path / "a.h5", *out, "zstd:1")
    (tmp_path / "b.h5").unlink()
    # A run that fails after its parts are made: the second dataset is damaged.
    with h5py.File(tmp_path / "a.h5", "a") as file:
        file.create_dataset("more", data=PIXELS, chunks=(1, 33, 47), compression="gzip")
    whole = (tmp_path / "a.h5").read_bytes()
    spoil(tmp_path / "a.h5", "more", 3, "bit")
    run("convert", tmp_path / "a.h5", *out, "zstd:1", code=2)
    part = tmp_path / ".b.h5.parts" / "0.h5"
    first, made_at = part.read_bytes(), part.stat().st_mtime_ns
    run("convert", tmp_path / "a.h5", *out, "zstd:1", code=2)
    assert part.stat().st_mtime_ns == made_at
    run("convert", tmp_path / "a.h5", *out, "lz4", code=2)
    assert part.read_bytes() != first
    (tmp_path / "a.h5").write_bytes(whole)
    run("convert", tmp_path / "a.h5", *out, "lz4")
    same(tmp_path / "a.h5", tmp_path / "b.h5")


def test_a_full_disk_leaves_the_source_whole(tmp_path):
    large(tmp_path / "a.h5", 60)
    source = (tmp_path / "a.h5").read_bytes()
    for limit in (20_000, 3_000_000):
        def limited(limit=limit):
            resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))

        command = [COMMAND, "convert", tmp_path / "a.h5", "--replace", "--to", "none"]
        environment = dict(os.environ, DARKCHUNK_PYTHON=sys.executable)
        done = subprocess.run(command, env=environment, capture_output=True, text=True, preexec_fn=limited,
                              restore_signals=False, timeout=300)
        assert done.returncode == 2, (done.returncode, done.stdout, done.stderr)
        assert (tmp_path / "a.h5").read_bytes() == source
        assert [path.name for path in tmp_path.iterdir()] == ["a.h5"], done.stderr


@pytest.mark.parametrize("shape", [(274177, 67280421310721), (2**60, 1)])
def test_a_shape_of_more_chunks_than_can_be_is_refused_and_nothing_is_dropped(tmp_path, shape):
    with h5py.File(tmp_path / "a.h5", "w") as file:
        data = file.create_dataset("x", shape, "u1", chunks=(1, 1), compression="lzf")
        data[5, 0] = 7
    assert "chunks" in run("convert", tmp_path / "a.h5", "-o", tmp_path / "b.h5", "--to", "zstd:3", code=2).replace("blocks", "chunks")
    assert not (tmp_path / "b.h5").exists()
    run("hash", tmp_path / "a.h5", code=2)
    run("verify", tmp_path / "a.h5", code=2)


def test_a_link_stays_a_link_and_the_owner_the_owner_where_a_file_is_replaced(tmp_path):
    os.mkdir(tmp_path / "real")
    large(tmp_path / "real" / "a.h5", 10)
    os.symlink("real/a.h5", tmp_path / "link.h5")
    is_root = os.geteuid() == 0
    if is_root:
        os.chown(tmp_path / "real" / "a.h5", 1234, 2345)
    before = (tmp_path / "real" / "a.h5").read_bytes()
    run("convert", tmp_path / "link.h5", "--replace", "--keep-backup", "--to", "lz4")
    assert (tmp_path / "link.h5").is_symlink()
    after = (tmp_path / "real" / "a.h5").stat()
    assert (tmp_path / "real" / "a.h5").read_bytes() != before == (tmp_path / "real" / "a.h5.before").read_bytes()
    assert not is_root or (after.st_uid, after.st_gid) == (1234, 2345)


def test_drle_is_packed_later_and_unpacked_to_the_chunks_that_were_there(tmp_path):
    data = frames(n_frames=16, dtype="<i2")
    with h5py.File(tmp_path / "plain.h5", "w") as file:
        file.create_dataset("data", data=data, chunks=(8, *data.shape[1:]), compression=36114, compression_opts=(1,))
    run("convert", tmp_path / "plain.h5", "-o", tmp_path / "packed.h5", "--to", "drle:1:packed")
    run("convert", tmp_path / "packed.h5", "-o", tmp_path / "again.h5", "--to", "drle:1")
    chunks = {}
    for name in ("plain", "packed", "again"):
        with h5py.File(tmp_path / f"{name}.h5") as file:
            dataset = file["data"]
            assert np.array_equal(dataset[:], data)
            chunks[name] = [dataset.id.read_direct_chunk((first, 0, 0))[1] for first in (0, 8)]
    assert chunks["again"] == chunks["plain"]
    assert sum(map(len, chunks["packed"])) < 0.8 * sum(map(len, chunks["plain"]))


def test_a_bound_leaves_its_promise_and_what_came_of_it(tmp_path):
    source, target, again = tmp_path / "a.h5", tmp_path / "b.h5", tmp_path / "c.h5"
    with h5py.File(source, "w") as file:
        file.create_dataset("frames", data=PIXELS, chunks=(3, 33, 47))
    run("convert", source, "-o", target, "--to", "bounded:absolute=2", "--lossy")
    with h5py.File(target) as file:
        given = dict(file["frames"].attrs)
    assert given["bounded_promise"] == "no pixel is off by more than 2" and given["bounded_absolute"] == 2
    assert given["bounded_chunks"] == 7 and 1 <= given["bounded_largest_error"] <= 2
    said = next(line for line in lines("info", target) if line["kind"] == "dataset")
    assert said["promised"] == given["bounded_promise"]
    assert said["achieved"] == {name: given[f"bounded_{name}"] for name in said["achieved"]}
    text = run("info", target)
    assert "promised: no pixel is off by more than 2" in text and "achieved in 7 chunks: largest error" in text
    run("convert", source, "-o", again, "--to", "bounded:exact")
    with h5py.File(again) as file:
        assert not file["frames"].attrs
    assert "largest error 0" in run("info", again)


def test_float32_keeps_its_bound_and_says_so(tmp_path):
    source, target, again = tmp_path / "a.h5", tmp_path / "b.h5", tmp_path / "c.h5"
    data = (PIXELS / 7).astype(">f4")
    data[0, 3] = np.nan
    with h5py.File(source, "w") as file:
        file.create_dataset("volume", data=data, chunks=(3, 33, 47))
    run("convert", source, "-o", target, "--to", "bounded:absolute=0.25", "--lossy")
    with h5py.File(target) as file:
        given, found = dict(file["volume"].attrs), file["volume"][...]
    assert given["bounded_promise"] == "no pixel is off by more than 0.25" and given["bounded_absolute"] == 0.25
    error = np.abs(found.astype(float) - data)
    assert 0 < np.nanmax(error) <= 0.25 and given["bounded_largest_error"] == np.nanmax(error)
    assert np.array_equal(np.isnan(found), np.isnan(data)) and given["bounded_mean_square_error"] > 0
    said = next(line for line in lines("info", target) if line["kind"] == "dataset")
    assert said["promised"] == given["bounded_promise"]
    assert said["achieved"] == {name: given[f"bounded_{name}"] for name in said["achieved"]}
    assert "achieved in 7 chunks: largest error 2.4" in run("info", target)
    run("convert", source, "-o", again, "--to", "bounded:exact")
    with h5py.File(again) as file:
        assert file["volume"][...].tobytes() == data.tobytes()
    run("convert", source, "-o", tmp_path / "r.h5", "--to", "bounded:relative=0.001", "--lossy")
    with h5py.File(tmp_path / "r.h5") as file:
        assert file["volume"].attrs["bounded_bound"] == "relative" and file["volume"].attrs["bounded_relative"] == 0.001
    assert "noise" in run("convert", source, "-o", tmp_path / "d.h5", "--to", "bounded:noise=1", "--lossy", code=2)
