"""Goldens of T5's, GPT-2's, Qwen's, Llama 3's and Gemma's kinds of tokenizer: small vocabularies trained here, texts of all kinds, and the
numbers that the reference libraries give them.

    python Parity/tokenizers_subword.py                       writes the goldens of the test suite
    python Parity/tokenizers_subword.py --big OUT [--data D]  larger vocabularies, 12,000 texts each; D is a folder with text/*.txt to train on
                                                              and, if there, tokenizers/{gpt2_encoder.json,gpt2_vocab.bpe,*.model}

Writes one folder per case: the tokenizer's files and texts.json, a list of [text, [ids]] without padding or cutting. Files named
`spiece.model` are compared with the sentencepiece package, all others with tokenizers and transformers.
"""
import argparse
import io
import json
import random
import re
import shutil
import sys
import unicodedata
from pathlib import Path

from tokenizers_clip import WORDS, texts as clip_texts

FOLDER = Path(__file__).resolve().parent.parent / "Tests/QuickstepTokenizersTests/Fixtures"
QWEN = (r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+")
LLAMA = QWEN.replace(r"\p{N}|", r"\p{N}{1,3}|", 1)
GPT4 = (r"'(?i:[sdmt]|ll|ve|re)|[^\r\n\p{L}\p{N}]?+\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]++[\r\n]*|\s*[\r\n]|\s+(?!\S)|\s+")
GPT4O = "|".join([
    r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+(?i:'s|'t|'re|'ve|'m|'ll|'d)?",
    r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*(?i:'s|'t|'re|'ve|'m|'ll|'d)?",
    r"\p{N}{1,3}", r" ?[^\s\p{L}\p{N}]+[\r\n/]*", r"\s*[\r\n]+", r"\s+(?!\S)", r"\s+"])
MARKS = ["<extra_id_0>", "<extra_id_99> x", "a</s>b", "<pad>", "<unk>", "<|endoftext|>", "<|im_start|>user\n", "<bos>", "<eos>a", "<mask> <mask>",
         "▁", "a▁b", "▁▁ x", "<0x41>", "\x00\x01\x1f\x7f", "\u0085\u00a0\u2028\u2029\u3000", "'ſ 'S 'LL don'T", "Ⅷ ² ½ ①", "ﬁﬂ ﬃ", "Å Å Å",
         "각 각 한글", "\u0301\u0302", "e\u0301\u0327\u0323", "½\u0301 ™\u0301", "a\r\nb\rc\n\nd\r\n\r\n e", "   lead", "trail   ", " \t \n \x0b\x0c x",
         "1234567 12 1,234.5", "🏳️‍🌈👩‍🚀🦊", "\u200b\u200d\ufeff\u00ad", "カﾞｶﾞ", "ǆ ǅ", "𝒜𝓫 𝟙", "a" * 3000, "🦊" * 500, "word " * 700,
         "\n" * 900, " " * 900, "e\u0301" * 400]


def texts(count, lines):
    rng = random.Random(11)
    result = MARKS + clip_texts(count // 3)
    while len(result) < count:
        kind = rng.random()
        if kind < 0.25 and lines:
            result.append(rng.choice(lines))
        elif kind < 0.6:
            parts = [rng.choice(WORDS + MARKS[:20]) for _ in range(rng.randrange(1, 10))]
            result.append(rng.choice([" ", "", "  ", "\n", ", "]).join(parts))
        else:
            high = rng.choice([0x80, 0x250, 0x3100, 0xFFFF, 0x1FFFF])
            letters = [chr(rng.randrange(0, high)) for _ in range(rng.randrange(1, 24))]
            # Characters that a later Unicode has given out are letters to one library and not to the other; U+0C3C is one that Python
            # knows already and the tokenizers library does not.
            result.append("".join(c for c in letters if unicodedata.category(c) not in ("Cn", "Cs") and c != "\u0c3c"))
    return result[:count]


def small_rules(path):
    """A short table of normalisation with what the usual one does to spaces, controls, forms of letters and accents."""
    rows = {}
    for code in [*range(1, 9), *range(0xE, 0x20), 0x7F, 0xAD, 0x200B, 0x200D, 0xFEFF]:
        rows[(code,)] = ()
    for code in [9, 10, 0xB, 0xC, 13, 0x85, 0xA0, 0x2003, 0x2028, 0x2029, 0x3000]:
        rows[(code,)] = (32,)
    for code in [*range(0xA0, 0x180), *range(0x2150, 0x2190), *range(0x2460, 0x2480), *range(0xFB00, 0xFB07), *range(0xFF01, 0xFF9F), 0x2122]:
        wanted = tuple(map(ord, unicodedata.normalize("NFKC", chr(code))))
        if wanted != (code,) and (code,) not in rows:
            rows[(code,)] = wanted
    for letter in "aceinouACEINOU":
        for accent in (0x300, 0x301, 0x302, 0x303, 0x308, 0x327):
            wanted = unicodedata.normalize("NFKC", letter + chr(accent))
            if len(wanted) == 1:
                rows[(ord(letter), accent)] = (ord(wanted),)
    path.write_text("".join(f"{' '.join(f'{c:X}' for c in key)}\t{' '.join(f'{c:X}' for c in value)}\n" for key, value in rows.items()))


def train_pieces(folder, corpus, size, full):
    import sentencepiece

    rules = folder / "rules.tsv"
    small_rules(rules)
    options = dict(normalization_rule_name="nmt_nfkc") if full else dict(normalization_rule_tsv=str(rules))
    model = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(corpus), model_writer=model, vocab_size=size, model_type="unigram", pad_id=0, eos_id=1, unk_id=2, bos_id=-1,
        character_coverage=0.9995, minloglevel=2, num_threads=1, hard_vocab_limit=False, **options)
    rules.unlink()
    # The trainer notes where its rules lay on the machine that made the model.
    message = proto(model.getvalue())
    message.normalizer_spec.normalization_rule_tsv = ""
    return message.SerializeToString()


def proto(model):
    from sentencepiece import sentencepiece_model_pb2

    message = sentencepiece_model_pb2.ModelProto()
    message.ParseFromString(model)
    return message


def write(folder, rows):
    # A golden pins the library's answer: nothing but texts and numbers.
    (folder / "texts.json").write_text(json.dumps(rows, ensure_ascii=True) + "\n")
    print(f"{folder.name}: {len(rows)} texts, {sum(f.stat().st_size for f in folder.iterdir())} bytes")


def pieces_case(folder, model, cases, extra=100):
    """`spiece.model` against the sentencepiece package, with T5's extra ids and end token as transformers adds them."""
    import sentencepiece

    processor = sentencepiece.SentencePieceProcessor(model_proto=model)
    count, end = processor.get_piece_size(), processor.piece_to_id("</s>")
    marks = {f"<extra_id_{extra - 1 - i}>": count + i for i in range(extra)}
    marks |= {processor.id_to_piece(i): i for i in range(count) if processor.is_control(i) or processor.is_unknown(i)}
    cut = re.compile("(" + "|".join(map(re.escape, sorted(marks, key=len, reverse=True))) + ")")

    def encode(text):
        ids = []
        for part in cut.split(text):
            ids += [marks[part]] if part in marks else processor.encode(part)
        return ids + [end]

    folder.mkdir(parents=True)
    (folder / "spiece.model").write_bytes(model)
    write(folder, [[text, encode(text)] for text in cases])


def json_case(folder, tokenizer, cases, change=lambda content: content):
    from tokenizers import Tokenizer

    folder.mkdir(parents=True)
    content = change(json.loads(tokenizer.to_str()))
    (folder / "tokenizer.json").write_text(json.dumps(content, ensure_ascii=False, indent=None, separators=(",", ":")) + "\n", encoding="utf8")
    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    write(folder, [[text, tokenizer.encode(text).ids] for text in cases])


def t5(model):
    """The tokenizer that transformers makes of a SentencePiece file."""
    from transformers import T5Tokenizer

    message = proto(model)
    vocabulary = [(piece.piece, piece.score) for piece in message.pieces] + [(f"<extra_id_{i}>", 0.0) for i in range(99, -1, -1)]
    made = T5Tokenizer(vocab=vocabulary, _spm_precompiled_charsmap=message.normalizer_spec.precompiled_charsmap)
    return made.backend_tokenizer


def older(model):
    """The form of the `tokenizer.json` files of Stable Diffusion 3 and FLUX."""
    from tokenizers import Regex, normalizers, pre_tokenizers

    made = t5(model)
    charsmap = proto(model).normalizer_spec.precompiled_charsmap
    made.normalizer = normalizers.Sequence(
        [normalizers.Precompiled(charsmap), normalizers.Strip(left=False, right=True), normalizers.Replace(Regex(" {2,}"), "▁")])
    made.pre_tokenizer = pre_tokenizers.Metaspace(replacement="▁", prepend_scheme="always")
    return made


def fallback(model):
    """Unigram with bytes for unknown characters."""
    from tokenizers import Tokenizer, models

    content = json.loads(t5(model).to_str())
    content["model"]["vocab"] = content["model"]["vocab"] + [[f"<0x{b:02X}>", -50.0] for b in range(256)]
    content["model"]["byte_fallback"] = True
    return Tokenizer.from_str(json.dumps(content))


def pairs(corpus, size, pattern, form=None, specials=(), **options):
    from tokenizers import Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers

    made = Tokenizer(models.BPE(**options))
    level = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=pattern is None)
    made.pre_tokenizer = level if pattern is None else pre_tokenizers.Sequence([pre_tokenizers.Split(Regex(pattern), "isolated"), level])
    made.normalizer = normalizers.NFC() if form == "NFC" else None
    made.decoder = decoders.ByteLevel()
    made.train_from_iterator(corpus, trainers.BpeTrainer(
        vocab_size=size, initial_alphabet=pre_tokenizers.ByteLevel.alphabet(), special_tokens=list(specials), show_progress=False))
    return made


def llama(corpus, size):
    from tokenizers import AddedToken, processors

    made = pairs(corpus, size, LLAMA, specials=["<|begin_of_text|>", "<|endoftext|>"], ignore_merges=True)
    made.add_tokens([AddedToken("mars", single_word=True, normalized=False), AddedToken("<mask>", lstrip=True, normalized=True),
                     AddedToken("<eos>", rstrip=True, normalized=False)])
    made.post_processor = processors.Sequence([
        processors.ByteLevel(trim_offsets=False),
        processors.TemplateProcessing(single="<|begin_of_text|> $A", special_tokens=[("<|begin_of_text|>", 0)])])
    return made


def strings(content):
    """Merges in their older spelling."""
    content["model"]["merges"] = [" ".join(pair) for pair in content["model"]["merges"]]
    return content


def gemma(corpus, size):
    from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers
    from transformers import GemmaTokenizer

    learner = Tokenizer(models.BPE(unk_token="<unk>", byte_fallback=True, fuse_unk=True))
    learner.normalizer = normalizers.Replace(" ", "▁")
    learner.pre_tokenizer = pre_tokenizers.Metaspace(replacement="▁", prepend_scheme="never")
    specials = ["<pad>", "<eos>", "<bos>", "<unk>", "<mask>"] + [f"<0x{b:02X}>" for b in range(256)]
    learner.train_from_iterator(corpus, trainers.BpeTrainer(vocab_size=size, special_tokens=specials, show_progress=False, limit_alphabet=200))
    content = json.loads(learner.to_str())["model"]
    made = GemmaTokenizer(vocab=content["vocab"], merges=[tuple(pair) for pair in content["merges"]])
    from tokenizers import processors
    backend = made.backend_tokenizer
    backend.post_processor = processors.TemplateProcessing(single="<bos> $A", special_tokens=[("<bos>", 2)])
    return backend


def gpt2_case(folder, vocabulary, merges, cases):
    from transformers import GPT2Tokenizer

    folder.mkdir(parents=True)
    (folder / "vocab.json").write_text(json.dumps(vocabulary, ensure_ascii=False) + "\n", encoding="utf8")
    (folder / "merges.txt").write_text("#version: 0.2\n" + "\n".join(" ".join(pair) for pair in merges) + "\n", encoding="utf8")
    (folder / "tokenizer_config.json").write_text(json.dumps({"eos_token": "<|endoftext|>", "pad_token": "<|endoftext|>"}) + "\n")
    tokenizer = GPT2Tokenizer(vocab=vocabulary, merges=merges)
    write(folder, [[text, tokenizer(text)["input_ids"]] for text in cases])


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--big", type=Path)
    parser.add_argument("--data", type=Path)
    arguments = parser.parse_args()
    root = arguments.big or FOLDER
    lines = []
    if arguments.data:
        lines = [line for path in sorted((arguments.data / "text").glob("*.txt")) for line in path.read_text(encoding="utf8").splitlines()]
        lines = [line for line in lines if len(line) > 30][:20000]
    # Without a corpus, the words of the texts themselves.
    rng = random.Random(3)
    corpus = lines + [" ".join(rng.choice(WORDS) for _ in range(12)) for _ in range(400 if not lines else 2000)]
    corpus = [line for line in corpus if "\x00" not in line]
    count, factor = (12000, 20) if arguments.big else (400, 1)
    cases = texts(count, lines)
    names = ["t5-json", "t5-pieces", "t5-metaspace", "t5-bytes", "qwen", "llama", "gpt4", "gpt4o", "gemma", "gpt2", "gpt2-real", "pieces-real"]
    for name in names:
        shutil.rmtree(root / name, ignore_errors=True)
    root.mkdir(parents=True, exist_ok=True)
    model = train_pieces(root, corpus, 300 * factor if lines else 300, full=bool(arguments.big))
    pieces_case(root / "t5-pieces", model, cases)
    json_case(root / "t5-json", t5(model), cases)
    json_case(root / "t5-metaspace", older(model), cases[:count])
    json_case(root / "qwen", pairs(corpus, 400 * factor, QWEN, form="NFC", specials=["<|endoftext|>", "<|im_start|>"]), cases)
    json_case(root / "llama", llama(corpus, 400 * factor), cases, strings)
    json_case(root / "gemma", gemma(corpus, 500 * factor), cases)
    content = json.loads(pairs(corpus, 400 * factor, None, specials=["<|endoftext|>"]).to_str())["model"]
    gpt2_case(root / "gpt2", content["vocab"], [tuple(pair) for pair in content["merges"]], cases)
    if arguments.big:
        json_case(root / "t5-bytes", fallback(model), cases)
        json_case(root / "gpt4", pairs(corpus, 8000, GPT4), cases)
        json_case(root / "gpt4o", pairs(corpus, 8000, GPT4O), cases)
    if arguments.data and (arguments.data / "tokenizers/gpt2_encoder.json").exists():
        vocabulary = json.loads((arguments.data / "tokenizers/gpt2_encoder.json").read_text(encoding="utf8"))
        merges = (arguments.data / "tokenizers/gpt2_vocab.bpe").read_text(encoding="utf8").split("\n")[1:]
        gpt2_case(root / "gpt2-real", vocabulary, [tuple(line.split(" ")) for line in merges if line], cases)
        real = (arguments.data / "tokenizers/sentencepiece_en1000.model").read_bytes()
        pieces_case(root / "pieces-real", real, cases)


if __name__ == "__main__":
    sys.exit(main())
