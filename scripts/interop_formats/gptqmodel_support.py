"""What the formats that GPTQModel reads and writes share."""
import os

# On machines of few processors the package would give itself fewer workers than it asks for.
os.environ.setdefault("GPTQMODEL_CPU_WORKERS", "2")

import torch
from gptqmodel import BACKEND, GPTQModel
from gptqmodel.nn_modules.qlinear import BaseQuantLinear

TEXTS = ["The quick brown fox jumps over the lazy dog. " * 12, "Numbers: 1 2 3 4 5 6 7 8 9 10, and so on. " * 12] * 4


def read(folder, backend):
    """What each layer makes of the columns of a unit matrix: its weights in half precision, whatever its kernel."""
    model = GPTQModel.load(str(folder), device="cpu", backend=backend, dtype=torch.float16)
    weights = {}
    for name, module in model.model.named_modules():
        if isinstance(module, BaseQuantLinear):
            unit = torch.eye(module.in_features, dtype=torch.float16)
            with torch.no_grad():
                value = module(unit).float()
            if getattr(module, "bias", None) is not None:
                value = value - module.bias.float()
            weights[name.removeprefix("model.model.") + ".weight"] = value.T.contiguous().numpy()
    return {name if name.startswith(("model.", "lm_head")) else f"model.{name}": value for name, value in weights.items()}


def quantized(config):
    def write(model, output, binary):
        loaded = GPTQModel.load(str(model), config(), device="cpu")
        loaded.quantize(TEXTS, batch_size=1)
        loaded.save(str(output))

    return write
