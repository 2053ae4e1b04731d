#!/usr/bin/env python3
"""Decides what devices get, written from docs/protocols/aloft-v1.md and the rules in words, not from the Rust code.

    oracle.py make SEED SNAPSHOTS CHECKS   prints vectors: that many snapshots with that many checks each
    oracle.py check                        reads vectors, decides again, prints "N agreed, M different"; fails when M is not 0

Vectors are JSON, one snapshot a line:

    {"blocked": false,
     "releases": [[seq, platform, "binary"|"runtime", range or runtime version, content, mandatory, enabled, state, share in ppm, salt, retreat]],
     "pins": {device: seq},
     "checks": [[device, platform, binary or null, runtime or null, current content or null, decision]]}

Releases stand newest first. A content is a number that stands for the bundle whose content hash is the SHA-256 of its eight big-endian
bytes; null is the embedded bundle. A decision is "update SEQ INSTALL mandatory|optional", "embedded INSTALL" or "nothing REASON".
"""

import hashlib
import json
import random
import re
import sys
from functools import cmp_to_key

SEQ, PLATFORM, KIND, TARGET, CONTENT, MANDATORY, ENABLED, STATE, SHARE, SALT, RETREAT = range(11)


# Versions and ranges, after npm's semver.

def parse_version(text):
    match = re.fullmatch(r"(\d+)(?:\.(\d+))?(?:\.(\d+))?(?:-([0-9A-Za-z.-]+))?(?:\+[0-9A-Za-z.-]+)?", text)
    numbers = [int(part or 0) for part in match.group(1, 2, 3)]
    return numbers, match.group(4).split(".") if match.group(4) else []


def compare_identifiers(a, b):
    if a.isdigit() and b.isdigit():
        return (int(a) > int(b)) - (int(a) < int(b))
    if a.isdigit() != b.isdigit():
        return -1 if a.isdigit() else 1
    return (a > b) - (a < b)


def compare_versions(a, b):
    if a[0] != b[0]:
        return 1 if a[0] > b[0] else -1
    if not a[1] or not b[1]:
        return bool(b[1]) - bool(a[1])
    key = cmp_to_key(compare_identifiers)
    left, right = [key(part) for part in a[1]], [key(part) for part in b[1]]
    return (left > right) - (left < right)


def comparators(word):
    if word == "*":
        return [(">=", ([0, 0, 0], []))]
    match = re.fullmatch(r"(\d+)(?:\.(\d+))?\.x", word)
    if match:
        major, minor = int(match.group(1)), match.group(2)
        low = [major, int(minor or 0), 0]
        high = [major, int(minor) + 1, 0] if minor else [major + 1, 0, 0]
        return [(">=", (low, [])), ("<", (high, ["0"]))]
    match = re.fullmatch(r"(>=|<=|>|<|)(.+)", word)
    return [(match.group(1) or "=", parse_version(match.group(2)))]


def in_range(text, version):
    holds = {">=": lambda c: c >= 0, "<=": lambda c: c <= 0, ">": lambda c: c > 0, "<": lambda c: c < 0, "=": lambda c: c == 0}
    for part in text.split("||"):
        tests = [test for word in part.split() for test in comparators(word)]
        fits = all(holds[sign](compare_versions(version, bound)) for sign, bound in tests)
        # A pre-release fits only a range that names a pre-release of the same version.
        named = any(bound[1] and bound[1] != ["0"] and bound[0] == version[0] for _, bound in tests)
        if fits and (not version[1] or named):
            return True
    return False


# The decision.

def bucket(salt, device):
    digest = hashlib.sha256(salt.encode() + b"\x1f" + device.encode()).digest()
    return int.from_bytes(digest[:4], "big") * 1_000_000 >> 32


def judge(release, check):
    device, platform, binary, runtime = check[:4]
    if release[PLATFORM] != platform:
        return "other"
    if release[KIND] == "binary":
        fits = binary is not None and in_range(release[TARGET], parse_version(binary))
    else:
        fits = runtime is not None and runtime == release[TARGET]
    if not fits:
        return "other"
    if not release[ENABLED]:
        return "disabled"
    if release[STATE] == "paused":
        return "paused"
    return "in" if bucket(release[SALT], device) < release[SHARE] else "outside"


