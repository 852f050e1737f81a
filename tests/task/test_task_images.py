"""Every mode of an image becomes the pixels that it shows, or is refused by name."""

from __future__ import annotations

import contextlib
import logging
import os
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import EpsImagePlugin, Image
from raw_images import png, tiff

from nasbench.errors import NasbenchError
from nasbench.task.images import Picture, Style, parse_colour, read_image

SIDE = 16
RNG = np.random.default_rng(0)
GREY = RNG.integers(256, size=(SIDE, SIDE), dtype=np.uint8)
COLOUR = RNG.integers(256, size=(SIDE, SIDE, 3), dtype=np.uint8)
ALPHA = RNG.choice(np.array([0, 255, 128, 37], np.uint8), size=(SIDE, SIDE))
RAMP = np.linspace(0, 65_535, SIDE**2).astype(np.uint16).reshape(SIDE, SIDE)


def picture(
    path: Path, channels: int = 3, background: tuple[int, int, int] = (255, 255, 255)
) -> Picture:
    """An image of `SIDE` pixels as it is, or any other made so small."""
    return read_image(path, Style(SIDE, channels, background))


def shown(path: Path, **options: Any) -> np.ndarray:
    """Pixels `[height, width, channels]`."""
    return picture(path, **options).pixels.transpose(1, 2, 0).astype(int)


def over(colour: np.ndarray, alpha: np.ndarray, background: tuple[int, ...]) -> np.ndarray:
    """Porter and Duff's `over`, on an opaque ground."""
    share = alpha[..., None] / 255
    return colour * share + np.asarray(background) * (1 - share)


def in_three(grey: np.ndarray) -> np.ndarray:
    return np.repeat(grey[..., None], 3, 2)


# Modes that have their 8 bits.


@pytest.mark.parametrize("suffix", ["png", "bmp", "tif", "ppm", "webp"])
def test_colours_of_8_bits_stay_as_they_are(tmp_path: Path, suffix: str) -> None:
    Image.fromarray(COLOUR).save(tmp_path / f"x.{suffix}", lossless=True)
    assert (shown(tmp_path / f"x.{suffix}") == COLOUR).all()


@pytest.mark.parametrize("suffix", ["png", "bmp", "tif", "pgm", "gif"])
def test_grey_of_8_bits_stays_as_it_is(tmp_path: Path, suffix: str) -> None:
    Image.fromarray(GREY).save(tmp_path / f"x.{suffix}")
    assert (shown(tmp_path / f"x.{suffix}", channels=1)[..., 0] == GREY).all()
    assert (shown(tmp_path / f"x.{suffix}") == in_three(GREY)).all()


def test_black_and_white_and_palettes_show_their_colours(tmp_path: Path) -> None:
    bits = GREY > 99
    Image.fromarray(bits).save(tmp_path / "bits.png")
    assert (shown(tmp_path / "bits.png", channels=1)[..., 0] == bits * 255).all()
    palette, places = COLOUR.reshape(-1, 3)[:7], GREY % 7
    (tmp_path / "p.png").write_bytes(png(places, 3, palette=palette.tobytes()))
    assert (shown(tmp_path / "p.png") == palette[places]).all()


@pytest.mark.parametrize("name", ["x.jpg", "x.tif"])
def test_printers_and_video_colours_become_red_green_and_blue(tmp_path: Path, name: str) -> None:
    """By the plain formulas; JPEG is allowed its loss, on even ground."""
    inks = np.full((SIDE, SIDE, 4), (200, 30, 90, 60), np.uint8)
    Image.fromarray(inks, "CMYK").save(tmp_path / name, quality=100)
    light = (255 - inks[..., :3].astype(int)) * (255 - 60) / 255
    assert np.abs(shown(tmp_path / name) - light).max() <= 3
    video = np.full((SIDE, SIDE, 3), (120, 90, 170), np.uint8)
    Image.fromarray(video, "YCbCr").save(tmp_path / name, quality=100)
    y, b, r = 120, 90 - 128, 170 - 128
    light = np.array([y + 1.402 * r, y - 0.344136 * b - 0.714136 * r, y + 1.772 * b])
    assert np.abs(shown(tmp_path / name) - light).max() <= 3


