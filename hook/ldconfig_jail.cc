#include "hook/ldconfig_jail.h"

#include <fcntl.h>
#include <linux/memfd.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>

#include "hook/child.h"
#include "hook/confine.h"
#include "hook/mounts.h"
#include "oci-config/base/files.h"
#include "oci-config/base/text.h"

#ifndef MFD_EXEC
#define MFD_EXEC 0x0010U  // Linux 6.3: without it vm.memfd_noexec may refuse execution
#endif

namespace hami::hook {

namespace {

constexpr std::size_t kMaxProgram = 64U << 20U;
constexpr std::size_t kMaxCache = 16U << 20U;
constexpr std::size_t kEmptyBytes = 4096;  // of a tmpfs that only covers
constexpr int kSeconds = 10;
constexpr const char* kConfigurationName = "ld.so.conf";
constexpr const char* kCacheName = "ld.so.cache";

// Covered always: through them a process could leave the root. The first that is there holds our files, so
// that nothing is written into the image; an image with none of them keeps ours in one of kSpare.
constexpr std::array<const char*, 3> kCovered{"proc", "sys", "dev"};
constexpr std::array<const char*, 2> kSpare{"run", "tmp"};

Result<> copy_all(int from, int to, const std::string& name) {
  char buffer[65536];
  std::size_t total = 0;
  while (true) {
    const ssize_t n = ::read(from, buffer, sizeof buffer);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return fail_errno("read", name);
    if (n == 0) return {};
    total += static_cast<std::size_t>(n);
    if (total > kMaxProgram) return fail(Errc::io, text::cat({"copy ", text::quote(name), ": too large"}));
    if (::write(to, buffer, static_cast<std::size_t>(n)) != n) return fail_errno("copy", name);
  }
}

UniqueFd executable_memory(const char* name) {
  constexpr unsigned kFlags = MFD_CLOEXEC | MFD_ALLOW_SEALING;
  UniqueFd memory(static_cast<int>(::syscall(SYS_memfd_create, name, kFlags | MFD_EXEC)));
  if (!memory && errno == EINVAL) memory.reset(static_cast<int>(::syscall(SYS_memfd_create, name, kFlags)));
  return memory;
}

Result<> put_file(int directory, const char* name, std::string_view content) {
  const UniqueFd file(::openat(directory, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0444));
  if (!file) return fail_errno("create", name);
  if (::write(file.get(), content.data(), content.size()) != static_cast<ssize_t>(content.size()))
    return fail_errno("write", name);
  return {};
}

// A real directory at the top of the root; empty when there is none, or a link: that leads to a covered place
// or to somewhere else inside the root.
UniqueFd open_top(const char* name) {
  return UniqueFd(::open(name, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
}

// Covers what leads out of the root and returns the directory where `work` went.
Result<std::string> cover(int work) {
  std::string place;
  for (const char* name : kCovered) {
    const UniqueFd directory = open_top(name);
    if (!directory) continue;
    UniqueFd empty;
    if (!place.empty()) {
      HAMI_TRY(empty, mounts::new_tmpfs(kEmptyBytes));
    }
    HAMI_CHECK(mounts::attach(empty ? empty.get() : work, directory.get()));
    if (place.empty()) place = text::cat({"/", name});
  }
  for (const char* name : kSpare) {
    const UniqueFd directory = open_top(name);
    if (!directory || !place.empty()) continue;
    HAMI_CHECK(mounts::attach(work, directory.get()));
    place = text::cat({"/", name});
  }
  if (!place.empty()) return place;
  return fail(Errc::invalid_spec, "the root file system has none of /proc, /sys, /dev, /run and /tmp");
}

Result<> redirect(int input, int output) {
  if (::dup2(input, 0) < 0 || ::dup2(output, 1) < 0 || ::dup2(output, 2) < 0)
    return fail_errno("redirect", "standard streams");
  return {};
}

struct Streams {
  UniqueFd input;
  UniqueFd output;  // memory; what the program says
};

Result<Streams> make_streams() {
  Streams streams;
  streams.input.reset(::open("/dev/null", O_RDONLY | O_CLOEXEC));
  if (!streams.input) return fail_errno("open", "/dev/null");
  streams.output.reset(static_cast<int>(::syscall(SYS_memfd_create, "ldconfig-output", MFD_CLOEXEC)));
  if (!streams.output) return fail_errno("create", "memory for messages");
  return streams;
}

// In the child: everything up to the program itself. Returns only on failure.
Result<> enter_and_run(int tree, int work, int program, const Streams& streams) {
  HAMI_CHECK(mounts::enter_private_namespace());
  HAMI_CHECK(mounts::enter_root(tree));
  HAMI_TRY(const std::string place, cover(work));
  HAMI_CHECK(redirect(streams.input.get(), streams.output.get()));
  HAMI_CHECK(confine(Profile::ldconfig));

  std::string configuration = text::cat({place, "/", kConfigurationName});
  std::string cache = text::cat({place, "/", kCacheName});
  std::string name = "ldconfig";
  std::string file_option = "-f";
  std::string cache_option = "-C";
  const std::array<char*, 6> arguments{name.data(),         file_option.data(), configuration.data(),
                                       cache_option.data(), cache.data(),       nullptr};
  const std::array<char*, 1> environment{nullptr};
  ::syscall(SYS_execveat, program, "", arguments.data(), environment.data(), AT_EMPTY_PATH);
  return fail_errno("run", "ldconfig");
}

// The last line the program wrote, for the error message.
std::string last_words(int output) {
  char buffer[1024];
  const off_t end = ::lseek(output, 0, SEEK_END);
  const off_t start = end > static_cast<off_t>(sizeof buffer) ? end - static_cast<off_t>(sizeof buffer) : 0;
  const ssize_t n = ::pread(output, buffer, sizeof buffer, start);
  if (n <= 0) return {};
  const std::string_view text = text::trim({buffer, static_cast<std::size_t>(n)});
  return std::string(text.substr(text.rfind('\n') + 1));
}

Result<std::string> read_cache(int work) {
  const UniqueFd file(::openat(work, kCacheName, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC));
  if (!file) return fail_errno("open ldconfig's", kCacheName);
  HAMI_TRY(std::string cache, files::read_all(file.get(), kCacheName, kMaxCache));
  // Source: glibc, elf/cache.c: the new format, alone or behind the old one.
  if (!cache.starts_with("glibc-ld.so.cache1.1") && !cache.starts_with("ld.so-1.7.0"))
    return fail(Errc::io, "ldconfig made no cache");
  return cache;
}

}  // namespace

Result<UniqueFd> sealed_copy(int program, const std::string& name) {
  UniqueFd copy = executable_memory("ldconfig");
  if (!copy) return fail_errno("create memory for", name);
  HAMI_CHECK(copy_all(program, copy.get(), name));
  constexpr int kSeals = F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE;
  if (::fcntl(copy.get(), F_ADD_SEALS, kSeals) != 0) return fail_errno("seal the copy of", name);
  return copy;
}

Result<std::string> run_ldconfig(const Root& root, int program, const std::string& configuration) {
  HAMI_TRY(const UniqueFd work, mounts::new_tmpfs(2 * kMaxCache));
  HAMI_CHECK(put_file(work.get(), kConfigurationName, configuration));
  HAMI_TRY(const UniqueFd tree, mounts::clone_tree(root.visible()));
  // A root that stays read-only only means that no library links are made; the cache goes to memory.
  static_cast<void>(mounts::make_writable(tree.get()));
  HAMI_TRY(const Streams streams, make_streams());

  const auto ran =
      run_in_child([&] { return enter_and_run(tree.get(), work.get(), program, streams); }, kSeconds);
  if (!ran) {
    Error error = ran.error();
    const std::string words = last_words(streams.output.get());
    if (!words.empty()) error.message += text::cat({" (", text::quote(words), ")"});
    return fail(std::move(error).within("run the host's ldconfig in the container"));
  }
  return read_cache(work.get());
}

}  // namespace hami::hook
