"""Denoisers of diffusers, UNets or transformers, with the process they were trained in; every pass is metered."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import Any, Literal, NamedTuple, get_args

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

from operant.disk import read_json
from operant.errors import MissingExtra, OperantError
from operant.meter import charge

Process = Literal["flow", "epsilon", "sample", "v_prediction"]
NETS = ("unet", "transformer")  # folders of a diffusers pipeline that hold a denoiser


class Condition(NamedTuple):
    """What a picture is made under."""

    context: Float[Tensor, "rows words width"]  # of the caption's encoder
    mask: Float[Tensor, "rows words"]  # 1 where there is a word
    tokens: Float[Tensor, "rows tokens channels"] | None = None  # for gated layers, where there are any

    def rows(self, start: int, end: int) -> Condition:
        tokens = None if self.tokens is None else self.tokens[start:end]
        return Condition(self.context[start:end], self.mask[start:end], tokens)

    def and_(self, other: Condition) -> Condition:
        """The rows of both, one after the other."""
        context, mask = torch.cat([self.context, other.context]), torch.cat([self.mask, other.mask])
        if self.tokens is None or other.tokens is None:
            return Condition(context, mask)
        return Condition(context, mask, torch.cat([self.tokens, other.tokens]))


class Grounded(NamedTuple):
    """What a gated layer is handed."""

    tokens: Float[Tensor, "rows tokens channels"]
    scale: float


class Passes(NamedTuple):
    """FLOPs of one row."""

    forward: float
    backward: float  # for the gradients of whatever is trained


class Denoiser:
    """A net that predicts what to take away from a noisy picture.

    Args:
        net: a UNet2DConditionModel, or a transformer whose blocks hear a caption by cross-attention, such as PixArt's.
        scheduler: diffusers' scheduler, which knows the process.
        layers: gated layers, one for each of its `blocks`, between self-attention and cross-attention.
    """

    def __init__(self, net: Any, scheduler: Any, *, layers: Sequence[nn.Module] = ()):
        self.net, self.scheduler, self.layers = net, scheduler, tuple(layers)
        self._prices: dict[tuple[int, ...], Passes] = {}
        if getattr(net, "use_additional_conditions", False):
            raise OperantError(f"{type(net).__name__} wants the picture's size as a condition, which is not given here")

    @classmethod
    def load(cls, directory: str | Path) -> Denoiser:
        """From a pipeline's directory; weights are frozen and computed in float32."""
        try:
            import diffusers
        except ImportError:
            raise MissingExtra("diffusers", "vision") from None
        where = Path(directory)
        folder = next((name for name in NETS if (where / name / "config.json").is_file()), None)
        if folder is None:
            raise OperantError(f"{where} holds no denoiser; expected a diffusers pipeline with {' or '.join(NETS)}")
        net: Any = diffusers.AutoModel.from_pretrained(str(where), subfolder=folder, torch_dtype=torch.float32)
        about = read_json(where / "scheduler" / "scheduler_config.json")
        scheduler = getattr(diffusers, about["_class_name"]).from_config(about)
        return cls(net.requires_grad_(requires_grad=False).eval(), scheduler)

    def save(self, directory: Path, *, dtype: torch.dtype = torch.float32) -> None:
        """As a pipeline's directory; without layers."""
        folder = "unet" if "UNet" in type(self.net).__name__ else "transformer"
        self.net.to(dtype).save_pretrained(directory / folder)
        self.scheduler.save_pretrained(directory / "scheduler")

    def with_layers(self, layers: Sequence[nn.Module]) -> Denoiser:
        """The same net with gated layers, which hear a condition's tokens."""
        return Denoiser(self.net, self.scheduler, layers=layers)

    @cached_property
    def process(self) -> Process:
        if "FlowMatch" in type(self.scheduler).__name__:
            return "flow"
        kind = self.scheduler.config.prediction_type
        if kind not in get_args(Process):
            raise OperantError(f"a scheduler that predicts {kind!r} is not known; expected one of {get_args(Process)}")
        return kind

    @property
    def kept(self) -> Float[Tensor, " times"]:
        """Alpha bar of every time of a diffusion."""
        return self.scheduler.alphas_cumprod

    def predict(
        self, noisy: Float[Tensor, "rows channels high wide"], times: Int[Tensor, " rows"], condition: Condition,
        *, scale: float = 1.0,
    ) -> Float[Tensor, "rows channels high wide"]:  # fmt: skip
        """Noise, picture, velocity or flow, as the net was trained.

        Args:
            times: in the scheduler's own steps, 0 to 1000.
            scale: of what the gated layers add; at 0 they are not asked.
        """
        charge(forward_flops=self.price(noisy, condition).forward * len(noisy), denoiser_calls=len(noisy))
        return self._predict(noisy, times, condition, scale)

    def _predict(self, noisy: Tensor, times: Tensor, condition: Condition, scale: float) -> Tensor:
        more: dict[str, Any] = {}
        if self.layers and condition.tokens is not None and scale != 0:
            more = {"cross_attention_kwargs": {"gligen": {"objs": Grounded(condition.tokens, scale)}}}
        with attached(self.net, self.layers):
            found = self.net(
                noisy, timestep=times, encoder_hidden_states=condition.context, return_dict=False,
                encoder_attention_mask=condition.mask, **more,
            )[0]  # fmt: skip
        return found[:, : noisy.shape[1]]  # a net may predict its variance too

    def price(self, noisy: Tensor, condition: Condition) -> Passes:
        """Of a picture of this size under such a condition; counted once, by torch, with whole attention squares."""
        grounded = () if condition.tokens is None else condition.tokens.shape[1:]
        sizes = (*noisy.shape[1:], *condition.context.shape[1:], *grounded)
        if sizes not in self._prices:
            self._prices[sizes] = self._counted(noisy[:1].detach(), condition.rows(0, 1))
        return self._prices[sizes]

    def _counted(self, noisy: Tensor, condition: Condition) -> Passes:
        tokens = None if condition.tokens is None else condition.tokens.detach().requires_grad_()
        nets = (self.net, *self.layers)
        trained = [weight for net in nets for weight in net.parameters() if weight.requires_grad]
        trained += [tokens] if tokens is not None and self.layers else []
        with torch.enable_grad(), sdpa_kernel(SDPBackend.MATH):
            with FlopCounterMode(display=False) as forward:
                made = self._predict(noisy, noisy.new_ones(1), condition._replace(tokens=tokens), 1.0)
            with FlopCounterMode(display=False) as backward:
                if trained:
                    torch.autograd.grad(made.sum(), trained, allow_unused=True)
        return Passes(float(forward.get_total_flops()), float(backward.get_total_flops()))


def blocks(net: Any) -> list[Any]:
    """The blocks that hear a caption by cross-attention, in order: where gated layers go."""
    from diffusers.models.attention import BasicTransformerBlock

    found = [one for one in net.modules() if isinstance(one, BasicTransformerBlock) and one.attn2 is not None]
    if not found:
        raise OperantError(f"{type(net).__name__} has no blocks with self- and cross-attention to put gated layers in")
    return found


@contextmanager
def attached(net: Any, layers: Sequence[nn.Module]) -> Iterator[None]:
    """Gated layers in their place, for as long as this is open; none of the net's weights or names change.

    diffusers calls what a block names `fuser` between its two attentions, and a UNet's `position_net` before that.
    """
    put: list[tuple[dict[str, Any], str, Any]] = []
    if layers:
        put += [(block.__dict__, "fuser", layer) for block, layer in zip(blocks(net), layers, strict=True)]
    if layers and "UNet" in type(net).__name__:
        put.append((net.__dict__, "position_net", lambda objs: objs))
    before = [(own, name, own.get(name)) for own, name, _ in put]
    for own, name, layer in put:
        own[name] = layer
    try:
        yield
    finally:
        for own, name, was in before:
            own.pop(name)
            if was is not None:
                own[name] = was
