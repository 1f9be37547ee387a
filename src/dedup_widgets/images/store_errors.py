"""What is told of errors of object stores and web servers: what happened, and what to do."""

import re

_OF_CREDENTIALS = frozenset(
    {
        *("ExpiredToken", "InvalidToken", "InvalidAccessKeyId", "SignatureDoesNotMatch"),
        *("AuthorizationHeaderMalformed", "RequestTimeTooSkewed", "AuthenticationFailed"),
    }
)
"""What stores answer to credentials that are not, or no longer, theirs, whatever the status."""


_CERTIFICATE = {
    "UnknownIssuer": "is signed by none whom this machine trusts",
    "SelfSigned": "is signed by none whom this machine trusts",
    "BadSignature": "is signed by none whom this machine trusts",
    "CaUsedAsEndEntity": "is signed by none whom this machine trusts",
    "NotValidForName": "is one of another host",
    "Expired": "has expired",
    "NotValidYet": "is not valid yet",
    "Revoked": "was revoked",
}
"""What may be wrong with a certificate, as rustls calls it and in words."""


def why_of(error: Exception) -> str:
    """Say why a file cannot be had, and what to do, without what may be secret."""
    whole = str(error)
    # Names of files, and settings that are told along, may hold any of the words looked for.
    text = re.sub(r"https?://\S+|retry_timeout: \S+", "", whole)
    status = _found(r"status code: (\d{3})", text)
    code = _found(r"<Code>(\w{1,40})</Code>", text)
    answer = " ".join(filter(None, (status, code)))
    kind = type(error).__name__
    if isinstance(error, FileNotFoundError) or status == "404":
        is_all = code in ("NoSuchBucket", "ContainerNotFound")
        what = "the bucket does not exist" if is_all else "does not exist"
        return f"{what}; check the path, or scan again"
    if (
        status in ("401", "403")
        or code in _OF_CREDENTIALS
        or kind in ("PermissionDeniedError", "UnauthenticatedError")
    ):
        return f"permission denied ({answer or 'refused'}); check the credentials of this user"
    if not status and ("//169.254.169.254" in whole or "redential" in text):
        return (
            "no credentials were found; set them in the environment (AWS_ACCESS_KEY_ID, "
            "GOOGLE_APPLICATION_CREDENTIALS and the like), or AWS_SKIP_SIGNATURE=true for a "
            "public bucket of S3"
        )
    if kind == "InvalidPathError" or isinstance(error, ValueError):
        named = _found(r'[Pp]ath "([^"]*)"', text)
        return (
            f"the name {named[:200]!r} holds an empty part, '.', '..' or a sign that no address "
            "has; rename the object, or pass a folder without it"
        )
    if "MissingContentLength" in text:
        return "the server does not say how long the file is; download it"
    if "without LOCATION" in text:
        return "the bucket lies in another region; name that in the environment (AWS_REGION)"
    if "TooManyRedirects" in text:
        return "the server sends on from address to address without end; check the address"
    if "kind: Decode" in text and "utf-8" in text:
        return "the server refused it, in no words that can be read; check the address"
    if "ContentLengthInvalid" in text:
        return "the server says two lengths of the file; download it"
    if answer:
        return f"the server answered {answer}; try again later"
    if certificate := _found(r"InvalidCertificate\(\s*(\w+)", text):
        host = _found(r"https://([^/?#\s,]{1,200})", whole) or "the server"
        wrong = next((it for name, it in _CERTIFICATE.items() if name in certificate), "is wrong")
        return (
            f"the certificate of {host} {wrong}; check the address and the clock, and for a server "
            "of your own let SSL_CERT_FILE name the certificate of who signed it"
        )
    if "BadScheme" in text:
        return (
            "the endpoint is http://, by which credentials could be read; name one of https://, or "
            "pass ObjectStore(client_options={'allow_http': True}) to "
            "dedup_widgets.images.source.set_source"
        )
    if "Connect" in text or "dns" in text.lower():
        return (
            "the server cannot be reached; check the network, the name and the endpoint, or pass "
            "local copies"
        )
    if "imeout" in text or "TimedOut" in text or "timed out" in text:
        return "the server took too long; try again later"
    return "the connection was cut; try again"


def is_passing(error: Exception) -> bool:
    """Tell whether the same may be answered if it is asked again."""
    text = str(error)
    if type(error) is OSError:  # of an answer that nobody repeated
        return "status code: 4" not in text
    lasting = (
        *("status code", "without LOCATION", "TooManyRedirects", "kind: Decode", "BadScheme"),
        "InvalidCertificate",
    )
    return type(error).__name__ == "GenericError" and not any(it in text for it in lasting)


def is_about_names(error: Exception) -> bool:
    """Tell whether a listing failed for the names that are in it."""
    return type(error).__name__ == "InvalidPathError" or "InvalidXml" in str(error)


def _found(pattern: str, text: str) -> str:
    found = re.search(pattern, text)
    return found[1] if found else ""
