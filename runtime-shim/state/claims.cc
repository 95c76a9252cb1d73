#include "runtime-shim/state/claims.h"

#include <dirent.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <memory>

#include "oci-config/base/files.h"
#include "oci-config/base/text.h"
#include "runtime-shim/state/claims_json.h"

namespace hami::state {

namespace {

constexpr std::size_t kMaxClaimsBytes = 64U << 10U;

struct CloseDir {
  void operator()(DIR* dir) const noexcept { ::closedir(dir); }
};

std::string pods_dir(const std::string& state_dir) { return state_dir + "/pods"; }

// The uid is somebody else's text: lease_key makes a safe file name of it.
std::string path_of(const std::string& state_dir, const std::string& pod) {
  return text::cat({pods_dir(state_dir), "/", lease_key("pod", pod), ".json"});
}

Result<PodClaims> read_claims(const std::string& path) {
  HAMI_TRY(const std::string text, files::read_trusted(path, kMaxClaimsBytes, files::Trust::root_owned));
  return parse_claims(text);
}

bool is_gone(const PodClaims& claims) {
  struct stat info {};
  const std::string dir = text::cat({claims.engine_root, "/", claims.sandbox});
  return ::stat(dir.c_str(), &info) != 0 && errno == ENOENT;
}

}  // namespace

std::vector<std::size_t> PodClaims::held_by_others(const std::string& annotation,
                                                   const std::string& container) const {
  std::vector<std::size_t> out;
  for (const Claim& claim : claims) {
    if (claim.annotation == annotation && claim.container != container) out.push_back(claim.group);
  }
  return out;
}

void PodClaims::take(const std::string& annotation, std::size_t group, const std::string& container) {
  std::erase_if(claims, [&](const Claim& claim) {
    return claim.annotation == annotation && claim.container == container;
  });
  claims.push_back({annotation, group, container});
}

PodClaims load_claims(const std::string& state_dir, const std::string& pod, const std::string& sandbox) {
  PodClaims none{pod, sandbox, "", {}};
  auto claims = read_claims(path_of(state_dir, pod));
  if (!claims || claims->pod != pod || claims->sandbox != sandbox) return none;
  return *std::move(claims);
}

Result<> save_claims(const std::string& state_dir, const PodClaims& claims) {
  HAMI_CHECK(files::make_dirs(pods_dir(state_dir), 0700));
  return files::write_atomic(path_of(state_dir, claims.pod), to_json(claims), 0600);
}

void drop_stale_claims(const std::string& state_dir, std::size_t most) {
  const std::unique_ptr<DIR, CloseDir> stream(::opendir(pods_dir(state_dir).c_str()));
  if (stream == nullptr) return;
  std::vector<std::string> names;
  while (const dirent* entry = ::readdir(stream.get())) {
    if (entry->d_name[0] != '.') names.emplace_back(entry->d_name);
  }
  const std::size_t first = names.empty() ? 0 : static_cast<std::size_t>(::getpid()) % names.size();
  for (std::size_t i = 0; i < std::min(most, names.size()); ++i) {
    const std::string path = text::cat({pods_dir(state_dir), "/", names[(first + i) % names.size()]});
    const auto claims = read_claims(path);
    if (!claims || is_gone(*claims)) ::unlink(path.c_str());
  }
}

}  // namespace hami::state
