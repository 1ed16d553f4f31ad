"""Bytes that are nearly right: refused as declared, or taken with one spelling; nothing else."""

from __future__ import annotations

import pytest
from fuzz.decoders import Target, targets
from fuzz.mutation import mutated
from hypothesis import given, settings
from hypothesis import strategies as st


@pytest.mark.parametrize("target", targets(), ids=lambda target: target.name)
def test_what_is_right_is_taken(target: Target) -> None:
    if not target.name.startswith(("query", "check", "simulate", "execute")):
        assert all(target.feed(sample) for sample in target.samples)


@pytest.mark.parametrize("target", targets(), ids=lambda target: target.name)
@given(seed=st.integers(0, 2**64 - 1))
@settings(max_examples=40, deadline=None)
def test_what_is_nearly_right_is_refused_as_declared(target: Target, seed: int) -> None:
    target.feed(mutated(target.samples, seed))


@pytest.mark.parametrize("target", targets(), ids=lambda target: target.name)
@given(data=st.binary(max_size=300))
@settings(max_examples=15, deadline=None)
def test_noise_is_refused_as_declared(target: Target, data: bytes) -> None:
    target.feed(data)
