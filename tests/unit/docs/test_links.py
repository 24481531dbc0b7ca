"""Links, anchors, cited sections and paths exist.

In the pages: relative links with their anchors, and every path of the repository or module that is
named. In the code: pages, sections and ADRs that docstrings and comments cite. In the pages of the
EDGE datasets also each decision's lines *Code*, *Finding* and *Test*, with the functions and
tests that they name.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Final

import pytest

ROOT: Final = Path(__file__).resolve().parents[3]
SOURCE: Final = ROOT / "src/oepnode"
EDGE_SOURCE: Final = SOURCE / "domain/edge"
EDGE_TESTS: Final = ROOT / "tests/unit/domain/edge"
REFERENCE: Final = ROOT / "docs/reference"
FOLDERS: Final = (
    "benchmarks",
    "contracts",
    "docs",
    "hardhat-free-devnet",
    "scripts",
    "src",
    "tests",
)

PAGES: Final = (
    *(ROOT / name for name in ("README.md", "CONTRIBUTING.md", "CHANGELOG.md", "SECURITY.md")),
    ROOT / "hardhat-free-devnet/README.md",
    *sorted((ROOT / "docs").rglob("*.md")),
)
DECISIONS: Final = tuple(sorted((ROOT / "docs/edge").glob("*.md")))
CODE: Final = tuple(
    path
    for folder in ("src", "tests", "contracts/src", "contracts/test", "benchmarks")
    for suffix in ("*.py", "*.sol")
    for path in sorted((ROOT / folder).rglob(suffix))
)

NUMBERS: Final = r"(?P<numbers>\d+(?:\.\d+)*(?:(?:, | and | to |, §| and §| to §)\d+(?:\.\d+)*)*)"
RULES: Final = "docs/spec/rules-v1.md"
CITATIONS: Final = (
    (re.compile(rf"(?P<page>docs/[\w./-]+\.md)`*,? (?:§|sections? ){NUMBERS}"), None),
    (re.compile(rf"\bdesign,? (?:§|sections? ){NUMBERS}"), "docs/design.md"),
    (re.compile(rf"\b[Rr]ules(?:-v1| version 1)(?:\.md)?,? (?:§|sections? ){NUMBERS}"), RULES),
)


def name_of(path: Path) -> str:
    """A file's path in the repository."""
    return path.relative_to(ROOT).as_posix()


@cache
def text_of(path: Path) -> str:
    """A file's text, with the line breaks of paragraphs and comments as single spaces."""
    return re.sub(r"\s*\n\s*(?:#|///?)?\s*", " ", path.read_text("utf-8"))


@cache
def prose_of(page: Path) -> str:
    """A page without its blocks of code."""
    return re.sub(r"^```.*?^```$", "", page.read_text("utf-8"), flags=re.MULTILINE | re.DOTALL)


@cache
def anchors_of(page: Path) -> frozenset[str]:
    """The anchors of a page's headings, as GitHub makes them."""
    seen: dict[str, int] = {}
    anchors = set()
    for heading in re.findall(r"^#{1,6} (.+)$", prose_of(page), re.MULTILINE):
        plain = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading).strip().lower()
        slug = re.sub(r"[^\w\- ]", "", plain).replace(" ", "-")
        repeat = seen.setdefault(slug, 0)
        seen[slug] += 1
        anchors.add(f"{slug}-{repeat}" if repeat else slug)
    return frozenset(anchors)


@cache
def sections_of(page: str) -> frozenset[str]:
    """The numbers of a page's headings."""
    text = (ROOT / page).read_text("utf-8")
    return frozenset(re.findall(r"^#{2,6} (\d+(?:\.\d+)*)\.? ", text, re.MULTILINE))


@cache
def codes() -> frozenset[str]:
    """Codes of findings and rules of faults, of the reference pages."""
    pages = (REFERENCE / name for name in ("edge-codes.md", "rules.md"))
    return frozenset(
        code
        for page in pages
        for code in re.findall(r"^\| `([^`]+)` \|", page.read_text("utf-8"), re.MULTILINE)
    )


def broken_link(page: Path, target: str) -> bool:
    """Whether a relative link leads to no file, or to no heading of its page."""
    path, _, anchor = target.partition("#")
    file = (page.parent / path).resolve() if path else page
    if not file.exists():
        return True
    return bool(anchor) and anchor not in anchors_of(file)


