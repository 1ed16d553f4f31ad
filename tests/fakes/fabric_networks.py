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


def port_of(network, peer=0, **more):
    node = network.peers[peer]
    carrier = network.carrier(node.msp_id)
    return GatewayPort(network.address(node), network.plan.fabric_channel, carrier, **more)
