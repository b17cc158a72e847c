"""EmotionPrompt: the exact bytes of every template, selection apart from reporting, and what is kept."""

from __future__ import annotations

from dataclasses import replace

import pytest

import tiny
from models.stub_server import Reply, stub
from operant.compare.bench import View, Workbench
from operant.compare.budget import Ceiling
from operant.domains.text.tasks.instructions import Instructions, Knobs
from operant.domains.text.tasks.instructions.simulated import Flips, Simulated
from operant.errors import BadValue, NotApplicable, OperantError, UnknownName
from operant.meter import metered
from operant.methods.prompt.emotion_prompt import SHOTS, Config, changed, load, run
from operant.models.endpoint import Endpoint
from operant.prompting.edits import Demo
from operant.prompting.stimuli import ELEVEN, EMOTIONAL
from operant.schema import Decoding, Prompt

PROMPT = Prompt(
    id="p",
    content="Instruction: Sum.\n\nInput: 2 3\nAnswer: ",
    columns={"instruction": "Sum.", "input": "2 3", "task": "sum"},
)
EP04 = "Are you sure?"


def content(**settings):
    config = Config(**settings)
    demos = [Demo(f"{place} 1", str(place + 1), "sum") for place in range(9)]
    return changed(PROMPT, EMOTIONAL.text(config.stimulus), config, demos).content


def test_templates_by_hand():
    zero = f"Instruction: Sum. {EP04}\n\nInput: 2 3\nAnswer: "
    assert content(stimulus="EP04") == content(stimulus="EP04", template="zero-shot") == zero
    assert content(stimulus="EP04", template="promptbench") == f"Sum.\n2 3\n{EP04}\nAnswer: "
    shown = content(stimulus="EP04", template="few-shot")
    assert shown.startswith(f"Instruction: Sum. {EP04}\n\nInput: ") and shown.endswith("\nInput: 2 3\nAnswer: ")
    assert shown.count("Output: ") == SHOTS
    assert content(stimulus="EP04", separator="") == f"Instruction: Sum.{EP04}\n\nInput: 2 3\nAnswer: "
    assert content(stimulus="EP04+EP02") == f"Instruction: Sum. {EP04} {EMOTIONAL.text('EP02')}\n\nInput: 2 3\nAnswer: "


def test_no_stimulus_is_the_same_prompt_and_the_same_answers(tiny_run):
    assert content(stimulus="none") == content(stimulus="none", template="zero-shot") == PROMPT.content
    products, cost = tiny_run("emotion-prompt", stimulus="none")
    prompts = tiny.graded().prompts("test")
    ours, base = (
        one.answer(prompts, n=2, decoding=Decoding(max_tokens=6, temperature=0), seed=0)
        for one in (products.generator, tiny.base())
    )
    assert ours == base
    assert products.generator.kl(tiny.base(), prompts, [many[0] for many in ours]).values == (0.0,) * len(prompts)
    assert cost.flops == 0


def test_settings_without_effect_cannot_be_written():
    with pytest.raises(UnknownName, match="no stimulus named 'EP99'"):
        Config(stimulus="EP99")
    with pytest.raises(UnknownName, match="no theory named 'hope'"):
        assert Config(stimulus="select:hope").candidates
    with pytest.raises(BadValue, match="separator"):
        Config(template="promptbench", separator="")
    assert Config(stimulus="select").candidates == ELEVEN
    assert Config(stimulus="select-per-task:social-cognitive").candidates == ELEVEN[6:]
    assert Config().candidates is None


def bench(tmp_path, base, *, pairs=520, flops=0.0, decoding=None):
    """The instructions task over any base."""
    decoding = decoding or Decoding(max_tokens=6)
    return Workbench(
        base=base, task=View(Instructions(knobs=Knobs(pairs=pairs, valid_pairs=20, test_prompts=16, test_pairs=8))),
        budget=Ceiling(flops, 1e9), seed=0, dir=tmp_path, max_length=256, decoding=decoding, resolve=None, own=None,
    )  # fmt: skip


def planted(**flips):
    inert = {EMOTIONAL.text(name): Flips(0.05, 0.05) for name in ELEVEN}
    return Simulated(inert | {EMOTIONAL.text(name): one for name, one in flips.items()}, seed=1)


