#!/usr/bin/env python3
"""Holds `nibble tokenize` against the reference libraries, line by line.

    python3 scripts/judges/tokenizer-ids.py --nibble .build/release/nibble --prose FOLDER MODEL...

A MODEL is a folder with tokenizer.json (judged by the `tokenizers` package), a folder with tokenizer.model or spiece.model
(judged by `sentencepiece`), or a GGUF file: the pipeline that its keys name is built anew in `tokenizers`. Beside a GGUF file
FILE, FILE.inp and FILE.out (texts and ids, as llama.cpp keeps them) are judged too.

The text is 12,000 lines: prose and code from the files of FOLDER, other scripts, emoji, odd white space, control characters,
numbers, and random characters; and all of it once more as one text. Each line is tokenized without begin and end tokens, and
decoded again. Prints a line a model and exits 1 where ids differ.

Needs: pip install tokenizers sentencepiece protobuf gguf
"""
import argparse
import base64
import json
import pathlib
import random
import subprocess
import sys
import tempfile
import time
import unicodedata

SCRIPTS = """Zażółć gęślą jaźń — „cudzysłów” i wielokropek… 3,14 zł
Straße, Größe, Übermut: »Anführung« – 1.234,56 €
Съешь же ещё этих мягких французских булок, да выпей чаю. №42
Ο Ιησούς ἐν ἀρχῇ ἦν ὁ λόγος· τί; καὶ ὕδωρ
敏捷的棕色狐狸跳過了懶狗。２０２４年１２月３１日「引用」、《書名》！
いろはにほへと ちりぬるを カタカナ ﾊﾝｶｸ ｶﾞｷﾞ 東京特許許可局
다람쥐 헌 쳇바퀴에 타고파. 각 한글 자모 ㄱㄴㄷ
صِف خَلقَ خَودٍ كَمِثلِ الشَمسِ إِذ بَزَغَت ٠١٢٣٤٥٦٧٨٩
דג סקרן שט בים מאוכזב ולפתע מצא חברה שָׁלוֹם
ऋषियों को सताने वाले दुष्ट राक्षसों के राजा रावण का सर्वनाश १२३
নিশীথ ঘোষ বাংলা ৪৫৬ தமிழ் எழுத்து తెలుగు ಕನ್ನಡ മലയാളം
เป็นมนุษย์สุดประเสริฐเลิศคุณค่า กว่าบรรดาฝูงสัตว์เดรัจฉาน ๗๘๙
Tiếng Việt: Chữ quốc ngữ đã được dùng; ặ ẫ ộ ử
Ⅳ ½ ² ₃ ① ㊿ ﬁ ﬂ ﷺ Å Å ẛ̣ ǅ ǆ ŉ ℃ ㎏ ™ … ‥ ／ ～
👩‍👩‍👧‍👦 👍🏽 🇵🇱🇯🇵 ❤️ 🏴󠁧󠁢󠁥󠁮󠁧󠁿 🤷🏻‍♀️ 😀😃😄 ☺︎
é è ê ë à ç ñ ü ö (decomposed) Å ş q̇̇̇
𝔘𝔫𝔦𝔠𝔬𝔡𝔢 𝟘𝟙𝟚 𐍈 𠜎𠜱 ꧁༒꧂ 𒀀 ꜩ
I'm you're we've they'll he'd DON'T It'S ’tis 'Tis o'clock ſ 'ſ
def f(x: int) -> str:\treturn f"{x:>10}"  # комментарий
for (int i = 0; i < n; ++i) { a[i] <<= 2; s += "\\n\\t"; } // --><!--
SELECT * FROM `t` WHERE a != 'b' AND c >= 1e-10; /* x */
<div class="a b" id='c'>&nbsp;&lt;</div> https://example.com/?q=1&r=%20#frag
camelCase HTTPServer XMLHttpRequest snake_case kebab-case ALLCAPS MixedCASE iPhone McDonald
1 12 123 1234 12345 123456789012345678901234567890 0x1F 1_000 3.14e-5 ½ 12½ 1２3
$100 €5 £3 ¥9 50% #tag @user a+b=c x^2 ~/.bashrc C:\\Windows\\x ||| --- === ??? !!! ...
""".splitlines()
SPACES = [" ", "  ", "   ", " " * 7, " " * 17, "\t", "\t\t", " \t ", "\u00a0", "\u2003", "\u3000", "\u200b", "\u200d",
          "\u2028", "\u2029", "\u0085", "\r", " \r", "\r\r", "\u1680", "\ufeff", "\v", "\f", "\u202f", "\u2581"]
