"""Images found by words, where the model embeds words too."""

import pytest

import dedup_widgets as dw


@pytest.fixture
def frame(tiny_clip, photo_folder):
    return dw.score(photo_folder(8), model=str(tiny_clip), progress=False)


def review_of(frame):
    """Return a review in which three images are found for a text."""
    review = dw.Session(frame)
    review.words.most = 3
    return review


@pytest.mark.lengthy
def test_images_are_found_by_words_nearest_first(frame):
    review = review_of(frame)
    review.filters = {"words": "a red car"}
    review.sort = {"column": "words", "grouped": False}
    nearest = dw.similar(frame, "a red car", k=3)
    assert review.view["path"].to_list() == nearest["path"].to_list()


@pytest.mark.lengthy
def test_words_and_other_filters_must_both_hold(frame):
    review = review_of(frame)
    review.filters = {"words": "a red car"}
    first = review.view["path"][0]
    review.filters = {"words": "a red car", "path": [first]}
    assert review.view["path"].to_list() == [first]
    assert review.filters == {"words": "a red car", "path": [first]}


@pytest.mark.lengthy
def test_other_words_find_anew(frame):
    review = review_of(frame)
    review.sort = {"column": "words", "grouped": False}
    for text in ("a red car", "snow"):
        review.filters = {"words": text}
        assert review.view["path"].to_list() == dw.similar(frame, text, k=3)["path"].to_list()


@pytest.mark.lengthy
def test_words_can_be_taken_back_and_given_again(frame):
    review = review_of(frame)
    review.filters = {"words": "a red car"}
    found = review.view
    assert len(found) == 3
    review.undo()
    assert len(review.view) == 8
    review.redo()
    assert review.view.equals(found)


@pytest.mark.lengthy
@pytest.mark.parametrize("nothing", ["", 3, None])
def test_what_is_no_text_is_refused(frame, nothing):
    with pytest.raises(dw.InputError, match="words"):
        dw.Session(frame).filters = {"words": nothing}


def test_a_model_without_words_is_named(photo_folder):
    frame = dw.score(photo_folder(3), model="perceptual", progress=False)
    review = dw.Session(frame)
    with pytest.raises(dw.InputError, match="does not embed text; score with CLIP"):
        review.filters = {"words": "a red car"}


@pytest.mark.lengthy
def test_a_model_that_is_gone_is_said_when_words_are_given(frame, tiny_clip, monkeypatch):
    review = dw.Session(frame)
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    hidden = tiny_clip.rename(tiny_clip.with_name("hidden"))
    try:
        with pytest.raises(dw.ModelError, match="no other model can embed the query"):
            review.filters = {"words": "a red car"}
    finally:
        hidden.rename(tiny_clip)
    assert len(review.view) == 8
