"""
What an organisation's administrator does to bring a chaincode onto a channel: join, install,
approve, commit. Calls wait; a network that has just been started refuses some of them at first.
"""

from __future__ import annotations

import http.client
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final, Protocol, TypeVar, cast

import grpc
from fabric_protos.common import common_pb2, ledger_pb2
from fabric_protos.gateway import gateway_pb2
from fabric_protos.peer import proposal_response_pb2
from fabric_protos.peer.lifecycle import lifecycle_pb2

from tieline.interfaces.errors import ConfigError, Unavailable
from tieline.ledgers.fabric.grpc_errors import described
from tieline.ledgers.fabric.native.chaincode_package import ChaincodePackage
from tieline.ledgers.fabric.native.program_files import LOOPBACK
from tieline.ledgers.fabric.peer_calls import CHANNEL_OPTIONS, PeerAddress, make_call
from tieline.ledgers.fabric.port import Carrier

CALL_S: Final = 20.0
SETTLING_S: Final = 60.0
"""A network that has not come together by then will not."""
_POLL_S: Final = 0.1
_OK: Final = 200
_CREATED: Final = 201
_BOUNDARY: Final = "tieline-genesis-block"
_VERSION: Final = b"Version"
_REFUSED: Final = "chaincode response "
_INSTALLED: Final = "chaincode already successfully installed"
_APPROVED: Final = "with unchanged content"
_ANOTHER: Final = "attempted to redefine the current committed sequence"
_COMMITTED: Final = "but new definition must be sequence"
"""How Fabric says that a step was done before, which a lost answer may hide."""
_LIFECYCLE: Final = "_lifecycle"
_T = TypeVar("_T")


class _Encodable(Protocol):
    def SerializeToString(self) -> bytes: ...  # noqa: N802 -- protobuf's own name


@dataclass(frozen=True, slots=True)
class Definition:
    """What a channel's organisations agree on: which chaincode, and who has to endorse."""

    name: str
    version: str
    sequence: int = 1
    """One more with each definition of the same name."""
    validation_parameter: bytes = b""
    """``peer.ApplicationPolicy``; empty: the channel's own Endorsement policy."""


def patiently(attempt: Callable[[], _T], seconds: float = SETTLING_S) -> _T:
    """Call again until it is no longer Unavailable, or *seconds* have passed."""
    end = time.monotonic() + seconds
    while True:
        try:
            return attempt()
        except Unavailable:
            if time.monotonic() > end:
                raise
        time.sleep(_POLL_S)


def join_orderer(port: int, genesis_block: bytes) -> None:
    """
    Let an orderer take up the channel.

    Args:
        port: Of its admin service on this machine.
        genesis_block: The channel's block 0.

    Raises:
        Unavailable: It does not answer.
        ConfigError: It will not.
    """
    head = (
        f"--{_BOUNDARY}\r\n"
        'Content-Disposition: form-data; name="config-block"; filename="genesis.block"\r\n'
        "Content-Type: application/octet-stream\r\n\r\n"
    )
    body = head.encode() + genesis_block + f"\r\n--{_BOUNDARY}--\r\n".encode()
    headers = {"Content-Type": f"multipart/form-data; boundary={_BOUNDARY}"}
    status, said = _ask_orderer(port, "POST", body, headers)
    if status != _CREATED:
        raise ConfigError(f"an orderer does not join: status={status} {said.strip()}")


def is_orderer_up(port: int) -> bool:
    """Return whether an orderer's admin service answers."""
    try:
        return _ask_orderer(port, "GET", b"", {})[0] == _OK
    except Unavailable:
        return False


