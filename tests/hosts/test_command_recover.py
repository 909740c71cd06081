"""`darkchunk recover` saves what is good of damaged files, and says what is not."""

import shutil

import h5py
import numpy as np
import pytest

from common import DRLE
from test_command import PIXELS, everything, lines, run, spoil
from test_command_convert import contents, same


def test_a_sound_file_is_copied_as_it_is(tmp_path):
    everything(tmp_path / "a.h5")
    assert lines("recover", tmp_path / "a.h5", "-o", tmp_path / "b.h5")[-1]["whole"] > 20
    same(tmp_path / "a.h5", tmp_path / "b.h5")


def test_damaged_chunks_are_marked_and_everything_else_is_kept(tmp_path):
    everything(tmp_path / "a.h5")
    everything(tmp_path / "sound.h5")
    for name, chunk in [("entry/data/data", 7), ("drle", 3)]:
        spoil(tmp_path / "a.h5", name, chunk, "bit")
    found = lines("recover", tmp_path / "a.h5", "-o", tmp_path / "b.h5", code=1)
    assert {line["path"].split("/")[-1] for line in found[:-1]} <= {"data", "alias", "drle"}
    assert [line["state"] for line in found[:-1]] == ["damaged", "damaged"]
    with h5py.File(tmp_path / "b.h5") as file:
        data = file["entry/data/data"]
        assert data.attrs["darkchunk_damaged_frames"].tolist() == [[7, 8]] and data.attrs["units"] == "counts"
        good = np.arange(len(PIXELS)) != 7
        assert (data[:][good] == PIXELS[good]).all() and (data[7] == 0).all()
        (first, end), = file["drle"].attrs["darkchunk_damaged_frames"].tolist()
        assert 6 <= first < end <= 8
        good = (np.arange(len(PIXELS)) < first) | (np.arange(len(PIXELS)) >= end)
        assert (file["drle"][:][good] == PIXELS[good]).all()
        assert data.dims[0].keys() == ["scale0"] and file[file["references"][1]].name == "/lzf"
    before, after = contents(tmp_path / "sound.h5"), contents(tmp_path / "b.h5")
    assert list(before) == list(after)
    damaged = [place for place in before if before[place] != after[place]]
    assert {place.split("/")[-1] for place in damaged} <= {"data", "alias", "drle", "virtual"}
    # What was saved is sound.
    assert not [line for line in lines("verify", tmp_path / "b.h5") if line["state"] == "damaged"]


def test_what_a_writer_for_readers_left_when_it_was_killed_is_saved(tmp_path):
    with h5py.File(tmp_path / "w.h5", "w", libver="latest") as file:
        data = file.create_dataset("a", data=PIXELS, chunks=(1, 33, 47), maxshape=(None, 33, 47), compression="gzip")
        file.swmr_mode = True
        data.flush()
        shutil.copyfile(tmp_path / "w.h5", tmp_path / "a.h5")
    with pytest.raises(OSError, match="already open for"):
        h5py.File(tmp_path / "a.h5")
    before = (tmp_path / "a.h5").read_bytes()
    lines("recover", tmp_path / "a.h5", "-o", tmp_path / "b.h5")
    with h5py.File(tmp_path / "b.h5") as file:
        assert (file["a"][...] == PIXELS).all()
    assert (tmp_path / "a.h5").read_bytes() == before


def test_a_file_that_is_cut_off_gives_what_is_before_the_cut(tmp_path):
    with h5py.File(tmp_path / "a.h5", "w") as file:
        for name in ("first", "last"):
            data = file.create_dataset(name, data=PIXELS, chunks=(1, 33, 47), compression="gzip")
            data.attrs["name"] = name
    with h5py.File(tmp_path / "a.h5") as file:
        cut = file["last"].id.get_chunk_info(12).byte_offset
    whole = (tmp_path / "a.h5").read_bytes()
    (tmp_path / "a.h5").write_bytes(whole[:cut])
    found = lines("recover", tmp_path / "a.h5", "-o", tmp_path / "b.h5", code=1)
    assert found[-1]["cut_off"] == len(whole) - cut
    with h5py.File(tmp_path / "b.h5") as file:
        assert (file["first"][:] == PIXELS).all() and file["last"].attrs["name"] == "last"
        assert (file["last"][:12] == PIXELS[:12]).all()
        assert file["last"].attrs["darkchunk_damaged_frames"].tolist() == [[12, 20]]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.h5", "b.h5"]


