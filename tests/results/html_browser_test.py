# SPDX-FileCopyrightText: 2026 The perceiver_bench authors
# SPDX-License-Identifier: Apache-2.0
"""The page in a real browser; skipped where none is installed."""

import browser
import html_made
import pytest

from perceiver_bench.results.cells import Cells
from perceiver_bench.results.html import page

pytestmark = pytest.mark.skipif(bool(browser.missing()), reason=browser.missing())

_TAB, _ENTER = "\ue004", "\ue007"
_PHONE, _DESK = (360, 740), (1280, 900)

_OPEN_ALL = "document.querySelectorAll('details').forEach(one => one.open = true)"
_WIDER = """
const inner = one => one.closest('.scroll, pre');
return [document.documentElement.scrollWidth - innerWidth,
  [...document.querySelectorAll('body *')].filter(one => !inner(one) &&
    one.getBoundingClientRect().right > innerWidth + 1).map(one => one.outerHTML.slice(0, 80))]
"""
# Contrast as WCAG 2.2 defines it, of every visible text against the nearest background.
_CONTRASTS = """
const numbers = text => text.match(/[0-9.]+/g).map(Number);
const light = rgb => {
  const [r, g, b] = rgb.slice(0, 3).map(value => {
    const share = value / 255;
    return share <= 0.04045 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4;
  });
  return 0.2126 * r + 0.7152 * g + 0.0722 * b;
};
const behind = one => {
  for (; one; one = one.parentElement) {
    const found = numbers(getComputedStyle(one).backgroundColor);
    if (found.length < 4 || found[3] === 1) return found;
  }
  throw new Error('no background');
};
const found = [];
const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
while (walker.nextNode()) {
  const one = walker.currentNode.parentElement;
  if (!walker.currentNode.data.trim() || !one.checkVisibility()) continue;
  const style = getComputedStyle(one);
  const [a, b] = [light(numbers(one.closest('svg') ? style.fill : style.color)),
    light(behind(one))];
  found.push([(Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05), one.outerHTML.slice(0, 80)]);
}
return found
"""


@pytest.fixture(scope="module")
def shown(make, tmp_path_factory):
    """A browser, and the page with everything in it."""
    folder = tmp_path_factory.mktemp("report")
    html_made.fill(folder)
    html_made.write_speed(folder / "speed", html_made.speed_document())
    header = ("model", *(f"task_{number} (matthews_correlation)" for number in range(12)))
    page.write_html(
        html_made.every_kind(make),
        html_made.paper_rows,
        folder / "report.html",
        results_dir=folder,
        speed_dir=folder / "speed",
        averages={"glue/average": Cells(header, [("ours", *["50.00 ± 1.00"] * 12)], ("A note",))},
    )
    with browser.browser() as found:
        yield found, folder / "report.html"


@pytest.fixture
def window(shown):
    """The browser at the top of the fresh page, as wide as a desk's."""
    found, path = shown
    found.size(*_DESK)
    found.scheme("light")
    found.open(path)
    return found


def test_page_is_quiet_and_asks_for_nothing(shown, window):
    window.requests()
    window.messages()
    window.open(shown[1])
    assert window.messages() == []
    asked = [one for one in window.requests() if not one.startswith("data:")]
    assert asked == [shown[1].as_uri()]
    widths = window.run("return [...document.images].map(one => one.naturalWidth)")
    assert widths == [8, 8]
    assert window.run("return getComputedStyle(document.querySelector('.bar')).display") == "block"


def test_policy_stops_what_a_hostile_text_would_want(window):
    blocked = window.run(
        """
        const seen = [];
        document.addEventListener('securitypolicyviolation',
          one => seen.push(one.effectiveDirective));
        const script = document.createElement('script');
        script.textContent = 'document.title = "gone"';
        const image = new Image();
        image.src = 'http://127.0.0.1:9/x.png';
        const style = document.createElement('style');
        style.textContent = 'body { display: none }';
        document.body.append(script, image, style);
        return new Promise(done => setTimeout(() => done([seen, document.title,
          getComputedStyle(document.body).display]), 100))
        """
    )
    assert set(blocked[0]) == {"script-src-elem", "img-src", "style-src-elem"}
    assert blocked[1] == "Results of Perceiver IO"
    assert blocked[2] != "none"
    window.messages()


