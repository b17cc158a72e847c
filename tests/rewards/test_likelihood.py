"""Follow-up likelihood: the arithmetic, what cancels, which tokens count, and what is refused."""

from __future__ import annotations

from math import log

import pytest
import torch
from transformers import PreTrainedTokenizerFast

import tiny
from models.stub_server import Reply, stub
from operant.errors import BadValue, NotApplicable, OperantError, UnknownName
from operant.models.endpoint import Endpoint
from operant.models.endpoint.http import EndpointError
from operant.models.small import small_llama
from operant.rewards.follow_ups import FACETS, bank_of, facet_of, lists
from operant.rewards.likelihood import FollowUpLikelihood, Likelihood, gap
from operant.rewards.turns import OPENING, Turns, placed
from operant.schema import Answer, Prompt

TEMPLATE = "{% for m in messages %}<s> {{ m['role'] }} : {{ m['content'] }} </s> {% endfor %}"
WORDS = ["user", "assistant", "system", ":", "a", "b", "c", "d", "good", "bad", "so", "it", "is"]
KIND, UNKIND = ("good", "it is good so good"), ("bad", "it is bad")
BANK = {"one": lists(KIND, UNKIND)}
PROMPT, REPLY = Prompt(id="p", content="a b c"), Answer(value="d d")
TURNS = Turns(turn=" : ")


class Policy:
    def __init__(self, *, uniform=False, chat=False):
        self.module, self.tokenizer = small_llama(WORDS, hidden=16, layers=2, seed=3)
        if uniform:  # no longer tied to the embeddings: every token is as likely as any other
            self.module.lm_head.weight = torch.nn.Parameter(torch.zeros_like(self.module.lm_head.weight))
        if chat:
            self.tokenizer.chat_template = TEMPLATE


def scorer(bank=BANK, policy=None, turns=TURNS, **how):
    return FollowUpLikelihood(policy or Policy(), bank, turns, Likelihood(**how))


def reward(one, prompt=PROMPT, reply=REPLY):
    return one.score([prompt], [reply])[0].value


def test_the_gap_by_hand():
    # l: good -1, "it is good so good" -3, bad -2, "it is bad" -5: (-1 - 3) / 2 - (-2 - 5) / 2 = 1.5
    values = dict(zip((*KIND, *UNKIND), (-1.0, -3.0, -2.0, -5.0), strict=True))
    assert gap(values, KIND, UNKIND) == (-1 - 3) / 2 - (-2 - 5) / 2


def test_the_reward_is_that_of_one_plain_pass_for_each_message():
    # what is read once and shared here is read anew there
    policy, expected = Policy(), {}
    for message in (*KIND, *UNKIND):
        ids = policy.tokenizer(f"a b c d d : {message}")["input_ids"]
        own = len(message.split())
        with torch.no_grad():
            logps = policy.module(torch.tensor([ids])).logits[0].log_softmax(-1)
        taken = [float(logps[at - 1, ids[at]]) for at in range(len(ids) - own, len(ids))]
        expected[message] = sum(taken) / own
    assert reward(scorer(policy=policy)) == pytest.approx(gap(expected, KIND, UNKIND), abs=1e-4)


def test_equal_lists_cancel_and_swapped_ones_turn_the_sign():
    assert reward(scorer({"one": lists(KIND, KIND)})) == 0
    assert reward(scorer({"one": lists(UNKIND, KIND)})) == pytest.approx(-reward(scorer()))


def test_a_repeated_message_weighs_once():
    assert reward(scorer({"one": lists(KIND * 2, (*UNKIND, UNKIND[0]))})) == reward(scorer())


@pytest.mark.filterwarnings("ignore:LlamaForCausalLM scores by its own")  # logits of no size cannot be compared
def test_a_uniform_scorer_says_nothing_whatever_the_lengths():
    one, size = scorer(policy=Policy(uniform=True)), len(WORDS) + 4  # and four special tokens
    values = one._values([(PROMPT, "d d", message) for message in one.messages])
    assert values == pytest.approx([-log(size)] * 4)
    assert reward(one) == pytest.approx(0, abs=1e-6)  # sums would give (-6 + 4) / 2 x ln V


