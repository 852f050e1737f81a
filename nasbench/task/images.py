"""One image file as pixels of 8 bits: formats from a list, every mode scaled right or refused.

Pillow goes by a file's content, not by its name, and hands some formats to other programs (EPS
starts Ghostscript): only those listed here are opened. What Pillow's own conversion would change
without a word is done here instead: more than 8 bits are scaled and not cut off, what is
transparent is laid on a background, and an orientation in EXIF is applied.
"""

from __future__ import annotations

import logging
import os
import re
import sys
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from nasbench._files import open_file
from nasbench.errors import BadValue, DamagedFile, NasbenchError, Unsupported

if TYPE_CHECKING:
    from PIL import Image

__all__ = ["FORMATS", "SUFFIXES", "Colour", "Picture", "Style", "parse_colour", "read_image"]

FORMATS = ("PNG", "JPEG", "BMP", "GIF", "WEBP", "TIFF", "PPM")
SUFFIXES = frozenset(
    {".png", ".jpg", ".jpeg", ".bmp", ".gif", ".webp", ".tif", ".tiff", ".ppm", ".pgm"}
)
MOST_BYTES = 1 << 30
"""Bytes of an image file."""

Colour = tuple[int, int, int]
"""Red, green and blue, 0 to 255."""

_PLAIN = {"1", "L", "P", "RGB", "CMYK", "YCbCr"}
_ALPHA = {"LA", "La", "PA", "RGBA"}
_DEEP = {"I", "I;16", "I;16L", "I;16B", "I;16N"}
_NAMED = {"F": "floating-point numbers", "LAB": "CIELAB colours"}
_ORIENTATION = 0x0112
_BITS, _WHITE_IS_ZERO, _SAMPLES = 258, 262, 339  # tags of TIFF
_SIGNED = 2
_KEY_SCALES = {"L;2": 85, "L;4": 17}
"""By what grey of 2 and 4 bits becomes 8; Pillow does not scale the transparent colour."""


# What Pillow logs of a damaged file is said by the error; without any handler it goes to stderr.
logging.getLogger("PIL").addHandler(logging.NullHandler())


@dataclass(frozen=True, slots=True)
class Style:
    """What images become.

    Attributes:
        size: pixels wide and high.
        channels: 1 (grey) or 3 (colour).
        background: that transparent images are laid on.
    """

    size: int
    channels: int
    background: Colour


@dataclass(frozen=True, slots=True)
class Picture:
    """An image as it was read, and what had to be done to it.

    Attributes:
        pixels: uint8 `[channels, size, size]`.
        frames: whether the file holds more images than this, its first.
        turned: whether it was turned or mirrored, as its EXIF says.
        unclear: whether its EXIF is damaged, so that it stands as it is stored.
        transparent: whether some of it is, and was laid on the background.
        deep: whether it has more than 8 bits a channel, and was scaled.
        brightest: the highest value of a grey image of more than 8 bits.
        lost: whether it is of one colour, and was not before it was scaled or laid on something.
    """

    pixels: NDArray[np.uint8]
    frames: bool = False
    turned: bool = False
    unclear: bool = False
    transparent: bool = False
    deep: bool = False
    brightest: int | None = None
    lost: bool = False


def parse_colour(value: str | int | Sequence[int]) -> Colour:
    """A colour: its name or `#rrggbb`, a grey level, or its red, green and blue.

    Example:
        >>> parse_colour("#ff8000"), parse_colour(7), parse_colour([1, 2, 3])
        ((255, 128, 0), (7, 7, 7), (1, 2, 3))
    """
    from PIL import ImageColor

    try:
        if isinstance(value, str):
            parts: Sequence[int] = ImageColor.getrgb(value)
        else:
            parts = [value] * 3 if isinstance(value, int) else value
        red, green, blue = parts
        if not all(0 <= part <= 255 for part in parts):
            raise ValueError
    except ValueError as error:
        raise BadValue(
            f'background is a colour, as in "white", "#808080", 128 or [255, 255, 255], got '
            f"{value!r:.99}"
        ) from error
    return red, green, blue


def read_image(path: Path, style: Style) -> Picture:
    """An image file as pixels; see this module for how.

    Raises:
        NasbenchError: where it is damaged, too large, of another format, or of a mode that is
            neither of 8 bits nor can be scaled to it.
    """
    from PIL import Image, UnidentifiedImageError

    with open_file(path, "image") as file, warnings.catch_warnings():
        # Of damaged metadata Pillow warns; of more pixels than it deems sane it only warns, too.
        warnings.simplefilter("ignore")
        warnings.simplefilter("error", Image.DecompressionBombWarning)
        try:
            if file.seek(0, 2) > MOST_BYTES:
                raise BadValue(f"it has more than {MOST_BYTES:,} bytes")
            file.seek(0)
            with Image.open(file, formats=FORMATS) as image, _quiet(image.format == "TIFF"):
                return _read(image, style)
        except UnidentifiedImageError as error:
            raise DamagedFile(
                f"cannot read {path} as an image: it is none of {', '.join(FORMATS)}"
            ) from error
        except (Image.DecompressionBombWarning, Image.DecompressionBombError) as error:
            most = f"{Image.MAX_IMAGE_PIXELS:,} pixels"
            raise BadValue(f"cannot read {path} as an image: it has more than {most}") from error
        except NasbenchError as error:
            raise type(error)(f"cannot read {path} as an image: {error}") from error
        except Exception as error:  # a damaged image can raise anything
            reason = re.sub(r"\s+", " ", str(error))[:200].strip() or "it is damaged"
            raise DamagedFile(f"cannot read {path} as an image: {reason}") from error


