#!/usr/bin/env python3
"""A Llama with random weights as a Hugging Face folder, for timing: speed and memory do not depend on what weights are.

    make_random_model.py FOLDER [--hidden 2048] [--blocks 22] [--heads 32] [--key-value-heads 4] [--feed-forward 5632]
                         [--vocabulary 32000] [--seed 1]

The shape is TinyLlama's (1.1 billion weights) unless told otherwise. The same arguments give the same bytes everywhere: weights come
from the raw words of a PCG64 generator, each tensor from its own. They are written as they are made, a few megabytes at a time. The
tokenizer is byte-level BPE whose merges are pairs and triples of printable characters: it takes any text, and knows no language.
"""
import argparse, json, os, pathlib
import numpy as np

CHUNK = 1 << 20  # weights that are made at once


def tensors(o):
    """Names and shapes, in the order of the file."""
    head = o.hidden // o.heads
    kv = o.key_value_heads * head
    yield "model.embed_tokens.weight", (o.vocabulary, o.hidden)
    for block in range(o.blocks):
        for name, shape in [
            ("input_layernorm", (o.hidden,)), ("self_attn.q_proj", (o.hidden, o.hidden)), ("self_attn.k_proj", (kv, o.hidden)),
            ("self_attn.v_proj", (kv, o.hidden)), ("self_attn.o_proj", (o.hidden, o.hidden)),
            ("post_attention_layernorm", (o.hidden,)), ("mlp.gate_proj", (o.feed_forward, o.hidden)),
            ("mlp.up_proj", (o.feed_forward, o.hidden)), ("mlp.down_proj", (o.hidden, o.feed_forward)),
        ]:
            yield f"model.layers.{block}.{name}.weight", shape
    yield "model.norm.weight", (o.hidden,)
    yield "lm_head.weight", (o.vocabulary, o.hidden)


def bfloat16(values):
    bits = values.astype(np.float32).view(np.uint32)
    return ((bits + np.uint32(0x7FFF) + (bits >> np.uint32(16) & np.uint32(1))) >> np.uint32(16)).astype("<u2")


def weights(count, generator):
    """Bell-shaped numbers of standard deviation 0.02: sums of four uniform ones, the quarters of a word."""
    quarters = generator.random_raw(count).astype("<u8").view("<u2").reshape(count, 4)
    sums = sum(quarters[:, i].astype(np.int32) for i in range(4)) - 131072
    return bfloat16(sums.astype(np.float32) * np.float32(0.02 * 3 ** 0.5 / 65536))


def write_weights(path, o):
    header, offset, shapes = {"__metadata__": {"format": "pt"}}, 0, list(tensors(o))
    for name, shape in shapes:
        end = offset + 2 * int(np.prod(shape))
        header[name] = {"dtype": "BF16", "shape": list(shape), "data_offsets": [offset, end]}
        offset = end
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    partial = path.with_suffix(".part")
    with open(partial, "wb") as file:
        file.write(len(text).to_bytes(8, "little") + text)
        for index, (name, shape) in enumerate(shapes):
            count, generator = int(np.prod(shape)), np.random.PCG64(np.random.SeedSequence([o.seed, index]))
            for first in range(0, count, CHUNK):
                part = min(CHUNK, count - first)
                values = bfloat16(np.ones(part)) if len(shape) == 1 else weights(part, generator)
                file.write(values.tobytes())
    os.replace(partial, path)
    return offset // 2


def byte_names():
    """GPT-2's printable name of each byte."""
    plain = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    others = [byte for byte in range(256) if byte not in plain]
    return {byte: chr(byte) for byte in plain} | {byte: chr(256 + i) for i, byte in enumerate(others)}


def tokenizer(count):
    names = byte_names()
    vocabulary, merges = [names[byte] for byte in range(256)], []
    printable = [names[byte] for byte in [*range(0x61, 0x7B), 0x20, *range(0x41, 0x5B), *range(0x30, 0x3A), 0x2C, 0x2E, 0x27]]
    pairs = [(a, b) for a in printable for b in printable if b != names[0x20]]
    for left, right in pairs + [(a + b, c) for a, b in pairs for c in printable[:26]]:
        if len(vocabulary) == count - 1:
            break
        vocabulary.append(left + right)
        merges.append([left, right])
    if len(vocabulary) != count - 1:
        raise SystemExit(f"a vocabulary of {count} tokens cannot be made: between 257 and {len(vocabulary) + 1}")
    level = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": True}
    return {
        "version": "1.0", "truncation": None, "padding": None,
        "added_tokens": [{"id": count - 1, "content": "<|endoftext|>", "single_word": False, "lstrip": False, "rstrip": False,
                          "normalized": False, "special": True}],
        "normalizer": None, "pre_tokenizer": level, "post_processor": None, "decoder": level,
        "model": {"type": "BPE", "dropout": None, "unk_token": None, "continuing_subword_prefix": None, "end_of_word_suffix": None,
                  "fuse_unk": False, "byte_fallback": False, "ignore_merges": False,
                  "vocab": {token: index for index, token in enumerate(vocabulary)}, "merges": merges}}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=pathlib.Path)
    for name, default in [("hidden", 2048), ("blocks", 22), ("heads", 32), ("key-value-heads", 4), ("feed-forward", 5632),
                          ("vocabulary", 32000), ("context", 2048), ("seed", 1)]:
        parser.add_argument(f"--{name}", type=int, default=default)
    o = parser.parse_args()
    if o.hidden % o.heads or o.heads % o.key_value_heads:
        parser.error("heads must divide the hidden features, and key-value heads the heads")
    end = o.vocabulary - 1
    files = {
        "config.json": {
            "architectures": ["LlamaForCausalLM"], "model_type": "llama", "hidden_size": o.hidden, "num_hidden_layers": o.blocks,
            "num_attention_heads": o.heads, "num_key_value_heads": o.key_value_heads, "intermediate_size": o.feed_forward,
            "vocab_size": o.vocabulary, "max_position_embeddings": o.context, "rms_norm_eps": 1e-5, "rope_theta": 10000.0,
            "hidden_act": "silu", "tie_word_embeddings": False, "attention_bias": False, "bos_token_id": end, "eos_token_id": end,
            "torch_dtype": "bfloat16"},
        "tokenizer.json": tokenizer(o.vocabulary),
        "tokenizer_config.json": {"tokenizer_class": "PreTrainedTokenizerFast", "bos_token": "<|endoftext|>",
                                  "eos_token": "<|endoftext|>"},
    }
    o.folder.mkdir(parents=True, exist_ok=True)
    for name, value in files.items():
        (o.folder / name).write_text(json.dumps(value, ensure_ascii=False, indent=None if name == "tokenizer.json" else 2) + "\n")
    print(f"{o.folder}: {write_weights(o.folder / 'model.safetensors', o):,} weights")


main()
