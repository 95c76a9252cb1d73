// Memory that processes pass to one another is counted once, as long as anybody has it: its maker, those who
// took it, or a descriptor on its way. The limit is 1000 MiB.
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>

#include <cstring>
#include <string>

#include "tests/fake/libvgpu/party.h"
#include "tests/fake/libvgpu/vgpu_node.h"

namespace hami::fake {
namespace {

constexpr std::uint64_t kPiece = 300 * kMiB;

class Descriptor {
 public:
  explicit Descriptor(int fd = -1) : fd_(fd) {}
  ~Descriptor() { close(); }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  void reset(int fd) {
    close();
    fd_ = fd;
  }
  void close() {
    if (fd_ >= 0) ::close(fd_);
    fd_ = -1;
  }
  int get() const { return fd_; }

 private:
  int fd_;
};

// A program in a container, until it is killed.
class Party {
 public:
  Party(const SimNode& node, const Container& container, const std::string& name,
        const std::string& faults = "") {
    const std::string path = node.file(name + ".socket");
    pid_ = container.start(name, {HAMI_BUILD_DIR "/bin/vgpu-party", path}, {{"SIMGPU_FAULTS", faults}});
    sockaddr_un address = {};
    address.sun_family = AF_UNIX;
    std::strncpy(address.sun_path, path.c_str(), sizeof address.sun_path - 1);
    socket_.reset(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    EXPECT_TRUE(eventually([&] {
      return ::connect(socket_.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) == 0;
    })) << name;
  }
  ~Party() { kill(); }
  Party(const Party&) = delete;
  Party& operator=(const Party&) = delete;

  // The driver's answer. A descriptor that comes with it, and a handle, stay here.
  int operator()(Step step, std::uint64_t bytes = 0) { return take(step, bytes, nullptr, -1); }
  int take_handle(Step step, const Party& from) { return take(step, 0, from.handle_, -1); }
  int take_fd(Step step, int fd) { return take(step, 0, nullptr, fd); }

  int fd() const { return fd_.get(); }
  void close_fd() { fd_.close(); }
  std::uint64_t free_mib() const { return free_mib_; }

  void kill() {
    if (pid_ <= 0) return;
    ::kill(pid_, SIGKILL);
    ::waitpid(pid_, nullptr, 0);
    pid_ = -1;
  }

 private:
  int take(Step step, std::uint64_t bytes, const char* handle, int fd) {
    Order order = {};
    order.step = step;
    order.bytes = bytes;
    if (handle != nullptr) std::memcpy(order.handle, handle, sizeof order.handle);
    if (!send_with_fd(socket_.get(), order, fd)) return -1;
    Answer answer = {};
    int came = -1;
    if (!receive_with_fd(socket_.get(), answer, came)) return -1;
    if (came >= 0) fd_.reset(came);
    std::memcpy(handle_, answer.handle, sizeof handle_);
    free_mib_ = answer.free_mib;
    return answer.status;
  }

  pid_t pid_ = -1;
  Descriptor socket_;
  Descriptor fd_;
  char handle_[64] = {};
  std::uint64_t free_mib_ = 0;
};

class Joint : public ::testing::Test {
 protected:
  void TearDown() override {
    for (Container* container : {&container_, &other_}) {
      EXPECT_LE(container->page().devices[0].peak.load(), 1000 * kMiB);
      EXPECT_EQ(container->repaired(), 0U) << "all of it ends with the processes";
      EXPECT_EQ(container->page().joint_high.load(), 0U);
    }
    EXPECT_EQ(node_.stat("device", "used"), 0U) << "the simulated card agrees";
  }
  // What the container is charged, and what the card has lost.
  std::uint64_t charged(const Container& container) const { return container.repaired() / kMiB; }
  std::uint64_t lost() const {
    // Looks for the dead first.
    (void)node_.run({client(), "info"});
    return node_.stat("device", "used") / kMiB;
  }
  // `mib` are charged to the container, and gone from the card.
  void expect_once(std::uint64_t mib) {
    EXPECT_EQ(charged(container_), mib);
    EXPECT_EQ(lost(), mib);
  }

