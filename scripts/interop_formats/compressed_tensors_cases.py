"""compressed-tensors: transformers loads the folder and the package decompresses it; the package compresses the model itself."""
import json
import torch
from compressed_tensors.compressors import BaseCompressor, ModelCompressor
from compressed_tensors.quantization import QuantizationConfig, QuantizationStatus, apply_quantization_config
from compressed_tensors.quantization.utils import calculate_qparams
from making import Failure, bring_tokenizer
from safetensors.torch import load_file
from transformers import AutoConfig, AutoModelForCausalLM, CompressedTensorsConfig

HALVES = (torch.float16, torch.bfloat16)


def load(folder):
    """The package's compressors decode a plain model's modules in single precision, whatever transformers makes of the folder."""
    settings = AutoConfig.from_pretrained(str(folder))
    config = QuantizationConfig.model_validate(json.loads((folder / "config.json").read_text())["quantization_config"])
    del settings.quantization_config
    model = AutoModelForCausalLM.from_config(settings, dtype=torch.float32)
    tensors = {}
    for file in sorted(folder.glob("*.safetensors")):
        tensors |= {name: value.float() if value.dtype in HALVES else value for name, value in load_file(file).items()}
    apply_quantization_config(model, config)
    plain = {}
    for name, module in model.named_modules():
        scheme = getattr(module, "quantization_scheme", None)
        if scheme is None or scheme.weights is None:
            continue
        arrays = {key.rpartition(".")[2]: tensors.pop(key) for key in list(tensors) if key.rpartition(".")[0] == name}
        kind = scheme.format or config.format
        compressor = BaseCompressor.get_value_from_registry(getattr(kind, "value", kind))
        plain[f"{name}.weight"] = compressor.decompress(arrays, scheme)["weight"].float()
    fresh = AutoModelForCausalLM.from_config(settings, dtype=torch.float32)
    missing, unexpected = fresh.load_state_dict(tensors | plain, strict=False)
    tied = {"lm_head.weight"} if settings.tie_word_embeddings else set()
    if set(missing) - tied or unexpected:
        raise Failure(f"the package leaves {sorted(set(missing) - tied)} open and {unexpected} over")
    return fresh.eval()


def read(folder):
    return {f"{name}.weight": module.weight.detach().float().numpy()
            for name, module in load(folder).named_modules()
            if isinstance(module, torch.nn.Linear) and "lm_head" not in name}


def logits(model, ids):
    with torch.no_grad():
        return model(torch.tensor([ids]), use_cache=False).logits[0].float()


def run(folder, ids):
    """By the package's decoder in single precision; as transformers decodes it while it loads; and when it first runs."""
    kind = str(AutoConfig.from_pretrained(str(folder)).dtype).removeprefix("torch.")
    yield "float32", lambda: logits(load(folder), ids), {}
    known = {"quantization_config": CompressedTensorsConfig(dequantize=True)}
    yield "transformers, dequantize", lambda: logits(
        AutoModelForCausalLM.from_pretrained(str(folder), **known).eval(), ids), {"like": kind}
    yield "transformers", lambda: logits(AutoModelForCausalLM.from_pretrained(str(folder)).eval(), ids), {"like": kind}


def quantize(module, args):
    """Scales and zero points by the package's own rule for the extremes of each group."""
    values = module.weight.detach()
    if args.strategy == "tensor":
        scale, zero = calculate_qparams(values.amin(), values.amax(), args)
    else:
        groups = values.reshape(len(values), -1, args.group_size or values.shape[1])
        scale, zero = calculate_qparams(groups.amin(-1), groups.amax(-1), args)
    module.weight_scale.data = scale.to(module.weight_scale.dtype).reshape(module.weight_scale.shape)
    if hasattr(module, "weight_zero_point"):
        module.weight_zero_point.data = zero.to(module.weight_zero_point.dtype).reshape(module.weight_zero_point.shape)
    module.quantization_status = QuantizationStatus.FROZEN


def compressed(*groups, dtype=torch.float16, storage=None):
    """Each group has targets and settings of weights; `storage` is a format that the package would not choose by itself."""

    def write(model, output, binary):
        loaded = AutoModelForCausalLM.from_pretrained(str(model), dtype=dtype)
        config = QuantizationConfig(
            config_groups={f"group_{i}": {"targets": targets, "weights": weights} for i, (targets, weights) in enumerate(groups)},
            ignore=["lm_head"], quantization_status=QuantizationStatus.FROZEN)
        apply_quantization_config(loaded, config)
        for module in loaded.modules():
            scheme = getattr(module, "quantization_scheme", None)
            if scheme is not None and scheme.weights is not None:
                quantize(module, scheme.weights)
        compressor = ModelCompressor.from_pretrained_model(loaded, storage)
        compressor.compress_model(loaded)
        loaded.save_pretrained(str(output))
        compressor.update_config(str(output))
        bring_tokenizer(model, output)

    return write


def all_layers(bits, symmetric, strategy, group=None, kind="int", **settings):
    weights = {"num_bits": bits, "type": kind, "symmetric": symmetric, "strategy": strategy}
    return compressed((["Linear"], weights | ({"group_size": group} if group else {})), **settings)


WRITERS = {
    "int4 groups": all_layers(4, True, "group", 64),
    "int4 groups of 128, bfloat16": all_layers(4, True, "group", 128, dtype=torch.bfloat16),
    "int4 groups, asymmetric": all_layers(4, False, "group", 64),
    "int4 channels": all_layers(4, True, "channel"),
    "int4 channels, asymmetric": all_layers(4, False, "channel"),
    "int2 groups": all_layers(2, True, "group", 32),
    "int3 groups, asymmetric": all_layers(3, False, "group", 64),
    "int8 groups": all_layers(8, True, "group", 128),
    "int8 channels": all_layers(8, True, "channel"),
    "int8 channels, asymmetric": all_layers(8, False, "channel"),
    "int8 tensor": all_layers(8, True, "tensor"),
    "int8 channels, int-quantized": all_layers(8, True, "channel", storage="int-quantized"),
    "int8 channels, asymmetric, int-quantized": all_layers(8, False, "channel", storage="int-quantized"),
    "int4 groups, naive-quantized": all_layers(4, True, "group", 64, storage="naive-quantized"),
    "float8 channels": all_layers(8, True, "channel", kind="float"),
    "float8 tensor": all_layers(8, True, "tensor", kind="float"),
    "int4 and int8": compressed(
        (["re:.*self_attn.*"], {"num_bits": 4, "type": "int", "symmetric": True, "strategy": "group", "group_size": 64}),
        (["re:.*mlp.*"], {"num_bits": 8, "type": "int", "symmetric": True, "strategy": "channel"})),
}
