// hami-probe: does one thing with one vendor's library or driver file: describes the devices as JSON, makes
// or destroys a slice. A process of its own, because such a library may crash, hang, or need a dynamic
// loader.
#include <fcntl.h>
#include <unistd.h>

#include <cstdint>
#include <cstdio>
#include <string>
#include <string_view>
#include <vector>

#include "oci-config/base/log.h"
#include "oci-config/base/text.h"
#include "oci-config/base/unique_fd.h"
#include "vendors/probe/cndev.h"
#include "vendors/probe/dcmi.h"
#include "vendors/probe/nvml.h"

namespace {

using hami::Errc;
using hami::fail;
using hami::Result;
using Words = std::vector<std::string>;

constexpr const char* kUsage =
    "usage: hami-probe nvml|dcmi LIBRARY\n"
    "       hami-probe dcmi create LIBRARY PHYSICAL-ID TEMPLATE NUMBER\n"
    "       hami-probe dcmi destroy LIBRARY PHYSICAL-ID NUMBER\n"
    "       hami-probe cndev create LIBRARY SLOT PERCENT BYTES\n"
    "       hami-probe cndev destroy LIBRARY SLOT NUMBER\n"
    "       hami-probe write FILE TEXT\n"
    "LIBRARY and FILE are absolute paths.\n";

// Numbers in the arguments; the first that is none is remembered.
class Numbers {
 public:
  explicit Numbers(const Words& words) : words_(words) {}

  std::uint64_t operator()(std::size_t index, std::uint64_t max = UINT32_MAX) {
    const auto value = hami::text::parse_u64(words_[index]);
    if (value && *value <= max) return *value;
    if (wrong_.empty()) wrong_ = words_[index];
    return 0;
  }
  std::uint32_t small(std::size_t index) { return static_cast<std::uint32_t>((*this)(index)); }

  [[nodiscard]] Result<> check() const {
    if (wrong_.empty()) return {};
    return fail(Errc::invalid_config, hami::text::cat({hami::text::quote(wrong_), " is not a number"}));
  }

 private:
  const Words& words_;
  std::string wrong_;
};

Result<> check_path(const std::string& path) {
  if (path.starts_with('/')) return {};
  return fail(Errc::invalid_config, "the path must be absolute");
}

// Text into a file of the driver: what one write(2) takes or refuses.
Result<> write_once(const std::string& path, std::string_view text) {
  HAMI_CHECK(check_path(path));
  const hami::UniqueFd fd(::open(path.c_str(), O_WRONLY | O_CLOEXEC | O_NOFOLLOW));
  if (!fd) return hami::fail_errno("open", path);
  const auto size = static_cast<ssize_t>(text.size());
  if (::write(fd.get(), text.data(), text.size()) != size) return hami::fail_errno("write", path);
  return {};
}

Result<std::string> done(const Result<>& result) {
  if (!result) return fail(result.error());
  return std::string{};
}

Result<std::string> drive_dcmi(const Words& words) {
  Numbers number(words);
  const std::uint32_t physical = number.small(3);
  const bool creates = words[1] == "create";
  const std::uint32_t vnpu = number.small(creates ? 5 : 4);
  HAMI_CHECK(number.check());
  return done(creates ? hami::probe::create_vnpu(words[2], physical, words[4], vnpu)
                      : hami::probe::destroy_vnpu(words[2], physical, vnpu));
}

Result<std::string> drive_cndev(const Words& words) {
  Numbers number(words);
  const std::uint32_t slot = number.small(3);
  const std::uint32_t second = number.small(4);
  const std::uint64_t memory = words[1] == "create" ? number(5, INT64_MAX) : 0;
  HAMI_CHECK(number.check());
  if (words[1] == "destroy") return done(hami::probe::destroy_smlu(words[2], slot, second));
  HAMI_TRY(const auto made, hami::probe::create_smlu(words[2], slot, second, memory));
  return std::to_string(made) + "\n";
}

Result<std::string> ask(const Words& words) {
  const auto is = [&](std::string_view adapter, std::string_view verb, std::size_t size) {
    return words.size() == size && words[0] == adapter && words[1] == verb;
  };
  if (words.size() == 3 && words[0] == "write") return done(write_once(words[1], words[2]));
  if (is("dcmi", "create", 6) || is("dcmi", "destroy", 5)) {
    HAMI_CHECK(check_path(words[2]));
    return drive_dcmi(words);
  }
  if (is("cndev", "create", 6) || is("cndev", "destroy", 5)) {
    HAMI_CHECK(check_path(words[2]));
    return drive_cndev(words);
  }
  if (words.size() != 2 || (words[0] != "nvml" && words[0] != "dcmi"))
    return fail(Errc::invalid_config, "unknown adapter or verb", "see hami-probe --help");
  HAMI_CHECK(check_path(words[1]));
  return words[0] == "dcmi" ? hami::probe::ask_dcmi(words[1]) : hami::probe::ask_nvml(words[1]);
}

}  // namespace

int main(int argc, char** argv) {
  if (argc == 2 && std::string_view(argv[1]) == "--help") return std::fputs(kUsage, stdout) < 0 ? 1 : 0;
  if (argc < 3) {
    std::fputs(kUsage, stderr);
    return 2;
  }
  const auto answer = ask({argv + 1, argv + argc});
  if (!answer) {
    hami::report({"hami-probe", "", hami::LogFormat::text}, answer.error());
    return 1;
  }
  if (std::fputs(answer->c_str(), stdout) < 0 || std::fflush(stdout) != 0) return 1;
  return 0;
}
