"""Sounds: every encoding gives the same samples, and a tone shows in its band."""

from __future__ import annotations

import struct
import wave
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import signal
from scipy.io import wavfile

from nasbench.errors import NasbenchError
from nasbench.task import Task, from_spec
from nasbench.task.log_mel import Spectrogram, hertz, mel, mel_bank
from nasbench.task.sounds import NamePattern
from nasbench.task.wav import read_wav

RATE = 8000


def tone(frequency: float, seconds: float = 0.7) -> np.ndarray:
    return 0.5 * np.sin(2 * np.pi * frequency * np.arange(round(RATE * seconds)) / RATE)


def write(path: Path, samples: np.ndarray, rate: int = RATE) -> Path:
    wavfile.write(path, rate, np.rint(samples * 32767).astype(np.int16))
    return path


# Files.


@pytest.mark.parametrize("kind", ["u1", "<i2", "<i4", "<f4", "i3", "extensible"])
@pytest.mark.parametrize("channels", [1, 2])
def test_every_encoding_is_read_as_scipy_reads_it(tmp_path: Path, kind: str, channels: int) -> None:
    rng = np.random.default_rng(0)
    values = rng.uniform(-1, 1, (50, channels))
    path = tmp_path / "x.wav"
    if kind in ("i3", "extensible"):
        whole = np.rint(values * (2**23 - 1)).astype("<i4")
        data = whole[..., None].view(np.uint8).reshape(-1, 4)[:, :3].tobytes()
        with wave.open(str(path), "wb") as file:
            file.setparams((channels, 3, RATE, 50, "NONE", ""))
            file.writeframes(data)
        if kind == "extensible":
            layout = struct.pack("<HHIIHH", 0xFFFE, channels, RATE, 0, 3 * channels, 24)
            layout += struct.pack("<HHIH", 22, 24, 0, 1) + bytes(14)
            path.write_bytes(riff((b"fmt ", layout), (b"data", data)))
        expected = whole / 2**23
    else:
        scale = {"u1": 127, "<i2": 2**15 - 1, "<i4": 2**31 - 1, "<f4": 1}[kind]
        stored = values * scale + (128 if kind == "u1" else 0)
        stored = (stored if kind == "<f4" else np.rint(stored)).astype(kind)
        wavfile.write(path, RATE, stored)
        rate, read = wavfile.read(path)
        assert rate == RATE
        full = {"u1": 128, "<i2": 2**15, "<i4": 2**31, "<f4": 1}[kind]
        expected = (
            read.astype(float).reshape(50, channels) - (128.0 if kind == "u1" else 0)
        ) / full
    sound = read_wav(path)
    assert sound.rate == RATE
    np.testing.assert_allclose(sound.samples, expected.mean(1), rtol=0, atol=1e-12)


def riff(*chunks: tuple[bytes, bytes]) -> bytes:
    body = b"WAVE"
    for name, content in chunks:
        body += name + struct.pack("<I", len(content)) + content + b"\0" * (len(content) % 2)
    return b"RIFF" + struct.pack("<I", len(body)) + body


FORMAT = struct.pack("<HHIIHH", 1, 1, RATE, 2 * RATE, 2, 16)
DATA = np.arange(40, dtype="<i2").tobytes()


def test_chunks_of_other_programs_are_passed_over_and_streams_read_to_their_end(
    tmp_path: Path,
) -> None:
    plain = riff(
        (b"LIST", b"odd"), (b"fmt ", FORMAT + b"\0\0"), (b"cue ", b"x" * 9), (b"data", DATA)
    )
    stream = riff((b"fmt ", FORMAT), (b"data", DATA)).replace(
        b"data" + struct.pack("<I", len(DATA)), b"data" + b"\xff" * 4
    )
    for content in (plain, stream):
        (tmp_path / "x.wav").write_bytes(content)
        assert (read_wav(tmp_path / "x.wav").samples * 2**15).tolist() == list(range(40))


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"", "does not begin as a .wav"),
        (b"RIFF\0\0\0\0AVI ", "does not begin as a .wav"),
        (riff((b"fmt ", FORMAT)), "it is cut short"),
        (riff((b"data", DATA)), "samples come before their format"),
        (riff((b"fmt ", FORMAT), (b"data", b"")), "it has no samples"),
        (riff((b"fmt ", FORMAT), (b"data", DATA))[:-9], "cut short: 71 of 80 bytes"),
        (riff((b"fmt ", FORMAT[:9]), (b"data", DATA)), "it is cut short"),
        (riff((b"fmt ", b"\x07" + FORMAT[1:]), (b"data", DATA)), "encoding 7 with 16 bits"),
        (riff((b"fmt ", FORMAT[:2] + b"\0\0" + FORMAT[4:]), (b"data", DATA)), "0 channels"),
        (riff((b"fmt ", FORMAT[:4] + b"\xff" * 4 + FORMAT[8:])), "4,294,967,295 samples a second"),
        (
            riff(
                (b"fmt ", struct.pack("<HHIIHH", 3, 1, RATE, 0, 4, 32)),
                (b"data", np.array([np.inf], "<f4").tobytes()),
            ),
            "samples that are no numbers",
        ),
        (riff(*[(b"junk", b"")] * 5000), "it has no samples"),
    ],
)
def test_damaged_sounds_are_refused_in_one_sentence(
    tmp_path: Path, content: bytes, told: str
) -> None:
    (tmp_path / "x.wav").write_bytes(content)
    with pytest.raises(NasbenchError, match=f"cannot read .*x.wav as a sound: .*{told}"):
        read_wav(tmp_path / "x.wav")


