"""AWQ: GPTQModel loads the folder into its PyTorch layers, and quantizes the model itself."""
from gptqmodel import BACKEND, QuantizeConfig
import gptqmodel_support as support


def read(folder):
    return support.read(folder, BACKEND.AWQ_TORCH if hasattr(BACKEND, "AWQ_TORCH") else BACKEND.TORCH_AWQ)


WRITERS = {
    "gemm": support.quantized(
        lambda: QuantizeConfig(bits=4, group_size=64, quant_method="awq", format="gemm", sym=False)),
}
