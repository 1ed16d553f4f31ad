"""The configuration files of Fabric's programs, one folder a program: core.yaml, orderer.yaml."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import yaml

LOOPBACK: Final = "127.0.0.1"
BUILDER: Final = "tieline"
CONNECTION_VARIABLE: Final = "TIELINE_CCAAS_CONNECTION"
"""Names the file that tells a peer where its chaincode listens."""
MESSAGE_BYTES_MAX: Final = 64 * 1024 * 1024
_GOSSIP: Final = {
    # Fabric's own intervals are for wide networks: a peer that comes late is not seen for 25 s.
    "aliveTimeInterval": "500ms",
    "aliveExpirationTimeout": "3s",
    "reconnectInterval": "500ms",
    "publishStateInfoInterval": "500ms",
    "requestStateInfoInterval": "500ms",
    "pullInterval": "1s",
    "membershipTrackerInterval": "1s",
    # Each peer asks the orderers itself: nobody is elected to do so.
    "orgLeader": True,
    "useLeaderElection": False,
    "state": {"enabled": False},
    "pvtData": {
        # An approval is private to its organisation; its other peers fetch it when they need it.
        "pushAckTimeout": "3s",
        "pullRetryThreshold": "2s",
        "transientstoreMaxBlockRetention": 20000,
        "btlPullMargin": 10,
        "reconciliationEnabled": True,
        "reconcileBatchSize": 10,
        "reconcileSleepInterval": "10s",
        "implicitCollectionDisseminationPolicy": {"requiredPeerCount": 0, "maxPeerCount": 1},
    },
}


@dataclass(frozen=True, slots=True)
class PeerSettings:
    """What one peer is told."""

    name: str
    msp_id: str
    folder: Path
    """Absolute: holds ``msp/``, ``tls/``, the ledger, this peer's file."""
    port: int
    first_port: int
    """Of the organisation's first peer, through which its others find each other."""
    builder: Path
    """Absolute: folder of the external builder."""


@dataclass(frozen=True, slots=True)
class OrdererSettings:
    """What one orderer is told."""

    msp_id: str
    folder: Path
    port: int
    admin_port: int


def write_core(settings: PeerSettings) -> None:
    """Write a peer's ``core.yaml``."""
    folder, address = settings.folder, f"{LOOPBACK}:{settings.port}"
    first = f"{LOOPBACK}:{settings.first_port}"
    tls = folder / "tls"
    pair = {"cert": {"file": f"{tls}/server.crt"}, "key": {"file": f"{tls}/server.key"}}
    root = f"{tls}/ca.crt"
    clients = folder / "client_roots.pem"
    peer = {
        "id": settings.name,
        "networkId": "tieline",
        "listenAddress": address,
        "address": address,
        # Chaincode is dialled, it does not dial: any port will do.
        "chaincodeListenAddress": f"{LOOPBACK}:0",
        "localMspId": settings.msp_id,
        "mspConfigPath": f"{folder}/msp",
        "fileSystemPath": f"{folder}/ledger",
        "gateway": {"enabled": True, "endorsementTimeout": "30s", "broadcastTimeout": "10s"},
        "discovery": {"enabled": True},
        "gossip": {**_GOSSIP, "bootstrap": first, "externalEndpoint": address},
        "tls": {
            "enabled": True,
            **pair,
            "rootcert": {"file": root},
            "clientAuthRequired": True,
            "clientRootCAs": {"files": [str(clients)]},
        },
        "BCCSP": _crypto(folder),
        "deliveryclient": {"reConnectBackoffThreshold": "1s", "connTimeout": "3s"},
        "handlers": {
            "authFilters": [
                {"name": "DefaultAuth"},
                {"name": "ExpirationCheck"},
                {"name": "TimeWindowCheck"},
            ],
            "decorators": [{"name": "DefaultDecorator"}],
            "endorsers": {"escc": {"name": "DefaultEndorsement"}},
            "validators": {"vscc": {"name": "DefaultValidation"}},
        },
        "limits": {
            "concurrency": {"endorserService": 2500, "deliverService": 2500, "gatewayService": 500}
        },
        "maxRecvMsgSize": MESSAGE_BYTES_MAX,
        "maxSendMsgSize": MESSAGE_BYTES_MAX,
    }
    content = {
        "peer": peer,
        "vm": {"endpoint": ""},  # else docker is looked for
        "chaincode": _chaincode(settings.builder),
        "ledger": {
            "state": {"stateDatabase": "goleveldb"},
            "history": {"enableHistoryDatabase": False},
            "snapshots": {"rootDir": f"{folder}/ledger/snapshots"},
        },
        "operations": {"listenAddress": f"{LOOPBACK}:0"},
        "metrics": {"provider": "disabled"},
    }
    write_yaml(folder / "core.yaml", content)


def _chaincode(path: Path) -> dict[str, object]:
    builder = {
        "name": BUILDER,
        "path": str(path),
        "propagateEnvironment": [CONNECTION_VARIABLE],
    }
    return {
        "mode": "net",
        "externalBuilders": [builder],
        "installTimeout": "30s",
        "startuptimeout": "5s",
        "executetimeout": "30s",
        "system": dict.fromkeys(("_lifecycle", "cscc", "lscc", "qscc"), "enable"),
        "runtimeParams": {
            "useWriteBatch": True,
            "maxSizeWriteBatch": 1000,
            "useGetMultipleKeys": True,
            "maxSizeGetMultipleKeys": 1000,
        },
    }


def write_orderer(settings: OrdererSettings) -> None:
    """Write an orderer's ``orderer.yaml``."""
    folder = settings.folder
    certificate, key = f"{folder}/tls/server.crt", f"{folder}/tls/server.key"
    root = [f"{folder}/tls/ca.crt"]
    general = {
        "ListenAddress": LOOPBACK,
        "ListenPort": settings.port,
        "LocalMSPDir": f"{folder}/msp",
        "LocalMSPID": settings.msp_id,
        "BootstrapMethod": "none",
        "TLS": {"Enabled": True, "Certificate": certificate, "PrivateKey": key, "RootCAs": root},
        "Cluster": {"ClientCertificate": certificate, "ClientPrivateKey": key, "RootCAs": root},
        "BCCSP": _crypto(folder),
        "MaxRecvMsgSize": MESSAGE_BYTES_MAX,
        "MaxSendMsgSize": MESSAGE_BYTES_MAX,
    }
    content = {
        "General": general,
        "FileLedger": {"Location": f"{folder}/ledger"},
        "Consensus": {"WALDir": f"{folder}/wal", "SnapDir": f"{folder}/snapshots"},
        "ChannelParticipation": {"Enabled": True, "MaxRequestBodySize": "1 MB"},
        "Admin": {
            "ListenAddress": f"{LOOPBACK}:{settings.admin_port}",
            "TLS": {"Enabled": False},
        },
        "Operations": {"ListenAddress": f"{LOOPBACK}:0"},
        "Metrics": {"Provider": "disabled"},
    }
    write_yaml(folder / "orderer.yaml", content)


def write_yaml(path: Path, content: Mapping[str, object]) -> None:
    """Write a YAML file whose keys keep their order."""
    path.write_text(yaml.safe_dump(dict(content), sort_keys=False), encoding="utf-8")


def _crypto(folder: Path) -> dict[str, object]:
    """Return where a program looks for private keys: in its own folder and nowhere else."""
    store = {"FileKeyStore": {"KeyStore": f"{folder}/msp/keystore"}}
    return {"Default": "SW", "SW": {"Hash": "SHA2", "Security": 256, **store}}
