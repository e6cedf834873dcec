"""What scripts/interop runs: for each format its packages, what Nibble writes in it, and what is known not to work."""

class Format:
    """
    environment  the virtual environment of its packages, installed from requirements-ENVIRONMENT.txt
    modules      what must be importable there
    packages     whose versions the page shows
    written      what Nibble writes of the small model: "scheme", "variety:scheme", each with options after a blank
    reference    the same for the reference model, whose rows of 576 are no multiple of 128
    """

    def __init__(self, environment, modules, packages, written, reference):
        self.environment, self.modules, self.packages = environment, modules, packages
        self.written, self.reference = written, reference


ORDERED = " --method gptq --calibration TEXT --calibration-context 128 --effort fast"
FORMATS = {
    "gptq": Format(
        "gptqmodel", ["gptqmodel", "optimum"], ["gptqmodel", "optimum", "transformers", "torch"],
        ["int4-g128-sym", "int4-g64-sym", "int4-row-sym", "int4-g128-sym-bf16", "int3-g64-sym", "int2-g32-sym", "int8-g64-sym",
         "int8-row-sym", "int4-g64-sym-act" + ORDERED, "int4-g64-sym --override down_proj=int8-g64-sym", "int4-g64-asym",
         "gptq_v2:int4-g64-sym", "gptq_v2:int4-g64-asym", "gptq_v2:int4-row-asym", "gptq_v2:int3-g64-asym",
         "gptq_v2:int2-g32-asym", "gptq_v2:int8-g128-asym", "gptq_v2:int4-g64-asym-act" + ORDERED],
        ["int4-g64-sym", "gptq_v2:int3-g32-asym"]),
    "awq": Format(
        "gptqmodel", ["gptqmodel"], ["gptqmodel", "transformers", "torch"],
        ["int4-g128-asym", "int4-g64-asym", "int4-g32-asym", "int4-row-asym", "int4-g128-sym"],
        ["int4-g64-asym"]),
    "bitsandbytes": Format(
        "readers", ["bitsandbytes", "accelerate"], ["bitsandbytes", "transformers", "torch"],
        ["nf4-g64", "nf4-g64-dq", "fp4-g64", "fp4-g64-dq", "nf4-g128", "int8-row-sym-f32"],
        ["nf4-g64", "nf4-g64-dq", "fp4-g64", "int8-row-sym-f32"]),
    "compressed-tensors": Format(
        "readers", ["compressed_tensors"], ["compressed-tensors", "transformers", "torch"],
        ["int4-g128-sym", "int4-g64-asym", "int4-row-sym", "int3-g64-sym", "int2-g32-asym", "int8-g128-sym", "int8-row-sym",
         "int8-row-asym", "int8-tensor-sym", "e4m3-row", "int4-g64-sym --override down_proj=int8-row-sym",
         "int4-g64-sym-act" + ORDERED],
        ["int4-g64-sym", "int4-g64-asym", "int8-row-sym"]),
    "llm-compressor": Format(
        "llmcompressor", ["llmcompressor", "compressed_tensors"], ["llmcompressor", "compressed-tensors", "transformers", "torch"],
        ["compressed-tensors:int4-g128-sym", "compressed-tensors:int4-g64-asym", "compressed-tensors:int8-row-sym",
         "compressed-tensors:e4m3-row"],
        []),
    "mlx": Format(
        "readers", ["mlx", "mlx_lm"], ["mlx", "mlx-lm"],
        ["int4-g64-min", "int8-g32-min", "int3-g64-min-bf16", "int6-g128-min-f32", "int2-g64-min", "int5-g32-min", "mxfp4",
         "int4-g64-min --embedding-type int6-g64-min --output-type int8-g64-min"],
        # MLX takes many minutes for mxfp4 on processors.
        ["int4-g64-min", "int8-g64-min"]),
    "gguf": Format(
        "readers", ["gguf", "llama_cpp"], ["llama-cpp-python", "gguf"],
        ["f32", "f16", "bf16", "q4_0", "q4_1", "q5_0", "q5_1", "q8_0", "q2_k", "q3_k_m", "q4_k_m", "q5_k_m", "q6_k", "iq4_nl",
         "iq4_xs", "mxfp4"],
        ["q4_0", "q4_1", "q8_0", "q4_k_m"]),
}

