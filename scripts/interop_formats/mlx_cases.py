"""MLX: mlx-lm loads the folder into its own layers, and converts the model itself."""
import pathlib
import mlx.core as mx
import mlx.nn as nn
import numpy as np
from mlx_lm import convert
from mlx_lm.utils import load_model


def read(folder):
    """By mx.dequantize, in single precision."""
    model, _ = load_model(pathlib.Path(folder))
    weights = {}
    for name, module in model.named_modules():
        if not isinstance(module, (nn.QuantizedLinear, nn.QuantizedEmbedding)):
            continue
        settings = {"group_size": module.group_size, "bits": module.bits, "mode": module.mode}
        if module.mode == "affine":
            arrays = [module.scales.astype(mx.float32), module.biases.astype(mx.float32)]
        else:
            arrays = [module.scales]
        value = mx.dequantize(module.weight, *arrays, **settings).astype(mx.float32)
        weights[f"{name}.weight"] = np.array(value)
    return weights


def converted(**settings):
    return lambda model, output, binary: convert(str(model), str(output), quantize=True, **settings)


def mixed(path, module):
    """More bits for some layers, and none for one, so that the configuration has entries for modules."""
    if "o_proj" in path:
        return False
    return {"group_size": 32, "bits": 6} if "down_proj" in path else hasattr(module, "to_quantized")


WRITERS = {
    "4 bits": converted(q_bits=4, q_group_size=64),
    "3 bits": converted(q_bits=3, q_group_size=32, dtype="bfloat16"),
    "8 bits": converted(q_bits=8, q_group_size=128, dtype="float32"),
    "mixed bits": converted(q_bits=4, q_group_size=64, quant_predicate=mixed),
    "mxfp4": converted(q_bits=4, q_group_size=32, q_mode="mxfp4"),
}
