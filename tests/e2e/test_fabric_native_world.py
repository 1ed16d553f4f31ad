"""A small world with one microgrid on Fabric's own programs, and an audit that is content."""

import pytest
from fakes.small_world import small

from tieline.audit.auditing import audit
from tieline.scenario import world
from tieline.scenario.config import LedgerKind

pytestmark = pytest.mark.native


def test_a_microgrid_on_real_peers_and_orderers_trades_and_its_history_runs_again(tmp_path):
    config = small(slot_count=1, preset="fabric")
    fabric = config.microgrids[0].model_copy(update={"ledger": LedgerKind.FABRIC})
    config = config.model_copy(update={"microgrids": [fabric, *config.microgrids[1:]]})
    world.run(config, tmp_path, progress=lambda *_: None, engine="native")
    report = audit(tmp_path)
    assert report.findings == ()
    height = {one.ledger: one.height for one in report.ledgers}[fabric.chain_id]
    transactions = {one.ledger: one.transaction_count for one in report.ledgers}
    assert height > 10
    assert transactions[fabric.chain_id] > 5
    engines = tmp_path / "engines" / fabric.chain_id  # logs say why, when something has ended
    assert len(list(engines.rglob("engine.log"))) == 3
    assert len(list(engines.rglob("chaincode.log"))) == 2
