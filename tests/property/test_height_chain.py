"""The chain of heights against a sorted list."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tieline.light_clients import height_chain
from tieline.protocol.height import Height


class Store(dict):
    def set(self, key, value):
        self[key] = value

    def delete(self, key):
        self.pop(key)


@settings(max_examples=80, deadline=None)
@given(
    st.integers(1, 60),
    st.lists(st.one_of(st.integers(1, 60), st.just("forget")), max_size=40),
)
def test_neighbours_are_those_of_the_sorted_list(first, operations):
    store, held = Store(), [first]
    height_chain.begin(store, Height(3, first))
    for operation in operations:
        if operation == "forget":
            if len(held) > 1:
                assert height_chain.forget_earliest(store) == Height(3, held.pop(0))
        elif operation not in held:
            place = Height(3, operation)
            below, above = height_chain.find_neighbours(store, place, Height(3, held[-1]))
            lower = [one for one in held if one < operation]
            higher = [one for one in held if one > operation]
            assert below == (Height(3, lower[-1]) if lower else None)
            assert above == (Height(3, higher[0]) if higher else None)
            height_chain.insert(store, place, below, above)
            held = sorted([*held, operation])
        assert height_chain.earliest(store) == Height(3, held[0])
        assert len(store) == len(held) + 1


def test_a_height_too_far_behind_is_refused(monkeypatch):
    monkeypatch.setattr(height_chain, "STEPS_MAX", 3)
    store = Store()
    height_chain.begin(store, Height(0, 10))
    for block in (20, 30, 40):
        height_chain.insert(store, Height(0, block), Height(0, block - 10), None)
    latest = Height(0, 40)
    found = height_chain.find_neighbours(store, Height(0, 25), latest)
    assert found == (Height(0, 20), Height(0, 30))
    with pytest.raises(height_chain.TooFarBack):
        height_chain.find_neighbours(store, Height(0, 15), latest)
