"""
py-evm's Prague rules with a shorter way through the instructions that move words about: pushes,
copies, arithmetic, jumps and memory that is there already. Everything else, and everything that
goes wrong, is left to py-evm itself; a test compares the blocks of both, byte for byte.
"""

# A computation's parts have no public names; py-evm's version is pinned.
# ruff: noqa: SLF001

from __future__ import annotations

import operator
from collections.abc import Callable
from functools import lru_cache
from typing import Any, Final

from eth.abc import (
    ComputationAPI,
    MessageAPI,
    StateAPI,
    TransactionContextAPI,
)
from eth.exceptions import Halt
from eth.vm.computation import NO_RESULT
from eth.vm.forks.prague import PragueVM
from eth.vm.forks.prague.computation import PragueComputation
from eth.vm.forks.prague.state import PragueState
from eth.vm.logic.invalid import InvalidOpcode

_WORD = 32
_MASK: Final = (1 << 256) - 1
_SIGN: Final = 1 << 255
_STACK_MAX = 1024
_PUSH0, _PUSH32 = 0x5F, 0x7F
_DUP1, _DUP16 = 0x80, 0x8F
_SWAP1, _SWAP16 = 0x90, 0x9F
_JUMP, _JUMPI, _JUMPDEST = 0x56, 0x57, 0x5B
_GAS_BASE, _GAS_VERYLOW, _GAS_MID, _GAS_HIGH = 2, 3, 8, 10

_Two = Callable[[int, int], int]
_Change = Callable[[list[int], Any, bytes], bool]
"""Changes stack and memory, which may read call data; False if it is py-evm's, with no change."""


def _signed(value: int) -> int:
    return value - (1 << 256) if value & _SIGN else value


def _binary(run: _Two) -> _Change:
    def apply(stack: list[int], _memory: Any, _data: bytes) -> bool:
        left = stack.pop()
        stack[-1] = run(left, stack[-1])
        return True

    return apply


def _is_zero(stack: list[int], _memory: Any, _data: bytes) -> bool:
    stack[-1] = 0 if stack[-1] else 1
    return True


def _not(stack: list[int], _memory: Any, _data: bytes) -> bool:
    stack[-1] ^= _MASK
    return True


def _pop(stack: list[int], _memory: Any, _data: bytes) -> bool:
    stack.pop()
    return True


def _jump_target(_stack: list[int], _memory: Any, _data: bytes) -> bool:
    return True


def _load(stack: list[int], memory: Any, _data: bytes) -> bool:
    at = stack[-1]
    if at + _WORD > len(memory):
        return False
    stack[-1] = int.from_bytes(memory._bytes[at : at + _WORD], "big")
    return True


def _store(stack: list[int], memory: Any, _data: bytes) -> bool:
    at = stack[-1]
    if at + _WORD > len(memory):
        return False
    memory._bytes[at : at + _WORD] = stack[-2].to_bytes(_WORD, "big")
    del stack[-2:]
    return True


def _load_call_data(stack: list[int], _memory: Any, data: bytes) -> bool:
    at = stack[-1]
    stack[-1] = int.from_bytes(data[at : at + _WORD].ljust(_WORD, b"\0"), "big")
    return True


