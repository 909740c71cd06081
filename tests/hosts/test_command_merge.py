"""`darkchunk convert --merge` makes one ordinary file of a master and the files that it leads to."""

import h5py
import numpy as np
import pytest

from common import BITSHUFFLE
from test_command import PIXELS, lines, run, spoil

N_FILES, N_FRAMES = 3, 4
FRAMES = np.concatenate([PIXELS[:N_FRAMES] + number for number in range(N_FILES)]).astype(PIXELS.dtype)
SHAPE = FRAMES.shape


def data_file(path, frames, chunk=1, **filters):
    with h5py.File(path, "w") as file:
        filters = filters or {"compression": BITSHUFFLE, "compression_opts": (0, 2)}
        data = file.create_dataset("entry/data/data", data=frames, chunks=(chunk, *SHAPE[1:]), **filters)
        data.attrs["image_nr_low"] = 1
        file["entry/data"].attrs["NX_class"] = "NXdata"
        file["entry/mask"] = np.arange(6).reshape(2, 3)
        file["entry/data/mask"] = h5py.SoftLink("/entry/mask")
        file["entry/data/again"] = h5py.SoftLink("data")


def master(folder, **data):
    """As EIGER's: links to data files, and a virtual dataset of them."""
    folder.mkdir(parents=True, exist_ok=True)
    layout = h5py.VirtualLayout(SHAPE, FRAMES.dtype)
    for number in range(N_FILES):
        part = slice(number * N_FRAMES, (number + 1) * N_FRAMES)
        data_file(folder / f"data_{number}.h5", FRAMES[part], **data)
        layout[part] = h5py.VirtualSource(f"data_{number}.h5", "entry/data/data", (N_FRAMES, *SHAPE[1:]))
    with h5py.File(folder / "master.h5", "w") as file:
        file.attrs["default"] = "entry"
        entry = file.create_group("entry")
        entry.create_virtual_dataset("whole", layout).attrs["units"] = "counts"
        for number in range(N_FILES):
            entry[f"data_{number}"] = h5py.ExternalLink(f"data_{number}.h5", "/entry/data/data")
        entry["same"] = h5py.ExternalLink("data_1.h5", "/entry/data/data")
        entry["group"] = h5py.ExternalLink("data_2.h5", "/entry/data")
        entry["soft"] = h5py.SoftLink("group/data")
        entry["number"] = 7
    return folder / "master.h5"


def ordinary(path):
    """Asserts that nothing of a file is in another one, and returns the file."""
    file = h5py.File(path)

    def visit(group):
        for name in group:
            assert not isinstance(group.get(name, getlink=True), h5py.ExternalLink), name
            thing = group[name]
            if isinstance(thing, h5py.Dataset):
                assert not thing.is_virtual and not thing.external
            else:
                visit(thing)

    visit(file)
    return file


def chunks(dataset):
    return [dataset.id.read_direct_chunk((frame, 0, 0)) for frame in range(len(dataset))]


def test_a_master_and_its_data_files_become_one_file_with_the_same_chunks(tmp_path):
    source = master(tmp_path / "run")
    found = lines("convert", source, "-o", tmp_path / "one.h5", "--merge")
    assert found[0]["path"] == "/entry/whole" and found[0]["equal"] and found[-1]["warnings"] == []
    with h5py.File(source) as before:
        expected = sum((chunks(before[f"entry/data_{number}"]) for number in range(N_FILES)), [])
    for path in (tmp_path / "run").iterdir():
        path.unlink()  # it needs none of them
    with ordinary(tmp_path / "one.h5") as file:
        assert chunks(file["entry/whole"]) == expected
        assert (file["entry/whole"][:] == FRAMES).all() and file["entry/whole"].attrs["units"] == "counts"
        assert file.attrs["default"] == "entry" and file["entry/number"][()] == 7
        assert file["entry/group"].attrs["NX_class"] == "NXdata"
        assert (file["entry/soft"][:] == FRAMES[8:]).all() and file["entry/group/data"].attrs["image_nr_low"] == 1
        # What has two names is there once.
        assert file["entry/same"] == file["entry/data_1"] and file["entry/group/data"] == file["entry/data_2"]
        # A soft link that counted from the root of its own file leads to what it led to.
        assert (file["entry/group/mask"][:] == np.arange(6).reshape(2, 3)).all()
        assert file["entry/group"].get("again", getlink=True).path == "data"
        assert file["entry/whole"].id.get_create_plist().get_filter(0)[0] == BITSHUFFLE


