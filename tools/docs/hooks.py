"""What mkdocs does not do by itself for heddle's pages (hooks of mkdocs.yml).

- Pages that are generated: the reference of the Python package, CONTRIBUTING.md.
- The reference of C++ headers, where a page says `<!-- reference: heddle/io.h ... -->`; every
  public header stands on one page.
- Pictures: `<!-- picture: benchmarks -->` and the like are drawn as the page is built.
- Formulas: LaTeX becomes MathML, which browsers show without a script.
"""

from __future__ import annotations

import html
import re
import shutil
import sys
from pathlib import Path

from latex2mathml.converter import convert
from mkdocs.exceptions import PluginError
from mkdocs.structure.files import File

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
sys.path.insert(0, str(HERE))

import cpp_reference  # noqa: E402
import pictures  # noqa: E402
import python_reference  # noqa: E402

INCLUDE = ROOT / "include"
SOURCES = ROOT / "build" / "docs-sources"
STUBS = ROOT / "build" / "release" / "stubs"
REFERENCE = re.compile(r"^<!-- reference: (?P<headers>.+?) -->$", re.MULTILINE | re.DOTALL)
PICTURE = re.compile(r"^<!-- picture: (?P<name>\w+) -->$", re.MULTILINE)
FORMULA = re.compile(r'<(span|div) class="arithmatex">\\([\[(])(.*?)\\[\])]</\1>', re.DOTALL)
PYTHON_PAGES = "python/"  # the entry of mkdocs.yml's nav that is replaced

shown_headers: dict[str, str] = {}  # by the page that shows them


def on_startup(command, dirty):
    if not STUBS.exists():
        raise PluginError(
            f"{STUBS} is not there: cmake --build build/release --target heddle_stubs"
        )
    python_reference.link_sources(STUBS, SOURCES)


def on_config(config):
    config.extra["python_pages"] = python_reference.pages(SOURCES)
    generated = [{title: path} for path, (title, _) in config.extra["python_pages"].items()]
    for entry in config.nav:
        for title, value in entry.items():
            if value == PYTHON_PAGES:
                entry[title] = generated
    shown_headers.clear()
    return config


def on_files(files, config):
    for path, (_, text) in config.extra["python_pages"].items():
        files.append(File.generated(config, path, content=text))
    contributing = (ROOT / "CONTRIBUTING.md").read_text().replace("](docs/", "](")
    files.append(File.generated(config, "contributing.md", content=contributing))
    return files


def on_page_markdown(markdown, page, config, files):
    def headers(found: re.Match[str]) -> str:
        sections = []
        for name in found["headers"].split():
            if name in shown_headers:
                raise PluginError(f"{name} is on {shown_headers[name]} and on {page.file.src_uri}")
            shown_headers[name] = page.file.src_uri
            sections.append(cpp_reference.reference(INCLUDE / name, INCLUDE))
        return "\n".join(sections)

    def picture(found: re.Match[str]) -> str:
        return pictures.draw(found["name"], markdown[: found.start()])

    markdown = PICTURE.sub(picture, markdown)
    return REFERENCE.sub(headers, markdown)


def on_page_content(content, page, config, files):
    def formula(found: re.Match[str]) -> str:
        display = "block" if found[2] == "[" else "inline"
        return convert(html.unescape(found[3]), display=display)

    return FORMULA.sub(formula, content)


def on_post_build(config):
    # Other languages' word stems for the search, which English does not load.
    shutil.rmtree(Path(config.site_dir) / "assets" / "javascripts" / "lunr", ignore_errors=True)
    headers = {path.relative_to(INCLUDE).as_posix() for path in INCLUDE.glob("heddle/**/*.h")}
    if missing := headers - set(shown_headers):
        raise PluginError(f"no page shows {', '.join(sorted(missing))}")
