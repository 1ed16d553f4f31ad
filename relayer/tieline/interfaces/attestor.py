"""
Who signs what a ledger's finalised state says: one attestor a utility cell, one key a ledger.

An attestor checks with its own light client before it signs; on any doubt it stays silent.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from tieline.interfaces.ledger import StoredValue
from tieline.protocol.messages import AnyMessage


class Attestor(Protocol):
    """
    The attestor of one utility cell, for every ledger that it follows.

    Signatures are 65 bytes r, s, v over the attestation digest of ``docs/spec/bytes.md``; the same
    request gives the same bytes again. ``None`` is silence: the attestor says why in its own log
    and in ``last_reason``, and the relayer asks again later.
    """

    @property
    def cell(self) -> bytes:
        """The EVM address of the utility cell it signs for, 20 bytes."""
        ...

    @property
    def last_reason(self) -> str:
        """Why the last request was met with silence; empty when it was answered."""
        ...

    def address(self, ledger_id: str) -> bytes:
        """
        Return the address of its key for the ledger *ledger_id*, 20 bytes.

        Raises:
            KeyError: It holds no key for that ledger.
        """
        ...

    async def attest_state(self, ledger_id: str, header: AnyMessage, height: int) -> bytes | None:
        """
        Sign height and time (whole seconds) of the final *header* at *height*; tag 0x01.

        Args:
            ledger_id: The attested ledger.
            header: Native client message, as the ledger's ``ProofSource.header`` gives it.
            height: Block height, without revision.
        """
        ...

    async def attest_packets(
        self, ledger_id: str, height: int, entries: Sequence[StoredValue]
    ) -> bytes | None:
        """
        Sign what is stored under the keys of *entries* as proved at *height*; tag 0x02.

        Args:
            ledger_id: The attested ledger.
            height: ``proof_height`` of every entry, without revision.
            entries:
                Raw keys with native proofs, in the order in which they are attested; an absent
                value is attested as 32 zero bytes, a longer or shorter one never.
        """
        ...
