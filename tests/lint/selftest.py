#!/usr/bin/env python3
"""Each lint must be able to fail: small trees with one defect each."""

import os
import tempfile
import unittest

import layers
import sources
import words


def tree(files):
    folder = tempfile.TemporaryDirectory()
    for path, text in files.items():
        full = os.path.join(folder.name, path)
        os.makedirs(os.path.dirname(full), exist_ok=True)
        with open(full, "w", encoding="utf-8") as file:
            file.write(text)
    return folder


class LintTest(unittest.TestCase):
    lint = None

    def findings(self, path, text):
        with tree({path: text}) as folder:
            return self.lint.check(folder)

    def assert_red(self, path, text, part):
        found = self.findings(path, text)
        self.assertEqual(len(found), 1, found)
        self.assertIn(part, found[0])
        self.assertTrue(found[0].startswith(path + ":"), found[0])

    def assert_green(self, path, text):
        self.assertEqual(self.findings(path, text), [])


class Layers(LintTest):
    lint = layers

    def test_an_arrow_that_is_drawn_is_fine(self):
        self.assert_green("hook/a.cc", '#include "oci-config/base/result.h"\n#include "runtime-shim/state/ledger.h"\n')
        self.assert_green("runtime-shim/a.cc", '#include "vendors/render.h"\n#include "libvgpu/abi/slice.h"\n')

    def test_an_arrow_against_the_direction_fails(self):
        self.assert_red("oci-config/a.cc", '\n#include "vendors/recipe.h"\n', "'oci-config' may not include 'vendors'")
        self.assert_red("oci-config/base/a.h", '#include "oci-config/view.h"\n', "may not include 'oci-config'")
        self.assert_red("vendors/a.cc", '#include "runtime-shim/plan.h"\n', "may not include 'runtime-shim'")
        self.assert_red("runtime-shim/state/a.cc", '#include "oci-config/state.h"\n', "may not include 'oci-config'")
        self.assert_red("libvgpu/a.cc", '#include "oci-config/base/text.h"\n', "may not include 'oci-config/base'")
        self.assert_red("containerd/a.cc", '#include "vendors/recipe.h"\n', "may not include 'vendors'")

    def test_of_the_recipe_engine_the_hook_sees_the_plan_only(self):
        self.assert_green("hook/a.cc", '#include "vendors/plan_json.h"\n')
        self.assert_red("hook/a.cc", '#include "vendors/render.h"\n', "may not include 'vendors'")
        self.assert_red("vendors/hook_plan.h", '#include "vendors/recipe.h"\n', "may not include the recipe engine")

    def test_of_the_interposer_others_see_the_abi_only(self):
        self.assert_red("runtime-shim/a.cc", '#include "libvgpu/core/usage.h"\n', "may not include 'libvgpu'")

    def test_a_folder_without_arrows_fails(self):
        self.assert_red("newcomer/a.cc", '#include "newcomer/a.h"\n', "has no arrows")

    def test_a_header_without_its_whole_path_fails(self):
        self.assert_red("hook/a.cc", '#include "root.h"\n', "by its path from the top")

    def test_a_third_party_header_outside_its_files_fails(self):
        for header in ("json-c/json.h", "yaml.h", "libudev.h", "toml++/toml.h", "seccomp.h", "sys/capability.h",
                       "tl/expected.hpp", "oci-config/json_access.h"):
            marks = ('"', '"') if header.startswith("oci-config") else ("<", ">")
            self.assert_red("hook/a.cc", f"#include {marks[0]}{header}{marks[1]}\n", "only ")

    def test_a_third_party_header_in_its_files_is_fine(self):
        self.assert_green("vendors/plan_json.cc", "#include <json-c/json.h>\n")
        self.assert_green("runtime-shim/state/lease_json.cc", "#include <json-c/json.h>\n")
        self.assert_green("vendors/probe/discovery.cc", "#include <libudev.h>\n")
        self.assert_green("hook/confine.cc", "  #  include <sys/capability.h>\n")

    def test_a_library_that_is_not_ours_to_use_fails(self):
        self.assert_red("hook/a.cc", "#include <fmt/format.h>\n", "no file of the product")
        self.assert_red("hook/a.cc", "#include <gtest/gtest.h>\n", "no file of the product")

    def test_tests_may_include_everything(self):
        self.assert_green("tests/unit/a.cc", "#include <json-c/json.h>\n#include <gtest/gtest.h>\n")

    def test_an_empty_tree_is_not_a_clean_tree(self):
        with tempfile.TemporaryDirectory() as folder:
            self.assertEqual(len(layers.check(folder)), 1)
            self.assertEqual(len(words.check(folder)), 1)


class Words(LintTest):
    lint = words

    def test_calls_that_run_a_shell_fail(self):
        self.assert_red("hook/a.cc", 'int f() {\n  return system("ls");\n}\n', "a.cc:2: 'system('")
        self.assert_red("hook/a.cc", 'auto f() { return std::system("ls"); }\n', "std::system(")
        self.assert_red("tests/a.cc", 'auto* f() { return ::popen("ls", "r"); }\n', "popen(")

    def test_calls_without_a_limit_fail(self):
        self.assert_red("libvgpu/a.cc", "void f(char* a) { strcpy(a, kText); }\n", "strcpy(")
        self.assert_red("libvgpu/a.cc", "int f(char* a) { return atoi(a); }\n", "atoi(")

    def test_comments_literals_and_members_may_name_them(self):
        self.assert_green("hook/a.cc", '// system(3) runs a shell\nauto s = "system(x)"; auto t = file.system(1);\n')
        self.assert_green("hook/a.cc", 'auto s = R"x(popen("a"))x"; /* popen( */ int n = 1\'000; char c = \'"\';\n')

    def test_unfinished_work_fails_everywhere(self):
        self.assert_red("hook/a.cc", "// TODO: later\n", "TODO")
        self.assert_red("scripts/a.sh", "# FIXME\n", "FIXME")
        self.assert_red("docs/a.md", "It works for now.\n", "for now")

    def test_paths_of_a_machine_fail(self):
        self.assert_red("cmake/a.cmake", "set(X /home/me)\n", "/home/")

    def test_banners_fail(self):
        self.assert_red("hook/a.cc", "// ----------------\n", "banner")
        self.assert_red("hook/a.cc", "// ===== Parsing =====\n", "banner")
        self.assert_red("hook/a.cc", "/******************/\n", "banner")
        self.assert_red("scripts/a.sh", "########\n", "banner")

    def test_plain_comments_and_tables_are_fine(self):
        self.assert_green("hook/a.cc", "// a -> b, then c - d\nint x = a----b;\n")
        self.assert_green("docs/a.md", "| --- | --- |\n")


class Product(unittest.TestCase):
    def test_every_part_of_the_table_exists(self):
        for part in layers.ARROWS:
            self.assertTrue(os.path.isdir(os.path.join(sources.root(), part)), part)


if __name__ == "__main__":
    unittest.main()
