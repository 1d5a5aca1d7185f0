#!/usr/bin/env python3
"""Writes the typed Swift operators from Scripts/operators.txt and the schemas of the pinned torch wheel.

    generate_operators.py native_functions.yaml          # the file lies in the wheel: torchgen/packaged/ATen/native/

A test compares every schema in the generated file with what the linked libtorch declares.
"""
import os, re, subprocess, sys

HERE = os.path.dirname(os.path.abspath(__file__))
OUT = os.path.join(HERE, "../Sources/QuickstepTensor/Generated")
KEYWORDS = {"repeat", "where", "self", "default", "in", "is", "as", "for"}
TYPES = {
    "Tensor": "Tensor", "Tensor?": "Tensor?", "Tensor[]": "[Tensor]", "Tensor?[]": "[Tensor?]",
    "int": "Int", "SymInt": "Int", "int?": "Int?", "SymInt?": "Int?", "int[]": "[Int]", "SymInt[]": "[Int]", "int[]?": "[Int]?", "SymInt[]?": "[Int]?",
    "float": "Double", "float?": "Double?", "float[]": "[Double]", "float[]?": "[Double]?", "bool": "Bool", "bool?": "Bool?", "bool[]": "[Bool]",
    "Scalar": "Scalar", "Scalar?": "Scalar?", "str": "String", "str?": "String?", "ScalarType": "DType", "ScalarType?": "DType?",
    "Layout?": None, "Device?": "Device?", "MemoryFormat?": "MemoryFormat?", "MemoryFormat": "MemoryFormat", "Generator?": "Generator?",
}


def schemas(path):
    found = {}
    for line in open(path, encoding="utf8"):
        m = re.match(r"- func: (.*)", line)
        if m:
            text = m.group(1).strip()
            found[text.split("(")[0]] = text
    return found


def split_arguments(text):
    parts, depth, current = [], 0, ""
    for c in text:
        if c in "([":
            depth += 1
        if c in ")]":
            depth -= 1
        if c == "," and depth == 0:
            parts.append(current.strip())
            current = ""
        else:
            current += c
    if current.strip():
        parts.append(current.strip())
    return parts


def camel(name):
    head, *tail = [p for p in name.split("_") if p]
    return head + "".join(p[:1].upper() + p[1:] for p in tail)


def default(value, swift):
    if value is None:
        return ""
    if value == "None":
        return " = nil"
    if value in ("True", "False"):
        return " = " + value.lower()
    if value == "[]":
        return " = []"
    if re.fullmatch(r"\[.*\]", value):
        return " = " + value
    if swift.startswith("[Int]") and re.fullmatch(r"-?\d+", value):
        return None, value
    if value == "Mean":
        return " = 1"
    if value == "contiguous_format":
        return " = .contiguous"
    if value.startswith('"') or value.startswith("'"):
        return ' = "' + value.strip("\"'") + '"'
    if swift.startswith("DType"):
        return " = ." + {"long": "int64", "float": "float32"}[value]
    if swift in ("Double", "Double?") and re.fullmatch(r"-?\d+", value):
        return f" = {value}.0"
    return " = " + value


def parse(text):
    m = re.match(r"([\w.]+)\((.*)\) -> (.*)$", text)
    name, arguments, result = m.groups()
    parsed, size = [], {}
    for part in split_arguments(arguments):
        if part == "*":
            continue
        declaration, _, value = part.partition("=")
        kind, _, label = declaration.strip().rpartition(" ")
        sized = re.match(r"(.*)\[(\d+)\](.*)$", kind)
        count = int(sized.group(2)) if sized else None
        kind = re.sub(r"\[\d+\]", "[]", kind)
        kind = re.sub(r"\(\w!?( -> \*)?\)", "", kind)
        parsed.append((kind, label, value.strip() or None, count))
    return name, parsed, re.sub(r"\(\w!?\)", "", result)


