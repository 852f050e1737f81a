"""A page that is kept without the files beside it names those alone that are there."""

import re
import sys
from pathlib import Path

import pytest
from beginnings import ANY_BRIEF

from nasbench.report import Section
from nasbench.report.alone import main
from nasbench.report.sections import write_sections
from nasbench.report.text import TextTable


def links(page: Path) -> list[str]:
    return re.findall(r'href="([^"#]+)"', page.read_text(encoding="utf-8"))


@pytest.mark.parametrize("kept", [[], ["report.tex"], ["report.md", "tables/0-T.csv"]])
def test_only_what_lies_beside_a_page_is_linked(
    kept: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    table = TextTable("T", ("one",), [("1",)], "Note.")
    page = write_sections([Section("S", "Lead.", tables=[table])], tmp_path, "Title", ANY_BRIEF)
    whole = page.read_text(encoding="utf-8")
    assert {"report.md", "report.bib", "tables/0-T.csv"} < {*links(page)}
    monkeypatch.setattr(sys, "argv", ["alone", str(page)])
    main()
    assert page.read_text(encoding="utf-8") == whole
    for link in links(page):
        if link not in kept:
            (tmp_path / link).unlink()
    main()
    text = page.read_text(encoding="utf-8")
    assert sorted(links(page)) == sorted(kept)
    assert ('class="files"' in text) == ("tables/0-T.csv" in kept)
    assert ("Beside it lie" in text) == any("/" not in link for link in kept)
    assert not re.search(r", *\.<|lie \.", text)
    assert '<a href="#s1">S</a>' in text
