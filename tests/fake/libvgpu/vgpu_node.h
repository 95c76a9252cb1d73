// A simulated node whose programs run with libvgpu.so, held by variables or by a slice as in a container.
#pragma once

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "libvgpu/abi/board.h"
#include "libvgpu/abi/usage_repair.h"
#include "tests/fake/sim_node.h"

namespace hami::fake {

using Environment = std::map<std::string, std::string>;

// A mapped file of the host's side of a container.
template <typename T>
class Mapped {
 public:
  explicit Mapped(const std::string& path) {
    const int fd = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0666);
    if (fd < 0) std::abort();
    const bool fits =
        ::lseek(fd, 0, SEEK_END) >= static_cast<off_t>(sizeof(T));  // never cut what others have mapped
    if (!fits && ::ftruncate(fd, sizeof(T)) != 0) std::abort();
    void* memory = ::mmap(nullptr, sizeof(T), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    ::close(fd);
    if (memory == MAP_FAILED) std::abort();
    value_ = static_cast<T*>(memory);
  }
  ~Mapped() { ::munmap(value_, sizeof(T)); }
  Mapped(const Mapped&) = delete;
  Mapped& operator=(const Mapped&) = delete;
  T* operator->() const { return value_; }
  T& operator*() const { return *value_; }

 private:
  T* value_;
};

// libvgpu.so used alone: the limits are variables.
inline Environment limited(const SimNode& node, const std::string& limit) {
  return {{"LD_PRELOAD", HAMI_LIB_DIR "/libvgpu.so"},
          {"CUDA_DEVICE_MEMORY_LIMIT", limit},
          {"CUDA_DEVICE_MEMORY_SHARED_CACHE", node.file("page")}};
}

// The host's side of a container that was given slices of the node's cards.
class Container {
 public:
  // One limit in MiB per card, in the order of the cards; 0: none.
  // Containers of one node differ in `name`.
  Container(const SimNode& node, const std::vector<std::uint64_t>& limits_mib, const std::string& name = "")
      : node_(node), name_(name), slice_(node.file(name + "slice")), page_(node.file(name + "usage")) {
    slice_->device_count = static_cast<std::uint32_t>(limits_mib.size());
    slice_->generation = 1;
    for (std::size_t i = 0; i < limits_mib.size(); ++i) {
      std::strncpy(slice_->devices[i].uuid, card_uuid(i).c_str(), sizeof slice_->devices[i].uuid - 1);
      slice_->devices[i].memory_limit = limits_mib[i] * kMiB;
    }
    abi::seal(*slice_);
    abi::init_usage_page(&*page_, *slice_);
  }

  // Runs a program with the files where a container has them, and the library preloaded.
  Outcome run(const std::vector<std::string>& argv, Environment env = {}) const {
    return node_.run(inside(argv), preloaded(env));
  }
  pid_t start(const std::string& name, const std::vector<std::string>& argv, Environment env = {}) const {
    return node_.start(name, inside(argv), preloaded(env));
  }

  // Gives it a board on the node's first card, as the runtime does: whoever has one sees the others.
  void join_card(std::int32_t priority) {
    board_ = std::make_unique<Mapped<abi::Board>>(node_.file(name_ + "board"));
    (*board_)->magic = abi::kBoardMagic;
    slice_->priority = priority;
    abi::seal(*slice_);
    char name[abi::kBoardNameSize];
    abi::format_board_name({priority, slice_->devices[0].core_limit, 0, std::hash<std::string>()(name_)},
                           name);
    std::filesystem::create_directories(node_.file("cards"));
    std::filesystem::create_hard_link(node_.file(name_ + "board"), node_.file("cards") + "/" + name);
  }
  abi::Board& board() const { return **board_; }

  abi::SliceFile& slice() const { return *slice_; }
  abi::UsagePage& page() const { return *page_; }
  std::uint64_t committed(unsigned device = 0) const { return page_->devices[device].committed.load(); }
  // The same after the host has given back what dead processes held.
  std::uint64_t repaired(unsigned device = 0) const {
    const int fd = ::open(node_.file(name_ + "usage").c_str(), O_RDWR | O_CLOEXEC);
    abi::repair(*page_, fd, abi::kMaxSlots);
    ::close(fd);
    return committed(device);
  }

 private:
  std::string card_uuid(std::size_t index) const {
    const std::string text = node_.run({sim_file("simgpu-stat"), node_.file("state")}).out;
    const auto at = text.find("uuid=", text.find("index=" + std::to_string(index) + " "));
    return text.substr(at + 5, 40);
  }
  // The library is loaded after the mounts: mount itself is none of its clients.
  std::vector<std::string> inside(const std::vector<std::string>& argv) const {
    std::vector<std::string> words = {"unshare",
                                      "-m",
                                      "sh",
                                      "-c",
                                      "mount -t tmpfs none /usr/local && mkdir /usr/local/vgpu && "
                                      "touch /usr/local/vgpu/slice /usr/local/vgpu/usage && "
                                      "mount --bind -o ro \"$SLICE\" /usr/local/vgpu/slice && "
                                      "mount --bind \"$USAGE\" /usr/local/vgpu/usage && "
                                      "if [ -n \"$BOARD\" ]; then touch /usr/local/vgpu/board && "
                                      "mkdir -p /usr/local/vgpu/cards/0 && "
                                      "mount --bind \"$BOARD\" /usr/local/vgpu/board && "
                                      "mount --bind -o ro \"$CARDS\" /usr/local/vgpu/cards/0; fi && "
                                      "export LD_PRELOAD=\"$VGPU\" && exec \"$@\"",
                                      "sh"};
    words.insert(words.end(), argv.begin(), argv.end());
    return words;
  }
  Environment preloaded(Environment env) const {
    env["SLICE"] = node_.file(name_ + "slice");
    env["USAGE"] = node_.file(name_ + "usage");
    if (board_) {
      env["BOARD"] = node_.file(name_ + "board");
      env["CARDS"] = node_.file("cards");
    }
    env["VGPU"] = HAMI_LIB_DIR "/libvgpu.so";
    return env;
  }

  const SimNode& node_;
  std::string name_;
  std::unique_ptr<Mapped<abi::Board>> board_;
  Mapped<abi::SliceFile> slice_;
  Mapped<abi::UsagePage> page_;
};

}  // namespace hami::fake