def test_facets_count_alike_and_one_may_be_chosen():
    both = BANK | {"two": lists(("so",), ("bad", "is", "a"))}
    first, second = (reward(scorer(both, facet=name)) for name in both)
    whole = scorer(both).score([PROMPT], [REPLY])[0]
    assert whole.value == pytest.approx((first + second) / 2)
    assert whole.parts == pytest.approx({"one": first, "two": second})
    with pytest.raises(UnknownName, match="facet"):
        scorer(both, facet="three")


def test_calibration_takes_the_same_from_every_reply_to_a_prompt():
    replies = [Answer(value=text) for text in ("a", "b b", "c d", "d")]
    plain, calibrated = ([one.value for one in made.score([PROMPT] * 4, replies)]
                         for made in (scorer(), scorer(calibrated=True)))  # fmt: skip
    taken = {round(one - two, 5) for one, two in zip(plain, calibrated, strict=True)}
    assert taken == {round(reward(scorer(), reply=Answer(value="")), 5)}


def test_the_message_alone_counts_and_not_what_the_template_closes_with():
    tokenizer = Policy(chat=True).tokenizer
    talk = Prompt(id="t", content=({"role": "user", "content": "a good"},))
    (found,) = placed(tokenizer, [(talk, "b", "good")], Turns())
    text = "<s> user : a good </s> <s> assistant : b </s> <s> user :"
    assert tokenizer.decode(found.row.prompt) == text
    assert tokenizer.decode(found.row.answer) == "good"
    assert tokenizer.decode(found.behind) == "</s>"


def test_roles_are_swapped_for_a_scorer_that_has_learnt_comments():
    tokenizer = Policy(chat=True).tokenizer
    talk = Prompt(id="t", content=({"role": "user", "content": "c"}, {"role": "assistant", "content": "c"},
                                   {"role": "user", "content": "a b"}))  # fmt: skip
    (found,) = placed(tokenizer, [(talk, "d", "it is good")], Turns(swapped=True))
    # the last question and answer alone, asked by the assistant and commented by it
    opening = " ".join("a" if word == "a" else "<unk>" for word in OPENING.split())
    shown = f"<s> user : {opening} </s> <s> assistant : a b </s> <s> user : d </s> <s> assistant :"
    assert (tokenizer.decode(found.row.prompt), tokenizer.decode(found.row.answer)) == (shown, "it is good")


def test_a_token_across_the_border_is_the_messages():
    from tokenizers import Tokenizer, models

    made = Tokenizer(models.BPE({"a": 0, "b": 1, " ": 2, " b": 3, "ab": 4}, [(" ", "b"), ("a", "b")]))
    (found,) = placed(PreTrainedTokenizerFast(tokenizer_object=made), [(Prompt(id="p", content="a"), "a", "b")],
                      Turns(turn=" "))  # fmt: skip
    assert found.row == ((0, 2, 0), (3,))  # "a", " ", "a" and " b"; of "b" alone nothing is left


def test_a_dialogue_has_to_end_with_the_user_and_needs_a_template():
    said = Prompt(id="t", content=({"role": "assistant", "content": "a"},))
    with pytest.raises(OperantError, match="ends with a turn of 'assistant'"):
        reward(scorer(policy=Policy(chat=True)), said)
    asked = Prompt(id="t", content=({"role": "user", "content": "a"},))
    with pytest.raises(OperantError, match="chat template"):
        reward(scorer(), asked)


def test_what_is_cut_on_the_left_is_counted_and_a_cut_request_is_told():
    turns = Turns(turn=" : ", max_length=9)
    one = scorer(turns=turns)  # a b c d d : it is good so good: 11 tokens
    with pytest.warns(UserWarning, match="1 of 1 replies"):
        reward(one, Prompt(id="p", content="a b c a b c a b"))
    assert (one.cut, one.requests_cut) == (1, 1)


