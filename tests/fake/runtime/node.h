// A directory that looks like a node with devices (two of 40960 MiB by default) to hami-runtime, with a fake
// runc, and the means to call hami-runtime there.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <string>
#include <vector>

namespace hami::fake {

struct Outcome {
  int status = -1;  // exit status; 128 + signal when killed
  std::string out;
  std::string err;
};

class Node {
 public:
  explicit Node(const std::vector<std::uint64_t>& device_mib = {40960, 40960});
  Node(const Node&) = delete;
  Node& operator=(const Node&) = delete;
  ~Node();

  // A bundle with a glibc image whose config.json has these annotations and variables. Returns its directory.
  std::filesystem::path bundle(const std::string& name, const std::map<std::string, std::string>& annotations,
                               const std::vector<std::string>& env = {"PATH=/bin"});

  // Any program (args[0], absolute) in the environment of hami-runtime on this node, `env` added.
  Outcome call(std::vector<std::string> args, std::map<std::string, std::string> env = {}) const;
  // hami-runtime.
  Outcome run(std::vector<std::string> args, std::map<std::string, std::string> env = {}) const;
  // run() of "--root <root> create --bundle <bundle> <id>".
  Outcome create(const std::filesystem::path& bundle, const std::string& id,
                 std::map<std::string, std::string> env = {}) const;
  // Starts `create`, behind the words of `wrapper`, and returns at once; the caller waits for the pid. What
  // it says on stderr is in <bundle>/stderr.
  [[nodiscard]] int start_create(const std::filesystem::path& bundle, const std::string& id,
                                 std::vector<std::string> wrapper = {}) const;

  // Writes config.toml; `text` is appended to the keys that point at this node.
  void configure(const std::string& text, const std::string& low_level = {}) const;

  [[nodiscard]] std::vector<std::string> leases() const;  // names of the files
  [[nodiscard]] std::vector<std::string> container_dirs() const;
  [[nodiscard]] std::string recorded(
      const std::string& what) const;  // "argv", "env", "fds" or "cwd" of fake runc

  std::filesystem::path dir;
  std::filesystem::path root;  // --root of the low-level runtime
  std::filesystem::path state;
  std::string fake_runc;
};

std::string read(const std::filesystem::path& path);
void write(const std::filesystem::path& path, const std::string& content);
// Waits for a child and gives its exit status, 128 + signal when killed.
int wait_for(int pid);

}  // namespace hami::fake
