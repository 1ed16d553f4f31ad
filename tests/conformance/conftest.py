"""
Every ledger through one door. A new adapter adds one line to ``ENGINES`` and is done when this
folder is green.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path

import pytest
from fakes.driven import LANES, Link, drive, finish, genesis_of
from fakes.echo_module import echo_module, send_echo
from fakes.evm_engine import EvmChain
from fakes.microgrid import echo_installation, key
from fakes.stock_chain import start_stock

from tieline.contract.block import Application
from tieline.interfaces.engines import find_engine
from tieline.interfaces.errors import ConfigError
from tieline.ledgers.cosmos.ledger import CosmosLedger
from tieline.ledgers.ethereum.deployment import shipped_artifacts
from tieline.ledgers.ethereum.embedded import EmbeddedEthereum
from tieline.ledgers.fabric.embedded_ledger import EmbeddedFabric
from tieline.ledgers.simulated.ledger import SimulatedLedger
from tieline.ledgers.tendermint.embedded import EmbeddedTendermint
from tieline.ledgers.tendermint.home import Pace
from tieline.ledgers.tendermint.native import NativeTendermint
from tieline.ledgers.tendermint.peers import PeerGroup
from tieline.wire.hashes import sha256

EMBEDDED, NATIVE, GETH, ANVIL = "embedded", "native", "geth", "anvil"
PROGRAMS = {
    ("tendermint", NATIVE): "cometbft",
    ("cosmos", NATIVE): "simapp",
    ("ethereum", GETH): "geth",
    ("ethereum", ANVIL): "anvil",
    ("fabric", NATIVE): "fabric-peer",
}
"""The program that a ledger outside this process runs on."""
NATIVE_ONLY = {"cosmos"}
"""Kinds that have no embedded engine."""


def _embedded_tendermint(chain_id):
    genesis = genesis_of(chain_id, "cometbft")
    seeds = [sha256(f"{chain_id} {n}".encode()) for n in range(4)]
    application = Application(genesis, installation=echo_installation(), record_access=True)
    return EmbeddedTendermint(genesis, seeds, application=application)


def _embedded_ethereum(chain_id):
    sealers = [key(f"sealer {n} of {chain_id}") for n in range(2)]
    return EmbeddedEthereum(
        genesis_of(chain_id, "evm"),
        key(f"deployer of {chain_id}"),
        sealers,
        artifacts={**shipped_artifacts(), "trade": echo_module()},
        plain_send=send_echo,
    )


def _embedded_fabric(chain_id):
    genesis = genesis_of(chain_id, "fabric")
    seed = sha256(f"network of {chain_id}".encode())
    return EmbeddedFabric(genesis, seed, installation=echo_installation())


def _native_fabric(chain_id):
    if chain_id not in _GROUPS:
        from fakes.native_fabric import NativeChannel

        folder = Path(tempfile.mkdtemp(prefix="tieline-conform-"))
        is_bft = os.environ.get("ORDERER", "raft") == "bft"
        _GROUPS[chain_id] = NativeChannel(chain_id, folder, is_bft=is_bft), folder
    return _GROUPS[chain_id][0].open()


def _simulated(chain_id):
    operators = [key(f"operator {n} of {chain_id}") for n in range(3)]
    return SimulatedLedger(genesis_of(chain_id, "sim"), operators, installation=echo_installation())


_GROUPS = {}
"""Peers of native ledgers by chain id; they run until the session ends."""


def _native_tendermint(chain_id):
    genesis = genesis_of(chain_id, "cometbft")
    if chain_id not in _GROUPS:
        folder = Path(tempfile.mkdtemp(prefix="tieline-conform-"))
        pace = Pace(commit_wait_ms=20, empty_block_interval_s=3600)
        installation = "fakes.microgrid:echo_installation"
        group = PeerGroup(genesis, folder, pace=pace, installation=installation)
        group.start()
        _GROUPS[chain_id] = group, folder
    return NativeTendermint(chain_id, _GROUPS[chain_id][0].peers[0].rpc)


def _cosmos(chain_id):
    if chain_id not in _GROUPS:
        folder = Path(tempfile.mkdtemp(prefix="tieline-conform-"))
        _GROUPS[chain_id] = start_stock(chain_id, folder / "home", LANES), folder
    return CosmosLedger(chain_id, _GROUPS[chain_id][0].rpc)


def _ethereum_on(engine):
    def start(chain_id):
        if chain_id not in _GROUPS:
            folder = Path(tempfile.mkdtemp(prefix="tieline-conform-"))
            artifacts = {**shipped_artifacts(), "trade": echo_module()}
            chain = EvmChain(engine, folder / "chain", chain_id, artifacts=artifacts)
            _GROUPS[chain_id] = chain, folder
        return _GROUPS[chain_id][0].open(lanes=(), plain_send=send_echo)

    return start


def pytest_sessionfinish():
    """End what runs outside this process; keep nothing."""
    for group, folder in _GROUPS.values():
        group.stop()
        shutil.rmtree(folder)


ENGINES = {
    ("tendermint", "native"): _native_tendermint,
    ("cosmos", "native"): _cosmos,
    ("fabric", "native"): _native_fabric,
    ("ethereum", "geth"): _ethereum_on(GETH),
    ("ethereum", "anvil"): _ethereum_on(ANVIL),
    ("tendermint", "embedded"): _embedded_tendermint,
    ("ethereum", "embedded"): _embedded_ethereum,
    ("fabric", "embedded"): _embedded_fabric,
    ("simulated", "embedded"): _simulated,
}
"""(kind of ledger, engine) -> how to start one. A new adapter or engine is one line here."""


def _engine():
    default = NATIVE if os.environ.get("LEDGER") in NATIVE_ONLY else EMBEDDED
    return os.environ.get("ENGINE") or default


def _chosen():
    """Return what `make conform LEDGER=... ENGINE=...` names; all embedded ones without it."""
    kind, engine = os.environ.get("LEDGER", ""), _engine()
    found = {
        one: start
        for (one, runs_on), start in ENGINES.items()
        if kind in {"", one} and engine == runs_on
    }
    if not found:
        offered = ", ".join(f"LEDGER={one} ENGINE={runs_on}" for one, runs_on in ENGINES)
        pytest.exit(f"no ledger for LEDGER={kind} ENGINE={engine}; write one of: {offered}", 2)
    if engine != EMBEDDED:
        try:
            for one in found:
                find_engine(PROGRAMS[one, engine])
        except ConfigError as exc:
            pytest.exit(str(exc), 2)
    return found


KINDS = _chosen()


@pytest.fixture(params=sorted(KINDS))
def driven(request):
    """One ledger of every kind."""
    return drive(KINDS[request.param], "conform-1")


@pytest.fixture
def by_hand(driven):
    """One ledger whose blocks a test makes."""
    return driven


@pytest.fixture
def own_pace(driven):
    """One ledger that makes its own blocks, and none without a reason."""
    return driven


@pytest.fixture
def ours(driven):
    """One ledger that runs our contract."""
    return driven


def pytest_collection_modifyitems(config, items):
    """
    A test of the hand says nothing of a ledger at its own pace, nor the other way round; and a
    stock chain has neither our pace nor our stores.
    """
    others = {"own_pace" if _engine() == EMBEDDED else "by_hand"}
    if _engine() == GETH:
        others |= {"own_pace"}
    if set(KINDS) <= NATIVE_ONLY:
        others |= {"own_pace", "ours", "link_of_ours"}
    unfit = [item for item in items if others & set(getattr(item, "fixturenames", ()))]
    config.hook.pytest_deselected(items=unfit)
    items[:] = [item for item in items if item not in unfit]


def _pair(one, other):
    """Pairs of unlike kinds with the costliest one are for `make check-slow`, which runs all."""
    is_slow = one != other and "fabric" in {one, other}
    return pytest.param((one, other), marks=[pytest.mark.slow] if is_slow else [])


@pytest.fixture(params=[_pair(one, other) for one in sorted(KINDS) for other in sorted(KINDS)])
def link(request):
    """Two linked ledgers, of every pair of kinds."""
    one, other = request.param
    return Link(drive(KINDS[one], "first-1"), drive(KINDS[other], "second-1"))


@pytest.fixture
def link_of_ours(link):
    """Two linked ledgers that run our contract."""
    return link


@pytest.fixture
def run_now():
    """Finish a ledger's coroutine."""
    return finish