@given(st.binary(max_size=200))
def test_bytes_of_any_kind_are_read_or_refused(tmp_path_factory: Any, content: bytes) -> None:
    path = tmp_path_factory.getbasetemp() / "any.wav"
    for data in (content, riff((b"fmt ", FORMAT), (b"data", DATA))[: len(content)] + content):
        path.write_bytes(data)
        with suppress(NasbenchError):
            assert np.isfinite(read_wav(path).samples).all()


# Spectrograms.


def test_power_is_scipy_s() -> None:
    spectrogram = Spectrogram(frames=9)
    rng = np.random.default_rng(0)
    piece = rng.normal(size=spectrogram.samples(RATE))
    window = signal.get_window("hann", 256)
    _, _, transform = signal.stft(
        piece, RATE, "hann", 256, 256 - 160, boundary=None, padded=False, detrend=False
    )
    expected = np.abs(transform * window.sum()) ** 2
    np.testing.assert_allclose(spectrogram.power(piece, RATE), expected, rtol=1e-9, atol=1e-12)


@given(frequency=st.floats(150, 3600), mels=st.sampled_from([16, 24, 32]))
def test_a_tone_is_loudest_in_the_band_that_it_lies_in(frequency: float, mels: int) -> None:
    """The band whose middle is nearest in mel, or one that shares the tone with it."""
    found = Spectrogram(mels=mels).of(tone(frequency), RATE)[0].astype(int)
    middles = np.linspace(mel(60.0), mel(RATE / 2), mels + 2)[1:-1]
    nearest = int(np.abs(middles - mel(frequency)).argmin())
    loudest = found.sum(1).argmax()
    assert found.max() == 255
    assert abs(int(loudest) - nearest) <= 1
    assert found[abs(np.arange(mels) - nearest) > 8].max(initial=0) < 255


def test_mel_scale_and_bands_are_those_of_the_books() -> None:
    assert mel(0.0) == 0
    assert mel(700.0) == pytest.approx(2595 * np.log10(2))
    np.testing.assert_allclose(hertz(np.array([mel(f) for f in (60.0, 440.0)])), [60, 440])
    bank = mel_bank(RATE, 256, 32)
    inside = bank[:, 3:-1].sum(0)  # between the first and the last middle, triangles add up to 1
    middles = hertz(np.linspace(mel(60.0), mel(RATE / 2), 34))[1:-1]
    frequencies = np.fft.rfftfreq(256, 1 / RATE)[3:-1]
    between = (frequencies >= middles[0]) & (frequencies <= middles[-1])
    np.testing.assert_allclose(inside[between], 1, atol=1e-9)


def test_loudness_makes_no_difference_and_silence_is_even() -> None:
    spectrogram = Spectrogram()
    loud, soft = spectrogram.of(tone(440), RATE), spectrogram.of(0.01 * tone(440), RATE)
    assert (loud == soft).all()
    assert (spectrogram.of(np.zeros(10), RATE) == 255).all()
    assert spectrogram.middle(np.arange(9000.0), RATE)[0] == (9000 - 5216) // 2
    assert spectrogram.middle(np.ones(10), RATE).sum() == 10


