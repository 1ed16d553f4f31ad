"""
Failures of a Fabric network, sorted by what the caller should do: cause and cure in the message,
Fabric's own words behind it. What fits nothing here is a peer that does not answer.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

import grpc

from tieline.interfaces.errors import ConfigError, HubError, Rejected, Unavailable
from tieline.ledgers.fabric.grpc_errors import GatewayFailure
from tieline.ledgers.fabric.port import EndorsementsDiffer, InvocationRefused

CODESPACE: Final = "fabric"
BAD_REQUEST: Final = 400
FORBIDDEN: Final = 403
TOO_LARGE: Final = 413
_REFUSED: Final = re.compile(r"chaincode response (\d+), (.*)\Z", re.DOTALL)
_DIFFER: Final = "ProposalResponsePayloads do not match"
_ORDERER: Final = re.compile(r"unsuccessful response from orderer: status=(\w+), info=(.*)")
_ORDERER_CODES: Final = {
    "BAD_REQUEST": BAD_REQUEST,
    "FORBIDDEN": FORBIDDEN,
    "REQUEST_ENTITY_TOO_LARGE": TOO_LARGE,
}


@dataclass(frozen=True, slots=True)
class Cure:
    """What Fabric says when an operator must act, what is the matter, and what to do."""

    pattern: re.Pattern[str]
    what: str
    instead: str


_OF_THE_CHANNEL: Final = (
    "take an identity of an organisation of this channel; its MSP id must be that of its "
    "certificate, and it must not be revoked"
)
CURES: Final = (
    Cure(
        re.compile(r"CERTIFICATE_VERIFY_FAILED: certificate (?:has expired|is not yet valid)"),
        "the peer's TLS certificate is not valid at this computer's time",
        "set this computer's clock by NTP; if it is right, let the peer's operator renew it",
    ),
    Cure(
        re.compile(r"Hostname Verification Check failed|is not in peer certificate"),
        "the peer's TLS certificate is for other addresses than this one",
        "write the address with a name or number that the certificate has",
    ),
    Cure(
        re.compile(r"CERTIFICATE_VERIFY_FAILED|unable to get local issuer"),
        "the peer's TLS certificate is not of the authority that was given",
        "give the TLS root certificate of the organisation whose peer this is",
    ),
    Cure(
        re.compile(r"WRONG_VERSION_NUMBER|HTTP/0\.9|PACKET_LENGTH_TOO_LONG"),
        "what listens there does not speak TLS",
        "switch TLS on at the peer (peer.tls.enabled), or correct the address",
    ),
    Cure(
        # With TLS 1.3 a server refuses when the client believes all is well, and gRPC says no more.
        re.compile(r"CERTIFICATE_REQUIRED|TLSV1_ALERT|SSLV3_ALERT|TSI_DATA_CORRUPTED"),
        "the peer does not take our TLS certificate",
        "show one of an organisation that the peer's peer.tls.clientRootCAs has",
    ),
    Cure(
        re.compile(r"incorrect timestamp"),
        "the clocks of this computer and of the peer differ too much",
        "set both by NTP; the peer's limit is peer.authentication.timewindow",
    ),
    Cure(
        re.compile(r"client identity expired|certificate has expired|identity expired"),
        "the identity that carries our transactions has expired",
        "enrol it anew and put it into the wallet",
    ),
    Cure(
        re.compile(r"creator org unknown|MSP \S+ is (?:unknown|not defined)|No MSP found"),
        "the channel does not know the organisation that carries our transactions",
        "take an identity of an organisation of this channel, with its own MSP id",
    ),
    Cure(
        re.compile(r"access denied|Failed evaluating policy|not authorized|policy .* not satisf"),
        "the channel does not let our identity do this",
        _OF_THE_CHANNEL,
    ),
    Cure(
        re.compile(
            r"failed to get config for channel|[Cc]hannel \S* ?(?:does not exist|not found)|"
            r"channel .*not exist|no such channel"
        ),
        "the peer is not on the channel",
        "correct the channel's name, ask another peer, or let this one join",
    ),
    Cure(
        re.compile(r"chaincode definition for '\S+' exists, but chaincode is not installed"),
        "the chaincode's package is not installed on the peer",
        "install the package that the organisation approved",
    ),
    Cure(
        re.compile(
            r"No metadata was found for chaincode|namespace \S+ is not defined|"
            r"chaincode \S+ not found|could not find chaincode"
        ),
        "the chaincode is not committed on the channel, or the peer is not on the channel",
        "approve and commit its definition, or correct the names",
    ),
)
"""In this order: the first that fits is meant."""
_LAUNCH: Final = re.compile(
    r"could not launch chaincode|timeout expired while starting chaincode|"
    r"error (?:starting|sending)|chaincode stream terminated|could not get chaincode code|"
    r"failed to create chaincode connection"
)
_FAILED: Final = "transaction returned with failure"
_UNKNOWN_THERE: Final = re.compile(r"no peers available to evaluate chaincode (\S+)")
_TOO_LARGE: Final = re.compile(r"larger than max|exceeds maximum allowed|message too large")
_DENIED: Final = frozenset({grpc.StatusCode.PERMISSION_DENIED, grpc.StatusCode.UNAUTHENTICATED})


def sorted_error(failure: GatewayFailure, peer: str) -> HubError:
    """
    Return what a failed call is.

    Args:
        failure: What gRPC and the peers said.
        peer: Which peer was asked, for the message.

    Returns:
        InvocationRefused: The chaincode said no; asking again changes nothing by itself.
        EndorsementsDiffer: A fresh proposal may help.
        Rejected: The orderers do not take such an envelope, ever.
        ConfigError: The operator must act.
        Unavailable: Retry, here or with another peer.
    """
    return (
        _refusal(failure, peer) or _of_the_chaincode(failure, peer) or _of_the_setup(failure, peer)
    )


def order_error(failure: GatewayFailure, peer: str) -> HubError:
    """
    Return what a failed Submit is, as ``sorted_error`` does. But a gateway that misses a quorum
    tells of the orderers that failed alone: unless all of these refuse for good, the others may
    have taken the envelope, and it is in a block some day.

    Args:
        failure: What gRPC and the orderers said.
        peer: Which peer was asked, for the message.
    """
    found = [_ORDERER.search(one.message) for one in failure.said]
    if any(one is None or one[1] not in _ORDERER_CODES for one in found):
        return Unavailable(f"not enough orderers answer: peer={peer} {failure}")
    return sorted_error(failure, peer)


def _refusal(failure: GatewayFailure, peer: str) -> HubError | None:
    """Return what chaincode or orderers said about this very invocation."""
    words = failure.everything()
    # With one refusal and one peer that is down, the refusal is what there is to know.
    for text in (*(one.message for one in failure.said), failure.message):
        refused = _REFUSED.search(text)
        if refused is not None:
            return InvocationRefused(int(refused[1]), refused[2])
    if _DIFFER in words:
        differing = [
            f"{one.msp_id}@{one.address}" for one in failure.said if _DIFFER in one.message
        ]
        return EndorsementsDiffer(differing, f"peer={peer}")
    if _TOO_LARGE.search(words):
        return Rejected(CODESPACE, TOO_LARGE, f"too large for the channel or the peer: {failure}")
    ordered = _ORDERER.search(words)
    if ordered is not None and ordered[1] in _ORDERER_CODES:
        return Rejected(CODESPACE, _ORDERER_CODES[ordered[1]], f"the orderer refuses: {ordered[2]}")
    return None


def _of_the_chaincode(failure: GatewayFailure, peer: str) -> HubError | None:
    """Return what is the matter with the chaincode's processes."""
    words = failure.everything()
    if _LAUNCH.search(words):
        return Unavailable(
            f"a peer does not reach its chaincode: peer={peer}; see that the chaincode runs, where "
            f"the peer looks for it, and under the package id that the peer installed: {failure}"
        )
    if _FAILED in words:
        return Unavailable(f"the chaincode failed, its log says where: peer={peer} {failure}")
    if _UNKNOWN_THERE.search(words):
        return Unavailable(
            f"no peer is known to have the chaincode: peer={peer}; unless the network has just "
            f"been started, install it, commit it, or correct its name: {failure}"
        )
    return None


def _of_the_setup(failure: GatewayFailure, peer: str) -> HubError:
    """Return what an operator must do, or that there was no answer."""
    words = failure.everything()
    for cure in CURES:
        if cure.pattern.search(words):
            return ConfigError(f"{cure.what}: {failure}", key=peer, instead=cure.instead)
    if failure.code in _DENIED:
        return ConfigError(f"the peer denies it: {failure}", key=peer, instead=_OF_THE_CHANNEL)
    return Unavailable(f"a peer does not answer: peer={peer} {failure}")
