#!/usr/bin/env python3
"""words.py [FOLDER]: fails on calls that have no place here, and on comments that say nothing."""

import re
import sys

import sources

# In code, not in comments or literals: pattern, why.
CALLS = (
    (r"(?<![\w.>])(?:std::|::)?system\s*\(", "runs a shell; use posix_spawn or execve with an argument list"),
    (r"(?<![\w.>])(?:::)?popen\s*\(", "runs a shell; use posix_spawn or execve with an argument list"),
    (r"\b(?:strcpy|strcat|sprintf|vsprintf|gets|strtok)\s*\(", "has no limit or hidden state"),
    (r"\b(?:tmpnam|tempnam|mktemp)\s*\(", "races; use mkstemp, O_EXCL or memfd_create"),
    (r"\busing\s+namespace\s+std\b", "name what is used"),
)

# The same, where errors of users have to be reported: not in tests and benchmarks.
PRODUCT_CALLS = CALLS + ((r"\b(?:atoi|atol|atof)\s*\(", "cannot report an error; use text::parse_u64"),)
FREE = ("tests/", "bench/")

# Anywhere in a text file.
WORDS = (
    (r"\b(?:TODO|FIXME|XXX|HACK)\b", "finish it, or describe the limit in the documentation"),
    (r"(?i)\bfor now\b", "say what is, not what might become"),
    (r"(?<![\w.-])/home/[a-z]", "a path of somebody's machine"),
)

# A line of a comment without a word, or with a word between rules.
BANNER = re.compile(r"^\s*(?://+|#+|/\*+|\*+|--)\s*[-=*#~_+/]{4,}(?:.*[-=*#~_+/]{4,})?\s*(?:\*/)?\s*$")

# Files that must name what they look for, or that speak about words.
EXEMPT = ("tests/lint/",)


def finding(path, text, at, what, why):
    return f"{path}:{text.count(chr(10), 0, at) + 1}: '{what}': {why}"


def check_calls(path, text):
    code = sources.code_only(text)
    return [finding(path, text, match.start(), match.group(0).strip(), why)
            for pattern, why in (CALLS if path.startswith(FREE) else PRODUCT_CALLS)
            for match in re.finditer(pattern, code)]


def check_words(path, text):
    return [finding(path, text, match.start(), match.group(0), why)
            for pattern, why in WORDS for match in re.finditer(pattern, text)]


def check_banners(path, text):
    return [f"{path}:{number}: a banner: a section that needs one is a file of its own"
            for number, line in enumerate(text.split("\n"), 1) if BANNER.match(line)]


def check(top):
    paths = [path for path in sources.files(top, sources.TEXT) if not path.startswith(EXEMPT)]
    findings = [] if paths else [f"{top}: no source files"]
    for path in paths:
        text = sources.read(top, path)
        findings += check_words(path, text)
        if path.endswith(sources.CODE):
            findings += check_calls(path, text)
        if not path.endswith(".md"):
            findings += check_banners(path, text)
    return findings


if __name__ == "__main__":
    sys.exit(sources.report(check(sys.argv[1] if len(sys.argv) > 1 else sources.root())))
