"""
Records what anvil and geth answer about blocks, accounts and storage: ``evm_proofs.json``.

    python tests/vectors/record_evm_proofs.py ANVIL GETH

with the paths of both programs. A contract is created that stores commitments at the slots where
the host keeps them; keys are drawn for this run and kept nowhere.
"""

from __future__ import annotations

import json
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path

from eth_account import Account

from tieline.light_clients.evm.building import commitment_slot

CHAIN_ID = 31_337
OTHERS = 40
PATHS = [b"07-tendermint-0\x01" + n.to_bytes(8, "big") for n in range(1, 25)]
VALUES = [bytes([n]) * 32 if n % 4 else bytes(n) + b"\x07" * (32 - n) for n in range(1, 25)]
ABSENT = [b"07-tendermint-0\x02" + n.to_bytes(8, "big") for n in range(1, 4)]
SHOWN = [0, 3, 23]
"""Which of the paths are asked for; the second has leading zeros in its value."""


class Node:
    def __init__(self, command, port, folder):
        log = (folder / "log").open("w")
        self.process = subprocess.Popen(command, stdout=log, stderr=log)
        self.url = f"http://127.0.0.1:{port}"
        for _ in range(300):
            try:
                self.call("eth_chainId")
            except OSError:
                time.sleep(0.1)
            else:
                return
        raise SystemExit((folder / "log").read_text())

    def call(self, method, *parameters):
        body = json.dumps({"jsonrpc": "2.0", "id": 1, "method": method, "params": parameters})
        request = urllib.request.Request(
            self.url, body.encode(), {"Content-Type": "application/json"}
        )
        with urllib.request.urlopen(request, timeout=10) as reply:
            answer = json.load(reply)
        if "error" in answer:
            raise SystemExit(f"{method}: {answer['error']}")
        return answer["result"]

    def send(self, key, nonce, to, data, value=0):
        fields = {
            "chainId": CHAIN_ID, "nonce": nonce, "gas": 3_000_000, "maxFeePerGas": 10**10,
            "maxPriorityFeePerGas": 10**9, "value": value, "data": data,
        }  # fmt: skip
        signed = key.sign_transaction({**fields, "to": to} if to else fields)
        return self.call("eth_sendRawTransaction", "0x" + bytes(signed.raw_transaction).hex())

    def receipt(self, tx_hash):
        for _ in range(100):
            found = self.call("eth_getTransactionReceipt", tx_hash)
            if found:
                return found
            time.sleep(0.1)
        raise SystemExit("no receipt")


def storing_code():
    """Init code: stores every value, then leaves one byte of code, STOP."""
    code = b""
    for path, value in zip(PATHS, VALUES, strict=True):
        code += b"\x7f" + value + b"\x7f" + commitment_slot(path) + b"\x55"
    return code + bytes.fromhex("60016000f3")


def free_port():
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


def genesis(address):
    forks = (
        "homesteadBlock eip150Block eip155Block eip158Block byzantiumBlock constantinopleBlock "
        "petersburgBlock istanbulBlock muirGlacierBlock berlinBlock londonBlock arrowGlacierBlock "
        "grayGlacierBlock mergeNetsplitBlock shanghaiTime cancunTime pragueTime osakaTime"
    )
    blobs = {"target": 6, "max": 9, "baseFeeUpdateFraction": 5_007_716}
    schedule = dict.fromkeys(("cancun", "prague", "osaka"), blobs)
    config = {"chainId": CHAIN_ID, "terminalTotalDifficulty": 0, "blobSchedule": schedule}
    config |= dict.fromkeys(forks.split(), 0)
    return {
        "config": config,
        "difficulty": "0x0",
        "gasLimit": "0x3938700",
        "extraData": "0x",
        "timestamp": "0x6a000000",
        "alloc": {address: {"balance": hex(10**22)}},
    }


def start_anvil(program, folder, address):
    port = free_port()
    options = f"--port {port} --silent --hardfork osaka --accounts 0 --chain-id {CHAIN_ID}"
    node = Node([program, *options.split()], port, folder)
    node.call("anvil_setBalance", address, hex(10**22))
    return node


def start_geth(program, folder, address):
    port, engine = free_port(), free_port()
    (folder / "genesis.json").write_text(json.dumps(genesis(address)))
    common = ["--state.scheme", "hash", "--datadir", str(folder / "data")]
    subprocess.run(
        [program, "init", *common, str(folder / "genesis.json")], check=True, capture_output=True
    )
    options = (
        f"--dev --dev.period 1 --gcmode archive --http --http.port {port} --authrpc.port {engine} "
        "--port 0 --nodiscover --maxpeers 0 --nat none --ipcdisable --http.api eth"
    )
    return Node([program, *common, *options.split()], port, folder)


def record(node, key):
    nonce = 0
    for number in range(OTHERS):
        node.send(key, nonce, bytes([0xA0, *[number] * 19]), "0x", 1)
        nonce += 1
    made = node.receipt(node.send(key, nonce, None, "0x" + storing_code().hex()))
    host, height = made["contractAddress"], made["blockNumber"]
    slots = ["0x" + commitment_slot(PATHS[n]).hex() for n in SHOWN]
    slots += ["0x" + commitment_slot(path).hex() for path in ABSENT]
    nobody = "0x" + "99" * 20
    return {
        "genesis": node.call("eth_getBlockByNumber", "0x0", False),
        "block": node.call("eth_getBlockByNumber", height, False),
        "host": node.call("eth_getProof", host, slots, height),
        "nobody": node.call("eth_getProof", nobody, slots[:1], height),
        "stored": [{"path": PATHS[n].hex(), "value": VALUES[n].hex()} for n in SHOWN],
        "absent": [path.hex() for path in ABSENT],
    }


def main(anvil, geth):
    recorded = {"chain_id": CHAIN_ID}
    for name, start, program in (("anvil", start_anvil, anvil), ("geth", start_geth, geth)):
        key = Account.create()
        with tempfile.TemporaryDirectory() as folder:
            node = start(program, Path(folder), key.address)
            try:
                recorded[name] = record(node, key)
            finally:
                node.process.terminate()
                node.process.wait()
        version = subprocess.run([program, "--version"], check=True, capture_output=True, text=True)
        recorded[name]["version"] = version.stdout.splitlines()[0]
    target = Path(__file__).with_name("evm_proofs.json")
    target.write_text(json.dumps(recorded, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main(*sys.argv[1:])
