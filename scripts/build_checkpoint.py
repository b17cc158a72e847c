"""A small Llama trained as a language model on the answers of a preference file: a checkpoint like a user's own.

`python scripts/build_checkpoint.py FILE OUT --minutes 5`. About 1M parameters, byte-level BPE of 2,000 entries.
"""

import argparse
import time
from pathlib import Path
from random import Random

import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

from operant.data.load import load
from operant.data.records import plain
from operant.engine.logps import answer_logps
from operant.models.causal import save_causal
from operant.models.text import Encoded


def train_tokenizer(texts: list[str], size: int) -> PreTrainedTokenizerFast:
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    special = ["<pad>", "<s>", "</s>"]
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    tokenizer.train_from_iterator(
        texts, trainers.BpeTrainer(vocab_size=size, special_tokens=special, initial_alphabet=alphabet)
    )
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, pad_token="<pad>", bos_token="<s>", eos_token="</s>",
        clean_up_tokenization_spaces=False,
    )  # fmt: skip


def rows(tokenizer, records, length: int) -> list[Encoded]:
    """Prompt and answer of every record, both sides, cut to `length`; the prompt is learnt too."""
    made = []
    for record in records:
        prompt = tokenizer(plain(record.prompt) + "\n")["input_ids"]
        for side in (record.chosen, record.rejected):
            ids = prompt + tokenizer(plain(side))["input_ids"] + [tokenizer.eos_token_id]
            made.append(Encoded(tuple(ids[:1]), tuple(ids[1:length])))
    return [row for row in made if row.answer]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("file", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--minutes", type=float, default=5)
    args = parser.parse_args()
    torch.set_num_threads(1)
    torch.manual_seed(0)
    records = load(args.file, on_bad_row="skip").records
    texts = [plain(text) for record in records for text in (record.prompt, record.chosen, record.rejected)]
    tokenizer = train_tokenizer(texts[:20_000], 2000)
    config = LlamaConfig(
        vocab_size=len(tokenizer), hidden_size=128, num_hidden_layers=4, num_attention_heads=4, intermediate_size=344,
        max_position_embeddings=512, tie_word_embeddings=True, pad_token_id=0, bos_token_id=1, eos_token_id=2,
    )  # fmt: skip
    module = LlamaForCausalLM(config)
    print(f"{sum(weight.numel() for weight in module.parameters()):,} parameters, {len(records):,} records")
    items, rng = rows(tokenizer, records, 160), Random(0)
    optimizer = torch.optim.AdamW(module.parameters(), lr=2e-3, weight_decay=0.01)
    started, step, losses = time.monotonic(), 0, []
    while (passed := (time.monotonic() - started) / (60 * args.minutes)) < 1:
        for group in optimizer.param_groups:
            group["lr"] = 2e-3 * min(1, (step + 1) / 50) * max(0.05, 1 - passed)
        logps, mask = answer_logps(module, rng.sample(items, 16), pad=0)
        loss = -logps.sum() / mask.sum()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(module.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad()
        losses.append(float(loss.detach()))
        step += 1
        if step % 100 == 0:
            print(f"step {step}, {sum(losses[-100:]) / 100:.3f} nats per token", flush=True)
    save_causal(module.eval(), tokenizer, args.out)


if __name__ == "__main__":
    main()
