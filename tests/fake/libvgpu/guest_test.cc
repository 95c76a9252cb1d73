// libvgpu.so in programs that know nothing of it: they end, fork and clean their environment as they like,
// and those without CUDA notice nothing.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <unistd.h>

#include "tests/fake/libvgpu/vgpu_node.h"

namespace hami::fake {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

class Guest : public ::testing::TestWithParam<const char*> {};

TEST_P(Guest, EndsAndForksAsItLikes) {
  const SimNode node("[gpu]\ncontext_mib = 2\n");
  const Container container(node, {1000});
  const std::string way = GetParam();

  const Outcome result = container.run({HAMI_BUILD_DIR "/bin/vgpu-guest", way});

  EXPECT_EQ(result.status, way == "abort" ? 128 + SIGABRT : 0) << result.err;
  EXPECT_EQ(result.out, way == "abort" ? "" : "ok\n") << result.err;
  EXPECT_EQ(container.repaired(), 0U) << "nothing is left of it";
}

INSTANTIATE_TEST_SUITE_P(Ways, Guest,
                         ::testing::Values("exit_in_thread", "quick_exit", "abort", "late_destructor",
                                           "children", "strange_children", "fork_while_allocating",
                                           "many_threads", "daemon", "daemonise", "manners"),
                         [](const auto& way) { return std::string(way.param); });

// As hami-runtime arranges it: the library is named in /etc/ld.so.preload, not in the environment.
class Preloaded : public ::testing::Test {
 protected:
  // Runs shell text in the container. $CLIENT is cudacli, $* what it needs of the environment.
  [[nodiscard]] Outcome sh(const std::string& text) const {
    return container_.run(
        {"sh", "-c",
         "unset LD_PRELOAD; mkdir -p \"$OLD\"; for name in ld.so.cache passwd group shadow nsswitch.conf "
         "pam.d security "
         "login.defs environment default; do [ ! -e /etc/$name ] || cp -a /etc/$name \"$OLD\"; done; "
         "mount -t tmpfs none /etc && cp -a \"$OLD\"/. /etc && echo \"$VGPU\" >/etc/ld.so.preload && "
         "exec sh -c \"$TEXT\""},
        {{"TEXT", text},
         {"OLD", node_.file("etc")},
         {"CLIENT", client()},
         {"NEEDED", "SIMGPU_STATE=" + node_.file("state") + " LD_LIBRARY_PATH=" HAMI_SIM_DIR}});
  }
  SimNode node_{"[gpu]\ncontext_mib = 2\n"};
  Container container_{node_, {1000}};
};

TEST_F(Preloaded, HoldsWhateverTheEnvironment) {
  for (const char* command :
       {"env -i $NEEDED $CLIENT alloc 900 900", "setsid env -i $NEEDED $CLIENT alloc 900 900",
        "env -i $NEEDED unshare -m $CLIENT alloc 900 900", "env -i $NEEDED LD_PRELOAD= $CLIENT alloc 900 900",
        "env -i $NEEDED sh -c 'exec \"$0\" alloc 900 900' $CLIENT"}) {
    const Outcome result = sh(command);
    EXPECT_THAT(result.out, HasSubstr("900 MiB: CUDA_SUCCESS\ncuMemAlloc 900 MiB: CUDA_ERROR_OUT_OF_MEMORY"))
        << command << result.err;
  }
}

TEST_F(Preloaded, RootWithoutTheRightToMountCannotLiftIt) {
  const std::string bare = "setpriv --bounding-set=-sys_admin --inh-caps=-sys_admin ";
  for (const char* attack :
       {"umount /usr/local/vgpu/slice", "umount -l /usr/local/vgpu/slice", "umount -l /usr/local",
        "mount -o remount,rw,bind /usr/local/vgpu/slice", "echo >/usr/local/vgpu/slice",
        "rm -f /usr/local/vgpu/slice", "mv /usr/local/vgpu/slice /usr/local/vgpu/other",
        "mount --bind /dev/null /usr/local/vgpu/slice", "unshare -m umount /usr/local/vgpu/slice"}) {
    EXPECT_NE(sh(bare + attack + " 2>/dev/null").status, 0) << attack;
  }
  EXPECT_THAT(sh(bare + "env $NEEDED $CLIENT alloc 900 900").out, HasSubstr("OUT_OF_MEMORY"));
}

TEST_F(Preloaded, ProgramsWithoutCudaNoticeNothing) {
  for (const char* command : {"/bin/echo hello", "bash -c 'echo hello'", "python3 -c 'print(\"hello\")'",
                              "su root -c 'echo hello'", "perl -e 'print \"hello\\n\"'"}) {
    const Outcome result = sh(command);
    EXPECT_EQ(result.out, "hello\n") << command;
    EXPECT_EQ(result.err, "") << command;
  }
  EXPECT_EQ(container_.page().high_water.load(), 0U) << "none of them is on the page";
}

TEST_F(Preloaded, ProgramsOfOtherKindsNoticeNothing) {
  node_.write("hello.c", "#include <stdio.h>\nint main(void) { return puts(\"hello\") < 0; }\n");
  const std::string program = node_.file("hello");
  for (const std::vector<std::string>& compiler :
       {std::vector<std::string>{"musl-gcc"}, {"musl-gcc", "-static"}, {"cc", "-static"}}) {
    std::vector<std::string> command = compiler;
    command.insert(command.end(), {program + ".c", "-o", program});
    if (node_.run(command).status != 0) GTEST_SKIP() << compiler[0] << " is not installed (musl-tools)";
    const Outcome result = sh(program);
    EXPECT_EQ(result.out, "hello\n") << compiler[0];
    EXPECT_EQ(result.err, "") << compiler[0];
  }
}

TEST_F(Preloaded, BusyboxNoticesNothing) {
  if (::access("/bin/busybox", X_OK) != 0) GTEST_SKIP() << "busybox is not installed";
  const Outcome result = sh("/bin/busybox echo hello");
  EXPECT_EQ(result.out, "hello\n");
  EXPECT_EQ(result.err, "");
}

}  // namespace
}  // namespace hami::fake
