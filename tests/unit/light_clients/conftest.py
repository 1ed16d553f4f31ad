"""A chain that signs whatever a test asks for, and a client store."""

from __future__ import annotations

import pytest
from fakes.signing_chain import DictStore, SigningChain


@pytest.fixture
def chain():
    """A chain of four equal validators."""
    return SigningChain()


@pytest.fixture
def make_chain():
    """The class, for chains of other validators."""
    return SigningChain


@pytest.fixture
def store():
    """An empty client store."""
    return DictStore()


@pytest.fixture
def make_store():
    """The class of client stores."""
    return DictStore
