from datetime import datetime

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dedup_widgets.errors import InputError
from dedup_widgets.scoring import keepers

BEST = {
    "path": "b.jpg",
    "width": 100,
    "height": 100,
    "bytes": 1000,
    "lossless": True,
    "sharpness": 5.0,
    "format": "PNG",
}
TYPES = {
    "path": pl.String,
    "width": pl.UInt32,
    "height": pl.UInt32,
    "bytes": pl.UInt64,
    "lossless": pl.Boolean,
    "sharpness": pl.Float32,
    "format": pl.String,
}


def frame(*rows):
    return pl.DataFrame(rows, schema=TYPES)


def best_of(*rows, rules=keepers.DEFAULT):
    ranks = keepers.rank(frame(*rows), rules)
    return int(np.argmin(ranks))


facts = st.fixed_dictionaries(
    {
        "width": st.none() | st.integers(1, 3),
        "height": st.none() | st.integers(1, 3),
        "bytes": st.none() | st.integers(1, 3),
        "lossless": st.none() | st.booleans(),
        "sharpness": st.none() | st.sampled_from([0.5, 1.0, float("nan")]),
        "format": st.none(),
    }
)


@pytest.mark.parametrize(
    "worse",
    [
        {"width": 99},
        {"width": 1000, "height": 9, "bytes": 9999},
        {"lossless": False, "bytes": 9999, "sharpness": 9.0},
        {"bytes": 999, "sharpness": 9.0},
        {"sharpness": 4.0, "path": "a.jpg"},
        {"path": "a (1).jpg"},
        {"path": "c.jpg"},
    ],
)
def test_the_default_is_pixels_then_lossless_then_bytes_then_sharpness_then_name(worse):
    assert best_of(BEST | worse, BEST) == 1
    assert best_of(BEST, BEST | worse) == 0


@pytest.mark.parametrize("fact", ["width", "bytes", "lossless", "sharpness"])
def test_what_is_not_known_ranks_last(fact):
    known = {"width": 1, "bytes": 1, "lossless": False, "sharpness": 0.0}[fact]
    assert best_of(BEST | {fact: None}, BEST | {fact: known, "path": "z.jpg"}) == 1


def test_a_sharpness_that_is_no_number_ranks_last():
    assert best_of(BEST | {"sharpness": float("nan")}, BEST | {"path": "z.jpg"}) == 1


def test_the_rules_apply_in_the_order_given():
    small_sharp = BEST | {"width": 10, "sharpness": 9.0}
    assert best_of(BEST, small_sharp, rules=["sharpness", "pixels"]) == 1
    assert best_of(BEST, small_sharp, rules=["pixels", "sharpness"]) == 0


def test_the_path_decides_when_no_rule_does():
    assert best_of(BEST, BEST | {"path": "a.jpg"}, rules=["pixels"]) == 1
    assert best_of(BEST, BEST | {"path": "a.jpg"}, rules=[]) == 1


def test_many_pixels_do_not_overflow():
    huge = BEST | {"width": 70_000, "height": 70_000}
    assert best_of(BEST | {"width": 60_000, "height": 60_000}, huge) == 1


@pytest.mark.lengthy
@given(st.lists(facts, max_size=12), st.randoms(use_true_random=False))
def test_ranks_are_a_total_order_that_no_shuffle_changes(rows, random):
    named = [row | {"path": f"{i}.jpg"} for i, row in enumerate(rows)]
    ranks = keepers.rank(frame(*named))
    assert ranks.dtype == np.int64
    assert sorted(ranks) == list(range(len(rows)))
    shuffle = list(range(len(rows)))
    random.shuffle(shuffle)
    again = keepers.rank(frame(*(named[i] for i in shuffle)))
    assert again.tolist() == ranks[shuffle].tolist()


def test_an_unknown_rule_is_refused_with_the_rules_there_are():
    with pytest.raises(InputError, match=r"'prettiest'.*pixels, lossless, bytes, sharpness, "):
        keepers.rank(frame(BEST), ["prettiest"])


def test_one_name_instead_of_a_list_is_refused():
    with pytest.raises(InputError, match=r"\['pixels'\]"):
        keepers.check("pixels")


def test_a_missing_column_is_named():
    with pytest.raises(InputError, match="no column height, width"):
        keepers.rank(pl.DataFrame({"path": ["a"]}), ["pixels"])


