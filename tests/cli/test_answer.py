"""`operant answer`: what the model reads of a prompt that was typed."""

import copy

import pytest

import tiny
from operant.cli.work import run_answer
from operant.disk import content_hash
from operant.engine.policy import LanguageModel
from operant.schema import Decoding, Prompt

TEMPLATE = "{% for message in messages %}review the {{ message['content'] }} :{% endfor %}"


@pytest.fixture
def chatty(tmp_path):
    """A model whose chat template adds words around a message."""
    base = tiny.base()
    tokenizer = copy.deepcopy(base.tokenizer)
    tokenizer.chat_template = TEMPLATE
    LanguageModel(base.module, tokenizer).save(tmp_path / "model")
    return tmp_path / "model"


@pytest.mark.parametrize("chat, content", [(False, "kettle"), (True, ({"role": "user", "content": "kettle"},))])
def test_a_prompt_is_text_or_a_message(chat, content, chatty, capsys):
    run_answer(
        ["kettle"], run=None, row="base", model=str(chatty), seed=3, n=2, max_tokens=6, temperature=1.0, chat=chat
    )
    model = LanguageModel.load(chatty)
    prompt = Prompt(id=content_hash("kettle"), content=content)
    (expected,) = model.answer([prompt], n=2, decoding=Decoding(max_tokens=6), seed=3)
    assert capsys.readouterr().out.splitlines() == [str(answer.value) for answer in expected]
