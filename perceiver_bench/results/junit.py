# SPDX-FileCopyrightText: 2026 The perceiver_bench authors
# SPDX-License-Identifier: Apache-2.0
"""A gate's report as JUnit XML, which CI servers show as tests."""

from xml.etree import ElementTree

from perceiver_bench.results.gate import Finding, Report


def to_xml(report: Report) -> bytes:
    """Returns one test case an expectation, in UTF-8.

    Out of tolerance is a failure, not comparable an error.
    """
    verdicts = [finding.verdict for finding in report.findings]
    counts = {
        "tests": str(len(verdicts)),
        "failures": str(verdicts.count("out of tolerance")),
        "errors": str(verdicts.count("not comparable")),
        "skipped": "0",
    }
    root = ElementTree.Element("testsuites", counts)
    name = _readable(str(report.baseline_file))
    suite = ElementTree.SubElement(root, "testsuite", {"name": name, **counts, "time": "0"})
    for finding in report.findings:
        _add_case(suite, finding)
    ElementTree.indent(root, " ")
    return ElementTree.tostring(root, encoding="utf-8", xml_declaration=True) + b"\n"


def _add_case(suite: ElementTree.Element, finding: Finding) -> None:
    """Adds the test case of one expectation."""
    due = finding.expectation
    run = f"; {due.run_words}" if due.run else ""
    case = ElementTree.SubElement(
        suite,
        "testcase",
        {
            "classname": _readable(due.task),
            "name": _readable(f"{due.metric}, {due.split}, {due.protocol}{run}"),
            "time": "0",
        },
    )
    tags = {"out of tolerance": "failure", "not comparable": "error"}
    if finding.verdict in tags:
        attributes = {"type": finding.verdict, "message": _readable(finding.reason)}
        outcome = ElementTree.SubElement(case, tags[finding.verdict], attributes)
        outcome.text = _readable(f"{finding.reason}\nWhy it is expected: {due.why}")
    facts = {
        "expected": due.expected,
        "tolerance": finding.width,
        "found": finding.value,
        "difference in tolerances": finding.difference,
        "record": finding.record.run_id if finding.record else None,
        "note": finding.reason if finding.verdict == "pass" else None,
    }
    output = ElementTree.SubElement(case, "system-out")
    output.text = _readable(
        "".join(f"{name}: {value}\n" for name, value in facts.items() if value not in (None, ""))
    )


def _readable(text: str) -> str:
    """Returns `text` without the characters that XML cannot hold, such as control characters."""
    return "".join(
        character if character == "\n" or character.isprintable() else "\ufffd"
        for character in text
    )
