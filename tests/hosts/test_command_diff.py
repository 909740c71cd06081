"""`darkchunk diff` finds what was changed, and nothing else."""

import shutil

import h5py
import numpy as np

from common import BITSHUFFLE, DRLE
from test_command import PIXELS, everything, lines, run


def found(*arguments, code=1):
    """The differences, by path, and the summary."""
    *differences, summary = lines("diff", *arguments, code=code)
    return {(line["path"], line["difference"]): line for line in differences}, summary


def test_what_is_only_stored_otherwise_is_no_difference(tmp_path):
    everything(tmp_path / "a.h5")
    run("convert", tmp_path / "a.h5", "-o", tmp_path / "b.h5", "--to", "bitshuffle-lz4", "--chunk", "7,0,0", "-d", "c*=keep", "-d", "h*=keep", "-d", "scale*=keep")
    assert run("diff", tmp_path / "a.h5", tmp_path / "b.h5") == ""
    differences, summary = found(tmp_path / "a.h5", tmp_path / "b.h5", "-j", 3, "--memory", 1, code=0)
    assert not differences and summary["equal"] and summary["datasets"] > 12
    assert run("diff", f"{tmp_path}/a.h5:/entry/data", f"{tmp_path}/b.h5") == ""


def test_a_group_with_two_names_is_not_one_that_looks_like_it(tmp_path):
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["g1/d"] = 1
        file["g2"] = file["g1"]
    with h5py.File(tmp_path / "b.h5", "w") as file:
        file["g1/d"], file["g2/d"] = 1, 2
    for pair in ("ab", "ba"):
        differences, _ = found(*(tmp_path / f"{name}.h5" for name in pair))
        assert ("/g2", "kind") in differences
    assert run("diff", tmp_path / "a.h5", tmp_path / "a.h5") == ""


def test_each_change_is_found_and_nothing_else(tmp_path):
    everything(tmp_path / "a.h5")
    shutil.copy(tmp_path / "a.h5", tmp_path / "b.h5")
    with h5py.File(tmp_path / "b.h5", "a") as file:
        data = file["entry/data/data"]
        pixels = data[...].astype("i8")
        pixels[7, 3, 5] += 9
        pixels[19, 32, 46] += 3
        data[...] = pixels.astype("u2")
        data.attrs["units"] = "photons"
        del file["entry/data"].attrs["NX_class"]
        file["entry"].attrs["new"] = [1.5, 2.5]
        del file["soft"], file["scalar"], file["compact"]
        file["soft"] = h5py.SoftLink("/elsewhere")
        file["strings"][1] = "cc"
        file["references"][0] = file["lzf"].ref
        file["more"] = np.arange(3)
        file["compact"] = np.arange(5, dtype="i4")
        file["holes"].resize(90, axis=0)
    for jobs in (1, 3):
        differences, summary = found(tmp_path / "a.h5", tmp_path / "b.h5", "-j", jobs)
        pixels = differences.pop(("/entry/data/data", "elements"))
        assert (pixels["different"], pixels["first"], pixels["max_difference"]) == (2, [7, 3, 5], 9)
        assert (int(pixels["a"]), int(pixels["b"])) == (PIXELS[7, 3, 5], PIXELS[7, 3, 5] + 9)
        # The virtual dataset shows the same pixels.
        assert differences.pop(("/virtual", "elements"))["different"] == 2
        units = differences.pop(("/entry/data/data", "attribute"))
        assert units["a"].startswith('"counts"') and units["b"].startswith('"photons"')
        assert differences.pop(("/entry/data", "attribute"))["b"] is None
        assert differences.pop(("/entry", "attribute"))["a"] is None
        assert differences.pop(("/soft", "kind"))["b"] == "soft link to /elsewhere"
        assert differences.pop(("/strings", "elements"))["b"] == '"cc"'
        assert differences.pop(("/references", "elements"))["b"] == "-> /lzf"
        assert differences.pop(("/scalar", "only"))["in"] == "first" and differences.pop(("/more", "only"))["in"] == "second"
        # The numbers are the same.
        assert differences.pop(("/compact", "type"))["b"] == "int32"
        assert differences.pop(("/holes", "shape"))["b"] == "90 x 10"
        assert not differences and not summary["equal"] and summary["differences"] == 12
    text = run("diff", tmp_path / "a.h5", tmp_path / "b.h5", code=1)
    assert "/entry/data/data: 2 of 31020 elements differ, by 9 at most; the first at" in " ".join(text.split())
    assert run("diff", tmp_path / "a.h5", tmp_path / "b.h5", "-q", code=1) == ""


