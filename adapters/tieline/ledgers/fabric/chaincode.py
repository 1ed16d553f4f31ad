"""
Chaincode as a service: the server that peers dial. It speaks Fabric's shim protocol and runs a
chaincode that is a function; what that does is not its matter.

A peer dials when it first needs the chaincode, keeps one stream, and dials again after either end
was killed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, Final

import grpc
from fabric_protos.peer import chaincode_shim_pb2

from tieline.interfaces.errors import ConfigError
from tieline.ledgers.fabric.shim_stream import Invocable, PeerStream

SERVICE: Final = "protos.Chaincode"
INVOCATIONS_MAX: Final = 64
"""That run at once; further ones wait."""
STREAMS_MAX: Final = 16
"""One a peer, and a few whose peer has gone without a word."""
MESSAGE_BYTES_MAX: Final = 64 * 1024 * 1024
_OPTIONS: Final = (
    # Else a process that was left over would share the port, and get half of the calls.
    ("grpc.so_reuseport", 0),
    ("grpc.max_receive_message_length", MESSAGE_BYTES_MAX),
    ("grpc.max_send_message_length", MESSAGE_BYTES_MAX),
    # A peer says each minute that it is there, for which it would be hung up on else.
    ("grpc.http2.min_recv_ping_interval_without_data_ms", 10_000),
    ("grpc.keepalive_permit_without_calls", 1),
)


@dataclass(frozen=True, slots=True)
class ServerKeys:
    """What the server shows, and whose word it takes for who may dial; all in PEM."""

    certificate: bytes
    key: bytes
    client_root: bytes


class ChaincodeServer:
    """Listens for peers; one chaincode under one package id."""

    def __init__(
        self,
        package_id: str,
        chaincode: Invocable,
        wall_s: Callable[[], int],
        *,
        keys: ServerKeys | None = None,
        called_as: str = "",
    ) -> None:
        """
        Prepare; ``start`` listens.

        Args:
            package_id: ``label:hash`` of the package that peers have installed. A peer gives up
                on chaincode that registers as another one, and says only that it timed out.
            chaincode: What is run.
            wall_s: The clock, unix seconds.
            keys: For mutual TLS; None: whoever reaches the port may dial.
            called_as: Its name on the channel: who calls it through another chaincode may only
                read. Empty: anything may call it.
        """
        self._package_id = package_id
        self._chaincode = chaincode
        self._wall_s = wall_s
        self._keys = keys
        self._called_as = called_as
        self._workers = ThreadPoolExecutor(INVOCATIONS_MAX, thread_name_prefix="invocation")
        self._server = grpc.server(
            ThreadPoolExecutor(STREAMS_MAX, thread_name_prefix="stream"), options=_OPTIONS
        )

    def start(self, address: str) -> None:
        """
        Listen at *address*, ``HOST:PORT``, and return.

        Raises:
            ConfigError: Another process listens there.
        """
        handler = grpc.stream_stream_rpc_method_handler(
            self._connect,
            request_deserializer=chaincode_shim_pb2.ChaincodeMessage.FromString,
            response_serializer=chaincode_shim_pb2.ChaincodeMessage.SerializeToString,
        )
        service = grpc.method_handlers_generic_handler(SERVICE, {"Connect": handler})
        self._server.add_generic_rpc_handlers((service,))
        try:
            if self._keys is None:
                self._server.add_insecure_port(address)
            else:
                self._server.add_secure_port(address, _credentials(self._keys))
        except RuntimeError as exc:
            raise ConfigError(
                f"chaincode cannot listen at {address}", instead="end what listens there"
            ) from exc
        self._server.start()

    def stop(self, grace_s: float = 0.5) -> None:
        """Let go of all peers; invocations that run have *grace_s* to end."""
        self._server.stop(grace_s).wait()
        self._workers.shutdown(wait=False, cancel_futures=True)

    def _connect(
        self, incoming: Iterator[chaincode_shim_pb2.ChaincodeMessage], _context: object
    ) -> Iterator[chaincode_shim_pb2.ChaincodeMessage]:
        stream = PeerStream(
            *(self._package_id, self._chaincode, self._wall_s, self._workers),
            called_as=self._called_as,
        )
        return stream.messages(incoming)


def _credentials(keys: ServerKeys) -> Any:
    return grpc.ssl_server_credentials(
        [(keys.key, keys.certificate)],
        root_certificates=keys.client_root,
        require_client_auth=True,
    )
