"""Makes a page one that lies alone: python -m nasbench.report.alone PAGE ...

A page links to the figures and tables that are written beside it. Where it is kept without them,
such as in `reports/`, these links lead nowhere: what is not beside it is not named.
"""

from __future__ import annotations

import re
import sys
from html import unescape
from pathlib import Path

from nasbench._files import atomic_path, write_text

__all__ = ["without_dead_links"]

_LINK = re.compile(r'<a href="([^"#:]+)">[^<]*</a>(?:, | )?')
_LEFT = (
    ('<p class="files"></p>\n', ""),
    (" Beside it lie .</footer>", "</footer>"),
    (", .</footer>", ".</footer>"),
)
"""What links leave behind, and what stands for it."""


def without_dead_links(page: Path) -> str:
    """The text of a page that names only the files which lie beside it.

    Args:
        page: as `write_sections` wrote it, or as it was copied to where it is kept.
    """

    def kept(link: re.Match[str]) -> str:
        return link[0] if (page.parent / unescape(link[1])).is_file() else ""

    text = _LINK.sub(kept, page.read_text(encoding="utf-8"))
    for left, stands in _LEFT:
        text = text.replace(left, stands)
    return text


def main() -> None:
    """Write the pages that are named anew, where they lie."""
    for page in map(Path, sys.argv[1:]):
        text = without_dead_links(page)
        with atomic_path(page) as partial:
            write_text(partial, text)


if __name__ == "__main__":
    main()
