"""
Makes the vectors that CometBFT and Go's IAVL answer for: builds the oracle beside this file, asks
it, and writes ``tests/vectors``.

``python tests/oracles/make_vectors.py`` (needs Go, and the Go module proxy or a filled cache)
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Iterable
from hashlib import sha256
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
TESTS = HERE.parent
VECTORS = TESTS / "vectors"
sys.path[:0] = [str(TESTS), str(TESTS / "benchmark")]

from oracle import build_oracle  # noqa: E402 -- the path is made above

Json = dict[str, Any]
ODD_POINTS = 6
"""Second spellings that are paired with each other; the rest only with an honest half."""


def ask(command: str, questions: Iterable[Json]) -> list[Json]:
    """Return one answer a question."""
    text = "".join(json.dumps(one) + "\n" for one in questions)
    program = build_oracle()
    assert program is not None, "no Go here"
    done = subprocess.run(
        [program, command], input=text, capture_output=True, text=True, check=True
    )
    return [json.loads(line) for line in done.stdout.splitlines()]


def write(name: str, how: str, rows: Iterable[Json]) -> None:
    """Write one file, a row a line."""
    lines = ",\n".join("  " + json.dumps(row) for row in rows)
    text = f'{{\n"how": {json.dumps(how)},\n"cases": [\n{lines}\n]\n}}\n'
    (VECTORS / name).write_text(text, encoding="utf-8")


def signatures() -> None:
    """Odd and honest keys, nonces and scalars, paired."""
    from fakes.signature_cases import MESSAGE, signature_cases

    cases = list(signature_cases())
    questions = [
        {"key": key.hex(), "message": MESSAGE.hex(), "signature": signature.hex()}
        for _, key, signature in cases
    ]
    rows = []
    for (name, key, signature), verdict in zip(cases, ask("ed25519", questions), strict=True):
        assert verdict["single"] is verdict["batch"], name
        rows.append(
            {
                "name": name,
                "digest": sha256(key + signature).hexdigest()[:16],
                "is_valid": verdict["single"],
            }
        )
    how = f"CometBFT 0.38.25, one by one and in a batch; message {MESSAGE.decode()!r}"
    write("ed25519_zip215.json", how, rows)


def headers() -> None:
    """Drawn histories of validators, and what CometBFT's light client says of a header."""
    from fakes.header_cases import HEADER_CASES, draw_case, question

    cases = [draw_case(number) for number in range(HEADER_CASES)]
    rows = [
        {
            "number": number,
            "digest": sha256(case.header.encode()).hexdigest()[:16],
            "accepted": verdict["accepted"],
            "reason": verdict["reason"].split(":")[-1].strip()[:40],
        }
        for number, (case, verdict) in enumerate(
            zip(cases, ask("header", [question(case) for case in cases]), strict=True)
        )
    ]
    how = "light.Verify of CometBFT 0.38.25 on the cases that fakes.header_cases draws by number"
    write("tendermint_headers.json", how, rows)


def histories() -> None:
    """Roots of Go's IAVL over long drawn histories."""
    from fakes.tree_histories import HISTORIES, draw_history

    drawn = [draw_history(number) for number in range(HISTORIES)]
    asked = [
        {
            "versions": [
                [
                    {"key": key.hex(), "value": (value or b"").hex(), "remove": value is None}
                    for key, value in version
                ]
                for version in one
            ]
        }
        for one in drawn
    ]
    rows = [
        {"number": number, "roots": found["roots"]}
        for number, found in enumerate(ask("iavl", asked))
    ]
    how = "iavl v1.2.8 on the histories that fakes.tree_histories draws by number"
    write("iavl_histories.json", how, rows)


MAKERS: dict[str, Callable[[], None]] = {
    "signatures": signatures,
    "headers": headers,
    "histories": histories,
}


if __name__ == "__main__":
    for chosen in sys.argv[1:] or MAKERS:
        MAKERS[chosen]()
