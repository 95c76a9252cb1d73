// The short way of the subcommands that only pass through: from the kernel's entry to execve without starting
// the C library, which would cost more than everything else here.
//
// Nothing is set up yet: no relocation, no thread pointer, no stack protector, no errno. So no global with a
// pointer in it, no library function but those of memory.cc, system calls by hand. In any doubt it returns,
// and the program starts as every other and takes the long way, pass_through.cc, which decides the same.

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include <cstddef>
#include <span>
#include <string_view>

#include "oci-config/invocation.h"
#include "runtime-shim/low_level/key.h"
#include "runtime-shim/low_level/program_dirs.h"

namespace {

constexpr std::size_t kConfigBuffer = 16U << 10U;  // a longer file takes the long way
constexpr std::size_t kPathBuffer = 512;
constexpr long kNoEntry = -2;  // ENOENT

long system_call(long number, long a, long b, long c, long d) {
#if defined(__x86_64__)
  long result = number;
  register long r10 asm("r10") = d;
  asm volatile("syscall" : "+a"(result) : "D"(a), "S"(b), "d"(c), "r"(r10) : "rcx", "r11", "memory");
  return result;
#elif defined(__aarch64__)
  register long x8 asm("x8") = number;
  register long x0 asm("x0") = a;
  register long x1 asm("x1") = b;
  register long x2 asm("x2") = c;
  register long x3 asm("x3") = d;
  asm volatile("svc 0" : "+r"(x0) : "r"(x8), "r"(x1), "r"(x2), "r"(x3) : "memory");
  return x0;
#else
#error "no system call instruction is known for this architecture"
#endif
}

long address(const void* pointer) { return reinterpret_cast<long>(pointer); }

bool stat_path(const char* path, struct stat& info) {
  return system_call(SYS_newfstatat, AT_FDCWD, address(path), address(&info), 0) == 0;
}

// Value of an environment variable; null when it is not set or empty.
const char* variable(char* const* environment, std::string_view name) {
  for (; *environment != nullptr; ++environment) {
    const std::string_view entry = *environment;
    if (entry.size() > name.size() + 1 && entry.substr(0, name.size()) == name && entry[name.size()] == '=')
      return *environment + name.size() + 1;
  }
  return nullptr;
}

struct ConfigText {
  bool usable = false;
  std::size_t size = 0;
  char text[kConfigBuffer];
};

// The same checks as files::read_trusted; no file is an empty one.
void read_config(const char* path, ConfigText& config) {
  const long fd = system_call(SYS_openat, AT_FDCWD, address(path),
                              O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY | O_NOFOLLOW, 0);
  config.usable = fd == kNoEntry;
  if (fd < 0) return;
  struct stat info;
  const bool known = system_call(SYS_fstat, fd, address(&info), 0, 0) == 0;
  const auto user = static_cast<uid_t>(system_call(SYS_geteuid, 0, 0, 0, 0));
  const bool trusted = known && S_ISREG(info.st_mode) && (info.st_uid == 0 || info.st_uid == user) &&
                       (info.st_mode & 022U) == 0;
  if (trusted && info.st_size < static_cast<off_t>(kConfigBuffer)) {
    const long n = system_call(SYS_read, fd, address(config.text), kConfigBuffer, 0);
    config.usable = n == info.st_size;
    config.size = config.usable ? static_cast<std::size_t>(n) : 0;
  }
  system_call(SYS_close, fd, 0, 0, 0);
}

class Search {
 public:
  Search(char** argv, char** environment) : argv_(argv), environment_(environment) {}

  // Tries the candidates of one program; returns when the next program may be tried.
  void try_program(std::string_view program) {
    if (given_up_ || program.empty()) return;
    if (program.front() == '/') {
      try_path(program, {});
      return;
    }
    for (const auto& dir : hami::shim::kProgramDirs) try_path(dir, program);
    given_up_ = true;  // PATH is searched before the next program
  }

 private:
  // `dir`/`name`, or `dir` itself when there is no name.
  void try_path(std::string_view dir, std::string_view name) {
    if (given_up_ || dir.size() + name.size() + 2 > kPathBuffer) {
      given_up_ = true;
      return;
    }
    std::size_t end = 0;
    for (const char c : dir) path_[end++] = c;
    if (!name.empty()) path_[end++] = '/';
    for (const char c : name) path_[end++] = c;
    path_[end] = '\0';
    try_execute();
  }

  void try_execute() {
    struct stat candidate;
    struct stat self;
    if (!stat_path(path_, candidate) || !S_ISREG(candidate.st_mode) || (candidate.st_mode & 0111U) == 0)
      return;
    if (!stat_path("/proc/self/exe", self)) {
      given_up_ = true;
      return;
    }
    if (candidate.st_dev == self.st_dev && candidate.st_ino == self.st_ino) return;
    given_up_ = true;  // also when it may be a copy of this program: the long way compares them
    if (candidate.st_size == self.st_size) return;
    char* const own_name = argv_[0];
    argv_[0] = path_;
    system_call(SYS_execve, address(path_), address(argv_), address(environment_), 0);
    argv_[0] = own_name;  // the long way says why it cannot be started
  }

  char** argv_;
  char** environment_;
  bool given_up_ = false;
  char path_[kPathBuffer];
};

}  // namespace

// `stack` as the kernel makes it: argc, argv with a null behind it, the environment with a null behind it.
// Returns when the long way must be taken; then nothing has changed.
extern "C" void hami_early(long* stack) {
  const auto argc = static_cast<std::size_t>(stack[0]);
  char** argv = reinterpret_cast<char**>(stack + 1);
  char** environment = argv + argc + 1;
  if (argc == 0) return;

  const auto invocation = hami::oci::parse_invocation(std::span<const char* const>(argv, argc));
  if (invocation.subcommand != hami::oci::Subcommand::other || invocation.version) return;

  const char* named = variable(environment, "HAMI_CONFIG_FILE");
  ConfigText config;
  read_config(named == nullptr ? "/etc/hami/config.toml" : named, config);
  if (!config.usable) return;
  const auto key = hami::shim::find_low_level_key({config.text, config.size});

  Search search(argv, environment);
  switch (key.kind) {
    case hami::shim::LowLevelKey::Kind::absent:
      for (const auto& program : hami::shim::kDefaultPrograms) search.try_program(program);
      return;
    case hami::shim::LowLevelKey::Kind::simple:
      for (std::ptrdiff_t i = 0; i < key.count; ++i)
        search.try_program(key.programs[static_cast<std::size_t>(i)]);
      return;
    case hami::shim::LowLevelKey::Kind::complex:
      return;
  }
}
