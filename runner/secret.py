"""What looks like a secret: it is refused in a configuration, and struck out wherever something is written."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

SECRET = re.compile(
    r"(^|[._-])(token|api_?key|secret|credentials?|pwd)$|_key$|passw|passphrase|hf_token|^hf_[A-Za-z0-9]{8,}$", re.I
)
SECRET_VALUE = re.compile(
    r"\b(?:hf_[A-Za-z0-9]{8,}|sk-[A-Za-z0-9_-]{16,}|gh[pousr]_[A-Za-z0-9]{16,}|github_pat_\w{16,}|glpat-[\w-]{16,}"
    r"|xox[a-z]-[\w-]{10,}|AIza[\w-]{20,}|AKIA[A-Z0-9]{12,}|eyJ[\w-]{16,}(?:\.[\w-]+)*)"
    r"|(?i:\bBearer\s+)(?=\S*\d)[\w.~+/-]{16,}=*"
    r"|(?<=://)[^\s/@:]*:[^\s/@]+(?=@)"  # https://user:password@host
    r"|(?i:(?<=[?&]password=)|(?<=[?&]sslpassword=))[^\s&]+"  # postgresql://host/name?password=...
    r"|-----BEGIN [A-Z ]*PRIVATE KEY-----"
)
PASSWORD = re.compile(r"://[^\s@]*:\S*@|[?&]\w*passw\w*=", re.I)  # in the URL of a database, whatever it consists of
GIVEN = re.compile(r"([\w.-]+)=(?!\.\.\.)([^\s,]+)")  # key=value inside a message
NO_SECRETS = ("", "true", "false", "null", "none")  # values of switches: share_att_key


def redacted(value: Any, key: str = "") -> Any:
    """The same values with whatever looks like a secret replaced by ***."""
    if isinstance(value, Mapping):
        return {k: redacted(v, str(k)) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [redacted(v, key) for v in value]
    if _is_secret(key, value):
        return "***"
    if not isinstance(value, str):
        return value
    text = SECRET_VALUE.sub("***", value)
    return GIVEN.sub(lambda given: f"{given[1]}=***" if _is_secret(given[1], given[2]) else given[0], text)


def secret_problem(key: str, value: Any) -> str | None:
    """What is said of a key or value that looks like a secret: it would be written to every run directory."""
    remedy = "give secrets by environment (HF_TOKEN=...), never in the configuration"
    name = key.lstrip("+~")
    told = SECRET_VALUE.sub("***", name)
    if _is_secret(name, value) and not (name.startswith("decode.") and "token" in name):  # the model's own tokens
        return f"{told}  looks like a secret: {remedy}"
    if told != name or (isinstance(value, str) and SECRET_VALUE.search(value)):
        return f"{told}  holds what looks like a secret: {remedy}"
    return None


def url_problem(key: str, value: str) -> str | None:
    """What is said of a URL that holds a password: it would be kept to be gone on with."""
    if PASSWORD.search(value):
        remedy = "give it by PGPASSWORD or ~/.pgpass, or the whole URL by '${oc.env:RUNNER_STORAGE}'"
        return f"{key}  holds a password: {remedy}"
    return secret_problem(key, value)


def _is_secret(key: str, value: Any) -> bool:
    return bool(SECRET.search(key)) and str(value).lower() not in NO_SECRETS


def secrets(value: Any, path: str = "") -> list[str]:
    """Keys and values that look like secrets."""
    problem = secret_problem(path, value)
    if problem:
        return [problem]
    if isinstance(value, Mapping):
        return [line for key, inner in value.items() for line in secrets(inner, f"{path}.{key}" if path else str(key))]
    if isinstance(value, list):
        return [line for inner in value for line in secrets(inner, path)]
    return []
