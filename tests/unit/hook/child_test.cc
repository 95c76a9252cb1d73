#include "hook/child.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <unistd.h>

#include <chrono>

namespace hami::hook {
namespace {

using ::testing::HasSubstr;

TEST(Child, SucceedsWithItsBody) {
  EXPECT_TRUE(run_in_child([] { return Result<>{}; }, 10));
}

TEST(Child, BringsBackTheErrorOfItsBody) {
  const auto result = run_in_child([]() -> Result<> { return fail(Errc::io, "no such thing", "look"); }, 10);

  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().message, "no such thing; look");
}

TEST(Child, TellsHowAProcessEndedThatSaidNothing) {
  const auto exited = run_in_child([]() -> Result<> { ::_exit(7); }, 10);
  const auto killed = run_in_child(
      []() -> Result<> {
        ::raise(SIGKILL);
        return {};
      },
      10);

  ASSERT_FALSE(exited);
  EXPECT_THAT(exited.error().message, HasSubstr("status 7"));
  ASSERT_FALSE(killed);
  EXPECT_THAT(killed.error().message, HasSubstr("signal 9"));
}

TEST(Child, IsKilledWhenItsTimeIsOver) {
  const auto start = std::chrono::steady_clock::now();

  const auto result = run_in_child(
      []() -> Result<> {
        ::pause();
        return {};
      },
      1);

  ASSERT_FALSE(result);
  EXPECT_THAT(result.error().message, HasSubstr("within 1 seconds"));
  EXPECT_LT(std::chrono::steady_clock::now() - start, std::chrono::seconds(8));
}

}  // namespace
}  // namespace hami::hook
