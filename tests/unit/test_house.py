"""The house itself: layout rules that no linter knows."""

from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_namespace_has_no_init() -> None:
    """`tieline` is one namespace over three roots; an __init__.py hides the others."""
    assert not list(ROOT.glob("*/tieline/__init__.py"))


def test_proto_is_not_a_package() -> None:
    """`proto` is the import name of proto-plus; our folder holds schemas only."""
    assert not list((ROOT / "proto").rglob("*.py"))