def generate(text, swift_name, doc):
    name, arguments, result = parse(text)
    base, _, overload = name.partition(".")
    constant = camel(re.sub(r"\W", "_", name)) + ("InPlace" if base.endswith("_") else "Operator" if name in KEYWORDS else "")
    receiver = next((i for i, a in enumerate(arguments) if a[0] == "Tensor" and a[1] == "self"), None)
    if base == "embedding":
        receiver = 0
    if base == "linear" or base.startswith(("conv", "layer_norm", "rms_norm", "group_norm", "batch_norm", "scaled_dot", "cdist")):
        receiver = 0
    if base == "where":
        receiver = 0
    parameters, pushes, first = [], [], True
    for i, (kind, label, value, count) in enumerate(arguments):
        if kind not in TYPES:
            sys.exit(f"{name}: no Swift type for {kind}")
        swift = TYPES[kind]
        if i == receiver:
            pushes.append("call.push(self)")
            continue
        if swift is None:
            pushes.append("call.pushNone()")
            continue
        if label == "pin_memory" or label == "non_blocking" and base == "_to_copy":
            pushes.append("call.pushNone()" if label == "pin_memory" else "call.push(false)")
            continue
        variable = camel(label)
        shown = {"self": "input", "dim": "dim"}.get(variable, variable)
        text_default = default(value, swift)
        if isinstance(text_default, tuple):
            text_default = " = [" + ", ".join([text_default[1]] * (count or 1)) + "]"
        unlabelled = first and swift in ("Tensor", "Scalar", "[Tensor]", "[Int]", "Int", "String") and value is None or (
            first and label in ("dim", "dims", "device") and base not in ("var", "std"))
        external = "_ " if unlabelled else ""
        first = False
        inner = f"`{shown}`" if shown in KEYWORDS else shown
        parameters.append(f"{external}{inner}: {swift}{text_default}")
        pushes.append(f"call.push({inner})")
    returns = {"Tensor": ("Tensor", "tensor"), "(Tensor, Tensor)": ("(Tensor, Tensor)", "tensors2"),
               "Tensor[]": ("[Tensor]", "list"), "bool": ("Bool", "bool"), "()": (None, "nothing")}
    flat = re.sub(r"Tensor \w+", "Tensor", result)
    if flat == "(Tensor, Tensor, Tensor)":
        swift_result, take = "(Tensor, Tensor, Tensor)", "tensors3"
    else:
        swift_result, take = returns[flat]
    static = "static " if receiver is None else ""
    discard = "@discardableResult\n  " if base.endswith("_") and swift_result else ""
    access = "package" if base.startswith("_") or base.endswith("_") or swift_result == "[Tensor]" else "public"
    shown_name = f"`{swift_name}`" if swift_name in KEYWORDS else swift_name
    arrow = f" -> {swift_result}" if swift_result else ""
    signature = f"  {discard}{access} {static}func {shown_name}({', '.join(parameters)}){arrow} {{"
    if len(signature) > 140:
        signature = f"  {discard}{access} {static}func {shown_name}(\n    {', '.join(parameters)}\n  ){arrow} {{"
    lines = [f"  /// {doc}", f"  ///", f"  /// libtorch: `{text}`", signature, f"    var call = OperatorCall(Operators.{constant})"]
    if not any("push(" in p for p in pushes):
        lines[-1] = lines[-1].replace("var", "let")
    statement, row = [], "    "
    for p in pushes:
        if len(row) + len(p) > 136:
            statement.append(row.rstrip("; "))
            row = "    "
        row += p + "; "
    statement.append(row.rstrip("; "))
    lines += statement + [f"    return call.{take}()" if swift_result else f"    call.{take}()", "  }"]
    lookup = f'  static let {constant} = TorchOperator("aten::{base}", "{overload}")'
    table = f'    ("aten::{name}", #"aten::{text}"#),'
    return "\n".join(lines), lookup, table


def main():
    known = schemas(sys.argv[1])
    methods, lookups, tables = [], [], []
    for line in open(os.path.join(HERE, "operators.txt"), encoding="utf8"):
        line = line.strip()
        if not line or line.startswith("#"):
            continue
        left, _, doc = line.partition("|")
        operator, swift_name = left.split()
        if operator not in known:
            sys.exit(f"{operator}: no such operator")
        method, lookup, table = generate(known[operator], swift_name, doc.strip())
        methods.append(method)
        lookups.append(lookup)
        tables.append(table)
    os.makedirs(OUT, exist_ok=True)
    head = "// Made by Scripts/generate_operators.py from Scripts/operators.txt and the schemas of torch 2.11.0. Do not edit.\n\n"
    with open(os.path.join(OUT, "Operators.generated.swift"), "w", encoding="utf8") as f:
        f.write(head + "extension Tensor {\n" + "\n\n".join(methods) + "\n}\n")
    with open(os.path.join(OUT, "OperatorTable.generated.swift"), "w", encoding="utf8") as f:
        f.write(head + "enum Operators {\n" + "\n".join(lookups) + "\n}\n\n")
        f.write("/// Every operator in use with the schema it was generated from; a test compares them with the linked libtorch.\n")
        f.write("package enum OperatorSchemas {\n  package static let all: [(name: String, schema: String)] = [\n" + "\n".join(tables) + "\n  ]\n}\n")
    subprocess.run(["swift", "format", "--in-place", "--recursive", OUT], check=True)
    print(len(methods), "operators")


main()