def cited_sections(text: str) -> Iterator[tuple[str, str]]:
    """Every (page, section) that a text cites."""
    for pattern, known in CITATIONS:
        for match in pattern.finditer(text):
            page = known or match["page"]
            first, *others = re.split(r"(, §?| and §?| to §?)", match["numbers"])
            yield page, first
            for word, number in zip(others[::2], others[1::2], strict=True):
                yield page, number
                if "to" in word and number.isdigit() and first.isdigit():
                    yield from ((page, str(n)) for n in range(int(first), int(number)))
                first = number


def is_file_named(name: str) -> bool:
    """Whether a path of the repository exists; ``…``, ``*`` and capital words match any name."""
    pattern = re.sub(r"…|\b(?:N|ID|DIGEST)\b", "*", name).rstrip("/")
    return any(ROOT.glob(pattern)) or (ROOT / name).is_symlink()


def is_module(dotted: str) -> bool:
    """Whether a dotted name is a module of the package, or a name in one."""
    module, parent = (
        SOURCE.parent / name.replace(".", "/") for name in (dotted, dotted.rpartition(".")[0])
    )
    return module.is_dir() or any(path.with_suffix(".py").is_file() for path in (module, parent))


def labelled(page: Path, label: str) -> list[str]:
    """The names in a page's decisions after ``*Code:*``, ``*Finding:*`` or ``*Test:*``."""
    text = re.sub(r"\n(?!\n)", " ", page.read_text("utf-8"))
    lines = re.findall(rf"\*{label}:\* ((?:`[^`]+`(?:, )?)+)", text)
    return [name for line in lines for name in re.findall(r"`([^`]+)`", line)]


def located(base: Path, name: str) -> Path:
    """A path that a decision names: of the repository, or below a base."""
    return ROOT / name if name.startswith(("src/", "tests/")) else base / name


@cache
def definitions_of(file: Path) -> frozenset[str]:
    """The functions and classes of a Python file, and its methods as ``Class.method``."""
    kinds = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
    names = set()
    for node in ast.parse(file.read_text("utf-8")).body:
        if isinstance(node, kinds):
            names.add(node.name)
            inner = node.body if isinstance(node, ast.ClassDef) else []
            names.update(f"{node.name}.{part.name}" for part in inner if isinstance(part, kinds))
    return frozenset(names)


def is_defined(base: Path, entry: str) -> bool:
    """Whether a file is there, and in ``file.py: name`` the function, class or test as well."""
    name, _, definition = entry.partition(": ")
    file = located(base, name)
    return file.is_file() and (not definition or definition in definitions_of(file))


# --- pages ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_relative_links_and_anchors_exist(page: Path) -> None:
    targets = re.findall(r"\]\(([^)\s]+)\)", prose_of(page))
    relative = [target for target in targets if not re.match(r"[a-z]+:", target)]
    assert [target for target in relative if broken_link(page, target)] == []


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_named_paths_exist(page: Path) -> None:
    quoted = re.findall(r"`([^`\s]+)`", prose_of(page))
    paths = [name for name in quoted if name.partition("/")[0] in FOLDERS and "/" in name]
    paths = [name for name in paths if not name.endswith("/node_modules")]  # made by the set-up
    assert [name for name in paths if not is_file_named(name)] == []


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_named_modules_exist(page: Path) -> None:
    dotted = re.findall(r"`(oepnode(?:\.\w+)+)`", prose_of(page))
    assert [name for name in dotted if not is_module(name)] == []
    short = re.findall(r"`((?:\w+/)*\w+\.py)`", prose_of(page))
    ends = {f"/{name_of(file)}" for file in CODE}
    assert [name for name in short if not any(end.endswith(f"/{name}") for end in ends)] == []


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_cited_sections_of_pages_exist(page: Path) -> None:
    assert [cited for cited in cited_sections(text_of(page)) if not is_section(*cited)] == []


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_sections_of_linked_pages_exist(page: Path) -> None:
    link, numbers = r"\[[^\]]*\]\((?P<page>[^)#]+\.md)\)", NUMBERS
    forms = (rf"{link},? sections? {numbers}", rf"sections? {numbers} of\s{link}")
    matches = (match for form in forms for match in re.finditer(form, text_of(page)))
    cited = [
        (name_of((page.parent / match["page"]).resolve()), number)
        for match in matches
        for number in re.findall(r"[\d.]+", match["numbers"])
    ]
    assert [section for section in cited if not is_section(*section)] == []


