"""Goldens of the grammar of weighted prompts, from a checkout of AUTOMATIC1111's web interface.

    python Parity/prompt_weights.py PATH/modules/prompt_parser.py [COUNT] [OUT]

Writes Tests/QuickstepTokenizersTests/Fixtures/prompt_weights.json: a list of [prompt, [[text, "weight"], …]]. The file is not among the
requirements, so `make parity` does not make this golden anew.
"""
import importlib.util
import json
import random
import sys
import types
from pathlib import Path

OUT = Path(__file__).resolve().parent.parent / "Tests/QuickstepTokenizersTests/Fixtures/prompt_weights.json"
PIECES = ["a", "cat", " ", "  ", ", ", "(", ")", "((", "))", "[", "]", "[[", "]]", ":", "::", ":1.3)", ":0.5)", ":1)", ":-1)", ": 1.2 )", ":+.5)",
          ":.5)", ":2.)", ":x)", ":1.3", "\\", "\\(", "\\)", "\\[", "\\]", "\\\\", "BREAK", " BREAK ", "xBREAK", "BREAKx", "BREAK,", "AND",
          "\n", "\t", "é", "🦊", "1.1", "[a:b:0.5]", "[a|b]", "\x1c", "\u00a0", "٣", ":１.５)"]
FIXED = ["", " ", "normal text", "an (important) word", "(unbalanced", "\\(literal\\]", "(unnecessary)(parens)",
         "a (((house:1.3)) [on] a (hill:0.5), sun, (((sky))).", "a BREAK b", "a\n BREAK \nb", "BREAK", "BREAK BREAK", "(a BREAK b)", "(a:-1) BREAK b",
         "x BREAKFAST", "a_BREAK b", ")", "]", ":", "(", "[", "()", "[]", "(:1.2)", "a:1.2)", "((a:1.2)", "[a:1.2]", "(a:1.2]", "[a(b]c)", "\\", "\\x"]


def main():
    # The module asks for a parser of a part of the language that is not needed here.
    for name in ("lark",):
        stub = types.ModuleType(name)
        stub.Lark = lambda *_: None
        stub.Transformer = stub.Visitor = object
        sys.modules[name] = stub
    spec = importlib.util.spec_from_file_location("prompt_parser", sys.argv[1])
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    count = int(sys.argv[2]) if len(sys.argv) > 2 else 400
    out = Path(sys.argv[3]) if len(sys.argv) > 3 else OUT
    rng = random.Random(5)
    rows = []
    prompts = FIXED + ["".join(rng.choice(PIECES) for _ in range(rng.randrange(1, 14))) for _ in range(count)]
    for prompt in prompts:
        try:
            # Weights as texts: not every reader of JSON rounds numbers to the last bit.
            rows.append([prompt, [[text, repr(float(weight))] for text, weight in module.parse_prompt_attention(prompt)]])
        except ValueError:
            continue
    out.write_text(json.dumps(rows) + "\n")
    print(len(rows), "prompts in", out)


if __name__ == "__main__":
    sys.exit(main())
