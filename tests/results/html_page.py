# SPDX-FileCopyrightText: 2026 The perceiver_bench authors
# SPDX-License-Identifier: Apache-2.0
"""Reads the report's page as a browser would, and checks what holds of any page."""

import functools
import html.parser
import re

VOID = {"meta", "link", "img", "wbr", "br"}


class Page(html.parser.HTMLParser):
    """Reads a page and keeps what its tests ask for; a fault of nesting is an error."""

    def __init__(self, text):
        super().__init__()
        self.tags, self.open, self.headings, self.texts = [], [], [], []
        self.feed(text)
        self.close()
        assert not self.open

    def handle_starttag(self, tag, attrs):
        names = [name for name, _ in attrs]
        assert len(names) == len(set(names)), (tag, attrs)
        self.tags.append((tag, dict(attrs), tuple(self.open)))
        if re.fullmatch("h[1-6]", tag):
            self.headings.append(int(tag[1]))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.handle_starttag(tag, attrs)
        self.handle_endtag(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag, (tag, self.getpos())

    def handle_data(self, data):
        self.texts.append(data)

    def all(self, *tags):
        return [attributes for tag, attributes, _ in self.tags if tag in tags]

    @functools.cached_property
    def text(self):
        return " ".join("".join(self.texts).split())


def check(text):
    """Reads a page after checking all that holds of any page."""
    found = Page(text)
    ids = [attributes["id"] for _, attributes, _ in found.tags if "id" in attributes]
    assert len(ids) == len(set(ids))
    assert not found.all("script", "iframe", "object", "embed", "base", "form", "input")
    for tag, attributes, parents in found.tags:
        assert not [name for name in attributes if name.startswith("on") or name == "style"]
        for name in ("src", "srcset", "poster", "data", "action", "xlink:href"):
            assert attributes.get(name, "data:").startswith("data:"), (tag, attributes)
        if tag == "link":
            assert attributes["href"] == "data:,"
        elif "href" in attributes:
            target = attributes["href"]
            assert tag == "a"
            assert target[1:] in ids or target.startswith("https://arxiv.org/abs/"), target
        if "aria-labelledby" in attributes:
            assert attributes["aria-labelledby"] in ids
        if tag == "th":
            assert "scope" in attributes
        if tag == "svg":
            assert ("aria-hidden" in attributes) != (attributes.get("role") == "img")
        if tag in ("li", "dt"):
            assert parents[-1] in {"li": ("ul",), "dt": ("div",)}[tag]
    for image in found.all("img"):
        assert image["alt"].strip()
    assert found.headings[0] == 1
    assert found.headings.count(1) == 1
    steps = zip(found.headings, found.headings[1:], strict=False)
    assert all(after <= before + 1 for before, after in steps)
    assert len(found.all("table")) == len(found.all("caption"))
    assert len(found.all("main")) == len(found.all("nav")) == 1
    assert found.all("html") == [{"lang": "en", "dir": "ltr"}]
    return found
