"""A channel's first block: its configuration written down, and made a block by configtxgen."""

from __future__ import annotations

import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tieline.interfaces.engines import find_engine
from tieline.interfaces.errors import ConfigError
from tieline.ledgers.fabric.native.plan import BlockPace, Consensus
from tieline.ledgers.fabric.native.program_files import LOOPBACK, write_yaml

PROFILE: Final = "Channel"
MAKING_S: Final = 30.0
_RAFT: Final = {
    # An orderer alone elects itself; with Fabric's own pace that takes seconds.
    "TickInterval": "100ms",
    "ElectionTick": 10,
    "HeartbeatTick": 1,
    "MaxInflightBlocks": 5,
    "SnapshotIntervalSize": "16 MB",
}
_BFT: Final = {
    # With Fabric's own timers an orderer that leads and dies costs three quarters of a minute.
    "RequestForwardTimeout": "500ms",
    "RequestComplainTimeout": "1s",
    "RequestAutoRemoveTimeout": "3m0s",
    "ViewChangeResendInterval": "1s",
    "ViewChangeTimeout": "5s",
    "LeaderHeartbeatTimeout": "2s",
    "LeaderHeartbeatCount": 10,
    "CollectTimeout": "1s",
    "IncomingMessageBufferSize": 200,
    "RequestPoolSize": 100000,
}


@dataclass(frozen=True, slots=True)
class OrdererPlace:
    """Where an orderer listens and where its certificates lie."""

    port: int
    folder: Path


@dataclass(frozen=True, slots=True)
class PeerPlace:
    """An organisation of the channel with its first peer's port."""

    msp_id: str
    msp: Path
    """Its public MSP folder."""
    anchor_port: int


def make_genesis(
    folder: Path,
    fabric_channel: str,
    consensus: Consensus,
    pace: BlockPace,
    orderers: tuple[str, Path, Sequence[OrdererPlace]],
    organisations: Sequence[PeerPlace],
) -> bytes:
    """
    Return the channel's block 0, and leave it in ``genesis.block``.

    Args:
        folder: For the configuration.
        fabric_channel: The channel's name: lower case letters, digits, dots and dashes.
        consensus: How the orderers agree.
        pace: When they cut blocks.
        orderers: Their organisation's MSP id, its public MSP folder, and they.
        organisations: Who endorses and writes.

    Raises:
        ConfigError: configtxgen is not built, or refuses the configuration.
    """
    content = _configuration(consensus, pace, orderers, organisations)
    write_yaml(folder / "configtx.yaml", {"Profiles": {PROFILE: content}})
    block = folder / "genesis.block"
    program = find_engine("fabric-configtxgen").program
    made = subprocess.run(  # noqa: S603 -- the engine of our manifest
        [
            *(str(program), "-profile", PROFILE, "-channelID", fabric_channel),
            *("-outputBlock", str(block), "-configPath", str(folder)),
        ],
        capture_output=True,
        timeout=MAKING_S,
        check=False,
    )
    if made.returncode:
        said = made.stderr.decode(errors="replace").strip().splitlines()[-1:]
        raise ConfigError(
            f"configtxgen makes no channel of it: {' '.join(said)}",
            file=str(folder / "configtx.yaml"),
        )
    return block.read_bytes()


def _configuration(
    consensus: Consensus,
    pace: BlockPace,
    orderers: tuple[str, Path, Sequence[OrdererPlace]],
    organisations: Sequence[PeerPlace],
) -> dict[str, object]:
    is_bft = consensus is Consensus.BFT
    policies = _implicit(Readers="ANY Readers", Writers="ANY Writers", Admins="MAJORITY Admins")
    endorsing = _implicit(
        LifecycleEndorsement="MAJORITY Endorsement", Endorsement="MAJORITY Endorsement"
    )
    application = {
        "Organizations": [_application_organisation(one) for one in organisations],
        "Policies": {**policies, **endorsing},
        "Capabilities": {"V2_5": True},
    }
    return {
        "Policies": policies,
        "Capabilities": {"V3_0" if is_bft else "V2_0": True},
        "Orderer": {
            **_ordering(consensus, pace, orderers),
            "Policies": {**policies, **_implicit(BlockValidation="ANY Writers")},
            "Capabilities": {"V2_0": True},
        },
        "Application": application,
    }


def _ordering(
    consensus: Consensus,
    pace: BlockPace,
    orderers: tuple[str, Path, Sequence[OrdererPlace]],
) -> dict[str, object]:
    msp_id, msp, places = orderers
    organisation = {
        **_organisation(msp_id, msp),
        "OrdererEndpoints": [f"{LOOPBACK}:{place.port}" for place in places],
    }
    ordering: dict[str, object] = {
        "OrdererType": consensus.value,
        "BatchTimeout": f"{pace.interval_ms}ms",
        "BatchSize": {
            "MaxMessageCount": pace.messages_max,
            "AbsoluteMaxBytes": pace.absolute_bytes_max,
            "PreferredMaxBytes": pace.preferred_bytes_max,
        },
        "Organizations": [organisation],
    }
    consenters = [
        {
            "Host": LOOPBACK,
            "Port": place.port,
            "ClientTLSCert": f"{place.folder}/tls/server.crt",
            "ServerTLSCert": f"{place.folder}/tls/server.crt",
        }
        for place in places
    ]
    if consensus is Consensus.RAFT:
        ordering["EtcdRaft"] = {"Consenters": consenters, "Options": _RAFT}
        return ordering
    # SmartBFT takes count and bytes from the batch size, the interval from its own options.
    ordering["SmartBFT"] = {"RequestBatchMaxInterval": f"{pace.interval_ms}ms", **_BFT}
    ordering["ConsenterMapping"] = [
        {
            "ID": number,
            "MSPID": msp_id,
            "Identity": f"{place.folder}/msp/signcerts/cert.pem",
            **consenter,
        }
        for number, (place, consenter) in enumerate(zip(places, consenters, strict=True), 1)
    ]
    return ordering


def _application_organisation(place: PeerPlace) -> dict[str, object]:
    return {
        **_organisation(place.msp_id, place.msp),
        # In the first block, so that nobody has to change the channel before it is used.
        "AnchorPeers": [{"Host": LOOPBACK, "Port": place.anchor_port}],
    }


def _organisation(msp_id: str, msp: Path) -> dict[str, object]:
    rules = {
        "Readers": f"OR('{msp_id}.member')",
        "Writers": f"OR('{msp_id}.member')",
        "Admins": f"OR('{msp_id}.admin')",
        "Endorsement": f"OR('{msp_id}.peer')",
    }
    policies = {name: {"Type": "Signature", "Rule": rule} for name, rule in rules.items()}
    return {"Name": msp_id, "ID": msp_id, "MSPDir": str(msp), "Policies": policies}


def _implicit(**rules: str) -> Mapping[str, object]:
    return {name: {"Type": "ImplicitMeta", "Rule": rule} for name, rule in rules.items()}
