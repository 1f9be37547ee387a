"""What is computed in which type: measured where bits do not depend on it, else by a table."""

import json

import numpy as np
import pytest
import torch

import dedup_widgets._processor as processor
from dedup_widgets.errors import InputError
from dedup_widgets.models.batches import fast_type
from dedup_widgets.neighbors.choose import choose_products, fastest
from dedup_widgets.neighbors.search import search
from dedup_widgets.neighbors.vectors import Vectors, unit_vectors


@pytest.fixture
def machine(monkeypatch):
    """Return ``machine(maker, *features)``, which makes the processor seem to be another."""

    def be(maker, *features):
        monkeypatch.setattr(processor, "_maker", lambda: maker)
        names = {"amx_bf16": "_is_amx_tile_supported", "avx512_bf16": "_is_avx512_bf16_supported"}
        for feature, name in names.items():
            has = feature in features
            monkeypatch.setattr(torch.cpu, name, lambda has=has: has, raising=False)

    return be


@pytest.mark.parametrize(
    ("maker", "features", "dtype"),
    [
        ("Intel", ("avx512_bf16", "amx_bf16"), "bfloat16"),
        ("AMD", ("avx512_bf16",), "bfloat16"),
        ("Intel", ("avx512_bf16",), "float32"),
        ("Intel", (), "float32"),
        ("AMD", (), "float32"),
        ("", ("avx512_bf16", "amx_bf16"), "float32"),
    ],
)
def test_networks_round_only_on_processors_that_were_measured_to_gain(
    machine, maker, features, dtype
):
    machine(maker, *features)
    assert processor.network_dtype() == dtype


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
def test_a_limit_of_onednn_counts_as_the_processors(machine, monkeypatch, limit, dtype):
    machine("Intel", "avx512_bf16", "amx_bf16")
    monkeypatch.setenv("ONEDNN_MAX_CPU_ISA", limit)
    assert processor.network_dtype() == dtype


def test_the_environment_can_name_the_type(machine, monkeypatch):
    machine("Intel", "avx512_bf16", "amx_bf16")
    monkeypatch.setenv("DEDUP_WIDGETS_DTYPE", "float32")
    assert processor.network_dtype() == "float32"
    assert fast_type("cpu") is None
    assert fastest("cpu") == "float32"
    monkeypatch.setenv("DEDUP_WIDGETS_DTYPE", "bfloat16")
    assert fastest("cpu") == "bfloat16 by AMX"
    assert choose_products(10**5, 10**5, 512, "cpu").dtype == torch.bfloat16
    monkeypatch.setenv("DEDUP_WIDGETS_DTYPE", "int4")
    with pytest.raises(InputError, match="'int4'; set it to float32 or bfloat16"):
        fastest("cpu")


def test_neighbours_do_not_depend_on_the_type(monkeypatch):
    vectors = unit_vectors(np.random.default_rng(0).standard_normal((5000, 64)))
    found = []
    for dtype in ("float32", "bfloat16"):
        monkeypatch.setenv("DEDUP_WIDGETS_DTYPE", dtype)
        found.append(search(Vectors.of(vectors), method="exact"))
    np.testing.assert_array_equal(found[0].row, found[1].row)
    np.testing.assert_array_equal(found[0].distance, found[1].distance)


@pytest.mark.lengthy
def test_products_are_measured_once_a_machine(own_store, monkeypatch):
    kind = fastest("cpu")
    kept = json.loads((own_store.parent / "measured.json").read_text())
    assert len(kept) == 1
    assert kind.startswith(next(iter(kept.values())))
    monkeypatch.setattr(
        "dedup_widgets.neighbors.choose._measured", lambda: pytest.fail("measured again")
    )
    assert fastest("cpu") == kind


def test_what_was_measured_lies_in_the_store_whatever_its_folder_is_called(tmp_path, monkeypatch):
    (tmp_path / "store.v2").mkdir()
    monkeypatch.setenv("DEDUP_WIDGETS_STORE", str(tmp_path / "store.v2"))
    processor.remembered("speed", lambda: "fast")
    assert [file.name for file in (tmp_path / "store.v2").iterdir()] == ["measured.json"]


@pytest.mark.parametrize("damage", ["", "no JSON", "[]", "{}", '{"products of vectors": 3}'])
def test_a_damaged_note_of_what_was_measured_is_measured_again(own_store, damage):
    (own_store.parent / "measured.json").write_text(damage)
    assert processor.remembered("speed", lambda: "fast") == "fast"
    assert processor.remembered("speed", lambda: "slow") == "fast"


def test_without_a_place_to_keep_it_it_is_measured_each_time(tmp_path, monkeypatch):
    (tmp_path / "a file").write_text("")
    monkeypatch.setenv("DEDUP_WIDGETS_STORE", str(tmp_path / "a file" / "below.sqlite"))
    assert processor.remembered("speed", lambda: "fast") == "fast"
    assert processor.remembered("speed", lambda: "slow") == "slow"
