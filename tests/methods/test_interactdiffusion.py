"""Identities of the tokens and the layers, what is learnt and what is not, and a pipeline of diffusers' own."""

import pytest
import torch
from diffusers import AutoencoderKL, DDIMScheduler, StableDiffusionPipeline
from torch.testing import assert_close
from transformers import CLIPTextConfig, CLIPTextModel

from models.denoisers import unet
from operant.conditioning.boxes import between_boxes, fourier_boxes
from operant.domains.vision.draw import draw
from operant.domains.vision.scene import Pair, Scene, Thing
from operant.domains.vision.tasks.shapes.task import Knobs, Shapes
from operant.domains.vision.words import captions
from operant.errors import OperantError
from operant.loops.denoising import Draws
from operant.methods.condition.interactdiffusion import Config, interactions_of, painter, row_of
from operant.methods.condition.interactdiffusion.grounding import (
    Dropping,
    Grounding,
    Row,
    Shape,
    grounding_losses,
    joined,
    turned,
)
from operant.methods.condition.interactdiffusion.tokens import Interactions, InteractionTokens, scales
from operant.models.denoiser import Condition, Denoiser, Grounded, attached, blocks
from operant.schema import Decoding

WORDS, CHANNELS, MOST = 6, 10, 3
TINY = {"most": 2, "channels": 16, "hidden": 16, "steps": 4, "guidance": 2.0, "learning_rate": 1e-3}


def tokeniser(**settings):
    rng = torch.Generator().manual_seed(0)
    made = InteractionTokens(
        WORDS, CHANNELS, hidden=8, most=MOST, rng=rng, **{"region": "between", "instances": True, **settings}
    )
    with torch.no_grad():
        for null in (made.null_phrase, made.null_action, made.null_box):  # 0 at first, as if never trained
            null.normal_(generator=rng)
    return made


def given(slots=2, seed=1, rows=1):
    rng = torch.Generator().manual_seed(seed)
    boxes = [torch.rand(rows, slots, 4, generator=rng) / 2 + torch.tensor([0, 0, 0.5, 0.5]) for _ in range(2)]
    words = [torch.randn(rows, slots, WORDS, generator=rng) for _ in range(3)]
    return Interactions(*boxes, *words, torch.ones(rows, slots, dtype=torch.bool))


def test_tokens_by_hand():
    made, one = tokeniser(), given(slots=1)
    tokens = made(one)
    assert tokens.shape == (1, 3 * MOST, CHANNELS)
    middle = between_boxes(one.subject_boxes, one.object_boxes)
    wanted = {
        0: (made.shared, one.subjects, one.subject_boxes, 0),  # subjects, actions, objects, each MOST of them
        MOST: (made.acting, one.actions, middle, 2),
        2 * MOST: (made.shared, one.objects, one.object_boxes, 1),
    }
    for place, (net, phrase, box, role) in wanted.items():
        known = net(torch.cat([phrase, fourier_boxes(box)], -1))[0, 0] + made.instance[0] + made.role[role]
        assert_close(tokens[0, place], known)


def test_the_actions_net_starts_as_a_copy_of_the_other():
    made = tokeniser()
    for ours, theirs in zip(made.acting.parameters(), made.shared.parameters(), strict=True):
        assert torch.equal(ours, theirs) and ours is not theirs


def test_what_the_mask_leaves_out_changes_nothing():
    made, clear = tokeniser(), given()._replace(mask=torch.tensor([[True, False]]))
    garbage = Interactions(*(one.clone() for one in clear))
    for value in garbage[:-1]:
        value[:, 1] = float("nan")
    assert torch.equal(made(clear), made(garbage))
    # and where nothing is left it is the null condition, whatever stood there
    assert torch.equal(made(given().none()), made(given(slots=1, seed=9).none()))
    assert not torch.equal(made(given().none()), made(given()))


def test_swapping_subject_and_object_moves_the_same_tokens():
    made, one = tokeniser(), given()
    swapped = one._replace(
        subject_boxes=one.object_boxes, object_boxes=one.subject_boxes, subjects=one.objects, objects=one.subjects
    )
    plain = {name: made(value)[0].split(MOST) for name, value in (("one", one), ("swapped", swapped))}
    assert_close(plain["one"][0] - made.role[0], plain["swapped"][2] - made.role[1])
    assert_close(plain["one"][2] - made.role[1], plain["swapped"][0] - made.role[0])
    assert_close(plain["one"][1], plain["swapped"][1])


def test_ablations_leave_out_what_they_say():
    one = given()
    assert tokeniser(region="none")(one).shape == (1, 2 * MOST, CHANNELS)
    union, between = tokeniser(region="union")(one), tokeniser()(one)
    assert_close(union[:, :MOST], between[:, :MOST])
    assert not torch.equal(union[:, MOST : 2 * MOST], between[:, MOST : 2 * MOST])
    # without instances two equal interactions are the same token twice
    twice = Interactions(*(torch.cat([value[:, :1]] * 2, 1) for value in one))
    for instances in (True, False):
        tokens = tokeniser(instances=instances)(twice)
        assert torch.equal(tokens[:, 0], tokens[:, 1]) != instances


