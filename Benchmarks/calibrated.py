#!/usr/bin/env python3
"""What calibrated quantization achieves: KL divergence by type, method, effort and seed, as rows of a Markdown table.

    calibrated.py MODEL_FOLDER BASE.gguf CALIBRATION TEXT... [--types q4_0,int4-g64-sym] [--methods gptq:normal] [--seeds 3]
                  [--windows 64] [--chunks 16] [--threads 2] [--record RUNS.jsonl] [--work DIR] [--nibble PATH]
                  [-- QUANTIZE OPTIONS]

MODEL_FOLDER is the Hugging Face folder that Nibble quantizes, BASE.gguf the same weights for llama.cpp, CALIBRATION the text that is
run through the model, each TEXT one to judge by. GGUF types are judged in llama.cpp, schemes in Nibble. A method is rtn, imatrix, or
gptq:EFFORT. Seed 0 takes the calibration text from its start, others draw the windows' places. Files are judged by each TEXT in turn.
Runs that --record holds already are not made again, so an interrupted table goes on; several scripts may share the file, each with its
own --work.
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
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--record")
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
                   options.chunks, "--threads", options.threads, "--json")

    record = pathlib.Path(options.record or work / "runs.jsonl")

    def recorded(key):
        lines = record.read_text().splitlines() if record.exists() else []
        return next((row for row in map(json.loads, lines) if row["key"] == key), None)

    def measured(name, method, effort, seed):
        """One file made and judged by every text: seconds, peak memory, and KL divergence and perplexity by text."""
        key = [name, method, effort, seed, options.windows, options.chunks, *more]
        if row := recorded(key):
            return row
        is_gguf = "-" not in name and not name.startswith("mxfp")
        output = work / ("quantized.gguf" if is_gguf else "quantized")
        if output.is_dir():
            shutil.rmtree(output)
        calibration = [] if method == "rtn" else [
            "--calibration", options.calibration, "--calibration-windows", options.windows,
            *(["--effort", effort] if effort else []), *(["--seed", seed] if seed else [])]
        made = run(options.nibble, "quantize", options.model, "-o", output, "--type", name, "--method", method, *calibration,
                   "--threads", options.threads, "--force", "--json", *more)
        scores = {pathlib.Path(text).stem: judge(output, text, is_gguf) for text in options.texts}
        row = {"key": key, "seconds": made["seconds"], "peak_memory_bytes": made["peak_memory_bytes"],
               "texts": {text: {"kld": score["kld"], "perplexity": score["perplexity"]} for text, score in scores.items()}}
        with record.open("a") as file:
            file.write(json.dumps(row) + "\n")
        return row

    print(f"Made by Benchmarks/calibrated.py on {datetime.date.today()}: {options.windows} windows of 512 tokens, "
          f"{options.seeds} seeds, judged on {options.chunks} windows.\n")
    texts = " | ".join(f"KLD, {pathlib.Path(text).stem}" for text in options.texts)
    print(f"| type | method | {texts} | perplexity | seconds | peak MB |")
    print("| --- | --- |" + " --- |" * (len(options.texts) + 3), flush=True)
    names = [pathlib.Path(text).stem for text in options.texts]
    for name in options.types.split(","):
        for choice in options.methods.split(","):
            method, _, effort = choice.partition(":")
            rows = []
            for seed in range(options.seeds if method != "rtn" else 1):
                rows.append(measured(name, method, effort, seed))
                print(f"{name} {choice} seed {seed}: {[round(rows[-1]['texts'][text]['kld'], 4) for text in names]}",
                      file=sys.stderr, flush=True)
            divergences = " | ".join(spread([row["texts"][text]["kld"] for row in rows]) for text in names)
            print(f"| {name} | {choice} | {divergences} | {spread([row['texts'][names[0]]['perplexity'] for row in rows], 2)} | "
                  f"{spread([row['seconds'] for row in rows], 0)} | {max(row['peak_memory_bytes'] for row in rows) / 1e6:.0f} |",
                  flush=True)


main()
