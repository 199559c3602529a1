# SPDX-FileCopyrightText: 2026 The perceiver_bench authors
# SPDX-License-Identifier: Apache-2.0

import re

import html_made
import hypothesis
import hypothesis.strategies as st
import pytest

from perceiver_bench.results import latex
from perceiver_bench.results.cells import Cells

# What `escape` may write besides characters that LaTeX takes as they are.
_COMMANDS = re.compile(
    r"\\textbackslash\{\}|\\textasciitilde\{\}|\\textasciicircum\{\}|\\textless\{\}"
    r"|\\textgreater\{\}|\\textbar\{\}|\\textasciigrave\{\}|\\allowbreak\{\}|\{\[\}|\{\*\}|-\{\}"
    r"|\$-\$|\$\\pm\$|\$\\uparrow\$|\$\\downarrow\$|\\[{}$&#%_]"
)


@hypothesis.given(st.text())
def test_nothing_of_a_text_is_read_as_latex(text):
    rest = _COMMANDS.sub("", latex.escape(text))
    assert not set(rest) & set('\\{}$&#%_^~<>|`"[*\n\t')
    assert "--" not in latex.escape(text)


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("93.00 ± 0.86", r"93.00 $\pm$ 0.86"),
        ("-16.63", "$-$16.63"),
        ("[-1.20, -0.50]", r"{[}$-$1.20, $-$0.50]"),
        ("2026-01-02", "2026-01-02"),
        ("glue-dev/average-8", r"glue-dev/\allowbreak{}average-8"),
        ("end_point (px) ↓", r"end\_\allowbreak{}point (px) $\downarrow$"),
        (r"a\b", r"a\textbackslash{}b"),
        ("50%", r"50\%"),
        ("a\u202eb", r"a\textbackslash{}u202eb"),
    ],
)
def test_texts_as_they_are_set(text, written):
    assert latex.escape(text) == written


def test_a_table_has_its_rows_and_notes():
    cells = Cells(("model", "score", "why"), [("[a]", "-1.5 ± 0.2", "x"), ("b", "", "")], ("50% ",))
    written = latex.table(cells, "R&D")
    assert r"\begin{longtable}{@{}lrl@{}}" in written
    assert r"\caption{R\&D}\\" in written
    assert "{[}a] & $-$1.5 $\\pm$ 0.2 & x \\\\\nb &  &  \\\\\n\\end{longtable}" in written
    assert r"{\footnotesize 50\% .}" in written
    assert written.count("model & score & why") == 2


def test_a_table_without_rows_is_its_notes():
    written = latex.table(Cells(("a", "b"), (), ("one", "two")), "what_it_is")
    assert "longtable" not in written
    assert [line.count("par") for line in written.splitlines()] == [1, 1, 1]


def test_a_column_of_long_texts_has_lines():
    written = latex.table(Cells(("a", "b"), [("x" * 40, "y")]), "")
    assert r"{@{}>{\raggedright\arraybackslash}p{0.16\linewidth}l@{}}" in written


def _rows(text):
    return [line for line in text.splitlines() if " & " in line]


def test_tables_of_every_kind_of_record(make):
    text = latex.tables(
        html_made.every_kind(make), html_made.paper_rows, {"glue/average": Cells(("a", "b"), [])}
    )
    assert text.count(r"\begin{longtable}") == text.count(r"\end{longtable}")
    assert (
        r"ours, 2 seeds & accuracy (\%) $\uparrow$ & 92.00 {[}66.59, 117.41], deviation 2.83,"
        r" best 94.00 of 2 seeds & 872 & 93.17 & $-$1.17" in text
    )
    assert r"93.00 {[}88.00, 96.50]" in text
    assert "these runs saw a part of the official data" not in text  # it has no published row
    assert "another protocol, rlbench18-test/" in text
    assert "Partial, so not in the table: small, 2026-01-02: a limit." in text
    for table in text.split(r"\begin{longtable}")[1:]:
        counts = {len(re.findall(r"(?<!\\)&", line)) for line in _rows(table)}
        assert len(counts) == 1


def test_made_up_data_compares_with_nothing(make):
    text = latex.tables([make(0)], html_made.paper_rows, {}, made_up=True)
    assert "the data of these runs is made up" in text
    (row,) = (line for line in _rows(text) if line.startswith("ours"))
    assert " & 872 &  &  & " in row
