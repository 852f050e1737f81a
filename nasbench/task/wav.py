"""A `.wav` file as samples: PCM of 8, 16, 24 and 32 bits and floating point, none of it trusted."""

from __future__ import annotations

import struct
from pathlib import Path
from typing import BinaryIO, NamedTuple

import numpy as np
from numpy.typing import NDArray

from nasbench._files import open_file
from nasbench.errors import BadValue, DamagedFile, NasbenchError, Unsupported

__all__ = ["MOST_BYTES", "Sound", "read_wav"]

MOST_BYTES = 1 << 28
"""Bytes of a sound file."""
MOST_RATE = 768_000
"""Samples a second."""
_MOST_CHANNELS = 64
_MOST_CHUNKS = 4_096
_PCM, _FLOAT, _EXTENSIBLE = 1, 3, 0xFFFE
_UNKNOWN_LENGTH = 0xFFFFFFFF
"""What a program writes that sends sound on while it is made: to the end of the file."""
_TYPES = {(_PCM, 8): "u1", (_PCM, 16): "<i2", (_PCM, 32): "<i4", (_FLOAT, 32): "<f4"}


class Sound(NamedTuple):
    """Samples float64 `[n]`, -1 to 1, the mean of all channels; and how many a second has."""

    samples: NDArray[np.float64]
    rate: int


def read_wav(path: Path) -> Sound:
    """The samples of a `.wav` file.

    Raises:
        NasbenchError: where it is damaged, too large, empty, or of another encoding.
    """
    with open_file(path, "sound") as file:
        try:
            if file.seek(0, 2) > MOST_BYTES:
                raise BadValue(f"it has more than {MOST_BYTES:,} bytes")
            file.seek(0)
            return _read(file)
        except NasbenchError as error:
            raise type(error)(f"cannot read {path} as a sound: {error}") from error
        except (struct.error, OSError) as error:
            raise DamagedFile(f"cannot read {path} as a sound: it is cut short") from error


def _read(file: BinaryIO) -> Sound:
    start = file.read(12)
    if start[:4] != b"RIFF" or start[8:] != b"WAVE":
        raise DamagedFile("it does not begin as a .wav file does")
    layout: tuple[int, int, int, int] | None = None
    for _ in range(_MOST_CHUNKS):
        name, size = struct.unpack("<4sI", file.read(8))
        if name == b"fmt ":
            layout = _layout(file.read(min(size, 64)))
            file.seek(max(size - 64, 0) + size % 2, 1)
        elif name == b"data":
            if layout is None:
                raise DamagedFile("its samples come before their format")
            content = file.read() if size == _UNKNOWN_LENGTH else file.read(size)
            if size != _UNKNOWN_LENGTH and len(content) < size:
                raise DamagedFile(f"it is cut short: {len(content):,} of {size:,} bytes of samples")
            return _decode(content, *layout)
        else:
            file.seek(size + size % 2, 1)
    raise DamagedFile("it has no samples")


def _layout(chunk: bytes) -> tuple[int, int, int, int]:
    """Encoding, channels, samples a second and bits a sample."""
    encoding, channels, rate, _, _, bits = struct.unpack("<HHIIHH", chunk[:16])
    if encoding == _EXTENSIBLE and len(chunk) >= 26:
        (encoding,) = struct.unpack("<H", chunk[24:26])
    if not 1 <= channels <= _MOST_CHANNELS or not 1 <= rate <= MOST_RATE:
        raise BadValue(
            f"it has {channels:,} channels of {rate:,} samples a second; 1 to {_MOST_CHANNELS} of "
            f"at most {MOST_RATE:,} are read"
        )
    if (encoding, bits) not in _TYPES and (encoding, bits) != (_PCM, 24):
        raise Unsupported(
            f"it is of encoding {encoding} with {bits} bits; PCM of 8, 16, 24 or 32 bits and "
            f"floating point of 32 are read"
        )
    return encoding, channels, rate, bits


def _decode(content: bytes, encoding: int, channels: int, rate: int, bits: int) -> Sound:
    frame = channels * bits // 8
    count = len(content) // frame
    if not count:
        raise BadValue("it has no samples")
    content = content[: count * frame]
    if (encoding, bits) == (_PCM, 24):
        # The three bytes become the upper ones of four.
        wide = np.zeros((count * channels, 4), np.uint8)
        wide[:, 1:] = np.frombuffer(content, np.uint8).reshape(-1, 3)
        values, bits = wide.view("<i4")[:, 0], 32
    else:
        values = np.frombuffer(content, _TYPES[encoding, bits])
    samples = values.astype(np.float64).reshape(count, channels).mean(1)
    if encoding == _FLOAT:
        if not np.isfinite(samples).all():
            raise BadValue("it has samples that are no numbers")
        return Sound(samples, rate)
    if bits == 8:  # without a sign
        return Sound((samples - 128) / 128, rate)
    return Sound(samples / 2 ** (bits - 1), rate)
