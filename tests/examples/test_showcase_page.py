"""The showcase's page: usable by keyboard and screen reader, readable in both themes, nothing from elsewhere.

The criteria are those of WCAG 2.2, named in each test.
"""

from __future__ import annotations

import ast
import re
from dataclasses import dataclass, field
from html.parser import HTMLParser
from itertools import pairwise
from pathlib import Path
from typing import Final

import pytest
from typing_extensions import override

from examples.showcase import media
from examples.showcase.app import app
from heaven_core.testing import Client, Disk

ROOT: Final = Path(__file__).parents[2]
SHOWCASE: Final = ROOT / "examples" / "showcase"
PAGE: Final = SHOWCASE / "page"
STYLE: Final = (PAGE / "style.css").read_text("utf-8")
SCRIPT: Final = (PAGE / "script.js").read_text("utf-8")

VOID: Final = frozenset({"img", "input", "link", "meta"})
FIELDS: Final = frozenset({"input", "select", "textarea"})
CONTROLS: Final = FIELDS | {"a", "button"}
# What a user could operate but which is neither a link, a button nor a field.
OTHER_INTERACTIVE: Final = frozenset({"details", "summary", "dialog", "video", "iframe", "object", "embed"})


@dataclass(eq=False)
class Element:
    tag: str
    attributes: dict[str, str]
    parent: Element | None
    pieces: list[str] = field(default_factory=list[str])

    @property
    def text(self) -> str:
        return " ".join("".join(self.pieces).split())

    def is_inside(self, other: Element) -> bool:
        return self.parent is not None and (self.parent is other or self.parent.is_inside(other))


class Page(HTMLParser):
    """The elements in order. Every tag that is opened has to be closed, by a tag of the same name."""

    def __init__(self) -> None:
        super().__init__()
        self.elements: list[Element] = []
        self.open: list[Element] = []
        self.feed((PAGE / "index.html").read_text("utf-8"))
        self.close()
        assert not self.open, f"not closed: {self.open}"

    @override
    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        names = [name for name, _ in attrs]
        assert len(names) == len(set(names)), f"an attribute twice: {self.get_starttag_text()}"
        parent = self.open[-1] if self.open else None
        element = Element(tag, {name: value or "" for name, value in attrs}, parent)
        self.elements.append(element)
        if tag not in VOID:
            self.open.append(element)

    @override
    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop().tag == tag, f"</{tag}> at line {self.getpos()[0]} closes something else"

    @override
    def handle_data(self, data: str) -> None:
        for element in self.open:
            element.pieces.append(data)

    def all(self, *tags: str) -> list[Element]:
        return [element for element in self.elements if element.tag in tags]

    def with_id(self, name: str) -> Element:
        (found,) = [element for element in self.elements if element.attributes.get("id") == name]
        return found


@pytest.fixture
def client() -> Client:
    files = [path for path in SHOWCASE.rglob("*") if path.parent in (PAGE, SHOWCASE / "samples")]
    contents = {str(path): path.read_bytes() for path in files}
    return Client(app, disk=Disk(contents | {str(media.recording.path): b"RIFF"}))


@pytest.fixture(scope="module")
def page() -> Page:
    return Page()


def test_says_its_language_and_its_title(page: Page) -> None:
    """WCAG 3.1.1 and 2.4.2."""
    (html,) = page.all("html")
    assert html.attributes["lang"] == "en"
    (title,) = page.all("title")
    assert "heaven-core" in title.text


def test_can_be_zoomed_and_is_as_wide_as_the_screen(page: Page) -> None:
    """WCAG 1.4.4 and 1.4.10."""
    (viewport,) = [e.attributes["content"] for e in page.all("meta") if e.attributes.get("name") == "viewport"]
    assert viewport == "width=device-width, initial-scale=1"


def test_the_first_control_skips_to_the_main_part(page: Page) -> None:
    """WCAG 2.4.1."""
    first = next(element for element in page.elements if element.tag in CONTROLS)
    assert first.tag == "a"
    target = page.with_id(first.attributes["href"].removeprefix("#"))
    assert target.tag == "main"
    assert target.attributes["tabindex"] == "-1", "so that the focus moves, and not only the view"


def test_has_one_of_each_landmark(page: Page) -> None:
    """WCAG 1.3.1."""
    for tag in ("header", "nav", "main", "footer"):
        assert len(page.all(tag)) == 1, tag


def test_headings_are_in_order(page: Page) -> None:
    """WCAG 1.3.1: one h1, first, and no level left out on the way down."""
    headings = page.all("h1", "h2", "h3", "h4", "h5", "h6")
    levels = [int(heading.tag[1]) for heading in headings]
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(after <= before + 1 for before, after in pairwise(levels))
    assert all(heading.text for heading in headings)