CONTROLS = [chr(code) for code in range(1, 32) if code != 10] + ["\x7f", "\x80", "\x9f", "\xad", "\ufffd", "\U0010ffff", "\ue000"]


def mixed_text(prose, count):
    """Lines of all kinds, the same for the same prose."""
    chance = random.Random(20261122)
    lines = []
    if prose:
        for file in sorted(prose.rglob("*")):
            if file.is_file() and file.suffix in {".txt", ".md", ".swift", ".py", ".c", ".json", ".jinja", ""} and file.stat().st_size < 4e6:
                try:
                    lines += [line for line in file.read_text("utf-8").split("\n") if line]
                except UnicodeDecodeError:
                    continue
    chance.shuffle(lines)
    lines = lines[: count // 2]

    def character():
        while True:
            kind = chance.random()
            code = chance.randrange(32, 127) if kind < 0.4 else chance.randrange(0x110000 if kind < 0.5 else 0x3100 if kind < 0.8 else 0x10000)
            if code != 10 and code != 0 and not 0xD800 <= code < 0xE000 and unicodedata.category(chr(code)) != "Cn":
                return chr(code)

    words = [word for line in SCRIPTS + lines[:2000] for word in line.split(" ")]
    while len(lines) < count:
        kind = chance.random()
        if kind < 0.15:
            lines.append(chance.choice(SCRIPTS))
        elif kind < 0.5:
            parts = []
            for _ in range(chance.randrange(1, 20)):
                parts += [chance.choice(words), chance.choice(SPACES) if chance.random() < 0.5 else " "]
            lines.append("".join(parts))
        elif kind < 0.6:
            lines.append("".join(chance.choice(words)[: chance.randrange(1, 6)] + chance.choice(CONTROLS + SPACES) for _ in range(8)))
        elif kind < 0.7:
            lines.append("".join(chance.choice("0123456789٣५５,.") for _ in range(chance.randrange(1, 30))))
        elif kind < 0.75:
            lines.append(chance.choice("a ab !?= .-_ \t é 漢 👍".split(" ")) * chance.randrange(1, 200))
        elif kind < 0.8:
            lines.append("".join(chance.choice("aAbBéÉßſʰªºǅ漢の'/") + chance.choice(["", "", "\u0301"]) for _ in range(20)))
        else:
            lines.append("".join(character() for _ in range(chance.randrange(1, 60))))
    chance.shuffle(lines)
    return lines


GPT2 = r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"
CONTRACTIONS = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)"
REST = r" ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
LLAMA3 = CONTRACTIONS + r"|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}|" + REST
QWEN2 = CONTRACTIONS + r"|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}|" + REST
QWEN35 = CONTRACTIONS + r"|[^\r\n\p{L}\p{N}]?[\p{L}\p{M}]+|\p{N}| ?[^\s\p{L}\p{M}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
UPPER, LOWER = r"[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]", r"[\p{Ll}\p{Lm}\p{Lo}\p{M}]"
TEKKEN = (rf"[^\r\n\p{{L}}\p{{N}}]?{UPPER}*{LOWER}+|[^\r\n\p{{L}}\p{{N}}]?{UPPER}+{LOWER}*|\p{{N}}|"
          r" ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+")
MARK = "\u2581"