# Format, direction, case, and the step where only one of the readers fails: words of the message that it ends with, and why it is
# so. It is tried like any other; that it works, or ends with another message, is an error, so that the list stays true.
INT4PACK = (
    "qGroupSize", "transformers takes GPTQModel's kernel on PyTorch's int4pack here, which wants groups of 32 to 256")
DYNAMIC = (
    "ignore_mismatched_sizes", "transformers and optimum do not follow `dynamic`: all layers get the folder's own bits and groups")
ZERO_POINTS = (
    "ignore_mismatched_sizes",
    "transformers expects packed zero points unpacked when it decodes late, in the package's own folders too")
INPUTS = ("differ by", "the recipe rounds the layers' inputs as well; Nibble reads the weights, notes this and leaves inputs as they are")
FIRST_SCHEME = "transformers decodes all modules by the first group's scheme (integrations/compressed_tensors.py)"
ORDER = ("actorder", "compressed-tensors 0.20 no longer takes an order of columns")
OVERRIDE = "int4-g64-sym --override down_proj="
EXCEPTIONS = {
    ("gguf", "nibble reads", "q2_k_s"): ("did not quantize", "llama.cpp writes it only with an importance matrix"),
    ("gptq", "nibble writes", "int4-g64-asym"): (
        "only supported if produced by gptqmodel", "GPTQModel takes asymmetric weights of version 1 from itself alone; write gptq_v2"),
    ("awq", "nibble writes", "int4-g128-sym"): (
        "tell of zero points", "Nibble refuses it: the folder would read back as asymmetric; write int4-g128-asym"),
    ("awq", "nibble writes", "int4-row-asym", "transformers float16"): INT4PACK,
    ("awq", "nibble reads", "group -1", "transformers float16"): INT4PACK,
    ("gptq", "nibble writes", "int4-row-sym", "transformers float16"): INT4PACK,
    ("gptq", "nibble writes", "gptq_v2:int4-row-asym", "transformers float16"): INT4PACK,
    ("gptq", "nibble reads", "group -1", "transformers float16"): INT4PACK,
    ("gptq", "nibble reads", "desc_act, group -1", "transformers float16"): INT4PACK,
    ("gptq", "nibble writes", OVERRIDE + "int8-g64-sym", "transformers float16"): DYNAMIC,
    ("gptq", "nibble reads", "some 8 bits, some plain", "transformers float16"): DYNAMIC,
    ("gptq", "nibble reads", "lm_head too", "transformers float16"): (
        "differ by", "transformers and optimum do not follow `lm_head`: the output layer gets random weights"),
    ("compressed-tensors", "nibble writes", OVERRIDE + "int8-row-sym", "transformers, dequantize"): ("CONVERSION", FIRST_SCHEME),
    ("compressed-tensors", "nibble reads", "int4 and int8", "transformers, dequantize"): ("differ by", FIRST_SCHEME),
    ("compressed-tensors", "nibble writes", "int4-g64-sym-act" + ORDERED): ORDER,
} | {
    ("compressed-tensors", "nibble writes", what, "transformers"): ZERO_POINTS
    for what in ("int4-g64-asym", "int2-g32-asym", "int8-row-asym")
} | {
    ("compressed-tensors", "nibble reads", what, "transformers"): ZERO_POINTS
    for what in ("int4 groups, asymmetric", "int4 channels, asymmetric", "int3 groups, asymmetric", "int8 channels, asymmetric")
} | {
    ("llm-compressor", "nibble reads", what, step): INPUTS
    for what in ("W8A8", "FP8_DYNAMIC", "FP8_BLOCK") for step in ("transformers, dequantize", "transformers")
}
