"""Image files written byte by byte, for what Pillow reads and does not write."""

from __future__ import annotations

import zlib
from struct import pack

import numpy as np

__all__ = ["png", "tiff"]


def png(
    rows: np.ndarray,
    kind: int,
    bits: int = 8,
    *,
    key: tuple[int, ...] = (),
    palette: bytes = b"",
    size: tuple[int, int] | None = None,
) -> bytes:
    """A PNG of rows `[height, values]`: of a colour type and bit depth, as its standard says.

    Args:
        rows: the values of each row, channels next to each other.
        kind: 0 grey, 2 colour, 3 palette, 4 grey with alpha, 6 colour with alpha.
        bits: of a value.
        key: the colour that is transparent; of a palette the alpha of its entries.
        palette: red, green and blue of each entry.
        size: width and height to claim, in place of those that it has.
    """
    channels = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}[kind]
    height, width = rows.shape[0], rows.shape[1] // channels
    if bits == 16:
        lines = [row.astype(">u2").tobytes() for row in rows]
    else:
        spread = np.unpackbits(rows.astype(np.uint8)[..., None], axis=2)[..., 8 - bits :]
        lines = [np.packbits(row.ravel()).tobytes() for row in spread]

    def chunk(name: bytes, data: bytes) -> bytes:
        return pack(">I", len(data)) + name + data + pack(">I", zlib.crc32(name + data))

    claimed = size or (width, height)
    parts = [chunk(b"IHDR", pack(">IIBBBBB", *claimed, bits, kind, 0, 0, 0))]
    parts += [chunk(b"PLTE", palette)] if palette else []
    if key:
        parts.append(chunk(b"tRNS", bytes(key) if kind == 3 else pack(f">{len(key)}H", *key)))
    parts.append(chunk(b"IDAT", zlib.compress(b"".join(b"\0" + line for line in lines))))
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts) + chunk(b"IEND", b"")


def tiff(
    values: np.ndarray, bits: int, *, photometric: int = 1, samples: int = 1, order: str = "<"
) -> bytes:
    """A TIFF of one strip of grey `[height, width]`, as its standard says.

    Args:
        values: in the type that the file is to hold; for 12 bits uint16.
        bits: of a value.
        photometric: 1 where 0 is black, 0 where it is white.
        samples: 1 unsigned, 2 signed, 3 floating-point.
        order: of the bytes.
    """
    height, width = values.shape
    if bits == 12:
        spread = np.unpackbits(
            values.astype(">u2").view(np.uint8).reshape(height, width, 2), axis=2
        )
        strip = b"".join(np.packbits(row[:, 4:].ravel()).tobytes() for row in spread)
    else:
        strip = values.astype(values.dtype.newbyteorder(order)).tobytes()
    tags = {
        256: width, 257: height, 258: bits, 259: 1, 262: photometric, 273: 8, 277: 1, 278: height,
        279: len(strip), 339: samples,
    }  # fmt: skip
    strip += b"\0" * (len(strip) % 2)
    directory = pack(f"{order}H", len(tags)) + b"".join(
        pack(f"{order}HHII" if tag in (273, 279) else f"{order}HHIHxx", tag,
             4 if tag in (273, 279) else 3, 1, value)
        for tag, value in tags.items()
    ) + pack(f"{order}I", 0)  # fmt: skip
    head = {"<": b"II*\0", ">": b"MM\0*"}[order] + pack(f"{order}I", 8 + len(strip))
    return head + strip + directory
