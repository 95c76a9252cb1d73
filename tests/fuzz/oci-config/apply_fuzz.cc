// Edits applied twice are edits applied once, and what was asked for is there.
#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "oci-config/apply.h"
#include "oci-config/view.h"

using namespace hami;
using namespace hami::oci;

namespace {

void require(bool condition) {
  if (!condition) std::abort();
}

ContainerEdits every_kind() {
  ContainerEdits edits;
  edits.devices = {{"/dev/a", DeviceType::character, 195, 0, 0666, {}, {}, "rw"},
                   {"/dev/b", DeviceType::block, 8, 1, 0600, 0, 0, "r"}};
  edits.mounts = {{"/m/f", "/h/f", "bind", {"bind", "ro"}}, {"/m", "/h", "bind", {"rbind"}}};
  edits.env = {
      {"A", "1", EnvEdit::Op::set}, {"B", "2", EnvEdit::Op::set_default}, {"C", "", EnvEdit::Op::unset}};
  edits.hooks = {{HookStage::create_container, "/h", {"h", "c"}, {"P=1"}, 5},
                 {HookStage::poststop, "/h", {"h"}, {"P=1"}, 0}};
  edits.additional_gids = {44};
  edits.annotations = {{"k", "v"}};
  edits.masked_paths = {"/proc/a"};
  edits.readonly_paths = {"/proc/b"};
  edits.drop_hooks = {"x"};
  return edits;
}

void is_edited(const ContainerView& seen) {
  const auto count = [&](std::string_view name) {
    return std::count_if(seen.env.begin(), seen.env.end(),
                         [&](const auto& entry) { return entry.first == name; });
  };
  require(count("A") == 1 && seen.env_value("A") == "1");
  require(count("B") == 1 && count("C") == 0);
  require(std::count(seen.device_paths.begin(), seen.device_paths.end(), "/dev/a") == 1);
  const std::size_t mounts = seen.mounts.size();
  require(mounts >= 2 && seen.mounts[mounts - 2].destination == "/m" &&
          seen.mounts[mounts - 1].destination == "/m/f");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const ContainerEdits edits = every_kind();
  auto document = Document::parse({reinterpret_cast<const char*>(data), size});
  if (!document) return 0;
  auto once = apply(*std::move(document), edits);
  if (!once) {
    require(!once.error().message.empty());
    return 0;
  }
  const std::string text = once->serialize();
  if (const auto seen = view(*once)) is_edited(*seen);
  const auto twice = apply(*std::move(once), edits);
  require(twice.has_value() && twice->serialize() == text);
  auto read_again = Document::parse(text);
  require(read_again.has_value());
  return 0;
}
