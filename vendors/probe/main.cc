// hami-probe: asks one vendor library about its devices and prints the answer as JSON. A process of its own,
// because such a library may crash, hang, or need a dynamic loader.
#include <cstdio>
#include <string_view>

#include "oci-config/base/log.h"
#include "vendors/probe/dcmi.h"
#include "vendors/probe/nvml.h"

namespace {

constexpr const char* kUsage = "usage: hami-probe nvml|dcmi /absolute/path/of/the/vendor's/library\n";

hami::Result<std::string> ask(std::string_view adapter, const std::string& library) {
  if (adapter != "nvml" && adapter != "dcmi")
    return hami::fail(hami::Errc::invalid_config, "unknown adapter", "known: nvml, dcmi");
  if (!library.starts_with('/'))
    return hami::fail(hami::Errc::invalid_config, "the library's path must be absolute");
  return adapter == "dcmi" ? hami::probe::ask_dcmi(library) : hami::probe::ask_nvml(library);
}

}  // namespace

int main(int argc, char** argv) {
  if (argc == 2 && std::string_view(argv[1]) == "--help") return std::fputs(kUsage, stdout) < 0 ? 1 : 0;
  if (argc != 3) {
    std::fputs(kUsage, stderr);
    return 2;
  }
  const auto answer = ask(argv[1], argv[2]);
  if (!answer) {
    hami::report({"hami-probe", "", hami::LogFormat::text}, answer.error());
    return 1;
  }
  if (std::fputs(answer->c_str(), stdout) < 0 || std::fflush(stdout) != 0) return 1;
  return 0;
}