def test_the_largest_interactions_are_kept():
    boxes = torch.tensor([[[0, 0, 0.1, 0.1], [0, 0, 0.5, 0.5], [0, 0, 0.3, 0.3]]])
    words = torch.arange(3.0)[None, :, None]
    some = Interactions(boxes, boxes, words, words, words, torch.ones(1, 3, dtype=torch.bool))
    assert some.largest(2).actions.flatten().tolist() == [1, 2]
    # a slot without an interaction is the smallest, however large its boxes
    hidden = some._replace(mask=torch.tensor([[True, False, True]])).largest(2)
    assert hidden.actions.flatten().tolist() == [2, 0] and hidden.mask.all()


def test_scales_by_hand():
    assert scales((0.9, 0.0, 0.1), 50) == (1.0,) * 45 + (0.0,) * 5
    assert scales((0.5, 0.5, 0.0), 8) == (1, 1, 1, 1, 0.75, 0.5, 0.25, 0)
    assert scales((1.0, 0.0, 0.0), 3) == (1, 1, 1)


# The whole module on the base of `shapes`

TASK = Shapes(knobs=Knobs(scenes=4, valid=2, test=3))


def grounding(seed=0, **settings):
    return Grounding(TASK.base().denoiser, Config(**{**TINY, **settings}).shape, seed=seed)


def opened(made):
    with torch.no_grad():
        for layer in made.layers:
            layer.gate_attention.fill_(1.0)
            layer.gate_feed.fill_(1.0)
    return made


def painted(made, **settings):
    drawn = painter(made, Config(**{**TINY, **settings})).answer(TASK.prompts("test"), n=1, decoding=Decoding(), seed=0)
    return [many[0].value for many in drawn]


def test_a_fresh_module_paints_what_the_base_paints_and_so_does_a_silent_one():
    base = TASK.base()
    base.steps, base.guidance = TINY["steps"], TINY["guidance"]
    wanted = [many[0].value for many in base.answer(TASK.prompts("test"), n=1, decoding=Decoding(), seed=0)]
    assert painted(grounding()) == wanted
    assert painted(opened(grounding()), schedule=(0.0, 0.0, 1.0)) == wanted
    assert painted(opened(grounding())) != wanted


def test_pictures_keep_their_size_and_layers_are_two_of_everything():
    made, denoiser = grounding(), TASK.base().denoiser
    noisy, scene = torch.zeros(1, 3, 32, 32), TASK.prompts("test")[0].content
    condition = captions([scene])._replace(tokens=made(interactions_of([scene])))
    assert made.grounded.predict(noisy, torch.tensor([5]), condition).shape == noisy.shape
    assert len(made.layers) == len(blocks(denoiser.net)) > 0
    assert not any(name.startswith("denoiser") for name in made.state_dict())


def test_only_the_module_learns_and_the_gates_are_told():
    made, rows = grounding(), rows_of(TASK)
    before = {name: value.clone() for name, value in TASK.base().denoiser.net.state_dict().items()}
    losses = grounding_losses(made, Draws(rows, times=1, seed=0)[:2], captions([None]), Dropping(0.0, 0.0, 0.0))
    losses.sum().backward()
    assert losses.shape == (2,)
    assert all(layer.gate_attention.grad != 0 and layer.gate_feed.grad != 0 for layer in made.layers)
    assert made.tokens.role.grad is None or (made.tokens.role.grad == 0).all()  # behind gates that are shut
    grounding_losses(
        opened(made), Draws(rows, times=1, seed=0)[:2], captions([None]), Dropping(0, 0, 0)
    ).sum().backward()
    assert made.tokens.role.grad.abs().sum() > 0
    assert all(torch.equal(value, before[name]) for name, value in TASK.base().denoiser.net.state_dict().items())


def rows_of(task):
    return [row_of(one.prompt.content, one.answer.value.pixels, most=2) for one in task.judged("train")]


def test_rows_are_dropped_and_turned_as_often_as_asked():
    rows, empty = rows_of(TASK), captions([None])
    draws = Draws(rows, times=500, seed=0)[:]
    made = [turned(one, empty, Dropping(0.5, 0.1, 0.3)) for one in draws]
    flipped = [one.clean is not draw.item.clean for one, draw in zip(made, draws, strict=True)]
    assert abs(sum(one.condition is empty for one in made) / len(made) - 0.5) < 0.05
    assert abs(sum(not one.interactions.mask.any() for one in made) / len(made) - 0.1) < 0.03
    assert abs(sum(flipped) / len(made) - 0.3) < 0.05