def from_gguf(path):
    """The pipeline that a GGUF file names, built from the published facts about it; None where we know none."""
    from gguf import GGUFReader
    from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers
    fields = GGUFReader(path).fields

    def get(name, missing=None):
        field = fields.get("tokenizer.ggml." + name)
        return missing if field is None else field.contents()

    tokens, types = get("tokens"), get("token_type")
    ids = {token: number for number, token in reversed(list(enumerate(tokens)))}

    def pairs():
        for merge in get("merges"):
            left, _, right = merge.partition(" ")
            yield (left, right)

    kind, pre = get("model"), get("pre", "default")
    cuts = {"gpt-2": [GPT2], "mpt": [GPT2], "llama-bpe": [LLAMA3], "qwen2": [QWEN2], "qwen35": [QWEN35], "tekken": [TEKKEN],
            "falcon": [r"[\p{P}\$\+<=>\^~\|`]+", GPT2, "[0-9][0-9][0-9]"],
            "starcoder": [r"\p{N}", GPT2], "refact": [r"\p{N}", GPT2], "command-r": [r"\p{N}", GPT2], "smollm": [r"\p{N}", GPT2],
            "default": [r"[\p{P}\$\+<=>\^~\|]+", GPT2, r"\p{N}+", "[0-9][0-9][0-9]"]}
    if kind == "gpt2" and pre in cuts:
        tokenizer = Tokenizer(models.BPE(ids, list(pairs()), ignore_merges=pre in ("llama-bpe", "tekken")))
        if pre.startswith("qwen"):
            tokenizer.normalizer = normalizers.NFC()
        tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
            [pre_tokenizers.Split(Regex(cut), "isolated") for cut in cuts[pre]]
            + [pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)])
    elif kind in ("llama", "gemma4"):
        if kind == "llama":
            scores, merges = get("scores"), []
            part = {token: number for number, token in enumerate(tokens) if types[number] in (1, 4)}
            for token, number in part.items():
                splits = [(token[:cut], token[cut:]) for cut in range(1, len(token))]
                splits = sorted((pair for pair in splits if pair[0] in part and pair[1] in part), key=lambda pair: (part[pair[0]], part[pair[1]]))
                merges += [(scores[number], pair) for pair in splits]
            merges.sort(key=lambda one: -one[0])
            merges = [pair for _, pair in merges]
        else:
            merges = list(pairs())
        tokenizer = Tokenizer(models.BPE(ids, merges, unk_token=tokens[get("unknown_token_id", 0)], fuse_unk=True, byte_fallback=True))
        steps = [normalizers.Prepend(MARK)] if get("add_space_prefix", True) else []
        tokenizer.normalizer = normalizers.Sequence(steps + [normalizers.Replace(" ", MARK)])
        if kind == "gemma4":
            tokenizer.pre_tokenizer = pre_tokenizers.Split(Regex(r"[^\n]+|[\n]+"), "isolated")
    elif kind == "t5":
        # The keys are those of a SentencePiece file, so it is put together again.
        import sentencepiece
        from sentencepiece import sentencepiece_model_pb2
        file = sentencepiece_model_pb2.ModelProto()
        for token, score, type in zip(tokens, get("scores"), types):
            file.pieces.add(piece=token, score=score, type=type)
        file.trainer_spec.model_type = 1
        file.trainer_spec.unk_id = get("unknown_token_id", 2)
        file.normalizer_spec.precompiled_charsmap = bytes(value & 255 for value in get("precompiled_charsmap", []))
        file.normalizer_spec.add_dummy_prefix = get("add_space_prefix", True)
        file.normalizer_spec.remove_extra_whitespaces = get("remove_extra_whitespaces", False)
        return sentence_piece(sentencepiece.SentencePieceProcessor(model_proto=file.SerializeToString()))
    else:
        return None, None
    for number, token in enumerate(tokens):
        if types[number] in (3, 4) or types[number] == 2 and kind == "gpt2":
            tokenizer.add_tokens([AddedToken(token, special=types[number] != 4, normalized=False)])
    return (lambda text: tokenizer.encode(text, add_special_tokens=False).ids), None


def sentence_piece(processor):
    unknown = processor.decode([processor.unk_id()])
    return processor.encode, lambda ids: processor.decode(ids).replace(unknown, processor.id_to_piece(processor.unk_id()))


def reference(path):
    """Functions from text to ids and back, what they are, and whether the spelling of special tokens is read as such."""
    if path.suffix == ".gguf":
        made = from_gguf(str(path))
        return made, "the library, from the file's keys", made[1] is None
    if (path / "tokenizer.json").exists():
        from tokenizers import Tokenizer
        tokenizer = Tokenizer.from_file(str(path / "tokenizer.json"))
        return ((lambda text: tokenizer.encode(text, add_special_tokens=False).ids),
                lambda ids: tokenizer.decode(ids, skip_special_tokens=False)), "tokenizers", True
    for name in ("tokenizer.model", "spiece.model"):
        if (path / name).exists():
            import sentencepiece
            processor = sentencepiece.SentencePieceProcessor(model_file=str(path / name))
            return sentence_piece(processor), "sentencepiece", False
    return (None, None), "", True


