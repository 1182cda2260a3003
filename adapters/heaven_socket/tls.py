"""A TLS context of a certificate and its key."""

from __future__ import annotations

import os
import ssl

__all__ = ["tls_context"]


def tls_context(certificate: str | os.PathLike[str], key: str | os.PathLike[str] | None = None) -> ssl.SSLContext:
    """What `serve` takes as `tls=`, of PEM files: `certificate` with its chain, and `key`, unless it is in there, too.

    TLS 1.2 and later, HTTP/1.1 by ALPN (RFC 7301). Raises `OSError` where they can't be read, or don't belong together.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    try:
        context.load_cert_chain(certificate, key)
    except OSError as error:
        files = f"{certificate}" if key is None else f"{certificate} and {key}"
        raise OSError(f"no TLS certificate with its key can be read from {files}: {error}") from error
    context.set_alpn_protocols(["http/1.1"])
    return context
