#!/usr/bin/env python3
"""layers.py [FOLDER]: fails when an include runs against the architecture's arrows, or a third-party header leaves
the files that own it. docs/architecture.md draws the same picture."""

import fnmatch
import os
import re
import sys

import sources

# part: what it may include besides itself. A file belongs to the longest part that its path starts with. An entry is
# a part, or a single header of one.
ARROWS = {
    "oci-config/base": (),
    "oci-config": ("oci-config/base",),
    "vendors": ("oci-config", "oci-config/base"),
    "vendors/probe": ("vendors", "oci-config/base"),
    "runtime-shim/state": ("oci-config/base",),
    "runtime-shim": ("runtime-shim/state", "vendors", "oci-config", "oci-config/base", "libvgpu/abi"),
    # Of the recipe engine the hook sees only the plan that was made with it and the format of the loader's cache;
    # precreate is a create by another door.
    "hook": ("runtime-shim/config.h", "runtime-shim/create.h", "runtime-shim/own_log.h", "runtime-shim/precreate.h",
             "runtime-shim/subdevices.h", "vendors/hook_plan.h", "vendors/plan_json.h",
             "vendors/ld_cache.h", "runtime-shim/state", "oci-config", "oci-config/base", "libvgpu/abi"),
    "libvgpu/abi": (),
    "libvgpu": ("libvgpu/abi",),
    "containerd": ("oci-config/base",),
    # What an administrator asks about a node: everything but the hook and the interposer.
    "hamictl": ("runtime-shim", "runtime-shim/state", "vendors", "containerd", "oci-config", "oci-config/base",
                "libvgpu/abi"),
}

# The plan must not pull the recipe engine into the hook.
PLAN = {"vendors/hook_plan.h", "vendors/plan_json.h", "vendors/plan_json.cc"}
PLAN_MAY_INCLUDE = PLAN | {"oci-config", "oci-config/base"}

# Folders that may include everything of ours; the fences do not hold there either.
FREE = ("tests", "bench")

# Third-party headers and the only files that may include them.
FENCES = (
    (("json-c/*", "json.h"), ("oci-config/document.cc", "oci-config/view.cc", "oci-config/apply.cc",
                              "oci-config/state.cc", "oci-config/json_*", "runtime-shim/*json*.cc",
                              "runtime-shim/state/json_reader.h",
                              "vendors/*json*.cc", "hamictl/*json*.cc")),
    # Shows json-c types: as good as json-c itself.
    (("oci-config/json_*.h",), ("oci-config/*.cc", "oci-config/json_*", "runtime-shim/*json*.cc",
                                "vendors/*json*.cc", "vendors/probe_answer.cc", "hamictl/*json*.cc")),
    (("yaml.h",), ("vendors/yaml_tree.cc", "vendors/recipe_yaml*.cc")),
    (("libudev.h",), ("vendors/probe/*",)),
    (("toml++/*", "toml.hpp"), ("containerd/edit.cc", "runtime-shim/config.cc")),
    (("seccomp.h", "sys/capability.h", "linux/capability.h"), ("hook/confine*.cc",)),
    (("tl/*",), ("oci-config/base/result.h",)),
)

# What else may be included with <>: the system's and the language's own headers.
SYSTEM = re.compile(r"(sys|linux|asm|netinet|arpa|net|bits)/\w+(/\w+)*\.h|\w+\.h|\w+")
THIRD_PARTY = ("gtest/*", "gmock/*", "benchmark/*", "cuda*.h", "nvml.h", "boost/*", "fmt/*", "nlohmann/*", "absl/*")

INCLUDE = re.compile(r'^[ \t]*#[ \t]*include[ \t]*(?:"([^"]+)"|<([^>]+)>)', re.MULTILINE)


def part_of(path):
    parts = [part for part in ARROWS if path.startswith(part + "/")]
    return max(parts, key=len) if parts else None


def matches(name, patterns):
    return any(fnmatch.fnmatchcase(name, pattern) for pattern in patterns)


def check_own(path, header):
    if path in PLAN:
        allowed = header in PLAN_MAY_INCLUDE or part_of(header) in PLAN_MAY_INCLUDE
        return None if allowed else "the hook plan may not include the recipe engine"
    origin, target = part_of(path), part_of(header)
    if origin is None:
        return "this folder has no arrows in tests/lint/layers.py"
    if target is None:
        return "it is not a header of ours by its path from the top"
    if target == origin or target in ARROWS[origin] or header in ARROWS[origin]:
        return None
    return f"'{origin}' may not include '{target}'"


def check_fence(path, header):
    for headers, owners in FENCES:
        if matches(header, headers):
            return None if matches(path, owners) else f"only {', '.join(owners)} may include it"
    return None


def check_system(header):
    if matches(header, THIRD_PARTY) or not SYSTEM.fullmatch(header):
        if not any(matches(header, headers) for headers, _ in FENCES):
            return "no file of the product may include it"
    return None


def check_file(top, path):
    if path.split("/")[0] in FREE:
        return []
    findings = []
    text = sources.read(top, path)
    for match in INCLUDE.finditer(text):
        own, system = match.groups()
        problem = check_fence(path, own or system) or (check_own(path, own) if own else check_system(system))
        if problem:
            line = text.count("\n", 0, match.start()) + 1
            findings.append(f"{path}:{line}: includes '{own or system}': {problem}")
    return findings


def check(top):
    paths = sources.files(top, sources.CODE)
    findings = [] if paths else [f"{top}: no source files"]
    for path in paths:
        findings += check_file(top, path)
    return findings


if __name__ == "__main__":
    sys.exit(sources.report(check(sys.argv[1] if len(sys.argv) > 1 else sources.root())))
