"""A comparison's report for people, all from one `report.json`: a page, a Markdown file, a table in the terminal.

write.py     render(report, directory): report.html and report.md
terminal.py  terminal(report): the result as rich shows it
page.py      the page: templates, content policy      context.py  what the templates are given
markdown.py  the Markdown file                        view.py     rows, verdicts, scales
plots.py labels.py canvas.py   figures as inline SVG  digits.py   numbers as people read them
escape.py    what hostile strings become              filters.py  what templates may call
"""

from operant.compare.report.terminal import terminal
from operant.compare.report.write import render

__all__ = ["render", "terminal"]
