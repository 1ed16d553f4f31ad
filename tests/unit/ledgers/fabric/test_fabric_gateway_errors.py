"""What Fabric says when something is wrong, as it was recorded, and what we make of it."""

import grpc
import pytest
from fabric_protos.gateway import gateway_pb2
from fakes.driven import finish
from fakes.fabric_identities import identity_of
from fakes.scripted_fabric import ScriptedFabric
from google.protobuf.any_pb2 import Any

from tieline.interfaces.errors import ConfigError, Rejected, Unavailable
from tieline.ledgers.fabric.carriers import X509Carrier
from tieline.ledgers.fabric.gateway import GatewayPort
from tieline.ledgers.fabric.gateway_errors import order_error, sorted_error
from tieline.ledgers.fabric.grpc_errors import GatewayFailure
from tieline.ledgers.fabric.peer_calls import PeerAddress
from tieline.ledgers.fabric.port import EndorsementsDiffer, InvocationRefused
from tieline.wire.proto_fields import bytes_field, uint_field

TLS = "failed to connect to all addresses; last error: UNKNOWN: ipv4:127.0.0.1:1: Tls handshake"
SIMULATION = "error in simulation: failed to execute transaction 65: "


class Failed(grpc.RpcError):
    """What grpc raises, as far as it is looked at."""

    def __init__(self, code, message, *said):
        self._code, self._message, self._said = code, message, said

    def code(self):
        return self._code

    def details(self):
        return self._message

    def trailing_metadata(self):
        status = uint_field(1, 10) + bytes_field(2, self._message.encode())
        for address, msp_id, message in self._said:
            packed = Any()
            packed.Pack(gateway_pb2.ErrorDetail(address=address, msp_id=msp_id, message=message))
            status += bytes_field(3, packed.SerializeToString())
        return (("grpc-status-details-bin", status),)


def made_of(message, code=grpc.StatusCode.ABORTED, *said):
    details = [("127.0.0.1:1", "Org1MSP", one) for one in said]
    return sorted_error(GatewayFailure.of(Failed(code, message, *details)), "peer0")


@pytest.mark.parametrize(
    ("said", "what", "instead"),
    [
        (f"{TLS} failed: CERTIFICATE_VERIFY_FAILED: unable", "TLS certificate", "TLS root"),
        (
            f"{TLS} failed: CERTIFICATE_VERIFY_FAILED: certificate has expired: OK",
            "not valid at this computer's time",
            "NTP",
        ),
        (
            f"{TLS} failed: CERTIFICATE_VERIFY_FAILED: certificate is not yet valid: OK",
            "not valid at this computer's time",
            "NTP",
        ),
        (
            "Custom verification check failed with error: Hostname Verification Check failed.",
            "for other addresses",
            "that the certificate has",
        ),
        (f"{TLS} failed: WRONG_VERSION_NUMBER", "does not speak TLS", "peer.tls.enabled"),
        ("UNAVAILABLE: Unwrap failed (TSI_DATA_CORRUPTED)", "our TLS cert", "clientRootCAs"),
        ("request unauthorized due to incorrect timestamp 1, peer time 2", "clocks", "NTP"),
        ("proposal client identity expired", "has expired", "enrol"),
        (
            "access denied: channel [lab] creator org unknown, creator is malformed",
            "does not know the organisation",
            "its own MSP id",
        ),
        ("access denied: channel [lab] creator org [Org1MSP]", "does not let", "not be revoked"),
        ("failed to get config for channel [lub]: could not", "not on the channel", "join"),
        ("No metadata was found for chaincode nono in channel lab", "not committed", "approve"),
        (
            "chaincode definition for 'tieline' exists, but chaincode is not installed",
            "not installed",
            "install the package",
        ),
    ],
)
def test_what_an_operator_must_mend_names_cause_and_cure(said, what, instead):
    error = made_of("see attached details", grpc.StatusCode.ABORTED, said)
    assert isinstance(error, ConfigError)
    assert what in error.what
    assert instead in error.instead
    assert said in error.what  # Fabric's own words stay
    assert error.key == "peer0"


def test_a_refusal_of_the_chaincode_is_found_among_the_words_of_peers():
    said = 'chaincode response 500, {"code":9,\n"log":"a, b"}'
    error = made_of("failed to endorse transaction", grpc.StatusCode.ABORTED, "down", said)
    assert isinstance(error, InvocationRefused)
    assert (error.status, error.message) == (500, '{"code":9,\n"log":"a, b"}')


def test_peers_that_differ_are_named():
    error = made_of("failed", grpc.StatusCode.ABORTED, "ProposalResponsePayloads do not match")
    assert isinstance(error, EndorsementsDiffer)
    assert error.endorsers == ("Org1MSP@127.0.0.1:1",)


