"""A picture on disk and on a page, and what is said of a set of them."""

from __future__ import annotations

from base64 import b64decode, b64encode
from collections.abc import Sequence
from dataclasses import dataclass
from io import BytesIO
from typing import Any, get_args

import numpy as np
from matplotlib import image

from operant.data.represented import Properties
from operant.domains.vision.draw import Pixels
from operant.domains.vision.scene import SIDE
from operant.errors import require
from operant.schema import Answer, Finish, Json

DARK = 100  # below this in every colour
SHOWN = 4  # pixels of a page for one of a picture
ALIKE = 4  # levels of each colour by which two pictures are told apart, of their quarters in each direction


@dataclass(frozen=True, slots=True)
class Picture:
    """Rows of red, green and blue."""

    rgb: bytes

    @classmethod
    def of(cls, pixels: Pixels) -> Picture:
        return cls(pixels.tobytes())

    @property
    def pixels(self) -> Pixels:
        return np.frombuffer(self.rgb, dtype=np.uint8).reshape(SIDE, SIDE, 3)

    @property
    def lit(self) -> int:
        """Pixels that are not dark."""
        return int((self.pixels.max(-1) > DARK).sum())


def dump(answer: Answer) -> dict[str, Json]:
    """An answer as JSON: the picture's bytes, rows of red, green and blue, in base64."""
    picture = answer.value
    require(isinstance(picture, Picture), "value of an answer", picture, "a Picture")
    said = f"a picture of {SIDE} x {SIDE} pixels, {picture.lit} of them lit"
    return {"text": said, "finish": answer.finish, "rgb": b64encode(picture.rgb).decode()}


def load(stored: dict[str, Any]) -> Answer:
    """What `dump` gave."""
    finish: Any = stored.get("finish")
    require(finish in get_args(Finish), '"finish" of a stored picture', finish, f"one of {get_args(Finish)}")
    raw = b64decode(stored["rgb"], validate=True)
    require(len(raw) == SIDE * SIDE * 3, '"rgb" of a stored picture', f"{len(raw)} bytes", f"{SIDE * SIDE * 3}")
    return Answer(value=Picture(raw), finish=finish)


def show(answer: Answer) -> str:
    """The picture, enlarged."""
    file = BytesIO()
    image.imsave(file, answer.value.pixels, format="png")
    side = SIDE * SHOWN
    return (
        f'<img alt="{dump(answer)["text"]}" width="{side}" height="{side}" style="image-rendering:pixelated" '
        f'src="data:image/png;base64,{b64encode(file.getvalue()).decode()}">'
    )


def properties(answers: Sequence[Answer]) -> Properties:
    """Length is the number of lit pixels; pictures that differ coarsely, over all."""
    lit = [float(one.value.lit) for one in answers]
    coarse = {_coarse(one.value.pixels) for one in answers}
    return Properties(length=tuple(lit), diversity={"different_pictures": len(coarse) / len(answers)})


def _coarse(picture: Pixels) -> bytes:
    blocks = picture.reshape(ALIKE, SIDE // ALIKE, ALIKE, SIDE // ALIKE, 3).mean((1, 3))
    return bytes((blocks * ALIKE / 256).astype(np.uint8))
