#!/usr/bin/env python3
"""What calibrated quantization achieves: KL divergence by type, method, effort and seed, as rows of a Markdown table.

    calibrated.py MODEL_FOLDER BASE.gguf CALIBRATION TEXT... [--types q4_0,int4-g64-sym] [--methods gptq:normal] [--seeds 3]
                  [--windows 64] [--chunks 16] [--work DIR] [--nibble PATH] [-- QUANTIZE OPTIONS]

MODEL_FOLDER is the Hugging Face folder that Nibble quantizes, BASE.gguf the same weights for llama.cpp, CALIBRATION the text that is
run through the model, each TEXT one to judge by. GGUF types are judged in llama.cpp, schemes in Nibble. A method is rtn, imatrix, or
gptq:EFFORT. Seed 0 takes the calibration text from its start, others draw the windows' places. Files are judged by each TEXT in turn.
"""
import argparse, datetime, json, pathlib, shutil, statistics, subprocess, sys, tempfile

HERE = pathlib.Path(__file__).resolve().parent
TYPES = "q4_0,q4_1,iq4_nl,iq4_xs,q5_0,q5_k_m,q4_k_m,q3_k_m,q2_k,int4-g64-sym,int3-g64-asym,nf4-g64"


def run(*command):
    return json.loads(subprocess.check_output([str(part) for part in command], stderr=subprocess.DEVNULL))


def spread(values, digits=4):
    """Mean, and how far the values lie from it."""
    if len(values) == 1:
        return f"{values[0]:.{digits}f}"
    return f"{statistics.mean(values):.{digits}f} ± {(max(values) - min(values)) / 2:.{digits}f}"


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("model"); parser.add_argument("base"); parser.add_argument("calibration")
    parser.add_argument("texts", nargs="+", metavar="text")
    parser.add_argument("--types", default=TYPES)
    parser.add_argument("--methods", default="gptq:normal")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--windows", type=int, default=64)
    parser.add_argument("--chunks", type=int, default=16)
    parser.add_argument("--work")
    parser.add_argument("--nibble", default=HERE.parent / ".build/release/nibble")
    own, more = sys.argv[1:], []
    if "--" in own:
        place = own.index("--")
        own, more = own[:place], own[place + 1:]
    options = parser.parse_args(own)
    work = pathlib.Path(options.work or tempfile.mkdtemp())
    work.mkdir(parents=True, exist_ok=True)

    def judge(output, text, is_gguf):
        if is_gguf:
            cache = work / f"{pathlib.Path(text).stem}-{options.chunks}.npy"
            return run(sys.executable, HERE / "llama.py", "evaluate", output, options.base, text, options.chunks, cache)
        return run(options.nibble, "evaluate", output, "--reference", options.model, "--text", text, "--chunks",
                   options.chunks, "--json")

    print(f"Made by Benchmarks/calibrated.py on {datetime.date.today()}: {options.windows} windows of 512 tokens, "
          f"{options.seeds} seeds, judged on {options.chunks} windows.\n")
    texts = " | ".join(f"KLD, {pathlib.Path(text).stem}" for text in options.texts)
    print(f"| type | method | {texts} | perplexity | seconds | peak MB |")
    print("| --- | --- |" + " --- |" * (len(options.texts) + 3), flush=True)
    for name in options.types.split(","):
        is_gguf = "-" not in name and not name.startswith("mxfp")
        for choice in options.methods.split(","):
            method, _, effort = choice.partition(":")
            made, scores = [], []
            for seed in range(options.seeds if method != "rtn" else 1):
                output = work / ("quantized.gguf" if is_gguf else "quantized")
                shutil.rmtree(output, ignore_errors=True)
                calibration = [] if method == "rtn" else [
                    "--calibration", options.calibration, "--calibration-windows", options.windows,
                    *(["--effort", effort] if effort else []), *(["--seed", seed] if seed else [])]
                made.append(run(options.nibble, "quantize", options.model, "-o", output, "--type", name, "--method", method,
                                *calibration, "--threads", 2, "--force", "--json", *more))
                scores.append([judge(output, text, is_gguf) for text in options.texts])
                print(f"{name} {choice} seed {seed}: {[round(s['kld'], 4) for s in scores[-1]]}", file=sys.stderr, flush=True)
            divergences = " | ".join(spread([row[i]["kld"] for row in scores]) for i in range(len(options.texts)))
            print(f"| {name} | {choice} | {divergences} | {spread([row[0]['perplexity'] for row in scores], 2)} | "
                  f"{spread([m['seconds'] for m in made], 0)} | {max(m['peak_memory_bytes'] for m in made) / 1e6:.0f} |",
                  flush=True)


main()
