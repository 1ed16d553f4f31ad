"""
REST: the same methods as gRPC, under the paths that their schemas name, in the JSON of protobuf.

Sources:
    ``google/api/http.proto`` (transcoding); grpc-gateway, which Cosmos peers use.
"""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Awaitable, Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Final

from cosmpy.protos.cosmos.auth.v1beta1 import query_pb2 as auth_pb2
from cosmpy.protos.cosmos.bank.v1beta1 import query_pb2 as bank_pb2
from cosmpy.protos.cosmos.base.node.v1beta1 import query_pb2 as node_pb2
from cosmpy.protos.cosmos.base.tendermint.v1beta1 import query_pb2 as chain_pb2
from cosmpy.protos.cosmos.consensus.v1 import query_pb2 as consensus_pb2
from cosmpy.protos.cosmos.params.v1beta1 import query_pb2 as params_pb2
from cosmpy.protos.cosmos.staking.v1beta1 import query_pb2 as staking_pb2
from cosmpy.protos.cosmos.tx.v1beta1 import service_pb2 as tx_pb2
from cosmpy.protos.ibc.applications.transfer.v1 import query_pb2 as transfer_pb2
from cosmpy.protos.ibc.core.channel.v2 import query_pb2 as channel_pb2
from cosmpy.protos.ibc.core.client.v1 import query_pb2 as client_pb2
from cosmpy.protos.ibc.core.client.v2 import query_pb2 as client_v2_pb2
from fastapi import FastAPI, Request, Response
from google.api import annotations_pb2
from google.protobuf import json_format, message_factory
from google.protobuf.message import Message

from tieline.ledgers.tendermint.gateway.gateway import Gateway
from tieline.ledgers.tendermint.gateway.grpc_door import HEIGHT_HEADER, height_of
from tieline.ledgers.tendermint.gateway.refusal import HTTP_STATUS, Refusal, Status
from tieline.wire import bounded_json
from tieline.wire.codec import TYPE_URLS

BODY_BYTES_MAX: Final = 4 * 1024 * 1024
"""Four transactions of the largest size, in base64."""
HEIGHT_ANSWER: Final = "Grpc-Metadata-X-Cosmos-Block-Height"
_SCHEMAS: Final[tuple[Any, ...]] = (
    auth_pb2,
    bank_pb2,
    node_pb2,
    chain_pb2,
    consensus_pb2,
    params_pb2,
    staking_pb2,
    tx_pb2,
    transfer_pb2,
    channel_pb2,
    client_pb2,
    client_v2_pb2,
)
_JSON: Final = "application/json"
_DEEPEST: Final = 4
_log = logging.getLogger("tieline.gateway")

# Any type that is not imported could not be written as JSON.
assert TYPE_URLS, "the messages of this ledger are known"


@dataclass(frozen=True, slots=True)
class Route:
    """One path of one method."""

    verb: str
    path: str
    method: str
    request: type[Message]
    response: type[Message]


def routes() -> Iterator[Route]:
    """Yield the paths of all services that a peer may be asked for."""
    for schema in _SCHEMAS:
        for service in schema.DESCRIPTOR.services_by_name.values():
            for method in service.methods:
                rule = method.GetOptions().Extensions[annotations_pb2.http]
                for one in (rule, *rule.additional_bindings):
                    verb = one.WhichOneof("pattern")
                    if verb in {"get", "post"}:
                        yield Route(
                            verb.upper(),
                            re.sub(r"\{(\w+)=\*\*\}", r"{\1:path}", getattr(one, verb)),
                            f"/{service.full_name}/{method.name}",
                            message_factory.GetMessageClass(method.input_type),
                            message_factory.GetMessageClass(method.output_type),
                        )


