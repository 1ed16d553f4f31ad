"""The IAVL tree at 100,000 keys: filled, hashed, read, proved, written to by one block's work."""

from __future__ import annotations

from clock import best_of, best_us, once, report

from tieline.contract.iavl import IavlTree
from tieline.contract.multistore import MultiStore
from tieline.light_clients import ics23
from tieline.wire.hashes import sha256

KEYS = 100_000
BLOCK = 1_000
ROUNDS = 3


def key(number: int) -> bytes:
    """A key as packet commitments have it: a client's name, a byte, eight of sequence."""
    return b"07-tendermint-0\x01" + number.to_bytes(8, "big")


def value(number: int) -> bytes:
    """A commitment."""
    return sha256(b"value" + number.to_bytes(8, "big"))


def scattered(number: int) -> bytes:
    """A key as records by id have it."""
    return sha256(number.to_bytes(8, "big"))


def fill(tree: IavlTree, keys: list[bytes], values: list[bytes]) -> None:
    """Write all pairs."""
    for one, content in zip(keys, values, strict=True):
        tree.set(one, content)


def measure(kind: str, keys: list[bytes]) -> None:
    """Fill a fresh tree, then work on it."""
    values = [value(number) for number in range(KEYS)]
    inserts, commits = [], []
    tree = IavlTree()
    for _ in range(ROUNDS):
        tree = IavlTree()
        inserts.append(once(lambda t=tree: fill(t, keys, values)).cpu_s)
        commits.append(once(tree.commit).cpu_s)
    few = keys[:: KEYS // BLOCK]
    rewritten = [sha256(one) for one in values[:BLOCK]]

    def block() -> None:
        fill(tree, few, rewritten)
        tree.commit()

    block_s = best_of(5, block).cpu_s
    details = {"keys": KEYS, "order": kind, "clock": "CPU, best of rounds"}
    report(f"iavl.insert.{kind}", min(inserts) / KEYS * 1e6, "us/key", **details)
    report(f"iavl.commit.{kind}", min(commits) / KEYS * 1e6, "us/key", **details)
    report(f"iavl.block.{kind}", block_s / BLOCK * 1e6, "us/write", writes=BLOCK, **details)
    report(f"iavl.get.{kind}", best_us(ROUNDS, tree.get, keys), "us", **details)
    walk = best_of(ROUNDS, lambda: sum(1 for _ in tree.items()))
    report(f"iavl.walk.{kind}", walk.cpu_s / KEYS * 1e6, "us/key", **details)


def measure_proofs() -> None:
    """Make and check two-level proofs of presence and of absence."""
    stores = MultiStore(("ibc", "tieline"))
    for number in range(KEYS):
        stores.set("ibc", key(2 * number), value(number))
    stores.set("tieline", b"k", b"v")
    root = stores.commit()
    version = stores.version
    sample = range(0, KEYS, KEYS // 1_000)
    made = best_us(ROUNDS, lambda n: stores.prove("ibc", key(2 * n), version), list(sample))
    report("iavl.prove.presence", made, "us", keys=KEYS, bytes=len(stores.prove("ibc", key(0), 1)))
    absent = best_us(ROUNDS, lambda n: stores.prove("ibc", key(2 * n + 1), version), list(sample))
    report("iavl.prove.absence", absent, "us", keys=KEYS)
    # More proofs than are remembered once read, so that each is read anew.
    proofs = [(n, stores.prove("ibc", key(2 * n), version)) for n in range(0, KEYS, KEYS // 2_000)]

    def check(entry: tuple[int, bytes]) -> None:
        n, proof = entry
        ics23.verify_membership(root, (b"ibc", key(2 * n)), proof, value(n))

    report("iavl.verify.presence", best_us(ROUNDS, check, proofs), "us", keys=KEYS)


def main() -> None:
    """Measure both orders in which keys come, then proofs."""
    measure("ascending", [key(number) for number in range(KEYS)])
    measure("scattered", [scattered(number) for number in range(KEYS)])
    measure_proofs()


if __name__ == "__main__":
    main()
