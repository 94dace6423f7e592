"""Request signatures: HMAC-SHA256 over method, path, time, nonce and the body's digest."""

from __future__ import annotations

import hashlib
import hmac


def signature(secret: bytes, method: str, path_with_query: str, timestamp: str, nonce: str, body: bytes = b"") -> str:
    """Hexadecimal signature of one request; `timestamp` in Unix seconds."""
    digest = hashlib.sha256(body).hexdigest()
    message = f"{method}\n{path_with_query}\n{timestamp}\n{nonce}\n{digest}"
    return hmac.new(secret, message.encode(), hashlib.sha256).hexdigest()


def signed_headers(
    key_id: str, secret: bytes, method: str, path_with_query: str, timestamp: str, nonce: str
) -> dict[str, str]:
    """The four headers of a signed request without a body."""
    return {
        "X-Key-Id": key_id,
        "X-Timestamp": timestamp,
        "X-Nonce": nonce,
        "X-Signature": signature(secret, method, path_with_query, timestamp, nonce),
    }
