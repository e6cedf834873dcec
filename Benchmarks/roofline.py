#!/usr/bin/env python3
"""Where the time of each type goes and how near it comes to the machine's roofs, as Markdown for Docs/Roofline.md.

    roofline.py MODEL ... [--prompt 512] [--generate 64] [--context N] [--repeat 3] [--threads 2] [--cache-type f16]
                [--instruction-set SET] [--operations] [--nibble PATH]

Each model is one `nibble bench --profile --json`. --operations adds each model's whole table.
"""
import argparse, json, pathlib, statistics, subprocess, sys

HERE = pathlib.Path(__file__).resolve().parent
PHASES = ("prompt", "generation")


def bench(options, model):
    command = [options.nibble, "bench", model, "--profile", "--json", "--quiet", "--prompt-tokens", options.prompt,
               "--generate-tokens", options.generate, "--repeat", options.repeat, "--threads", options.threads,
               "--cache-type", options.cache_type]
    if options.context is not None:
        command += ["--context", options.context]
    if options.instruction_set:
        command += ["--instruction-set", options.instruction_set]
    return json.loads(subprocess.check_output([str(part) for part in command]))


def number(value, digits=1):
    return "" if value is None else f"{value:.{digits}f}"


def percent(value):
    return "" if value is None else f"{100 * value:.0f} %"


def row(cells):
    print("| " + " | ".join(cells) + " |")


def share(operations, *kinds):
    return sum(o["share"] for o in operations if o["kind"] in kinds)


def products(operations):
    return [o for o in operations if "weights" in o]


def summary(results):
    roofs = [result["profile"]["roofs"] for _, result in results]
    for key, unit in (("gmac_per_second", "GMAC/s"), ("gb_per_second", "GB/s")):
        values = [roof[key] for roof in roofs]
        print(f"- {unit}: median {statistics.median(values):.1f}, {min(values):.1f} to {max(values):.1f} over {len(values)} runs")
    for phase in PHASES:
        rate_key = "prompt_tokens_per_second" if phase == "prompt" else "generate_tokens_per_second"
        print(f"\n### {phase.capitalize()}\n")
        row(["model", "tokens/s", "products: GMAC/s", "of compute roof", "GB/s", "of memory roof", "time in products",
             "rounding activations", "attention", "all else"])
        row(["---"] + ["---:"] * 9)
        for name, result in results:
            operations = result["profile"][phase]["operations"]
            parts = products(operations)
            seconds = sum(o["seconds"] for o in parts) or float("inf")
            # A part's rate times its seconds is what it did.
            work = sum(o["gmac_per_second"] * o["seconds"] for o in parts) / seconds
            moved = sum(o["gb_per_second"] * o["seconds"] for o in parts) / seconds
            roof = result["profile"]["roofs"]
            known = sum(o["share"] for o in parts) + share(operations, "activation quantization", "attention")
            row([name, number(result[rate_key]), number(work), percent(work / roof["gmac_per_second"]), number(moved),
                 percent(moved / roof["gb_per_second"]), percent(sum(o["share"] for o in parts)),
                 percent(share(operations, "activation quantization")), percent(share(operations, "attention")),
                 percent(1 - known)])


def details(name, result):
    for phase in PHASES:
        profile = result["profile"][phase]
        print(f"\n#### {name}, {phase}, {profile['tokens']} tokens, {profile['seconds']:.3f} s\n")
        row(["operation", "weights", "ms", "time", "GMAC/s", "of roof", "GB/s", "of roof"])
        row(["---", "---"] + ["---:"] * 6)
        for o in profile["operations"]:
            row([o["kind"], o.get("weights", ""), number(1000 * o["seconds"]), f"{100 * o['share']:.1f} %",
                 number(o.get("gmac_per_second")), percent(o.get("compute_roof_share")), number(o.get("gb_per_second")),
                 percent(o.get("memory_roof_share"))])


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("models", nargs="+")
    parser.add_argument("--prompt", type=int, default=512)
    parser.add_argument("--generate", type=int, default=64)
    parser.add_argument("--context", type=int)
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--cache-type", default="f16")
    parser.add_argument("--instruction-set")
    parser.add_argument("--operations", action="store_true")
    parser.add_argument("--nibble", default=HERE.parent / ".build/release/nibble")
    options = parser.parse_args()
    results = []
    for model in options.models:
        results.append((pathlib.Path(model).stem if model.endswith(".gguf") else pathlib.Path(model).name, bench(options, model)))
        print(f"{model}: done", file=sys.stderr, flush=True)
    summary(results)
    if options.operations:
        for name, result in results:
            details(name, result)


main()