def test_the_released_script_reads_one_position_and_counts_what_closes_the_turn():
    policy = Policy(chat=True)
    talk = Prompt(id="t", content=({"role": "user", "content": "a"},))
    found = reward(scorer(policy=policy, raw=True), talk, Answer(value="b"))
    expected = {}
    for message in (*KIND, *UNKIND):
        text = f"<s> user : a </s> <s> assistant : b </s> <s> user : {message} </s>"
        ids, own = (policy.tokenizer(one, add_special_tokens=False)["input_ids"] for one in (text, message))
        with torch.no_grad():
            logits = policy.module(torch.tensor([ids])).logits[0][-len(own) :]
        expected[message] = float(logits[0][own].mean())
    assert found == pytest.approx(gap(expected, KIND, UNKIND), abs=1e-5)
    assert abs(found - reward(scorer(policy=policy), talk, Answer(value="b"))) > 1e-3  # another number altogether


def test_lists_of_nothing_and_files_of_something_else_are_refused():
    with pytest.raises(BadValue, match="negative follow-ups"):
        lists(KIND, (" ",))
    for told in ([], {}, {"one": ["a"]}, {"one": {"positive": ["a"]}}):
        with pytest.raises(OperantError, match="expected"):
            bank_of(told, source="file")
    assert bank_of({"one": {"positive": ["good"], "negative": ["bad"]}}, source="f") == {"one": (("good",), ("bad",))}


def test_our_bank_has_six_facets_of_ten_different_sentences_each_way():
    assert len(FACETS) == 6
    assert {len(side) for both in FACETS.values() for side in both} == {10}
    every = [text for both in FACETS.values() for side in both for text in side]
    assert len(set(every)) == len(every) == 6 * 20
    assert list(facet_of(FACETS, "relevance")) == ["relevance"]


def test_the_same_scores_from_the_same_model_and_one_that_was_reloaded(tmp_path):
    prompts, answers = tiny.graded().prompts("test"), [Answer(value="the build is good .")] * 6
    one = FollowUpLikelihood(tiny.base(), {"x": lists(("it is good .",), ("it is poor .",))})
    assert one.score(prompts, answers) == one.score(prompts, answers)
    one.save(tmp_path)
    assert (tmp_path / "policy/model.safetensors").is_file()


def echo(number, body):
    """One token a word; the n-th token of a text has log-probability -n."""
    text = body["prompt"]
    tokens = [f" {word}" if place else word for place, word in enumerate(text.split(" "))]
    numbers = {"tokens": tokens, "token_logprobs": [None, *(-float(place) for place in range(1, len(tokens)))]}
    return Reply({"choices": [{"text": text, "logprobs": numbers, "finish_reason": "stop"}],
                  "usage": {"total_tokens": 1}})  # fmt: skip


def test_a_server_that_echoes_its_prompt_serves_and_others_are_refused():
    # "a b c d d :" are tokens 0 to 5 and the message stands behind them, with the space before it
    turns, bank = Turns(turn=" :"), {"one": lists((" good",), (" it is bad",))}
    with stub(echo) as server:
        base = Endpoint.of(f"endpoint:m@{server.url}")
        one = FollowUpLikelihood(base, {"one": type(bank["one"])((" good",), (" it is bad",))}, turns)
        assert reward(one) == pytest.approx(-6 - (-6 - 7 - 8) / 3)
        with pytest.raises(OperantError, match="chat template"):
            reward(one, Prompt(id="t", content=({"role": "user", "content": "a"},)))
        with pytest.raises(NotApplicable, match="raw logits"):
            reward(FollowUpLikelihood(base, bank, turns, Likelihood(raw=True)))
    mute = Reply({"choices": [{"text": "", "finish_reason": "stop"}], "usage": {"total_tokens": 1}})
    with stub(lambda number, body: mute) as server, pytest.raises(EndpointError, match="no log-probabilities"):
        reward(FollowUpLikelihood(Endpoint.of(f"endpoint:m@{server.url}"), bank, turns))