def test_objects_that_cannot_be_read_are_named_and_the_others_saved(tmp_path):
    with h5py.File(tmp_path / "a.h5", "w") as file:
        for name in ("x", "y"):
            file.create_dataset(name, data=PIXELS, chunks=(1, 33, 47), compression=DRLE, compression_opts=(1,))
        header = h5py.h5o.get_info(file["x"].id).addr
    with open(tmp_path / "a.h5", "r+b") as file:
        file.seek(header)
        file.write(b"\xff" * 16)
    found = lines("recover", tmp_path / "a.h5", "-o", tmp_path / "b.h5", code=1)
    assert (found[0]["path"], found[0]["state"]) == ("/x", "lost")
    with h5py.File(tmp_path / "b.h5") as file:
        assert list(file) == ["y"] and (file["y"][:] == PIXELS).all()
    # Without a superblock: the frames of both, by their bytes.
    with open(tmp_path / "a.h5", "r+b") as file:
        file.write(b"\0" * 64)
    found = lines("recover", tmp_path / "a.h5", "-o", tmp_path / "c.h5", code=1)
    assert found[0]["frames_found"] == 2 * len(PIXELS)
    (tmp_path / "n.h5").write_bytes(b"\0" * 5000)
    run("recover", tmp_path / "n.h5", "-o", tmp_path / "d.h5", code=2)
    run("recover", tmp_path / "a.h5", "-o", tmp_path / "c.h5", code=2)
    assert not (tmp_path / "d.h5").exists()


def referring(folder):
    """A file whose references are in other files: external ones, which a stranger may have named, and the source of a virtual one."""
    (folder / "victim").write_bytes(b"the text of somebody's thesis..." * 4)
    with h5py.File(folder / "source.h5", "w") as file:
        file["x"] = 1
        file.create_dataset("references", data=[file["x"].ref] * 4, dtype=h5py.ref_dtype)
    layout = h5py.VirtualLayout((4,), h5py.ref_dtype)
    layout[:] = h5py.VirtualSource("source.h5", "references", (4,), h5py.ref_dtype)
    with h5py.File(folder / "a.h5", "w") as file:
        external = [(str(folder / "victim"), 0, 32)]
        file.create_dataset("references", (4,), h5py.ref_dtype, external=external)
        file["type"] = np.dtype("u1")
        file.create_dataset("named", (32,), file["type"], external=external)
        file.create_virtual_dataset("virtual", layout)
        compact = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
        compact.set_layout(h5py.h5d.COMPACT)
        space = h5py.h5s.create_simple((1,))
        h5py.h5d.create(file.id, b"compact", h5py.h5t.STD_REF_OBJ, space, compact)
        file["compact"][0] = file["named"].ref
        file["piece"] = np.array([file["named"].ref], dtype=h5py.ref_dtype)
    return {name: (folder / name).read_bytes() for name in ("victim", "source.h5")}


def test_no_other_file_is_written_to_where_references_are_copied(tmp_path):
    before = referring(tmp_path)
    for code, verb in enumerate([("recover",), ("convert", "--to", "zstd:3")]):
        copy = tmp_path / f"copy{code}.h5"
        assert "its references are in external files" in " ".join(run(*verb, tmp_path / "a.h5", "-o", copy, code=code).split())
        assert {name: (tmp_path / name).read_bytes() for name in before} == before, verb
        with h5py.File(copy) as file:
            assert file[file["compact"][0]].name == file[file["piece"][0]].name == "/named"
            assert file["named"].external and file["virtual"].is_virtual


def test_what_is_beyond_the_end_of_a_cut_file_is_marked_without_a_checksum_too(tmp_path):
    with h5py.File(tmp_path / "a.h5", "w", userblock_size=512) as file:
        file.create_dataset("chunks", data=PIXELS, chunks=(4, 33, 47))
        file["piece"] = PIXELS
        file["whole"] = 3
    with h5py.File(tmp_path / "a.h5") as file:
        chunks = file["chunks"].id
        last = chunks.get_chunk_info(4).byte_offset
        piece = file["piece"].id.get_offset()
    whole = (tmp_path / "a.h5").read_bytes()
    frame = PIXELS[0].nbytes
    for name, cut in [("piece", piece + 7 * frame + 1), ("chunks", last + frame)]:
        (tmp_path / "b.h5").write_bytes(whole[:cut])
        run("recover", tmp_path / "b.h5", "-o", tmp_path / f"{name}.h5", code=1)
        with h5py.File(tmp_path / f"{name}.h5") as file:
            (first, end), = file[name].attrs["darkchunk_damaged_frames"].tolist()
            assert end == len(PIXELS) and first in ((6, 7) if name == "piece" else (12, 16))
            assert (file[name][:first] == PIXELS[:first]).all()


