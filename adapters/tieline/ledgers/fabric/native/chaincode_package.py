"""
The chaincode package that peers install, and the external builder by which they accept it: a
package says only that the chaincode is a service. Where it listens each peer is told by a file of
its own, so that all install the same package and know it by one id.
"""

from __future__ import annotations

import gzip
import io
import json
import tarfile
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Final

from tieline.ledgers.fabric.native.program_files import CONNECTION_VARIABLE, LOOPBACK

KIND: Final = "ccaas"
DIAL_TIMEOUT: Final = "5s"
_SCRIPTS: Final = {
    # Arguments: source, metadata.
    "detect": f"""#!/bin/sh
grep -q '"type":"{KIND}"' "$2/metadata.json"
""",
    # Arguments: source, metadata, output.
    "build": """#!/bin/sh
exit 0
""",
    # Arguments: output of build, release.
    "release": f"""#!/bin/sh
set -eu
mkdir -p "$2/chaincode/server"
cp "${CONNECTION_VARIABLE}" "$2/chaincode/server/connection.json"
""",
}
_EXECUTABLE: Final = 0o755


@dataclass(frozen=True, slots=True)
class ChaincodePackage:
    """What is installed, and the id that peers give it."""

    label: str
    content: bytes

    @property
    def package_id(self) -> str:
        """The id; chaincode that registers under another one is never used."""
        return f"{self.label}:{sha256(self.content).hexdigest()}"


def make_package(label: str) -> ChaincodePackage:
    """Return a package; the same label makes the same bytes."""
    metadata = json.dumps({"type": KIND, "label": label}, separators=(",", ":")).encode()
    code = _archive({"README": b"the chaincode is a service; its peer knows where\n"})
    return ChaincodePackage(label, _archive({"metadata.json": metadata, "code.tar.gz": code}))


def write_builder(folder: Path) -> None:
    """Write the external builder. There is no ``run``: a service runs by itself."""
    for name, text in _SCRIPTS.items():
        script = folder / "bin" / name
        script.parent.mkdir(parents=True, exist_ok=True)
        script.write_text(text, encoding="ascii")
        script.chmod(_EXECUTABLE)


@dataclass(frozen=True, slots=True)
class LinkKeys:
    """By what a peer and its chaincode know one another; all in PEM."""

    root: bytes
    """Who vouches for both."""
    client_certificate: bytes
    client_key: bytes


def connection_file(port: int, keys: LinkKeys | None) -> bytes:
    """Return what tells a peer where its chaincode listens; None: without TLS."""
    content: dict[str, object] = {
        "address": f"{LOOPBACK}:{port}",
        "dial_timeout": DIAL_TIMEOUT,
        "tls_required": keys is not None,
    }
    if keys is not None:
        content |= {
            # Fabric takes the name to look for in the certificate from here.
            "domain": LOOPBACK,
            "client_auth_required": True,
            "client_key": keys.client_key.decode("ascii"),
            "client_cert": keys.client_certificate.decode("ascii"),
            "root_cert": keys.root.decode("ascii"),
        }
    return json.dumps(content, indent=2).encode() + b"\n"


def _archive(files: dict[str, bytes]) -> bytes:
    """Return a .tar.gz that holds nothing of when, where and by whom it was made."""
    plain = io.BytesIO()
    with tarfile.open(fileobj=plain, mode="w", format=tarfile.USTAR_FORMAT) as tar:
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            member.mode = 0o644
            tar.addfile(member, io.BytesIO(content))
    return gzip.compress(plain.getvalue(), mtime=0)