def test_ids_are_unique_and_every_reference_leads_to_one(page: Page) -> None:
    ids = [element.attributes["id"] for element in page.elements if "id" in element.attributes]
    assert len(ids) == len(set(ids))
    references = [
        element.attributes[name].removeprefix("#")
        for element in page.elements
        for name in ("for", "aria-labelledby", "aria-describedby", "href")
        if name in element.attributes and not element.attributes[name].startswith("/")
    ]
    assert set(references) <= set(ids)


def test_every_control_is_a_link_a_button_a_player_or_a_labelled_field(page: Page) -> None:
    """WCAG 2.1.1 and 4.1.2: native elements only, each with a name."""
    assert not page.all(*OTHER_INTERACTIVE)
    labels = {label.attributes["for"]: label.text for label in page.all("label")}
    for element in page.elements:
        if element.tag == "a":
            assert element.attributes["href"]
            assert element.text
        elif element.tag == "button":
            assert element.attributes["type"] == "submit"
            assert element.text
        elif element.tag in FIELDS:
            assert labels[element.attributes["id"]], element
        elif element.tag == "audio":
            assert "controls" in element.attributes, "the browser's own: they take the keyboard"
            assert page.with_id(element.attributes["aria-labelledby"]).text
            assert "tabindex" not in element.attributes, element
        else:
            assert not element.attributes.keys() & {"role", "contenteditable"}, element
            assert element.tag == "main" or "tabindex" not in element.attributes, element
        handlers = [name for name in element.attributes if name.startswith("on")]
        assert not handlers, f"{handlers} on {element}: what happens belongs in the script"


def test_no_sound_plays_unasked(page: Page) -> None:
    """WCAG 1.4.2 and 1.2.1: no sound before the user starts it, and what is to be heard is described beside it."""
    (audio,) = page.all("audio")
    assert not audio.attributes.keys() & {"autoplay", "loop"}
    assert audio.attributes["preload"] == "metadata", "nor is all of it fetched unasked"
    beside = [element.text for element in page.all("p") if element.parent is audio.parent]
    assert "Bach" in beside[0]


def test_every_button_belongs_to_a_form_that_works_without_the_script(page: Page) -> None:
    for button in page.all("button"):
        (form,) = [form for form in page.all("form") if button.is_inside(form)]
        assert form.attributes["action"].startswith("/")


def test_results_are_in_live_regions(page: Page) -> None:
    """WCAG 4.1.3. Each form has, beside it, a status and a body that are announced.

    The head in between is not: it is long, and there to be read.
    """
    for form in page.all("form"):
        beside = [element for element in page.elements if element.parent is form.parent]
        after = beside[beside.index(form) + 1 :]
        assert [element.attributes["class"] for element in after] == ["status", "head", "body"]
        assert after[0].attributes["aria-live"] == after[2].attributes["aria-live"] == "polite"


def test_the_script_writes_nowhere_but_into_the_results() -> None:
    assert set(re.findall(r'querySelector\("([^"]+)"\)', SCRIPT)) == {".status", ".head", ".body"}
    assert "getElementById" not in SCRIPT
    assert "querySelectorAll" not in SCRIPT
    assert "innerHTML" not in SCRIPT, "what a server sends is text, not markup"


def test_every_picture_has_an_alternative(page: Page) -> None:
    """WCAG 1.1.1. That of the picture which the script shows is at its form."""
    assert all("alt" in image.attributes for image in page.all("img"))
    assert any(form.attributes.get("data-alt") for form in page.all("form"))
    assert "image.alt = this.alt" in SCRIPT


def test_the_page_loads_nothing_from_elsewhere(page: Page) -> None:
    """The page works without internet: every address is a path of this server, and no file names another."""
    for element in page.elements:
        for name in ("href", "src", "action", "data-path", "data-outcome"):
            assert re.match(r"(?:#|/(?!/)|$)", element.attributes.get(name, "")), element
        assert "style" not in element.attributes, "the policy of the page refuses it"
    assert "url(" not in STYLE
    assert "@import" not in STYLE
    assert "://" not in STYLE + SCRIPT
    for picture in (*SHOWCASE.glob("samples/*.svg"), *PAGE.glob("*.svg")):
        text = picture.read_text("utf-8").replace('xmlns="http://www.w3.org/2000/svg"', "")
        assert "://" not in text
        assert "href" not in text


def test_every_address_on_the_page_is_answered(page: Page, client: Client) -> None:
    for element in page.elements:
        for name in ("href", "src"):
            path = element.attributes.get(name, "")
            if path.startswith("/"):
                assert client.get(path).status == 200, path


