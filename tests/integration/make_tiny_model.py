"""Make a chat model small enough for a test: a Llama of random weights with a tokenizer trained on the spot.

No network and no model hub: the tokenizer learns its merges from the sources of the standard library. About 4 M
parameters; it talks nonsense, but through the same server, sampler and grammar as any other model.

Usage: make_tiny_model.py FOLDER     (needs torch, transformers and tokenizers: run it in vLLM's venv)
"""

# pyright: basic, reportMissingImports=false
from __future__ import annotations

import sys
import sysconfig
from pathlib import Path

import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

VOCABULARY = 4096
CONTEXT = 8192
HIDDEN, LAYERS, HEADS, KEY_VALUE_HEADS = 256, 4, 4, 2
PAD, BEGIN, END_OF_TEXT, END = "<|pad|>", "<|bos|>", "<|eos|>", "<|end|>"
TURNS = ["<|system|>", "<|user|>", "<|assistant|>"]
TEMPLATE = (
    "{{ '<|bos|>' }}"
    "{%- for m in messages -%}{{ '<|' + m['role'] + '|>' + (m['content'] or '') + '<|end|>' }}{%- endfor -%}"
    "{%- if add_generation_prompt -%}{{ '<|assistant|>' }}{%- endif -%}"
)


def tokenizer() -> PreTrainedTokenizerFast:
    """A byte-level BPE with the special tokens of a chat."""
    sources = sorted(Path(sysconfig.get_paths()["stdlib"]).glob("*.py"))[:150]
    bpe = Tokenizer(models.BPE())
    bpe.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    bpe.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=VOCABULARY,
        special_tokens=[PAD, BEGIN, END_OF_TEXT, *TURNS, END],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    bpe.train([str(path) for path in sources], trainer)
    fast = PreTrainedTokenizerFast(
        tokenizer_object=bpe,
        bos_token=BEGIN,
        eos_token=END,
        pad_token=PAD,
        additional_special_tokens=TURNS,
        clean_up_tokenization_spaces=False,
        model_max_length=CONTEXT,
    )
    fast.chat_template = TEMPLATE
    return fast


def main(folder: str) -> None:
    """Write the tokenizer and the weights."""
    words = tokenizer()
    words.save_pretrained(folder)
    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=len(words),
        hidden_size=HIDDEN,
        intermediate_size=HIDDEN * 8 // 3 // 64 * 64,
        num_hidden_layers=LAYERS,
        num_attention_heads=HEADS,
        num_key_value_heads=KEY_VALUE_HEADS,
        head_dim=HIDDEN // HEADS,
        max_position_embeddings=CONTEXT,
        tie_word_embeddings=True,
        bos_token_id=words.convert_tokens_to_ids(BEGIN),
        eos_token_id=words.convert_tokens_to_ids(END),
        pad_token_id=words.convert_tokens_to_ids(PAD),
    )
    model = LlamaForCausalLM(config).to(torch.bfloat16)
    model.generation_config.temperature = None
    model.generation_config.top_p = None
    model.save_pretrained(folder)
    print(f"{sum(p.numel() for p in model.parameters()):,} parameters in {folder}")


if __name__ == "__main__":
    main(sys.argv[1])
