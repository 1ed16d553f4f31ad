"""
The chaincode package that peers install, and the external builder by which they accept it: a
package says that the chaincode is a service, and where it listens if all peers are to dial the same
address. Else each peer is told by a file of its own, so that all know one package by one id.
"""

from __future__ import annotations

import gzip
import io
import json
import re
import tarfile
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Final

from tieline.interfaces.errors import ConfigError
from tieline.ledgers.fabric.native.program_files import CONNECTION_VARIABLE

KIND: Final = "ccaas"
DIAL_TIMEOUT: Final = "5s"
_LABEL: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.+-]*")
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


def make_package(label: str, connection: bytes = b"") -> ChaincodePackage:
    """
    Return a package; the same arguments make the same bytes.

    Args:
        label: What peers call it before the colon of its id.
        connection: As ``connection_file`` writes it, for Fabric's own builder of services; empty:
            each peer is told by itself.

    Raises:
        ConfigError: Fabric takes no such label.
    """
    if not _LABEL.fullmatch(label):
        raise ConfigError(
            f"no label of a package: {label!r}",
            key="--label",
            instead="write letters, digits, _ . + and -, a letter or a digit first",
        )
    metadata = json.dumps({"type": KIND, "label": label}, separators=(",", ":")).encode()
    said = {"README": b"the chaincode is a service; its peer knows where\n"}
    code = _archive({"connection.json": connection} if connection else said)
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


def connection_file(address: str, keys: LinkKeys | None) -> bytes:
    """Return what tells a peer where its chaincode listens, HOST:PORT; None: without TLS."""
    content: dict[str, object] = {
        "address": address,
        "dial_timeout": DIAL_TIMEOUT,
        "tls_required": keys is not None,
    }
    if keys is not None:
        content |= {
            # Fabric takes the name to look for in the certificate from here.
            "domain": address.rpartition(":")[0],
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
