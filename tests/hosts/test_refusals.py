"""What cannot be written is refused with a text that says so, as h5py shows it, and nothing is lost."""

import pytest

from common import BITSHUFFLE, BLOSC, DRLE, HOSTS, LZ4, NAMES, PLUGINS, ZSTD, child, tool
from hdf5 import MANDATORY, OPTIONAL

REFUSED = {
    "element-type": (dict(dtype="<i4"), "DRLE is for int16 and uint16, this dataset has int32"),
    "float": (dict(dtype="<f4"), "DRLE is for int16 and uint16"),
    "float16": (dict(dtype="<f2"), "DRLE is for int16 and uint16"),
    "compound": (dict(dtype="V2"), "DRLE is for int16 and uint16"),
    "no-threshold": (dict(values=()), "needs its threshold, 1 to 32767, in cd_values[0]"),
    "threshold-0": (dict(values=(0,)), "cd_values[0] = 0: the threshold must be from 1 to 32767"),
    "threshold-large": (dict(values=(40000,)), "cd_values[0] = 40000: the threshold must be from 1"),
    "threshold-negative": (dict(values=(2**32 - 1,)), "the threshold must be from 1 to 32767"),
    "mode": (dict(values=(1, 7)), "cd_values[1] = 7: the mode must be 0 (container), 1 (bare stream) or 2 (packed container)"),
    "version": (dict(values=(1, 0, 0, 4, 1, 1551, 12408)), "DRLE parameters of another version"),
    "version-of-packed": (dict(values=(1, 0, 0, 3, 1, 1551, 12408)), "version 3 is that of mode 2"),
    "too-many": (dict(values=(1, 0, 0, 1, 1, 1551, 12408, 7)), "cd_values[7] = 7: DRLE takes [threshold, mode, segment]"),
    "sentinels-bare": (dict(values=(1, 1, 0, 2, 0, 0, 0, 0, 1, 9)), "cd_values[1] = 1: a bare stream has no sentinels"),
    "sentinel-0": (dict(values=(1, 0, 0, 2, 0, 0, 0, 0, 1, 0)), "cd_values[9] = 0: 0 is kept as 0 anyway"),
    "sentinel-large": (dict(dtype="<u2", values=(1, 0, 0, 2, 0, 0, 0, 0, 1, 65536)), "cd_values[9] = 65536: it is no pixel"),
    "behind-shuffle": (dict(before=(2,)), "filter 2 stands before this one"),
    "behind-gzip": (dict(before=(1,)), "filter 1 stands before this one"),
    "too-bright": (
        dict(dtype="<u2", values=(1, 1), value=40000), "pixel 1568 has the value 40000, more than a bare DRLE stream can hold"
    ),
    "too-bright-big-endian": (dict(dtype=">u2", values=(1, 1), value=65535), "pixel 1568 has the value 65535"),
    "contiguous": (dict(chunks=None), "chunked layout"),
    "bitshuffle-block": (dict(number=BITSHUFFLE, values=(3, 2)), "cd_values[0] = 3: a bitshuffle block is a multiple of 8"),
    "bitshuffle-compression": (dict(number=BITSHUFFLE, values=(0, 5)), "cd_values[1] = 5: there is no such compression"),
    "bitshuffle-compression-1": (dict(number=BITSHUFFLE, values=(0, 1, 0)), "cd_values[1] = 1: there is no such compression"),
    "bitshuffle-ambiguous": (dict(number=BITSHUFFLE, values=(0, 3, 9, 0)), "give three values, without zeros after them"),
    "bitshuffle-too-many": (dict(number=BITSHUFFLE, values=(64, 2, 0, 5)), "cd_values[3] = 5: bitshuffle takes [block elements"),
    "bitshuffle-level": (dict(number=BITSHUFFLE, values=(0, 3, 99)), "cd_values[2] = 99: Zstd has no such level"),
    "blosc-level": (dict(number=BLOSC, values=(0, 0, 0, 0, 10, 1, 1)), "cd_values[4] = 10: Blosc has the levels 0 to 9"),
    "blosc-level-alone": (dict(number=BLOSC, values=(10,)), "cd_values[0] = 10: Blosc has the levels 0 to 9"),
    "blosc-four": (dict(number=BLOSC, values=(5, 1, 1, 1)), "cd_values[0] = 5: Blosc takes [level, shuffle, compressor] or"),
    "blosc-zeros-after": (dict(number=BLOSC, values=(5, 1, 1, 0, 0, 0, 0)), "cd_values[0] = 5: Blosc takes [level, shuffle"),
    "blosc-six": (dict(number=BLOSC, values=(5, 1, 1, 0, 0, 1)), "cd_values[0] = 5: Blosc takes [level, shuffle, compressor] or"),
    "blosc-too-many": (dict(number=BLOSC, values=(0, 0, 0, 0, 5, 1, 1, 2)), "cd_values[7] = 2: Blosc takes"),
    "blosc-shuffle": (dict(number=BLOSC, values=(0, 0, 0, 0, 5, 3, 1)), "cd_values[5] = 3: shuffle is 0"),
    "blosc-compressor": (dict(number=BLOSC, values=(0, 0, 0, 0, 5, 1, 9)), "cd_values[6] = 9: the compressor is 0"),
    "lz4-block": (dict(number=LZ4, values=(2**31,)), "an LZ4 block has at most"),
    "lz4-too-many": (dict(number=LZ4, values=(0, 0, 9)), "cd_values[2] = 9: LZ4 takes one value"),
    "zstd-too-many": (dict(number=ZSTD, values=(3, 0, 9)), "cd_values[2] = 9: Zstd takes one value"),
    "zstd-level": (dict(number=ZSTD, values=(99,)), "cd_values[0] = 99: Zstd has no such level"),
    "too-many": (dict(number=ZSTD, values=(1,) * 257), "257 filter parameters"),
}
PREFIX = {DRLE: "DRLE: ", BITSHUFFLE: "bitshuffle: ", BLOSC: "blosc: ", LZ4: "lz4: ", ZSTD: "zstd: "}


