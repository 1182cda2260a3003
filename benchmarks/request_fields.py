"""The request that the benchmarks send or pretend to have received."""

from __future__ import annotations

__all__ = ["REQUEST_FIELDS"]

# As curl and browsers send it.
REQUEST_FIELDS = [
    (b"Host", b"127.0.0.1:8000"),
    (b"User-Agent", b"Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"),
    (b"Accept", b"text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"),
    (b"Accept-Language", b"en-GB,en;q=0.5"),
    (b"Accept-Encoding", b"gzip, deflate, br, zstd"),
    (b"Connection", b"keep-alive"),
    (b"Cookie", b"theme=dark; session=2f9c1b7e"),
    (b"Sec-Fetch-Mode", b"navigate"),
]
