"""Records a DECTRIS detector's stream2 (CBOR over ZeroMQ) into an HDF5 file, image by image as it comes.

    pip install darkchunk h5py pyzmq cbor2
    python stream2_recorder.py tcp://detector:31001 run.h5

The detector compresses with bitshuffle-LZ4, and HDF5's bitshuffle filter has the same chunks: a payload is written
verbatim. The first one and each hundredth are decoded, so that a fault shows while it is measured. `image_id` is the
frame's number: images that never come are marked missing in `frame_status`. Each threshold gets a dataset of its own.
It ends with 0 if every image of the series is stored.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import sys
from collections.abc import Iterator
from typing import Any

import cbor2
import darkchunk
import h5py
import numpy as np
import zmq

# Tags of CBOR (RFC 8746), and DECTRIS' own.
ARRAY, COMPRESSED = 40, 56500
TYPES = {64: "u1", 69: "<u2", 70: "<u4"}
FILTERS = {"bslz4": darkchunk.Bitshuffle, "lz4": darkchunk.LZ4}
DETECTOR = "/entry/instrument/detector"
# What of the start message is stored with the detector, by NeXus' name, with its unit.
FIELDS = {
    "beam_center_x": ("beam_center_x", "pixel"),
    "beam_center_y": ("beam_center_y", "pixel"),
    "count_time": ("count_time", "s"),
    "frame_time": ("frame_time", "s"),
    "pixel_size_x": ("x_pixel_size", "m"),
    "pixel_size_y": ("y_pixel_size", "m"),
    "saturation_value": ("saturation_value", None),
    "sensor_material": ("sensor_material", None),
    "sensor_thickness": ("sensor_thickness", "m"),
    "detector_description": ("description", None),
    "detector_serial_number": ("serial_number", None),
    "countrate_correction_enabled": ("countrate_correction_applied", None),
    "flatfield_enabled": ("flatfield_applied", None),
    "pixel_mask_enabled": ("pixel_mask_applied", None),
    "series_id": ("series_id", None),
    "series_unique_id": ("series_unique_id", None),
    "number_of_images": ("number_of_images", None),
}
COLUMNS = {"start_time": ("f8", 0, "s"), "stop_time": ("f8", 0, "s"), "real_time": ("f8", 0, "s")}


class Image:
    """One threshold's image of a message."""

    def __init__(self, value: Any) -> None:
        if not isinstance(value, cbor2.CBORTag) or value.tag != ARRAY:
            raise ValueError(f"the image is no array of two dimensions (CBOR tag {ARRAY})")
        (height, width), pixels = value.value
        if pixels.tag not in TYPES:
            raise ValueError(f"the pixels have the CBOR tag {pixels.tag}, of which nothing is known here")
        self.shape, self.dtype = (int(height), int(width)), np.dtype(TYPES[pixels.tag])
        self.algorithm, self.payload = "none", pixels.value
        if isinstance(pixels.value, cbor2.CBORTag) and pixels.value.tag == COMPRESSED:
            self.algorithm, element_bytes, self.payload = pixels.value.value
            if element_bytes != self.dtype.itemsize:
                raise ValueError(f"{self.algorithm} of {element_bytes} bytes, pixels of {self.dtype.itemsize}")

    @property
    def pixels(self) -> np.ndarray[Any, Any]:
        """Of an image that is not compressed."""
        return np.frombuffer(self.payload, self.dtype).reshape(self.shape)


