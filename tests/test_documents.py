"""The documents say what there is: every file has its line, links lead somewhere, and what is named exists."""

import re
from pathlib import Path

import pytest

from tests import ROOT
from tests.builders.tools import module_of

DOCUMENTS = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), *(ROOT / "datasets").rglob("*.md")])
LINK = re.compile(r"!?\[[^\]]*\]\(([^)\s]+)\)|<(?:img|source)[^>]* src(?:set)?=\"([^\"]+)\"|<a [^>]*href=\"([^\"]+)\"")
# Files and folders of this repository in `code`, as prose names them.
NAMED = re.compile(r"`((?:lvc|tests|tools|docs|datasets|examples|packaging)/[A-Za-z0-9_./-]+)`")


def named(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def without_programs(text: str) -> str:
    """A document without its blocks of code, in which brackets are no links."""
    return re.sub(r"^```.*?^```", "", text, flags=re.DOTALL | re.MULTILINE)


def anchors(text: str) -> set[str]:
    """What links may name in a document: its headings as GitHub writes them, small and joined by dashes."""
    titles = re.findall(r"^#+ (.*)$", without_programs(text), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title.lower()).strip().replace(" ", "-") for title in titles}


def links(text: str) -> list[str]:
    return [next(filter(None, found)) for found in LINK.findall(without_programs(text))]


def test_links_are_found():
    assert links('[a](b.md) ![c](d/e.png) <img src="f.png" width="3">\n```\n[no](link)\n```\n') == [
        "b.md",
        "d/e.png",
        "f.png",
    ]
    assert anchors("# One: the `Reader`'s\n## two_three") == {"one-the-readers", "two_three"}
    assert sum(len(links(path.read_text())) for path in DOCUMENTS) > 20


@pytest.mark.parametrize("document", DOCUMENTS, ids=named)
def test_relative_links_lead_somewhere(document):
    for link in links(document.read_text()):
        if re.match(r"[a-z]+:", link):
            continue  # another site's
        name, _, anchor = link.partition("#")
        target = document.parent / name if name else document
        assert target.exists(), link
        if anchor and target.suffix == ".md":
            assert anchor in anchors(target.read_text()), link


@pytest.mark.parametrize("document", [path for path in DOCUMENTS if path.name != "CHANGELOG.md"], ids=named)
def test_files_that_are_named_exist(document):
    for name in NAMED.findall(document.read_text()):
        assert (ROOT / name).exists() or (document.parent / name).exists(), name


def test_every_file_of_the_package_has_its_line():
    """`python tools/list_files.py` writes the lines."""
    tool = module_of("list_files")
    page = (ROOT / "docs" / "structure.md").read_text()
    assert tool.page_with(page, tool.listing()) == page
    described = {path.name: tool.described(path) for path in tool.files(ROOT / "lvc")}
    assert not [name for name, text in described.items() if not text], "files that say nothing of themselves"


def test_the_way_of_a_frame_names_functions_that_there_are():
    page = (ROOT / "docs" / "structure.md").read_text()
    way = page.split("## The way of a frame")[1].split("\n## ")[0]
    named_functions = [
        (file, name)
        for file, names in re.findall(r"`(lvc/[a-z_/]+\.(?:py|c))`: ((?:`\w+`[^`;\n]*)+)", way)
        for name in re.findall(r"`(\w+)`", names)
    ]
    assert len(named_functions) > 35
    for file, name in named_functions:
        text = (ROOT / file).read_text()
        defined = rf"^\s*(?:def|class) {name}\b" if file.endswith(".py") else rf"^\w.*\b{name}\("
        assert re.search(defined, text, re.MULTILINE), f"{file}: {name}"
