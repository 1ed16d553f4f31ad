"""
The IAVL tree at 100,000 keys: filled, hashed, read, proved, written to by one block's work, stored
durably block for block, and loaded again.
"""

from __future__ import annotations

import gc
import tempfile
from dataclasses import dataclass
from pathlib import Path
from random import Random
from statistics import median

from clock import at_most, best_of, best_us, once, report

from tieline.contract.iavl import IavlTree
from tieline.contract.multistore import MultiStore
from tieline.ledgers.tendermint.state_store import StateStore
from tieline.light_clients import ics23
from tieline.wire.hashes import sha256

KEYS = 100_000
BLOCK = 1_000
ROUNDS = 3
STORED_BLOCKS = 240
"""More than are provable twice over, so that old rows have begun to go."""
COMMIT_MS_MAX = 50
LOAD_S_MAX = 4


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


@dataclass(frozen=True, slots=True)
class Block:
    """What the store is told of a block."""

    height: int
    time_ns: int
    app_hash: bytes


def resident_mb() -> float:
    """Return this process's memory."""
    pages = int(Path("/proc/self/statm").read_text(encoding="utf-8").split()[1])
    return pages * 4_096 / 1e6


def measure_store(folder: Path) -> None:
    """Store blocks of 1,000 writes, a quarter new keys and a quarter removals, as the host does."""
    store = StateStore(folder / "state.sqlite")
    tree, chance, count = store.tree, Random(1), KEYS
    held = [scattered(number) for number in range(KEYS)]
    for one in held:
        tree.set("ibc", one, value(0))
    tree.set("tieline", b"k", b"v")
    root = tree.commit()
    store.save(Block(tree.version, 1, root))
    gc.collect()
    gc.freeze()
    gc.disable()
    works, commits, memory = [], [], []
    for _ in range(STORED_BLOCKS):
        chance.shuffle(held)
        gone, held = held[: BLOCK // 4], held[BLOCK // 4 :]
        held += [scattered(number) for number in range(count, count + BLOCK // 4)]
        count += BLOCK // 4
        written = held[-BLOCK * 3 // 4 :]

        def work(gone: list[bytes] = gone, written: list[bytes] = written) -> None:
            for one in gone:
                tree.remove("ibc", one)
            for one in written:
                tree.set("ibc", one, chance.randbytes(32))
            tree.commit()

        works.append(once(work).cpu_s)
        block = Block(tree.version, tree.version, tree.app_hash())
        commits.append(once(lambda block=block: store.save(block)))
        gc.collect()
        gc.freeze()
        memory.append(resident_mb())
    store.close()
    gc.enable()
    late = STORED_BLOCKS * 3 // 4
    wall_ms = sorted(one.wall_s * 1e3 for one in commits)
    details = {
        "keys": KEYS,
        "writes": BLOCK,
        "blocks": STORED_BLOCKS,
        "clock": "wall, the disk waited for",
        "cpu_ms": round(median(one.cpu_s for one in commits) * 1e3, 1),
        "p99_ms": round(wall_ms[len(wall_ms) * 99 // 100], 1),
        "file_mb": round((folder / "state.sqlite").stat().st_size / 1e6),
    }
    report("iavl.store.work", median(works) * 1e3, "ms/block", writes=BLOCK, clock="CPU")
    limit = at_most(COMMIT_MS_MAX)
    report("iavl.store.commit", median(wall_ms), "ms/block", limit, **details)
    growth = (memory[-1] - memory[late]) / (STORED_BLOCKS - late) * 1e3
    report("iavl.store.growth", growth, "kB/block", mb=round(memory[-1]), blocks=STORED_BLOCKS)
    measure_load(folder)


def measure_load(folder: Path) -> None:
    """Open what was stored, all provable versions."""
    store = StateStore(folder / "state.sqlite")
    took = once(store.restore)
    details = {"clock": "CPU", "wall_s": round(took.wall_s, 2), "keys": len(store.tree.tree("ibc"))}
    report("iavl.store.load", took.cpu_s, "s", at_most(LOAD_S_MAX), **details)
    store.close()


def main() -> None:
    """Measure both orders in which keys come, then proofs, then the disk."""
    measure("ascending", [key(number) for number in range(KEYS)])
    measure("scattered", [scattered(number) for number in range(KEYS)])
    measure_proofs()
    with tempfile.TemporaryDirectory(prefix="tieline-", dir=Path.cwd()) as folder:
        measure_store(Path(folder))


if __name__ == "__main__":
    main()
