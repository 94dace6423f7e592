"""Messages to the owners' chat robots: their address in the environment, their forms, their delivery.

Which message is due belongs to `orchestration.alerts`. An address carries the robot's key, so no error, log line or
message ever shows one.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import logging
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal
from urllib.parse import quote_plus, urlsplit

import httpx
from pydantic import SecretStr

from warehouse.errors import ConfigurationError, PermanentError, TransientError
from warehouse.settings import Settings

Kind = Literal["wecom", "dingtalk", "json"]
KINDS: tuple[Kind, ...] = ("wecom", "dingtalk", "json")
_HOSTS: Mapping[str, Kind] = {"qyapi.weixin.qq.com": "wecom", "oapi.dingtalk.com": "dingtalk"}
# WeCom takes 2,048 bytes of text, DingTalk 20,000; nobody reads more than the smaller in a chat.
MOST_BYTES = 2_000
TIMEOUT = httpx.Timeout(10.0, connect=5.0)


@dataclass(frozen=True)
class Webhook:
    """Where a department wants to be told."""

    department: str
    kind: Kind
    url: SecretStr
    secret: SecretStr | None = None


def find_webhook(settings: Settings, department: str) -> Webhook | None:
    """The department's webhook, None where none is set.

    Raises:
        ConfigurationError: its address or kind cannot be used.
    """
    url = settings.alert_variable(department, "URL")
    if url is None:
        return None
    variable = f"CITYHUB_ALERT_{department.upper()}"
    parts = urlsplit(url.get_secret_value())
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ConfigurationError(
            "The address of a webhook cannot be used.",
            where=f"environment variable {variable}_URL",
            expected="http://… or https://…",
            do="correct the variable, or unset it: nobody is told then",
        )
    wanted = settings.alert_variable(department, "KIND")
    kind = wanted.get_secret_value() if wanted else _HOSTS.get(parts.hostname, "json")
    for known in KINDS:
        if known == kind:
            return Webhook(department, known, url, settings.alert_variable(department, "SECRET"))
    raise ConfigurationError(
        "A webhook's kind is unknown.",
        where=f"environment variable {variable}_KIND",
        expected=" | ".join(KINDS),
        do="choose one of these, or unset it: the kind then follows from the address",
    )


def deliver(webhook: Webhook, head: str, lines: Sequence[str], content: Mapping[str, Any]) -> None:
    """Post one message: `head` and `lines` for people, `content` for a program that takes plain JSON.

    Raises:
        TransientError: the other side did not answer, is busy, or broke.
        PermanentError: it refuses the message.
    """
    # httpx logs every address it asks, and with it the robot's key.
    for name in ("httpx", "httpcore"):
        logging.getLogger(name).setLevel(logging.WARNING)
    address = webhook.url.get_secret_value()
    text = fitting(head, lines)
    if webhook.kind == "json":
        body = json.dumps({**content, "text": text}, ensure_ascii=False).encode()
    else:
        body = json.dumps({"msgtype": "text", "text": {"content": text}}, ensure_ascii=False).encode()
    headers = {"Content-Type": "application/json; charset=utf-8"}
    if webhook.secret is not None and webhook.kind == "dingtalk":
        address = signed(address, webhook.secret.get_secret_value(), round(time.time() * 1000))
    if webhook.secret is not None and webhook.kind == "json":
        digest = hmac.new(webhook.secret.get_secret_value().encode(), body, hashlib.sha256).hexdigest()
        headers["X-Cityhub-Signature"] = f"sha256={digest}"
    try:
        answer = httpx.post(address, content=body, headers=headers, timeout=TIMEOUT, follow_redirects=False)
    except httpx.HTTPError as error:
        raise _failure(webhook, f"does not answer ({type(error).__name__})", transient=True) from None
    except (httpx.InvalidURL, ValueError):
        raise _failure(webhook, "has an address that cannot be read", transient=False) from None
    if not answer.is_success:
        transient = answer.status_code in (408, 429) or answer.status_code >= 500
        raise _failure(webhook, f"answers {answer.status_code}", transient=transient)
    if webhook.kind != "json" and (code := _error_code(answer)) != 0:
        # Robots say no with status 200: too many messages a minute, unknown key, wrong signature.
        raise _failure(webhook, f"refuses the message (errcode {code})", transient=True)


def signed(address: str, secret: str, timestamp: int) -> str:
    """A DingTalk address with its signature."""
    digest = hmac.new(secret.encode(), f"{timestamp}\n{secret}".encode(), hashlib.sha256).digest()
    joint = "&" if "?" in address else "?"
    return f"{address}{joint}timestamp={timestamp}&sign={quote_plus(base64.b64encode(digest))}"


def fitting(head: str, lines: Sequence[str]) -> str:
    """A message that every robot takes; lines that do not fit are counted."""
    text, room = head, MOST_BYTES - 60
    for number, line in enumerate(lines):
        longer = f"{text}\n{line}"
        if len(longer.encode()) > room:
            return f"{text}\n… 另有 {len(lines) - number} 张表 / and {len(lines) - number} more tables"
        text = longer
    return text


def _error_code(answer: httpx.Response) -> int | None:
    try:
        code = answer.json()["errcode"]
    except (ValueError, KeyError, TypeError):
        return None
    return code if isinstance(code, int) else None


def _failure(webhook: Webhook, what: str, *, transient: bool) -> TransientError | PermanentError:
    variable = f"CITYHUB_ALERT_{webhook.department.upper()}_URL"
    kind = TransientError if transient else PermanentError
    return kind(
        f"The webhook of {webhook.department} {what}.",
        where=f"environment variable {variable} ({webhook.kind})",
        expected="a robot that takes the message" + ("" if webhook.kind == "json" else " and answers errcode 0"),
        do="nothing is lost: the next run tells again; if it lasts, check the address and its secret",
    )
