// Each test gives up rights in a child of its own: they do not come back.
#include "hook/confine.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cstdlib>
#include <string>

#include "hook/child.h"
#include "oci-config/base/files.h"
#include "oci-config/base/text.h"

namespace hami::hook {
namespace {

#define EXPECT_CONFINED(profile, body) EXPECT_TRUE(confined(profile, [] { return body; })) << #body

// Runs `probe` in a child after confine(profile).
template <typename Probe>
bool confined(Profile profile, Probe probe) {
  const auto result = run_in_child(
      [&]() -> Result<> {
        HAMI_CHECK(confine(profile));
        if (probe()) return {};
        return fail_errno("probe", "");
      },
      20);
  if (!result) ADD_FAILURE() << result.error().line();
  return result.has_value();
}

std::string status_line(const std::string& name) {
  const auto status = files::read("/proc/self/status", 65536);
  const auto at = status ? status->find("\n" + name + ":") : std::string::npos;
  if (at == std::string::npos) return "unreadable";
  return std::string(
      text::trim(status->substr(at + name.size() + 2, status->find('\n', at + 1) - at - name.size() - 2)));
}

class Confine : public ::testing::Test {
 protected:
  void SetUp() override {
    if (::geteuid() != 0) GTEST_SKIP() << "capabilities can only be dropped by root";
  }
};

TEST_F(Confine, LdconfigKeepsNoCapability) {
  EXPECT_CONFINED(Profile::ldconfig, status_line("CapPrm") == "0000000000000000");
  EXPECT_CONFINED(Profile::ldconfig, status_line("CapEff") == "0000000000000000");
  EXPECT_CONFINED(Profile::ldconfig, status_line("CapBnd") == "0000000000000000");
  EXPECT_CONFINED(Profile::ldconfig, status_line("CapInh") == "0000000000000000");
  EXPECT_CONFINED(Profile::ldconfig, status_line("CapAmb") == "0000000000000000");
}

TEST_F(Confine, ReleaseKeepsFileAccessOnly) {
  EXPECT_CONFINED(Profile::release, status_line("CapEff") == "0000000000000002");  // CAP_DAC_OVERRIDE
}

TEST_F(Confine, CreateContainerKeepsWhatMountsNeed) {
  // CAP_DAC_OVERRIDE 1, CAP_SETPCAP 8, CAP_SYS_CHROOT 18, CAP_SYS_ADMIN 21
  EXPECT_CONFINED(Profile::create_container, status_line("CapEff") == "0000000000240102");
  EXPECT_CONFINED(Profile::create_container, status_line("CapBnd") == "0000000000240102");
}

TEST_F(Confine, CreateRuntimeAlsoKeepsTheWayIntoANamespace) {
  EXPECT_CONFINED(Profile::create_runtime, status_line("CapEff") == "00000000002c0102");  // CAP_SYS_PTRACE 19
}

TEST_F(Confine, EveryProfileHasNoNewPrivilegesAndAFilter) {
  EXPECT_CONFINED(Profile::ldconfig, status_line("NoNewPrivs") == "1" && status_line("Seccomp") == "2");
  EXPECT_CONFINED(Profile::release, status_line("NoNewPrivs") == "1" && status_line("Seccomp") == "2");
  EXPECT_CONFINED(Profile::create_container,
                  status_line("NoNewPrivs") == "1" && status_line("Seccomp") == "2");
}

TEST_F(Confine, SystemCallsNobodyNeedsDoNotExist) {
  EXPECT_CONFINED(Profile::ldconfig, ::syscall(SYS_socket, AF_INET, SOCK_STREAM, 0) < 0 && errno == ENOSYS);
  EXPECT_CONFINED(Profile::ldconfig, ::syscall(SYS_mount, "", "", "", 0, "") < 0 && errno == ENOSYS);
  EXPECT_CONFINED(Profile::ldconfig, ::syscall(SYS_ptrace, 0, 0, 0, 0) < 0 && errno == ENOSYS);
  EXPECT_CONFINED(Profile::ldconfig, ::syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0) < 0 && errno == ENOSYS);
  EXPECT_CONFINED(Profile::release,
                  ::syscall(SYS_execveat, -1, "", nullptr, nullptr, 0) < 0 && errno == ENOSYS);
  EXPECT_CONFINED(Profile::create_container, ::syscall(SYS_bpf, 0, nullptr, 0) < 0 && errno == ENOSYS);
  EXPECT_CONFINED(Profile::create_container,
                  ::syscall(SYS_open_by_handle_at, -1, nullptr, 0) < 0 && errno == ENOSYS);
}

TEST_F(Confine, LdconfigHasHardLimits) {
  EXPECT_CONFINED(Profile::ldconfig, [] {
    rlimit cpu{};
    rlimit files{};
    return ::getrlimit(RLIMIT_CPU, &cpu) == 0 && cpu.rlim_max <= 10 &&
           ::getrlimit(RLIMIT_NOFILE, &files) == 0 && files.rlim_max <= 64;
  }());
}

// Runs `probe` in a child after isolate_process.
template <typename Probe>
Result<> isolated(Probe probe) {
  return run_in_child(
      [&]() -> Result<> {
        const int outside = ::dup2(::open("/", O_RDONLY), 40);
        ::setenv("LD_PRELOAD", "/evil.so", 1);
        ::umask(0);
        // The child's own report goes through a descriptor that is closed here, so it ends by status alone.
        if (!isolate_process(10)) ::_exit(2);
        ::_exit(outside == 40 && probe() ? 0 : 3);
      },
      20);
}

TEST(Isolate, ClosesWhatItInherited) {
  EXPECT_TRUE(isolated([] { return ::fcntl(40, F_GETFD) < 0 && ::fcntl(3, F_GETFD) < 0; }));
}

TEST(Isolate, ForgetsTheEnvironmentAndTheDirectory) {
  EXPECT_TRUE(isolated([] {
    char directory[8] = {};
    return ::getenv("LD_PRELOAD") == nullptr && ::getcwd(directory, sizeof directory) != nullptr &&
           std::string(directory) == "/";
  }));
}

TEST(Isolate, IsNotDumpableAndMasksModes) {
  EXPECT_TRUE(isolated([] { return ::prctl(PR_GET_DUMPABLE, 0, 0, 0, 0) == 0 && ::umask(0) == 022; }));
}

TEST(Isolate, EndsByItselfWhenTheTimeIsOver) {
  const auto result = run_in_child(
      []() -> Result<> {
        static_cast<void>(isolate_process(1));
        ::pause();
        return {};
      },
      20);

  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().message, "a child process ended with status 1");
}

}  // namespace
}  // namespace hami::hook
