"""Log-mel spectrograms: how loud a sound is by pitch and time, as the ear has it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from nasbench.errors import BadValue
from nasbench.task.wav import MOST_RATE

__all__ = ["Spectrogram", "hertz", "mel", "mel_bank"]

_LOWEST = 60.0
"""Hertz where the lowest band begins."""
_DECIBELS = 60.0
"""Below the loudest point, what still shows."""
_QUIETEST = 1e-4
"""The peak that silence is taken to have."""
_FLOOR = 1e-6
"""Added to the energy of a band, so that nothing has a logarithm."""
MOST_BANDS = 512
MOST_FRAMES = 16_384

Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Spectrogram:
    """How sound becomes a spectrogram.

    Attributes:
        mels: bands, from 60 Hz to half of the rate.
        frames: windows, one after the other.
        window_ms: of each.
        hop_ms: from the begin of one to that of the next.

    Example:
        >>> tone = np.sin(2 * np.pi * 1000 * np.arange(8000) / 8000)
        >>> Spectrogram().of(tone, 8000).shape
        (1, 32, 32)
    """

    mels: int = 32
    frames: int = 32
    window_ms: float = 32.0
    hop_ms: float = 20.0

    def __post_init__(self) -> None:
        counts = (("mels", self.mels, MOST_BANDS), ("frames", self.frames, MOST_FRAMES))
        for what, value, most in counts:
            if not 1 <= value <= most:
                raise BadValue(f"[task]: {what} is 1 to {most:,}, got {value}")
        for what, time in (("window_ms", self.window_ms), ("hop_ms", self.hop_ms)):
            if not 0.1 <= time <= 1000:
                raise BadValue(f"[task]: {what} is 0.1 to 1,000 milliseconds, got {time:g}")

    @property
    def shape(self) -> tuple[int, int, int]:
        """Of a spectrogram: `(1, mels, frames)`."""
        return 1, self.mels, self.frames

    def window(self, rate: int) -> int:
        """Samples of a window."""
        return max(1, round(self.window_ms * rate / 1000))

    def hop(self, rate: int) -> int:
        """Samples from the begin of a window to that of the next."""
        return max(1, round(self.hop_ms * rate / 1000))

    def samples(self, rate: int) -> int:
        """Samples that all windows cover."""
        return self.window(rate) + (self.frames - 1) * self.hop(rate)

    def middle(self, sound: Array, rate: int) -> Array:
        """The middle of a sound, so long as all windows; a shorter one in the middle of silence."""
        wanted = self.samples(rate)
        if len(sound) < wanted:
            before = (wanted - len(sound)) // 2
            return np.pad(sound, (before, wanted - len(sound) - before))
        start = (len(sound) - wanted) // 2
        return sound[start : start + wanted]

    def of(self, sound: Array, rate: int) -> NDArray[np.uint8]:
        """uint8 `[1, mels, frames]`: 255 the loudest point, 0 what is 60 decibels below or less."""
        piece = self.middle(sound, rate)
        piece = piece / max(float(np.abs(piece).max()), _QUIETEST)
        energy = mel_bank(rate, self.window(rate), self.mels) @ self.power(piece, rate)
        decibels = 10 * np.log10(energy + _FLOOR)
        decibels -= decibels.max()
        pixels: NDArray[np.uint8] = np.rint(255 * np.clip(1 + decibels / _DECIBELS, 0, 1)).astype(
            np.uint8
        )
        return pixels[None]

    def power(self, piece: Array, rate: int) -> Array:
        """Power by frequency and frame, `[window // 2 + 1, frames]`; the windows are Hann's."""
        size, hop = self.window(rate), self.hop(rate)
        windows = np.lib.stride_tricks.sliding_window_view(piece, size)[::hop]
        hann = np.hanning(size + 1)[:-1]
        power: Array = np.abs(np.fft.rfft(windows * hann, axis=1).T) ** 2
        return power


def mel(hertz: float) -> float:
    """Pitch on the mel scale, as HTK has it.

    Example:
        >>> round(mel(1000.0))
        1000
    """
    return float(2595 * np.log10(1 + hertz / 700))


def hertz(mels: Array) -> Array:
    """Frequencies of pitches; undoes `mel`."""
    frequencies: Array = 700 * (10 ** (mels / 2595) - 1)
    return frequencies


def mel_bank(rate: int, window: int, mels: int) -> Array:
    """How much of each frequency each band takes, `[mels, window // 2 + 1]`.

    Bands are triangles of equal width in mel, each from the middle of the one below to the middle
    of the one above.

    Raises:
        BadValue: where a band lies between two frequencies of the window.
    """
    edges = hertz(np.linspace(mel(_LOWEST), mel(rate / 2), mels + 2))
    if rate > MOST_RATE or edges[0] >= edges[-1]:
        raise BadValue(f"bands begin at {_LOWEST:g} Hz: {rate} samples a second do not reach there")
    frequencies = np.fft.rfftfreq(window, 1 / rate)
    low, middle, high = edges[:-2, None], edges[1:-1, None], edges[2:, None]
    rising, falling = (frequencies - low) / (middle - low), (high - frequencies) / (high - middle)
    bank: Array = np.maximum(0, np.minimum(rising, falling))
    if not bank.any(1).all():
        raise BadValue(
            f"[task]: {mels} mels are more than windows of {window} samples can tell apart: use "
            f"fewer, or a longer window_ms"
        )
    return bank
