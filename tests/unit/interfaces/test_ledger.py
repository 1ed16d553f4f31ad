"""Which client a ledger runs of another, and how that one is shown keys."""

from dataclasses import replace

from tieline.interfaces.ledger import ATTESTATIONS, Capabilities, Finality

TENDERMINT = Capabilities("cometbft", "07-tendermint", (b"ibc", b""), Finality.DETERMINISTIC, 1)
ETHEREUM = Capabilities(
    "evm", "evm-sealed", (b"",), Finality.PROBABILISTIC, 0, verifies_headers=False
)


def test_a_ledger_that_verifies_headers_takes_those_of_the_other() -> None:
    assert TENDERMINT.client_type_for(ETHEREUM) == "evm-sealed"
    assert TENDERMINT.client_prefix_for(ETHEREUM) == (b"",)
    assert TENDERMINT.client_type_for(TENDERMINT) == "07-tendermint"
    assert TENDERMINT.client_prefix_for(TENDERMINT) == (b"ibc", b"")


def test_ethereum_takes_attestations_of_every_kind() -> None:
    for tracked in (TENDERMINT, ETHEREUM):
        assert ETHEREUM.client_type_for(tracked) == ATTESTATIONS
        assert ETHEREUM.client_prefix_for(tracked) == (b"",)


def test_a_ledger_without_headers_is_attested_everywhere() -> None:
    simulated = replace(TENDERMINT, kind="sim", client_type=ATTESTATIONS, merkle_prefix=(b"",))
    assert TENDERMINT.client_type_for(simulated) == ATTESTATIONS
    assert TENDERMINT.client_prefix_for(simulated) == (b"",)