# Rules that say what they look at


def order(frame, *rules):
    """The paths, the best keeper first."""
    return frame["path"].gather(np.argsort(keepers.rank(frame, rules))).to_list()


def test_exif_present_ranks_first():
    frame = pl.DataFrame({"path": ["a", "b", "c"], "exif": [None, False, True]})
    assert order(frame, "exif") == ["c", "b", "a"]


@pytest.mark.parametrize(
    "days",
    [
        pl.Series(["2024-01-02", "2023-05-06", None]),
        pl.Series(["2024-01-02", "2023-05-06", None]).str.to_date(),
        pl.Series(["2024-01-02", "2023-05-06", None]).str.to_datetime(),
    ],
)
def test_oldest_and_newest_go_by_the_column_that_they_name(days):
    frame = pl.DataFrame({"path": ["a", "b", "c"], "taken": days})
    assert order(frame, keepers.oldest("taken")) == ["b", "a", "c"]
    assert order(frame, keepers.newest("taken")) == ["a", "b", "c"]


def test_oldest_by_name_means_the_only_column_of_dates():
    dates = pl.Series(["2024-01-02", "2023-05-06"]).str.to_date()
    frame = pl.DataFrame({"path": ["a", "b"], "taken": dates})
    assert order(frame, "oldest") == ["b", "a"]
    assert order(frame, "newest") == ["a", "b"]
    with pytest.raises(InputError, match=r"2 columns of dates \(taken, saved\).*oldest\('taken'\)"):
        keepers.rank(frame.with_columns(saved="taken"), ["oldest"])
    with pytest.raises(InputError, match="no dates"):
        keepers.rank(frame.drop("taken"), ["newest"])


def test_oldest_by_name_means_the_dates_of_the_files_where_there_are_no_others():
    days = pl.Series(["2024-01-02", None, None]).str.to_datetime()
    files = pl.Series(["2001-01-01", "2023-05-06", "2025-01-01"]).str.to_datetime()
    frame = pl.DataFrame({"path": ["a", "b", "c"], "date_taken": days, "modified": files})
    assert order(frame, "oldest") == ["b", "a", "c"]
    assert order(frame, "newest") == ["c", "a", "b"]
    own = pl.Series(["2024-01-02", "2023-01-01", "2022-01-01"]).str.to_date()
    assert order(frame.with_columns(shot=own), "oldest") == ["c", "b", "a"]


# Copies of one picture, and pictures that differ


COPY = {
    "path": "/photos/b.jpg",
    "fingerprint": "f",
    "exif": True,
    "date_taken": datetime(2020, 1, 1),
    "modified": datetime(2020, 1, 1),
    "bytes": 1000,
    "width": 10,
    "height": 10,
    "lossless": False,
    "sharpness": 1.0,
    "enlarged": False,
    "completeness": 1.0,
}


def copies(*rows):
    schema = {"date_taken": pl.Datetime, "modified": pl.Datetime, "completeness": pl.Float32}
    return pl.DataFrame([COPY | row for row in rows], schema_overrides=schema)


COPY_NAMES = [
    *("/photos/b (1).jpg", "/photos/b - Copy.jpg", "/photos/Copy of b.jpg", "/photos/b-1.jpg"),
    *("/photos/b_1.jpg", "/photos/b copy 2.jpg", "/photos/b 2.jpg", "/photos/b.jpg~"),
    *(
        "/photos/b – Kopie.jpg",
        "/photos/Kopie von b.jpg",
        "/photos/b - copia.jpg",
        "/b - copie.jpg",
    ),
    *(
        "/Backup of photos/b.jpg",
        "/photos - Copy/b.jpg",
        "/photos (1)/b.jpg",
        "/photos/Salinan b.jpg",
        "/photos/копия b.jpg",
        "/photos/bのコピー.jpg",
        "/photos/b - 副本.jpg",
        "/photos/b - kopia.jpg",
    ),
]


@pytest.mark.parametrize("name", COPY_NAMES)
def test_of_copies_the_plain_name_stays(name):
    assert order(copies({"path": name}, {}), *keepers.DEFAULT)[0] == "/photos/b.jpg"


