"""Errors of the dataset room, as the dialog says them: its controls instead of arguments."""

from collections.abc import Callable
from typing import ParamSpec, TypeVar

from dedup_widgets.errors import DedupError

P = ParamSpec("P")
R = TypeVar("R")

CONTROLS = {
    "pass allow_duplicates=True": "tick “Keep exact copies in it”",
    "pass another project=": "choose another project name",
    "set the environment variable LABEL_STUDIO_API_KEY, or pass LabelStudio(token=…)": (
        "fill in Token, or set the environment variable LABEL_STUDIO_API_KEY"
    ),
    "pass LabelStudio(root_on_server=…)": "send it from Python, by dw.annotate",
    "raise LabelStudio(timeout=…)": "send it again later, by dw.annotate",
    "pass label_config=": "send it from Python, by dw.annotate",
    "choose a local root=": "choose a local folder of datasets",
    "choose another root=": "choose another folder of datasets",
    "choose the place with root=": "choose the place by the folder of datasets",
    "choose another mode=": "choose other files",
    "mode='hardlink' on the disk": "hardlinks on the disk",
    'mode="symlink" links': "“Symbolic links” link",
    'mode="copy", or "paths"': "“Copies” or “Paths only”",
    "annotate= needs": "sending it needs",
    'format="imagefolder" and mode="hardlink", "copy" or "symlink"': (
        "“Hugging Face imagefolder” and files other than “Paths only”"
    ),
    'the dataset with format="imagefolder"': "the dataset as “Hugging Face imagefolder”",
}
"""What errors say to someone who writes Python, and what to someone at the dialog."""


def on_screen(text: str) -> str:
    """Return the text of an error with controls in place of arguments.

    >>> on_screen("Leave them out, or pass allow_duplicates=True.")
    'Leave them out, or tick “Keep exact copies in it”.'
    """
    for argument, control in CONTROLS.items():
        text = text.replace(argument, control)
    return text


def for_dialog(answer: Callable[P, R]) -> Callable[P, R]:
    """Let errors of an answer speak of the dialog."""

    def answered(*args: P.args, **kwargs: P.kwargs) -> R:
        try:
            return answer(*args, **kwargs)
        except DedupError as error:
            raise type(error)(on_screen(str(error))) from error

    return answered