@pytest.mark.parametrize("flags", [MANDATORY, OPTIONAL], ids=["mandatory", "optional"])
@pytest.mark.parametrize("name", [name for name in REFUSED if not name.startswith("too-bright")])
def test_h5py_shows_why_a_dataset_is_not_made(name, flags):
    arguments, text = REFUSED[name]
    shown = child("refusal", flags=flags, **arguments)
    assert shown and text in shown
    if name != "contiguous":
        assert PREFIX[arguments.get("number", DRLE)] in shown


@pytest.mark.parametrize("name", [name for name in REFUSED if name.startswith("too-bright")])
def test_h5py_shows_which_pixel_cannot_be_written(name):
    arguments, text = REFUSED[name]
    shown = child("refusal", **arguments)
    assert text in shown and "use DRLE's container (mode 0)" in shown


@pytest.mark.parametrize("dtype", ["<u2", ">u2"])
def test_a_chunk_that_a_bare_stream_cannot_hold_is_stored_raw_where_the_filter_is_optional(tmp_path, dtype):
    path = tmp_path / "file.h5"
    arguments = dict(dtype=dtype, values=(1, 1), value=40000, flags=OPTIONAL, path=path)
    assert child("refusal", **arguments) is None, "read back as it was written"
    assert child("chunk_masks", path=path) == [1, 0, 0, 0, 0, 0, 0, 0], "only that chunk"


@pytest.mark.parametrize("chunks", [(100,), (3, 100), (2, 3, 5, 7)])
def test_drle_takes_any_rank_of_chunk(chunks):
    assert child("refusal", chunks=chunks) is None


@pytest.mark.parametrize("host", [*HOSTS, "debian"])
def test_the_text_is_on_the_error_stack_of_the_hdf5_that_calls(host, tmp_path):
    results = child("error_stacks", host=host, path=tmp_path / "file.h5")
    assert results["set_local"][0] == "DRLE: filter parameter cd_values[0] = 0: the threshold must be from 1 to 32767"
    assert results["write"][0].startswith("DRLE: pixel 1568 has the value 40000, more than a bare DRLE stream can hold (32767): ")
    assert results["read"][0].startswith("DRLE: the chunk ")
    assert results["left over"] == []


def test_pytables_shows_the_text(tmp_path):
    assert "DRLE: pixel 1568 has the value 40000" in child("refusal_of_tables", path=tmp_path / "file.h5")


def test_h5dump_shows_the_text(tmp_path):
    path = tmp_path / "file.h5"
    child("damaged", path=path)
    done = tool("h5dump", "--enable-error-stack", "-d", "/frames", path)
    assert done.returncode != 0 and "DRLE: the chunk " in done.stderr


def test_other_libraries_in_the_plugin_folder_do_no_harm(tmp_path):
    import h5py

    folder = tmp_path / "plugins"
    folder.mkdir()
    # What sorts before ours and after, is no plugin, no library, or another's plugin.
    for name in NAMES:
        (folder / f"lib{name}.so").symlink_to(PLUGINS / f"lib{name}.so")
    other = next(path for path in __import__("pathlib").Path(h5py.__file__).parents[1].glob("h5py.libs/libsz*"))
    for name in ["liba.so", "libz.so"]:
        (folder / name).write_bytes(other.read_bytes())
    (folder / "libtext.so").write_text("no library")
    (folder / "libempty.so").write_bytes(b"")
    (folder / "README").write_text("a text")
    results = child("one_process", plugin_path=folder, order=HOSTS, folder=tmp_path)
    failed = {what: outcome for what, outcome in results.items() if outcome != "ok" and what != "loaded"}
    assert not failed


def test_nothing_is_printed_by_a_refusal(tmp_path):
    import subprocess
    import sys

    from common import HERE, environment

    command = [sys.executable, str(HERE / "child.py"), "refusal", '{"dtype": "<u2", "values": [1, 1], "value": 40000}']
    done = subprocess.run(command, env=environment(), capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