def test_every_form_asks_for_something_that_the_app_has(page: Page, client: Client) -> None:
    """Each method and path: of the form, of its other buttons, and of what the script puts in their place."""
    asked: set[tuple[str, str]] = set()
    for form in page.all("form"):
        method = form.attributes.get("method", "get").upper()
        paths = [
            form.attributes["action"],
            form.attributes.get("data-path", ""),
            form.attributes.get("data-outcome", ""),
        ]
        asked |= {(method, re.sub(r"\{\w+\}", "1", path)) for path in paths if path}
        asked |= {
            (button.attributes["data-method"], form.attributes["action"])
            for button in page.all("button")
            if button.is_inside(form) and "data-method" in button.attributes
        }
    assert len(asked) > 12
    for method, path in asked:
        assert method in (client.request("OPTIONS", path).headers.get("allow") or "").split(", "), (method, path)


def test_the_script_asks_for_nothing_of_its_own(client: Client) -> None:
    """What it fetches is written at a form, or was in an answer."""
    assert re.findall(r"""["'`]/\w[^"'`]*""", SCRIPT) == []
    assert set(re.findall(r"fetch\(([^,()]+)", SCRIPT)) == {"address", "path", "response.headers.get"}


def test_code_on_the_page_is_the_code_that_runs(page: Page) -> None:
    shown = 0
    for code in page.all("code"):
        if "data-source" in code.attributes:
            module, _, name = code.attributes["data-source"].partition(".")
            assert "".join(code.pieces) == source_of(SHOWCASE / f"{module}.py", name), code.attributes
            shown += 1
    assert shown >= 10


def source_of(path: Path, name: str) -> str:
    text = path.read_text("utf-8")
    for node in ast.parse(text).body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name == name:
            source = ast.get_source_segment(text, node)
            assert source is not None
            return source
    raise AssertionError(f"there is no {name} in {path}")


def test_registration_on_the_page_is_that_of_the_app(page: Page) -> None:
    app = (SHOWCASE / "app.py").read_text("utf-8")
    (lines,) = [code.text for code in page.all("code") if code.text.startswith("app.")]
    assert lines in " ".join(app.split())


def test_the_focus_is_always_visible() -> None:
    """WCAG 2.4.7. Only the target of the skip link, which is no control, goes without."""
    assert re.search(r":focus-visible \{ outline: 3px solid var\(--link\)", STYLE)
    assert re.findall(r"([^{}\n]*)\{[^}]*outline: (?:none|0)", STYLE) == ["main:focus "]


def test_motion_only_for_those_who_like_it() -> None:
    """WCAG 2.3.3."""
    without = re.sub(r"@media \(prefers-reduced-motion: no-preference\) \{.*?\n\}", "", STYLE, flags=re.DOTALL)
    assert without != STYLE
    assert not re.search(r"animation|transition|scroll-behavior|@keyframes", without)


def test_no_part_of_the_page_is_wider_than_320_pixels() -> None:
    """WCAG 1.4.10, as far as a style sheet can tell: no width in pixels or rem that does not give way."""
    assert not re.search(r"[ ;{](?:min-)?width: *\d[\d.]*(?:px|rem)", re.sub(r"@media[^{]*", "", STYLE))
    assert "white-space: pre-wrap" in STYLE
    assert "overflow-wrap: anywhere" in STYLE


TEXT_ON: Final = (
    ("ink", "paper"),
    ("ink", "panel"),
    ("ink", "code"),
    ("soft", "paper"),
    ("link", "paper"),
    ("link", "panel"),
    ("button-ink", "button"),
    ("good", "paper"),
    ("moved", "paper"),
    ("refused", "paper"),
    ("failed", "paper"),
    ("night-ink", "night"),
    ("night-soft", "night"),
)
EDGE_ON: Final = (("soft", "paper"), ("button", "paper"), ("link", "paper"), ("night-ink", "night"))


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize(("front", "back"), TEXT_ON)
def test_text_is_readable(theme: str, front: str, back: str) -> None:
    """WCAG 1.4.3: 4.5 to 1."""
    assert contrast(theme, front, back) >= 4.5


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize(("front", "back"), EDGE_ON)
def test_edges_of_controls_and_of_the_focus_are_visible(theme: str, front: str, back: str) -> None:
    """WCAG 1.4.11: 3 to 1."""
    assert contrast(theme, front, back) >= 3


def test_the_status_is_not_told_by_its_colour_alone() -> None:
    """WCAG 1.4.1: the number stands there, too."""
    assert "`${response.status} ${response.statusText}`" in SCRIPT


def contrast(theme: str, front: str, back: str) -> float:
    """The ratio of two colours, as WCAG 2.2 defines it."""
    light, _, rest = STYLE.partition("@media (prefers-color-scheme: dark)")
    colours = dict(re.findall(r"--([\w-]+): (#[0-9a-f]{6});", light))
    if theme == "dark":
        colours |= dict(re.findall(r"--([\w-]+): (#[0-9a-f]{6});", rest))
    low, high = sorted((luminance(colours[front]), luminance(colours[back])))
    return (high + 0.05) / (low + 0.05)


def luminance(colour: str) -> float:
    parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    red, green, blue = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue
