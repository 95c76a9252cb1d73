#include "vendors/probe_process.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>

#include <chrono>
#include <thread>

namespace hami::vendors {
namespace {

using testing::HasSubstr;

Result<std::string> shell(const std::string& script, int timeout_ms = 5000) {
  return run_probe("/bin/sh", {"-c", script}, timeout_ms);
}

TEST(ProbeProcess, GivesWhatTheProgramPrints) { EXPECT_EQ(shell("echo one; echo two >&2").value(), "one\n"); }

TEST(ProbeProcess, StartsWithACleanEnvironmentAndNoInput) {
  ::setenv("LD_PRELOAD_TEST", "x", 1);
  EXPECT_EQ(shell("echo ${LD_PRELOAD_TEST:-none} $PATH; cat").value(),
            "none /usr/sbin:/usr/bin:/sbin:/bin\n");
}

TEST(ProbeProcess, NamesAFailureWithItsLastWords) {
  const auto result = shell("echo first >&2; echo the reason >&2; exit 3");
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().code, Errc::io);
  EXPECT_THAT(result.error().message, HasSubstr("exit status 3: 'the reason'"));
}

TEST(ProbeProcess, NamesACrash) {
  const auto result = shell("kill -SEGV $$");
  ASSERT_FALSE(result);
  EXPECT_THAT(result.error().message, HasSubstr("crashed (Segmentation fault)"));
}

TEST(ProbeProcess, EndsAProgramThatHangsAndItsChildren) {
  const auto start = std::chrono::steady_clock::now();
  const auto result = shell("sleep 1000 & echo $!; wait", 200);
  ASSERT_FALSE(result);
  EXPECT_THAT(result.error().message, HasSubstr("no answer within 200 ms"));
  EXPECT_LT(std::chrono::steady_clock::now() - start, std::chrono::seconds(5));
}

TEST(ProbeProcess, EndsAProgramThatHangsWithItsOutputClosed) {
  const auto result = shell("exec >&- 2>&-; sleep 1000", 200);
  ASSERT_FALSE(result);
  EXPECT_THAT(result.error().message, HasSubstr("no answer within 200 ms"));
}

TEST(ProbeProcess, EndsAProgramThatPrintsTooMuch) {
  const auto result = shell("while :; do echo aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa; done");
  ASSERT_FALSE(result);
  EXPECT_THAT(result.error().message, HasSubstr("prints too much"));
}

TEST(ProbeProcess, NamesAProgramThatIsNotThere) {
  const auto result = run_probe("/nonexistent/probe", {}, 1000);
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().code, Errc::not_found);
}

}  // namespace
}  // namespace hami::vendors
