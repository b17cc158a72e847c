"""The prompt that two answers share, when no column holds it."""

from operant.data.codes import Flaw
from operant.data.records import Content, Message

HUMAN, ASSISTANT = "\n\nHuman:", "\n\nAssistant:"
Split3 = tuple[Content, Content, Content]  # prompt, chosen, rejected


def split_pair(chosen: Content, rejected: Content) -> Split3:
    """Prompt and both answers. Each answer appended to the prompt gives back what the row held.

    Raises Flaw no_common_prompt.
    """
    if isinstance(chosen, str) and isinstance(rejected, str):
        dialogue = all(HUMAN in side and ASSISTANT in side for side in (chosen, rejected))
        return _hh(chosen, rejected) if dialogue else _text(chosen, rejected)
    if isinstance(chosen, tuple) and isinstance(rejected, tuple):
        return _messages(chosen, rejected)
    raise Flaw("wrong_type", "one answer is text and the other is messages", "chosen")


def _hh(chosen: str, rejected: str) -> Split3:
    """HH-RLHF: everything up to and including the last "Assistant:" is the prompt, and must be the same on both sides.

    Where the dialogues part earlier, one side holds a turn of the human, which no policy should learn to write.
    """
    prompt = chosen[: chosen.rfind(ASSISTANT) + len(ASSISTANT)]
    if prompt != rejected[: rejected.rfind(ASSISTANT) + len(ASSISTANT)]:
        raise Flaw("no_common_prompt", "the two dialogues part before the last turn of the assistant")
    return prompt, chosen[len(prompt) :], rejected[len(prompt) :]


def _text(chosen: str, rejected: str) -> Split3:
    """The longest common prefix that ends between words; a space before the answers belongs to them, as in TRL.

    TRL cuts inside a word where both answers begin alike; and one answer that begins the other is empty there.
    """
    shorter = min(len(chosen), len(rejected))
    end = next((at for at in range(shorter) if chosen[at] != rejected[at]), shorter)
    while end and (end == shorter or _inside_word(chosen, rejected, end)):
        end -= 1
        shorter = -1
    if end and chosen[end - 1] == " ":
        end -= 1
    if not end:
        raise Flaw("no_common_prompt", "the two answers begin differently; name the prompt with --columns prompt=...")
    return chosen[:end], chosen[end:], rejected[end:]


def _inside_word(chosen: str, rejected: str, end: int) -> bool:
    """A cut here would stand between two letters or digits. Scripts without case have no spaces to go back to."""
    return _wordlike(chosen[end - 1]) and (_wordlike(chosen[end]) or _wordlike(rejected[end]))


def _wordlike(letter: str) -> bool:
    return letter.islower() or letter.isupper() or letter.isdigit()


def _messages(chosen: tuple[Message, ...], rejected: tuple[Message, ...]) -> Split3:
    """The longest common run of messages that leaves each side at least one."""
    shorter = min(len(chosen), len(rejected)) - 1
    end = next((at for at in range(shorter) if chosen[at] != rejected[at]), shorter)
    if not end:
        raise Flaw("no_common_prompt", "the two dialogues share no first message")
    return chosen[:end], chosen[end:], rejected[end:]