@pytest.mark.parametrize(
    ("said", "code"),
    [
        ("message payload is 12 bytes and exceeds maximum allowed 10 bytes", 413),
        ("CLIENT: Sent message larger than max (70001035 vs. 67108864)", 413),
        ("received unsuccessful response from orderer: status=BAD_REQUEST, info=no", 400),
        ("received unsuccessful response from orderer: status=FORBIDDEN, info=no", 403),
    ],
)
def test_what_orderers_never_take_is_rejected(said, code):
    error = made_of(said)
    assert isinstance(error, Rejected)
    assert (error.codespace, error.code) == ("fabric", code)


REFUSES = "received unsuccessful response from orderer: status=BAD_REQUEST, info=no"
FORBIDS = "received unsuccessful response from orderer: status=FORBIDDEN, info=access denied"
IS_DOWN = 'rpc error: code = Unavailable desc = connection error: "connection refused"'
HAS_EXPIRED = "rpc error: authentication handshake failed: certificate has expired"
BUSY = "received unsuccessful response from orderer: status=SERVICE_UNAVAILABLE, info=no leader"


@pytest.mark.parametrize(
    ("said", "is_final"),
    [
        ((REFUSES, IS_DOWN), False),
        ((IS_DOWN, REFUSES), False),
        ((FORBIDS, BUSY), False),
        ((HAS_EXPIRED,), False),
        ((REFUSES, FORBIDS), True),
        ((REFUSES,), True),
    ],
)
def test_what_other_orderers_may_have_taken_is_not_refused(said, is_final):
    """Two of four that fail are all that a gateway tells of; the other two have the envelope."""
    message = "insufficient number of orderers could successfully process transaction"
    details = [("127.0.0.1:1", "OrdererMSP", one) for one in said]
    failed = Failed(grpc.StatusCode.UNAVAILABLE, message, *details)
    error = order_error(GatewayFailure.of(failed), "peer0")
    assert isinstance(error, Rejected if is_final else Unavailable)


def test_an_envelope_that_some_orderers_may_have_taken_is_still_on_its_way(monkeypatch):
    carrier = X509Carrier(identity_of("Org1MSP", "client"))
    port = GatewayPort(PeerAddress("peer0", "127.0.0.1:1", b"", b"", b""), "lab", carrier)
    details = [("127.0.0.1:1", "OrdererMSP", one) for one in (REFUSES, IS_DOWN)]

    async def submit(_request, **_limits):
        raise Failed(grpc.StatusCode.UNAVAILABLE, "insufficient number of orderers", *details)

    monkeypatch.setattr(port, "_unary", lambda _path: submit)
    with pytest.raises(Unavailable, match="not enough orderers answer"):
        finish(port.order(ScriptedFabric().simulate((b"Version",)).envelope))


def test_what_is_no_answer_is_a_peer_that_does_not_answer(monkeypatch):
    carrier = X509Carrier(identity_of("Org1MSP", "client"))
    port = GatewayPort(PeerAddress("peer0", "127.0.0.1:1", b"", b"", b""), "lab", carrier)

    async def noise(_request, **_limits):
        return b"\xff"

    monkeypatch.setattr(port, "_unary", lambda _path: noise)
    for call in (
        port.evaluate((b"Version",)),
        port.endorse((b"Version",)),
        port.commit_status("00"),
        port.height(),
    ):
        with pytest.raises(Unavailable, match="peer0"):
            finish(call)


@pytest.mark.parametrize(
    ("said", "hint"),
    [
        (f"{SIMULATION}could not launch chaincode x:12: connection refused", "package id"),
        (f"{SIMULATION}timeout expired while starting chaincode x:12", "package id"),
        (f"{SIMULATION}error sending: chaincode stream terminated", "chaincode runs"),
        ("transaction returned with failure: AssertionError: as told", "its log"),
        ("no peers available to evaluate chaincode nono in channel lab", "correct its name"),
        (
            "received unsuccessful response from orderer: status=SERVICE_UNAVAILABLE, info=x",
            "does not answer",
        ),
        ("no orderers could successfully process transaction", "does not answer"),
        ("endorsement timeout expired while collecting endorsements", "does not answer"),
    ],
)
def test_what_passes_by_itself_is_unavailable_and_says_where_to_look(said, hint):
    error = made_of("see details", grpc.StatusCode.UNAVAILABLE, said)
    assert isinstance(error, Unavailable)
    assert not isinstance(error, EndorsementsDiffer)
    assert hint in str(error)
    assert said in str(error)


def test_details_that_cannot_be_read_leave_the_message():
    class Garbled(Failed):
        def trailing_metadata(self):
            return (("grpc-status-details-bin", b"\xff\xff"), ("other", "x"))

    failure = GatewayFailure.of(Garbled(grpc.StatusCode.ABORTED, "so it is"))
    assert failure.said == ()
    assert str(failure) == "ABORTED so it is"
