// The `tests` of a recipe file: a node to try it on, requests, and what they must give.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "oci-config/base/result.h"

namespace hami::vendors {

// A node as files below a directory. Texts may have {n}, {nn} (two digits) and {n+<number>}: such entries are
// made `repeat` times, with n from 0.
struct TestNode {
  std::uint32_t repeat = 1;
  std::map<std::string, std::string> files;  // path → content
  std::vector<std::string> directories;
  std::map<std::string, std::string> links;  // path → target
  std::map<std::string, std::string> nodes;  // "dev/kvm" → "10:232", or "10:232 0660 44" with mode and group
  std::vector<std::string> proc_devices;     // "226 drm"
  std::string probe;                         // what the vendor's library would tell, as hami-probe prints it
};

// What one container asks.
struct TestRequest {
  std::map<std::string, std::string> env;
  std::map<std::string, std::string> annotations;
  bool privileged = false;
};

struct TestCase {
  std::string name;
  std::vector<TestRequest> before;  // containers that hold something already
  TestRequest request;
  std::vector<std::string> gives;  // lines of the description of the edits, each whole
  std::vector<std::string> lacks;  // texts that stand in no line
  std::string fails;               // text of the error
  bool nothing = false;            // it is no request at all
};

struct RecipeTests {
  TestNode node;
  std::vector<TestCase> cases;
};

// The `tests` of a recipe file; empty when it has none. Fails with invalid_config.
[[nodiscard]] Result<RecipeTests> parse_recipe_tests(std::string_view yaml, std::string_view file_name);

// One case in a file of its own: the keys of an entry of `tests: cases:`.
[[nodiscard]] Result<TestCase> parse_test_case(std::string_view yaml, std::string_view file_name);

// `text` for the entry number n.
[[nodiscard]] std::string numbered(std::string_view text, std::uint32_t n);

}  // namespace hami::vendors