# More bits than 8.


@pytest.mark.parametrize(
    "content",
    [
        png(RAMP, 0, 16),
        tiff(RAMP, 16),
        tiff(RAMP, 16, order=">"),
        tiff(65_535 - RAMP, 16, photometric=0),
        b"P5 %d %d 65535\n" % (SIDE, SIDE) + RAMP.astype(">u2").tobytes(),
        tiff(RAMP.astype(np.uint32), 32),
        tiff(RAMP.astype(np.int32), 32, samples=2),
    ],
    ids=["png", "tiff", "big-endian", "white is zero", "pgm", "32 bits", "32 bits, signed"],
)
def test_grey_of_16_bits_is_scaled(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "x.png").write_bytes(content)
    found = picture(tmp_path / "x.png", channels=1)
    assert (found.pixels[0] == np.rint(RAMP / 257)).all()
    assert found.deep


def test_grey_of_12_bits_is_scaled_by_its_own_range(tmp_path: Path) -> None:
    values = np.linspace(0, 4_095, SIDE**2).astype(np.uint16).reshape(SIDE, SIDE)
    (tmp_path / "x.tif").write_bytes(tiff(values, 12))
    found = picture(tmp_path / "x.tif", channels=1)
    assert (found.pixels[0] == np.rint(values * (255 / 4_095))).all()
    assert (found.deep, found.brightest) == (True, 4_095)


