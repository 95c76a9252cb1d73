#include "hamictl/pod.h"

#include <unistd.h>

#include <map>
#include <vector>

#include "hamictl/columns.h"
#include "oci-config/base/files.h"
#include "oci-config/base/log.h"
#include "oci-config/base/text.h"
#include "runtime-shim/pod/decision.h"
#include "runtime-shim/pod/rewrite.h"
#include "runtime-shim/schedulers/amounts.h"
#include "runtime-shim/schedulers/pod_json.h"

namespace hami::hamictl {

namespace {

using schedulers::Annotations;

struct Row {
  std::string vendor;
  std::size_t group = 0;  // place in the scheduler's list, which need not be the container's in its Pod
  std::string device;     // "": the amounts and devices are in the container's variables
  std::string type;
  schedulers::Amounts amounts;
  std::string key;
};

Result<Annotations> annotations_of(const std::string& file) {
  const std::string name = file == "-" ? "standard input" : file;
  HAMI_TRY(const auto json, file == "-" ? files::read_all(STDIN_FILENO, name, schedulers::kMaxPod)
                                        : files::read(file, schedulers::kMaxPod));
  auto annotations = schedulers::parse_annotations(json);
  if (!annotations) return fail(std::move(annotations).error().within(name));
  return annotations;
}

Result<std::vector<Row>> rows_of(const shim::PodDecision& decision) {
  std::vector<Row> out;
  if (decision.groups.empty()) out.push_back({decision.vendor, 0, "", "", {}, decision.key});
  for (std::size_t group = 0; group < decision.groups.size(); ++group) {
    for (const schedulers::DeviceRecord& record : decision.groups[group]) {
      HAMI_TRY(const auto amounts, schedulers::amounts_of(record, decision.key));
      out.push_back({decision.vendor, group, record.uuid, record.type, amounts, decision.key});
    }
  }
  return out;
}

std::string table_row(const Row& row) {
  const auto& [memory, cores] = row.amounts;
  const bool named = !row.device.empty();
  const std::string amount = !named ? "-" : memory ? to_text(*memory) : "all";
  const std::string percent = cores.value == 0 ? "-" : text::cat({text::number(cores.value), "%"});
  return text::cat({padded(row.vendor, 10), padded(named ? text::number(row.group) : "-", 5),
                    padded(named ? row.device : "-", 42), padded(row.type, 16), padded(amount, 10),
                    padded(percent, 5), row.key, "\n"});
}

std::string json_row(const Row& row) {
  const std::string memory = row.amounts.memory ? text::number(row.amounts.memory->value) : "null";
  const std::string device = row.device.empty() ? "null" : json_string(row.device);
  return text::cat({"{\"vendor\":", json_string(row.vendor), ",\"group\":", text::number(row.group),
                    ",\"device\":", device, ",\"type\":", json_string(row.type), ",\"memory\":", memory,
                    ",\"cores\":", text::number(row.amounts.cores.value), ",\"key\":", json_string(row.key),
                    "}\n"});
}

}  // namespace

Result<std::string> show_pod(const std::string& file, bool json) {
  oci::ContainerView container;
  HAMI_TRY(container.annotations, annotations_of(file));
  container.annotations["io.kubernetes.cri.container-type"] = "container";  // as its engine says to a runtime
  HAMI_TRY(const auto decisions, shim::read_decisions(container, {}));
  std::string out;
  if (!json) {
    out = text::cat({padded("VENDOR", 10), padded("GROUP", 5), padded("DEVICE", 42), padded("TYPE", 16),
                     padded("MEMORY", 10), padded("CORES", 5), "ANNOTATION\n"});
  }
  for (const shim::PodDecision& decision : decisions) {
    HAMI_TRY(const auto rows, rows_of(decision));
    for (const Row& row : rows) out += json ? json_row(row) : table_row(row);
  }
  return out;
}

Result<std::string> rewrite_pod(const std::string& file) {
  HAMI_TRY(const auto annotations, annotations_of(file));
  HAMI_TRY(const auto rewritten, shim::rewrite_annotations(annotations));
  return schedulers::encode_annotations(rewritten);
}

}  // namespace hami::hamictl
