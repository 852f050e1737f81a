"""How the networks of a space are drawn: as stages of blocks, said once for all architectures.

What is said here is data, so that a page draws an architecture of a table without its family, which
would load torch, and draws another when a reader picks one.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from nasbench.space.base import Space

__all__ = ["DrawnBlock", "DrawnStage", "drawn_in_words", "drawn_stages", "pieces_of"]


class DrawnBlock(NamedTuple):
    """A box of a picture.

    Attributes:
        text: its lines. `{decision}` stands for the choice taken; where one that is named does not
            count, there is no box.
        colour: the decision whose choice gives the box its colour; empty for what all have.
    """

    text: str
    colour: str = ""


class DrawnStage(NamedTuple):
    """A column of boxes, through which inputs go from the first to the last.

    Attributes:
        title: below it; likewise with choices in it.
        blocks: the boxes.
        times: the decision that says how often the boxes follow each other; empty: once.
        follows: whether inputs come from the stage before; else no arrow leads here.
    """

    title: str
    blocks: tuple[DrawnBlock, ...]
    times: str = ""
    follows: bool = True


_CHOICE = re.compile(r"\{([^{}]+)\}")


def pieces_of(text: str) -> list[str]:
    """A text taken apart: what stands at odd places is the name of a decision.

    Example:
        >>> pieces_of("{s1.kernel} wide")
        ['', 's1.kernel', ' wide']
    """
    return _CHOICE.split(text)


def drawn_stages(space: Space, architecture: int) -> list[tuple[str, list[tuple[str, int | None]]]]:
    """What is drawn of one architecture: of each stage its title and its boxes.

    Args:
        space: that says how its networks are drawn, `Space.stages`.
        architecture: of the space.

    Returns:
        For each stage its title, and of each box the text and the number of the choice that
        colours it, None where no choice does. Empty where the space says nothing.

    Example:
        >>> import nasbench as nb
        >>> space = nb.space("mbv2-mini")
        >>> for title, boxes in drawn_stages(space, space.named["mobilenetv2"])[1:3]:
        ...     print(title, [text.replace("\\n", ", ") for text, _ in boxes])
        stage 1 ['3×3, expand 6']
        stage 2 ['3×3, expand 6', '3×3, expand 6']
    """
    taken = dict(zip(space.decisions, space.ops(architecture).tolist(), strict=True))
    chosen = {name: space.decisions[name][taken[name]] for name in space.choices_of(architecture)}

    def written(text: str) -> str:
        return "".join(
            chosen.get(piece, "–") if place % 2 else piece
            for place, piece in enumerate(pieces_of(text))
        )

    found = []
    for stage in space.stages:
        boxes: list[tuple[str, int | None]] = [
            (written(block.text), taken[block.colour] if block.colour else None)
            for block in stage.blocks
            if all(name in chosen for name in pieces_of(block.text)[1::2])
        ]
        times = int(chosen[stage.times]) if stage.times else 1
        found.append((written(stage.title), boxes * times))
    return found


def drawn_in_words(space: Space, architecture: int) -> list[tuple[str, str]]:
    """The picture of an architecture as text: of each stage its title and its boxes.

    Example:
        >>> import nasbench as nb
        >>> space = nb.space("mbv2-mini")
        >>> drawn_in_words(space, space.named["mobilenetv2"])[2]
        ('stage 2', '3×3 expand 6, 3×3 expand 6')
    """
    return [
        (" ".join(title.split()), ", ".join(" ".join(text.split()) for text, _ in boxes))
        for title, boxes in drawn_stages(space, architecture)
    ]
