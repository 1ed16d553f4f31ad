"""
What a native Fabric network did is shown to others by its light client, and nothing is with any
byte altered: all bytes of a header and of five proofs, for both kinds of orderers.
"""

import pytest
from fakes.driven_fabric import NativeFabric
from fakes.fabric_evidence import Evidence
from fakes.native_fabric import NativeChannel

pytestmark = pytest.mark.native


@pytest.mark.parametrize("is_bft", [False, True], ids=["raft", "bft"])
def test_packets_answers_and_absences_on_native_blocks_are_proved_and_no_byte_may_change(
    tmp_path, is_bft
):
    channel = NativeChannel("native-1", tmp_path, is_bft=is_bft)
    try:
        sizes = Evidence(NativeFabric(channel.open())).check()
    finally:
        channel.stop()
    assert max(sizes.values()) < 40_000
