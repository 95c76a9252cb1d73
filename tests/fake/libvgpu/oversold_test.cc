// A card that was given out more than once: who comes second gets managed memory where that was asked for,
// and a plain refusal otherwise.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <sys/wait.h>

#include <csignal>

#include "tests/fake/libvgpu/vgpu_node.h"

namespace hami::fake {
namespace {

using ::testing::HasSubstr;

class OversoldCard : public ::testing::Test {
 protected:
  // The neighbour holds 3000 of the card's 4096 MiB; the container may have 3000, too.
  OversoldCard() : neighbour_(node_.start("neighbour", {client(), "--hold", "60", "alloc", "3000"})) {
    EXPECT_TRUE(eventually([&] { return node_.stat("device", "granted") == 3000 * kMiB; }));
  }
  ~OversoldCard() override { ::kill(neighbour_, SIGKILL); }
  void oversubscribe() const {
    container_.slice().flags |= abi::kSliceOversubscribe;
    abi::seal(container_.slice());
  }
  const SimNode node_{"[gpu]\nmemory_mib = 4096\n"};
  const Container container_{node_, {3000}};

 private:
  const pid_t neighbour_;
};

TEST_F(OversoldCard, RefusesWhoComesSecond) {
  EXPECT_THAT(container_.run({client(), "alloc", "2000", "500"}, {{"CUDA_OVERSUBSCRIBE", "true"}}).out,
              HasSubstr("cuMemAlloc 2000 MiB: CUDA_ERROR_OUT_OF_MEMORY (2)\n"
                        "cuMemAlloc 500 MiB: CUDA_SUCCESS\n"));
  EXPECT_EQ(container_.committed(), 0U);
}

TEST_F(OversoldCard, GivesManagedMemoryWhereTheSliceSaysSo) {
  oversubscribe();
  const Outcome result = container_.run({client(), "alloc", "2000", "500"}, {{"LIBCUDA_LOG_LEVEL", "2"}});
  EXPECT_THAT(result.out, HasSubstr("cuMemAlloc 2000 MiB: CUDA_SUCCESS\ncuMemAlloc 500 MiB: CUDA_SUCCESS\n"));
  EXPECT_THAT(result.err, HasSubstr("managed memory stands in for 2097152000 bytes"));
}

TEST_F(OversoldCard, CountsManagedMemoryAgainstTheLimitAndShowsIt) {
  oversubscribe();
  EXPECT_THAT(container_.run({client(), "alloc", "2000", "1001"}).out,
              HasSubstr("cuMemAlloc 1001 MiB: CUDA_ERROR_OUT_OF_MEMORY (2)\n"));
  const pid_t holder = container_.start("holder", {client(), "--hold", "60", "alloc", "2000"});
  ASSERT_TRUE(eventually([&] { return container_.committed() == 2000 * kMiB; }));
  EXPECT_THAT(container_.run({sim_file("nvidia-smi")}).out, HasSubstr("2000MiB / 3000MiB"));
  ::kill(holder, SIGKILL);
}

TEST_F(OversoldCard, TakesManagedMemoryBackLikeAnyOther) {
  oversubscribe();
  EXPECT_THAT(container_.run({client(), "--free", "alloc", "2900", "2900", "2900"}).out,
              HasSubstr("2900 MiB: CUDA_SUCCESS\ncuMemAlloc 2900 MiB: CUDA_SUCCESS\n"
                        "cuMemAlloc 2900 MiB: CUDA_SUCCESS\n"));
  EXPECT_EQ(container_.committed(), 0U);
}

TEST_F(OversoldCard, GivesManagedMemoryWithoutASliceWhereTheVariableSaysSo) {
  Environment env = limited(node_, "3000m");
  EXPECT_THAT(node_.run({client(), "alloc", "2000"}, env).out, HasSubstr("OUT_OF_MEMORY"));
  env["CUDA_OVERSUBSCRIBE"] = "true";
  EXPECT_THAT(node_.run({client(), "alloc", "2000"}, env).out,
              HasSubstr("cuMemAlloc 2000 MiB: CUDA_SUCCESS"));
}

// Several containers with a part of the full card each, which wait for it.
class WaitingContainers : public ::testing::Test {
 protected:
  WaitingContainers() {
    EXPECT_TRUE(eventually([&] { return node_.stat("device", "granted") == 3000 * kMiB; }));
    for (Container* container : {&first_, &second_}) {
      container->slice().devices[0].memory_wait = 60;
      container->join_card(1);
    }
  }
  ~WaitingContainers() override {
    for (const pid_t pid : {holder_, waiter_}) {
      if (pid > 0) ::kill(pid, SIGKILL), ::waitpid(pid, nullptr, 0);
    }
  }
  static std::vector<std::string> taking(const char* mib) { return {client(), "alloc", mib}; }
  static bool is_waiting(const Container& container) {
    for (const abi::BoardWaiter& waiter : container.board().waiters) {
      if (waiter.until != 0) return true;
    }
    return false;
  }
  void free_the_card() {
    ::kill(holder_, SIGKILL);
    ::waitpid(holder_, nullptr, 0);
    holder_ = 0;
  }
  const SimNode node_{"[gpu]\nmemory_mib = 4096\n"};
  pid_t holder_ = node_.start("holder", {client(), "--hold", "120", "alloc", "3000"});
  pid_t waiter_ = 0;
  Container first_{node_, {3000}, "first-"};
  Container second_{node_, {3000}, "second-"};
};

TEST_F(WaitingContainers, ARequestWaitsUntilANeighbourFrees) {
  waiter_ = first_.start("waiter", {client(), "--hold", "120", "alloc", "2000"});
  ASSERT_TRUE(eventually([&] { return is_waiting(first_); }));
  EXPECT_EQ(node_.stat("device", "granted"), 3000 * kMiB);
  free_the_card();
  EXPECT_TRUE(eventually([&] { return node_.stat("device", "granted") == 2000 * kMiB; }));
  EXPECT_FALSE(is_waiting(first_));
}

TEST_F(WaitingContainers, WhoCameFirstGetsItAndTheNextWhenThatOneEnds) {
  waiter_ = first_.start("waiter", {client(), "--hold", "120", "alloc", "2500"});
  ASSERT_TRUE(eventually([&] { return is_waiting(first_); }));
  const pid_t next = second_.start("next", taking("2500"));
  ASSERT_TRUE(eventually([&] { return is_waiting(second_); }));
  free_the_card();
  ASSERT_TRUE(eventually([&] { return !is_waiting(first_); }));
  ::kill(waiter_, SIGKILL);
  ::waitpid(waiter_, nullptr, 0);
  waiter_ = 0;
  ::waitpid(next, nullptr, 0);
  EXPECT_THAT(node_.read("next.out"), HasSubstr("2500 MiB: CUDA_SUCCESS"));
}

TEST_F(WaitingContainers, AKilledWaiterHoldsNobodyUp) {
  waiter_ = first_.start("waiter", taking("2500"));
  ASSERT_TRUE(eventually([&] { return is_waiting(first_); }));
  const pid_t next = second_.start("next", taking("2500"));
  ASSERT_TRUE(eventually([&] { return is_waiting(second_); }));
  ::kill(waiter_, SIGKILL);
  ::waitpid(waiter_, nullptr, 0);
  waiter_ = 0;
  free_the_card();
  ::waitpid(next, nullptr, 0);
  EXPECT_THAT(node_.read("next.out"), HasSubstr("2500 MiB: CUDA_SUCCESS"));
  EXPECT_EQ(first_.repaired(), 0U);
}

TEST_F(WaitingContainers, TheWaitEndsWithAPlainRefusal) {
  first_.slice().devices[0].memory_wait = 1;
  abi::seal(first_.slice());
  EXPECT_THAT(first_.run(taking("2000")).out, HasSubstr("CUDA_ERROR_OUT_OF_MEMORY (2)"));
  EXPECT_EQ(first_.committed(), 0U);
}

TEST_F(WaitingContainers, WhatDoesNotFitUnderTheLimitDoesNotWait) {
  EXPECT_THAT(first_.run(taking("3001")).out, HasSubstr("CUDA_ERROR_OUT_OF_MEMORY (2)"));
}

TEST(WithoutASlice, TheVariableSaysHowLongARequestWaits) {
  const SimNode node("[gpu]\nmemory_mib = 4096\n");
  const pid_t holder = node.start("holder", {client(), "--hold", "120", "alloc", "3000"});
  ASSERT_TRUE(eventually([&] { return node.stat("device", "granted") == 3000 * kMiB; }));
  Environment env = limited(node, "3000m");
  env["CUDA_MEMORY_WAIT"] = "60";
  const pid_t waiter = node.start("waiter", {client(), "alloc", "2000"}, env);
  ::kill(holder, SIGKILL);
  ::waitpid(holder, nullptr, 0);
  ::waitpid(waiter, nullptr, 0);
  EXPECT_THAT(node.read("waiter.out"), HasSubstr("2000 MiB: CUDA_SUCCESS"));
}

TEST(ActiveOomKiller, EndsTheProcessThatAsksForMoreThanItsPartAndNoOther) {
  const SimNode node;
  Container container(node, {1000});
  EXPECT_THAT(container.run({client(), "alloc", "1001"}).out, HasSubstr("OUT_OF_MEMORY")) << "off by default";
  container.slice().flags |= abi::kSliceActiveOomKiller;
  abi::seal(container.slice());
  const pid_t other = container.start("other", {client(), "--hold", "60", "alloc", "600"});
  ASSERT_TRUE(eventually([&] { return container.committed() == 600 * kMiB; }));
  const Outcome result = container.run({client(), "alloc", "300", "300"});
  EXPECT_THAT(result.out, testing::Not(HasSubstr("OUT_OF_MEMORY")));
  EXPECT_THAT(result.err, HasSubstr("ACTIVE_OOM_KILLER: a request for 314572800 bytes of device 0"));
  EXPECT_EQ(::kill(other, 0), 0);
  EXPECT_EQ(container.repaired(), 600 * kMiB);
  ::kill(other, SIGKILL);
  ::waitpid(other, nullptr, 0);
}

}  // namespace
}  // namespace hami::fake