def message_of(
    message_class: type[Message], pairs: Iterable[tuple[str, str]], body: bytes = b""
) -> Message:
    """
    Return a request out of the fields of a path and a query, and a JSON body.

    Raises:
        Refusal: A value does not fit its field. Unknown fields are passed over.
    """
    message = message_class()
    try:
        if body:
            said = bounded_json.loads(body.decode())
            json_format.ParseDict(said, message, ignore_unknown_fields=True)
        content: dict[str, Any] = {}
        for name, text in pairs:
            _put(message_class.DESCRIPTOR, content, name.split("."), text)
        return json_format.ParseDict(content, message, ignore_unknown_fields=True)
    except (json_format.ParseError, ValueError, TypeError, RecursionError) as exc:
        raise Refusal(Status.INVALID_ARGUMENT, f"cannot be read: {str(exc)[:400]}") from exc


def _put(descriptor: Any, content: dict[str, Any], names: list[str], text: str) -> None:
    """Place one text at a dotted name."""
    field = descriptor.fields_by_name.get(names[0]) or descriptor.fields_by_camelcase_name.get(
        names[0]
    )
    if field is None or len(names) > _DEEPEST:
        return
    if len(names) > 1:
        if field.message_type is not None:
            inner: dict[str, Any] = content.setdefault(field.name, {})
            _put(field.message_type, inner, names[1:], text)
        return
    if field.message_type is not None:
        message = f"{field.name} is no single value"
        raise ValueError(message)
    value: object = text
    if field.cpp_type == field.CPPTYPE_BOOL:
        value = {"true": True, "false": False, "1": True, "0": False}.get(text, text)
    elif field.cpp_type == field.CPPTYPE_ENUM and text.lstrip("-").isdigit():
        value = int(text)
    if field.label == field.LABEL_REPEATED:
        content.setdefault(field.name, []).extend(
            [value] if field.cpp_type == field.CPPTYPE_STRING else text.split(",")
        )
    else:
        content[field.name] = value


def json_of(message: Message) -> bytes:
    """Return a message as Cosmos peers write it: names of the schema, defaults too."""
    content = json_format.MessageToDict(
        message, preserving_proto_field_name=True, always_print_fields_with_no_presence=True
    )
    return json.dumps(content).encode()


def _error(refusal: Refusal) -> Response:
    content = {"code": int(refusal.status), "message": str(refusal), "details": list[str]()}
    return Response(json.dumps(content), HTTP_STATUS[refusal.status], media_type=_JSON)


async def _body(request: Request) -> bytes:
    """Return the body. Raises Refusal above the limit."""
    parts: list[bytes] = []
    room = BODY_BYTES_MAX
    async for part in request.stream():
        room -= len(part)
        if room < 0:
            raise Refusal(Status.INVALID_ARGUMENT, f"body above {BODY_BYTES_MAX} bytes")
        parts.append(part)
    return b"".join(parts)


def _endpoint(gateway: Gateway, route: Route) -> Callable[[Request], Awaitable[Response]]:
    async def answer(request: Request) -> Response:
        try:
            body = await _body(request) if route.verb == "POST" else b""
            pairs = [*request.query_params.multi_items(), *request.path_params.items()]
            asked = message_of(route.request, pairs, body)
            height = height_of(request.headers.get(HEIGHT_HEADER, "0"))
            found = await gateway.answer(route.method, asked.SerializeToString(), height)
            response = route.response()
            response.ParseFromString(found.data)
            content = json_of(response)
        except Refusal as exc:
            return _error(exc)
        except Exception as exc:  # noqa: BLE001 -- one request must not end the gateway
            _log.exception("a request broke down: method=%s", route.method)
            return _error(Refusal(Status.INTERNAL, repr(exc)))
        headers = {HEIGHT_ANSWER: str(found.height)} if found.height else None
        return Response(content, media_type=_JSON, headers=headers)

    return answer


def rest_application(gateway: Gateway) -> FastAPI:
    """Return the application of all routes; fixed paths stand before those with fields."""
    application = FastAPI(title="tieline", openapi_url=None, docs_url=None, redoc_url=None)
    for route in sorted(routes(), key=lambda one: one.path.replace("{", "\x7f")):
        application.add_api_route(
            route.path,
            _endpoint(gateway, route),
            methods=[route.verb],
            response_model=None,
            name=route.method,
        )
    return application
