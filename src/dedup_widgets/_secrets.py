"""What no error, log or dataset shows: logins, signatures and tokens."""

import os
import re

_SECRET_VARIABLES = ("LABEL_STUDIO_API_KEY", "HF_TOKEN", "HUGGING_FACE_HUB_TOKEN")
_LOGIN = re.compile(r"(?<=://)[^\s/?#@'\"]*@")
_SIGNED = re.compile(
    r"(?<=\?)[^\s'\"]*\b(?:[\w-]*signature|sig|[\w-]*token|[\w-]*credential|[\w-]*key(?:id)?"
    r"|password|secret|policy)=[^\s'\"]*",
    re.IGNORECASE,
)


def without_secrets(text: str) -> str:
    """Return a text without logins and signatures in addresses, and tokens of the environment.

    >>> without_secrets("https://ann:pw@host/a.jpg?X-Amz-Signature=1f: not found")
    'https://…@host/a.jpg?… not found'
    """
    for name in _SECRET_VARIABLES:
        if (secret := os.environ.get(name, "").strip()) and len(secret) > 3:
            text = text.replace(secret, "…")
    if "://" in text:
        text = _SIGNED.sub("…", _LOGIN.sub("…@", text))
    return text
