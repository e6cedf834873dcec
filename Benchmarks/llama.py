"""llama.cpp through its Python package: quantizing, evaluating and timing GGUF files, on a fixed number of threads.

Run as a program it does one thing and prints JSON, so that each measurement has a process of its own:

    llama.py quantize IN OUT TYPE | evaluate MODEL REFERENCE TEXT CHUNKS [CACHE.npy] | bench MODEL PROMPT GENERATE REPEAT [THREADS]
"""
import ctypes, json, os, sys, time
import llama_cpp as llama
import numpy as np

THREADS = 2
SILENT = llama.llama_log_callback(lambda *_: None)  # kept for as long as llama.cpp may call it
CONTEXT = 512


class Model:
    def __init__(self, path, context=CONTEXT, threads=THREADS):
        llama.llama_log_set(SILENT, None)
        llama.llama_backend_init()
        parameters = llama.llama_model_default_params()
        self.model = llama.llama_model_load_from_file(path.encode(), parameters)
        if not self.model:
            sys.exit(f"llama.cpp cannot load {path}")
        parameters = llama.llama_context_default_params()
        parameters.n_ctx, parameters.n_batch, parameters.n_ubatch = context, max(512, context), 512
        parameters.n_threads = parameters.n_threads_batch = threads
        self.context = llama.llama_init_from_model(self.model, parameters)
        self.vocabulary = llama.llama_model_get_vocab(self.model)
        self.vocabulary_count = llama.llama_vocab_n_tokens(self.vocabulary)

    def tokenize(self, text):
        raw = text.encode()
        buffer = (llama.llama_token * (len(raw) + 8))()
        count = llama.llama_tokenize(self.vocabulary, raw, len(raw), buffer, len(buffer), True, False)
        return list(buffer[:count])

    def clear(self):
        llama.llama_memory_clear(llama.llama_get_memory(self.context), True)

    def run(self, tokens, start, wanted):
        """Runs tokens from position `start`; `wanted(i)` tells whether token i's logits are computed."""
        batch = llama.llama_batch_init(len(tokens), 0, 1)
        batch.n_tokens = len(tokens)
        for i, token in enumerate(tokens):
            batch.token[i], batch.pos[i] = token, start + i
            batch.n_seq_id[i], batch.seq_id[i][0], batch.logits[i] = 1, 0, int(wanted(i))
        if llama.llama_decode(self.context, batch):
            sys.exit("llama_decode failed")
        llama.llama_batch_free(batch)

    def log_probabilities(self, window):
        """log P of every token after each position of the window's second half."""
        self.clear()
        first, last = len(window) // 2, len(window) - 1
        self.run(window, 0, lambda i: first <= i < last)
        rows = np.stack([
            np.ctypeslib.as_array(llama.llama_get_logits_ith(self.context, i), (self.vocabulary_count,))
            for i in range(first, last)]).astype(np.float64)
        rows -= rows.max(axis=1, keepdims=True)
        return rows - np.log(np.exp(rows).sum(axis=1, keepdims=True))


def quantize(source, target, name):
    parameters = llama.llama_model_quantize_default_params()
    parameters.nthread = THREADS
    parameters.ftype = getattr(llama, "LLAMA_FTYPE_MOSTLY_" + name.upper())
    start = time.perf_counter()
    if llama.llama_model_quantize(source.encode(), target.encode(), ctypes.byref(parameters)):
        sys.exit("llama.cpp cannot quantize")
    return {"seconds": time.perf_counter() - start}


def windows(model, text_path, chunks):
    tokens = model.tokenize(open(text_path, encoding="utf-8").read())
    return [tokens[i * CONTEXT:(i + 1) * CONTEXT] for i in range(min(int(chunks), len(tokens) // CONTEXT))]


def references(reference_path, text_path, chunks, cache):
    """The reference's log-probabilities, a window at a time; kept in the file `cache`, where one is named."""
    if cache and os.path.exists(cache):
        yield from np.load(cache, mmap_mode="r")
        return
    model = Model(reference_path)
    kept = []
    for window in windows(model, text_path, chunks):
        yield (row := model.log_probabilities(window))
        if cache:
            kept.append(row.astype(np.float32))
    if cache:
        np.save(cache, np.stack(kept))


def evaluate(path, reference_path, text_path, chunks, cache=None):
    model = Model(path)
    losses, divergences, same = [], [], []
    chunks = windows(model, text_path, chunks)
    # The references come first, so that they are asked once more than there are windows, and kept.
    for p, window in zip(references(reference_path, text_path, len(chunks), cache), chunks):
        q, p = model.log_probabilities(window), p.astype(np.float64)
        targets = np.array(window[CONTEXT // 2 + 1:])
        losses.append(-q[np.arange(len(targets)), targets])
        divergences.append((np.exp(p) * (p - q)).sum(axis=1))
        same.append(p.argmax(axis=1) == q.argmax(axis=1))
    return {"perplexity": float(np.exp(np.concatenate(losses).mean())),
            "kld": float(np.concatenate(divergences).mean()), "same_top": float(np.concatenate(same).mean())}


def bench(path, prompt, generate, repeat, threads=THREADS):
    prompt, generate, repeat = int(prompt), int(generate), int(repeat)
    model = Model(path, prompt + generate, int(threads))
    tokens = [100 + i % 500 for i in range(max(prompt, generate))]
    rates = []
    for _ in range(repeat + 1):
        model.clear()
        start = time.perf_counter()
        model.run(tokens[:prompt], 0, lambda i: i == prompt - 1)
        llama.llama_synchronize(model.context)
        middle = time.perf_counter()
        for i in range(generate):
            model.run(tokens[i:i + 1], prompt + i, lambda _: True)
        llama.llama_synchronize(model.context)
        rates.append((prompt / (middle - start), generate / (time.perf_counter() - middle)))
    medians = np.median(rates[1:], axis=0)
    return {"prompt_tokens_per_second": float(medians[0]), "generate_tokens_per_second": float(medians[1])}


if __name__ == "__main__":
    action = {"quantize": quantize, "evaluate": evaluate, "bench": bench}[sys.argv[1]]
    print(json.dumps(action(*sys.argv[2:])))
