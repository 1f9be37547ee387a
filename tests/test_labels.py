"""Labels that disagree, splits that leak, and labels that reach the keeper."""

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from dedup_widgets.errors import InputError
from dedup_widgets.planning.labels import label_conflicts, leakage, merge_labels
from dedup_widgets.planning.plan import plan
from effort import examples


def frame(groups, **columns):
    """Images a, b, …: of each group the last one is the keeper."""
    n = len(groups)
    last = {group: i for i, group in enumerate(groups) if group}
    return pl.DataFrame(
        {
            "path": [chr(ord("a") + i) for i in range(n)],
            "group": pl.Series(groups, dtype=pl.UInt32),
            "keep": [not group or last[group] == i for i, group in enumerate(groups)],
            "fingerprint": [str(group or f"alone {i}") for i, group in enumerate(groups)],
            **columns,
        }
    )


def test_groups_that_disagree_are_listed_keeper_first_with_a_summary():
    df = frame([2, 1, 2, 1, 2, None], animal=["cat", "cow", "cat", "cow", "dog", "rat"])
    found = label_conflicts(df, "animal")
    assert found["path"].to_list() == ["e", "a", "c"]
    assert set(found["labels"]) == {"cat ×2, dog ×1"}
    assert found.columns == [*df.columns, "labels"]


def test_nulls_do_not_disagree():
    df = frame([1, 1, 2, 2], animal=["cat", None, None, None], score=[1.0, float("nan"), 2.0, None])
    assert label_conflicts(df, "animal").is_empty()
    assert label_conflicts(df, "score").is_empty()


def test_images_in_no_group_disagree_with_nobody():
    assert label_conflicts(frame([None, None], animal=["cat", "dog"]), "animal").is_empty()


def test_tags_are_compared_as_sets():
    tags = [["x", "y"], ["y", "x", "x"], ["x"], ["y"], [], None]
    found = label_conflicts(frame([1, 1, 2, 2, 1, 2], tags=tags), "tags")
    assert found["path"].to_list() == ["f", "c", "d"]
    assert found["labels"][0] == "x ×1, y ×1"


@pytest.mark.parametrize(
    "label", [[1, 2], [True, False], pl.Series(["x", "y"], dtype=pl.Enum("xy"))]
)
def test_labels_may_be_of_any_single_type(label):
    assert len(label_conflicts(frame([1, 1], label=label), "label")) == 2


def test_shuffling_the_rows_changes_no_list_of_conflicts():
    df = frame([1, 1, 2, 2, 2], animal=["cat", "dog", "cow", "rat", "pig"])
    assert_frame_equal(label_conflicts(df.reverse(), "animal"), label_conflicts(df, "animal"))


def test_groups_that_straddle_splits_leak():
    df = frame([1, 1, 1, 2, 2], split=["train", "test", "train", "train", "train"])
    found = leakage(df, "split")
    assert found["path"].to_list() == ["c", "a", "b"]
    assert set(found["splits"]) == {"train ×2, test ×1"}


def test_an_empty_frame_has_no_conflicts():
    empty = frame([], animal=pl.Series([], dtype=pl.String))
    assert label_conflicts(empty, "animal").columns[-1] == "labels"


@pytest.mark.parametrize("find", [label_conflicts, leakage])
def test_a_missing_column_is_refused_with_those_there_are(find):
    with pytest.raises(InputError, match=r"needs a column 'animals'.*Did you mean 'animal'"):
        find(frame([1, 1], animal=["cat", "dog"]), "animals")
    with pytest.raises(InputError, match="needs a column 'group'"):
        find(pl.DataFrame({"path": ["a"], "animal": ["cat"]}), "animal")


def test_a_column_that_the_summary_would_overwrite_is_refused():
    with pytest.raises(InputError, match="has a column 'labels'"):
        label_conflicts(frame([1, 1], labels=["x", "y"]), "labels")


