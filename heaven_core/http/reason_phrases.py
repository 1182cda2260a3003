"""The reason phrases of RFC 9110 §15: Python's differ by version, some are those of older RFCs."""

from __future__ import annotations

from http import HTTPStatus
from typing import Final

__all__ = ["REASON_PHRASES"]

_RENAMED: Final = {
    413: "Content Too Large",
    414: "URI Too Long",
    416: "Range Not Satisfiable",
    422: "Unprocessable Content",
}

REASON_PHRASES: Final[dict[int, str]] = {status.value: status.phrase for status in HTTPStatus} | _RENAMED
