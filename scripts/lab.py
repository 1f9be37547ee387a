"""A real JupyterLab in a real Chromium, for browser tests and for screenshots."""

import json
import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

import nbformat
from jupyter_client.blocking.client import BlockingKernelClient
from playwright.sync_api import Page, sync_playwright

from installing import InstallError, install

CHROMIUM_NAMES = ("chromium", "chromium-browser", "google-chrome", "chrome")
# Chromium looks for its maker's servers at each start unless told not to.
CHROMIUM_FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
)
ERROR_OUTPUT = '.jp-OutputArea-output[data-mime-type$="stderr"]:has-text("Traceback")'


def find_or_install_chromium() -> str:
    """Return the path of Chromium, which root installs where there is apt.

    Raises an InstallError where it is not there and cannot be installed.
    """
    if (found := _find_chromium()) is not None:
        return found
    if shutil.which("apt-get") is None or os.geteuid() != 0:
        raise InstallError("only root installs it, where there is apt: apt install chromium")
    install(["apt-get", "-qq", "update"])
    install(["apt-get", "-qq", "install", "-y", "chromium"])
    if (found := _find_chromium()) is None:
        raise InstallError("apt installed a package that has no command chromium")
    return found


def _find_chromium() -> str | None:
    return next((path for name in CHROMIUM_NAMES if (path := shutil.which(name))), None)


class Notebook:
    """A notebook that is open in JupyterLab, and its kernel."""

    def __init__(self, page: Page, connection: Path) -> None:
        self.page = page
        self._connection = connection

    def run_all(self, timeout: float = 180) -> None:
        """Run all cells and wait until the kernel is idle."""
        self.page.get_by_role("menuitem", name="Run", exact=True).click()
        self.page.get_by_role("menuitem", name="Run All Cells", exact=True).click()
        deadline = time.monotonic() + timeout
        while time.monotonic() < deadline:
            prompts = self.page.locator(".jp-CodeCell .jp-InputPrompt").all_text_contents()
            if errors := self.page.locator(ERROR_OUTPUT).all_text_contents():
                raise RuntimeError(f"a cell failed: {errors[0]}")
            if prompts and all(p.strip("[]: ").isdigit() for p in prompts if p.strip()):
                return
            self.page.wait_for_timeout(200)
        raise TimeoutError(f"cells still run after {timeout} s: {prompts}")

    def wait_for_kernel(self, timeout: float = 90) -> None:
        """Wait until the kernel answers, after a restart for example."""
        deadline = time.monotonic() + timeout
        while True:
            try:
                # What goes to a kernel that is about to end is never answered.
                self.kernel("1", timeout=10)
                return
            except (RuntimeError, TimeoutError):  # a restart is under way
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.5)

    def kernel(self, code: str, timeout: float = 60) -> Any:
        """Run code in the notebook's kernel; return the value of its last line, through JSON."""
        client = BlockingKernelClient(connection_file=str(self._connection))
        client.load_connection_file()
        client.start_channels()
        *before, last = code.strip().split("\n")
        program = "\n".join([*before, f"print(__import__('json').dumps({last}))"])
        said: list[str] = []

        def listen(message: dict[str, Any]) -> None:
            if message["msg_type"] == "stream":
                said.append(message["content"]["text"])
            elif message["msg_type"] == "error":
                raise RuntimeError("\n".join(message["content"]["traceback"]))

        try:
            client.wait_for_ready(timeout=timeout)
            client.execute_interactive(
                program, store_history=False, timeout=timeout, output_hook=listen
            )
        finally:
            client.stop_channels()
        return json.loads("".join(said).strip().split("\n")[-1])


