"""Native Fabric networks for tests: with the least chaincode, two organisations, real time."""

import time

from tieline.ledgers.fabric.gateway import GatewayPort
from tieline.ledgers.fabric.material import Validity
from tieline.ledgers.fabric.native.network import FabricNetwork
from tieline.ledgers.fabric.native.plan import ChaincodePlan, Consensus, NetworkPlan

PUT_GET = ChaincodePlan(factory="fakes.put_get_chaincode:open_put_get", argument="hello")


def lay_out(folder, consensus=Consensus.RAFT, chaincode=PUT_GET, **more):
    validity = Validity.around(int(time.time()))
    plan = NetworkPlan("lab", validity, consensus=consensus, chaincode=chaincode, **more)
    return FabricNetwork(plan, folder)


async def committed(port, tx_id, patience_s=120.0):
    """What became of a transaction; None if it is in no block for so long."""
    end = time.monotonic() + patience_s
    while (status := await port.commit_status(tx_id)) is None and time.monotonic() < end:
        pass  # the peer has waited for it
    return status


def port_of(network, peer=0, **more):
    node = network.peers[peer]
    carrier = network.carrier(node.msp_id)
    return GatewayPort(network.address(node), network.plan.fabric_channel, carrier, **more)
