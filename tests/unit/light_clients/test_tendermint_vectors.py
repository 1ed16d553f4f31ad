"""Drawn headers, well and badly signed, in drawn states: believed exactly if CometBFT does."""

from __future__ import annotations

import json
from hashlib import sha256
from pathlib import Path

from fakes.header_cases import draw_case
from fakes.signing_chain import DictStore

from tieline.light_clients.tendermint.client import TendermintClient
from tieline.protocol.errors import ClientRefused

VECTORS = json.loads(
    (Path(__file__).parents[2] / "vectors" / "tendermint_headers.json").read_text("utf-8")
)["cases"]


def is_taken(case):
    store, client = DictStore(), TendermintClient()
    client.initialise(store, case.state.as_any(), case.consensus.as_any())
    before = dict(store)
    try:
        result = client.update(store, case.header.as_any(), case.now_ns)
    except ClientRefused:
        assert store == before, "what is refused leaves no trace"
        return False
    return result.heights == (case.header.height,)


def test_drawn_headers_are_believed_exactly_if_cometbft_believes_them():
    """Where a commit is out of order or a set has no power we refuse more, never less."""
    accepted = 0
    for row in VECTORS:
        case = draw_case(row["number"])
        assert sha256(case.header.encode()).hexdigest()[:16] == row["digest"]
        expected = row["accepted"] and not case.is_beyond_cometbft
        assert is_taken(case) is expected or (case.is_beyond_cometbft and row["accepted"]), row
        accepted += expected
    assert accepted > len(VECTORS) // 5, "the drawn cases are not all bad"
