"""Goldens of CLIP's tokenizer: a small vocabulary trained here, texts of all kinds, and the numbers that transformers gives them.

    python Parity/tokenizers_clip.py                            writes the goldens of the test suite
    python Parity/tokenizers_clip.py --big OUT                  the same with all merges of its words, 12,000 texts
    python Parity/tokenizers_clip.py --vocabulary FILE OUT      the same with OpenAI's merges (bpe_simple_vocab_16e6.txt.gz), 12,000 texts

Writes a tokenizer folder (vocab.json, merges.txt, tokenizer_config.json) and texts.json: a list of [text, [ids without padding]].
"""
import argparse
import gzip
import json
import random
import sys
import unicodedata
from pathlib import Path

FOLDER = Path(__file__).resolve().parent.parent / "Tests/QuickstepTokenizersTests/Fixtures/clip"
WORDS = ("a photo of the astronaut riding horse on mars portrait painting greg rutkowski highly detailed trending artstation don't it's "
         "we'll they're I've I'm he'd naïve café über straße ÅNGSTRÖM İstanbul ΣΊΣΥΦΟΣ привет мир 你好世界 日本語 한국어 हिन्दी עברית العربية "
         "8k 4K 1080p f/1.8 (masterpiece:1.2) [ugly] {x|y} <lora:add:0.8> 🦊 ❤️ 👩‍🚀 🏳️‍🌈 #tag @user snake_case CamelCase half-life "
         "½ ² ⅷ ① ﬁ ỗ é ... !!! ?! -- — “quoted” ‘s ''s ' '' 's 't x' \t \u00a0 \u2003 \u200b \ufeff \x00 \x1f e\u0301 a\u030a\u0323").split(" ")


def texts(count):
    rng = random.Random(7)
    fixed = ["", " ", "\n\t", "a", "A" * 300, "ab " * 100, "don't", "DON'T", "it''s", "<|endoftext|>", "x<|startoftext|>y", "<|ENDOFTEXT|>",
             "🦊" * 40, "'", "''", "a'", "1234567890", "e\u0301e\u0301", "İİ", "ǅ ǆ", "ß ẞ", "\u0130\u0307", "日本語のテキスト", "a\u00adb"]
    result = list(fixed)
    while len(result) < count:
        kind = rng.random()
        if kind < 0.7:
            parts = [rng.choice(WORDS) for _ in range(rng.randrange(1, 14))]
            result.append(rng.choice([" ", " ", "", "  ", ", "]).join(parts))
        elif kind < 0.9:
            planes = [(0x20, 0x7F), (0x20, 0x250), (0x370, 0x530), (0x590, 0x700), (0x900, 0xE00), (0x2000, 0x2C00), (0x3040, 0x3200),
                      (0x4E00, 0x5000), (0xAC00, 0xAD00), (0x1F300, 0x1F700), (0x300, 0x370)]
            low, high = rng.choice(planes)
            letters_ = [chr(rng.randrange(low, high)) for _ in range(rng.randrange(1, 30))]
            # Characters that a later Unicode has given out are letters to one library and not to the other.
            result.append("".join(letter for letter in letters_ if unicodedata.category(letter) != "Cn"))
        else:
            result.append("".join(rng.choice(WORDS) for _ in range(rng.randrange(20, 60))))
    return result


def letters():
    """GPT-2's printable letter for every byte."""
    printable = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    table, following = {}, 0x100
    for byte in range(256):
        if byte in printable:
            table[byte] = chr(byte)
        else:
            table[byte] = chr(following)
            following += 1
    return [table[byte] for byte in range(256)]


def vocabulary(merges):
    # OpenAI numbers printable bytes first; any order will do for the others' tests.
    base = [*[chr(b) for b in [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]]]
    base += [letter for letter in letters() if letter not in base]
    tokens = base + [letter + "</w>" for letter in base] + ["".join(pair) for pair in merges] + ["<|startoftext|>", "<|endoftext|>"]
    return {token: index for index, token in enumerate(tokens)}


def learned_merges(count):
    """Merges of the words above, by the usual greedy count: enough of a vocabulary to exercise ranks and overlaps."""
    table = letters()
    rows = [[table[b] for b in word.lower().encode()] for word in WORDS if word.strip()]
    for row in rows:
        row[-1] += "</w>"
    merges = []
    while len(merges) < count:
        counts = {}
        for row in rows:
            for pair in zip(row, row[1:]):
                counts[pair] = counts.get(pair, 0) + 1
        if not counts:
            break
        best = min(counts, key=lambda pair: (-counts[pair], pair))
        merges.append(best)
        for row in rows:
            index = 0
            while index < len(row) - 1:
                if (row[index], row[index + 1]) == best:
                    row[index:index + 2] = ["".join(best)]
                index += 1
    return merges


def write(folder, merges, count):
    from transformers import CLIPTokenizer

    folder.mkdir(parents=True, exist_ok=True)
    vocab = vocabulary(merges)
    tokenizer = CLIPTokenizer(vocab=vocab, merges=merges, model_max_length=77)
    (folder / "vocab.json").write_text(json.dumps(vocab, ensure_ascii=False) + "\n", encoding="utf8")
    (folder / "merges.txt").write_text("#version: 0.2\n" + "\n".join(" ".join(pair) for pair in merges) + "\n", encoding="utf8")
    (folder / "tokenizer_config.json").write_text(json.dumps(
        {"model_max_length": 77, "pad_token": {"content": "<|endoftext|>"}, "bos_token": "<|startoftext|>"}) + "\n")
    rows = [[text, tokenizer(text, truncation=True, max_length=77)["input_ids"]] for text in texts(count)]
    (folder / "texts.json").write_text(json.dumps(rows, ensure_ascii=True, indent=None) + "\n")
    print(f"{len(vocab)} tokens, {len(rows)} texts in {folder}")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--big", type=Path, metavar="OUT")
    parser.add_argument("--vocabulary", nargs=2, metavar=("FILE", "OUT"))
    arguments = parser.parse_args()
    if arguments.vocabulary:
        lines = gzip.open(arguments.vocabulary[0], "rt", encoding="utf8").read().split("\n")[1:49152 - 256 - 2 + 1]
        write(Path(arguments.vocabulary[1]), [tuple(line.split()) for line in lines], 12000)
    elif arguments.big:
        write(arguments.big, learned_merges(10_000), 12000)
    else:
        write(FOLDER, learned_merges(240), 500)


if __name__ == "__main__":
    sys.exit(main())
