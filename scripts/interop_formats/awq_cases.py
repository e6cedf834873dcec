"""AWQ: GPTQModel loads the folder into its PyTorch layers, transformers loads it through GPTQModel, and GPTQModel quantizes the
model itself."""
import gptqmodel_support as support
import torch
from gptqmodel import BACKEND, QuantizeConfig
from gptqmodel.quantization.awq.utils.packing_utils import dequantize_gemm

TORCH = BACKEND.AWQ_TORCH if hasattr(BACKEND, "AWQ_TORCH") else BACKEND.TORCH_AWQ


def read(folder):
    return {f"{name}.weight": decoded(module).numpy() for name, module in support.layers(support.load(folder, TORCH))}


def decoded(module):
    """By the decoder that its layers call, which multiplies in half precision."""
    return dequantize_gemm(
        module.qweight, module.qzeros, module.scales, module.bits, module.group_size).float().T.contiguous()


def run(folder, ids):
    """In half precision, which its layers insist on; then their decoded weights in single precision; then as transformers loads
    it."""
    model = support.load(folder, TORCH)
    yield "float16", lambda: support.logits(model, ids), {}
    yield "decoded, float32", lambda: support.logits(plain(model), ids), {"weights": torch.float16}
    yield "transformers float16", lambda: support.logits(support.load_by_transformers(folder), ids), {"like": "float16"}


def plain(model):
    """Its layers' decoded weights in ordinary ones."""
    for name, module in support.layers(model):
        layer = torch.nn.Linear(module.in_features, module.out_features, bias=False)
        layer.weight.data = decoded(module)
        model.set_submodule(name, layer)
    return model.float()


def config(**settings):
    return support.quantized(
        lambda: QuantizeConfig(**{"bits": 4, "group_size": 64, "quant_method": "awq", "format": "gemm", "sym": False} | settings))


WRITERS = {
    "gemm": config(),
    "groups of 128": config(group_size=128),
    "groups of 32": config(group_size=32),
    "group -1": config(group_size=-1),
    "symmetric": config(sym=True),
}
