"""Checks that the pages of a built site load nothing from elsewhere.

    python tools/docs/check_site.py build/docs

Links that a reader may follow are fine; scripts, styles, fonts, pictures and frames must lie in the
folder, and so must the pages and places that pages link to.
"""

from __future__ import annotations

import re
import sys
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

LOADED = {("link", "href"), ("use", "href"), ("image", "href")}  # beside every src
OUTSIDE = re.compile(r"(?:[a-z][a-z0-9+.-]*:)?//", re.IGNORECASE)
IN_STYLES = re.compile(r"""(?:url\(|@import)\s*['"]?((?:https?:)?//[^'")\s;]+)""", re.IGNORECASE)
# The theme's script can load these, for features that our pages do not have; see `features`.
DORMANT = {
    "https://unpkg.com/mermaid": 'class="mermaid"',
    "https://unpkg.com/resize-observer-polyfill": None,  # browsers of before 2020
    "https://api.github.com/repos/": 'data-md-component="source"',
    "https://api.github.com/users/": 'data-md-component="source"',
}
COMMENT = re.compile(r"/\*.*?\*/", re.DOTALL)
IN_SCRIPTS = re.compile(r"https?://[\w./-]+")


class Page(HTMLParser):
    """What a page loads, what it links to, and the places in it."""

    def __init__(self, text: str):
        super().__init__()
        self.loads: list[str] = []
        self.links: list[str] = []
        self.places: set[str] = set()
        self.inside = ""
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        values = {name: value or "" for name, value in attributes}
        self.inside = tag
        self.places |= {values[key] for key in ("id", "name") if key in values}
        for name, value in values.items():
            if name == "srcset":
                self.loads += [part.split()[0] for part in value.split(",") if part.strip()]
            elif name in ("src", "poster", "data") or (tag, name) in LOADED:
                if not (tag == "link" and values.get("rel") in ("canonical", "next", "prev")):
                    self.loads.append(value)
            elif tag == "a" and name == "href":
                self.links.append(value)
            elif name == "style":
                self.loads += IN_STYLES.findall(value)

    handle_startendtag = handle_starttag

    def handle_data(self, data):
        if self.inside == "style":
            self.loads += IN_STYLES.findall(data)
        elif self.inside == "script":
            self.loads += re.findall(r"""(?:fetch|import)\(\s*['"]([^'"]+)""", data)


def problems(site: Path) -> list[str]:
    pages = {path: Page(path.read_text()) for path in site.rglob("*.html")}
    texts = "".join(path.read_text() for path in pages)
    found = [] if pages else [f"{site} has no pages"]
    for path, page in pages.items():
        name = path.relative_to(site)
        found += [f"{name} loads {target}" for target in page.loads if OUTSIDE.match(target)]
        for target in [*page.links, *page.loads]:
            if problem := dead(target, path, pages, site):
                found.append(f"{name}: {problem}")
    for path in site.rglob("*.css"):
        text = COMMENT.sub("", path.read_text())
        found += [f"{path.relative_to(site)} loads {url}" for url in IN_STYLES.findall(text)]
    for path in site.rglob("*.js"):
        if path.name == "search_index.js":
            continue  # texts of the pages
        for url in sorted(set(IN_SCRIPTS.findall(COMMENT.sub("", path.read_text())))):
            if url.startswith("https://bit.ly/") or url.startswith("http://www.w3.org/"):
                continue  # a text in a message, the name of a namespace
            if url not in DORMANT or (DORMANT[url] and DORMANT[url] in texts):
                found.append(f"{path.relative_to(site)} may load {url}")
    return found


def dead(target: str, path: Path, pages: dict[Path, Page], site: Path) -> str | None:
    """What is wrong with a link into the site."""
    parts = urlsplit(target)
    if parts.scheme or parts.netloc or target in ("", "#"):
        return None
    base = site if parts.path.startswith("/") else path.parent
    file = (base / unquote(parts.path).lstrip("/")).resolve() if parts.path else path
    file = file / "index.html" if file.is_dir() else file
    if not file.exists() and path.name != "404.html":
        return f"{target} leads nowhere"
    if parts.fragment and file in pages and unquote(parts.fragment) not in pages[file].places:
        return f"{target} leads to no place in {file.name}"
    return None


if __name__ == "__main__":
    wrong = problems(Path(sys.argv[1]).resolve())
    sys.exit("\n".join([*wrong[:100], f"{len(wrong)} problems"]) if wrong else 0)
