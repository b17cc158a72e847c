"""A scorer that knows its users: rewards for whoever a prompt's column names, from a few of their comparisons."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from operant.data.cut import cut_ids
from operant.disk import read_json, write_json
from operant.engine.embed import embeddings
from operant.engine.policy import LanguageModel
from operant.meter import charge
from operant.models.loading import PLAIN, Loading
from operant.models.text import Encoded, encode_answer, encode_prompt
from operant.rewards.model import win_probability
from operant.rewards.user_latent import Gaussian, Shape, UserReward, on_sphere
from operant.schema import Answer, Pair, Prompt, Scale, Score

SETTINGS, NET = "operant_user_reward.json", "net.safetensors"


@dataclass(frozen=True, kw_only=True)
class Reading:
    """How a prompt and an answer are read, and for whom."""

    column: str  # of the prompt, which names the user; the group, where the net knows groups
    max_length: int  # tokens of prompt and answer together
    layer: int = -1  # of the body, whose states are averaged; 0 is its word embeddings
    normalize: bool = True  # the mean of a belief is put on the sphere that draws lie on; the authors' code leaves it
    groups: tuple[str, ...] = ()  # in the order that the net knows them


class UserRewardModel:
    """Rewards of answers for the user that a prompt names.

    `beliefs` are those about known users; for anybody else it is the prior, the average user. `others` are vectors of
    answers that a net which compares sets each answer against: its reward is the share of them that it beats.
    """

    def __init__(
        self, body: Any, net: UserReward, reading: Reading, *, beliefs: Mapping[str, Gaussian] | None = None,
        others: Tensor | None = None,
    ):  # fmt: skip
        self.body, self.net, self.reading, self.others = body, net, reading, others
        self.beliefs = dict(beliefs or {})
        self.scale: Scale = "probability" if net.shape.compares else "logit" if net.shape.outputs == 1 else "raw"

    def features(self, prompts: Sequence[Prompt], answers: Sequence[Answer]) -> Tensor:
        """[answers, width] scaled vectors."""
        tokenizer, rows = self.body.tokenizer, []
        for prompt, answer in zip(prompts, answers, strict=True):
            plain = Answer(value=answer.value, finish=answer.finish)
            kept = cut_ids(encode_prompt(tokenizer, prompt), encode_answer(tokenizer, plain), self.reading.max_length)
            rows.append(Encoded(tuple(kept.prompt), tuple(kept.answer)))
        return self.net.scaled(embeddings(self.body.module, tokenizer, rows, layer=self.reading.layer))

    @torch.no_grad()
    def infer_user(self, pairs: Sequence[Pair]) -> Gaussian:
        """What a few comparisons of one user say of them, [1, latent]; without any, the prior."""
        if not pairs:
            warnings.warn("no comparisons of this user: the average user is assumed", stacklevel=2)
            none = torch.zeros(1, 1, self.net.shape.width)
            return self.net.infer(none, none, torch.zeros(1, 1, dtype=torch.bool))
        prompts = [pair.prompt for pair in pairs]
        chosen = self.features(prompts, [pair.chosen for pair in pairs])
        rejected = self.features(prompts, [pair.rejected for pair in pairs])
        charge(forward_flops=self.net.encoding_flops() * len(pairs))
        return self.net.infer(chosen[None], rejected[None], torch.ones(1, len(pairs), dtype=torch.bool))

    def latents(self, prompts: Sequence[Prompt]) -> Tensor | None:
        """[prompts, latent] of their users; None where the net knows none."""
        names = [str(prompt.columns.get(self.reading.column)) for prompt in prompts]
        if self.net.group is not None:
            known = self.reading.groups
            places = torch.tensor([known.index(name) if name in known else -1 for name in names])
            found = self.net.group(places.clamp(min=0)).detach()
            return torch.where(places[:, None] < 0, self.net.group.weight.detach().mean(0), found)
        if self.net.encoder is None:
            return None
        prior = self.net.encoder.prior.detach()[0]
        means = torch.stack([self.beliefs[name].mean[0] if name in self.beliefs else prior for name in names])
        return self.placed(means)

    def placed(self, means: Tensor) -> Tensor:
        """Means of beliefs as the latents that rewards are read with."""
        return on_sphere(means) if self.reading.normalize else means

    @torch.no_grad()
    def score(self, prompts: Sequence[Prompt], answers: Sequence[Answer]) -> list[Score]:
        """Rewards for each prompt's user; only their differences mean something, and only for the same user."""
        if not prompts:
            return []
        features, latents = self.features(prompts, answers), self.latents(prompts)
        charge(reward_calls=len(prompts))
        if self.net.shape.compares:
            return [Score(value=value) for value in self._shares(features, latents)]
        charge(forward_flops=self.net.decoding_flops() * len(prompts))
        return [Score(value=value) for value in expected(self.net.decode(features, latents)).tolist()]

    def _shares(self, features: Tensor, latents: Tensor | None) -> list[float]:
        """Mean over the other answers of P(this one is better), 0 to 1, whatever the scale of a user's taste."""
        assert self.others is not None
        charge(forward_flops=2 * self.net.decoding_flops() * len(features) * len(self.others))
        found = []
        for place, one in enumerate(features):
            left = one.expand(len(self.others), -1)
            latent = None if latents is None else latents[place].expand(len(self.others), -1)
            found.append(float(self.net.lead(left, self.others, latent).sigmoid().mean()))
        return found

    @torch.no_grad()
    def compare(self, prompts: Sequence[Prompt], left: Sequence[Answer], right: Sequence[Answer]) -> list[float | None]:
        """P(left is better for the prompt's user)."""
        if not prompts:
            return []
        if not self.net.shape.compares:
            sides = (self.score(prompts, side) for side in (left, right))
            return [win_probability(one.value, two.value) for one, two in zip(*sides, strict=True)]
        charge(reward_calls=2 * len(prompts), forward_flops=2 * self.net.decoding_flops() * len(prompts))
        lead = self.net.lead(self.features(prompts, left), self.features(prompts, right), self.latents(prompts))
        return [float(one) for one in lead.sigmoid()]

    def save(self, directory: Path) -> None:
        """The body, the net, and what is believed of every user."""
        self.body.save(directory / "body")
        tensors = {f"net.{name}": value.contiguous() for name, value in self.net.state_dict().items()}
        if self.others is not None:
            tensors["others"] = self.others.contiguous()
        if self.beliefs:
            for part in Gaussian._fields:
                tensors[part] = torch.cat([getattr(one, part) for one in self.beliefs.values()]).contiguous()
        save_file(tensors, directory / NET)
        write_json(
            directory / SETTINGS,
            {"shape": asdict(self.net.shape), "reading": asdict(self.reading), "users": list(self.beliefs)},
        )  # fmt: skip

    @classmethod
    def load(cls, directory: Path, loading: Loading = PLAIN) -> UserRewardModel:
        """What `save` wrote; `loading` says in which precision the body computes."""
        about, tensors = read_json(directory / SETTINGS), load_file(directory / NET)
        net = UserReward(Shape(**about["shape"]), seed=0)
        net.load_state_dict({name.removeprefix("net."): v for name, v in tensors.items() if name.startswith("net.")})
        parts = [tensors[part].split(1) for part in Gaussian._fields] if about["users"] else [(), ()]
        beliefs = {user: Gaussian(*two) for user, two in zip(about["users"], zip(*parts, strict=True), strict=True)}
        reading = Reading(**about["reading"] | {"groups": tuple(about["reading"]["groups"])})
        body = LanguageModel.load(directory / "body", loading)
        return cls(body, net.eval(), reading, beliefs=beliefs, others=tensors.get("others"))


def expected(outputs: Tensor) -> Tensor:
    """[rows] the reward; of a normal its mean, of values from 0 to 1 their expectation."""
    if outputs.shape[-1] <= 2:
        return outputs[:, 0]
    return outputs.softmax(-1) @ torch.linspace(0, 1, outputs.shape[-1])
