"""llm-compressor: its recipes write the folders, and the compressed-tensors that it is bound to reads Nibble's."""
import torch
from compressed_tensors_cases import logits, load, read, run  # noqa: F401
from llmcompressor import oneshot
from llmcompressor.modifiers.quantization import QuantizationModifier
from making import bring_tokenizer
from transformers import AutoModelForCausalLM


def recipe(scheme=None, **settings):
    """By rounding, without a text; a scheme's name or groups of its own."""

    def write(model, output, binary):
        loaded = AutoModelForCausalLM.from_pretrained(str(model), dtype=torch.float16)
        modifier = QuantizationModifier(targets="Linear", scheme=scheme, ignore=["lm_head"]) if scheme else QuantizationModifier(
            config_groups={"group_0": {"targets": ["Linear"], "weights": settings}}, ignore=["lm_head"])
        oneshot(model=loaded, recipe=modifier)
        loaded.save_pretrained(str(output), save_compressed=True)
        bring_tokenizer(model, output)

    return write


WRITERS = {
    "W4A16": recipe("W4A16"),
    "W4A16_ASYM": recipe("W4A16_ASYM"),
    "W8A16": recipe("W8A16"),
    "W8A8": recipe("W8A8"),
    "FP8_DYNAMIC": recipe("FP8_DYNAMIC"),
    "FP8_BLOCK": recipe("FP8_BLOCK"),
    "int4 groups of 32": recipe(num_bits=4, type="int", symmetric=True, strategy="group", group_size=32),
}
