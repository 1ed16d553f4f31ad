"""What is in the cache counts only when it is what is pinned."""

from __future__ import annotations

import json
import re
from hashlib import sha256
from pathlib import Path

import pytest

from tieline.interfaces.engines import (
    KINDS,
    engines_folder,
    find_engine,
    found_engines,
    is_intact,
)
from tieline.interfaces.errors import ConfigError

ROOT = Path(__file__).parents[3]


@pytest.fixture
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("TIELINE_CACHE", str(tmp_path))
    return engines_folder()


def put(cache, version="0.38.25", content=b"#!/bin/sh\n", **changes):
    folder = cache / "cometbft" / f"{version}-0123"
    folder.mkdir(parents=True)
    program = folder / "cometbft"
    program.write_bytes(content)
    program.chmod(0o755)
    facts = {
        "name": "cometbft",
        "version": version,
        "program": "cometbft",
        "source_hash": "ab",
        "program_hash": sha256(content).hexdigest(),
    }
    (folder / "manifest.json").write_text(json.dumps(facts | changes))
    return program


def test_an_empty_cache_says_how_to_fill_it(cache):
    assert found_engines() == {}
    with pytest.raises(ConfigError, match="make ledgers"):
        find_engine("cometbft")


def test_a_built_engine_is_found(cache):
    program = put(cache)
    engine = find_engine("cometbft")
    assert (engine.program, engine.version) == (program, "0.38.25")
    assert is_intact(engine)


def test_a_changed_program_is_noticed(cache):
    program = put(cache)
    program.write_bytes(b"#!/bin/sh\nexit\n")
    assert not is_intact(find_engine("cometbft"))


def test_another_version_is_not_the_pinned_one(cache):
    put(cache, version="0.38.24")
    put(cache, version="0.38.25", name="other")
    assert found_engines() == {}


def test_half_a_folder_is_passed_over(cache):
    program = put(cache)
    program.chmod(0o644)
    assert found_engines() == {}
    program.chmod(0o755)
    (program.parent / "manifest.json").write_text("{")
    assert found_engines() == {}


def test_pinned_is_what_the_module_files_build():
    for kind in (one for one in KINDS if not one.is_packaged):
        text = (ROOT / "deploy" / "engines" / kind.module / "go.mod").read_text()
        named = kind.module_version or kind.version
        assert re.search(rf"/\S+ v{re.escape(named)}\b", text)
        assert (ROOT / "deploy" / "engines" / kind.module / "go.sum").exists()


def test_packaged_programs_are_those_of_the_lock():
    for kind in (one for one in KINDS if one.is_packaged):
        folder = ROOT / "deploy" / "engines" / kind.module
        packages = json.loads((folder / "package-lock.json").read_text())["packages"]
        named = [one for path, one in packages.items() if f"/{kind.name}-" in path]
        assert named
        for package in named:
            assert package["version"] == kind.version
            assert package["integrity"].startswith("sha512-")


def test_an_engine_with_a_clock_is_not_taken_for_one_without(cache):
    put(cache)
    with pytest.raises(ConfigError, match="cometbft-driven"):
        find_engine("cometbft-driven")