@pytest.mark.parametrize(
    "worse",
    [
        {"exif": False, "modified": datetime(1999, 1, 1)},
        {"date_taken": datetime(2021, 1, 1), "modified": datetime(1999, 1, 1)},
        {"modified": datetime(2021, 1, 1)},
        {"path": "/photos/b (1).jpg", "bytes": 1},
        {"bytes": 1001, "path": "/a.jpg"},
        {"bytes": 1001, "lossless": True},
        {"path": "/photos/c.jpg"},
        {"path": "/$RECYCLE.BIN/S-1/b.jpg", "date_taken": datetime(1999, 1, 1)},
    ],
)
def test_of_copies_exif_then_age_then_name_then_fewest_bytes_decide(worse):
    assert np.argmin(keepers.rank(copies(worse, {}))) == 1
    assert np.argmin(keepers.rank(copies({}, worse))) == 0


@pytest.mark.parametrize(
    "worse",
    [
        {"completeness": 0.9, "width": 90},
        {"enlarged": True, "width": 90},
        {"width": 9, "lossless": True},
        {"exif": False, "modified": datetime(1999, 1, 1), "bytes": 999},
        {"path": "/photos/b (1).jpg"},
        {"path": "/nas/#recycle/a.jpg", "width": 90, "completeness": 1.0},
    ],
)
def test_between_pictures_completeness_then_detail_then_pixels_decide(worse):
    other = worse | {"fingerprint": "g"}
    assert np.argmin(keepers.rank(copies(other, {}))) == 1
    assert np.argmin(keepers.rank(copies({}, other))) == 0


def test_a_photo_in_few_colours_loses_to_its_jpeg():
    jpeg = {"lossless": False, "bytes": 10, "path": "/b.jpg"}
    palette = {"lossless": None, "bytes": 99, "fingerprint": "g", "path": "/a.png"}
    assert np.argmin(keepers.rank(copies(jpeg, palette))) == 0
    assert np.argmin(keepers.rank(copies(palette, jpeg))) == 1


def test_more_bytes_win_between_pictures_and_lose_between_copies():
    small, large = {"bytes": 10, "path": "/a"}, {"bytes": 20, "path": "/b"}
    assert np.argmin(keepers.rank(copies(small, large))) == 0
    assert np.argmin(keepers.rank(copies(small, large | {"fingerprint": "g"}))) == 1


def test_the_best_copy_stands_for_its_picture():
    # Of f the lossless copy is younger, so that it is not the one that stands for f.
    young = {"lossless": True, "modified": datetime(2022, 1, 1), "path": "/f.png"}
    lossless = {"lossless": True, "fingerprint": "g", "path": "/g.png"}
    facts = copies(young, {}, lossless)
    assert order(facts, *keepers.DEFAULT) == ["/g.png", "/photos/b.jpg", "/f.png"]
    assert keepers.decided_by(facts, [1, 2, 2], [0, 1, 0]) == [
        "of exact copies, the oldest file",
        "lossless format",
        "lossless format",
    ]


def test_a_bin_is_last_whatever_the_rules():
    facts = copies({"path": "/x/.Trash-1000/files/a", "width": 99}, {})
    assert order(facts, "pixels")[0] == "/photos/b.jpg"
    assert keepers.decided_by(facts, [1], [0], ["pixels"]) == ["not in a recycle bin"]


def test_rules_of_a_users_own_decide_between_copies_and_pictures_alike():
    for fingerprint in ("f", "g"):
        facts = copies({"bytes": 2000, "exif": False, "fingerprint": fingerprint}, {"path": "/a"})
        assert np.argmin(keepers.rank(facts, ["bytes"])) == 0
        assert np.argmin(keepers.rank(facts, ["exif"])) == 1


def test_default_rules_without_their_columns_are_silent():
    assert order(COPY_FREE, *keepers.DEFAULT) == ["a.jpg", "b.jpg"]


COPY_FREE = pl.DataFrame({"path": ["b.jpg", "a.jpg"]})