def test_a_threshold_explains_zeros_and_nothing_else(tmp_path):
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file.create_dataset("x", data=PIXELS, chunks=(1, 33, 47), compression=BITSHUFFLE, compression_opts=(0, 2))
    with h5py.File(tmp_path / "b.h5", "w") as file:
        file.create_dataset("x", data=PIXELS, chunks=(2, 33, 47), compression=DRLE, compression_opts=(20,))
    with h5py.File(tmp_path / "c.h5", "w") as file:
        below = np.where(PIXELS < 20, 0, PIXELS)
        below[3, 2, 1] = 19 if PIXELS[3, 2, 1] < 19 else 7
        file["x"] = below.astype("u2")
    changed = int(((PIXELS < 20) & (PIXELS != 0)).sum())
    assert changed > 0
    a, b, c = (tmp_path / f"{name}.h5" for name in "abc")
    assert found(a, b)[0]["/x", "elements"]["different"] == changed
    assert found(a, b, "--within-threshold", code=0)[1]["within_threshold"] == changed
    assert run("diff", a, c, "--within-threshold=20", code=0 if PIXELS[3, 2, 1] == 0 else 1).count("elements differ") == (PIXELS[3, 2, 1] != 0)
    run("diff", a, b, "--within-threshold=5", code=1)


def test_a_path_counts_on_each_side(tmp_path):
    for name in ("a.h5", "b.h5"):
        with h5py.File(tmp_path / name, "w") as file:
            file["x/y"] = PIXELS
    run("diff", f"{tmp_path}/a.h5:/x", tmp_path / "b.h5")
    assert "/x: group, only in the second" in run("diff", f"{tmp_path}/a.h5:/x", f"{tmp_path}/b.h5:/", code=1)
    assert "b.h5: there is nothing at /z" in run("diff", tmp_path / "a.h5", f"{tmp_path}/b.h5:/z", code=2)


def test_what_cannot_be_compared_ends_with_2(tmp_path):
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file.create_dataset("x", data=PIXELS, chunks=(1, 33, 47), compression="gzip", fletcher32=True)
        file["y"] = np.arange(3)
        place = file["x"].id.get_chunk_info(3)
    shutil.copy(tmp_path / "a.h5", tmp_path / "b.h5")
    with open(tmp_path / "b.h5", "r+b") as file:
        file.seek(place.byte_offset + 20)
        file.write(b"damage")
    differences, summary = found(tmp_path / "a.h5", tmp_path / "b.h5", code=2)
    assert "[3, 0, 0]" in differences["/x", "not compared"]["reason"] and summary["not_compared"] == 1
    assert "nothing at /z" in run("diff", f"{tmp_path}/a.h5:/z", tmp_path / "b.h5", code=2)
    assert "No such file" in run("diff", tmp_path / "a.h5", tmp_path / "none.h5", code=2)