class Lab:
    """A JupyterLab server, and the browser to open its notebooks in."""

    def __init__(self, root: Path, url: str, token: str, runtime: Path, browser: Any) -> None:
        self.root = root
        self._url, self._token, self._runtime, self._browser = url, token, runtime, browser

    @contextmanager
    def open(
        self,
        notebook: str,
        *,
        app: str = "doc/tree",
        dark: bool = False,
        width: int = 1280,
        height: int = 1000,
    ) -> Iterator[Notebook]:
        """Open a notebook of the root folder, with nothing but it on screen.

        Another `app` of the server than JupyterLab is ``notebooks``: Notebook 7.
        """
        _write_settings(self._runtime.parent, dark)
        context = self._browser.new_context(viewport={"width": width, "height": height})
        page = context.new_page()
        try:
            page.goto(f"{self._url}/{app}/{notebook}?token={self._token}")
            page.locator(".jp-Notebook").wait_for(timeout=90_000)
            yield Notebook(page, self._runtime / f"kernel-{self._kernel_of(notebook)}.json")
        finally:
            context.close()

    def page(self, address: str) -> AbstractContextManager[Page]:
        """Open another page of the server."""
        joint = "&" if "?" in address else "?"
        return self.browse(f"{self._url}/{address}{joint}token={self._token}")

    @contextmanager
    def browse(self, url: str) -> Iterator[Page]:
        """Open any page."""
        context = self._browser.new_context(viewport={"width": 1280, "height": 1000})
        try:
            page = context.new_page()
            page.goto(url, timeout=120_000)
            yield page
        finally:
            context.close()

    def _kernel_of(self, notebook: str, seconds: float = 90) -> str:
        """Wait until the page is connected to an idle kernel, and return the kernel's id."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            with urllib.request.urlopen(f"{self._url}/api/sessions?token={self._token}") as reply:
                sessions = json.load(reply)
            for session in sessions:
                kernel = session["kernel"]
                connected = session["path"] == notebook and kernel["connections"]
                if connected and kernel["execution_state"] == "idle":
                    return str(kernel["id"])
            time.sleep(0.3)
        raise TimeoutError(f"{notebook} has no idle kernel after {seconds} s: {sessions}")


def _write_settings(home: Path, dark: bool) -> None:
    folder = home / "config" / "lab" / "user-settings" / "@jupyterlab"
    settings = {
        "apputils-extension/themes": {"theme": f"JupyterLab {'Dark' if dark else 'Light'}"},
        "apputils-extension/notification": {
            "fetchNews": "false",
            "checkForUpdates": False,
            "doNotDisturbMode": True,
        },
        "notebook-extension/tracker": {"windowingMode": "none"},
    }
    for name, values in settings.items():
        path = folder / f"{name}.jupyterlab-settings"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(values))


def write_notebook(path: Path, *cells: str) -> None:
    """Write a notebook of code cells."""
    book = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in cells])
    book.metadata["kernelspec"] = {
        "display_name": "Python 3",
        "language": "python",
        "name": "python3",
    }
    nbformat.write(book, path)


@contextmanager
def run_lab(root: Path, home: Path, environment: dict[str, str] | None = None) -> Iterator[Lab]:
    """Run JupyterLab on 127.0.0.1, and Chromium beside it.

    Parameters
    ----------
    root
        The folder that is served.
    home
        An empty folder for its configuration, so that nobody's own is read or changed.
    environment
        Variables for the kernels.
    """
    chromium = find_or_install_chromium()
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    token = "token-of-a-test"
    runtime = home / "runtime"
    _write_settings(home, dark=False)
    # The command above all others must be this Python's, for kernels are started by name.
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    server = subprocess.Popen(
        [
            *(sys.executable, "-m", "jupyterlab", "--no-browser", "--allow-root"),
            f"--ServerApp.root_dir={root}",
            "--ServerApp.ip=127.0.0.1",
            f"--ServerApp.port={port}",
            "--ServerApp.port_retries=0",
            f"--IdentityProvider.token={token}",
            "--LabApp.extension_manager=readonly",
        ],
        env={
            **os.environ,
            "PATH": path,
            "JUPYTER_CONFIG_DIR": str(home / "config"),
            "JUPYTERLAB_SETTINGS_DIR": str(home / "config" / "lab" / "user-settings"),
            "JUPYTERLAB_WORKSPACES_DIR": str(home / "workspaces"),
            "JUPYTER_RUNTIME_DIR": str(runtime),
            "IPYTHONDIR": str(home / "ipython"),
            **(environment or {}),
        },
        stdout=(home / "server.log").open("w"),
        stderr=subprocess.STDOUT,
    )
    url = f"http://127.0.0.1:{port}"
    try:
        _wait_for(f"{url}/api/status?token={token}", server, home / "server.log")
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(
                executable_path=chromium, args=list(CHROMIUM_FLAGS)
            )
            try:
                yield Lab(root, url, token, runtime, browser)
            finally:
                browser.close()
    finally:
        server.terminate()
        try:
            server.wait(20)
        except subprocess.TimeoutExpired:
            server.kill()
            server.wait()


def _wait_for(url: str, server: "subprocess.Popen[bytes]", log: Path, seconds: float = 90) -> None:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if server.poll() is not None:
            break
        try:
            with urllib.request.urlopen(url, timeout=2):
                return
        except (urllib.error.URLError, OSError):
            time.sleep(0.3)
    raise RuntimeError(f"JupyterLab did not start:\n{log.read_text()[-4000:]}")
