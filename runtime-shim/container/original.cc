#include "runtime-shim/container/original.h"

#include <unistd.h>

#include "oci-config/base/files.h"
#include "oci-config/base/text.h"
#include "oci-config/document.h"

namespace hami::shim {

namespace {

std::string kept_path(const std::string& config_path) {
  return text::cat({files::dir_name(config_path), "/.", files::base_name(config_path), ".hami"});
}

// First line of the kept file: which edited text it belongs to.
std::string title(std::string_view edited) {
  return text::cat(
      {"original of ", text::hex64(text::fnv1a(edited)), " ", text::number(edited.size()), "\n"});
}

}  // namespace

Result<> keep_original(const std::string& config_path, std::string_view original, std::string_view edited) {
  return files::write_atomic(kept_path(config_path), text::cat({title(edited), original}), 0600);
}

Result<std::string> original_of(const std::string& config_path, std::string_view text) {
  const auto kept =
      files::read_trusted(kept_path(config_path), oci::kMaxDocumentBytes + 256, files::Trust::root_owned);
  const std::string expected = title(text);
  if (kept && kept->rfind(expected, 0) == 0) return kept->substr(expected.size());
  return fail(Errc::invalid_spec,
              text::cat({text::quote(config_path), " was prepared by an earlier create and changed since"}),
              "write it anew, without our devices, mounts and hooks");
}

void forget_original(const std::string& config_path) { ::unlink(kept_path(config_path).c_str()); }

}  // namespace hami::shim
