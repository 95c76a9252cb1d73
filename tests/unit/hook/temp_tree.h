// A directory for one test: `host` must never change, `rootfs` belongs to a hostile image.
#pragma once

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <set>
#include <string>

namespace hami::hook {

class TempTree {
 public:
  TempTree() {
    std::string name = (std::filesystem::temp_directory_path() / "hami-hook-XXXXXX").string();
    if (::mkdtemp(name.data()) == nullptr) std::abort();
    base_ = name;
    std::filesystem::create_directories(rootfs());
    std::filesystem::create_directories(host());
    write(host() / "secret", "host content");
  }
  TempTree(const TempTree&) = delete;
  TempTree& operator=(const TempTree&) = delete;
  ~TempTree() {
    std::error_code ignored;
    std::filesystem::remove_all(base_, ignored);
  }

  [[nodiscard]] std::filesystem::path base() const { return base_; }
  [[nodiscard]] std::filesystem::path rootfs() const { return base_ / "rootfs"; }
  [[nodiscard]] std::filesystem::path host() const { return base_ / "host"; }

  static void write(const std::filesystem::path& path, const std::string& content) {
    std::filesystem::create_directories(path.parent_path());
    std::ofstream(path) << content;
  }

  static std::string read(const std::filesystem::path& path) {
    std::ifstream in(path);
    return {std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
  }

  // Names in a directory.
  static std::set<std::string> names(const std::filesystem::path& path) {
    std::set<std::string> out;
    for (const auto& entry : std::filesystem::directory_iterator(path)) out.insert(entry.path().filename());
    return out;
  }

  // Nothing was added to, taken from or changed in the host's directory.
  [[nodiscard]] bool host_untouched() const {
    return names(host()) == std::set<std::string>{"secret"} && read(host() / "secret") == "host content";
  }

 private:
  std::filesystem::path base_;
};

}  // namespace hami::hook
