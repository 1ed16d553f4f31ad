"""The least chaincode there is: puts and gets, to measure and to try a peer's stream with."""

import os
import time
from dataclasses import dataclass


@dataclass(frozen=True)
class Outcome:
    status: int = 200
    message: str = ""
    payload: bytes = b""
    event: bytes = b""
    writes: tuple = ()


class PutGet:
    """
    ``put KEY VALUE``, ``get KEY``, ``gets KEY ..``, ``many PREFIX COUNT``, ``sleep MS``,
    ``chance``, and what it is started with.
    """

    def __init__(self, argument=""):
        self.argument = argument

    def invoke(self, args, state, wall_s):
        name, *rest = args
        if name == b"put":
            key, value = rest[0].decode(), rest[1]
            seen = state.get_state(key)
            return Outcome(payload=seen, event=b"put " + rest[0], writes=((key, value or None),))
        if name == b"many":
            count = int(rest[1])
            prefix = rest[0].decode()
            return Outcome(writes=tuple((f"{prefix}{n:04}", b"%d" % n) for n in range(count)))
        if name == b"get":
            return Outcome(payload=state.get_state(rest[0].decode()))
        if name == b"gets":
            return Outcome(payload=b",".join(state.get_states([key.decode() for key in rest])))
        if name == b"wall":
            return Outcome(payload=b"%d" % wall_s())
        if name == b"sleep":
            time.sleep(int(rest[0]) / 1000)
            return Outcome(payload=b"slept")
        if name == b"argument":
            return Outcome(payload=self.argument.encode())
        if name == b"chance":
            return Outcome(payload=os.urandom(8))
        if name == b"fail":
            raise AssertionError("as told")
        return Outcome(status=500, message=f"no function {name.decode()}")


def open_put_get(argument):
    return PutGet(argument)
