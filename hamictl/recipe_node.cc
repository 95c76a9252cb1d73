#include "hamictl/recipe_node.h"

#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <cstdlib>

#include "oci-config/base/files.h"
#include "oci-config/base/text.h"

namespace hami::hamictl {

namespace {

bool is_repeated(const std::string& text) { return text.find("{n") != std::string::npos; }

Result<std::uint64_t> number(std::string_view text, int base, const std::string& of) {
  const std::string copy(text);
  char* end = nullptr;
  const auto value = std::strtoull(copy.c_str(), &end, base);
  if (!copy.empty() && *end == '\0') return std::uint64_t{value};
  return fail(Errc::invalid_config,
              text::cat({"node ", text::quote(of), " is not \"major:minor [mode [group]]\""}));
}

}  // namespace

Result<RecipeNode> RecipeNode::build(const vendors::TestNode& description) {
  const char* base = std::getenv("TMPDIR");
  std::string name = text::cat({base != nullptr && *base == '/' ? base : "/tmp", "/hami-node-XXXXXX"});
  if (::mkdtemp(name.data()) == nullptr) return fail_errno("make a directory like", name);
  RecipeNode node(name);
  HAMI_CHECK(node.fill(description));
  return node;
}

RecipeNode::~RecipeNode() {
  if (!directory_.empty()) static_cast<void>(files::remove_tree(directory_));
}

vendors::HostRoots RecipeNode::roots() const {
  vendors::HostRoots roots;
  roots.driver = directory_;
  roots.dev = directory_;
  roots.proc = directory_ + "/proc";
  roots.sys = directory_ + "/sys";
  roots.state_dir = directory_ + "/run/hami";
  roots.probe_program = directory_ + "/bin/probe";
  return roots;
}

Result<> RecipeNode::write(const std::string& path, std::string_view content, unsigned mode) const {
  const std::string full = text::cat({directory_, "/", path});
  HAMI_CHECK(files::make_dirs(files::dir_name(full), 0755));
  return files::write_atomic(full, content, mode);
}

Result<> RecipeNode::device_node(const std::string& path, const std::string& numbers) const {
  const auto words = text::split(numbers, ' ');
  const auto pair = text::split(words.front(), ':');
  HAMI_TRY(const auto major, number(pair.front(), 10, numbers));
  HAMI_TRY(const auto minor, number(pair.back(), 10, numbers));
  std::uint64_t mode = 0666;
  std::uint64_t group = 0;
  if (words.size() > 1) {
    HAMI_TRY(mode, number(words[1], 8, numbers));
  }
  if (words.size() > 2) {
    HAMI_TRY(group, number(words[2], 10, numbers));
  }
  const std::string full = text::cat({directory_, "/", path});
  HAMI_CHECK(files::make_dirs(files::dir_name(full), 0755));
  const auto device = makedev(static_cast<unsigned>(major), static_cast<unsigned>(minor));
  if (::mknod(full.c_str(), S_IFCHR | 0600, device) != 0) {
    return fail(Errc::denied, text::cat({"make the device node ", text::quote(full), ": not permitted"}),
                "run as root: a recipe is tried on device nodes made for it");
  }
  if (::chown(full.c_str(), 0, static_cast<gid_t>(group)) != 0 ||
      ::chmod(full.c_str(), static_cast<mode_t>(mode)) != 0)
    return fail_errno("set the mode of", full);
  // What the kernel says about a node that its driver made itself.
  if (!path.starts_with("dev/")) return {};
  return write(
      text::cat({"sys/dev/char/", words.front(), "/uevent"}),
      text::cat({"MAJOR=", pair.front(), "\nMINOR=", pair.back(), "\nDEVNAME=", path.substr(4), "\n"}));
}

// The repeated entries for n; for 0 also those that are there once.
Result<> RecipeNode::entry(const vendors::TestNode& description, std::uint32_t n) const {
  const auto wanted = [n](const std::string& text) { return n == 0 || is_repeated(text); };
  for (const auto& [path, content] : description.files) {
    if (wanted(path)) HAMI_CHECK(write(vendors::numbered(path, n), vendors::numbered(content, n) + "\n"));
  }
  for (const auto& path : description.directories) {
    if (wanted(path))
      HAMI_CHECK(files::make_dirs(text::cat({directory_, "/", vendors::numbered(path, n)}), 0755));
  }
  for (const auto& [path, target] : description.links) {
    if (!wanted(path)) continue;
    const std::string full = text::cat({directory_, "/", vendors::numbered(path, n)});
    HAMI_CHECK(files::make_dirs(files::dir_name(full), 0755));
    if (::symlink(vendors::numbered(target, n).c_str(), full.c_str()) != 0) return fail_errno("link", full);
  }
  for (const auto& [path, numbers] : description.nodes) {
    if (wanted(path)) HAMI_CHECK(device_node(vendors::numbered(path, n), vendors::numbered(numbers, n)));
  }
  return {};
}

Result<> RecipeNode::fill(const vendors::TestNode& description) const {
  for (const char* name : {"dev", "proc", "sys/bus/pci/devices", "run"})
    HAMI_CHECK(files::make_dirs(text::cat({directory_, "/", name}), 0755));
  for (std::uint32_t n = 0; n < description.repeat; ++n) HAMI_CHECK(entry(description, n));
  HAMI_CHECK(
      write("proc/devices", text::cat({"Character devices:\n  1 mem\n",
                                       text::join(description.proc_devices, "\n"), "\n\nBlock devices:\n"})));
  HAMI_CHECK(write("bin/hook", "", 0755));
  HAMI_CHECK(write("bin/libvgpu.so", ""));
  if (description.probe.empty()) return {};
  return write("bin/probe", text::cat({"#!/bin/sh\ncat <<'END'\n", description.probe, "\nEND\n"}), 0755);
}

}  // namespace hami::hamictl
