"""The small model, and calls of the binary."""
import json, pathlib, subprocess

ROOT = pathlib.Path(__file__).resolve().parents[2]


class Failure(Exception):
    """A case that went wrong, in words for the table."""


def nibble(binary, *arguments):
    """Runs the binary; a failure is its last line."""
    result = subprocess.run([binary, *map(str, arguments)], capture_output=True, text=True)
    if result.returncode != 0:
        lines = (result.stderr or result.stdout).strip().splitlines() or ["no message"]
        errors = [line for line in lines if line.lower().startswith("error")]
        raise Failure(f"nibble {arguments[0]}: exit {result.returncode}: {(errors or lines)[-1][:200]}")


def bring_tokenizer(model, output):
    """Copies the tokenizer's files, as a user's folder has them."""
    for file in ("tokenizer.json", "tokenizer_config.json"):
        (output / file).write_bytes((model / file).read_bytes())


def make_model(folder):
    """A Llama of two blocks with random weights and a real tokenizer."""
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM

    fixture = json.loads((ROOT / "Tests/Fixtures/tokenizers/smollm.json").read_text())["tokenizer"]
    entries = max([*fixture["model"]["vocab"].values(), *(t["id"] for t in fixture["added_tokens"])]) + 1
    torch.manual_seed(1)
    config = LlamaConfig(
        vocab_size=(entries + 63) // 64 * 64, hidden_size=256, intermediate_size=512, num_hidden_layers=2,
        num_attention_heads=4, num_key_value_heads=2, max_position_embeddings=256, tie_word_embeddings=False,
        bos_token_id=0, eos_token_id=0, dtype="float16")
    model = LlamaForCausalLM(config).half()
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.dim() == 2:
                parameter.mul_(3)
    model.save_pretrained(folder)
    (folder / "tokenizer.json").write_text(json.dumps(fixture))
    settings = {"tokenizer_class": "PreTrainedTokenizerFast", "bos_token": "<|endoftext|>", "eos_token": "<|endoftext|>",
                "unk_token": "<|endoftext|>", "model_max_length": 256}
    (folder / "tokenizer_config.json").write_text(json.dumps(settings))