def test_selection_finds_the_planted_stimulus_and_reports_it_on_other_prompts(tmp_path):
    model = planted(EP09=Flips(0.3, 0.05))
    with metered() as cost:
        products = run(Config(stimulus="select"), bench(tmp_path, model))
    points, relative, power, alarms = products.findings
    assert products.generator.about["chosen"] == {"": "EP09"}
    assert "EP09 against none" in points.name
    assert (points.unit, relative.unit, power.unit, alarms.unit) == ("points", "percent", *["share of runs"] * 2)
    assert points.low < points.effect < points.high
    # planted: 0.3 - 0.05; one item has variance 0.3 + 0.05 - 0.25^2, and three standard errors are allowed
    assert points.effect / 100 == pytest.approx(0.3 - 0.05, abs=3 * ((0.3 + 0.05 - 0.25**2) / 270) ** 0.5)
    used = {prompt.id for split in ("train", "valid") for prompt in bench(tmp_path, model).task.prompts(split)}
    # half A is asked twelve times, half B twice
    assert cost.verifier_calls == pytest.approx(7 * len(used), abs=6)


def test_nothing_planted_chooses_by_luck_and_reports_no_gain(tmp_path):
    products = run(Config(stimulus="select:self-monitoring"), bench(tmp_path, planted()))
    effect = products.findings[0]
    assert effect.low < 0 < effect.high


def test_a_choice_for_every_task(tmp_path):
    products = run(Config(stimulus="select-per-task"), bench(tmp_path, planted(EP09=Flips(0.45, 0.0))))
    chosen = products.generator.about["chosen"]
    assert set(chosen) == {"category", "mood", "colour", "report", "count", "reverse", "first", "last"}
    assert list(chosen.values()).count("EP09") >= 6
    strange = replace(PROMPT, columns={**PROMPT.columns, "task": "sum"})
    assert products.generator.edit(strange) == strange  # a task that was never met gets none


def test_selection_keeps_the_budget_and_needs_a_verifier(tmp_path, tiny_bench):
    base = Instructions().base()
    with metered() as cost:
        products = run(Config(stimulus="select"), bench(tmp_path, base, flops=4e10))
    assert 0.3 < cost.flops / 4e10 < 1
    assert products.findings
    with pytest.raises(NotApplicable, match="no verifier"):
        run(Config(stimulus="select"), tiny_bench(task=tiny.graded()))


def test_what_was_chosen_is_kept(tmp_path):
    config = Config(stimulus="select-per-task", template="few-shot")
    model = planted(EP02=Flips(0.3, 0.05))
    products = run(config, bench(tmp_path, model, pairs=60))
    (tmp_path / "product/generator").mkdir(parents=True)
    products.generator.save(tmp_path / "product/generator")
    again = load(config, tmp_path / "product", model)
    prompts = Instructions().prompts("test")[:20]
    assert again.generator.edited(prompts) == products.generator.edited(prompts)
    assert again.generator.edited(prompts) != prompts


def test_it_works_over_an_endpoint(tmp_path):
    reply = Reply(body={"choices": [{"text": "5", "finish_reason": "stop"}], "usage": {"total_tokens": 9}})
    with stub(lambda number, body: reply) as server:
        base = Endpoint.of(f"endpoint:model@{server.url}")
        products = run(Config(stimulus="EP04"), bench(tmp_path, base))
        answers = products.generator.answer([PROMPT], n=1, decoding=Decoding(), seed=0)
        kl = products.generator.kl(base, [PROMPT], [answers[0][0]])
    assert answers[0][0].value == "5"
    assert server.seen[0]["body"]["prompt"] == f"Instruction: Sum. {EP04}\n\nInput: 2 3\nAnswer: "
    assert (kl.kind, kl.values) == ("none", None)
    products.generator.save(tmp_path)
    assert (tmp_path / "base" / "endpoint.json").is_file()


def test_a_conversation_takes_the_stimulus_and_refuses_templates():
    talk = Prompt(id="t", content=({"role": "user", "content": "2 + 3?"},))
    assert changed(talk, EP04, Config(), []).content[0]["content"] == f"2 + 3? {EP04}"
    with pytest.raises(OperantError, match="columns instruction and input"):
        changed(talk, EP04, Config(template="zero-shot"), [])
