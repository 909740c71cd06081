"""The codec of `darkchunk.zarr` for zarr's format 3, which zarr finds by an entry point."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Any

import numpy as np
from zarr.abc.codec import BytesBytesCodec

from ._errors import UnsupportedError
from .zarr import Codec


@dataclass(frozen=True)
class Codec3(BytesBytesCodec):
    """`{"name": "darkchunk", "configuration": {"filters", "dtype", "shape", "mask"}}`, as of `darkchunk.zarr.Codec`."""

    is_fixed_size = False
    codec: Codec

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> Codec3:
        """Of the array's metadata."""
        configuration = {name: value for name, value in data.get("configuration", {}).items() if name != "id"}
        return cls(Codec(**configuration))

    def to_dict(self) -> dict[str, Any]:
        """For the array's metadata."""
        configuration = self.codec.get_config()
        return {"name": configuration.pop("id"), "configuration": configuration}

    async def _decode_single(self, chunk_bytes: Any, chunk_spec: Any) -> Any:
        return await asyncio.to_thread(self._through, self.codec.decode, chunk_bytes, chunk_spec)

    async def _encode_single(self, chunk_bytes: Any, chunk_spec: Any) -> Any:
        return await asyncio.to_thread(self._through, self.codec.encode, chunk_bytes, chunk_spec)

    @staticmethod
    def _through(work: Any, chunk_bytes: Any, chunk_spec: Any) -> Any:
        done = np.frombuffer(work(chunk_bytes.as_numpy_array()), np.uint8)
        return chunk_spec.prototype.buffer.from_array_like(done)

    def compute_encoded_size(self, input_byte_length: int, chunk_spec: Any) -> int:
        """Not known before."""
        raise UnsupportedError("the size of a compressed chunk is known when it is compressed")
