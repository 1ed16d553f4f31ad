"""One played slot for all tests of what cells sign."""

from collections.abc import Iterator

import pytest
from fakes.cell_world import CellWorld, played_world


@pytest.fixture(scope="session")
def cells(tmp_path_factory: pytest.TempPathFactory) -> Iterator[CellWorld]:
    world = played_world(tmp_path_factory.mktemp("cells") / "run")
    yield world
    world.world.close()