@contextmanager
def _quiet(wanted: bool) -> Iterator[None]:
    """Keep off stderr what libtiff prints there by itself, beside the error that it reports."""
    try:
        kept = os.dup(2) if wanted else None
    except OSError:  # there is no stderr
        kept = None
    if kept is None:
        yield
        return
    sys.stderr.flush()
    nowhere = os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(nowhere, 2)
        yield
    finally:
        os.dup2(kept, 2)
        os.close(nowhere)
        os.close(kept)


def _read(image: Image.Image, style: Style) -> Picture:
    from PIL import Image

    _check_mode(image)
    frames = bool(getattr(image, "is_animated", False))
    tiles = [tile.args for tile in getattr(image, "tile", ())]  # how the file stores its pixels
    orientation = _orientation(image)
    image = _upright(image, orientation)
    deep = _is_deep(image, tiles)
    brightest, before = None, False
    if image.mode in _DEEP:
        image, lowest, brightest = _scale(image)
        before = lowest == brightest
    else:
        _scale_key(image, tiles)
    transparent = False
    if image.has_transparency_data:
        coloured = (image.convert("LA") if image.mode == "La" else image).convert("RGBA")
        alpha = np.asarray(coloured.getchannel("A"))
        low, high = int(alpha.min()), int(alpha.max())
        if transparent := low < 255:
            before = low == high and (high == 0 or _is_flat(coloured))
            ground = Image.new("RGBA", coloured.size, (*style.background, 255))
            coloured = Image.alpha_composite(ground, coloured)
        image = coloured.convert("RGB")
    wanted = "L" if style.channels == 1 else "RGB"
    image = image if image.mode == wanted else image.convert(wanted)
    flat = _is_flat(image) and (transparent or brightest is not None or not image.getbbox())
    lost = (deep or transparent) and flat and not before
    small = image.resize((style.size, style.size), Image.Resampling.BOX)
    pixels = np.asarray(small).reshape(style.size, style.size, style.channels)
    return Picture(
        pixels.transpose(2, 0, 1),
        frames=frames,
        turned=orientation is not None and orientation > 1,
        unclear=orientation is None,
        transparent=transparent,
        deep=deep,
        brightest=brightest,
        lost=lost,
    )


def _check_mode(image: Image.Image) -> None:
    tags = getattr(image, "tag_v2", {})
    signed = image.mode == "L" and tags.get(_SAMPLES) == (_SIGNED,)
    if signed or image.mode not in _PLAIN | _ALPHA | _DEEP:
        held = "signed numbers" if signed else _NAMED.get(image.mode, "of another kind")
        raise Unsupported(
            f"its pixels are {held} (mode {image.mode}); save it with 8 or 16 bits, unsigned"
        )


def _orientation(image: Image.Image) -> int | None:
    """1 to 8, as EXIF has it; 1 where it says nothing, None where it is damaged."""
    try:
        found = image.getexif().get(_ORIENTATION, 1)
    except Exception:  # of damaged EXIF, anything
        image.load()  # the image itself may not be
        return None
    return found if isinstance(found, int) and 1 <= found <= 8 else 1


def _upright(image: Image.Image, orientation: int | None) -> Image.Image:
    from PIL import ImageOps

    image.load()  # of TIFF, that turns it already
    if orientation not in (None, 1) and image.format != "TIFF":
        ImageOps.exif_transpose(image, in_place=True)
    return image


def _is_flat(image: Image.Image) -> bool:
    extrema: Any = image.getextrema()
    if isinstance(extrema[0], tuple):
        return all(low == high for low, high in extrema)
    return bool(extrema[0] == extrema[1])


def _is_deep(image: Image.Image, tiles: Sequence[Any]) -> bool:
    """Whether a file has more than 8 bits a channel; of colours Pillow keeps the upper 8."""
    if image.mode in _DEEP:
        return True
    if image.format == "PPM":  # the highest value stands behind the mode
        return any(isinstance(args, tuple) and args[-1] > 255 for args in tiles)
    return image.format in ("PNG", "TIFF") and any(";16" in str(args) for args in tiles)


def _scale(image: Image.Image) -> tuple[Image.Image, int, int]:
    """Grey of 12 or 16 bits as grey of 8, and its lowest and highest value.

    A value of 16 bits is divided by 257, of 12 by 4095 / 255: the highest becomes 255.
    """
    from PIL import Image

    tags = getattr(image, "tag_v2", {})
    top = 4095 if tags.get(_BITS) == (12,) else 65_535
    values = np.asarray(image)  # [height, width]
    low, high = int(values.min()), int(values.max())
    if low < 0 or high > top:
        raise Unsupported(
            f"its pixels run from {low:,} to {high:,} (mode {image.mode}); save it with 8 or 16 "
            f"bits, unsigned"
        )
    key = image.info.get("transparency")
    clear = values == key if isinstance(key, int) else None
    scaled = values.astype(np.float32)  # which holds them exactly, and no value is near a half
    if tags.get(_WHITE_IS_ZERO) == 0:  # Pillow turns such images round with 8 bits only
        scaled = top - scaled
    scaled *= 255 / top
    grey = Image.fromarray(np.rint(scaled, out=scaled).astype(np.uint8))
    if clear is not None:
        grey.putalpha(Image.fromarray(np.where(clear, 0, 255).astype(np.uint8)))
    return grey, low, high


def _scale_key(image: Image.Image, tiles: Sequence[Any]) -> None:
    """Scale the one colour that is transparent as Pillow scaled the pixels."""
    key, stored = image.info.get("transparency"), str(tiles[0]) if tiles else ""
    if isinstance(key, int) and stored in _KEY_SCALES:
        image.info["transparency"] = key * _KEY_SCALES[stored]
    elif isinstance(key, tuple) and ";16" in stored:
        image.info["transparency"] = tuple(part >> 8 for part in key)