def merged(df, *columns, **arguments):
    return merge_labels(df, plan(df, **arguments), columns)


def test_a_null_of_the_keeper_is_filled_by_the_best_ranked_that_has_a_value():
    df = frame([1, 1, 1], animal=["cat", "dog", None], bytes=[3, 2, 1])
    assert merged(df, "animal")["animal"].to_list() == ["cat", "dog", "dog"]


def test_a_label_of_the_keeper_stays():
    df = frame([1, 1], animal=["cat", "dog"])
    assert merged(df, "animal")["animal"].to_list() == ["cat", "dog"]


def test_lists_are_united_in_stable_order():
    tags = [["x", "new", "x"], ["old", "other"], ["y", "x"]]
    df = frame([1, 1, 1], tags=tags, bytes=[3, 2, 1])
    assert merged(df, "tags")["tags"].to_list() == [*tags[:2], ["y", "x", "old", "other", "new"]]


def test_a_keeper_without_a_list_takes_that_of_its_duplicates():
    df = frame([1, 1], tags=[["x"], None])
    assert merged(df, "tags")["tags"].to_list() == [["x"], ["x"]]


def test_where_nobody_has_a_list_there_is_none():
    df = frame([1, 1], tags=pl.Series([None, None], dtype=pl.List(pl.String)))
    assert_frame_equal(merged(df, "tags"), df)


def test_what_stays_gives_nothing_away():
    df = frame([1, 1], animal=["cat", None])
    assert_frame_equal(merged(df, "animal", remove=()), df)


@pytest.mark.lengthy
@examples(50)
@given(
    st.lists(
        st.tuples(
            st.none() | st.integers(1, 3),
            st.none() | st.sampled_from(["cat", "dog"]),
            st.none() | st.lists(st.sampled_from("xyz"), max_size=3),
        ),
        max_size=12,
    )
)
def test_merging_changes_nothing_but_the_labels_of_keepers_and_loses_none(rows):
    groups, animals, tags = map(list, zip(*rows, strict=True)) if rows else ([], [], [])
    df = frame(
        groups,
        animal=pl.Series(animals, dtype=pl.String),
        tags=pl.Series(tags, dtype=pl.List(pl.String)),
    )
    planned = plan(df)
    out = merge_labels(df, planned, ["animal", "tags"])
    assert out.schema == df.schema
    assert_frame_equal(out.drop("animal", "tags"), df.drop("animal", "tags"))
    going = planned["action"] == "remove"
    assert_frame_equal(out.filter(going), df.filter(going))

    def said(frame, column):
        """What the images that stand for a picture say about it, together."""
        together = {fingerprint: set() for fingerprint in frame["fingerprint"]}
        for fingerprint, value in frame.select("fingerprint", column).iter_rows():
            together[fingerprint].update(value if isinstance(value, list) else [value])
        return {fingerprint: said - {None} for fingerprint, said in together.items()}

    assert said(out.filter(~going), "tags") == said(df, "tags")
    before, after = said(df, "animal"), said(out.filter(~going), "animal")
    assert all(after[picture] <= before[picture] for picture in before)
    assert all(bool(after[picture]) == bool(before[picture]) for picture in before)


@pytest.mark.parametrize(
    ("columns", "message"),
    [(["animals"], "Did you mean 'animal'"), ("animal", r"pass \['animal'\]")],
)
def test_columns_that_are_not_there_are_refused(columns, message):
    df = frame([1, 1], animal=["cat", "dog"])
    with pytest.raises(InputError, match=message):
        merge_labels(df, plan(df), columns)


def test_a_plan_of_another_frame_is_refused():
    df = frame([1, 1], animal=["cat", "dog"])
    other = df.with_columns(path=pl.col("path") + ".jpg")
    with pytest.raises(InputError, match="that this frame does not have"):
        merge_labels(other, plan(df), ["animal"])
    with pytest.raises(InputError, match="needs a column 'action'"):
        merge_labels(df, df, ["animal"])
