#!/usr/bin/env python3
"""Hold GGUF files that nibble writes against llama.cpp, and what it reads back from them against transformers.

    pip install llama-cpp-python torch transformers safetensors
    scripts/judges/llama-logits.py [FOLDER ...] [--nibble PATH] [--keep FOLDER] [--json]

FOLDER is a folder of Tests/Fixtures/models (all by default): a model with logits.json, the logits of transformers. For each
1. `nibble convert FOLDER -o X.gguf --type f32`; llama.cpp loads X.gguf, is fed the golden prompts as token ids, each in one
   pass with keys and values in single precision, and its logits are compared with the golden ones;
2. `nibble convert X.gguf -o BACK`; transformers loads BACK, its logits are compared with the golden ones too, and the ids that
   both tokenizers give for a text with each other.
Differences are relative to the largest logit of the position and must be below 1e-3 for llama.cpp, 1e-4 for transformers.
Where there is a GELU (Gemma 3, GPT-2) llama.cpp takes it from a table in half precision: some 2e-4 remain.

What llama.cpp cannot do is in EXCEPTIONS, with what its source says (version 0.3.36 of the Python package). Such a prompt is
run like any other and its figure shown; an exception that turns out to agree is an error, so that the list stays true.
Exit code 1 if anything else differs.

Which of LongRoPE's factors are used llama.cpp decides by the size of the context, which it rounds up to a multiple of 256, not
by the length of the text. A prompt up to the original length is therefore run with that length overridden by a large one.
The name is overridden as well: of a model called phi3 llama.cpp wants the token "<|endoftext|>" (llama-vocab.cpp), which the
fixtures have not.
"""
import argparse, json, os, pathlib, subprocess, sys, tempfile

ROOT = pathlib.Path(__file__).resolve().parents[2]
LLAMA_TOLERANCE, BACK_TOLERANCE = 1e-3, 1e-4
TEXT = "HELLO(WORLD)=[42]"  # of the letters that the fixtures' tokenizers know


def text_settings(config):
    return config.get("text_config", config)


def rope(config):
    """The scaling of the (global) rotary positions in either spelling."""
    settings = config.get("rope_parameters") or config.get("rope_scaling") or {}
    settings = settings.get("full_attention", settings)
    return settings | {"rope_type": settings.get("rope_type", settings.get("type", "default"))}


def kind(config):
    return config["model_type"].removesuffix("_text")


def window(config):
    """The smallest window of a layer, or None."""
    if kind(config) in ("qwen2", "qwen3", "qwen3_moe") and not config.get("use_sliding_window"): return None
    return config.get("sliding_window")


def yarn_bounds(config):
    settings = rope(config)
    return settings["rope_type"] == "yarn" and (
        (settings.get("beta_fast") or 32, settings.get("beta_slow") or 1) != (32, 1) or not settings.get("truncate", True))


def dense_layers(config):
    return kind(config) == "qwen3_moe" and bool(config.get("mlp_only_layers") or config.get("decoder_sparse_step", 1) != 1)


# Name, whether it concerns a prompt of so many tokens, why.
EXCEPTIONS = [
    ("sliding window", lambda c, n: kind(c) not in ("gemma2", "gemma3") and window(c) is not None and n > window(c),
     "of these families only gemma2 and gemma3 have windows: the loaders of llama, qwen2, qwen3 and qwen3moe do not read "
     "attention.sliding_window, that of phi3 sets it to 0 with a warning (models/phi3.cpp)"),
    ("dynamic NTK", lambda c, n: rope(c)["rope_type"] == "dynamic" and n > c["max_position_embeddings"],
     "rope.scaling.type knows none, linear, yarn and longrope (llama-model.cpp); a base that grows with the text is neither"),
    ("YaRN bounds", lambda c, n: yarn_bounds(c) and n > 1,
     "rope.scaling.yarn_beta_fast and _slow are read for grok, mistral3 and deepseek2 only; all others use 32 and 1, "
     "rounded outwards (llama-hparams.h, ggml_rope_yarn_corr_dims)"),
    ("query scalar", lambda c, n: kind(c) in ("gemma2", "gemma3") and n > 1 and c.get("query_pre_attn_scalar", 256) != c["head_dim"],
     "the scale of scores is 1/sqrt(head size) for all but the largest model (by its layer count), attention.scale is not read "
     "(models/gemma2.cpp, gemma3.cpp)"),
    ("expert weights as they are", lambda c, n: kind(c) == "qwen3_moe" and not c.get("norm_topk_prob"),
     "build_moe_ffn is called with norm_w true for qwen3moe, whatever the file says (models/qwen3moe.cpp)"),
    ("dense layers among experts", lambda c, n: dense_layers(c),
     "the loader of qwen3moe wants ffn_gate_inp and experts in every layer (models/qwen3moe.cpp)"),
    ("GPT-2's score scale", lambda c, n: kind(c) == "gpt2" and n > 1 and (
        c.get("scale_attn_by_inverse_layer_idx") or not c.get("scale_attn_weights", True)),
     "the scale is 1/sqrt(head size) in all layers (models/gpt2.cpp)"),
]


