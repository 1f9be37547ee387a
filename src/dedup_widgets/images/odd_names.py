"""Objects of S3 whose names obstore cannot say: listed and read by signed addresses.

obstore takes the name of an object for a path, so it knows none with an empty part, ``.``, ``..``
or a control character, and refuses a whole page of a listing for one of them. It signs any address,
though, and these say any name but those with a part that is ``.`` or ``..``.
"""

import html
import re
import urllib.error
import urllib.request
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import quote, unquote_plus, urlencode

_SECONDS_VALID = 3600
_SECONDS_TO_WAIT = 30

_CONTROL = re.compile(r"[\x00-\x1f\x7f]")

_ENTITY = re.compile(r"&(?:#(x[0-9a-fA-F]+|[0-9]+)|\w+);")

_END = "x-end="
"""Takes the slash that obstore puts after what it signs; stores pass such a parameter over."""


def can_be_asked_for(key: str) -> bool:
    r"""Tell whether obstore cannot say the name of an object, but an address can.

    >>> can_be_asked_for("a//b.png"), can_be_asked_for("a\n.png"), can_be_asked_for("/a.png")
    (True, True, True)
    >>> can_be_asked_for("a/../b.png"), can_be_asked_for("a/.b/c d.png")
    (False, False)
    """
    parts = key.split("/")[key == "" :]
    return ("" in parts or bool(_CONTROL.search(key))) and {".", ".."}.isdisjoint(parts)


def address_of(open_store: Callable[..., Any], key: str, method: str) -> str:
    """Return an address of an object, which is valid for an hour and secret.

    Parameters
    ----------
    open_store
        Opens the bucket, with options of obstore.
    method
        What is done with it.
    """
    return _signed(open_store, f"/{quote(key)}?", method)


def page(
    open_store: Callable[..., Any], prefix: str, after: str, most: int
) -> tuple[list[dict[str, Any]], bool]:
    """Return the next objects whose names begin so, as obstore lists them, and whether more follow.

    Parameters
    ----------
    open_store
        Opens the bucket, with options of obstore.
    prefix, after
        How names begin, and the last name before.
    most
        How many, if there are more.

    Raises
    ------
    OSError
        As obstore does, with the status and the code of an answer.
    """
    asked = {"list-type": 2, "max-keys": most, "encoding-type": "url", "prefix": prefix}
    if after:
        asked["start-after"] = after
    answer = _get(_signed(open_store, f"?{urlencode(asked, quote_via=quote)}&"))
    is_encoded = b"<EncodingType>url</EncodingType>" in answer
    found = [_meta(it, is_encoded) for it in re.findall(rb"(?s)<Contents>(.*?)</Contents>", answer)]
    return found, b"<IsTruncated>true</IsTruncated>" in answer


def _signed(open_store: Callable[..., Any], rest: str, method: Any = "GET") -> str:
    """Return an address of the bucket with what follows, signed as obstore signs."""
    import obstore

    valid = timedelta(seconds=_SECONDS_VALID)
    store = open_store()
    is_open = str(store.config.get("skip_signature")).lower() in ("true", "1", "yes", "on", "y")
    # To sign one that is known tells where the bucket is.
    known = open_store(access_key_id="any", secret_access_key="any") if is_open else store
    base = obstore.sign(known, "GET", "x", valid).partition("/x?")[0]
    if is_open:
        return (base + rest).rstrip("?&")
    whole = open_store(endpoint=f"{base}{rest}{_END}", virtual_hosted_style_request=True)
    address: str = obstore.sign(whole, method, "", valid)
    return address


def _get(address: str) -> bytes:
    """Return what an address leads to; errors name no address."""
    try:
        with urllib.request.urlopen(address, timeout=_SECONDS_TO_WAIT) as answer:
            found: bytes = answer.read()
            return found
    except urllib.error.HTTPError as error:
        code = re.search(rb"<Code>\w{1,40}</Code>", error.read(4096))
        why = f"status code: {error.code} {code[0].decode() if code else ''}"
    except Exception as error:
        why = f"Connect: {type(error).__name__}" if isinstance(error, OSError) else "cut"
    raise OSError(why)


def _letter(entity: re.Match[str]) -> str:
    number = entity[1]
    if not number:
        return html.unescape(entity[0])
    # Python's own reader of entities leaves out control characters, which this is about.
    return chr(int(f"0{number}", 16 if number.startswith("x") else 10))


def _meta(contents: bytes, is_encoded: bool) -> dict[str, Any]:
    def text(name: str) -> str:
        found = re.search(f"(?s)<{name}>(.*?)</{name}>".encode(), contents)
        return _ENTITY.sub(_letter, found[1].decode(errors="backslashreplace")) if found else ""

    key = text("Key")
    return {
        "path": unquote_plus(key, errors="backslashreplace") if is_encoded else key,
        "size": int(text("Size") or 0),
        "e_tag": text("ETag"),
        "last_modified": datetime.fromisoformat(text("LastModified")),
    }
