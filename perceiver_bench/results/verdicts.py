# SPDX-FileCopyrightText: 2026 The perceiver_bench authors
# SPDX-License-Identifier: Apache-2.0
"""A gate's report to read: a plain table for a terminal, Markdown for a CI server's page."""

from perceiver_bench.results import markdown
from perceiver_bench.results.gate import Finding, Report

_HEADER = (
    *("task", "metric", "expected", "tolerance", "found"),
    *("difference in tolerances", "verdict", "why"),
)


def to_text(report: Report) -> str:
    """Returns the table with aligned columns, then a sentence on all that did not pass."""
    rows = [_HEADER, *map(_cells, report.findings)]
    # The reason is last and long.
    widths = [max(len(row[column]) for row in rows) for column in range(len(_HEADER) - 1)]
    lines = [
        "  ".join([*(cell.ljust(width) for cell, width in zip(row, widths, strict=False)), row[-1]])
        for row in rows
    ]
    return "\n".join([*lines, "", *_sentences(report), ""])


def to_markdown(report: Report) -> str:
    """Returns heading, table and sentences for GitHub's step summary."""
    sentences = "".join(f"- {markdown.escape(sentence)}\n" for sentence in _sentences(report))
    table = markdown.table(_HEADER, map(_cells, report.findings))
    return f"## {markdown.escape(report.baseline_file.name)}\n\n{table}\n{sentences}\n"


def _cells(finding: Finding) -> tuple[str, ...]:
    """Returns the cells of one expectation, in the order of the header."""
    due = finding.expectation
    amount = f"{due.tolerance.amount:.6g}"
    tolerance = {
        "absolute": f"± {amount}",
        "relative": f"± {100 * due.tolerance.amount:.6g} %",
        "standard_errors": f"± {amount} standard errors",
    }[due.tolerance.kind]
    if finding.width is not None and due.tolerance.kind != "absolute":
        tolerance += f" = {finding.width:.3g}"
    pinned = "" if due.dataset_fingerprint else ", data not named"
    return (
        f"{due.task} ({due.run_words})" if due.run else due.task,
        markdown.heading(due.metric, due.unit, due.direction),
        f"{due.expected:.6g}",
        tolerance,
        "" if finding.value is None else f"{finding.value:.6g}",
        "" if finding.difference is None else f"{finding.difference:+.2f}",
        finding.verdict + (pinned if finding.verdict == "pass" else ""),
        due.why,
    )


def _sentences(report: Report) -> list[str]:
    """Returns a sentence on each finding that is no pass, and one on all."""
    verdicts = [finding.verdict for finding in report.findings]
    found = [
        f"{finding.verdict}: {finding.expectation.task} {finding.expectation.metric}"
        + (f" ({finding.expectation.run_words})" if finding.expectation.run else "")
        + f": {finding.reason}."
        for finding in report.findings
        if finding.verdict != "pass"
    ]
    counts = [
        f"{verdicts.count(verdict)} {verdict}" for verdict in ("out of tolerance", "not comparable")
    ]
    passed = f"{verdicts.count('pass')} of {len(verdicts)} within tolerance"
    return [*found, f"{report.baseline_file}: {', '.join([passed, *counts])}."]