def exceptions(config, count):
    return [name for name, concerns, _ in EXCEPTIONS if concerns(config, count)]


# Everything that runs llama.cpp is in a process of its own: a failed assertion there ends the process.

def worker():
    import ctypes
    import llama_cpp as llama
    import numpy as np
    request = json.load(sys.stdin)
    messages = []
    log = llama.llama_log_callback(lambda level, text, _: messages.append(text.decode(errors="replace")) if level == 4 else None)
    llama.llama_log_set(log, None)
    llama.llama_backend_init()
    answers = []
    for case in request["cases"]:
        parameters = llama.llama_model_default_params()
        overrides = (llama.llama_model_kv_override * 3)()  # the last one, empty, ends the list
        overrides[0].tag, overrides[0].key = llama.LLAMA_KV_OVERRIDE_TYPE_STR, b"general.name"
        overrides[0].value.val_str = b"model"
        if case["override"]:
            overrides[1].tag, overrides[1].key = llama.LLAMA_KV_OVERRIDE_TYPE_INT, case["override"].encode()
            overrides[1].value.val_i64 = 1 << 20
        parameters.kv_overrides = ctypes.cast(overrides, type(parameters.kv_overrides))
        model = llama.llama_model_load_from_file(request["model"].encode(), parameters)
        if not model: sys.exit("".join(messages).strip() or "llama.cpp cannot load the file")
        parameters = llama.llama_context_default_params()
        parameters.n_ctx = parameters.n_batch = parameters.n_ubatch = 512
        parameters.n_threads = parameters.n_threads_batch = 2
        parameters.type_k = parameters.type_v = llama.GGML_TYPE_F32
        parameters.flash_attn_type = llama.LLAMA_FLASH_ATTN_TYPE_DISABLED
        context = llama.llama_init_from_model(model, parameters)
        if not context: sys.exit("".join(messages).strip() or "llama.cpp makes no context")
        prompt, positions = case["prompt"], case["positions"]
        batch = llama.llama_batch_init(len(prompt), 0, 1)
        batch.n_tokens = len(prompt)
        for i, token in enumerate(prompt):
            batch.token[i], batch.pos[i] = token, i
            batch.n_seq_id[i], batch.seq_id[i][0], batch.logits[i] = 1, 0, int(i in positions)
        if llama.llama_decode(context, batch): sys.exit("llama_decode failed: " + "".join(messages).strip())
        count = llama.llama_vocab_n_tokens(llama.llama_model_get_vocab(model))
        answers.append([np.ctypeslib.as_array(llama.llama_get_logits_ith(context, p), (count,)).tolist() for p in positions])
        llama.llama_batch_free(batch)
        llama.llama_free(context)
        llama.llama_model_free(model)
    json.dump(answers, sys.stdout)


def rows(case):
    """Position and golden logits, in order."""
    between = [(b["position"], b["logits"]) for b in case.get("between", [])]
    return between + [(len(case["prompt"]) - 1, case["logits"])]


def difference(found, golden):
    if len(found) != len(golden): return float("inf")
    scale = max(abs(x) for x in golden)
    worst = max(abs(x - y) for x, y in zip(found, golden)) / scale
    return worst if worst == worst else float("inf")


def ask_llama(path, config, cases):
    """For each case the largest difference; or a reason why there is none."""
    settings, request = rope(config), []
    original = config.get("original_max_position_embeddings") or settings.get("original_max_position_embeddings")
    for case in cases:
        short = settings["rope_type"] == "longrope" and len(case["prompt"]) <= original
        request.append({"prompt": case["prompt"], "positions": [p for p, _ in rows(case)],
                        "override": f"{kind(config)}.rope.scaling.original_context_length" if short else None})
    done = subprocess.run([sys.executable, __file__, "--worker"], input=json.dumps({"model": str(path), "cases": request}),
                          capture_output=True, text=True)
    if done.returncode: return None, (done.stderr.strip().splitlines() or [f"ended with {done.returncode}"])[0]
    return [max(difference(f, g) for f, (_, g) in zip(found, rows(case)))
            for found, case in zip(json.loads(done.stdout), cases)], None


def ask_transformers(folder, cases):
    import torch, transformers
    transformers.utils.logging.set_verbosity_error()
    transformers.utils.logging.disable_progress_bar()
    try:
        config = transformers.AutoConfig.from_pretrained(folder)
        model = getattr(transformers, config.architectures[0]).from_pretrained(folder, dtype=torch.float32).eval()
        worst = []
        for case in cases:
            with torch.no_grad(): found = model(torch.tensor([case["prompt"]]), use_cache=False).logits[0]
            worst.append(max(difference(found[p].tolist(), g) for p, g in rows(case)))
        return worst, None
    except Exception as error:
        return None, " ".join(f"{type(error).__name__}: {error}".split())[:300]


