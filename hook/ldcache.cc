#include "hook/ldcache.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <optional>
#include <string_view>

#include "hook/cache_patch.h"
#include "hook/ldconfig_jail.h"
#include "hook/library_entries.h"
#include "hook/mounts.h"
#include "hook/trusted_file.h"
#include "oci-config/base/files.h"
#include "oci-config/base/text.h"
#include "vendors/ld_cache.h"

namespace hami::hook {

namespace {

constexpr const char* kCache = "/etc/ld.so.cache";

// Where glibc's loader is, by architecture. Source: sysdeps/*/ldsodefs and shlib-versions of glibc.
constexpr std::array kLoaders{"/lib64/ld-linux-x86-64.so.2",
                              "/lib/ld-linux-aarch64.so.1",
                              "/lib/ld-linux-riscv64-lp64d.so.1",
                              "/lib64/ld64.so.2",
                              "/lib/ld64.so.1",
                              "/lib64/ld-linux-loongarch-lp64d.so.1"};

// Default directories of the loaders of Debian and Ubuntu (by architecture), then of everybody else.
constexpr std::array<std::string_view, 10> kDefaultDirectories {
#if defined(__x86_64__)
  "/lib/x86_64-linux-gnu", "/usr/lib/x86_64-linux-gnu", "/lib/i386-linux-gnu", "/usr/lib/i386-linux-gnu",
#elif defined(__aarch64__)
  "/lib/aarch64-linux-gnu", "/usr/lib/aarch64-linux-gnu", "/lib/arm-linux-gnueabihf",
      "/usr/lib/arm-linux-gnueabihf",
#else
#error "name the multiarch library directories of this architecture"
#endif
      "/lib64", "/usr/lib64", "/lib", "/usr/lib", "/lib32", "/usr/lib32"
};

bool is_elf(int file) {
  std::array<char, 4> magic{};
  return ::pread(file, magic.data(), magic.size(), 0) == 4 && std::string_view(magic.data(), 4) == "\177ELF";
}

Result<UniqueFd> copy_of_ldconfig(const std::vector<std::string>& candidates) {
  for (const std::string& path : candidates) {
    auto file = open_trusted(path);
    if (!file && file.error().os_error == ENOENT) continue;
    if (!file) return fail(std::move(file).error());
    if (is_elf(file->get())) return sealed_copy(file->get(), path);
  }
  return fail(Errc::not_found,
              "this host has no ldconfig program: looked for /sbin/ldconfig.real and /sbin/ldconfig",
              "install the C library's tools (libc-bin, glibc-common)");
}

bool has_glibc(const Root& root) {
  return std::any_of(kLoaders.begin(), kLoaders.end(), [&](const char* path) { return root.has_file(path); });
}

// For a cache file that is on a read-only file system or is a mount point itself.
Result<> mount_over(const Root& root, std::string_view cache) {
  HAMI_TRY(const UniqueFd target, files::open_in_root(root.visible(), kCache, O_PATH | O_NOFOLLOW));
  struct stat info {};
  if (::fstat(target.get(), &info) != 0) return fail_errno("inspect inside the root", kCache);
  if (!S_ISREG(info.st_mode))
    return fail(Errc::denied, text::cat({"mount over ", text::quote(kCache), ": it is not a regular file"}));
  HAMI_TRY(const UniqueFd file, mounts::detached_file(cache));
  return mounts::attach(file.get(), target.get());
}

Result<> install(const Root& root, std::string_view cache, const std::vector<std::string>& directories) {
  Result<> written = root.write(kCache, cache);
  if (written) return written;
  const int why = written.error().os_error;
  if (why != EROFS && why != EBUSY) return written;
  Result<> mounted = mount_over(root, cache);
  if (mounted || mounted.error().os_error != ENOENT) return mounted;
  // No cache, no way to add one: the loader still finds what lies where it always looks.
  if (std::all_of(directories.begin(), directories.end(), is_default_directory)) return {};
  return fail(Errc::io, text::cat({"the root file system is read-only and has no ", kCache}),
              "add an empty file of that name to the image, or make the root file system writable");
}

// True when each directory holds libraries that the plan names, so that none has to be searched.
bool knows_all(const vendors::HookPlan& plan) {
  return std::all_of(plan.ldcache_dirs.begin(), plan.ldcache_dirs.end(), [&](const std::string& directory) {
    return std::any_of(plan.libraries.begin(), plan.libraries.end(),
                       [&](const std::string& library) { return files::dir_name(library) == directory; });
  });
}

struct Patch {
  std::string before;
  std::string after;
};

// Nothing when the image has no cache that can be added to.
std::optional<Patch> patch_of(const Root& root, const std::vector<CacheEntry>& entries) {
  const auto file = files::open_in_root(root.visible(), kCache, O_RDONLY | O_NONBLOCK | O_NOCTTY);
  struct stat info {};
  if (!file || ::fstat(file->get(), &info) != 0 || !S_ISREG(info.st_mode)) return std::nullopt;
  auto before = files::read_all(file->get(), kCache, vendors::kMaxLdCacheBytes);
  if (!before) return std::nullopt;
  auto after = add_to_cache(*before, entries);
  if (!after) return std::nullopt;
  return Patch{std::move(*before), std::move(*after)};
}

}  // namespace

const std::vector<std::string>& ldconfig_candidates() {
  static const std::vector<std::string> candidates{"/sbin/ldconfig.real", "/usr/sbin/ldconfig.real",
                                                   "/sbin/ldconfig", "/usr/sbin/ldconfig"};
  return candidates;
}

std::string loader_configuration(const std::vector<std::string>& directories) {
  std::string out;
  for (const std::string& directory : directories) out += directory + "\n";
  out += "include /etc/ld.so.conf\n";
  for (const std::string_view directory : kDefaultDirectories) out.append(directory).append("\n");
  return out;
}

bool is_default_directory(const std::string& directory) {
  return std::find(kDefaultDirectories.begin(), kDefaultDirectories.end(), directory) !=
         kDefaultDirectories.end();
}

Result<> update_ldcache(const Root& root, const vendors::HookPlan& plan,
                        const std::vector<std::string>& ldconfig) {
  if (!root.has_file(kCache) && !has_glibc(root)) return {};
  std::vector<std::string> present;
  for (const std::string& directory : plan.ldcache_dirs) {
    if (root.has_directory(directory)) present.push_back(directory);
  }
  if (present.empty()) return {};
  if (knows_all(plan)) {
    HAMI_TRY(const auto entries, library_entries(root, plan.libraries, plan.links));
    const std::optional<Patch> patch = patch_of(root, entries);
    if (patch) return patch->after == patch->before ? Result<>{} : install(root, patch->after, present);
  }
  HAMI_TRY(const UniqueFd program, copy_of_ldconfig(ldconfig));
  HAMI_TRY(const std::string cache, run_ldconfig(root, program.get(), loader_configuration(present)));
  return install(root, cache, present);
}

}  // namespace hami::hook
