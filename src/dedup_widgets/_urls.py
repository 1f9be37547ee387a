"""Paths that are URLs: where they lead, and what of them nobody may see."""

import re
from collections.abc import Callable
from urllib.parse import parse_qsl, unquote

from dedup_widgets.errors import InputError

STORES = frozenset({"s3", "gs", "az"})
"""Schemes of object stores: what follows the bucket is the name of an object, as it is."""


WEB = frozenset({"http", "https"})
"""Schemes of web servers, which list nothing."""


_URL = re.compile(r"(?s)([A-Za-z][A-Za-z0-9+.-]*)://([^/?#]*)(.*)")


_SECRET_NAME = re.compile(
    r"(?i).*(sig|token|key|secret|passw|pwd|auth|credential|session|jwt|sas|policy|expires).*|se|sv"
)


_SIGNATURE = re.compile(r"(?i)x-(amz|goog|ms)-.*|signature|sig|awsaccesskeyid|googleaccessid")
"""Names in addresses that are signed; in names of objects any other sign may be."""


_SECRET_VALUE = re.compile(r"(?=.*\d)(?=.*[A-Za-z])[A-Za-z0-9+/_=.~-]{24,}")


def scheme_of(path: str) -> str:
    """Return the scheme of a URL in lower case; of a local path, an empty text."""
    found = _URL.match(path) if "://" in path else None
    return found[1].lower() if found else ""


def is_far(path: str) -> bool:
    """Tell whether a path lies in an object store or on a web server.

    >>> is_far("s3://bucket/a.jpg"), is_far("https://example.org/a.jpg"), is_far("/a.jpg")
    (True, True, False)
    """
    return scheme_of(path) in STORES | WEB


def split_url(url: str) -> tuple[str, str, str]:
    """Return the scheme, the bucket or host, and the rest without its first slash.

    >>> split_url("s3://bucket/a folder/1%.jpg")
    ('s3', 'bucket', 'a folder/1%.jpg')
    """
    found = _URL.match(url)
    if not found:
        raise ValueError(f"{url} is no URL")
    return found[1].lower(), found[2], found[3].removeprefix("/")


def redacted(path: str) -> str:
    """Return a URL without the parts that may hold a password or a key.

    >>> redacted("https://me:secret@example.org/a.jpg?X-Amz-Signature=1f")
    'https://***@example.org/a.jpg?***'
    """
    found = _URL.match(path) if "://" in path else None
    if not found:
        return path
    scheme, host, rest = found.groups()
    if "@" in host:
        host = f"***@{host.rpartition('@')[2]}"
    if scheme.lower() not in STORES:
        rest = re.sub(r"(?s)[?#].*", "?***", rest)
    elif query := _query(rest, _is_signature):
        rest = rest.removesuffix(query) + "***"
    return f"{scheme}://{host}{rest}"


def has_secret(path: str) -> bool:
    """Tell whether a URL that is read here holds a user's name, or a query that looks signed.

    >>> has_secret("https://example.org/a.jpg?w=640"), has_secret("https://e.org/a?sig=x")
    (False, True)
    """
    found = _URL.match(path) if "://" in path else None
    if not found or found[1].lower() not in STORES | WEB:
        return False
    scheme, host, rest = found.groups()
    is_secret = _is_signature if scheme.lower() in STORES else _may_be_secret
    return "@" in host or bool(_query(rest, is_secret))


def refuse_secrets(path: str) -> None:
    """Raise if a URL holds what nobody may see: paths are in frames, and on the screen."""
    if has_secret(path):
        raise InputError(
            f"{redacted(path)[:200]} holds a password or a key, which frames, logs and notebooks "
            "would keep; pass the URL without it, and give the credentials by the environment "
            "(such as AWS_ACCESS_KEY_ID), or download the pictures"
        )


def _query(rest: str, is_secret: Callable[[str, str], bool]) -> str:
    """Return what follows the question mark, if it looks signed."""
    query = rest.partition("?")[2]
    pairs = parse_qsl(query, keep_blank_values=True)
    return query if any(is_secret(name, value) for name, value in pairs) else ""


def _is_signature(name: str, _: str) -> bool:
    return bool(_SIGNATURE.fullmatch(name))


def _may_be_secret(name: str, value: str) -> bool:
    return bool(_SECRET_NAME.fullmatch(name) or _SECRET_VALUE.fullmatch(unquote(value)))