def ids(folder):
    from tokenizers import Tokenizer
    path = folder / "tokenizer.json"
    return Tokenizer.from_file(str(path)).encode(TEXT).ids if path.exists() else None


def convert(nibble, source, output, *options):
    done = subprocess.run([nibble, "convert", str(source), "-o", str(output), "--force", *options], capture_output=True, text=True)
    return None if done.returncode == 0 else (done.stderr.strip().splitlines() or ["no message"])[-1]


def judge(folder, nibble, place):
    config = json.loads((folder / "config.json").read_text())
    config = text_settings(config)
    cases = json.loads((folder / "logits.json").read_text())["cases"]
    path, back = place / f"{folder.name}.gguf", place / f"{folder.name}-back"
    known = [exceptions(config, len(case["prompt"])) for case in cases]
    row = {"model": folder.name, "tokens": [len(case["prompt"]) for case in cases], "llama": None, "back": None,
           "ids": None, "exceptions": sorted({name for names in known for name in names}), "faults": []}
    fault = convert(nibble, folder, path, "--format", "gguf", "--type", "f32")
    if fault:
        row["faults"].append(f"not converted: {fault}")
        return row
    row["llama"], fault = ask_llama(path, config, cases)
    if fault and all(known): row["note"] = f"llama.cpp: {fault}"
    elif fault: row["faults"].append(f"llama.cpp: {fault}")
    for count, worst, names in zip(row["tokens"], row["llama"] or [], known):
        if not names and not worst < LLAMA_TOLERANCE: row["faults"].append(f"llama.cpp differs by {worst:.2g} at {count} tokens")
        if names and worst < LLAMA_TOLERANCE: row["faults"].append(f"agrees at {count} tokens in spite of: {', '.join(names)}")
    fault = convert(nibble, path, back, "--format", "safetensors")
    if fault:
        row["faults"].append(f"not converted back: {fault}")
        return row
    row["back"], fault = ask_transformers(back, cases)
    if fault: row["faults"].append(f"back in transformers: {fault}")
    for count, worst in zip(row["tokens"], row["back"] or []):
        if not worst < BACK_TOLERANCE: row["faults"].append(f"back in transformers differs by {worst:.2g} at {count} tokens")
    row["ids"] = ids(back) == ids(folder)
    if not row["ids"]: row["faults"].append("the tokenizer gives other ids")
    return row


def cells(values):
    return " ".join(f"{value:8.1e}" for value in values) if values else "-"


def show(row):
    verdict = "; ".join(row["faults"]) or ("known: " + ", ".join(row["exceptions"]) if row["exceptions"] else "agrees")
    print(f"{row['model']:24} {cells(row['llama']):28} {cells(row['back']):28} "
          f"{'-' if row['ids'] is None else 'same' if row['ids'] else 'other':6} {verdict}", flush=True)
    if row.get("note"): print(f"{'':24} {row['note']}")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folders", nargs="*", metavar="FOLDER", type=pathlib.Path)
    parser.add_argument("--nibble", default=str(ROOT / ".build/release/nibble"), help="the binary (default: .build/release/nibble)")
    parser.add_argument("--keep", type=pathlib.Path, metavar="FOLDER", help="write the files here and leave them")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    arguments = parser.parse_args()
    if not os.access(arguments.nibble, os.X_OK): parser.error(f"{arguments.nibble} is not there; build it or give --nibble")
    folders = arguments.folders or sorted(p.parent for p in (ROOT / "Tests/Fixtures/models").glob("*/logits.json"))
    if not arguments.json: print(f"{'model':24} {'llama.cpp, per prompt':28} {'back in transformers':28} {'ids':6}")
    results = []
    with tempfile.TemporaryDirectory() as temporary:
        place = arguments.keep or pathlib.Path(temporary)
        place.mkdir(parents=True, exist_ok=True)
        for folder in folders:
            results.append(judge(folder.resolve(), arguments.nibble, place))
            if not arguments.json: show(results[-1])
    failed = [row for row in results if row["faults"]]
    used = {name for row in results for name in row["exceptions"]}
    if arguments.json:
        print(json.dumps({"results": results, "exceptions": {name: why for name, _, why in EXCEPTIONS}, "failed": len(failed)}))
    else:
        for name, _, why in EXCEPTIONS:
            if name in used: print(f"\n{name}: {why}")
        print(f"\n==> {len(results) - len(failed)} of {len(results)} as expected")
    return 1 if failed else 0


if __name__ == "__main__":
    if sys.argv[1:] == ["--worker"]: worker()
    else: sys.exit(main())
