#!/usr/bin/env python3
"""Holds our chat templates against `transformers`, for real templates and many conversations.

    python3 scripts/judges/chat-templates.py --nibble .build/release/nibble TEMPLATE.jinja...

Each template is put beside a small tokenizer and rendered by `nibble tokenize --chat`, and by the function behind
transformers' apply_chat_template, over the conversations of scripts/fixtures/chat-templates/conversations.py and those below:
system prompts, several turns, tools and their results, reasoning, content in parts, with and without the generation prompt.
Where the reference refuses a conversation we have to refuse it too. Prints a line a template and exits 1 on a difference.

Needs: pip install transformers jinja2
"""
import argparse
import copy
import json
import pathlib
import subprocess
import sys
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "fixtures" / "chat-templates"))
import conversations as ours  # noqa: E402


def say(role, content, **more):
    return {"role": role, "content": content, **more}


THOUGHT = say("assistant", "Seven.", reasoning_content="Sum of 4 and 3.\nThat is seven.")
TEXT_CALL = say("assistant", "", tool_calls=[
    {"id": "abcdefghi", "type": "function", "function": {"name": "weather", "arguments": '{"city": "Łódź"}'}}])
PARTS = [{"type": "text", "text": "two"}, {"type": "text", "text": " parts"}]
BASIC = [
    [ours.USER],
    [ours.SYSTEM, ours.USER],
    [ours.USER, ours.ASSISTANT, ours.AGAIN],
    [ours.SYSTEM, ours.USER, ours.ASSISTANT, ours.AGAIN, ours.THOUGHT, ours.USER],
    [ours.USER, ours.ASSISTANT],
    [ours.USER, ours.USER],
    [ours.ASSISTANT, ours.USER],
    [ours.SYSTEM],
    [ours.USER, THOUGHT, ours.AGAIN],
    [ours.USER, THOUGHT],
    [ours.USER, ours.THOUGHT],
    [ours.WORLD],
    [say("user", PARTS)],
    [say("system", PARTS), say("user", PARTS), say("assistant", PARTS), say("user", "x")],
    [say("user", "")],
    [say("user", "  \n"), say("assistant", ""), say("user", "\n\na")],
    [say("developer", "Be brief."), ours.USER],
    [say("narrator", "once"), ours.USER],
]
WITH_TOOLS = [
    [ours.USER],
    [ours.SYSTEM, ours.USER],
    [ours.USER, ours.CALL, ours.RESULT],
    [ours.SYSTEM, ours.USER, ours.CALL, ours.RESULT, ours.ASSISTANT, ours.AGAIN],
    [ours.USER, ours.TWO_CALLS, ours.RESULT, dict(ours.RESULT, content="[1, 2]", name="dice", tool_call_id="x")],
    [ours.USER, TEXT_CALL, ours.RESULT],
    [ours.USER, dict(ours.CALL, content="Let me see.", reasoning_content="A tool helps."), ours.RESULT],
    [ours.USER, ours.CALL, dict(ours.RESULT, content=PARTS)],
    [ours.USER, dict(ours.CALL, content=None), ours.RESULT, ours.ASSISTANT],
]


def cases():
    yield from (dict(value) for value in ours.INPUTS.values())
    for prompt in (True, False):
        for extra in ({}, {"enable_thinking": True}, {"enable_thinking": False}, {"thinking": True, "reasoning_effort": "low"}):
            for messages in BASIC:
                yield {"messages": messages, "add_generation_prompt": prompt, **extra}
        for extra in ({}, {"enable_thinking": False}, {"tools_in_user_message": False, "documents": [{"title": "t", "text": "x"}]}):
            for messages in WITH_TOOLS:
                yield {"messages": messages, "tools": ours.TOOLS, "add_generation_prompt": prompt, **extra}


def reference(template, case, tokens):
    from transformers.utils.chat_template_utils import render_jinja_template
    case = copy.deepcopy(case)
    try:
        texts, _ = render_jinja_template(
            conversations=[case.pop("messages")], tools=case.pop("tools", None), documents=case.pop("documents", None),
            chat_template=template, add_generation_prompt=case.pop("add_generation_prompt", True), **tokens, **case)
        return texts[0], None
    except Exception as error:
        return None, f"{type(error).__name__}: {error}"


def small_tokenizer(tokens):
    """A byte-level tokenizer without merges."""
    alphabet = [chr(code) for code in [*range(33, 127), *range(161, 173), *range(174, 256), *range(256, 324)]]
    vocabulary = {spelling: number for number, spelling in enumerate(alphabet)}
    added = sorted({text for text in tokens.values()})
    return {
        "added_tokens": [{"id": 256 + number, "content": text, "special": True, "normalized": False} for number, text in enumerate(added)],
        "pre_tokenizer": {"type": "ByteLevel", "add_prefix_space": False, "use_regex": True},
        "decoder": {"type": "ByteLevel"},
        "model": {"type": "BPE", "vocab": vocabulary, "merges": []},
    }


def judge(binary, path, show):
    template, tokens, inputs = path.read_text("utf-8"), dict(ours.TOKENS), list(cases())
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        (folder / "tokenizer.json").write_text(json.dumps(small_tokenizer(tokens)))
        (folder / "tokenizer_config.json").write_text(json.dumps(tokens))
        (folder / "chat_template.jinja").write_text(template)
        (folder / "inputs.jsonl").write_text("".join(json.dumps(case) + "\n" for case in inputs))
        command = [binary, "tokenize", folder, "--text", folder / "inputs.jsonl", "--chat", "--lines", "--json"]
        done = subprocess.run(command, capture_output=True)
    if done.returncode:
        print(f"{path.name}: {done.stderr.decode().strip()}")
        return 1
    results = json.loads(done.stdout)["conversations"]
    assert len(results) == len(inputs)
    refused, shown, faults = 0, 0, 0
    for case, result in zip(inputs, results):
        expected, error = reference(template, case, tokens)
        refused += expected is None
        if result.get("text") == expected:
            continue
        faults += 1
        shown += 1
        if shown <= show:
            print("   ", json.dumps(case)[:300])
            print("      expected", repr(expected)[-400:] if expected is not None else error)
            print("      got     ", repr(result.get("text"))[-400:] if "text" in result else result["error"])
    print(f"{path.name}: {len(inputs)} conversations, {refused} refused, {faults} differ", flush=True)
    return faults


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--nibble", default=".build/release/nibble")
    parser.add_argument("--show", type=int, default=2, help="differences to print for each template")
    parser.add_argument("templates", nargs="+", type=pathlib.Path)
    options = parser.parse_args()
    faults = sum(judge(options.nibble, path, options.show) for path in options.templates)
    sys.exit(1 if faults else 0)


main()
