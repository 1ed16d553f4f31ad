"""The house itself: layout and tidiness rules that no linter knows."""

import ast
import re
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
ROOTS = ("relayer", "adapters", "microgrids")
FUNCTION_LINES_MAX = 70
FILE_LINES_MAX = 400
OWN_IMPORTS_MAX = 40
"""Composition roots import what they compose; everything else stays far below."""
LEFTOVER = re.compile(
    r"NotImplementedError|\b(TODO|FIXME|XXX|HACK)\b|\bplaceholder\b|for now,? we"
    r"|MagicMock|unittest\.mock"
)
GENERATED = "generated"


def sources() -> list[Path]:
    """All shipped Python files."""
    return [
        path
        for root in ROOTS
        for path in sorted((ROOT / root).rglob("*.py"))
        if GENERATED not in path.parts
    ]


def packages() -> list[Path]:
    """All package folders right under the namespace."""
    return [
        folder
        for root in ROOTS
        for folder in sorted((ROOT / root / "tieline").iterdir())
        if (folder / "__init__.py").exists()
    ]


def markdown() -> list[Path]:
    """All pages of ours."""
    own = ("docs", "relayer", "adapters", "microgrids", "proto", "deploy")
    pages = [page for folder in own for page in sorted((ROOT / folder).rglob("*.md"))]
    return sorted(ROOT.glob("*.md")) + [page for page in pages if "node_modules" not in page.parts]


def test_namespace_has_no_init() -> None:
    """`tieline` is one namespace over three roots; an __init__.py hides the others."""
    assert not list(ROOT.glob("*/tieline/__init__.py"))


def test_proto_is_not_a_package() -> None:
    """`proto` is the import name of proto-plus; our folder holds schemas only."""
    assert not list((ROOT / "proto").rglob("*.py"))


def test_every_package_is_typed() -> None:
    """`py.typed` in every portion, or type checkers of our users see nothing."""
    assert not [str(p.relative_to(ROOT)) for p in packages() if not (p / "py.typed").exists()]


def test_every_package_is_under_the_import_rules() -> None:
    """A package that import-linter does not list is unchecked in silence."""
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text())
    listed = set(settings["tool"]["importlinter"]["root_packages"])
    assert {f"tieline.{p.name}" for p in packages()} == listed


def test_every_package_is_on_the_map() -> None:
    """ARCHITECTURE's code map has a line for each package, and for no other."""
    text = (ROOT / "ARCHITECTURE.md").read_text()
    missing = [p.name for p in packages() if str(p.relative_to(ROOT)) not in text]
    assert not missing
    named = re.findall(r"`((?:relayer|adapters|microgrids)/tieline/[a-z_/]+)`", text)
    assert not [name for name in named if not (ROOT / name).is_dir()]


@pytest.mark.parametrize("path", sources(), ids=lambda p: str(p.relative_to(ROOT)))
def test_files_and_functions_can_be_held_in_the_head(path: Path) -> None:
    """Files, functions and lines have a longest length; nothing is left for later."""
    text = path.read_text(encoding="utf-8")
    lines = text.splitlines()
    assert len(lines) <= FILE_LINES_MAX, f"{len(lines)} lines: more than one thought?"
    assert not [n for n, line in enumerate(lines, 1) if len(line) > 100]
    assert not LEFTOVER.findall(text)
    tree = ast.parse(text)
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            assert node.end_lineno is not None
            length = node.end_lineno - node.lineno + 1
            assert length <= FUNCTION_LINES_MAX, f"{node.name}: {length} lines"
    own = {
        node.module
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("tieline.")
    }
    assert len(own) <= OWN_IMPORTS_MAX
    assert ast.get_docstring(tree), "every module says what concept it holds"


@pytest.mark.parametrize("path", markdown(), ids=lambda p: str(p.relative_to(ROOT)))
def test_pages_have_one_title_and_sound_links(path: Path) -> None:
    """One `# ` a page, and every relative link leads somewhere."""
    text = re.sub(r"```.*?```", "", path.read_text(encoding="utf-8"), flags=re.DOTALL)
    assert len(re.findall(r"^# ", text, flags=re.MULTILINE)) == 1
    for target in re.findall(r"\]\(([^)#]+)\)", text):
        if "://" not in target:
            assert (path.parent / target).exists(), target


def test_no_path_of_one_machine_and_no_registry_host() -> None:
    """What is committed must hold on any machine."""
    pattern = re.compile(
        r"(?:^|[^\w.])/(?:work|root|home)/|pypi\.org|registry\.npmjs|proxy\.golang"
    )
    found = [
        f"{path.relative_to(ROOT)}:{number}"
        for path in [*sources(), *markdown(), ROOT / "Makefile", ROOT / "pyproject.toml"]
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1)
        if pattern.search(line)
    ]
    assert not found
