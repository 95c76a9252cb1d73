#include "runtime-shim/schedulers/dra.h"

#include <array>

#include "oci-config/base/text.h"

namespace hami::schedulers {

namespace {

constexpr std::string_view kVendorPrefix = "k8s.";
constexpr std::array<std::string_view, 2> kDrivers{"gpu.nvidia.com", "hami-core-gpu.project-hami.io"};
constexpr std::string_view kShared = "hami-gpu-";
constexpr std::string_view kVfio = "gpu-vfio-";
constexpr std::string_view kCard = "gpu-";
constexpr std::string_view kMig = "-mig-";
constexpr std::string_view kClaims = "/vgpu/claims/";

std::optional<std::uint32_t> number(std::string_view text) {
  const auto value = text::parse_u64(text);
  if (!value || *value > UINT32_MAX) return std::nullopt;
  return static_cast<std::uint32_t>(*value);
}

// "19-4-1".
std::optional<DraDevice::Placement> placement(std::string_view text) {
  const auto parts = text::split(text, '-');
  if (parts.size() != 3) return std::nullopt;
  const auto profile = number(parts[0]);
  const auto start = number(parts[1]);
  const auto size = number(parts[2]);
  if (!profile || !start || !size || *size == 0) return std::nullopt;
  return DraDevice::Placement{*profile, *start, *size};
}

bool read_card(std::string_view text, DraDevice& device) {
  const auto mig = text.find(kMig);
  const auto minor = number(text.substr(0, mig));
  if (!minor) return false;
  device.minor = *minor;
  if (mig == std::string_view::npos) return true;
  device.kind = DraDevice::Kind::mig;
  device.mig = placement(text.substr(mig + kMig.size()));
  return device.mig.has_value();
}

bool read_device(std::string_view text, DraDevice& device) {
  const auto numbered = [&](std::string_view prefix, DraDevice::Kind kind) {
    const auto minor = number(text.substr(prefix.size()));
    device.kind = kind;
    device.minor = minor.value_or(0);
    return minor.has_value();
  };
  if (text.starts_with(kShared)) return numbered(kShared, DraDevice::Kind::shared);
  if (text.starts_with(kVfio)) return numbered(kVfio, DraDevice::Kind::vfio);
  return text.starts_with(kCard) && read_card(text.substr(kCard.size()), device);
}

// Where the device begins behind the claim's uid and a '-'; npos: there is none. A uid has hexadecimal digits
// and '-' alone, so that the first such word is the device's.
std::size_t device_in(std::string_view name) {
  const auto shared = name.find(kShared);
  return shared == std::string_view::npos ? name.find(kCard) : shared;
}

}  // namespace

Result<std::optional<DraDevice>> parse_dra_device(const CdiName& name) {
  DraDevice out;
  for (const std::string_view driver : kDrivers) {
    if (name.vendor == text::cat({kVendorPrefix, driver})) out.driver = driver;
  }
  const bool of_claim = name.device_class == "claim";
  if (out.driver.empty() || (!of_claim && name.device_class != "device")) return std::optional<DraDevice>{};
  std::string_view device = name.name;
  bool known = true;
  if (of_claim) {
    const auto at = device_in(device);
    known = at != std::string_view::npos && at >= 2 && device[at - 1] == '-';
    if (known) out.claim = device.substr(0, at - 1);
    if (known) device.remove_prefix(at);
  }
  if (known && read_device(device, out)) return std::optional<DraDevice>(std::move(out));
  return fail(Errc::invalid_request, text::cat({"CDI name ", text::quote(encode_cdi_names({name}), 150),
                                                " names no device of driver ", out.driver}));
}

CdiName encode_dra_device(const DraDevice& device) {
  std::string name;
  switch (device.kind) {
    case DraDevice::Kind::gpu:
    case DraDevice::Kind::mig:
      name = text::cat({kCard, text::number(device.minor)});
      break;
    case DraDevice::Kind::shared:
      name = text::cat({kShared, text::number(device.minor)});
      break;
    case DraDevice::Kind::vfio:
      name = text::cat({kVfio, text::number(device.minor)});
      break;
  }
  if (device.mig) {
    name += text::cat({kMig, text::number(device.mig->profile), "-", text::number(device.mig->start), "-",
                       text::number(device.mig->size)});
  }
  const bool of_claim = !device.claim.empty();
  return {text::cat({kVendorPrefix, device.driver}), of_claim ? "claim" : "device",
          of_claim ? text::cat({device.claim, "-", name}) : name};
}

std::string_view claim_of_directory(std::string_view path) {
  const auto at = path.find(kClaims);
  if (at == std::string_view::npos) return {};
  const std::string_view claim = path.substr(at + kClaims.size());
  return claim.find('/') == std::string_view::npos ? claim : std::string_view{};
}

}  // namespace hami::schedulers