class Series:
    """A file for one series, with a dataset for each threshold, made when its first image comes."""

    def __init__(self, start: dict[str, Any], path: str) -> None:
        self._start, self._file = start, h5py.File(path, "x", libver=("earliest", "v110"))
        self._recorders: dict[str, tuple[darkchunk.Recorder, str]] = {}
        self._stack = contextlib.ExitStack()
        self._stack.callback(self._file.close)

    def _recorder(self, channel: str, image: Image) -> darkchunk.Recorder:
        if channel in self._recorders:
            recorder, algorithm = self._recorders[channel]
            if algorithm != image.algorithm:
                raise ValueError(f"{channel} began with {algorithm}, and now comes as {image.algorithm}")
            return recorder
        if image.algorithm not in ("none", *FILTERS):
            raise ValueError(f"no filter of HDF5 has the chunks of {image.algorithm}")
        group = DETECTOR if not self._recorders else f"{DETECTOR}_{channel}"
        filter = FILTERS.get(image.algorithm, darkchunk.Bitshuffle)()
        options = {"nexus": True, "sum": False, "columns": COLUMNS}
        recorder = darkchunk.Recorder(self._file, f"{group}/data", image.shape, image.dtype, filter, **options)
        self._stack.enter_context(recorder)
        self._recorders[channel] = recorder, image.algorithm
        self._describe(self._file[group], channel)
        if len(self._recorders) == 1:
            self._describe_for_xds(self._file[group], channel, image.shape)
        return recorder

    def _describe(self, group: h5py.Group, channel: str) -> None:
        for key, (name, unit) in FIELDS.items():
            if key in self._start:
                group[name] = self._start[key]
                if unit:
                    group[name].attrs["units"] = unit
        energy = self._start.get("threshold_energy", {}).get(channel)
        if energy is not None:
            group["threshold_energy"] = energy
            group["threshold_energy"].attrs["units"] = "eV"
        if "incident_wavelength" in self._start:
            beam = self._file.require_group("/entry/instrument/beam")
            beam.attrs["NX_class"] = "NXbeam"
            if "incident_wavelength" not in beam:
                beam["incident_wavelength"] = self._start["incident_wavelength"]
                beam["incident_wavelength"].attrs["units"] = "angstrom"

    def _describe_for_xds(self, group: h5py.Group, channel: str, shape: tuple[int, int]) -> None:
        """What DECTRIS' own files have besides, and readers for XDS ask for."""
        specific = group.create_group("detectorSpecific")
        specific["nimages"], specific["ntrigger"] = np.uint32(self._start["number_of_images"]), np.uint32(1)
        mask = self._start.get("pixel_mask", {}).get(channel)
        is_sent = isinstance(mask, cbor2.CBORTag) and Image(mask).algorithm == "none"
        specific["pixel_mask"] = Image(mask).pixels.astype("u4") if is_sent else np.zeros(shape, "u4")

    def push(self, message: dict[str, Any]) -> None:
        """Records an image message."""
        times = {name: _seconds(message.get(name)) for name in COLUMNS}
        for channel, value in message["data"].items():
            image = Image(value)
            recorder, number = self._recorder(channel, image), message["image_id"]
            if image.algorithm == "none":
                recorder.push(image.pixels, number, copy=True, **times)
            else:
                recorder.push_encoded(image.payload, number, **times)

    def finish(self) -> dict[str, Any]:
        """Stores everything, and says what there is."""
        wanted = self._start["number_of_images"]
        found = {channel: recorder.finish() for channel, (recorder, _) in self._recorders.items()}
        faults = {channel: recorder.fault for channel, (recorder, _) in self._recorders.items()}
        self.close()
        return {
            "series_id": self._start["series_id"],
            "images": wanted,
            "stored": {channel: statistics.n_stored for channel, statistics in found.items()},
            "refused": {channel: fault for channel, fault in faults.items() if fault},
            "bytes": {channel: statistics.bytes_stored for channel, statistics in found.items()},
            "is_complete": bool(found) and all(statistics.n_stored == wanted for statistics in found.values()),
        }

    def close(self) -> None:
        """Stores everything, and closes the file."""
        self._stack.close()


def _seconds(time: Any) -> float:
    """DECTRIS gives ticks, and how many of them a second has."""
    return float("nan") if time is None else time[0] / time[1]


def record(address: str, path: str, timeout: float) -> dict[str, Any]:
    """Records one series, from its start to its end message."""
    with zmq.Context() as context, context.socket(zmq.PULL) as socket:
        socket.connect(address)
        messages = _messages(socket, timeout)
        # What comes before is of a series whose start was before us.
        start = next(message for message in messages if message["type"] == "start")
        with contextlib.closing(Series(start, path)) as series:
            for message in messages:
                if message["type"] == "end":
                    break
                if message["type"] == "start":
                    raise ValueError("a series began before the one before it had ended")
                if message["type"] == "image":
                    series.push(message)
            return series.finish()


def _messages(socket: zmq.Socket[bytes], timeout: float) -> Iterator[dict[str, Any]]:
    while socket.poll(int(timeout * 1000)):
        yield cbor2.loads(socket.recv())
    raise TimeoutError(f"nothing came for {timeout} s: what had come is stored")


def main() -> int:
    """The command."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("address", help="of the detector, such as tcp://detector:31001")
    parser.add_argument("output", help="the new file")
    parser.add_argument("--timeout", type=float, default=60, help="give up after so many seconds without a message")
    arguments = parser.parse_args()
    found = record(arguments.address, arguments.output, arguments.timeout)
    print(json.dumps(found))
    return 0 if found["is_complete"] else 1


if __name__ == "__main__":
    sys.exit(main())
