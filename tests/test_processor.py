"""What is computed in which type: measured where bits do not depend on it, else by a table."""

import json

import numpy as np
import pytest
import torch

from dedup_widgets._processor import network_dtype, remembered
from dedup_widgets.errors import InputError
from dedup_widgets.models.batches import fast_type
from dedup_widgets.neighbors.choose import choose_products, fastest
from dedup_widgets.neighbors.search import search
from dedup_widgets.neighbors.vectors import Vectors, unit_vectors

WITH_ALL = ("Intel", {"avx512_bf16", "amx_bf16"})


@pytest.mark.parametrize(
    ("maker", "features", "dtype"),
    [
        (*WITH_ALL, "bfloat16"),
        ("AMD", {"avx512_bf16"}, "bfloat16"),
        ("Intel", {"avx512_bf16"}, "float32"),
        ("Intel", set(), "float32"),
        ("AMD", set(), "float32"),
        ("", {"avx512_bf16", "amx_bf16"}, "float32"),
    ],
)
def test_networks_round_only_on_processors_that_were_measured_to_gain(maker, features, dtype):
    assert network_dtype((maker, features)) == dtype


@pytest.mark.parametrize(
    ("limit", "dtype"),
    [
        ("AVX2", "float32"),
        ("AVX512_CORE_VNNI", "float32"),
        ("AVX512_CORE_BF16", "float32"),
        ("AVX512_CORE_AMX", "bfloat16"),
        ("DEFAULT", "bfloat16"),
        ("", "bfloat16"),
    ],
)
def test_a_limit_of_onednn_counts_as_the_processors(monkeypatch, limit, dtype):
    monkeypatch.setenv("ONEDNN_MAX_CPU_ISA", limit)
    assert network_dtype(WITH_ALL) == dtype


def test_the_environment_can_name_the_type(monkeypatch):
    monkeypatch.setenv("DEDUP_WIDGETS_DTYPE", "float32")
    assert network_dtype(WITH_ALL) == "float32"
    assert fast_type("cpu") is None
    assert fastest("cpu") == "float32"
    monkeypatch.setenv("DEDUP_WIDGETS_DTYPE", "bfloat16")
    assert fastest("cpu") in ("bfloat16 by AMX", "bfloat16")
    assert network_dtype(("", set())) == "bfloat16"
    assert choose_products(10**5, 10**5, 512, "cpu").dtype == torch.bfloat16
    monkeypatch.setenv("DEDUP_WIDGETS_DTYPE", "int4")
    with pytest.raises(InputError, match="'int4'; set it to float32 or bfloat16"):
        fastest("cpu")


@pytest.mark.lengthy
def test_neighbours_do_not_depend_on_the_type(monkeypatch):
    vectors = unit_vectors(np.random.default_rng(0).standard_normal((5000, 64)))
    found = []
    for dtype in ("float32", "bfloat16"):
        monkeypatch.setenv("DEDUP_WIDGETS_DTYPE", dtype)
        found.append(search(Vectors.of(vectors), method="exact"))
    np.testing.assert_array_equal(found[0].row, found[1].row)
    np.testing.assert_array_equal(found[0].distance, found[1].distance)


@pytest.mark.lengthy
def test_products_are_measured_once_a_machine(own_store):
    kind = fastest("cpu")
    file = own_store.parent / "measured.json"
    ((what, measured),) = json.loads(file.read_text()).items()
    assert kind.startswith(measured)
    other = "float32" if measured == "bfloat16" else "bfloat16"
    file.write_text(json.dumps({what: other}))
    assert fastest("cpu").startswith(other)  # as is kept, whatever would be measured


def test_what_was_measured_lies_in_the_store_whatever_its_folder_is_called(tmp_path, monkeypatch):
    (tmp_path / "store.v2").mkdir()
    monkeypatch.setenv("DEDUP_WIDGETS_STORE", str(tmp_path / "store.v2"))
    remembered("speed", lambda: "fast")
    assert [file.name for file in (tmp_path / "store.v2").iterdir()] == ["measured.json"]


@pytest.mark.parametrize("damage", ["", "no JSON", "[]", "{}", '{"products of vectors": 3}'])
def test_a_damaged_note_of_what_was_measured_is_measured_again(own_store, damage):
    (own_store.parent / "measured.json").write_text(damage)
    assert remembered("speed", lambda: "fast") == "fast"
    assert remembered("speed", lambda: "slow") == "fast"


def test_without_a_place_to_keep_it_it_is_measured_each_time(tmp_path, monkeypatch):
    (tmp_path / "a file").write_text("")
    monkeypatch.setenv("DEDUP_WIDGETS_STORE", str(tmp_path / "a file" / "below.sqlite"))
    assert remembered("speed", lambda: "fast") == "fast"
    assert remembered("speed", lambda: "slow") == "slow"
