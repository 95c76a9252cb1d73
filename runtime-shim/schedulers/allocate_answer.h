// What a device plugin answered the kubelet for one container, as the kubelet keeps it: the protocol buffer
// ContainerAllocateResponse of the device plugin API v1beta1.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "oci-config/base/result.h"

namespace hami::schedulers {

struct AnsweredMount {
  std::string container_path;
  std::string host_path;
  bool read_only = false;
  friend bool operator==(const AnsweredMount&, const AnsweredMount&) = default;
};

struct AnsweredNode {
  std::string container_path;
  std::string host_path;
  std::string permissions;
  friend bool operator==(const AnsweredNode&, const AnsweredNode&) = default;
};

struct AllocateAnswer {
  std::map<std::string, std::string> env;
  std::vector<AnsweredMount> mounts;
  std::vector<AnsweredNode> nodes;
  std::map<std::string, std::string> annotations;
  std::vector<std::string> cdi_devices;  // "vendor.com/class=name"
  friend bool operator==(const AllocateAnswer&, const AllocateAnswer&) = default;
};

// Fields that are not known are skipped, as protocol buffers want it. Fails with invalid_request, naming the
// byte, on one that is cut off or of a wire type its number cannot have.
[[nodiscard]] Result<AllocateAnswer> decode_answer(std::string_view bytes);
[[nodiscard]] std::string encode_answer(const AllocateAnswer& answer);

// RFC 4648, with padding. Fails with invalid_request on anything else.
[[nodiscard]] Result<std::string> decode_base64(std::string_view text);
[[nodiscard]] std::string encode_base64(std::string_view bytes);

}  // namespace hami::schedulers
