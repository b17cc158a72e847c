"""What a single column holds: text, messages, a number, a label. Flaw where it is something else."""

import math

from operant.data.codes import Flaw, shorten
from operant.data.records import Content


def read_content(value: object, column: str) -> Content:
    """Text, or messages of role and content."""
    if isinstance(value, str):
        return value
    if isinstance(value, list) and all(_is_message(part) for part in value):
        return tuple({"role": part["role"], "content": part["content"]} for part in value)
    many = isinstance(value, list) and isinstance(value[0], str)
    hint = f"; --columns {column}=NAME.0 takes the first" if many else ""
    said = f"expected text or a list of messages with role and content, got {type_name(value)}{hint}"
    raise Flaw("wrong_type", said, column)


def _is_message(part: object) -> bool:
    return isinstance(part, dict) and isinstance(part.get("role"), str) and isinstance(part.get("content"), str)


def type_name(value: object) -> str:
    """JSON's word for what a value is."""
    if isinstance(value, list):
        return f"a list that starts with {type_name(value[0])}" if value else "an empty list"
    names = {dict: "an object", str: "text", bool: "true or false", type(None): "null"}
    return names.get(type(value), "a number" if isinstance(value, (int, float)) else f"a {type(value).__name__}")


def read_label(value: object, column: str) -> bool:
    """true or false, also as 1 and 0 or as text, which is all that CSV holds."""
    word = str(value).strip().lower()
    if isinstance(value, (bool, int, str)) and word in ("true", "false", "1", "0"):
        return word in ("true", "1")
    raise Flaw("wrong_type", f"the label is {shorten(value)}; expected true or false", column)


def read_number(value: object, column: str) -> float | None:
    """A finite number, also as text; null and empty are None."""
    if value is None or value == "":
        return None
    try:
        number = float(value) if isinstance(value, (int, float, str)) and not isinstance(value, bool) else math.nan
    except (ValueError, OverflowError):
        number = math.nan
    if not math.isfinite(number):
        raise Flaw("wrong_type", f"expected a finite number, got {shorten(value)}", column)
    return number


def require_prompt(prompt: Content) -> None:
    """Flaw empty_prompt for white space alone."""
    if _blank(prompt):
        raise Flaw("empty_prompt", "the prompt is empty or only white space", "prompt")


def require_answer(answer: Content, column: str) -> None:
    """Flaw empty_answer for white space alone; of messages, the last one counts."""
    if _blank(answer):
        raise Flaw("empty_answer", f"{column} is empty or only white space", column)


def _blank(content: Content) -> bool:
    return not content.strip() if isinstance(content, str) else not (content and content[-1]["content"].strip())
