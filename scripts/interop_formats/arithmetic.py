"""Logits of the weights that Nibble decodes, and how far a reader's may be from them.

The weights of a folder, expanded to single precision by `nibble convert --format safetensors --type f32`, run in transformers.
A reader that decodes them and computes in single precision must give these logits within 1e-3 of the largest. Readers that
round more are held against a run that rounds as they do:

- weights in half precision: the decoded weights are rounded to it, and run in single precision.
- half precision and bfloat16 throughout: what it costs is measured by running the decoded weights in transformers in that type. The
  reader may differ from the run in single precision by three times that much, MLX by ten times: its kernels for processors
  add up hundreds of products in that type too (quantized.cpp), where PyTorch's round a sum once.
- activations as integers: the inputs of each linear layer are rounded as the reader's source does. Rounding is not
  continuous: an input next to a tie falls to either side, and what it does to the next layer's inputs makes more of them do so. That
  run is therefore repeated eight times with all inputs changed by some millionth of themselves; the reader may differ from it by
  three times the largest difference among these. As this is coarse, such readers' own decoded weights are run as well,
  in single precision.

A tolerance is never less than 1e-3.
"""
import torch
from transformers import AutoModelForCausalLM

LEAST = 1e-3
MARGIN = 3
REPEATS = 8
TEXT = (
    "The ship left the harbour before dawn, and nobody on the quay knew where it would go. For seven days the wind blew from "
    "the north; on the eighth it turned, and 42 men rowed her back to the island where they had buried their bread, their "
    "letters and a clock. Whoever finds it may keep it, said the captain, but he must wind it every evening.")
TOKENS = 64


def prompt(folder):
    """The ids of the fixed text's first tokens."""
    from tokenizers import Tokenizer

    return Tokenizer.from_file(str(folder / "tokenizer.json")).encode(TEXT).ids[:TOKENS]


def load(folder, dtype=torch.float32):
    return AutoModelForCausalLM.from_pretrained(str(folder), dtype=dtype).eval()


def run(model, ids, rounding=None, repeats=0):
    """Logits [tokens, vocabulary]. `rounding` gives for a linear layer's name what is done to its inputs, or None. With
    `repeats`, so many times these, the inputs changed by some millionth of themselves before."""
    random, handles = torch.Generator().manual_seed(1), []

    def hook(change):
        def changed(_, inputs):
            x = inputs[0]
            return (change(x * (1 + 1e-6 * torch.randn(x.shape, generator=random)) if repeats else x),)

        return changed

    for name, module in model.named_modules():
        change = rounding(name) if rounding and isinstance(module, torch.nn.Linear) else None
        if change:
            handles.append(module.register_forward_pre_hook(hook(change)))
    with torch.no_grad():
        found = model(torch.tensor([ids] * max(repeats, 1)), use_cache=False).logits.float()
    for handle in handles:
        handle.remove()
    return found if repeats else found[0]


def difference(found, expected):
    """The largest one, relative to the largest logit; infinite where there is no number."""
    found = torch.as_tensor(found, dtype=torch.float64)
    if found.shape != expected.shape:
        return float("inf")
    worst = float((found - expected).abs().max() / expected.abs().max())
    return worst if worst == worst else float("inf")


class Expected:
    """The logits of one decoded folder, under each arithmetic that is asked for."""

    def __init__(self, folder, ids):
        self.folder, self.ids = folder, ids
        self.model = load(folder)
        self.exact = run(self.model, ids)

    def rounded(self, rounding):
        """The run with these inputs, and those that begin next to it."""
        return run(self.model, self.ids, rounding), run(self.model, self.ids, rounding, REPEATS)

    def with_weights(self, dtype):
        """The run in single precision with the linear layers' weights rounded to a type."""
        model = load(self.folder)
        for module in model.modules():
            if isinstance(module, torch.nn.Linear):
                module.weight.data = module.weight.data.to(dtype).float()
        return run(model, self.ids)

    def judge(self, found, arithmetic, rounding=None, weights=None, like=None, margin=MARGIN):
        """A row for the table. Arithmetic is float32, float16 or bfloat16 throughout, or a name for what the rest describes:
        inputs or weights that are rounded, or one of those three."""
        kind, expected, tolerance = like or arithmetic, self.exact, LEAST
        if rounding:
            expected, others = self.rounded(rounding)
            tolerance = margin * max(difference(other, expected) for other in others)
        elif weights:
            expected = self.with_weights(weights)
        elif kind != "float32":
            tolerance = margin * difference(run(load(self.folder, getattr(torch, kind)), self.ids), expected)
        return {"arithmetic": arithmetic, "difference": difference(found, expected), "tolerance": max(LEAST, tolerance),
                "exact": difference(found, self.exact)}


def log_likelihood(logits, ids):
    """The mean over the second half of the window, as `nibble evaluate` takes it: each token given all before it."""
    scored = torch.arange(len(ids) // 2, len(ids) - 1)
    values = torch.as_tensor(logits, dtype=torch.float64)[scored].log_softmax(-1)
    return float(values[torch.arange(len(scored)), torch.tensor(ids)[scored + 1]].mean())


def likelihood_tolerance(logits, others, ids):
    """Five times the deviation of the log likelihoods of runs that begin next to one."""
    values = [log_likelihood(other, ids) - log_likelihood(logits, ids) for other in others]
    return max(LEAST, 5 * (sum(value * value for value in values) / len(values)) ** 0.5)


def integers(size, half_scales):
    """Rounds inputs to integers of 8 bits, a scale for each block of `size`; with scales kept as half-precision numbers or floats."""

    def change(x):
        groups = x.reshape(*x.shape[:-1], -1, size)
        step = groups.abs().amax(-1, keepdim=True) / 127
        codes = torch.where(step == 0, step, groups / step).round()
        return (codes * (step.half().float() if half_scales else step)).reshape(x.shape)

    return change
