"""What strangers bring to a client of a Fabric channel: messages, proofs, identities, rules."""

from __future__ import annotations

from base64 import b64decode, b64encode
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from fakes.fabric_chain import CHANNEL, FabricChain, msp_config
from fakes.fabric_client import ACKNOWLEDGEMENT, CLIENT, KEY, RECEIPT, ClientWorld, at
from fakes.signing_chain import DictStore

from fuzz.decoders import Target
from tieline.light_clients.fabric.config_changes import check_change
from tieline.light_clients.fabric.knowledge import EvidenceRefused, read_rules
from tieline.light_clients.fabric.messages import HEADER_URL, AbsenceProof
from tieline.light_clients.fabric.msp import IdentityRefused, Organisation
from tieline.light_clients.fabric.states import ClientState
from tieline.protocol.errors import ClientRefused
from tieline.protocol.messages import AnyMessage
from tieline.wire.errors import Malformed
from tieline.wire.fabric.config_groups import ConfigEnvelope, config_of_envelope
from tieline.wire.fabric.invocations import ibc_key

_HEAD, _TAIL = b"-----BEGIN CERTIFICATE-----\n", b"\n-----END CERTIFICATE-----\n"


def _answered(shown: Callable[[bytes], str | None], honest: bytes) -> Callable[[bytes], None]:
    """Only the honest proof shows anything."""

    def read(data: bytes) -> None:
        refusal = shown(data)
        if refusal is not None:
            raise Malformed(refusal)
        assert data == honest, "two proofs of one fact"

    return read


def _updating(world: ClientWorld, begun: DictStore, now: int) -> Callable[[bytes], Any]:
    def read(data: bytes) -> Any:
        return world.rules.update(DictStore(begun), AnyMessage(HEADER_URL, data), now)

    return read


def _identified(organisation: Organisation) -> Callable[[bytes], Any]:
    def read(der: bytes) -> Any:
        return organisation.identify(_HEAD + b64encode(der) + _TAIL)

    return read


def _changing(chain: FabricChain, after: ConfigEnvelope) -> Callable[[bytes], Any]:
    rules = read_rules(CHANNEL, chain.held.encode())

    def read(update: bytes) -> Any:
        return check_change(chain.held, rules, replace(after, last_update=update))

    return read


def fabric_client_targets() -> list[Target]:
    """Return every reader."""
    world = ClientWorld()
    chain = world.chain
    client, begun = chain.states(chain.blocks[2])[0], DictStore(world.store)
    written = chain.write({KEY: b"\x07" * 32})
    block = chain.commit(written)
    header = chain.header(world.tick())
    now = at(chain.clock_s)
    height = header.block.number
    world.update(header)
    member = world.prove(written, block, height)
    recorded = chain.prove_absence(CLIENT, 1, chain.clock_s, RECEIPT)
    absent = world.record_proof(recorded, chain.commit(recorded))
    unanswered = AbsenceProof(chain.read_back(ibc_key(ACKNOWLEDGEMENT))).encode()
    config = client.configs[0].config
    changed = config_of_envelope(chain.config_change())[1]
    update, changing = changed.last_update or b"", _changing(chain, changed)
    peer = chain.peers[0].signing.certificate_pem.split(b"-----")[2]
    organisation = Organisation(msp_config(chain.organisations[0]))
    return [
        Target(
            "fabric client state",
            (client.encode(),),
            ClientState.decode,
            write=ClientState.encode,
        ),
        Target("fabric header", (header.encode(),), _updating(world, begun, now), (ClientRefused,)),
        Target(
            "fabric membership",
            (member,),
            _answered(lambda data: world.shown(data, height), member),
        ),
        Target(
            "fabric absence",
            (absent,),
            _answered(lambda data: world.absent(data, height), absent),
        ),
        Target(
            "fabric unanswered",
            (unanswered,),
            _answered(lambda data: world.absent(data, height, ACKNOWLEDGEMENT), unanswered),
        ),
        Target("fabric rules", (config,), lambda data: read_rules(CHANNEL, data)),
        Target("fabric change", (update,), changing, (Malformed, EvidenceRefused)),
        Target(
            "fabric certificate",
            (b64decode(peer),),
            _identified(organisation),
            (IdentityRefused,),
        ),
    ]
