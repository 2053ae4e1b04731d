#!/usr/bin/env python3
"""Prints the table of instructions of a `hermesc`, as src/hermes/tables/VERSION.txt holds it.

    python3 crates/delta/tables.py HERMESC > crates/delta/src/hermes/tables/VERSION.txt

The npm package hermes-compiler has HERMESC: 0.14 makes version 96, 250829098 version 98, 260318099 version 99. hermes-engine-cli 0.12
makes version 89.

How: a small script is compiled; then the code of its first function is overwritten with one instruction after another, and
`hermesc -dump-bytecode` is asked what that is. Plain output tells the operands' types; pretty output, which names what an operand
points at, tells which of them are strings and functions. A few operands that it prints as numbers are named in MEANINGS.
"""

import re
import subprocess
import sys
import tempfile
from pathlib import Path

WIDTHS = {"Reg8": 1, "Reg32": 4, "UInt8": 1, "UInt16": 2, "UInt32": 4, "Addr8": 1, "Addr32": 4, "Imm32": 4, "Double": 8}
LETTERS = {"R": "r", "U": "u", "A": "j", "I": "i", "D": "d"}
# Operands that even pretty output prints as numbers: pattern of the name, then letters by place.
# v, a, k: offsets of values, arrays and keys; n: how many of them; h: a shape; f: a function.
MEANINGS_BUFFERS = [
    (r"NewObjectWithBuffer(Long)?", {2: "n", 3: "k", 4: "v"}),
    (r"NewArrayWithBuffer(Long)?", {2: "n", 3: "a"}),
    (r"CallDirect(LongIndex)?", {2: "f"}),
]
MEANINGS_SHAPES = [
    (r"NewObjectWithBuffer(Long)?", {1: "h", 2: "v"}),
    (r"New(Typed)?ObjectWithBuffer(AndParent)?", {2: "h", 3: "v"}),
    (r"CacheNewObject", {2: "h"}),
    (r"NewArrayWithBuffer(Long)?", {2: "n", 3: "v"}),
    (r"CreateBaseClass(LongIndex)?", {3: "f"}),
    (r"CreateDerivedClass(LongIndex)?", {4: "f"}),
]
# A number that finds the function's code in the file.
MARK = 0x5A5A5A5A
# A dump of nonsense, beyond the last opcode, may never end.
SECONDS_MAX = 10


def dump(hermesc, file, pretty):
    command = [hermesc, "-dump-bytecode", f"-pretty={int(pretty)}", str(file)]
    try:
        return subprocess.run(command, capture_output=True, timeout=SECONDS_MAX).stdout.decode(errors="replace")
    except subprocess.TimeoutExpired:
        return ""


def compile_sample(hermesc, folder):
    functions = "".join(f"function f{i}(a) {{ return a.prop{i} + 'text{i}' }}\n" for i in range(40))
    calls = ",".join(f"g({1000000 + i})" for i in range(30))
    source, file = folder / "sample.js", folder / "sample.hbc"
    source.write_text(f"{functions}print({MARK},{calls});")
    subprocess.run([hermesc, "-O", "-w", "-emit-binary", "-out", file, source], check=True, timeout=60)
    return file.read_bytes()


def first_line(text):
    match = re.search(r"Function<global>[^\n]*\n(?:Offset[^\n]*\n)?(?:L\d+:\n)?(?:\[@ 0\] |    )([^\n]*)\n", text)
    return match.group(1) if match else ""


class Probe:
    def __init__(self, hermesc, folder):
        self.hermesc, self.file = hermesc, folder / "probe.hbc"
        self.sample = compile_sample(hermesc, folder)
        (folder / "plain.hbc").write_bytes(self.sample)
        text = dump(hermesc, folder / "plain.hbc", False)
        self.version = int(re.search(r"version number: (\d+)", text).group(1))
        at = int(re.search(rf"\[@ (\d+)\] LoadConstInt \d+<Reg8>, {MARK}<Imm32>", text).group(1))
        self.start = self.sample.index(MARK.to_bytes(4, "little")) - 2 - at
        code = text[text.index("Function<global>"):].split("\n\n")[0]
        self.size = int(re.findall(r"\[@ (\d+)\]", code)[-1])

    def ask(self, code, pretty):
        forged = bytearray(self.sample)
        forged[self.start:self.start + self.size] = code.ljust(self.size, b"\0")
        self.file.write_bytes(forged)
        return first_line(dump(self.hermesc, self.file, pretty))

    def instruction(self, opcode):
        name, _, operands = self.ask(bytes([opcode]), False).partition(" ")
        if not re.fullmatch(r"[A-Z]\w+", name):
            return None
        types = re.findall(r"<(\w+)>", operands)
        code = bytearray([opcode])
        for place, kind in enumerate(types):
            plain = kind.startswith("Addr") or kind == "Double"
            code += (0 if plain else 10 + place).to_bytes(WIDTHS[kind], "little")
        shown = self.ask(bytes(code), True)[len(name):].strip().split(", ")
        letters = [LETTERS[kind[0]] for kind in types]
        for place, text in enumerate(shown[:len(types)]):
            if text.startswith('"text'):
                letters[place] = "s"
            elif text.startswith("Function<"):
                letters[place] = "f"
        return name, types, letters


def table(probe):
    rows = []
    for opcode in range(256):
        row = probe.instruction(opcode)
        if row is None:
            break
        rows.append(row)
    by_name = {name: letters for name, _, letters in rows}
    for name, types, letters in rows:
        # Some short forms are printed without the string that the long form names.
        for place, letter in enumerate(by_name.get(name + "Long", [])):
            if letter == "s":
                letters[place] = "s"
        for pattern, places in MEANINGS_BUFFERS if probe.version < 98 else MEANINGS_SHAPES:
            if re.fullmatch(pattern, name):
                for place, letter in places.items():
                    letters[place] = letter
                break
        yield " ".join([name, *(letter + str(WIDTHS[kind]) for letter, kind in zip(letters, types))])


def main():
    with tempfile.TemporaryDirectory() as folder:
        print("\n".join(table(Probe(sys.argv[1], Path(folder)))))


if __name__ == "__main__":
    main()