def test_a_turned_row_is_the_picture_of_the_turned_scene():
    left, right = (1, 4, 11, 14), (19, 6, 27, 15)
    scene = Scene((Pair(subject=Thing(colour="red", kind="square", box=left), action="points at",
                        object=Thing(colour="blue", kind="square", box=right)),))  # fmt: skip
    mirror = Scene((Pair(subject=Thing(colour="red", kind="square", box=(21, 4, 31, 14)), action="points at",
                         object=Thing(colour="blue", kind="square", box=(5, 6, 13, 15))),))  # fmt: skip
    row = row_of(scene, draw(scene), most=2)
    draws = Draws([row], times=1, seed=0)
    found = turned(draws[0], captions([None]), Dropping(0.0, 0.0, 1.0))
    wanted = row_of(mirror, draw(mirror), most=2)
    assert_close(found.clean, wanted.clean)
    assert_close(found.interactions.subject_boxes, wanted.interactions.subject_boxes)
    assert_close(found.interactions.object_boxes, wanted.interactions.object_boxes)


def refused(match, **changes):
    made = Grounding(TASK.base().denoiser, Shape(WORDS, CHANNELS, 8, MOST, "between", instances=True), seed=0)
    with pytest.raises(OperantError, match=match):
        made(given()._replace(**changes))


def test_interactions_that_make_no_sense_are_refused():
    refused("one of subject_boxes is .*left < right", subject_boxes=torch.full((1, 2, 4), 0.5))
    refused("one of object_boxes is .*between 0 and 1", object_boxes=torch.tensor([[[0, 0, 1, 2.0]] * 2]))
    refused("shape of actions is .*expected", actions=torch.ones(1, 2, WORDS + 1))
    refused("shape of subject_boxes is .*as the mask says", mask=torch.ones(1, 1, dtype=torch.bool))
    refused("embedding of one of objects is '0 throughout'", objects=torch.zeros(1, 2, WORDS))
    made = Grounding(TASK.base().denoiser, Shape(WORDS, CHANNELS, 8, MOST, "between", instances=True), seed=0)
    with pytest.raises(OperantError, match="4 interactions in a picture; expected at most 3"):
        made(joined([given(slots=4)]))
    for settings in ({"schedule": (0.5, 0.2)}, {"schedule": (0.5, 0.2, 0.2)}, {"flip": 2.0}, {"most": 0}):
        with pytest.raises(OperantError, match=next(iter(settings))):
            Config(**settings)


# A pipeline of Stable Diffusion's kind, from scratch: the loading and the call are the real ones


def pipeline():
    torch.manual_seed(0)
    vae = AutoencoderKL(block_out_channels=(8, 8), down_block_types=("DownEncoderBlock2D",) * 2, norm_num_groups=4,
                        up_block_types=("UpDecoderBlock2D",) * 2, latent_channels=4)  # fmt: skip
    text = CLIPTextModel(CLIPTextConfig(hidden_size=12, intermediate_size=12, num_hidden_layers=1,
                                        num_attention_heads=2, vocab_size=50))  # fmt: skip
    return StableDiffusionPipeline(
        vae, text, None, unet(channels=4, words=12), DDIMScheduler(steps_offset=1, clip_sample=False),
        safety_checker=None, feature_extractor=None, requires_safety_checker=False,
    )  # fmt: skip


def test_a_unet_of_a_pipeline_learns_and_its_own_call_paints(tmp_path):
    pipe = pipeline()
    pipe.set_progress_bar_config(disable=True)
    pipe.unet.save_pretrained(tmp_path / "unet")
    pipe.scheduler.save_pretrained(tmp_path / "scheduler")
    denoiser = Denoiser.load(tmp_path)
    made = opened(Grounding(denoiser, Shape(WORDS, CHANNELS, 8, MOST, "between", instances=True), seed=0))
    assert [layer.norm.normalized_shape for layer in made.layers] == [(8,), (8,), (8,), (16,)]  # the middle comes last
    tokens = torch.cat([made(given().none()), made(given())])  # as guidance doubles the batch: empty first
    words = torch.randn(1, 5, 12, generator=torch.Generator().manual_seed(0))
    condition = Condition(words, torch.ones(1, 5))
    row = Row(torch.randn(4, 8, 8, generator=torch.Generator().manual_seed(1)), condition, given())
    grounding_losses(made, Draws([row], times=1, seed=0)[:], condition, Dropping(0.0, 0.0, 0.0)).sum().backward()
    assert all(weight.grad.abs().sum() > 0 for name, weight in made.named_parameters() if "null" not in name)

    def call(**more):
        rng = torch.Generator().manual_seed(0)
        return pipe(prompt_embeds=words, negative_prompt_embeds=words * 0, num_inference_steps=2, generator=rng,
                    output_type="latent", **more).images  # fmt: skip

    plain = call()
    with attached(pipe.unet, list(made.layers)):
        heard = call(cross_attention_kwargs={"gligen": {"objs": Grounded(tokens.detach(), 1.0)}})
    assert not torch.equal(heard, plain)
    assert torch.equal(call(), plain)
