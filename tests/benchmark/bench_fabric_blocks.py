"""
What it costs to read and to believe a block of Fabric, on blocks of two real networks: one orderer
of etcdraft, three signatures of SmartBFT.
"""

from __future__ import annotations

from clock import best_us, report
from fakes.recorded_fabric import NETWORKS, RecordedFabric, recorded

from tieline.light_clients.fabric import building
from tieline.light_clients.fabric.blocks import Span, verify_block
from tieline.light_clients.fabric.knowledge import Knowledge, read_rules
from tieline.light_clients.fabric.messages import SignedBlock
from tieline.light_clients.fabric.transactions import good_endorsers
from tieline.wire.fabric.blocks import Block, check_well_formed
from tieline.wire.fabric.config import decode_channel_config
from tieline.wire.fabric.transactions import decode_transaction

ROUNDS = 7
REPEATS = 100
ANY_TIME = Span(1_700_000_000, 1_900_000_000)
CLOCK = "CPU, best of rounds"


def measure(name: str, record: RecordedFabric) -> None:
    """Measure blocks of one transaction and the configuration they stand under."""
    raw = record.raw_blocks[record.done["put"]]
    config = building.known_config(record.raw_blocks[0])
    knowledge = Knowledge(record.channel, record.chaincode, (config,), ())
    first = record.blocks[0].data[0]
    signed = building.signed_block(raw).encode()
    rules = read_rules(record.channel, config.config)

    def read(data: bytes) -> None:
        block = Block.decode(data)
        check_well_formed(block.data)
        assert block.is_data_of_header
        decode_transaction(block.data[0])

    def believe_order(data: bytes) -> None:
        verify_block(SignedBlock.decode(data), knowledge, ANY_TIME)

    def believe_endorsements(data: bytes) -> None:
        assert len(good_endorsers(decode_transaction(data).endorsed, rules, ANY_TIME)) == 2

    sizes = {"block_bytes": len(raw), "config_bytes": len(config.config), "clock": CLOCK}
    signatures = len(record.block("put").signatures.signatures)
    for what, function, data, details in (
        ("read", read, raw, {}),
        ("order_believed", believe_order, signed, {"orderers": signatures}),
        ("endorsements_believed", believe_endorsements, record.block("put").data[0], {"peers": 2}),
        ("configuration_read", decode_channel_config, first, {}),
    ):
        took = best_us(ROUNDS, function, [data] * REPEATS)
        report(f"fabric_blocks.{name}.{what}", took, "us", **details, **sizes)


def main() -> None:
    """Measure both kinds of ordering."""
    for name in NETWORKS:
        measure(name, recorded(name))


if __name__ == "__main__":
    main()