# Folders.


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two digits of five speakers, six takes each, with class and speaker in the names."""
    here = tmp_path / "digits"
    here.mkdir()
    for digit, frequency in (("one", 300), ("two", 1200)):
        for speaker in "abcde":
            for take in range(6):
                name = f"{digit}_{speaker}_{take}.wav"
                write(here / name, tone(frequency + 10 * take, 0.1 * take + 0.2))
    (here / "notes.txt").write_text("none")
    write(here / "strange.wav", tone(100))
    return here


def read(folder: Path, **options: Any) -> Task:
    return from_spec({"source": "sound", "path": str(folder), **options})


def test_names_say_class_and_speaker_and_no_speaker_is_in_two_splits(folder: Path) -> None:
    task = read(folder, files="{class}_{speaker}_{take}", group="speaker", groups=["take"])
    assert task.classes == ("one", "two")
    assert str(task.signal) == "sound 1 x 32 x 32 (log-mel)"
    assert task.groups == {"speaker": tuple("abcde"), "take": tuple("012345")}
    held = [set(of.groups["speaker"]) for of in task.splits.values()]
    assert [len(of) for of in held] == [3, 1, 1]
    assert len(set.union(*held)) == 5
    band = task.train.inputs.sum(3, dtype=int).argmax(2)[:, 0]
    assert set(band[task.train.targets == 0]) < set(range(10))
    assert min(band[task.train.targets == 1]) > max(band[task.train.targets == 0])
    assert task.notes == (
        "not read: 1 sound (strange.wav) named otherwise",
        "not read: 1 file (notes.txt) of other kinds: 1 .txt",
        "50 sounds of fewer than 5,216 samples, with silence around",
    )
    assert "8,000 a second" in task.about["transform"]


def test_folders_of_classes_are_read_as_those_of_images(folder: Path) -> None:
    for split, take in (("train", "1"), ("val", "2"), ("test", "3")):
        for digit in ("one", "two"):
            (folder / "by" / split / digit).mkdir(parents=True)
            for file in folder.glob(f"{digit}_*_{take}.wav"):
                (folder / "by" / split / digit / file.name).write_bytes(file.read_bytes())
    task = read(folder / "by", form="waveform", window_ms=10, hop_ms=10, frames=50)
    assert task.signal.shape == (1, 4000)
    assert task.signal.dtype == "float32"
    assert [len(of) for of in task.splits.values()] == [10, 10, 10]
    place = int(np.flatnonzero(task.train.targets == 0)[0])
    whole = np.pad(read_wav(folder / "one_a_1.wav").samples, (800, 800))
    np.testing.assert_allclose(task.train.inputs[place, 0], whole, atol=1e-6)
    with pytest.raises(NasbenchError, match="train and valid come apart and share 5 groups by s"):
        read(folder / "by", files="{x}_{s}_{take}", group="s")


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"files": "{class}{speaker}"}, "files says what is in the files' names"),
        ({"files": "{class}_{class}"}, "files says what is in the files' names"),
        ({"files": "{Class}_x"}, "files says what is in the files' names"),
        ({"files": "{class}_{who}", "group": "speaker"}, "unknown field of files .* 'speaker'"),
        ({"group": "speaker"}, "unknown field of files in .* 'speaker'; none is known"),
        ({"files": "{class}+{x}"}, "has no .wav file whose name is as files"),
        ({"form": "mel"}, "unknown form of sound 'mel'; did you mean log-mel"),
        ({"files": "{class}_{x}", "mels": 0}, "mels is 1 to 512, got 0"),
        ({"files": "{class}_{x}", "frames": 10**9}, "frames is 1 to 16,384"),
        ({"files": "{class}_{x}", "hop_ms": float("nan")}, "hop_ms is 0.1 to 1,000 milli"),
        ({"files": "{class}_{x}", "window_ms": 1e9}, "window_ms is 0.1 to 1,000 milli"),
        ({"files": "{class}_{x}", "mels": 400}, "400 mels are more than windows of 256 samples"),
        ({}, "has no class folders in it"),
    ],
)
def test_what_makes_no_sounds_is_refused(folder: Path, options: dict[str, Any], told: str) -> None:
    with pytest.raises(NasbenchError, match=told) as refused:
        read(folder, **options)
    assert "\n" not in str(refused.value)


def test_sounds_of_several_rates_are_refused(folder: Path) -> None:
    write(folder / "one_z_9.wav", tone(300), 16_000)
    with pytest.raises(
        NasbenchError, match=r"one_z_9.wav has 16,000 samples a second, and .* 8,000"
    ):
        read(folder, files="{class}_{speaker}_{take}")


@given(st.text("ab_-x", max_size=12))
def test_a_pattern_ends_a_field_at_the_next_sign(stem: str) -> None:
    found = NamePattern.parse("{class}_{who}-{take}").match(stem)
    head, _, rest = stem.partition("_")
    who, dash, take = rest.partition("-")
    sound = head and who and dash and take
    assert found == ({"class": head, "who": who, "take": take} if sound else None)
