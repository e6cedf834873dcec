"""compressed-tensors: transformers loads the folder and the package decompresses it; the package compresses the model itself."""
import inspect
import torch
from compressed_tensors.compressors import ModelCompressor
from compressed_tensors.quantization import QuantizationConfig, QuantizationStatus, apply_quantization_config
from compressed_tensors.quantization.utils import calculate_qparams
from transformers import AutoModelForCausalLM, CompressedTensorsConfig


def read(folder):
    known = inspect.signature(CompressedTensorsConfig.__init__).parameters
    config = CompressedTensorsConfig(**({"dequantize": True} if "dequantize" in known else {"run_compressed": False}))
    model = AutoModelForCausalLM.from_pretrained(
        str(folder), quantization_config=config, dtype=torch.float32)
    return {f"{name}.weight": module.weight.detach().float().numpy()
            for name, module in model.named_modules()
            if isinstance(module, torch.nn.Linear) and "lm_head" not in name}


def compressed(**weights):
    def write(model, output, binary):
        loaded = AutoModelForCausalLM.from_pretrained(str(model), dtype=torch.float16)
        group = {"targets": ["Linear"], "weights": weights}
        config = QuantizationConfig(config_groups={"group_0": group}, ignore=["lm_head"],
                                    quantization_status=QuantizationStatus.FROZEN)
        apply_quantization_config(loaded, config)
        for module in loaded.modules():
            scheme = getattr(module, "quantization_scheme", None)
            if scheme is None or scheme.weights is None:
                continue
            values, size = module.weight.detach(), scheme.weights.group_size
            groups = values.reshape(len(values), -1, size) if size else values[:, None, :]
            scale, zero = calculate_qparams(groups.amin(-1), groups.amax(-1), scheme.weights)
            module.weight_scale.data = scale.to(module.weight_scale.dtype).reshape(module.weight_scale.shape)
            if hasattr(module, "weight_zero_point"):
                module.weight_zero_point.data = zero.to(module.weight_zero_point.dtype).reshape(
                    module.weight_zero_point.shape)
            module.quantization_status = QuantizationStatus.FROZEN
        compressor = ModelCompressor.from_pretrained_model(loaded)
        compressor.compress_model(loaded)
        loaded.save_pretrained(str(output))
        compressor.update_config(str(output))
        for file in ("tokenizer.json", "tokenizer_config.json"):
            (output / file).write_bytes((model / file).read_bytes())

    return write


WRITERS = {
    "int4 groups": compressed(num_bits=4, type="int", symmetric=True, strategy="group", group_size=64),
    "int4 asymmetric": compressed(num_bits=4, type="int", symmetric=False, strategy="group", group_size=64),
    "int8 channels": compressed(num_bits=8, type="int", symmetric=True, strategy="channel"),
}
