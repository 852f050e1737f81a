"""What a table may say to the world: nothing of who ran what on which machine, or where it lies."""

from __future__ import annotations

import ntpath
import posixpath
from collections.abc import Mapping
from typing import Any

__all__ = ["published"]

_UNSAID = ("host", "process")
"""Keys of a session: a build needs them while it is at work, its readers do not."""


def published(manifest: Mapping[str, Any]) -> dict[str, Any]:
    """The manifest without hosts, process numbers and the folders of what was imported.

    The same holds for the manifests of those that a table was merged of, which it keeps. When
    sessions began, and the versions and hardware of each, stay: results depend on them.

    Example:
        >>> published({"history": [{"host": "lab-3", "process": 7, "started": "2026-11-22"}]})
        {'history': [{'started': '2026-11-22'}]}
    """
    public = dict(manifest)
    if isinstance(history := public.get("history"), list):
        public["history"] = [
            {key: value for key, value in session.items() if key not in _UNSAID}
            for session in history
        ]
    source = public.get("source")
    if isinstance(source, Mapping) and isinstance(options := source.get("options"), Mapping):
        public["source"] = {**source, "options": {k: _file_name(v) for k, v in options.items()}}
    if isinstance(sources := public.get("sources"), list):
        public["sources"] = [published(one) for one in sources]
    return public


def _file_name(value: Any) -> Any:
    """The last part of an absolute path, of this system or another; anything else as it is."""
    if isinstance(value, str):
        for paths in (posixpath, ntpath):
            if paths.isabs(value):
                return paths.basename(value.rstrip("/\\")) or value
    return value
