#!/usr/bin/env python3
"""Holds what Nibble writes against the packages that read it, and reads what they write. scripts/interop runs this.

    scripts/interop.py --nibble .build/release/nibble --folder .build-interop/work [FORMAT...]

A small Llama is made. For each scheme Nibble writes it in the format, the format's own package loads that and decodes its
weights, and these are compared with those that Nibble decodes (`nibble convert --format safetensors --type f32`). Then the package
quantizes the model itself, and Nibble's decoded weights are compared with the package's. GGUF files are also run.

A line a case: the largest difference relative to the largest magnitude of its matrix, which may be 1e-3. Exits 1 if a case fails.
Each format runs in a process of its own, because packages change each other's classes.
"""
import argparse, importlib.util, json, pathlib, shutil, subprocess, sys, traceback

ROOT = pathlib.Path(__file__).resolve().parents[1]
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent / "interop_formats"))
TOLERANCE = 1e-3

# Modules that a format's readers need, and the schemes that Nibble writes in it, or in a variety of it: GPTQModel takes
# asymmetric weights of version 1 from itself alone.
FORMATS = {
    "gptq": (["gptqmodel"], ["int4-g64-sym", "gptq_v2:int4-g64-asym", "gptq_v2:int3-g64-asym", "int2-g32-sym", "int8-g64-sym",
                           "int4-row-sym"]),
    "awq": (["gptqmodel"], ["int4-g64-asym"]),
    "bitsandbytes": (["bitsandbytes", "accelerate"], ["nf4-g64", "nf4-g64-dq", "fp4-g64", "int8-row-sym-f32"]),
    "compressed-tensors": (["compressed_tensors"], ["int4-g64-sym", "int8-row-sym"]),
    "mlx": (["mlx", "mlx_lm"], ["int4-g64-min", "int8-g32-min", "int3-g64-min-bf16", "int6-g128-min-f32", "mxfp4"]),
    "gguf": (["gguf", "llama_cpp"], ["q4_0", "q8_0", "q4_k_m", "q6_k"]),
}


class Failure(Exception):
    """A case that went wrong, in words for the table."""


def nibble(binary, *arguments):
    """Runs the binary; a failure is its last line."""
    result = subprocess.run([binary, *map(str, arguments)], capture_output=True, text=True)
    if result.returncode != 0:
        lines = (result.stderr or result.stdout).strip().splitlines() or ["no message"]
        errors = [line for line in lines if line.lower().startswith("error")]
        raise Failure(f"nibble {arguments[0]}: exit {result.returncode}: {(errors or lines)[-1][:120]}")


def decoded(binary, model, folder):
    """The weights that Nibble reads in `model`, as floats by name."""
    from safetensors import safe_open

    shutil.rmtree(folder, ignore_errors=True)
    nibble(binary, "convert", model, "-o", folder, "--format", "safetensors", "--type", "f32", "--quiet")
    weights = {}
    for file in sorted(folder.glob("*.safetensors")):
        with safe_open(file, "pt") as tensors:
            for name in tensors.keys():
                weights[name] = tensors.get_tensor(name).float().numpy()
    return weights


def compare(ours, theirs):
    """The largest difference of a matrix relative to its largest magnitude, and how many matrices were compared."""
    import numpy as np

    if not theirs:
        raise Failure("the package shows no quantized weights")
    worst = 0.0
    for name, expected in theirs.items():
        if name not in ours:
            raise Failure(f"nibble does not show {name}")
        if ours[name].shape != expected.shape:
            raise Failure(f"{name} is {ours[name].shape} to nibble, {expected.shape} to the package")
        difference = float(np.abs(ours[name].astype(np.float64) - expected).max())
        if not difference <= TOLERANCE * float(np.abs(expected).max()):
            raise Failure(f"{name} differs by {difference:.3g} of {np.abs(expected).max():.3g}")
        worst = max(worst, difference / max(float(np.abs(expected).max()), 1e-30))
    return worst, len(theirs)


def make_model(folder):
    """A Llama of two blocks with random weights and a real tokenizer."""
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM

    fixture = json.loads((ROOT / "Tests/Fixtures/tokenizers/smollm.json").read_text())["tokenizer"]
    entries = max([*fixture["model"]["vocab"].values(), *(t["id"] for t in fixture["added_tokens"])]) + 1
    torch.manual_seed(1)
    config = LlamaConfig(
        vocab_size=(entries + 63) // 64 * 64, hidden_size=256, intermediate_size=512, num_hidden_layers=2,
        num_attention_heads=4, num_key_value_heads=2, max_position_embeddings=256, tie_word_embeddings=False,
        bos_token_id=0, eos_token_id=0, dtype="float16")
    model = LlamaForCausalLM(config).half()
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.dim() == 2:
                parameter.mul_(3)
    model.save_pretrained(folder)
    (folder / "tokenizer.json").write_text(json.dumps(fixture))
    settings = {"tokenizer_class": "PreTrainedTokenizerFast", "bos_token": "<|endoftext|>", "eos_token": "<|endoftext|>",
                "unk_token": "<|endoftext|>", "model_max_length": 256}
    (folder / "tokenizer_config.json").write_text(json.dumps(settings))