@pytest.mark.parametrize("name", ["data_1.h5", "data_2.h5"])
def test_a_missing_source_is_an_error_and_nothing_is_written(tmp_path, name):
    source = master(tmp_path / "run")
    (tmp_path / "run" / name).unlink()
    for options in (["-o", tmp_path / "one.h5"], ["--replace"], ["-n"]):
        assert name in run("convert", source, "--merge", *options, code=2)
    assert not (tmp_path / "one.h5").exists() and not [*tmp_path.rglob(".*")]
    # Also where only the virtual dataset needs it.
    with h5py.File(source, "a") as file:
        for link in ("data_0", "data_1", "data_2", "same", "group"):
            del file["entry"][link]
    assert name in run("convert", source, "--merge", "-o", tmp_path / "one.h5", code=2)


def test_info_of_a_master_names_the_files_that_are_not_there(tmp_path):
    source = master(tmp_path / "run")

    def found():
        return next(line for line in lines("info", source) if line["path"] == "/entry/whole")["missing_files"]

    assert found() == [] and "not there" not in run("info", source)
    for name in ("data_2.h5", "data_0.h5"):
        (tmp_path / "run" / name).unlink()
    assert [path.split("/")[-1] for path in found()] == ["data_0.h5", "data_2.h5"]
    text = " ".join(run("info", f"{source}:/entry/whole").split())
    assert "data_2.h5 are not there: what they have reads as the fill value" in text


@pytest.mark.parametrize("is_there", [False, True])
def test_a_dataset_whose_source_is_not_there_is_not_taken_for_its_fill_value(tmp_path, is_there):
    source = master(tmp_path / "run")
    gone = tmp_path / "run" / "data_1.h5"
    gone.unlink()
    if is_there:
        with h5py.File(gone, "w") as file:
            file["another"] = 1
    whole = f"{source}:/entry/whole"
    for words in (["hash"], ["cat"], ["compare", whole], ["diff", whole], ["verify"], ["threshold"], ["noise"]):
        text = " ".join(run(words[0], whole, *words[1:], code=2).split())
        assert "data_1.h5" in text and "is not there" in text, (words, text)
    found = {line["path"]: line for line in lines("verify", source, code=2)}
    assert found["/entry/whole"]["state"] == "not examined" and "data_1.h5" in found["/entry/whole"]["reason"]
    # What is there of the file is.
    run("hash", f"{source}:/entry/number")


@pytest.mark.parametrize("what", ["links", "virtual"])
def test_a_new_file_from_which_others_are_not_found_is_refused(tmp_path, what):
    source, archive = master(tmp_path / "run"), tmp_path / "archive"
    archive.mkdir()
    with h5py.File(source, "a") as file:
        for name in ("data_0", "data_1", "data_2", "same", "group") if what == "virtual" else ("whole",):
            del file["entry"][name]
    for options in ([], ["-n"]):
        text = " ".join(run("convert", source, "-o", archive, "--to", "zstd", *options, code=2).split())
        assert "data_0.h5" in text and str(archive) in text and "--merge" in text and "nor are 2 others" in text, text
    assert not [*archive.iterdir()]
    # Beside the old one, where they are converted first, and where all are converted together, they are found.
    run("convert", source, "-o", tmp_path / "run" / "new.h5", "--to", "zstd")
    run("convert", "-r", tmp_path / "run", "-o", tmp_path / "all", "--to", "zstd")
    for number in range(N_FILES):
        run("convert", tmp_path / "run" / f"data_{number}.h5", "-o", archive, "--to", "zstd")
    run("convert", source, "-o", archive, "--to", "zstd")
    for place in (tmp_path / "run" / "new.h5", tmp_path / "all" / "master.h5", archive / "master.h5"):
        with h5py.File(place) as file:
            assert (file["entry/whole"][:] if what == "virtual" else file["entry/data_2"][:]).any()
    # What leads nowhere already can lead nowhere.
    (tmp_path / "run" / "data_0.h5").unlink()
    (archive / "data_0.h5").unlink()
    run("convert", source, "-o", archive / "again.h5", "--to", "zstd")


@pytest.mark.parametrize("data", [{"chunk": 3}, {"compression": "gzip", "chunk": 3}, {"compression": "gzip"}, {"fletcher32": True}])
def test_what_does_not_fit_is_encoded_and_equal(tmp_path, data):
    source = master(tmp_path / "run", **data)
    run("convert", source, "-o", tmp_path / "one.h5", "--merge")
    with ordinary(tmp_path / "one.h5") as file:
        assert (file["entry/whole"][:] == FRAMES).all()
    run("diff", f"{source}:/entry/whole", f"{tmp_path / 'one.h5'}:/entry/whole")