@pytest.mark.parametrize("alpha", [False, True])
def test_colours_of_16_bits_keep_their_upper_8(tmp_path: Path, alpha: bool) -> None:
    deep = COLOUR.astype(np.uint16) * 256 + 77
    if alpha:
        deep = np.dstack([deep, np.full((SIDE, SIDE), 65_535, np.uint16)])
    (tmp_path / "x.png").write_bytes(png(deep.reshape(SIDE, -1), 6 if alpha else 2, 16))
    found = picture(tmp_path / "x.png")
    assert (found.pixels.transpose(1, 2, 0) == COLOUR).all()
    assert (found.deep, found.transparent) == (True, False)


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (tiff(RAMP.astype(np.float32) / 65_535, 32, samples=3), "are floating-point .*mode F"),
        (b"Pf %d %d -1.0\n" % (SIDE, SIDE) + bytes(4 * SIDE**2), "are floating-point .*mode F"),
        (tiff(RAMP.astype(np.int32) - 5, 32, samples=2), r"run from -5 to 65,530 \(mode I\)"),
        (tiff(RAMP.astype(np.int32) + 5, 32, samples=2), r"run from 5 to 65,540 \(mode I\)"),
        (tiff((RAMP // 2).astype(np.int16) - 9, 16, samples=2), r"run from -9 to 32,758"),
        (tiff(GREY.astype(np.int8), 8, samples=2), "are signed numbers"),
    ],
)
def test_what_cannot_be_scaled_is_refused_by_name(
    tmp_path: Path, content: bytes, told: str
) -> None:
    (tmp_path / "x.tif").write_bytes(content)
    with pytest.raises(NasbenchError, match=rf"x\.tif as an image: its pixels {told}.*; save it"):
        picture(tmp_path / "x.tif")


# What is transparent.


def _write_palette(path: Path, key: tuple[int, ...]) -> tuple[np.ndarray, np.ndarray]:
    palette, places = COLOUR.reshape(-1, 3)[:4], GREY % 4
    path.write_bytes(png(places, 3, palette=palette.tobytes(), key=key))
    return palette[places], np.array([*key, *[255] * (4 - len(key))])[places]


def _write_keyed(path: Path, rows: np.ndarray, kind: int, bits: int, key: tuple[int, ...]) -> None:
    path.write_bytes(png(rows, kind, bits, key=key))


def _rgba(path: Path) -> tuple[np.ndarray, np.ndarray]:
    Image.fromarray(np.dstack([COLOUR, ALPHA])).save(path, lossless=True, exact=True)
    return COLOUR, ALPHA


def _la(path: Path) -> tuple[np.ndarray, np.ndarray]:
    Image.fromarray(np.dstack([GREY, ALPHA]), "LA").save(path)
    return in_three(GREY), ALPHA


def _pa(path: Path) -> tuple[np.ndarray, np.ndarray]:
    image = Image.fromarray(np.dstack([GREY % 4, ALPHA]), "PA")
    image.putpalette(COLOUR.reshape(-1, 3)[:4].tobytes())
    image.save(path)
    return COLOUR.reshape(-1, 3)[:4][GREY % 4], ALPHA


def _grey_key(bits: int) -> Callable[[Path], tuple[np.ndarray, np.ndarray]]:
    def write(path: Path) -> tuple[np.ndarray, np.ndarray]:
        top = 2**bits - 1
        values = (RAMP >> (16 - bits)).astype(np.uint16)
        key = int(values[3, 3])
        path.write_bytes(png(values, 0, bits, key=(key,)))
        return in_three(values / top * 255), np.where(values == key, 0, 255)

    return write


def _colour_key(bits: int) -> Callable[[Path], tuple[np.ndarray, np.ndarray]]:
    def write(path: Path) -> tuple[np.ndarray, np.ndarray]:
        values = COLOUR.astype(np.uint16) << (bits - 8)
        key = tuple(map(int, values[3, 3]))
        path.write_bytes(png(values.reshape(SIDE, -1), 2, bits, key=key))
        return COLOUR, np.where((values == values[3, 3]).all(2), 0, 255)

    return write


WRITERS: dict[str, tuple[str, Callable[[Path], tuple[np.ndarray, np.ndarray]]]] = {
    "RGBA": ("png", _rgba),
    "RGBA of WEBP": ("webp", _rgba),
    "RGBA of TIFF": ("tif", _rgba),
    "LA": ("png", _la),
    "LA of TIFF": ("tif", _la),
    "PA": ("tif", _pa),
    "palette, one clear": ("png", lambda path: _write_palette(path, (255, 0))),
    "palette, alphas": ("png", lambda path: _write_palette(path, (0, 99, 200))),
    **{f"grey of {bits}, a colour clear": ("png", _grey_key(bits)) for bits in (1, 2, 4, 8, 16)},
    **{f"colour of {bits}, a colour clear": ("png", _colour_key(bits)) for bits in (8, 16)},
}


@pytest.mark.parametrize("background", [(255, 255, 255), (10, 200, 90)])
@pytest.mark.parametrize("kind", WRITERS)
def test_what_is_transparent_shows_the_background(
    tmp_path: Path, kind: str, background: tuple[int, int, int]
) -> None:
    suffix, write = WRITERS[kind]
    colour, alpha = write(tmp_path / f"x.{suffix}")
    assert (alpha == 0).any()
    found = shown(tmp_path / f"x.{suffix}", background=background)
    assert np.abs(found - over(colour, alpha, background)).max() <= 1
    assert picture(tmp_path / f"x.{suffix}").transparent


def test_an_alpha_that_hides_nothing_changes_nothing(tmp_path: Path) -> None:
    opaque = np.full((SIDE, SIDE), 255, np.uint8)
    Image.fromarray(np.dstack([COLOUR, opaque])).save(tmp_path / "x.png")
    assert (shown(tmp_path / "x.png", background=(0, 0, 0)) == COLOUR).all()
    assert not picture(tmp_path / "x.png").transparent


def test_an_image_is_lost_where_its_background_has_its_colour(tmp_path: Path) -> None:
    icon = np.dstack([np.zeros((SIDE, SIDE, 3), np.uint8), ALPHA])
    Image.fromarray(icon).save(tmp_path / "icon.png")
    assert not picture(tmp_path / "icon.png").lost
    assert picture(tmp_path / "icon.png", background=(0, 0, 0)).lost
    empty = np.zeros((SIDE, SIDE, 4), np.uint8)
    Image.fromarray(empty).save(tmp_path / "empty.png")
    assert not picture(tmp_path / "empty.png").lost  # there was nothing to lose


@pytest.mark.parametrize(
    ("value", "colour"),
    [
        ("white", (255, 255, 255)),
        ("#0a0B0c", (10, 11, 12)),
        ("rgb(1, 2, 3)", (1, 2, 3)),
        (0, (0, 0, 0)),
        ([9, 8, 7], (9, 8, 7)),
    ],
)
def test_a_background_is_a_colour(value: Any, colour: tuple[int, int, int]) -> None:
    assert parse_colour(value) == colour


@pytest.mark.parametrize("value", ["whit", "", "#12", "#01020304", 256, -1, [1, 2], [1, 2, 300]])
def test_a_background_that_is_none_is_refused(value: Any) -> None:
    with pytest.raises(NasbenchError, match=r"background is a colour, as in .*, got"):
        parse_colour(value)


# Orientation.

QUARTERS = np.kron(np.array([[30, 90], [150, 220]], np.uint8), np.ones((8, 8), np.uint8))
STORED: dict[int, Callable[[np.ndarray], np.ndarray]] = {
    1: lambda a: a,
    2: np.fliplr,
    3: lambda a: np.rot90(a, 2),
    4: np.flipud,
    5: np.transpose,
    6: np.rot90,  # turned by a quarter clockwise it is upright again
    7: lambda a: np.rot90(a, 2).T,
    8: lambda a: np.rot90(a, -1),
}


@pytest.mark.parametrize("how", ["jpg", "png", "webp", "tif", "tiff_lzw"])
@pytest.mark.parametrize("orientation", STORED)
def test_images_stand_upright_as_their_exif_says(
    tmp_path: Path, how: str, orientation: int
) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    path = tmp_path / ("x.tif" if how == "tiff_lzw" else f"x.{how}")
    options: dict[str, Any] = {"quality": 100, "lossless": True}
    options = {"compression": "tiff_lzw"} if how == "tiff_lzw" else options
    image = Image.fromarray(np.ascontiguousarray(STORED[orientation](QUARTERS)))
    image.save(path, exif=exif, **options)
    found = picture(path, channels=1)
    assert np.abs(found.pixels[0].astype(int) - QUARTERS).max() <= 4
    assert found.turned == (orientation > 1)


@pytest.mark.parametrize("value", [0, 9, 77])
def test_orientations_that_there_are_not_turn_nothing(tmp_path: Path, value: int) -> None:
    exif = Image.Exif()
    exif[0x0112] = value
    Image.fromarray(QUARTERS).save(tmp_path / "x.png", exif=exif)
    found = picture(tmp_path / "x.png", channels=1)
    assert (found.pixels[0] == QUARTERS).all()
    assert not found.turned


def test_an_image_whose_exif_is_damaged_stands_as_it_is_stored(tmp_path: Path) -> None:
    Image.fromarray(QUARTERS).save(tmp_path / "x.png", exif=b"Exif\0\0XX\0*" + bytes(9))
    found = picture(tmp_path / "x.png", channels=1)
    assert (found.pixels[0] == QUARTERS).all()
    assert found.unclear


# Several images in one file.


@pytest.mark.parametrize("suffix", ["gif", "png", "webp", "tif", "mpo"])
def test_the_first_of_several_frames_is_used(tmp_path: Path, suffix: str) -> None:
    first, second = (Image.fromarray(np.full((SIDE, SIDE), level, np.uint8)) for level in (40, 200))
    path = tmp_path / f"x.{suffix}"
    options = {} if suffix == "mpo" else {"lossless": True}
    first.save(path, save_all=True, append_images=[second], **options)
    found = picture(path.rename(tmp_path / "x.jpg"), channels=1)
    assert np.abs(found.pixels.astype(int) - 40).max() <= 2
    assert found.frames


# What is no image, or not one of the list.

EPS = b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n%%EndComments\nshowpage\n%%EOF\n"


def test_postscript_that_is_called_png_starts_no_program(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    canary, program = tmp_path / "ran", tmp_path / "bin" / "gs"
    program.parent.mkdir()
    program.write_text(f"#!/bin/sh\n: > {canary}\nexit 1\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(program.parent), prepend=":")
    monkeypatch.setattr(EpsImagePlugin, "gs_binary", None)
    image = tmp_path / "x.png"
    image.write_bytes(EPS)
    with pytest.raises(NasbenchError, match=r"x\.png as an image: it is none of PNG, JPEG, BMP"):
        picture(image)
    assert not canary.exists()
    with contextlib.suppress(Exception), Image.open(image) as opened:
        opened.load()
    assert canary.exists()  # Pillow by itself would have


@pytest.mark.parametrize(
    ("name", "options"),
    [("x.ico", {}), ("x.pcx", {}), ("x.tga", {}), ("x.pdf", {}), ("x.sgi", {})],
)
def test_formats_beyond_the_list_are_refused_whatever_their_name(
    tmp_path: Path, name: str, options: dict[str, Any]
) -> None:
    Image.fromarray(COLOUR).save(tmp_path / name, **options)
    renamed = (tmp_path / name).rename(tmp_path / "x.jpg")
    with pytest.raises(NasbenchError, match=r"cannot read .*x\.jpg as an image: it is none of"):
        picture(renamed)


@pytest.mark.parametrize("size", [(20_000, 20_000), (12_000, 9_000)])
def test_more_pixels_than_is_sane_are_refused_without_a_warning(
    tmp_path: Path, size: tuple[int, int]
) -> None:
    (tmp_path / "x.png").write_bytes(png(GREY, 0, size=size))
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        with pytest.raises(NasbenchError, match="as an image: it has more than 89,478,485 pixels"):
            picture(tmp_path / "x.png")
    assert said == []


@pytest.mark.parametrize("suffix", ["png", "jpg", "gif", "webp", "tif", "ppm", "bmp"])
@pytest.mark.parametrize("share", [0.0, 0.1, 0.6, 0.9])
def test_a_file_that_is_cut_short_is_refused(tmp_path: Path, suffix: str, share: float) -> None:
    path = tmp_path / f"x.{suffix}"
    noise = RNG.integers(256, size=(64, 64, 3), dtype=np.uint8)
    Image.fromarray(noise).save(path, lossless=True)
    whole = path.read_bytes()
    path.write_bytes(whole[: int(share * len(whole))])
    with pytest.raises(NasbenchError, match=rf"^cannot read .*x\.{suffix} as an image: .+") as told:
        picture(path)
    assert "\n" not in str(told.value)


def test_libraries_print_nothing_of_a_damaged_image(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """libtiff writes to stderr by itself what it finds."""
    noise = RNG.integers(256, size=(64, 64, 3), dtype=np.uint8)
    Image.fromarray(noise).save(tmp_path / "x.tif", compression="jpeg")
    content = bytearray((tmp_path / "x.tif").read_bytes())
    start = content.find(b"\xff\xda")  # where its data begins
    content[start + 5] = 77
    (tmp_path / "x.tif").write_bytes(content)
    with pytest.raises(NasbenchError, match="as an image"):
        picture(tmp_path / "x.tif")
    content = tiff(RAMP, 16)
    samples = content.index(b"\x15\x01\x03\0") + 8  # the tag of how many a pixel has
    (tmp_path / "x.tif").write_bytes(content[:samples] + b"\xff\0" + content[samples + 2 :])
    with monkeypatch.context() as patch:
        patch.setattr(logging.root, "handlers", [])  # as without pytest
        with pytest.raises(NasbenchError, match="as an image"):
            picture(tmp_path / "x.tif")
    os.write(2, b"still there")
    assert capfd.readouterr() == ("", "still there")


def test_pipes_and_folders_are_no_images_and_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "x.png")
    (tmp_path / "y.png").mkdir()
    for name in ("x.png", "y.png"):
        with pytest.raises(NasbenchError, match=rf"cannot read image .*{name}: it is (no|a)"):
            picture(tmp_path / name)
    with pytest.raises(NasbenchError, match=r"cannot read image .*absent\.png: No such file"):
        picture(tmp_path / "absent.png")
