#include "oci-config/base/json_scan.h"

#include <string>
#include <unordered_set>
#include <vector>

#include "oci-config/base/json_read.h"

namespace hami {

namespace {

// Keeps the names of the objects that are open and nothing else.
class Names final : public JsonEvents {
 public:
  void begin_object() override { open_.emplace_back(); }
  void begin_array() override { open_.emplace_back(); }
  void end() override { open_.pop_back(); }
  bool name(const std::string& name) override { return open_.back().insert(name).second; }
  void text(const std::string& /*value*/) override {}
  void integer(bool /*negative*/, std::uint64_t /*magnitude*/) override {}
  void real(const std::string& /*spelling*/) override {}
  void boolean(bool /*value*/) override {}
  void null() override {}

 private:
  std::vector<std::unordered_set<std::string>> open_;
};

}  // namespace

Result<> scan_json(std::string_view text, int max_depth) {
  Names names;
  return read_json(text, max_depth, names);
}

}  // namespace hami
