"""A real Label Studio for tests: installed in an environment of its own, on 127.0.0.1."""

import hashlib
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from installing import InstallError, install

ROOT = Path(__file__).parents[1]
CONSTRAINTS = ROOT / "tests" / "label_studio_constraints.txt"
# It shall neither tell anyone that it runs, nor look for a newer release.
QUIET = {
    "COLLECT_ANALYTICS": "false",
    "LATEST_VERSION_CHECK": "false",
    "SENTRY_DSN": "",
    "FRONTEND_SENTRY_DSN": "",
}


def find_or_install() -> Path:
    """Return the folder of the command ``label-studio``.

    That is the one that the environment variable DEDUP_WIDGETS_LABEL_STUDIO names (the command,
    with its path), else one in ``.make``, which is made once (about 1 GB, a minute or more).
    Raises an InstallError when that fails.
    """
    if command := os.environ.get("DEDUP_WIDGETS_LABEL_STUDIO"):
        if (found := shutil.which(command)) is None:
            raise InstallError(f"DEDUP_WIDGETS_LABEL_STUDIO is {command}, which is no command")
        return Path(found).absolute().parent
    version = hashlib.sha256(sys.version.encode() + CONSTRAINTS.read_bytes()).hexdigest()[:12]
    home = ROOT / ".make" / f"label-studio-{version}"
    scripts, complete = home / "bin", home / "complete"
    if complete.exists():
        return scripts
    for old in home.parent.glob("label-studio-*"):
        shutil.rmtree(old)
    subprocess.run([sys.executable, "-m", "venv", home], check=True)
    pip = [scripts / "python", "-m", "pip", "--disable-pip-version-check"]
    # To compile what is never imported takes longer than to compile what is.
    install([*pip, "install", "--no-compile", "--constraint", CONSTRAINTS, "label-studio"])
    complete.touch()
    return scripts


def free_port() -> int:
    """Return a port of 127.0.0.1 that nobody listens on."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


class Server:
    """A Label Studio at work, and its API asked without the project's own code."""

    def __init__(self, url: str, token: str) -> None:
        self.url, self.token = url, token

    def get(self, path: str) -> bytes:
        """Return what the server has at a path."""
        return self._ask(urllib.request.Request(self.url + path))

    def json(self, path: str) -> Any:
        """Return what the API has at a path."""
        return json.loads(self.get(path))

    def post(self, path: str) -> Any:
        """Return what the API answers to an empty request."""
        return json.loads(self._ask(urllib.request.Request(self.url + path, data=b"")))

    def _ask(self, request: urllib.request.Request) -> bytes:
        request.add_header("Authorization", f"Token {self.token}")
        with urllib.request.urlopen(request, timeout=60) as response:
            data: bytes = response.read()
        return data


@contextmanager
def run_label_studio(
    command: str, port: int, token: str, scripts: Path, home: Path, more: Mapping[str, str]
) -> Iterator[Server]:
    """Run the shell command that starts a server, wait until it answers, and end it at the end.

    Parameters
    ----------
    command
        As a person types it.
    port, token
        What the command makes of them.
    scripts
        Folder of the command ``label-studio``.
    home
        Folder for all that the server writes.
    more
        Environment variables beside those that keep it quiet.
    """
    home.mkdir(exist_ok=True)
    server = Server(f"http://127.0.0.1:{port}", token)
    log = home / "log.txt"
    environment = {
        **{name: value for name, value in os.environ.items() if "LABEL_STUDIO" not in name},
        **QUIET,
        "HOME": str(home),
        "LABEL_STUDIO_BASE_DATA_DIR": str(home / "data"),
        "PATH": f"{scripts}{os.pathsep}{os.environ['PATH']}",
        **more,
    }
    with log.open("wb") as output:
        process = subprocess.Popen(
            command,
            shell=True,
            cwd=home,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    try:
        _wait_until_it_answers(server, process, log)
        yield server
    finally:
        # The shell and what it started: all of them, and nothing else.
        os.killpg(process.pid, signal.SIGTERM)
        try:
            process.wait(30)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait(30)


def _wait_until_it_answers(
    server: Server, process: subprocess.Popen[bytes], log: Path, timeout: float = 600
) -> None:
    deadline = time.monotonic() + timeout
    while True:
        try:
            server.get("/health")
            return
        except (urllib.error.URLError, ConnectionError, TimeoutError):
            ended = process.poll() is not None
            if ended or time.monotonic() > deadline:
                what = "ended" if ended else f"did not answer within {timeout:.0f} s"
                raise RuntimeError(f"Label Studio {what}:\n{log.read_text()[-4000:]}") from None
            time.sleep(0.5)