def strings(path, *, padding, size=8, fill=b"\0", cset=h5py.h5t.CSET_ASCII, texts=(b"ab", b"c d")):
    """A dataset of strings of fixed length and an attribute of one, filled up as `padding` says, or with `fill` behind the end."""
    kind = h5py.h5t.C_S1.copy()
    kind.set_size(size)
    kind.set_strpad(padding)
    kind.set_cset(cset)
    with h5py.File(path, "w") as file:
        data = np.array([text.ljust(size, fill) for text in texts], dtype=f"V{size}")
        space = h5py.h5s.create_simple((len(texts),))
        dataset = h5py.h5d.create(file.id, b"x", kind, space)
        dataset.write(h5py.h5s.ALL, h5py.h5s.ALL, data, mtype=kind)
        attribute = h5py.h5a.create(dataset, b"a", kind, h5py.h5s.create(h5py.h5s.SCALAR))
        attribute.write(data[:1], mtype=kind)


def test_strings_are_compared_to_their_end_and_other_padding_is_another_type(tmp_path):
    h5t, a, b = h5py.h5t, tmp_path / "a.h5", tmp_path / "b.h5"
    strings(a, padding=h5t.STR_NULLPAD)
    for padding, words in ((h5t.STR_NULLTERM, "null-terminated"), (h5t.STR_SPACEPAD, "space-padded")):
        strings(b, padding=padding, fill=b" " if padding == h5t.STR_SPACEPAD else b"\0")
        differences, _ = found(a, b)
        assert differences.keys() == {("/x", "type"), ("/x", "attribute")}
        assert differences["/x", "type"]["b"] == f"string of 8 bytes, {words}"
        assert differences["/x", "type"]["a"] == "string of 8 bytes"
    strings(b, padding=h5t.STR_NULLPAD, size=5)
    assert found(a, b)[0].keys() == {("/x", "type"), ("/x", "attribute")}
    strings(b, padding=h5t.STR_NULLPAD, cset=h5t.CSET_UTF8)
    assert found(a, b)[0]["/x", "type"]["b"] == "string of 8 bytes, UTF-8"
    # What is behind the end of a C string is none of it; a space, a newline or a null byte within others is.
    strings(a, padding=h5t.STR_NULLTERM, texts=(b"ab\0one", b"c"))
    strings(b, padding=h5t.STR_NULLTERM, texts=(b"ab\0two", b"c"))
    assert not found(a, b, code=0)[0]
    for padding, other in ((h5t.STR_NULLTERM, b"ab "), (h5t.STR_NULLPAD, b"ab\n"), (h5t.STR_NULLPAD, b"ab\0c"), (h5t.STR_SPACEPAD, b"ab\0")):
        fill = b" " if padding == h5t.STR_SPACEPAD else b"\0"
        strings(a, padding=padding, fill=fill, texts=(b"ab", b"c"))
        strings(b, padding=padding, fill=fill, texts=(other, b"c"))
        differences, _ = found(a, b)
        elements = differences.pop(("/x", "elements"))
        assert (elements["first"], elements["different"], elements["a"]) == ([0], 1, '"ab"')
        assert differences.keys() == {("/x", "attribute")}


def test_what_the_bounded_codec_notes_is_one_line(tmp_path):
    with h5py.File(tmp_path / "a.h5", "w") as file:
        for name in ("data", "more"):
            file.create_dataset(name, data=PIXELS, chunks=(1, 33, 47)).attrs["units"] = "counts"
    run("convert", tmp_path / "a.h5", "-o", tmp_path / "b.h5", "--to", "bounded:absolute=4", "--lossy")
    with h5py.File(tmp_path / "b.h5", "a") as file:
        file["data"].attrs["units"] = "photons"
        names = [name for name in file["data"].attrs if name.startswith("bounded_")]
    text = " ".join(run("diff", tmp_path / "a.h5", tmp_path / "b.h5", code=1).split())
    for path in ("/data", "/more"):
        assert f"{path}: {len(names)} attributes of the bounded codec" in text and f"{path}: 3" not in text
    assert 'attribute units: "counts"' in text and "bounded_promise" not in text
    assert text.count("elements differ") == 2 and "bounded_promise" in run("diff", tmp_path / "a.h5", tmp_path / "b.h5", "-v", code=1)
