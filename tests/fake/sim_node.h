// A simulated node of its own for each test, and programs that run on it.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <functional>
#include <initializer_list>
#include <map>
#include <string>
#include <vector>

namespace hami::fake {

struct Outcome {
  int status = -1;  // exit status; 128 + signal when killed
  std::string out;
  std::string err;
};

class SimNode {
 public:
  // `config` as simgpu-init reads it; empty is one card of 40 GiB. Aborts the program when the state cannot
  // be made.
  explicit SimNode(const std::string& config = "");
  ~SimNode();
  SimNode(const SimNode&) = delete;
  SimNode& operator=(const SimNode&) = delete;

  // Runs a program and waits for it. Its environment is ours plus this node's and `env`.
  [[nodiscard]] Outcome run(const std::vector<std::string>& argv,
                            const std::map<std::string, std::string>& env = {}) const;

  // Starts a program; its output goes to `path()`/NAME.out.
  [[nodiscard]] pid_t start(const std::string& name, const std::vector<std::string>& argv,
                            const std::map<std::string, std::string>& env = {}) const;

  // Runs `body` in a child process in which the driver of this node can be opened. gtest failures in it are
  // printed, and make the result non-zero.
  [[nodiscard]] int in_child(const std::function<void()>& body,
                             const std::map<std::string, std::string>& env = {}) const;

  // A number of simgpu-stat: `record` "device", key "used", of the first record whose text holds `having`.
  [[nodiscard]] std::uint64_t stat(const std::string& record, const std::string& key,
                                   const std::string& having = "") const;

  [[nodiscard]] const std::string& path() const { return path_; }
  [[nodiscard]] std::string file(const std::string& name) const { return path_ + "/" + name; }
  void write(const std::string& name, const std::string& text) const;
  [[nodiscard]] std::string read(const std::string& name) const;

 private:
  std::string path_;
};

// Waits until `done` or five seconds have passed; what `done` said last.
bool eventually(const std::function<bool()>& done);

inline constexpr std::uint64_t kMiB = 1ULL << 20U;

// Programs and libraries of the build.
std::string sim_file(const std::string& name);
std::string client();         // cudacli: finds the driver at run time
std::string linked_client();  // the same, linked to it

// The client's command line for a way to find the driver (its option --via; "linked" is a program of its
// own).
std::vector<std::string> client_through(const std::string& door, std::initializer_list<std::string> rest);

}  // namespace hami::fake