def is_section(page: str, number: str) -> bool:
    """Whether a page has a heading with this number."""
    return (ROOT / page).is_file() and number in sections_of(page)


def test_the_modules_in_the_table_of_rounds_exist() -> None:
    page = prose_of(ROOT / "docs/architecture.md")
    table = page.partition("| concern | modules of `domain/rounds` |")[2].partition("\n\n")[0]
    names = [name for row in table.splitlines()[2:] for name in re.findall(r"`(\w+)`", row)]
    assert len(names) > 10
    known = {path.stem for path in (SOURCE / "domain/rounds").rglob("*")}
    assert [name for name in names if name not in known] == []


# --- decisions on the EDGE datasets --------------------------------------------------------------


@pytest.mark.parametrize("page", DECISIONS, ids=name_of)
def test_code_named_by_a_decision_exists(page: Path) -> None:
    names = labelled(page, "Code")
    assert names
    assert [name for name in names if not is_defined(EDGE_SOURCE, name)] == []


@pytest.mark.parametrize("page", DECISIONS, ids=name_of)
def test_tests_named_by_a_decision_exist(page: Path) -> None:
    names = labelled(page, "Test")
    assert names
    assert [name for name in names if not is_defined(EDGE_TESTS, name)] == []


@pytest.mark.parametrize("page", DECISIONS, ids=name_of)
def test_finding_codes_named_by_a_decision_exist(page: Path) -> None:
    assert [code for code in labelled(page, "Finding") if code not in codes()] == []


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_definitions_that_a_page_names_exist(page: Path) -> None:
    entries = re.findall(r"`((?:src|tests)/[\w/]+\.py: [\w.]+)`", text_of(page))
    assert [entry for entry in entries if not is_defined(ROOT, entry)] == []


# --- code ----------------------------------------------------------------------------------------


def test_pages_that_code_names_exist() -> None:
    missing = [
        (name_of(file), page)
        for file in CODE
        for page in re.findall(r"\bdocs/[\w./-]+\.md", text_of(file))
        if not (ROOT / page).is_file()
    ]
    assert missing == []


def test_sections_that_code_cites_exist() -> None:
    missing = [
        (name_of(file), *cited)
        for file in CODE
        for cited in cited_sections(text_of(file))
        if not is_section(*cited)
    ]
    assert missing == []


def test_adrs_that_are_cited_exist() -> None:
    known = {int(path.name[:4]) for path in (ROOT / "docs/adr").glob("*.md")}
    missing = [
        (name_of(file), number)
        for file in (*CODE, *PAGES)
        for number in re.findall(r"\bADR \[?(\d+)|docs/adr/(\d{4})", text_of(file))
        if int(number[0] or number[1]) not in known
    ]
    assert missing == []


# --- the checks themselves -----------------------------------------------------------------------


def test_citations_are_found_in_every_form() -> None:
    design, bundle = "docs/design.md", "docs/spec/bundle.md"
    forms = {
        "Source: design section 9.": [(design, "9")],
        "design sections 1, 3 and 4;": [(design, "1"), (design, "3"), (design, "4")],
        "design section 2, steps 4 to 6": [(design, "2")],
        "``docs/design.md §2``": [(design, "2")],
        "docs/design.md §1 and §4": [(design, "1"), (design, "4")],
        "``docs/spec/bundle.md`` section 3": [(bundle, "3")],
        "rules-v1 sections 3 to 5": [(RULES, "3"), (RULES, "5"), (RULES, "3"), (RULES, "4")],
    }
    for text, expected in forms.items():
        assert list(cited_sections(text)) == expected


def test_a_link_that_leads_nowhere_is_noticed() -> None:
    page = ROOT / "docs/design.md"
    assert not broken_link(page, "glossary.md#a-round")
    assert broken_link(page, "glossary.md#no-such-heading")
    assert broken_link(page, "no-such-page.md")


def test_a_definition_that_does_not_exist_is_noticed() -> None:
    this = "tests/unit/docs/test_links.py"
    assert is_defined(ROOT, this)
    assert is_defined(ROOT, f"{this}: is_defined")
    assert not is_defined(ROOT, f"{this}: no_such_function")
    assert not is_defined(ROOT, "tests/unit/docs/no_such_file.py: is_defined")
    assert is_defined(EDGE_SOURCE, "timeseries/tolerance.py: Tolerance.allowance")
    assert not is_defined(EDGE_SOURCE, "timeseries/tolerance.py: allowance")
