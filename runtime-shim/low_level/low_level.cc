#include "runtime-shim/low_level/low_level.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstring>

#include "oci-config/base/text.h"
#include "oci-config/base/unique_fd.h"
#include "runtime-shim/low_level/program_dirs.h"

namespace hami::shim {

namespace {

constexpr const char* kSelf = "/proc/self/exe";

bool same_content(const char* a, const char* b) {
  const UniqueFd left(::open(a, O_RDONLY | O_CLOEXEC));
  const UniqueFd right(::open(b, O_RDONLY | O_CLOEXEC));
  if (!left || !right) return false;
  char x[16384];
  char y[16384];
  while (true) {
    const ssize_t n = ::read(left.get(), x, sizeof x);
    if (n < 0 || n != ::read(right.get(), y, sizeof y)) return false;
    if (n == 0) return true;
    if (std::memcmp(x, y, static_cast<std::size_t>(n)) != 0) return false;
  }
}

// We under another name would call ourselves for ever. A copy is recognised by its content, which is read
// only when the size is ours.
bool is_ourselves(const char* path, const struct stat& info) {
  struct stat self {};
  if (::stat(kSelf, &self) != 0) return false;
  if (self.st_dev == info.st_dev && self.st_ino == info.st_ino) return true;
  return self.st_size == info.st_size && same_content(kSelf, path);
}

bool is_usable(const std::string& path) {
  struct stat info {};
  return ::stat(path.c_str(), &info) == 0 && S_ISREG(info.st_mode) && (info.st_mode & 0111U) != 0 &&
         !is_ourselves(path.c_str(), info);
}

std::vector<std::string> candidates(const std::string& program, const std::string& path) {
  if (program.front() == '/') return {program};
  std::vector<std::string> out;
  for (const std::string_view dir : kProgramDirs) out.push_back(text::cat({dir, "/", program}));
  for (const std::string_view dir : text::split(path, ':')) {
    // A relative directory would be the bundle's.
    if (!dir.empty() && dir.front() == '/') out.push_back(text::cat({dir, "/", program}));
  }
  return out;
}

}  // namespace

Result<std::string> find_low_level(const std::vector<std::string>& programs, const std::string& path) {
  for (const std::string& program : programs) {
    for (std::string& candidate : candidates(program, path)) {
      if (is_usable(candidate)) return std::move(candidate);
    }
  }
  return fail(Errc::not_found,
              text::cat({"no low-level runtime on this node: looked for ", text::join(programs, ", ")}),
              "install runc or crun, or set [runtime] low_level in /etc/hami/config.toml");
}

Error become(const std::string& program, char* const* argv) {
  std::vector<char*> words;
  words.push_back(const_cast<char*>(program.c_str()));  // execv does not write to it
  for (char* const* word = argv + 1; argv[0] != nullptr && *word != nullptr; ++word) words.push_back(*word);
  words.push_back(nullptr);
  ::execv(program.c_str(), words.data());
  const int saved = errno;
  return Error{Errc::io, saved,
               text::cat({"start the low-level runtime ", text::quote(program), ": the kernel refuses it (",
                          std::to_string(saved), ", ", ::strerrorname_np(saved), ")"}),
               "check that it is a program for this machine"};
}

}  // namespace hami::shim