class Nibble:
    def __init__(self, binary, model):
        self.binary, self.model = binary, str(model)

    def run(self, text, *options):
        with tempfile.NamedTemporaryFile() as file:
            file.write(text.encode())
            file.flush()
            command = [self.binary, "tokenize", self.model, "--text", file.name, "--json", *options]
            done = subprocess.run(command, capture_output=True)
        if done.returncode:
            raise SystemExit(f"{self.model}: {done.stderr.decode().strip()}")
        return json.loads(done.stdout)


def kept(path):
    """The texts and ids that llama.cpp keeps beside a vocabulary."""
    texts, ids = path.with_name(path.name + ".inp"), path.with_name(path.name + ".out")
    if not texts.exists():
        return []
    parts = texts.read_text("utf-8").split("\n__ggml_vocab_test__\n")
    return list(zip(parts, ([int(word) for word in line.split()] for line in ids.read_text().splitlines())))


def judge(nibble, path, lines, verbose):
    (encode, decode), name, parses = reference(path)
    options = ["--no-special"] + ([] if parses else ["--plain"])
    report, faults = [], 0
    cases = kept(path) if path.suffix == ".gguf" else []
    wrong = [text for text, ids in cases if nibble.run(text, "--no-special", "--plain")["ids"] != ids]
    if cases:
        report.append(f"llama.cpp's {len(cases)} texts: {len(wrong)} differ")
        faults += len(wrong)
        for text in wrong[:verbose]:
            print("   ", repr(text))
    found = nibble.run("\n".join(lines) + "\n", "--lines", *options)["ids"]
    assert len(found) == len(lines), (len(found), len(lines))
    if encode:
        start = time.time()
        expected = [encode(line) for line in lines]
        seconds = time.time() - start
        different = [number for number in range(len(lines)) if found[number] != expected[number]]
        faults += len(different)
        report.append(f"{name}: {len(lines)} lines, {sum(map(len, expected))} tokens, {len(different)} lines differ")
        for number in different[:verbose]:
            place = next((at for at, (one, two) in enumerate(zip(found[number], expected[number])) if one != two), 0)
            print("   ", ascii(lines[number])[:200], place, found[number][place : place + 6], expected[number][place : place + 6])
        whole = "\n".join(lines)
        got, want = nibble.run(whole, *options), encode(whole)
        faults += got["ids"] != want
        report.append("the whole as one text: " + ("same" if got["ids"] == want else "differs"))
        if got["ids"] != want and verbose:
            place = next((at for at, (one, two) in enumerate(zip(got["ids"], want)) if one != two), 0)
            print("   ", place, got["ids"][place - 2 : place + 6], want[place - 2 : place + 6])
        report.append(f"{len(whole.encode()) / got['seconds'] / 1e6:.1f} MB/s")
    text = "\n".join(" ".join(map(str, ids)) for ids in found) + "\n"
    back = nibble.run(text, "--decode", "--lines")["text"]
    # A mark for spaces in the text itself comes back as a space.
    wanted = list(map(decode, found)) if decode else [
        line if back[number] == line else line.replace(MARK, " ") for number, line in enumerate(lines)]
    changed = [number for number in range(len(lines)) if back[number] != wanted[number]]
    report.append(f"{len(changed)} lines decode to another text than " + ("in the reference" if decode else "they were"))
    for number in changed[:verbose]:
        print("   ", ascii(wanted[number])[:120], "is", ascii(back[number])[:120])
    print(f"{path.name}: " + "; ".join(report), flush=True)
    return faults


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--nibble", default=".build/release/nibble")
    parser.add_argument("--prose", type=pathlib.Path, help="a folder whose text files are read")
    parser.add_argument("--lines", type=int, default=12_000)
    parser.add_argument("--show", type=int, default=3, help="differences to print for each model")
    parser.add_argument("models", nargs="+", type=pathlib.Path)
    options = parser.parse_args()
    lines = mixed_text(options.prose, options.lines)
    faults = sum(judge(Nibble(options.nibble, path), path, lines, options.show) for path in options.models)
    sys.exit(1 if faults else 0)


main()
