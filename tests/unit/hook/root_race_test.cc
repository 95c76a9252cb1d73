// Paths that change while they are used: another container can hold the same volume.
#include <gtest/gtest.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <thread>

#include "hook/root.h"
#include "temp_tree.h"

namespace hami::hook {
namespace {

namespace fs = std::filesystem;

constexpr std::chrono::milliseconds kDuration{1500};

// Swaps `path` between a directory and a link that leads outside when it is followed from the host's root.
class Swapper {
 public:
  Swapper(const fs::path& path, const fs::path& outside)
      : thread_([this, path, outside] { swap(path, outside); }) {}
  Swapper(const Swapper&) = delete;
  Swapper& operator=(const Swapper&) = delete;
  ~Swapper() {
    stop_ = true;
    thread_.join();
  }
  [[nodiscard]] long rounds() const { return rounds_; }

 private:
  void swap(const fs::path& path, const fs::path& outside) {
    const std::string name = path;
    const std::string away = name + ".away";
    const std::string link = name + ".link";
    while (!stop_) {
      static_cast<void>(!::symlink(outside.c_str(), link.c_str()));
      static_cast<void>(::rename(name.c_str(), away.c_str()));
      static_cast<void>(::rename(link.c_str(), name.c_str()));
      ::unlink(name.c_str());
      static_cast<void>(::rename(away.c_str(), name.c_str()));
      ++rounds_;
    }
  }

  std::atomic<bool> stop_{false};
  std::atomic<long> rounds_{0};
  std::thread thread_;
};

// Works on the root until the time is over and returns how often it succeeded.
template <typename Work>
long repeat(Work work) {
  long successes = 0;
  const auto end = std::chrono::steady_clock::now() + kDuration;
  while (std::chrono::steady_clock::now() < end) successes += work() ? 1 : 0;
  return successes;
}

void race(const std::string& component, const std::string& outside_prefix) {
  const TempTree tree;
  fs::create_directories(tree.rootfs() / "usr/lib/vendor");
  const Root root = *Root::open(tree.rootfs());
  long successes = 0;
  long rounds = 0;
  {
    const Swapper swapper(tree.rootfs() / component, outside_prefix + tree.host().string());
    successes = repeat([&] {
      ::unlink((tree.rootfs() / "usr/lib/vendor/libcuda.so").c_str());
      const bool linked = root.link("/usr/lib/vendor/libcuda.so", "libcuda.so.1").has_value();
      const bool written = root.write("/usr/lib/vendor/new/ld.so.cache", "cache").has_value();
      return linked && written;
    });
    rounds = swapper.rounds();
  }

  EXPECT_TRUE(tree.host_untouched());
  EXPECT_GT(rounds, 100) << "nothing raced";
  EXPECT_GT(successes, 0) << "nothing ever worked";
}

TEST(RootRace, LastDirectorySwappedForAnAbsoluteLinkTouchesNoHostFile) { race("usr/lib/vendor", ""); }

TEST(RootRace, FirstDirectorySwappedForAnAbsoluteLinkTouchesNoHostFile) { race("usr", ""); }

TEST(RootRace, MiddleDirectorySwappedForARelativeLinkTouchesNoHostFile) {
  race("usr/lib", "../../../../../../../..");
}

}  // namespace
}  // namespace hami::hook