  SimNode node_{"cuda_version = 13.0\ncontext_mib = 0\n"};
  Container container_{node_, {1000}};
  Container other_{node_, {1000}, "other-"};
};

// Memory behind a descriptor.
class JointHandle : public Joint {
 protected:
  void pass() {
    ASSERT_EQ(maker_(Step::create, kPiece), 0);
    ASSERT_EQ(maker_(Step::export_fd), 0);
    ASSERT_EQ(taker_.take_fd(Step::import_fd, maker_.fd()), 0);
    expect_once(300);
  }
  Party maker_{node_, container_, "maker"};
  Party taker_{node_, container_, "taker"};
};

TEST_F(JointHandle, OutlivesItsKilledMaker) {
  pass();
  maker_.close_fd();

  maker_.kill();

  expect_once(300);
  EXPECT_EQ(taker_(Step::create, 800 * kMiB), 2) << "the limit holds";
  EXPECT_EQ(taker_(Step::create, 700 * kMiB), 0) << "and is no lower than it is";
  EXPECT_EQ(taker_(Step::release), 0);
  EXPECT_EQ(taker_(Step::release), 0);
  expect_once(0);
}

TEST_F(JointHandle, OutlivesItsMakersHandle) {
  pass();
  maker_.close_fd();

  EXPECT_EQ(maker_(Step::release), 0);

  expect_once(300);
  EXPECT_EQ(taker_(Step::release), 0);
  expect_once(0);
}

TEST_F(JointHandle, EndsWithAKilledTaker) {
  pass();
  maker_.close_fd();
  maker_.kill();
  expect_once(300);

  taker_.kill();

  expect_once(0);
}

TEST_F(JointHandle, StaysItsMakersWhenTheTakerGoes) {
  pass();
  maker_.close_fd();

  taker_.kill();

  expect_once(300);
  EXPECT_EQ(maker_(Step::release), 0);
  expect_once(0);
}

TEST_F(JointHandle, EndsWhenBothAreKilledAtOnce) {
  pass();
  maker_.close_fd();
  maker_.kill();
  taker_.kill();
  expect_once(0);
}

TEST_F(JointHandle, IsCountedOnceHoweverOftenItIsTaken) {
  pass();
  ASSERT_EQ(taker_.take_fd(Step::import_fd, maker_.fd()), 0);
  ASSERT_EQ(taker_(Step::map, kPiece), 0);
  Party third(node_, container_, "third");
  ASSERT_EQ(third.take_fd(Step::import_fd, maker_.fd()), 0);
  ASSERT_EQ(maker_.take_fd(Step::import_fd, maker_.fd()), 0) << "by its maker too";
  maker_.close_fd();
  expect_once(300);
  EXPECT_EQ(maker_(Step::release), 0);
  EXPECT_EQ(maker_(Step::release), 0);
  expect_once(300);
  EXPECT_EQ(taker_(Step::release), 0);
  EXPECT_EQ(taker_(Step::release), 0);
  third.kill();
  expect_once(300);

  EXPECT_EQ(taker_(Step::unmap), 0);

  expect_once(0);
}

TEST_F(JointHandle, IsPassedOnByATaker) {
  pass();
  maker_.close_fd();
  ASSERT_EQ(taker_(Step::export_fd), 0);
  Party third(node_, container_, "third");
  ASSERT_EQ(third.take_fd(Step::import_fd, taker_.fd()), 0);
  taker_.close_fd();
  maker_.kill();
  taker_.kill();
  expect_once(300);
  EXPECT_EQ(third(Step::release), 0);
  expect_once(0);
}

TEST_F(JointHandle, LivesInADescriptorThatNobodyTookYet) {
  ASSERT_EQ(maker_(Step::create, kPiece), 0);
  ASSERT_EQ(maker_(Step::export_fd), 0);
  maker_.kill();
  expect_once(300);

  ASSERT_EQ(taker_.take_fd(Step::import_fd, maker_.fd()), 0);
  maker_.close_fd();

  expect_once(300);
  EXPECT_EQ(taker_(Step::release), 0);
  expect_once(0);
}

TEST_F(JointHandle, EndsWithTheLastDescriptor) {
  ASSERT_EQ(maker_(Step::create, kPiece), 0);
  ASSERT_EQ(maker_(Step::export_fd), 0);
  EXPECT_EQ(maker_(Step::release), 0);
  expect_once(300);

  maker_.close_fd();

  expect_once(0);
}

// Each container can hold no more than its slice, also when another one asked the driver.
TEST_F(JointHandle, OfAnotherContainerIsChargedAsItIsMapped) {
  Party stranger(node_, other_, "stranger");
  ASSERT_EQ(stranger(Step::create, kPiece), 0);
  ASSERT_EQ(stranger(Step::export_fd), 0);
  ASSERT_EQ(taker_.take_fd(Step::import_fd, stranger.fd()), 0);
  ASSERT_EQ(maker_(Step::create, 800 * kMiB), 0);
  EXPECT_EQ(taker_(Step::map, kPiece), 2) << "there is no room for it";
  EXPECT_EQ(maker_(Step::release), 0);
  EXPECT_EQ(taker_(Step::map, kPiece), 0);
  EXPECT_EQ(charged(container_), 300U);
  stranger.close_fd();
  stranger.kill();
  EXPECT_EQ(charged(container_), 300U);
  EXPECT_EQ(charged(other_), 0U);
  EXPECT_EQ(lost(), 300U);
  EXPECT_EQ(taker_(Step::release), 0);
  EXPECT_EQ(taker_(Step::unmap), 0);
  expect_once(0);
}

// Memory behind 64 bytes that name it. They keep nothing alive.
class JointFabric : public Joint {
 protected:
  void pass() {
    ASSERT_EQ(maker_(Step::create, kPiece), 0);
    ASSERT_EQ(maker_(Step::export_fabric), 0);
    ASSERT_EQ(taker_.take_handle(Step::import_fabric, maker_), 0);
    ASSERT_EQ(taker_(Step::map, kPiece), 0);
    expect_once(300);
  }
  void let_go(Party& party) {
    EXPECT_EQ(party(Step::unmap, kPiece), 0);
    EXPECT_EQ(party(Step::release), 0);
  }
  Party maker_{node_, container_, "maker"};
  Party taker_{node_, container_, "taker"};
};

TEST_F(JointFabric, OutlivesItsKilledMaker) {
  pass();
  maker_.kill();
  expect_once(300);
  EXPECT_EQ(taker_(Step::create, 800 * kMiB), 2) << "the limit holds";
  let_go(taker_);
  expect_once(0);
}

TEST_F(JointFabric, OutlivesItsMakersHandle) {
  pass();
  EXPECT_EQ(maker_(Step::release), 0);
  expect_once(300);
  let_go(taker_);
  expect_once(0);
}

TEST_F(JointFabric, ThatNobodyTookEndsWithItsMakersHandle) {
  ASSERT_EQ(maker_(Step::create, kPiece), 0);
  ASSERT_EQ(maker_(Step::export_fabric), 0);
  ASSERT_EQ(maker_(Step::export_fabric), 0) << "once more";
  EXPECT_EQ(maker_(Step::release), 0);
  expect_once(0);
  EXPECT_EQ(maker_(Step::create, 1000 * kMiB), 0);
  EXPECT_EQ(maker_(Step::release), 0);
}

TEST_F(JointFabric, IsPassedOnByATakerAndAsADescriptorToo) {
  pass();
  ASSERT_EQ(taker_(Step::export_fabric), 0);
  Party third(node_, container_, "third");
  ASSERT_EQ(third.take_handle(Step::import_fabric, taker_), 0);
  ASSERT_EQ(taker_(Step::export_fd), 0);
  ASSERT_EQ(third.take_fd(Step::import_fd, taker_.fd()), 0);
  maker_.kill();
  let_go(taker_);
  expect_once(300);
  EXPECT_EQ(third(Step::release), 0);
  EXPECT_EQ(third(Step::release), 0);
  expect_once(300);
  taker_.close_fd();
  expect_once(0);
}

TEST_F(JointFabric, OfAnotherContainerIsChargedAsItIsMapped) {
  Party stranger(node_, other_, "stranger");
  ASSERT_EQ(stranger(Step::create, kPiece), 0);
  ASSERT_EQ(stranger(Step::export_fabric), 0);
  ASSERT_EQ(taker_.take_handle(Step::import_fabric, stranger), 0);
  EXPECT_EQ(taker_(Step::map, kPiece), 0);
  EXPECT_EQ(charged(container_), 300U);
  EXPECT_EQ(charged(other_), 300U);
  EXPECT_EQ(lost(), 300U);
  EXPECT_EQ(stranger(Step::release), 0);
  let_go(taker_);
  expect_once(0);
}

// Memory behind a handle of the old interface.
class JointIpc : public Joint {
 protected:
  void pass(std::uint64_t bytes = kPiece) {
    ASSERT_EQ(maker_(Step::allocate, bytes), 0);
    ASSERT_EQ(maker_(Step::get_handle), 0);
    ASSERT_EQ(taker_.take_handle(Step::open_handle, maker_), 0);
  }
  Party maker_{node_, container_, "maker"};
  Party taker_{node_, container_, "taker"};
};

TEST_F(JointIpc, OutlivesItsKilledMaker) {
  pass();
  expect_once(300);
  maker_.kill();
  expect_once(300);
  EXPECT_EQ(taker_(Step::close_handle), 0);
  expect_once(0);
}

TEST_F(JointIpc, OutlivesItsMakersPointer) {
  pass();
  EXPECT_EQ(maker_(Step::free), 0);
  expect_once(300);
  EXPECT_EQ(taker_(Step::close_handle), 0);
  expect_once(0);
}

TEST_F(JointIpc, EndsWithTheLastClose) {
  pass();
  ASSERT_EQ(taker_.take_handle(Step::open_handle, maker_), 0);
  maker_.kill();
  EXPECT_EQ(taker_(Step::close_handle), 0);
  expect_once(300);
  EXPECT_EQ(taker_(Step::close_handle), 0);
  expect_once(0);
}

TEST_F(JointIpc, StaysItsMakersWhenItIsClosed) {
  pass();
  EXPECT_EQ(taker_(Step::close_handle), 0);
  EXPECT_NE(taker_(Step::close_handle), 0);
  expect_once(300);
  EXPECT_EQ(maker_(Step::free), 0);
  expect_once(0);
}

TEST_F(JointIpc, EndsWithAKilledTaker) {
  pass();
  maker_.kill();
  taker_.kill();
  expect_once(0);
}

TEST_F(JointIpc, EndsWithTheContextThatOpenedIt) {
  ASSERT_EQ(taker_(Step::new_context), 0);
  pass();
  maker_.kill();
  expect_once(300);
  EXPECT_EQ(taker_(Step::end_context), 0);
  expect_once(0);
}

TEST_F(JointIpc, OfASmallPieceIsItsBlock) {
  pass(kMiB / 2);
  expect_once(2);
  maker_.kill();
  expect_once(2);
  EXPECT_EQ(taker_(Step::close_handle), 0);
  expect_once(0);
}

TEST_F(JointIpc, OfAnotherContainerIsChargedThere) {
  Party stranger(node_, other_, "stranger");
  pass();
  ASSERT_EQ(stranger(Step::create, 800 * kMiB), 0);
  EXPECT_EQ(stranger.take_handle(Step::open_handle, maker_), 2) << "there is no room for it";
  EXPECT_EQ(stranger(Step::release), 0);
  EXPECT_EQ(stranger.take_handle(Step::open_handle, maker_), 0);
  EXPECT_EQ(charged(other_), 300U);
  maker_.kill();
  taker_.kill();
  EXPECT_EQ(charged(container_), 0U);
  EXPECT_EQ(lost(), 300U);
  EXPECT_EQ(stranger(Step::close_handle), 0);
  EXPECT_EQ(charged(other_), 0U);
}

// Pointers into a pool.
class JointPool : public Joint {
 protected:
  void SetUp() override {
    ASSERT_EQ(maker_(Step::make_pool), 0);
    ASSERT_EQ(maker_(Step::allocate_async, 320 * kMiB), 0);
    ASSERT_EQ(maker_(Step::export_pool), 0);
    ASSERT_EQ(taker_.take_fd(Step::import_pool, maker_.fd()), 0);
    ASSERT_EQ(maker_(Step::export_pointer), 0);
    ASSERT_EQ(taker_.take_handle(Step::import_pointer, maker_), 0);
    expect_once(320);
  }
  Party maker_{node_, container_, "maker"};
  Party taker_{node_, container_, "taker"};
};

TEST_F(JointPool, OutlivesItsKilledMaker) {
  maker_.kill();
  expect_once(320);
  EXPECT_EQ(taker_(Step::free_imported), 0);
  expect_once(0);
}

TEST_F(JointPool, StaysItsMakersWhenTheTakerGoes) {
  EXPECT_EQ(taker_(Step::free_imported), 0);
  expect_once(320);
  maker_.kill();
  expect_once(0);
}

// One of the two dies inside the driver: before its work, or after it. Whatever is left, the container is
// charged what the card has lost.
class JointKilled : public Joint, public ::testing::WithParamInterface<const char*> {
 protected:
  std::string fault(const char* function) const { return std::string(GetParam()) + ":" + function + "@1"; }
  void expect_agreement(const char* where) { EXPECT_EQ(charged(container_), lost()) << where; }
};

TEST_P(JointKilled, InACallOfItsMaker) {
  for (const char* function :
       {"cuMemExportToShareableHandle", "cuMemRelease", "cuIpcGetMemHandle", "cuMemFree_v2"}) {
    Party maker(node_, container_, std::string("maker-") + function, fault(function));
    Party taker(node_, container_, std::string("taker-") + function);
    maker(Step::create, kPiece);
    maker(Step::export_fd);
    taker.take_fd(Step::import_fd, maker.fd());
    maker.close_fd();
    expect_agreement(function);
    maker(Step::allocate, kPiece);
    maker(Step::get_handle);
    taker.take_handle(Step::open_handle, maker);
    expect_agreement(function);
    maker(Step::release);
    maker(Step::free);
    expect_agreement(function);
    maker.kill();
    expect_agreement(function);
  }
}

TEST_P(JointKilled, InACallOfItsTaker) {
  for (const char* function :
       {"cuMemImportFromShareableHandle", "cuMemRelease", "cuIpcOpenMemHandle_v2", "cuIpcCloseMemHandle"}) {
    Party maker(node_, container_, std::string("maker-") + function);
    Party taker(node_, container_, std::string("taker-") + function, fault(function));
    maker(Step::create, kPiece);
    maker(Step::export_fd);
    taker.take_fd(Step::import_fd, maker.fd());
    maker.close_fd();
    maker(Step::allocate, kPiece);
    maker(Step::get_handle);
    taker.take_handle(Step::open_handle, maker);
    expect_agreement(function);
    maker.kill();
    expect_agreement(function);
    taker(Step::release);
    taker(Step::close_handle);
    expect_agreement(function);
  }
}

INSTANTIATE_TEST_SUITE_P(BeforeAndAfter, JointKilled, ::testing::Values("kill", "kill-after"),
                         [](const auto& moment) {
                           return std::string(moment.param) == "kill" ? "BeforeItsWork" : "AfterIt";
                         });

}  // namespace
}  // namespace hami::fake
