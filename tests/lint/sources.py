"""The files the lints read, and their text without comments and literals."""

import os
import re

CODE = (".cc", ".h", ".c", ".S", ".def")
TEXT = CODE + (".py", ".sh", ".bats", ".bash", ".cmake", ".txt", ".yaml", ".toml", ".md")
SKIPPED_FOLDERS = {"build", "corpus", "golden"}


def root():
    return os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))


def files(top, suffixes):
    """Paths relative to `top`, sorted. Hidden and generated folders are left out."""
    found = []
    for folder, folders, names in os.walk(top):
        folders[:] = [f for f in folders if f[0] != "." and f not in SKIPPED_FOLDERS and not f.startswith("obj-")]
        found += [os.path.relpath(os.path.join(folder, name), top) for name in names if name.endswith(suffixes)]
    return sorted(found)


def read(top, path):
    with open(os.path.join(top, path), encoding="utf-8", errors="replace") as file:
        return file.read()


_TOKEN = re.compile(
    r'//[^\n]*|/\*.*?\*/|R"(?P<mark>[^()\\\s]{0,16})\(.*?\)(?P=mark)"|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])*\'',
    re.DOTALL,
)


def code_only(text):
    """C++ text with comments and literals blanked out; line numbers stay."""

    def blank(match):
        token = match.group(0)
        # A digit separator (1'000) is not the start of a character literal.
        if token[0] == "'" and match.start() > 0 and text[match.start() - 1].isalnum():
            return token
        return re.sub(r"[^\n]", " ", token)

    return _TOKEN.sub(blank, text)


def report(findings):
    for finding in findings:
        print(finding)
    return 1 if findings else 0