@pytest.mark.lengthy
@given(
    st.lists(
        st.tuples(st.sampled_from("fgh"), st.booleans(), st.integers(0, 2), st.integers(0, 2)),
        min_size=1,
        max_size=10,
    ),
    st.randoms(use_true_random=False),
)
def test_copies_follow_each_other_and_no_shuffle_changes_a_rank(rows, random):
    named = [
        {"path": f"{i}", "fingerprint": f, "exif": exif, "bytes": size, "detail": float(detail)}
        for i, (f, exif, size, detail) in enumerate(rows)
    ]
    ranks = keepers.rank(copies(*named))
    assert sorted(ranks) == list(range(len(rows)))
    in_order = [named[i]["fingerprint"] for i in np.argsort(ranks)]
    assert len([f for i, f in enumerate(in_order) if f not in in_order[:i]]) == sum(
        f != before for f, before in zip(in_order, [None, *in_order], strict=False)
    )
    shuffle = list(range(len(rows)))
    random.shuffle(shuffle)
    assert keepers.rank(copies(*(named[i] for i in shuffle))).tolist() == ranks[shuffle].tolist()


def test_paths_that_match_rank_first():
    paths = ["/a/export/1.jpg", "/a/originals/1.jpg", "C:\\b\\originals\\2.jpg", "/originals.jpg"]
    frame = pl.DataFrame({"path": paths})
    assert order(frame, keepers.prefer_path("*/originals/*"))[:2] == [paths[1], paths[2]]


def test_images_of_a_folder_rank_first_and_not_those_of_one_whose_name_begins_so():
    paths = ["/a/b/1.jpg", "/a/bc/1.jpg", "/a/b*/1.jpg", "\\a\\b\\c\\1.jpg", "/z/a/b/1.jpg"]
    frame = pl.DataFrame({"path": paths})
    for folder in ("/a/b", "/a/b/", "\\a\\b"):
        assert set(order(frame, keepers.prefer_folder(folder))[:2]) == {paths[0], paths[3]}
    assert order(frame, keepers.prefer_folder("/a/b*"))[0] == paths[2]


@given(st.text("ab[]*?.\\/(ä\n", max_size=8), st.text("ab[].\\/(ä\n", max_size=8))
def test_a_pattern_matches_whole_paths_and_has_no_wildcards_but_two(pattern, path):
    def matches(glob, text):
        if not glob:
            return not text
        if glob[0] == "*":
            return any(matches(glob[1:], text[i:]) for i in range(len(text) + 1))
        if not text:
            return False
        same = glob[0] in ("?", text[0]) or (glob[0] == "/" and text[0] == "\\")
        return same and matches(glob[1:], text[1:])

    found = pl.DataFrame({"path": [path]}).select(keepers.prefer_path(pattern).value).item()
    assert found == matches(pattern, path)


@pytest.mark.parametrize("dtype", [pl.String, pl.Categorical, pl.Enum(["web", "scan", "camera"])])
def test_preferred_values_rank_in_the_order_listed_and_others_last(dtype):
    source = pl.Series(["scan", "web", None, "camera", "web"], dtype=dtype)
    frame = pl.DataFrame({"path": list("abcde"), "source": source})
    rule = keepers.prefer("source", ["camera", "web", "paper"])
    assert order(frame, rule) == ["d", "b", "e", "a", "c"]


def test_preferred_values_need_not_be_text():
    frame = pl.DataFrame({"path": list("abc"), "stars": [1, 5, 3]})
    assert order(frame, keepers.prefer("stars", [3, 5])) == ["c", "b", "a"]


@pytest.mark.parametrize("values", ["camera", []])
def test_preferred_values_are_a_list_that_has_some(values):
    with pytest.raises(InputError, match="takes a list of values"):
        keepers.prefer("source", values)


def test_highest_and_lowest_go_by_any_column_and_nan_ranks_last():
    frame = pl.DataFrame({"path": list("abcd"), "votes": [1.0, float("nan"), 3.0, None]})
    assert order(frame, keepers.highest("votes")) == ["c", "a", "b", "d"]
    assert order(frame, keepers.lowest("votes")) == ["a", "c", "b", "d"]


def test_rules_and_names_of_rules_mix():
    rows = [BEST | {"path": "a"}, BEST | {"path": "b"}, BEST | {"path": "c", "width": 200}]
    assert order(frame(*rows), "pixels", keepers.prefer_path("b")) == ["c", "b", "a"]


def test_a_column_without_an_order_is_refused():
    frame = pl.DataFrame({"path": ["a"], "tags": [["x"]]})
    with pytest.raises(InputError, match=r"'highest tags' compares List\(String\)"):
        keepers.rank(frame, [keepers.highest("tags")])


