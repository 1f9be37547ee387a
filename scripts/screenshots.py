"""Make pictures of every state of the Explorer, and those of the README, in a real JupyterLab.

Every state goes to ``test-output/screenshots``, to be looked at; the pictures of the README to
``docs``; what ``tests/browser/test_looks.py`` compares with to ``tests/browser/looks``.
"""

import shutil
import sys
import tempfile
from pathlib import Path

import looks
from film import Film
from lab import run_lab
from scenes import Stage, open_stage, play

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
STATES = ROOT / "test-output" / "screenshots"
WIDTHS = (1200, 760, 420)


def main() -> None:
    """Make all pictures, or those that are named: states, references, readme."""
    wanted = sys.argv[1:] or ["states", "references", "readme"]
    with tempfile.TemporaryDirectory() as name:
        root, home = Path(name) / "root", Path(name) / "home"
        root.mkdir()
        home.mkdir()
        store = {"DEDUP_WIDGETS_STORE": str(Path(name) / "store.sqlite")}
        with run_lab(root, home, store) as lab, open_stage(lab) as stage:
            if "states" in wanted:
                states(stage)
            if "references" in wanted:
                references(stage)
            if "readme" in wanted:
                stills(stage)
                five_actions(stage)
                review(stage)


def states(stage: Stage) -> None:
    """Show every state, light and dark, wide and narrow."""
    STATES.mkdir(parents=True, exist_ok=True)
    for width in WIDTHS:
        stage.widen(width)
        for name in play(stage):
            for dark in (False, True):
                stage.darken(dark)
                theme = "dark" if dark else "light"
                path = STATES / f"state-{name}-{width}-{theme}.png"
                stage.page.screenshot(path=path, clip=stage.box(name))
            stage.darken(False)


def references(stage: Stage) -> None:
    """Write what later screens are compared with."""
    shutil.rmtree(looks.REFERENCES, ignore_errors=True)
    looks.REFERENCES.mkdir()
    for name, picture in looks.screens(stage):
        picture.save(looks.reference(name), quality=80, method=6)


def stills(stage: Stage) -> None:
    """Show the first screen, and the charts."""
    stage.widen(1120)
    for scene, name in (("first", "explorer"), ("analytics", "analytics")):
        next(play(stage, scene))
        box = stage.box()
        if scene == "analytics":
            last = stage.page.locator("[slot=analytics]").get_by_text("of 78 images").bounding_box()
            assert last is not None
            box["height"] = last["y"] + last["height"] + 16 - box["y"]
        stage.page.screenshot(path=DOCS / f"{name}.png", clip=box)


def five_actions(stage: Stage) -> None:
    """From duplicates to a dataset."""
    film = Film(stage)
    film.click(stage.button("Remove exact"))
    stage.page.keyboard.type("Unique")
    film.press("Enter", "Enter")
    film.click(stage.button("Create dataset…"), stage.hide_folder)
    dialog = stage.view.get_by_role("dialog")
    submit = dialog.get_by_role("button", name="Submit")
    film.click(submit.and_(stage.view.locator(":enabled")))
    dialog.get_by_role("button", name="Done").wait_for()
    stage.hide_folder()
    film.shoot(2500)
    dialog.get_by_role("button", name="Done").click()
    film.save(DOCS / "actions.webp")


def review(stage: Stage) -> None:
    """Look at three groups, each another way."""
    film = Film(stage)
    film.click(stage.button("Review near"))
    film.press("ArrowRight", "→  next image")
    film.press("3", "3  split")
    film.press("4", "4  difference")
    film.click(stage.button("×16"))
    film.press("1", "1  side by side")
    film.press("Enter", "Enter  as suggested, next group")
    film.press("k", "K  keep this one")
    film.press("Enter", "Enter  next group")
    film.save(DOCS / "review.webp")
    stage.page.keyboard.press("Escape")


if __name__ == "__main__":
    main()