def test_a_target_is_for_merged_datasets_too(tmp_path):
    source = master(tmp_path / "run")
    run("convert", source, "-o", tmp_path / "one.h5", "--merge", "--to", "zstd:3", "--chunk", "2,0,0", "-d", "mask=keep")
    with ordinary(tmp_path / "one.h5") as file:
        assert file["entry/whole"].chunks == (2, *SHAPE[1:]) and (file["entry/whole"][:] == FRAMES).all()
        assert file["entry/data_1"].id.get_create_plist().get_filter(0)[0] == 32015
    text = run("convert", source, "-o", tmp_path / "two.h5", "--merge", "-d", "whole=drle:20", code=2)
    assert "--lossy" in text and not (tmp_path / "two.h5").exists()


def test_parts_sources_of_less_axes_and_holes_keep_their_places(tmp_path):
    layout = h5py.VirtualLayout((5, *SHAPE[1:]), "u2", maxshape=(None, *SHAPE[1:]))
    for number in (0, 3):
        with h5py.File(tmp_path / f"{number}.h5", "w") as file:
            file.create_dataset("data", data=FRAMES[number].astype("u2"), chunks=SHAPE[1:], compression="gzip")
        layout[number] = h5py.VirtualSource(f"{number}.h5", "data", SHAPE[1:])
    with h5py.File(tmp_path / "master.h5", "w") as file:
        file.create_virtual_dataset("data", layout, fillvalue=9)
        file.create_dataset("outside", (4,), "i4", external=[(str(tmp_path / "raw"), 0, h5py.h5f.UNLIMITED)])[:] = range(4)
    run("convert", tmp_path / "master.h5", "-o", tmp_path / "one.h5", "--merge")
    with ordinary(tmp_path / "one.h5") as file, h5py.File(tmp_path / "master.h5") as before:
        assert (file["data"][:] == before["data"][:]).all() and file["outside"][:].tolist() == [0, 1, 2, 3]
        assert file["data"].id.get_num_chunks() == 2 and (file["data"][1] == 9).all()
        assert file["data"].maxshape == before["data"].maxshape
    (tmp_path / "raw").unlink()
    run("convert", tmp_path / "master.h5", "-o", tmp_path / "two.h5", "--merge", code=2)


def test_files_that_lead_to_each_other_end(tmp_path):
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["data"] = PIXELS
        file["b"] = h5py.ExternalLink("b.h5", "/")
    with h5py.File(tmp_path / "b.h5", "w") as file:
        file["back"] = h5py.ExternalLink("a.h5", "/")
        file["data"] = h5py.ExternalLink("a.h5", "/data")
    run("convert", tmp_path / "a.h5", "-o", tmp_path / "one.h5", "--merge")
    with h5py.File(tmp_path / "one.h5") as file:
        assert file["b/back"] == file["/"] and file["b/back/b/data"] == file["data"] and (file["data"][:] == PIXELS).all()


def test_a_merge_goes_on_with_what_is_done_but_for_files_that_were_changed(tmp_path):
    source = master(tmp_path / "run", compression="gzip")
    bad = tmp_path / "run" / "bad.h5"
    with h5py.File(bad, "w") as file:
        file.create_dataset("data", data=PIXELS, chunks=(1, 33, 47), compression="gzip", fletcher32=True)
    whole = bad.read_bytes()
    spoil(bad, "data", 3, "bit")
    with h5py.File(source, "a") as file:
        file["entry/zz"] = h5py.ExternalLink("bad.h5", "/data")
    command = ("convert", source, "-o", tmp_path / "one.h5", "--merge", "--resume", "--to", "zstd:1")

    def parts():
        return {path.name: path.stat().st_mtime_ns for path in (tmp_path / ".one.h5.parts").glob("*.h5")}

    run(*command, code=2)
    first = parts()
    run(*command, code=2)
    again = {name for name, time in parts().items() if first[name] != time}
    assert len(first) > 3 and len(again) == 1, "only the damaged one is tried again"
    with h5py.File(tmp_path / "run" / "data_1.h5", "a") as file:
        file["entry/data/data"][0] = 5
    run(*command, code=2)
    changed = {name for name, time in parts().items() if first[name] != time} - again
    assert changed and changed < first.keys() - again, "what has frames of the changed file, and nothing else"
    bad.write_bytes(whole)
    run(*command)
    expected = FRAMES.copy()
    expected[N_FRAMES] = 5
    with ordinary(tmp_path / "one.h5") as file:
        assert (file["entry/whole"][:] == expected).all() and (file["entry/zz"][:] == PIXELS).all()
        assert (file["entry/data_1"][:] == expected[N_FRAMES : 2 * N_FRAMES]).all()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["one.h5", "run"]
