"""A small language model of any architecture, trained on the pairs of a preference file: a checkpoint like a user's.

`python scripts/build_checkpoint.py FILE OUT --architecture gemma --minutes 3 --chat`. About 1M parameters, byte-level
BPE of 2,000 entries learnt from the file, positions up to 512. Prompts and both answers are learnt, as `operant`
encodes them. With --chat the tokenizer has a chat template, and every prompt is a message of the user.
"""

import argparse
import sys
import time
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Any

import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import (
    AutoModelForCausalLM,
    GemmaConfig,
    GPT2Config,
    GPTNeoXConfig,
    LlamaConfig,
    PhiConfig,
    PreTrainedTokenizerFast,
    Qwen2Config,
    Qwen3Config,
)

from operant.data.load import load
from operant.data.records import plain
from operant.engine.logps import answer_logps
from operant.models.causal import save_causal
from operant.models.text import Encoded, encode_answer, encode_prompt
from operant.schema import Answer, Prompt

POSITIONS = 512
WIDTH = 128
SHARED: dict[str, Any] = {
    "hidden_size": WIDTH, "num_hidden_layers": 4, "num_attention_heads": 4, "max_position_embeddings": POSITIONS,
    "tie_word_embeddings": True, "pad_token_id": 0, "bos_token_id": 1, "eos_token_id": 2,
}  # fmt: skip
GATED = {"intermediate_size": 344, "num_key_value_heads": 2}  # three matrices in the MLP, keys and values shared by two
PLAIN = {"intermediate_size": 4 * WIDTH}
CONFIGS: dict[str, Callable[[int], Any]] = {
    "llama": lambda size: LlamaConfig(vocab_size=size, **SHARED, **GATED),
    "qwen2": lambda size: Qwen2Config(vocab_size=size, **SHARED, **GATED),
    "qwen3": lambda size: Qwen3Config(vocab_size=size, **SHARED, **GATED, head_dim=WIDTH // 4),
    "gemma": lambda size: GemmaConfig(vocab_size=size, **SHARED, **GATED, head_dim=WIDTH // 4),
    "phi": lambda size: PhiConfig(vocab_size=size, **SHARED, **PLAIN),
    "gpt_neox": lambda size: GPTNeoXConfig(vocab_size=size, **SHARED, **PLAIN),
    "gpt2": lambda size: GPT2Config(vocab_size=size, **SHARED),
}
CHAT = (
    "{% for message in messages %}{{ '<|' + message.role + '|>' + message.content }}"
    "{% if message.role == 'assistant' %}{{ eos_token }}{% endif %}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|assistant|>' }}{% endif %}"
)
ROLES = ["<|system|>", "<|user|>", "<|assistant|>"]


def train_tokenizer(texts: list[str], size: int, *, chat: bool) -> PreTrainedTokenizerFast:
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    special = ["<pad>", "<s>", "</s>", *(ROLES if chat else [])]
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(
        vocab_size=size, special_tokens=special, initial_alphabet=alphabet, show_progress=False
    )
    tokenizer.train_from_iterator(texts, trainer)
    found = PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, pad_token="<pad>", bos_token="<s>", eos_token="</s>",
        clean_up_tokenization_spaces=False,
    )  # fmt: skip
    if chat:
        found.chat_template = CHAT
    return found


def encoded(tokenizer: Any, record: Any, side: str, length: int) -> Encoded:
    """Prompt and one answer, cut to `length` tokens; all but the first token is learnt, the prompt too."""
    text = plain(record.prompt)
    content = ({"role": "user", "content": text},) if tokenizer.chat_template else text
    prompt = encode_prompt(tokenizer, Prompt(id="", content=content))
    ids = prompt + encode_answer(tokenizer, Answer(value=plain(getattr(record, side))))
    return Encoded(ids[:1], ids[1:length])


def fit(module: Any, draw: Callable[[Random], Encoded], *, minutes: float, batch: int) -> None:
    """AdamW on random batches until the time is up; the learning rate falls to a twentieth."""
    optimizer = torch.optim.AdamW(module.parameters(), lr=2e-3, weight_decay=0.01)
    rng, started, step, losses = Random(0), time.monotonic(), 0, []
    while (passed := (time.monotonic() - started) / (60 * minutes)) < 1:
        for group in optimizer.param_groups:
            group["lr"] = 2e-3 * min(1, (step + 1) / 50) * max(0.05, 1 - passed)
        logps, mask = answer_logps(module, [draw(rng) for _ in range(batch)], pad=0)
        loss = -logps.sum() / mask.sum()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(module.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad()
        losses.append(float(loss.detach()))
        step += 1
        if step % 100 == 0:
            sys.stdout.write(f"step {step}, {sum(losses[-100:]) / 100:.3f} nats per token\n")
            sys.stdout.flush()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("file", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--architecture", choices=sorted(CONFIGS), default="llama")
    parser.add_argument("--minutes", type=float, default=3)
    parser.add_argument("--chat", action="store_true", help="with a chat template")
    parser.add_argument("--vocabulary", type=int, default=2000)
    parser.add_argument("--length", type=int, default=256, help="tokens of a training row")
    parser.add_argument("--batch", type=int, default=8, help="rows of a step")
    args = parser.parse_args()
    torch.set_num_threads(1)
    torch.manual_seed(0)
    records = load(args.file, on_bad_row="skip").records
    texts = [plain(text) for record in records for text in (record.prompt, record.chosen, record.rejected)]
    tokenizer = train_tokenizer(texts[:20_000], args.vocabulary, chat=args.chat)
    module = AutoModelForCausalLM.from_config(CONFIGS[args.architecture](len(tokenizer)))
    sizes = f"{sum(weight.numel() for weight in module.parameters()):,} parameters, {len(records):,} records"
    sys.stdout.write(f"{args.architecture}: {sizes}\n")

    def draw(rng: Random) -> Encoded:
        return encoded(tokenizer, rng.choice(records), rng.choice(("chosen", "rejected")), args.length)

    fit(module.train(), draw, minutes=args.minutes, batch=args.batch)
    save_causal(module.eval(), tokenizer, args.out)


if __name__ == "__main__":
    main()
