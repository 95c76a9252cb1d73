#include "vendors/mount_list.h"

#include <algorithm>
#include <array>
#include <optional>
#include <utility>

#include "oci-config/base/text.h"
#include "vendors/recipe_decoder.h"

namespace hami::vendors {

namespace {

constexpr std::array<std::pair<std::string_view, ListedKind>, 4> kKinds{{{"dev", ListedKind::device},
                                                                         {"lib", ListedKind::file},
                                                                         {"dir", ListedKind::directory},
                                                                         {"sym", ListedKind::symlink}}};

std::optional<ListedKind> kind_of(std::string_view word) {
  const auto found =
      std::find_if(kKinds.begin(), kKinds.end(), [&](const auto& kind) { return kind.first == word; });
  return found == kKinds.end() ? std::nullopt : std::optional(found->second);
}

// What is wrong with the path; empty when nothing is.
std::string_view refused(ListedKind kind, std::string_view path) {
  const bool is_text = std::all_of(path.begin(), path.end(),
                                   [](char c) { return static_cast<unsigned char>(c) >= 0x20 && c != 0x7f; });
  if (!is_text) return "has a control character";
  if (kind == ListedKind::device) return forbidden_device_path(path);
  if (const auto why = forbidden_host_path(path); !why.empty()) return why;
  return forbidden_container_path(path);
}

}  // namespace

Result<std::vector<Listed>> parse_mount_list(std::string_view text, std::string_view file) {
  std::vector<Listed> entries;
  std::size_t number = 0;
  for (const std::string_view raw : text::split(text, '\n')) {
    ++number;
    const auto line = text::trim(raw);
    if (line.empty() || line.front() == '#') continue;
    const auto wrong = [&](std::string_view what, std::string hint = {}) {
      return fail(Errc::invalid_config, text::cat({file, ":", text::number(number), ": ", what}),
                  std::move(hint));
    };
    const auto comma = line.find(',');
    const auto word = text::trim(line.substr(0, comma));
    const auto kind = kind_of(word);
    if (comma == std::string_view::npos || !kind)
      return wrong(text::cat({"expected '<type>, <path>', got ", text::quote(line, 80)}),
                   "known: dev, lib, dir, sym");
    const auto path = text::trim(line.substr(comma + 1));
    if (const auto why = refused(*kind, path); !why.empty())
      return wrong(text::cat({"the path ", text::quote(path, 120), " ", why}));
    if (entries.size() == kMaxMountListLines) return wrong("too many entries");
    entries.push_back({*kind, std::string(path), number});
  }
  return entries;
}

}  // namespace hami::vendors
