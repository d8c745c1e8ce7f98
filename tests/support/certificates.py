"""An authority that exists for one test, and certificates that it signed; needs ``requires("openssl")``."""

from __future__ import annotations

import ssl
import subprocess
from pathlib import Path
from typing import Final

from cli.packages import find_program

_KEY: Final = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes")


class Authority:
    """Signs certificates.

    Attributes:
        directory: Where all files are.
        cafile: Its own certificate, for those who trust it.
    """

    def __init__(self, directory: Path, name: str = "test authority") -> None:
        directory.mkdir(parents=True, exist_ok=True)
        self.directory = directory
        self.cafile = directory / "ca.pem"
        self._run(
            "req", "-x509", *_KEY, "-keyout", "ca.key", "-out", "ca.pem", "-days", "2", "-subj",
            f"/CN={name}", "-addext", "keyUsage=critical,keyCertSign",
        )  # fmt: skip

    def sign(self, name: str, alternatives: str = "DNS:localhost,IP:127.0.0.1") -> tuple[Path, Path]:
        """A certificate and its key, for a host with these names."""
        extensions = self.directory / f"{name}.ext"
        extensions.write_text(f"subjectAltName={alternatives}\nauthorityKeyIdentifier=keyid\n")
        self._run(
            "req", *_KEY, "-keyout", f"{name}.key", "-out", f"{name}.csr", "-subj", f"/CN={name}"
        )  # fmt: skip
        self._run(
            "x509", "-req", "-in", f"{name}.csr", "-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial",
            "-days", "2", "-extfile", extensions.name, "-out", f"{name}.pem",
        )  # fmt: skip
        return self.directory / f"{name}.pem", self.directory / f"{name}.key"

    def server_context(self, certificate: tuple[Path, Path], *, ask: bool = False) -> ssl.SSLContext:
        """For a server with a signed certificate; ``ask`` wants one of the client too."""
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=str(self.cafile))
        context.load_cert_chain(*certificate)
        if ask:
            context.verify_mode = ssl.CERT_REQUIRED
        return context

    def _run(self, *arguments: str) -> None:
        program = find_program("openssl") or "openssl"
        done = subprocess.run((program, *arguments), cwd=self.directory, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