_BINARY: Final[dict[int, tuple[int, _Two]]] = {
    0x01: (3, lambda left, right: (left + right) & _MASK),
    0x02: (5, lambda left, right: (left * right) & _MASK),
    0x03: (3, lambda left, right: (left - right) & _MASK),
    0x04: (5, lambda left, right: left // right if right else 0),
    0x06: (5, lambda left, right: left % right if right else 0),
    0x10: (3, lambda left, right: 1 if left < right else 0),
    0x11: (3, lambda left, right: 1 if left > right else 0),
    0x12: (3, lambda left, right: 1 if _signed(left) < _signed(right) else 0),
    0x13: (3, lambda left, right: 1 if _signed(left) > _signed(right) else 0),
    0x14: (3, lambda left, right: 1 if left == right else 0),
    0x16: (3, operator.and_),
    0x17: (3, operator.or_),
    0x18: (3, operator.xor),
    0x1B: (3, lambda shift, value: (value << shift) & _MASK if shift < 256 else 0),
    0x1C: (3, lambda shift, value: value >> shift if shift < 256 else 0),
}
_SHORT: Final[dict[int, tuple[int, int, _Change]]] = {
    **{code: (gas, 2, _binary(run)) for code, (gas, run) in _BINARY.items()},
    0x15: (3, 1, _is_zero),
    0x19: (3, 1, _not),
    0x35: (3, 1, _load_call_data),
    0x50: (2, 1, _pop),
    0x51: (3, 1, _load),
    0x52: (3, 2, _store),
    _JUMPDEST: (1, 0, _jump_target),
}
"""Gas, how deep the stack must be, and what is done."""


@lru_cache(maxsize=64)
def _program(code: bytes) -> tuple[dict[int, tuple[int, int]], frozenset[int]]:
    """Return what pushes push and where they go on, by place; and where one may jump to."""
    pushes: dict[int, tuple[int, int]] = {}
    targets: set[int] = set()
    place = 0
    while place < len(code):
        instruction = code[place]
        after = place + 1
        if _PUSH0 <= instruction <= _PUSH32:
            size = instruction - _PUSH0
            after += size
            pushes[place] = int.from_bytes(code[place + 1 : after].ljust(size, b"\0"), "big"), after
        elif instruction == _JUMPDEST:
            targets.add(place)
        place = after
    return pushes, frozenset(targets)


def _run(computation: Any) -> None:  # noqa: C901, PLR0912, PLR0915  # one branch a group
    """Execute a computation's code until it halts. Raises as py-evm does."""
    stream, meter = computation.code, computation.get_gas_meter()
    code = bytes(stream._raw_code_bytes)
    pushes, targets = _program(code)
    stack, memory = computation._stack.values, computation._memory
    slow, data = computation.opcodes, computation.msg.data_as_bytes
    end, place, gas = len(code), 0, meter.gas_remaining
    while True:
        instruction = code[place] if place < end else 0
        # Gas and stack must suffice for a branch, or py-evm says what is wrong.
        if _PUSH0 <= instruction <= _PUSH32:
            cost = _GAS_VERYLOW if instruction != _PUSH0 else _GAS_BASE
            if gas >= cost and len(stack) < _STACK_MAX:
                gas -= cost
                value, place = pushes[place]
                stack.append(value)
                continue
        elif _DUP1 <= instruction <= _DUP16:
            depth = instruction - _DUP1 + 1
            if gas >= _GAS_VERYLOW and depth <= len(stack) < _STACK_MAX:
                gas -= _GAS_VERYLOW
                stack.append(stack[-depth])
                place += 1
                continue
        elif _SWAP1 <= instruction <= _SWAP16:
            depth = instruction - _SWAP1 + 2
            if gas >= _GAS_VERYLOW and depth <= len(stack):
                gas -= _GAS_VERYLOW
                stack[-1], stack[-depth] = stack[-depth], stack[-1]
                place += 1
                continue
        elif instruction in _SHORT:
            cost, depth, change = _SHORT[instruction]
            if gas >= cost and depth <= len(stack) and change(stack, memory, data):
                gas -= cost
                place += 1
                continue
        elif instruction == _JUMPI:
            if gas >= _GAS_HIGH and len(stack) > 1 and (not stack[-2] or stack[-1] in targets):
                gas -= _GAS_HIGH
                target = stack.pop()
                place = target if stack.pop() else place + 1
                continue
        elif instruction == _JUMP and gas >= _GAS_MID and stack and stack[-1] in targets:
            gas -= _GAS_MID
            place = stack.pop()
            continue
        meter.gas_remaining = gas
        stream.program_counter = place + 1
        try:
            (slow.get(instruction) or InvalidOpcode(instruction))(computation=computation)
        except Halt:
            return
        gas, place = meter.gas_remaining, stream.program_counter
        if stack and stack[-1].__class__ is not int:
            stack[-1] = int.from_bytes(stack[-1], "big")


class FastComputation(PragueComputation):
    """As Prague's; its code runs in ``_run``."""

    @classmethod
    def apply_computation(
        cls,
        state: StateAPI,
        message: MessageAPI,
        transaction_context: TransactionContextAPI,
        parent_computation: ComputationAPI | None = None,
    ) -> ComputationAPI:
        """Execute a message; line by line what py-evm does around its own loop."""
        with cls(state, message, transaction_context) as computation:
            if computation.is_origin_computation:
                computation.contracts_created = []
                if message.is_create:
                    cls.consume_initcode_gas_cost(computation)
            if parent_computation is not None:
                computation.contracts_created = parent_computation.contracts_created
            if message.is_create:
                computation.contracts_created.append(message.storage_address)
            precompile = computation.precompiles.get(message.code_address, NO_RESULT)
            if precompile is NO_RESULT:
                _run(computation)
            elif not message.is_delegation:
                precompile(computation)
        return computation


class FastState(PragueState):
    """Prague's state."""

    computation_class = FastComputation


class FastVM(PragueVM):
    """Prague."""

    _state_class = FastState