class PeerAdmin:
    """An administrator's line to one peer of their own organisation."""

    def __init__(self, address: PeerAddress, msp_id: str, carrier: Carrier) -> None:
        """Prepare; nothing is dialled yet."""
        self.name = address.name
        self.msp_id = msp_id
        self._carrier = carrier
        credentials = grpc.ssl_channel_credentials(
            address.root_pem, address.key_pem, address.certificate_pem
        )
        self._channel = grpc.secure_channel(address.target, credentials, CHANNEL_OPTIONS)

    def close(self) -> None:
        """Hang up."""
        self._channel.close()

    def join(self, genesis_block: bytes) -> None:
        """Let the peer take up the channel. Raises Unavailable, ConfigError."""
        self._process("", "cscc", (b"JoinChain", genesis_block))

    def install(self, package: ChaincodePackage) -> None:
        """
        Install a package, unless it is installed.

        Raises:
            Unavailable: The peer does not answer.
            ConfigError: It refuses, or knows the package by another id than we do.
        """
        args = lifecycle_pb2.InstallChaincodeArgs(chaincode_install_package=package.content)
        encoded = args.SerializeToString(deterministic=True)
        try:
            answer = self._process("", _LIFECYCLE, (b"InstallChaincode", encoded))
        except ConfigError as exc:
            if _INSTALLED not in exc.what or package.package_id not in exc.what:
                raise
            return
        given = lifecycle_pb2.InstallChaincodeResult.FromString(answer).package_id
        if given != package.package_id:
            raise ConfigError(
                f"{self.name} calls the package {given}, not {package.package_id}",
                instead="install the package that the chaincode was started for",
            )

    def approve(self, fabric_channel: str, definition: Definition, package_id: str) -> None:
        """
        Approve for the own organisation, unless that was done.

        Raises:
            Unavailable: The network has not come together.
            ConfigError: Another definition of this sequence is in force.
        """
        args = lifecycle_pb2.ApproveChaincodeDefinitionForMyOrgArgs(
            sequence=definition.sequence,
            name=definition.name,
            version=definition.version,
            endorsement_plugin="escc",
            validation_plugin="vscc",
            validation_parameter=definition.validation_parameter,
            source=lifecycle_pb2.ChaincodeSource(
                local_package=lifecycle_pb2.ChaincodeSource.Local(package_id=package_id)
            ),
        )
        encoded = args.SerializeToString(deterministic=True)
        function = b"ApproveChaincodeDefinitionForMyOrg"
        try:
            self.submit(fabric_channel, _LIFECYCLE, (function, encoded), (self.msp_id,))
        except Unavailable as exc:
            if _ANOTHER in str(exc):
                raise _sequence_taken(definition, exc) from exc
            if _APPROVED not in str(exc):
                raise

    def commit(
        self, fabric_channel: str, definition: Definition, organisations: Sequence[str]
    ) -> None:
        """
        Put an approved definition in force, unless it is.

        Raises:
            Unavailable: The network has not come together, or not all have approved yet.
            ConfigError: It is not the next of its name.
        """
        args = lifecycle_pb2.CommitChaincodeDefinitionArgs(
            sequence=definition.sequence,
            name=definition.name,
            version=definition.version,
            endorsement_plugin="escc",
            validation_plugin="vscc",
            validation_parameter=definition.validation_parameter,
        )
        encoded = args.SerializeToString(deterministic=True)
        function = b"CommitChaincodeDefinition"
        try:
            self.submit(fabric_channel, _LIFECYCLE, (function, encoded), organisations)
        except Unavailable as exc:
            if _COMMITTED not in str(exc):
                raise
            # What is in force was approved just now as being the same.
            if self.committed_sequence(fabric_channel, definition.name) != definition.sequence:
                raise _sequence_taken(definition, exc) from exc

    def committed_sequence(self, fabric_channel: str, name: str) -> int:
        """
        Return the sequence of the definition of *name* that this peer holds.

        Raises:
            Unavailable: The peer does not answer.
            ConfigError: It has none, or is not on the channel.
        """
        args = lifecycle_pb2.QueryChaincodeDefinitionArgs(name=name)
        answer = self._process(
            fabric_channel,
            _LIFECYCLE,
            (b"QueryChaincodeDefinition", args.SerializeToString(deterministic=True)),
        )
        return lifecycle_pb2.QueryChaincodeDefinitionResult.FromString(answer).sequence

    def height(self, fabric_channel: str) -> int:
        """Return how many blocks the peer has. Raises Unavailable, ConfigError."""
        args = (b"GetChainInfo", fabric_channel.encode())
        answer = self._process(fabric_channel, "qscc", args)
        return ledger_pb2.BlockchainInfo.FromString(answer).height

    def check_endorsing(self, fabric_channel: str, chaincode: str) -> None:
        """
        Do nothing if the peer's gateway finds all whom the endorsement policy asks for.

        Raises:
            Unavailable: Not yet: peers have not heard of each other.
        """
        call = make_call(self._carrier, fabric_channel, chaincode, (_VERSION,))
        request = gateway_pb2.EndorseRequest(transaction_id=call.tx_id, channel_id=fabric_channel)
        request.proposed_transaction.MergeFromString(call.signed)
        try:
            self._gateway("Endorse", request, gateway_pb2.EndorseResponse.FromString)
        except Unavailable as exc:
            # A chaincode that knows no such function has been asked, which is what is wanted.
            if _REFUSED not in str(exc):
                raise

    def submit(
        self,
        fabric_channel: str,
        chaincode: str,
        args: Sequence[bytes],
        organisations: Sequence[str],
    ) -> int:
        """
        Endorse, order and await one transaction; return its block.

        Raises:
            Unavailable: A step found nobody to do it.
            ConfigError: It was refused, or is in a block and invalid.
        """
        call = make_call(self._carrier, fabric_channel, chaincode, args)
        endorse = gateway_pb2.EndorseRequest(
            transaction_id=call.tx_id,
            channel_id=fabric_channel,
            endorsing_organizations=list(organisations),
        )
        endorse.proposed_transaction.MergeFromString(call.signed)
        endorsed = self._gateway("Endorse", endorse, gateway_pb2.EndorseResponse.FromString)
        envelope = endorsed.prepared_transaction
        envelope.signature = self._carrier.sign(envelope.payload)
        submit = gateway_pb2.SubmitRequest(
            transaction_id=call.tx_id,
            channel_id=fabric_channel,
            prepared_transaction=common_pb2.Envelope.FromString(envelope.SerializeToString()),
        )
        self._gateway("Submit", submit, gateway_pb2.SubmitResponse.FromString)
        asked = gateway_pb2.CommitStatusRequest(
            transaction_id=call.tx_id, channel_id=fabric_channel, identity=self._carrier.creator
        ).SerializeToString(deterministic=True)
        signed = gateway_pb2.SignedCommitStatusRequest(
            request=asked, signature=self._carrier.sign(asked)
        )
        status = self._gateway("CommitStatus", signed, gateway_pb2.CommitStatusResponse.FromString)
        if status.result:
            raise ConfigError(f"a call of {chaincode} is invalid: code={status.result}")
        return status.block_number

    def _gateway(self, method: str, request: _Encodable, read: Callable[[bytes], _T]) -> _T:
        return read(self._call(f"/gateway.Gateway/{method}", request.SerializeToString()))

    def _process(self, fabric_channel: str, chaincode: str, args: Sequence[bytes]) -> bytes:
        call = make_call(self._carrier, fabric_channel, chaincode, args)
        raw = self._call("/protos.Endorser/ProcessProposal", call.signed)
        answer = proposal_response_pb2.ProposalResponse.FromString(raw)
        if answer.response.status != _OK:
            raise ConfigError(
                f"{self.name} refuses {chaincode} {args[0].decode(errors='replace')}: "
                f"{answer.response.message}"
            )
        return answer.response.payload

    def _call(self, path: str, request: bytes) -> bytes:
        method = cast("Callable[..., bytes]", self._channel.unary_unary(path))
        try:
            return method(request, timeout=CALL_S)
        except grpc.RpcError as exc:
            raise Unavailable(f"{self.name}: {described(exc)}") from exc


def _sequence_taken(definition: Definition, said: Unavailable) -> ConfigError:
    return ConfigError(
        f"{definition.name} is not defined anew with sequence {definition.sequence}: {said}",
        instead="take the sequence that follows the one in force",
    )


def _ask_orderer(port: int, method: str, body: bytes, headers: dict[str, str]) -> tuple[int, str]:
    connection = http.client.HTTPConnection(LOOPBACK, port, timeout=CALL_S)
    try:
        connection.request(method, "/participation/v1/channels", body, headers)
        answer = connection.getresponse()
        return answer.status, answer.read().decode(errors="replace")
    except (OSError, http.client.HTTPException) as exc:
        raise Unavailable(f"an orderer does not answer: port={port} {exc}") from exc
    finally:
        connection.close()