def test_what_cannot_be_examined_is_not_counted_as_whole(tmp_path):
    with h5py.File(tmp_path / "a.h5", "w") as file:
        unknown = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
        unknown.set_chunk((4, 33, 47))
        unknown.set_filter(32999, h5py.h5z.FLAG_OPTIONAL, ())
        space = h5py.h5s.create_simple(PIXELS.shape)
        h5py.h5d.create(file.id, b"x", h5py.h5t.NATIVE_UINT16, space, unknown).write_direct_chunk((0, 0, 0), b"x" * 99)
    found = lines("recover", tmp_path / "a.h5", "-o", tmp_path / "b.h5", code=1)
    assert (found[0]["path"], found[0]["state"], found[-1]["whole"]) == ("/x", "not examined", 0)


def test_what_an_earlier_recovery_found_and_the_user_block_are_kept(tmp_path):
    with h5py.File(tmp_path / "a.h5", "w", userblock_size=512) as file:
        data = file.create_dataset("x", data=PIXELS, chunks=(1, 33, 47), compression="gzip", fletcher32=True)
        data.attrs["darkchunk_damaged_frames"] = np.array([[0, 2], [9, 10]], dtype="u8")
        data.attrs["units"] = "counts"
    with open(tmp_path / "a.h5", "r+b") as file:
        file.write(b"#!/bin/sh\n")
    spoil(tmp_path / "a.h5", "x", 2, "bit")
    run("recover", tmp_path / "a.h5", "-o", tmp_path / "b.h5", code=1)
    assert (tmp_path / "b.h5").read_bytes().startswith(b"#!/bin/sh\n")
    with h5py.File(tmp_path / "b.h5") as file:
        assert file["x"].attrs["darkchunk_damaged_frames"].tolist() == [[0, 3], [9, 10]]
        assert file["x"].attrs["units"] == "counts"


def test_an_attribute_that_cannot_be_read_does_not_take_others_with_it(tmp_path):
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["x"] = 1
        data = file.create_dataset("references", data=[file["x"].ref], dtype=h5py.ref_dtype)
        for name in ("first", "second", "third"):
            data.attrs[name] = name + " " + 40 * name
    whole = (tmp_path / "a.h5").read_bytes()
    # The text of the second is found in a heap by a number that is not there.
    heap = whole.index(b"second second") - 16
    (tmp_path / "a.h5").write_bytes(whole[:heap] + b"\xee" + whole[heap + 1:])
    found = lines("recover", tmp_path / "a.h5", "-o", tmp_path / "b.h5", code=1)
    assert [line["path"] for line in found[:-1]] == ["/references (attribute second)"]
    with h5py.File(tmp_path / "b.h5") as file:
        data = file["references"]
        assert set(data.attrs) >= {"first", "third"} and data.attrs["third"].startswith("third third")
        assert file[data[0]].name == "/x"


def test_a_new_file_that_leads_nowhere_from_its_folder_is_warned_of(tmp_path):
    with h5py.File(tmp_path / "source.h5", "w") as file:
        file["x"] = PIXELS
    for name in ("link", "virtual"):
        with h5py.File(tmp_path / f"{name}.h5", "w") as file:
            file.create_dataset("y", data=PIXELS, chunks=(1, 33, 47), compression="gzip")
            if name == "link":
                file["x"] = h5py.ExternalLink("source.h5", "/x")
            else:
                layout = h5py.VirtualLayout(PIXELS.shape, "u2")
                layout[:] = h5py.VirtualSource("source.h5", "x", PIXELS.shape)
                file.create_virtual_dataset("x", layout)
        (tmp_path / "other").mkdir(exist_ok=True)
        assert not lines("recover", tmp_path / f"{name}.h5", "-o", tmp_path / f"saved_{name}.h5")[-1]["warnings"]
        (warning,) = lines("recover", tmp_path / f"{name}.h5", "-o", tmp_path / "other" / f"{name}.h5")[-1]["warnings"]
        assert "/x leads to the file source.h5, which is not there from" in warning