def decide(snapshot, check):
    if snapshot["blocked"]:
        return "nothing blocked"
    device, platform, current = check[0], check[1], check[4]
    releases = snapshot["releases"]
    runs = None
    for release in releases:
        if current is not None and release[PLATFORM] == platform and release[CONTENT] == current:
            runs = release
            break
    verdicts = {release[SEQ]: judge(release, check) for release in releases}
    pinned = snapshot["pins"].get(device)
    if pinned is not None and verdicts.get(pinned) not in ("in", "paused", "outside"):
        pinned = None
    offered = [r for r in releases if r[SEQ] == pinned] if pinned is not None else [r for r in releases if verdicts[r[SEQ]] == "in"]
    if not offered:
        matched = any(verdict != "other" for verdict in verdicts.values())
        if runs is None:
            return "nothing not-offered" if matched else "nothing no-match"
        return "nothing stays" if runs[RETREAT] == "stay" else "embedded " + runs[RETREAT]
    release = offered[0]
    if release[CONTENT] == current:
        return "nothing up-to-date"
    back = runs is not None and runs[SEQ] > release[SEQ]
    mandatory = False
    if back:
        if runs[RETREAT] == "stay" and pinned is None:
            return "nothing stays"
        install = "next-restart" if runs[RETREAT] == "stay" else runs[RETREAT]
    else:
        after = runs[SEQ] if runs is not None else 0
        for other in releases:
            if other[MANDATORY] and after < other[SEQ] <= release[SEQ]:
                # One that the device is skipping counts when it would have got it; its own counts even where only the pin brings it.
                verdict = verdicts[other[SEQ]]
                if verdict == "in" or (other[SEQ] == release[SEQ] and verdict in ("paused", "outside")):
                    mandatory = True
        install = "now" if mandatory else "next-restart"
    if release[CONTENT] is None:
        return "embedded " + install
    return f"update {release[SEQ]} {install} {'mandatory' if mandatory else 'optional'}"


# Random channels.

PLATFORMS = ["android", "android", "android", "ios"]
BINARIES = ["1", "1.2", "1.2.0", "1.4.0", "1.4.9", "2.0.0", "2.1.0-beta.1", "2.1.0-beta.10", "2.1.0", "10.0.0", "1.4.0+5", None]
RANGES = ["*", "1.x", "1.4.x", "2.x", "1.4.0", ">=1.2.0 <2.0.0", ">1.4.0", "<=1.4.0", ">=2.1.0-beta.2", "1.2.x || 2.x", "<2.0.0"]
RUNTIMES = ["fingerprint-1", "fingerprint-2", None]


def make_release(draw, seq):
    kind = "runtime" if draw.random() < 0.25 else "binary"
    return [
        seq,
        draw.choice(PLATFORMS),
        kind,
        draw.choice(RUNTIMES[:2] if kind == "runtime" else RANGES),
        None if draw.random() < 0.1 else draw.randint(1, 6),
        draw.random() < 0.2,
        draw.random() < 0.85,
        "paused" if draw.random() < 0.15 else "active",
        draw.choice([0, 1, 10_000, 250_000, 500_000, 900_000, 999_999, 1_000_000, 1_000_000, 1_000_000]),
        draw.choice(["", "a", "salt-1", "zürich", "%08x" % draw.getrandbits(32)]),
        draw.choice(["stay", "stay", "next-cold-start", "now"]),
    ]


def make(seed, snapshots, checks):
    draw = random.Random(seed)
    for _ in range(snapshots):
        releases = [make_release(draw, seq) for seq in range(draw.randint(0, 9), 0, -1)]
        devices = ["dev_%026x" % draw.getrandbits(100) for _ in range(checks)]
        seqs = [release[SEQ] for release in releases]
        pins = {device: draw.choice(seqs + [99]) for device in devices if seqs and draw.random() < 0.1}
        snapshot = {"blocked": draw.random() < 0.03, "releases": releases, "pins": pins, "checks": []}
        for device in devices:
            check = [device, draw.choice(PLATFORMS), draw.choice(BINARIES), draw.choice(RUNTIMES)]
            check.append(draw.choice([None, None, 1, 2, 3, 4, 5, 6, 7]))
            snapshot["checks"].append(check + [decide(snapshot, check)])
        print(json.dumps(snapshot, separators=(",", ":"), ensure_ascii=False))


def check_all(lines):
    agreed, different = 0, 0
    for line in lines:
        snapshot = json.loads(line)
        for check in snapshot["checks"]:
            mine = decide(snapshot, check)
            if mine == check[5]:
                agreed += 1
            else:
                different += 1
                print(f"different: {check}: the oracle says {mine}: {snapshot}", file=sys.stderr)
    print(f"{agreed} agreed, {different} different")
    return 1 if different else 0


if __name__ == "__main__":
    sys.stdout.reconfigure(encoding="utf-8")
    sys.stdin.reconfigure(encoding="utf-8")
    if sys.argv[1] == "make":
        make(*map(int, sys.argv[2:5]))
    else:
        sys.exit(check_all(sys.stdin))
