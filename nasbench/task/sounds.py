"""Sounds that are `.wav` files: in a folder for each class, or with class and speaker in names."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nasbench._files import utf8
from nasbench.errors import BadValue, unknown
from nasbench.task.base import Split, Task, check_names, check_room
from nasbench.task.columns import Coded, code_groups
from nasbench.task.examples import check_options
from nasbench.task.listing import FileKind, Rest, entries_of, list_files
from nasbench.task.log_mel import Spectrogram
from nasbench.task.signal import MOST_LENGTH, Signal, Target
from nasbench.task.splitting import SplitPlan, check_shares, split_task
from nasbench.task.unread import counted
from nasbench.task.wav import read_wav

__all__ = ["NamePattern", "sounds"]

_SOUNDS = FileKind("sound", frozenset({".wav"}))
_CLASS = "class"
_FORMS = ("log-mel", "waveform")


def sounds(
    path: str | Path,
    *,
    name: str = "",
    files: str = "",
    form: str = "log-mel",
    mels: int = 32,
    frames: int = 32,
    window_ms: float = 32.0,
    hop_ms: float = 20.0,
    group: str = "",
    groups: tuple[str, ...] = (),
    plan: SplitPlan | None = None,
) -> Task:
    """A folder of `.wav` files, as log-mel spectrograms or as waveforms.

    Args:
        path: of the folder: with a folder of sounds a class, and with splits as folders of images
            have them; or, where `files` names the class, of the sounds themselves.
        name: the task's name; the folder's by default.
        files: what is in the files' names, as in `{class}_{speaker}_{take}`; a field ends where
            the sign behind it stands first.
        form: `log-mel` or `waveform`.
        mels: bands of a spectrogram.
        frames: windows of a spectrogram; with `window_ms` and `hop_ms` they say how long the
            piece from the middle of each sound is.
        window_ms: of a window.
        hop_ms: from the begin of a window to that of the next.
        group: the field of names whose values no two splits may share.
        groups: fields that are kept for evaluation.
        plan: of the splits.

    Raises:
        NasbenchError: where a file is damaged or of another rate than the others, a class has no
            sound, or names are not as `files` says.
    """
    path = Path(path)
    name = name or utf8(path.resolve().name)
    check_names(name, None)
    if form not in _FORMS:
        raise unknown("form of sound", form, _FORMS)
    spectrogram = Spectrogram(mels, frames, window_ms, hop_ms)
    pattern = NamePattern.parse(files)
    plan = check_options(group, "", plan or SplitPlan())
    fields = tuple(dict.fromkeys([*([group] if group else []), *groups]))
    for field in fields:
        if field not in pattern.fields:
            raise unknown("field of files in [task]", field, pattern.fields)
    found = _named(path, pattern) if _CLASS in pattern.fields else _in_folders(path)
    check_names(name, found.classes)
    check_shares(name, set(found.files) - {"train"}, plan.valid, plan.test_share, "sound")
    values = _fields(found, pattern, fields)
    coded = {field: code_groups(of) for field, of in values.items()}
    inputs, rate, brief = _read(found.files, spectrogram, form)
    parts = {
        split: Split(
            inputs[split],
            found.labels[split],
            {field: of.codes[split] for field, of in coded.items()},
        )
        for split in inputs
    }
    samples = spectrogram.samples(rate)
    return split_task(
        name,
        parts,
        plan,
        signal=Signal("audio"),
        target=Target("classes", found.classes),
        keys=_keys(coded, group),
        about={"source": f"folder {utf8(path.name)}", **_said(spectrogram, form, rate)},
        notes=[
            *found.notes,
            *(
                [f"{brief:,} sounds of fewer than {samples:,} samples, with silence around"]
                * (brief > 0)
            ),
        ],
        groups={field: of.names for field, of in coded.items()},
    )


@dataclass(frozen=True, slots=True)
class NamePattern:
    """What is in files' names.

    Attributes:
        regex: of a name without its suffix.
        fields: in order.
    """

    regex: re.Pattern[str]
    fields: tuple[str, ...]

    @classmethod
    def parse(cls, text: str) -> NamePattern:
        """The pattern that a text with fields in braces is; without a text, of any name.

        Raises:
            BadValue: where fields are not words, stand twice, or are not apart.

        Example:
            >>> NamePattern.parse("{class}_{speaker}_{take}").match("7_jackson_32")
            {'class': '7', 'speaker': 'jackson', 'take': '32'}
        """
        if not text:
            return cls(re.compile(""), ())
        parts = re.split(r"\{([^{}]*)\}", text)  # what is between fields, and every other a field
        between, fields = parts[::2], tuple(parts[1::2])
        sound = all(re.fullmatch("[a-z][a-z0-9_]{0,30}", field) for field in fields)
        apart = all(between[1:-1]) and not re.search("[{}/]", "".join(between))
        if not fields or not sound or not apart or len(set(fields)) < len(fields):
            raise BadValue(
                f"[task]: files says what is in the files' names, as in "
                f'"{{class}}_{{speaker}}_{{take}}", got {text!r:.99}'
            )
        regex = re.escape(between[0])
        for field, behind in zip(fields, between[1:], strict=True):
            sign = re.escape(behind[0]) if behind else ""
            regex += f"(?P<{field}>{f'[^{sign}]+' if sign else '.+'}){re.escape(behind)}"
        return cls(re.compile(regex), fields)

    def match(self, stem: str) -> dict[str, str] | None:
        """What the fields are in a name without suffix; None where it is another kind of name."""
        found = self.regex.fullmatch(stem)
        return found.groupdict() if found else None


@dataclass(frozen=True, slots=True)
class _Sounds:
    """The sounds of a task: files and labels by split."""

    classes: tuple[str, ...]
    files: Mapping[str, Sequence[Path]]
    labels: Mapping[str, NDArray[np.int64]]
    notes: tuple[str, ...]


def _in_folders(path: Path) -> _Sounds:
    listing = list_files(path, _SOUNDS)
    return _Sounds(
        listing.classes,
        {
            split: [file for of in by_class for file in of]
            for split, by_class in listing.splits.items()
        },
        {
            split: np.repeat(np.arange(len(by_class)), [len(of) for of in by_class])
            for split, by_class in listing.splits.items()
        },
        tuple(listing.unread),
    )


def _named(path: Path, pattern: NamePattern) -> _Sounds:
    """Sounds whose names say the class."""
    folders, every = entries_of(path)
    rest = Rest(path, _SOUNDS)
    rest.add("", "folder", folders)
    files, classes, strange = [], [], []
    for file in every:
        named = pattern.match(utf8(file.stem)) if _SOUNDS.has(file) else None
        if named:
            files.append(file)
            classes.append(named[_CLASS])
        elif _SOUNDS.has(file):
            strange.append(utf8(file.name))
        else:
            rest.files([file], "")
    if not files:
        raise BadValue(f"{path} has no .wav file whose name is as files in [task] says")
    names = tuple(sorted(set(classes)))
    labels = np.array([names.index(cls) for cls in classes], np.int64)
    other = [f"not read: {counted(strange, 'sound')} named otherwise"] if strange else []
    return _Sounds(names, {"train": files}, {"train": labels}, (*other, *rest.sentences()))


def _fields(
    found: _Sounds, pattern: NamePattern, fields: Sequence[str]
) -> dict[str, dict[str, list[str]]]:
    """By field and split what is in the names of the files."""
    values: dict[str, dict[str, list[str]]] = {
        field: {split: [] for split in found.files} for field in fields
    }
    for split, files in found.files.items() if fields else ():
        for file in files:
            named = pattern.match(utf8(file.stem))
            if named is None:
                raise BadValue(f"{file} is not named as files in [task] says")
            for field in fields:
                values[field][split].append(named[field])
    return values


def _keys(coded: Mapping[str, Coded], group: str) -> Mapping[str, NDArray[np.int64]]:
    return coded[group].codes if group else {}


def _said(spectrogram: Spectrogram, form: str, rate: int) -> dict[str, Any]:
    """How sounds became inputs, for `Task.about`."""
    piece = (
        f"{spectrogram.samples(rate):,} samples from the middle, {rate:,} a second, all channels"
    )
    if form == "waveform":
        return {"transform": piece}
    bands = f"{spectrogram.mels} mel bands from 60 Hz, {spectrogram.frames} frames"
    windows = f"of {spectrogram.window_ms:g} ms every {spectrogram.hop_ms:g} ms"
    return {"transform": f"{piece}; {bands} {windows}, 60 dB as 0 to 255"}


def _read(
    files: Mapping[str, Sequence[Path]], spectrogram: Spectrogram, form: str
) -> tuple[dict[str, NDArray[Any]], int, int]:
    """Inputs by split, the rate of all sounds, and how many are shorter than the piece."""
    first = next(iter(files["train"]))
    rate = read_wav(first).rate
    samples = spectrogram.samples(rate)
    if form == "waveform" and samples > MOST_LENGTH:
        raise BadValue(f"[task]: a waveform of {samples:,} samples; {MOST_LENGTH:,} at most")
    each = 4 * samples if form == "waveform" else spectrogram.mels * spectrogram.frames
    check_room(sum(map(len, files.values())), each, "sounds", "use fewer frames")
    wave = form == "waveform"
    shape, dtype = ((1, samples), np.float32) if wave else (spectrogram.shape, np.uint8)
    inputs: dict[str, NDArray[Any]] = {}
    brief = 0
    for split, of in files.items():
        inputs[split] = np.empty((len(of), *shape), dtype)
        for row, file in enumerate(of):
            sound = read_wav(file)
            if sound.rate != rate:
                raise BadValue(
                    f"{file} has {sound.rate:,} samples a second, and {first} {rate:,}: save all "
                    f"sounds with one rate"
                )
            brief += len(sound.samples) < samples
            inputs[split][row] = (spectrogram.middle if wave else spectrogram.of)(*sound)
    return inputs, rate, brief
