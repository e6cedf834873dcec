"""What the formats that GPTQModel reads and writes share."""
import os

# On machines of few processors the package would give itself fewer workers than it asks for.
os.environ.setdefault("GPTQMODEL_CPU_WORKERS", "2")
# Its layers would compile their decoding with a C++ compiler.
os.environ.setdefault("TORCHDYNAMO_DISABLE", "1")

import torch
from gptqmodel import GPTQModel
from gptqmodel.nn_modules.qlinear import BaseQuantLinear
from transformers import AutoModelForCausalLM

TEXTS = ["The quick brown fox jumps over the lazy dog. " * 12, "Numbers: 1 2 3 4 5 6 7 8 9 10, and so on. " * 12] * 4


def load(folder, backend):
    return GPTQModel.load(str(folder), device="cpu", backend=backend, dtype=torch.float16).model.eval()


def load_by_transformers(folder):
    return AutoModelForCausalLM.from_pretrained(str(folder), dtype=torch.float16, device_map="cpu").eval()


def layers(model):
    return [(name, module) for name, module in model.named_modules() if isinstance(module, BaseQuantLinear)]


def products(module, dtype):
    """What a layer makes of the rows of a unit matrix: its weights, whatever its kernel."""
    with torch.no_grad():
        value = module(torch.eye(module.in_features, dtype=dtype)).float()
    if getattr(module, "bias", None) is not None:
        value = value - module.bias.float()
    return value.T.contiguous()


def logits(model, ids):
    with torch.no_grad():
        return model(torch.tensor([ids]), use_cache=False).logits[0].float()


def quantized(config):
    def write(model, output, binary):
        loaded = GPTQModel.load(str(model), config(), device="cpu")
        loaded.quantize(TEXTS, batch_size=1)
        loaded.save(str(output))

    return write
