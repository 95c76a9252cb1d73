#!/usr/bin/env python3
"""early_object.py OBJECT: fails when code that runs before the C library would need it, or a relocation."""

import subprocess
import sys

# Filled in by the linker for good; everything else would need the loader.
LINKED = ("R_X86_64_PC32", "R_X86_64_PLT32", "R_AARCH64_CALL26", "R_AARCH64_JUMP26", "R_AARCH64_ADR_PREL_PG_HI21",
          "R_AARCH64_ADD_ABS_LO12_NC", "R_AARCH64_PREL32")


def output(*command):
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.splitlines()


def main():
    path = sys.argv[1]
    findings = [f"needs {line.split()[-1]}" for line in output("nm", "--undefined-only", path)]
    for line in output("readelf", "--relocs", "--wide", path):
        words = line.split()
        if len(words) > 2 and words[2].startswith("R_") and words[2] not in LINKED \
                and not words[2].startswith("R_AARCH64_LDST"):
            findings.append(f"has the relocation {words[2]} of {' '.join(words[4:])}")
    visible = [line.split()[-1] for line in output("nm", "--extern-only", "--defined-only", path)]
    if visible != ["hami_early"]:
        findings.append(f"shows {visible}, not hami_early alone")
    for finding in findings:
        print(f"{path}: {finding}", file=sys.stderr)
    return 1 if findings else 0


if __name__ == "__main__":
    sys.exit(main())
