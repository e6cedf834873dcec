"""bitsandbytes: transformers loads the folder into its layers for 4 and 8 bits, and quantizes the model itself."""
import bitsandbytes as bnb
import torch
from bitsandbytes import functional
from transformers import AutoModelForCausalLM, BitsAndBytesConfig


def read(folder):
    model = AutoModelForCausalLM.from_pretrained(str(folder), device_map="cpu")
    weights = {}
    for name, module in model.named_modules():
        if isinstance(module, bnb.nn.Linear4bit):
            value = functional.dequantize_4bit(module.weight.data, module.weight.quant_state)
            weights[f"{name}.weight"] = value.float().numpy()
        elif isinstance(module, bnb.nn.Linear8bitLt):
            weight = module.weight
            scale = weight.SCB if weight.SCB is not None else module.state.SCB
            codes = weight.CB if weight.CB is not None else weight.data
            weights[f"{name}.weight"] = (codes.float() * (scale.float() / 127)[:, None]).numpy()
    return weights


def quantized(**settings):
    def write(model, output, binary):
        config = BitsAndBytesConfig(**settings)
        loaded = AutoModelForCausalLM.from_pretrained(str(model), quantization_config=config, device_map="cpu")
        loaded.save_pretrained(str(output))
        # Nibble's decoded copy brings the tokenizer's files along, as a user's folder has them.
        for file in ("tokenizer.json", "tokenizer_config.json"):
            (output / file).write_bytes((model / file).read_bytes())

    return write


FOUR_BIT = {"load_in_4bit": True, "bnb_4bit_compute_dtype": torch.float32}
WRITERS = {
    "nf4": quantized(bnb_4bit_quant_type="nf4", **FOUR_BIT),
    "nf4 double": quantized(bnb_4bit_quant_type="nf4", bnb_4bit_use_double_quant=True, **FOUR_BIT),
    "fp4": quantized(bnb_4bit_quant_type="fp4", **FOUR_BIT),
    "int8": quantized(load_in_8bit=True),
}
