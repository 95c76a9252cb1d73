#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "libvgpu/abi/usage.h"
#include "oci-config/base/files.h"
#include "oci-config/base/text.h"
#include "oci-config/base/unique_fd.h"
#include "runtime-shim/plan.h"
#include "vendors/plan_json.h"

namespace hami::shim {

namespace {

// Creates `name`; the mode counts whatever our umask is.
Result<UniqueFd> create(int dir, const char* name, mode_t mode) {
  UniqueFd fd(::openat(dir, name, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, mode));
  if (!fd) return fail_errno("create", name);
  if (::fchmod(fd.get(), mode) != 0) return fail_errno("set the mode of", name);
  return fd;
}

Result<> write_file(int dir, const char* name, std::string_view content, mode_t mode) {
  HAMI_TRY(const UniqueFd fd, create(dir, name, mode));
  while (!content.empty()) {
    const ssize_t n = ::write(fd.get(), content.data(), content.size());
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return fail_errno("write", name);
    content.remove_prefix(static_cast<std::size_t>(n));
  }
  return {};
}

// What a container usually needs of the page exists before the container maps it: a write to it cannot meet a
// full disk. libvgpu allocates the rest as processes come.
Result<> write_usage_page(int dir, const abi::SliceFile& slice) {
  constexpr const char* kName = "usage";
  HAMI_TRY(const UniqueFd fd, create(dir, kName, 0666));
  if (::ftruncate(fd.get(), sizeof(abi::UsagePage)) != 0) return fail_errno("size", kName);
  if (const int error = ::posix_fallocate(fd.get(), 0, abi::kFirstBytes); error != 0) {
    errno = error;
    return fail_errno("allocate", kName);
  }
  void* memory = ::mmap(nullptr, sizeof(abi::UsagePage), PROT_READ | PROT_WRITE, MAP_SHARED, fd.get(), 0);
  if (memory == MAP_FAILED) return fail_errno("map", kName);
  abi::init_usage_page(memory, slice);
  ::munmap(memory, sizeof(abi::UsagePage));
  return {};
}

Result<> write_slice(int dir, const Plan& plan) {
  const std::string_view bytes(reinterpret_cast<const char*>(&*plan.slice), sizeof(abi::SliceFile));
  HAMI_CHECK(write_file(dir, "slice", bytes, 0644));
  return write_usage_page(dir, *plan.slice);
}

Result<> give_to_group(int fd, std::string_view name, gid_t group, mode_t mode) {
  if (::fchown(fd, static_cast<uid_t>(-1), group) != 0) return fail_errno("set the group of", name);
  if (::fchmod(fd, mode) != 0) return fail_errno("set the mode of", name);
  return {};
}

Result<> write_plan(int dir, const vendors::HookPlan& plan, std::optional<gid_t> reader) {
  constexpr const char* kName = "plan.json";
  HAMI_TRY(const std::string json, vendors::to_json(plan));
  HAMI_CHECK(write_file(dir, kName, json, 0600));
  if (!reader) return {};
  const UniqueFd fd(::openat(dir, kName, O_RDONLY | O_CLOEXEC | O_NOFOLLOW));
  if (!fd) return fail_errno("open", kName);
  return give_to_group(fd.get(), kName, *reader, 0640);
}

// Everybody may pass through, but not list it.
Result<> let_pass(const std::string& dir) {
  const UniqueFd fd(::open(dir.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW));
  struct stat info {};
  if (!fd || ::fstat(fd.get(), &info) != 0) return fail_errno("open", dir);
  if ((info.st_mode & S_IXOTH) != 0) return {};
  if (::fchmod(fd.get(), (info.st_mode & 07777U) | S_IXGRP | S_IXOTH) != 0)
    return fail_errno("set the mode of", dir);
  return {};
}

Result<> admit(int fd, const std::string& dir, gid_t reader) {
  const std::string containers = files::dir_name(dir);
  HAMI_CHECK(let_pass(files::dir_name(containers)));
  HAMI_CHECK(let_pass(containers));
  return give_to_group(fd, dir, reader, 0750);
}

}  // namespace

Result<> write_container_dir(const Plan& plan, const std::string& dir, std::optional<gid_t> reader) {
  HAMI_CHECK(files::remove_tree(dir));
  HAMI_CHECK(files::make_dirs(dir, 0700));
  const UniqueFd fd(::open(dir.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW));
  if (!fd) return fail_errno("open", dir);
  const auto fill = [&]() -> Result<> {
    if (plan.slice) HAMI_CHECK(write_slice(fd.get(), plan));
    if (!plan.preload.empty()) HAMI_CHECK(write_file(fd.get(), "ld.so.preload", plan.preload, 0644));
    for (std::size_t i = 0; i < plan.files.size(); ++i)
      HAMI_CHECK(write_file(fd.get(), text::cat({"file", text::number(i)}).c_str(), plan.files[i], 0644));
    if (reader) HAMI_CHECK(admit(fd.get(), dir, *reader));
    if (plan.hook.empty()) return {};
    return write_plan(fd.get(), plan.hook, reader);
  };
  if (auto filled = fill(); !filled) {
    return fail(std::move(filled).error().within(text::cat({"prepare ", text::quote(dir)})));
  }
  return {};
}

}  // namespace hami::shim