def test_a_column_of_the_wrong_type_is_refused():
    frame = pl.DataFrame({"path": ["a"], "width": ["wide"], "height": [1]})
    with pytest.raises(InputError, match="check the types"):
        keepers.rank(frame, ["pixels"])


def test_a_missing_column_of_a_rule_is_named_with_the_rule():
    with pytest.raises(InputError, match="no column votes, which the keeper rules highest votes"):
        keepers.rank(pl.DataFrame({"path": ["a"]}), [keepers.highest("votes")])


def test_one_rule_instead_of_a_list_is_refused():
    with pytest.raises(InputError, match="keeper rules are a list"):
        keepers.check(keepers.highest("votes"))


# Which rule decided


def test_the_first_rule_that_tells_two_apart_decided():
    rows = [BEST, BEST | {"bytes": 10}, BEST | {"path": "z.jpg"}, BEST | {"sharpness": None}]
    words = keepers.decided_by(frame(*rows), [0, 0, 0], [1, 2, 3])
    assert words == ["most bytes", "path that sorts first", "sharpest"]


def test_no_rule_decided_between_an_image_and_itself():
    assert keepers.decided_by(frame(BEST), [0], [0]) == [None]
    assert keepers.decided_by(frame(BEST), [], []) == []


@pytest.mark.lengthy
@given(st.lists(facts, min_size=2, max_size=8))
def test_by_the_rule_that_decided_alone_the_keeper_ranks_first_too(rows):
    images = frame(*(row | {"path": f"{i}.jpg"} for i, row in enumerate(rows)))
    best_first = np.argsort(keepers.rank(images))
    words = keepers.decided_by(images, best_first[:-1], best_first[1:])
    name_of = {rule.about: name for name, rule in keepers.RULES.items()}
    for keeper, other, about in zip(best_first, best_first[1:], words, strict=False):
        alone = keepers.rank(images, [name_of[about]])
        assert alone[keeper] < alone[other]


@pytest.mark.lengthy
@given(
    st.integers(0, 2**32 - 1), st.permutations(["completeness", "detail", "pixels", "sharpness"])
)
def test_evidence_ranks_pictures_anew_as_ranking_with_it_does(seed, rules):
    rng = np.random.default_rng(seed)
    n = 12
    of_pictures = {
        "width": rng.integers(1, 4, n),
        "height": np.full(n, 100),
        "sharpness": rng.integers(3, size=n),
        "completeness": rng.integers(3, size=n).astype(np.float32) / 2,
        "enlarged": rng.integers(2, size=n).astype(np.bool_),
    }
    picture = rng.integers(n, size=20)
    facts = pl.DataFrame({name: it[picture] for name, it in of_pictures.items()}).with_columns(
        path=pl.Series([f"/{i:02}.jpg" for i in rng.permutation(20)]), fingerprint=picture
    )
    before = keepers.Ranking(
        facts.with_columns(completeness=None, enlarged=pl.lit(None, pl.Boolean)), rules
    )
    best = np.unique(before.best_copy)
    told = (of_pictures[name][picture[best]] for name in ("completeness", "enlarged"))
    again = before.of_pictures(best).ranks(*told)
    expected = keepers.rank(facts, rules)[best]
    assert again.tolist() == np.argsort(np.argsort(expected)).tolist()


@pytest.mark.parametrize(
    ("dtype", "values"),
    [
        (pl.Int128, [3, -(2**100), None, 2**100]),
        (pl.Int64, [3, -(2**63), None, 2**63 - 1]),
        (pl.UInt64, [3, 0, None, 2**64 - 1]),
        (pl.Float64, [3.0, float("-inf"), float("nan"), float("inf")]),
        (pl.Date, [20, -5, None, 30]),
        (pl.Decimal(10, 2), [3, -7, None, 9]),
        (pl.String, ["b", "a", None, "c"]),
        (pl.Enum(["z", "b", "y"]), ["b", "z", None, "y"]),
    ],
    ids=str,
)
def test_a_rule_orders_values_of_any_type_and_what_has_none_comes_last(dtype, values):
    facts = pl.DataFrame({"path": list("dcba"), "votes": pl.Series(values, dtype=dtype)})
    assert keepers.rank(facts, [keepers.highest("votes")]).tolist() == [1, 2, 3, 0]
    assert keepers.rank(facts, [keepers.lowest("votes")]).tolist() == [1, 0, 3, 2]
