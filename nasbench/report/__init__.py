"""Pages, LaTeX and figures: pure functions of runs and tables."""

from nasbench._quiet import quiet_matplotlib

quiet_matplotlib()  # before the modules below import it

from nasbench._callable import make_callable  # noqa: E402
from nasbench.report.call import report_on  # noqa: E402
from nasbench.report.page import (  # noqa: E402
    Report,
    comparison_table,
    write_comparison,
    write_report,
)
from nasbench.report.sections import Section  # noqa: E402
from nasbench.report.text import TextTable  # noqa: E402

__all__ = [
    "Report",
    "Section",
    "TextTable",
    "comparison_table",
    "report_on",
    "write_comparison",
    "write_report",
]

make_callable(__name__, report_on)