def cases(name, binary, folder):
    """Runs the cases of one format; yields (direction, what, result)."""
    module = importlib.import_module(name.replace("-", "_") + "_cases")
    model = folder / "model"

    def attempt(direction, what, body):
        try:
            worst, count = body()
            return {"format": name, "direction": direction, "what": what, "state": "same",
                    "text": f"{worst:.1e} in {count} matrices"}
        except Failure as failure:
            return {"format": name, "direction": direction, "what": what, "state": "FAIL", "text": str(failure)}
        except Exception as error:
            traceback.print_exc()
            text = f"{type(error).__name__}: {error}".splitlines()[0][:120]
            return {"format": name, "direction": direction, "what": what, "state": "FAIL", "text": text}

    for entry in FORMATS[name][1]:
        variety, _, scheme = entry.rpartition(":")
        output = folder / f"{variety or name}-{scheme}{getattr(module, 'SUFFIX', '')}"

        def written():
            shutil.rmtree(output, ignore_errors=True) if output.is_dir() else output.unlink(missing_ok=True)
            nibble(binary, "quantize", model, "-o", output, "--type", scheme, "--format", variety or name, "--quiet")
            ours = decoded(binary, output, folder / "decoded")
            return compare(ours, module.read(output))

        yield attempt("nibble writes", entry, written)
    for what, write in module.WRITERS.items():
        output = folder / f"their-{name}-{what}{getattr(module, 'SUFFIX', '')}"

        def read():
            shutil.rmtree(output, ignore_errors=True) if output.is_dir() else output.unlink(missing_ok=True)
            write(model, output, binary)
            theirs = module.read(output)
            return compare(decoded(binary, output, folder / "decoded"), theirs)

        yield attempt("nibble reads", what, read)


def missing(modules):
    return [module for module in modules if importlib.util.find_spec(module) is None]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--nibble", required=True)
    parser.add_argument("--folder", type=pathlib.Path, required=True)
    parser.add_argument("--case", help=argparse.SUPPRESS)
    parser.add_argument("formats", nargs="*", metavar="FORMAT")
    arguments = parser.parse_args()
    folder = arguments.folder.resolve()
    binary = str(pathlib.Path(arguments.nibble).resolve())
    if arguments.case:
        for row in cases(arguments.case, binary, folder):
            print("CASE " + json.dumps(row), flush=True)
        return 0
    unknown = set(arguments.formats) - set(FORMATS)
    if unknown:
        parser.error(f"no such format: {', '.join(sorted(unknown))}; there are {', '.join(FORMATS)}")
    folder.mkdir(parents=True, exist_ok=True)
    base = ["torch", "transformers", "safetensors", "numpy"]
    if missing(base):
        print(f"error: needs {' '.join(missing(base))}", file=sys.stderr)
        return 1
    make_model(folder / "model")
    rows = []
    for name in arguments.formats or FORMATS:
        lacks = missing(FORMATS[name][0])
        if lacks:
            rows.append({"format": name, "direction": "", "what": "", "state": "SKIP", "text": f"no {' '.join(lacks)}"})
            print(f"WARNING: {name} is SKIPPED: {' '.join(lacks)} cannot be imported", file=sys.stderr)
            continue
        command = [sys.executable, str(pathlib.Path(__file__).resolve()), "--nibble", binary, "--folder", str(folder), "--case", name]
        log = folder / f"{name}.log"
        with open(log, "w") as errors:
            result = subprocess.run(command, stdout=subprocess.PIPE, stderr=errors, text=True, cwd=folder)
        found = [json.loads(line[5:]) for line in result.stdout.splitlines() if line.startswith("CASE ")]
        if result.returncode != 0:
            text = f"exit {result.returncode}, see {log}"
            found.append({"format": name, "direction": "", "what": "", "state": "FAIL", "text": text})
        rows += found
        for row in found:
            print(f"{row['state']:5} {row['format']:18} {row['direction']:14} {row['what']:20} {row['text']}", flush=True)
    count = {state: sum(row["state"] == state for row in rows) for state in ("same", "FAIL", "SKIP")}
    print(f"==> {count['same']} the same, {count['FAIL']} failed, {count['SKIP']} skipped; logs in {folder}")
    return 1 if count["FAIL"] else 0


if __name__ == "__main__":
    # The formats' modules import Failure and nibble from here.
    sys.modules["interop"] = sys.modules["__main__"]
    sys.exit(main())
