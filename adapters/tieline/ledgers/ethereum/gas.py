"""How much gas a call gets: twice what a node says that it takes; and whether it would succeed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from tieline.interfaces.errors import HubError, NotYet, Rejected
from tieline.ledgers.ethereum.calls import Call as ContractCall
from tieline.ledgers.ethereum.endpoints import EvmEndpoints
from tieline.ledgers.ethereum.refusals import read_refusal
from tieline.ledgers.ethereum.rpc import Call, Json
from tieline.ledgers.ethereum.rpc_errors import DoorRefusal, Reverted, door_refusal
from tieline.ledgers.ethereum.rpc_records import block_call, block_of, number_of
from tieline.ledgers.ethereum.settings import EvmSettings

ROOM: Final = 2
"""What a call takes changes with the state that it meets."""
TOO_LARGE: Final = ("sdk", 21)
OUT_OF_GAS: Final = ("sdk", 11)
UNDERFUNDED: Final = ("sdk", 5)


@dataclass(frozen=True, slots=True)
class Estimate:
    """What a call is given."""

    needed: int
    """What it took when it was run."""
    gas: int
    """The limit."""
    base_fee: int
    """Of the last block, wei."""

    @staticmethod
    def of(needed: int, settings: EvmSettings, base_fee: int) -> Estimate:
        """Return twice what is needed, within the bound."""
        return Estimate(needed, min(ROOM * needed, settings.gas_max), base_fee)


def check_size(call: ContractCall, settings: EvmSettings) -> None:
    """Raise Rejected for call data that no node would take."""
    if len(call.data) > settings.data_bytes_max:
        raise Rejected(
            *TOO_LARGE,
            f"transaction too large: bytes={len(call.data)} most={settings.data_bytes_max}",
        )


async def estimate(
    endpoints: EvmEndpoints,
    sender: bytes,
    call: ContractCall,
    settings: EvmSettings,
    base_fee: int | None = None,
) -> Estimate:
    """
    Run a call on what would be the next block, and return what it needs.

    Args:
        endpoints: Who is asked.
        sender: Whose call, 20 bytes.
        call: What it does.
        settings: Its bounds.
        base_fee: Of a block of these seconds, wei; None asks for it, too.

    Raises:
        Rejected: It would fail, with the contract's own reason and number; or takes too much.
        Unavailable: No node answers.
    """
    asked = {
        "from": "0x" + sender.hex(),
        "to": "0x" + call.to.hex(),
        "data": "0x" + call.data.hex(),
    }
    calls = [Call("eth_estimateGas", (asked, "pending"))]
    if base_fee is None:
        calls.append(Call(*block_call("latest")))
    try:
        needed, told = await endpoints.ask(calls, _read)
    except Reverted as exc:
        refusal = read_refusal(exc.data, exc.log)
        raise Rejected(refusal.codespace, refusal.code, refusal.log) from exc
    except Rejected as exc:
        raise _sorted(exc, sender) from exc
    if needed > settings.gas_max:
        raise Rejected(*OUT_OF_GAS, f"out of gas: needed={needed} most={settings.gas_max}")
    return Estimate.of(needed, settings, told if base_fee is None else base_fee)


def _read(answers: Sequence[Json]) -> tuple[int, int]:
    blocks = [block_of(one) for one in answers[1:]]
    return number_of(answers[0]), (blocks[0].header.base_fee or 0) if blocks else 0


def _sorted(refusal: Rejected, sender: bytes) -> HubError:
    match door_refusal(refusal.log):
        case DoorRefusal.UNDERFUNDED:
            return Rejected(
                *UNDERFUNDED,
                f"account 0x{sender.hex()} cannot pay; send it some ether. The node says: "
                f"{refusal.log}",
            )
        case DoorRefusal.FULL | DoorRefusal.UNDERPRICED:
            return NotYet(refusal.log)
        case _:
            return refusal
