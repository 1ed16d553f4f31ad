"""
Turns proto/ into relayer/tieline/wire/generated, and writes stubs for the messages in use of
cosmpy and of hyperledger-fabric-protos.

Run by `make proto`; with --check it changes nothing and fails when something is stale.
"""

import argparse
import importlib
import re
import sys
import tempfile
from collections.abc import Sequence
from importlib.resources import files
from pathlib import Path

from google.protobuf.descriptor import FileDescriptor
from google.protobuf.descriptor_pb2 import FileDescriptorProto, FileDescriptorSet
from grpc_tools import protoc

ROOT = Path(__file__).resolve().parents[2]
SCHEMAS = ROOT / "proto"
GENERATED = ROOT / "relayer" / "tieline" / "wire" / "generated"
STUBS = ROOT / "typings" / "cosmpy" / "protos"
FABRIC_STUBS = ROOT / "typings" / "fabric_protos"

COSMPY_MODULES = (
    "cosmos.auth.v1beta1.auth_pb2",
    "cosmos.auth.v1beta1.query_pb2",
    "cosmos.bank.v1beta1.bank_pb2",
    "cosmos.bank.v1beta1.query_pb2",
    "cosmos.bank.v1beta1.tx_pb2",
    "cosmos.base.abci.v1beta1.abci_pb2",
    "cosmos.base.node.v1beta1.query_pb2",
    "cosmos.base.query.v1beta1.pagination_pb2",
    "cosmos.base.tendermint.v1beta1.query_pb2",
    "cosmos.base.v1beta1.coin_pb2",
    "cosmos.consensus.v1.query_pb2",
    "cosmos.crypto.ed25519.keys_pb2",
    "cosmos.crypto.secp256k1.keys_pb2",
    "cosmos.params.v1beta1.query_pb2",
    "cosmos.staking.v1beta1.query_pb2",
    "cosmos.tx.signing.v1beta1.signing_pb2",
    "cosmos.tx.v1beta1.service_pb2",
    "cosmos.tx.v1beta1.tx_pb2",
    "ibc.applications.transfer.v1.query_pb2",
    "ibc.applications.transfer.v1.token_pb2",
    "ibc.applications.transfer.v1.tx_pb2",
    "ibc.core.channel.v2.packet_pb2",
    "ibc.core.channel.v2.query_pb2",
    "ibc.core.channel.v2.tx_pb2",
    "ibc.core.client.v1.client_pb2",
    "ibc.core.client.v1.query_pb2",
    "ibc.core.client.v1.tx_pb2",
    "ibc.core.client.v2.counterparty_pb2",
    "ibc.core.client.v2.query_pb2",
    "ibc.core.client.v2.tx_pb2",
    "ibc.core.commitment.v1.commitment_pb2",
    "ibc.lightclients.tendermint.v1.tendermint_pb2",
    "tendermint.abci.types_pb2",
    "tendermint.crypto.keys_pb2",
    "tendermint.crypto.proof_pb2",
    "tendermint.p2p.types_pb2",
    "tendermint.types.block_pb2",
    "tendermint.types.evidence_pb2",
    "tendermint.types.params_pb2",
    "tendermint.types.types_pb2",
    "tendermint.types.validator_pb2",
    "tendermint.version.types_pb2",
)
"""The cosmpy modules that our code imports; what they need is added."""

FABRIC_MODULES = (
    "common.common_pb2",
    "common.configtx_pb2",
    "common.configuration_pb2",
    "common.ledger_pb2",
    "common.policies_pb2",
    "gateway.gateway_pb2",
    "ledger.queryresult.kv_query_result_pb2",
    "ledger.rwset.kvrwset.kv_rwset_pb2",
    "ledger.rwset.rwset_pb2",
    "msp.identities_pb2",
    "msp.msp_config_pb2",
    "msp.msp_principal_pb2",
    "orderer.ab_pb2",
    "orderer.configuration_pb2",
    "orderer.etcdraft.configuration_pb2",
    "orderer.smartbft.configuration_pb2",
    "peer.chaincode_event_pb2",
    "peer.chaincode_pb2",
    "peer.chaincode_shim_pb2",
    "peer.configuration_pb2",
    "peer.events_pb2",
    "peer.lifecycle.chaincode_definition_pb2",
    "peer.lifecycle.db_pb2",
    "peer.lifecycle.lifecycle_pb2",
    "peer.policy_pb2",
    "peer.proposal_pb2",
    "peer.proposal_response_pb2",
    "peer.query_pb2",
    "peer.resources_pb2",
    "peer.transaction_pb2",
)
"""The modules of Fabric's messages that our code may import; what they need is added."""


def run_protoc(*arguments: str) -> None:
    """Run grpcio-tools' protoc; its complaints go to the terminal."""
    if protoc.main(["protoc", *arguments]):
        sys.exit("protoc failed")