@pytest.mark.parametrize("size", [_PHONE, _DESK], ids=["phone", "desk"])
def test_page_is_never_wider_than_the_screen(window, size):
    window.size(*size)
    assert window.run(_WIDER) == [pytest.approx(0, abs=15), []]
    window.run(_OPEN_ALL)
    excess, wider = window.run(_WIDER)
    assert excess <= 0
    assert wider == []
    inner = (
        "return [...document.querySelectorAll('.scroll')].map(o => o.scrollWidth > o.clientWidth)"
    )
    assert any(window.run(inner))


def test_every_summary_and_wide_table_is_reached_by_tab(window):
    reached = set()
    name = """
    const one = document.activeElement;
    if (!one || one === document.body) return null;
    return [one.tagName + [...document.querySelectorAll('summary, [tabindex="0"], a')].indexOf(one),
      one.tagName === 'SUMMARY' && !one.parentElement.open,
      getComputedStyle(one).outlineStyle]
    """
    first = None
    for _ in range(600):
        window.press([_TAB])
        found = window.run(name)
        if found is None or found[0] == first:
            break
        first = first or found[0]
        reached.add(found[0])
        assert found[2] == "solid"
        if found[1]:
            window.press([_ENTER])
    due = """return [...document.querySelectorAll('summary, [tabindex="0"], a')].map(
      (one, number) => one.tagName + number)"""
    assert set(window.run(due)) <= reached


def test_first_tab_offers_to_skip_to_the_results(window):
    window.press([_TAB])
    place = "return document.activeElement.getBoundingClientRect().left >= 0"
    assert window.run("return document.activeElement.textContent") == "Skip to the results"
    assert window.run(place)
    window.press([_ENTER])
    assert window.run("return document.activeElement.id") == "main"


def test_link_of_a_number_opens_where_it_is_from(window):
    assert not window.run("return document.querySelector('.origin').open")
    opened = window.run(
        """
        const link = document.querySelector('.origins a');
        link.click();
        const target = document.getElementById(link.hash.slice(1));
        return [target.closest('details').open, target.checkVisibility(), target.textContent]
        """
    )
    assert opened[:2] == [True, True]
    assert "records/" in opened[2]


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_texts_have_contrast(window, scheme):
    window.scheme(scheme)
    window.run(_OPEN_ALL)
    found = window.run(_CONTRASTS)
    assert len(found) > 300
    assert [one for one in found if one[0] < 4.5] == []


def test_dark_scheme_is_dark(window):
    color = "return getComputedStyle(document.documentElement).backgroundColor"
    light = window.run(color)
    window.scheme("dark")
    assert window.run(color) == "rgb(21, 23, 26)"
    assert light == "rgb(253, 252, 249)"


def test_closed_parts_are_printed(window):
    is_seen = "return document.querySelector('.origin .facts').checkVisibility()"
    assert not window.run(is_seen)
    window.command("Emulation.setEmulatedMedia", media="print")
    assert window.run(is_seen)
    assert not window.run("return document.querySelector('nav').checkVisibility()")
    assert window.pdf().startswith(b"%PDF-")


@pytest.mark.parametrize("size", [_PHONE, _DESK], ids=["phone", "desk"])
def test_screen_readers_find_landmarks_headings_and_tables(window, size):
    window.size(*size)
    nodes = window.command("Accessibility.getFullAXTree")["nodes"]
    roles: dict[str, list[str]] = {}
    for node in nodes:
        if not node.get("ignored"):
            name = node.get("name", {}).get("value", "")
            roles.setdefault(node["role"]["value"], []).append(name)
    assert roles["main"] == [""]
    assert roles["navigation"] == ["Contents"]
    assert "Against the paper" in roles["heading"]
    assert all(name.strip() for name in roles["region"] + roles["image"] + roles["link"])
    # A place where a long name may break is read as a space.
    (overview,) = (one for one in roles["rowheader"] if one.startswith("glue/ sst2 accuracy (%)"))
    assert "higher is better" in overview
    published = next(one for one in roles["cell"] if "93.17 Perceiver IO" in one)
    # Where the head of the table is not shown, every cell says what it is.
    assert published.startswith("Paper") == (size == _PHONE)
    assert ("Difference" in roles["columnheader"]) == (size == _DESK)
