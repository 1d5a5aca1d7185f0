"""Replaces one marked section of a document: python section.py DOCUMENT NAME FILE."""
import re
import sys

document, name, file = sys.argv[1:]
text, new = open(document, encoding="utf8").read(), open(file, encoding="utf8").read()
start, end = f"<!-- {name}: begin -->", f"<!-- {name}: end -->"
pattern = re.compile(re.escape(start) + ".*?" + re.escape(end), re.S)
if not pattern.search(text):
    sys.exit(f"{document} has lost its markers of the section '{name}'")
open(document, "w", encoding="utf8").write(pattern.sub(lambda _: f"{start}\n{new}{end}", text))
