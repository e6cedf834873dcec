"""bitsandbytes: transformers loads the folder into its layers for 4 and 8 bits, and quantizes the model itself."""
import bitsandbytes as bnb
import torch
from bitsandbytes import functional
from making import bring_tokenizer
from transformers import AutoModelForCausalLM, BitsAndBytesConfig


def load(folder, **settings):
    return AutoModelForCausalLM.from_pretrained(str(folder), device_map="cpu", **settings).eval()


def decoded(module):
    """A layer's weights, by the package's own decoder, or None."""
    if isinstance(module, bnb.nn.Linear4bit):
        in_floats(module)
        return functional.dequantize_4bit(module.weight.data, module.weight.quant_state)
    if isinstance(module, bnb.nn.Linear8bitLt):
        weight = module.weight
        scale = weight.SCB if weight.SCB is not None else module.state.SCB
        codes = weight.CB if weight.CB is not None else weight.data
        return codes.float() * (scale.float() / 127)[:, None]
    return None


def in_floats(module):
    """Lets a layer of 4 bits decode and multiply in single precision, not in the types that the folder names."""
    module.weight.quant_state.dtype = torch.float32
    module.compute_dtype, module.compute_type_is_set = torch.float32, True


def read(folder):
    weights = {f"{name}.weight": decoded(module) for name, module in load(folder).named_modules()}
    return {name: weight.numpy() for name, weight in weights.items() if weight is not None}


def rounded(threshold):
    """LLM.int8(): inputs in half precision become integers, a scale a token, but for the columns that hold an outlier."""

    def change(x):
        halves = x.half().float()
        outliers = (halves.abs() >= threshold).any(-2, keepdim=True) & (threshold > 0)
        plain = halves.masked_fill(outliers, 0)
        step = plain.abs().amax(-1, keepdim=True) / 127
        return torch.where(outliers, x, torch.where(step == 0, plain, plain / step).round() * step)

    return change


def logits(model, ids):
    with torch.no_grad():
        return model(torch.tensor([ids]), use_cache=False).logits[0].float()


def run(folder, ids):
    """In single precision, and as it is loaded by itself. LLM.int8() always rounds its inputs; its decoded weights are run too."""
    model = load(folder, dtype=torch.float32)
    # transformers leaves the rest of some models in its own type, whatever it is asked for. Packed codes may be floats by name.
    for module in model.modules():
        for parameter in module.parameters(recurse=False):
            if parameter.is_floating_point() and not isinstance(module, bnb.nn.Linear4bit):
                parameter.data = parameter.data.float()
    eight = {name: module for name, module in model.named_modules() if isinstance(module, bnb.nn.Linear8bitLt)}
    if eight:
        changes = {name: rounded(module.state.threshold) for name, module in eight.items()}
        yield "8-bit inputs", lambda: logits(model, ids), {"rounding": changes.get}
        yield "decoded, float32", lambda: logits(plain(model, eight), ids), {"like": "float32"}
        return
    for module in model.modules():
        if isinstance(module, bnb.nn.Linear4bit):
            in_floats(module)
    yield "float32", lambda: logits(model, ids), {}
    loaded = load(folder)
    kinds = {loaded.dtype} | {module.compute_dtype for module in loaded.modules() if isinstance(module, bnb.nn.Linear4bit)}
    kind = next((kind for kind in ("bfloat16", "float16") if getattr(torch, kind) in kinds), None)
    if kind:
        yield kind, lambda: logits(loaded, ids), {}


def plain(model, layers):
    """Decoded weights in ordinary layers."""
    for name, module in layers.items():
        layer = torch.nn.Linear(module.in_features, module.out_features, bias=False)
        layer.weight.data = decoded(module).clone()
        model.set_submodule(name, layer)
    return model


def quantized(dtype="auto", **settings):
    def write(model, output, binary):
        loaded = load(model, quantization_config=BitsAndBytesConfig(**settings), dtype=dtype)
        loaded.save_pretrained(str(output))
        bring_tokenizer(model, output)

    return write


def four_bits(kind, nested, **settings):
    return quantized(load_in_4bit=True, bnb_4bit_quant_type=kind, bnb_4bit_use_double_quant=nested, **settings)


WRITERS = {
    "4 bits, defaults": quantized(load_in_4bit=True),
    "nf4": four_bits("nf4", False),
    "nf4 double": four_bits("nf4", True),
    "fp4": four_bits("fp4", False),
    "fp4 double": four_bits("fp4", True),
    "nf4 double, bfloat16": four_bits("nf4", True, dtype=torch.bfloat16, bnb_4bit_compute_dtype=torch.bfloat16),
    "nf4, float32": four_bits("nf4", False, dtype=torch.float32, bnb_4bit_compute_dtype=torch.float32),
    "nf4 stored as bfloat16": four_bits(
        "nf4", False, bnb_4bit_compute_dtype=torch.bfloat16, bnb_4bit_quant_storage=torch.bfloat16),
    "nf4, some plain": four_bits("nf4", False, llm_int8_skip_modules=["lm_head", "down_proj"]),
    "int8": quantized(load_in_8bit=True),
    "int8, some plain": quantized(load_in_8bit=True, llm_int8_skip_modules=["lm_head", "o_proj"]),
    "int8, threshold 0": quantized(load_in_8bit=True, llm_int8_threshold=0.0),
    "int8, bfloat16": quantized(load_in_8bit=True, dtype=torch.bfloat16),
}