def generate_messages(target: Path) -> None:
    """
    Compile proto/tieline/NAME/vN to target/NAME/vN.

    protoc writes imports by schema path; the generated code lives elsewhere, so they are moved.
    """
    with tempfile.TemporaryDirectory() as scratch:
        schemas = sorted(str(path) for path in SCHEMAS.rglob("*.proto"))
        well_known = str(files("grpc_tools") / "_proto")
        run_protoc(
            f"-I{SCHEMAS}",
            f"-I{well_known}",
            f"--python_out={scratch}",
            f"--pyi_out={scratch}",
            *schemas,
        )
        source = Path(scratch) / "tieline"
        for path in sorted(source.rglob("*_pb2.py*")):
            text = re.sub(
                r"^from tieline\.(\w+)\.(v\d+) import",
                r"from tieline.wire.generated.\1.\2 import",
                path.read_text(encoding="utf-8"),
                flags=re.MULTILINE,
            )
            write(target / path.relative_to(source), text)
    write(target / "__init__.py", '"""Made by `make proto`; never edited."""\n')
    for folder in sorted({path.parent for path in target.rglob("*_pb2.py")}):
        for package in (folder, folder.parent):
            write(package / "__init__.py", '"""Made by `make proto`; never edited."""\n')


def needed_by(file: FileDescriptor, found: dict[str, FileDescriptor]) -> None:
    """Add *file* and everything it imports to *found*, dependencies first."""
    if file.name in found:
        return
    for dependency in file.dependencies:
        needed_by(dependency, found)
    found[file.name] = file


def generate_stubs(target: Path, package: str, modules: Sequence[str]) -> None:
    """Write .pyi files for *modules* of *package*, from the descriptors that it loads itself."""
    found: dict[str, FileDescriptor] = {}
    for name in modules:
        needed_by(importlib.import_module(f"{package}.{name}").DESCRIPTOR, found)
    descriptors = FileDescriptorSet()
    for file in found.values():
        proto = FileDescriptorProto()
        file.CopyToProto(proto)
        descriptors.file.append(proto)
    wanted = [name for name in found if not name.startswith("google/protobuf/")]
    with tempfile.TemporaryDirectory() as scratch:
        bundle = Path(scratch) / "messages.binpb"
        bundle.write_bytes(descriptors.SerializeToString(deterministic=True))
        out = Path(scratch) / "out"
        out.mkdir()
        run_protoc(f"--descriptor_set_in={bundle}", f"--pyi_out={out}", *wanted)
        roots = "|".join(sorted({re.escape(name.split("/")[0]) for name in wanted} - {"google"}))
        for path in sorted(out.rglob("*.pyi")):
            text = re.sub(
                rf"^from ((?:{roots})(?:\.\w+)*) import",
                rf"from {package}.\1 import",
                path.read_text(encoding="utf-8"),
                flags=re.MULTILINE,
            )
            write(target / path.relative_to(out), text)
    for folder in (path.parent for path in list(target.rglob("*.pyi"))):
        inner = folder
        while inner != target.parent:
            write(inner / "__init__.pyi", "")
            inner = inner.parent


def generate_cosmpy_stubs(target: Path) -> None:
    """Write cosmpy's, and the empty file of the package above them."""
    generate_stubs(target, "cosmpy.protos", COSMPY_MODULES)
    write(target.parent / "__init__.pyi", "")


def generate_fabric_stubs(target: Path) -> None:
    """Write those of hyperledger-fabric-protos."""
    generate_stubs(target, "fabric_protos", FABRIC_MODULES)


def write(path: Path, text: str) -> None:
    """Write a text file and its folders."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")


def contents(folder: Path) -> dict[str, str]:
    """Return all files below *folder* that are not caches."""
    return {
        str(path.relative_to(folder)): path.read_text(encoding="utf-8")
        for path in sorted(folder.rglob("*.py*"))
        if path.suffix in {".py", ".pyi"}
    }


def main() -> None:
    """Generate both trees in a scratch folder, then compare or replace."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="change nothing, fail when stale")
    check = parser.parse_args().check
    stale: list[str] = []
    with tempfile.TemporaryDirectory() as scratch:
        for name, target, generate in (
            ("messages", GENERATED, generate_messages),
            ("cosmpy", STUBS, generate_cosmpy_stubs),
            ("fabric", FABRIC_STUBS, generate_fabric_stubs),
        ):
            fresh_folder = Path(scratch) / name / "fresh" / "tree"
            generate(fresh_folder)
            fresh, old = contents(fresh_folder), contents(target)
            changed = {
                path for path in fresh.keys() | old.keys() if fresh.get(path) != old.get(path)
            }
            stale += sorted(str(target.relative_to(ROOT) / path) for path in changed)
            if check:
                continue
            for path in changed:
                if path in fresh:
                    write(target / path, fresh[path])
                else:
                    (target / path).unlink()
    if check and stale:
        sys.exit("stale, run `make proto`:\n" + "\n".join(stale))
    print(f"{len(stale)} files written" if stale else "up to date")


if __name__ == "__main__":
    main()
