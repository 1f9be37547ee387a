"""Short animated pictures of what somebody does."""

import io
from collections.abc import Callable
from pathlib import Path

from PIL import Image
from playwright.sync_api import Locator

from scenes import Stage

MARK = """([x, y, text]) => {
    const mark = Object.assign(document.createElement('div'), { className: 'film-mark' });
    mark.textContent = text;
    mark.popover = 'manual';  // What is modal is above all else.
    const size = text ? 'padding: 6px 18px' : 'width: 36px; height: 36px; padding: 0';
    mark.style.cssText = `${size}; inset: auto; left: ${x}px; top: ${y}px; margin: 0;
        transform: translate(-50%, -50%); border: 3px solid #f80; pointer-events: none;
        border-radius: ${text ? '8px' : '50%'}; background: ${text ? '#222d' : '#f803'};
        color: #fff; font: 600 20px sans-serif`;
    document.body.append(mark);
    mark.showPopover();
}"""

SPEED = 1300
"""Milliseconds that a picture stays."""


class Film:
    """Takes a picture before and after each step."""

    def __init__(self, stage: Stage, width: int = 1120) -> None:
        self._stage = stage
        stage.widen(width)
        stage.fresh()
        self._box = stage.box()
        self._frames: list[tuple[Image.Image, int]] = []
        self.shoot()

    def shoot(self, milliseconds: int = SPEED) -> None:
        """Take a picture of what there is."""
        self._stage.page.mouse.move(2, 2)
        self._stage.settle()
        self._take(milliseconds)

    def click(self, what: Locator, then: Callable[[], None] = lambda: None) -> None:
        """Click something, with a ring around where; prepare what then is shown."""
        box = what.bounding_box()
        assert box is not None
        self._mark(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2, "")
        what.click()
        then()
        self.shoot()

    def press(self, key: str, name: str, times: int = 1) -> None:
        """Press a key, which is named in the picture."""
        self._mark(
            self._box["x"] + self._box["width"] / 2, self._box["y"] + self._box["height"] - 40, name
        )
        for _ in range(times):
            self._stage.page.keyboard.press(key)
        self.shoot()

    def save(self, path: Path) -> None:
        """Write the film as WebP."""
        first, *others = (frame for frame, _ in self._frames)
        first.save(
            path,
            save_all=True,
            append_images=others,
            duration=[time for _, time in self._frames],
            loop=0,
            quality=70,
            method=6,
        )

    def _mark(self, x: float, y: float, text: str) -> None:
        self._stage.page.evaluate(MARK, [x, y, text])
        self._take(700)
        self._stage.page.evaluate("document.querySelector('.film-mark').remove()")

    def _take(self, milliseconds: int) -> None:
        png = self._stage.page.screenshot(clip=self._box)
        self._frames.append((Image.open(io.BytesIO(png)).convert("RGB"), milliseconds))
