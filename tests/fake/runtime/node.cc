#include "tests/fake/runtime/node.h"

#include <fcntl.h>
#include <poll.h>
#include <spawn.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <fstream>
#include <sstream>
#include <stdexcept>

#include "runtime-shim/state/liveness.h"

namespace hami::fake {

namespace fs = std::filesystem;

namespace {

#if defined(__x86_64__)
constexpr const char* kLoader = "lib64/ld-linux-x86-64.so.2";
#else
constexpr const char* kLoader = "lib/ld-linux-aarch64.so.1";
#endif

std::string json_list(const std::vector<std::string>& values) {
  std::string out;
  for (const auto& value : values) out += (out.empty() ? "\"" : ",\"") + value + "\"";
  return "[" + out + "]";
}

std::vector<char*> pointers(std::vector<std::string>& words) {
  std::vector<char*> out;
  for (auto& word : words) out.push_back(word.data());
  out.push_back(nullptr);
  return out;
}

int spawn(std::vector<std::string> args, std::map<std::string, std::string> env, int out, int err) {
  std::vector<std::string> variables;
  for (const auto& [name, value] : env) variables.push_back(name + "=" + value);
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
  posix_spawn_file_actions_adddup2(&actions, out, 1);
  posix_spawn_file_actions_adddup2(&actions, err, 2);
  pid_t pid = -1;
  const int error = ::posix_spawn(&pid, args[0].c_str(), &actions, nullptr, pointers(args).data(),
                                  pointers(variables).data());
  posix_spawn_file_actions_destroy(&actions);
  if (error != 0) throw std::runtime_error("cannot start " + args[0]);
  return pid;
}

std::vector<std::string> names_in(const fs::path& dir, const std::string& suffix) {
  std::vector<std::string> names;
  if (!fs::exists(dir)) return names;
  for (const auto& entry : fs::directory_iterator(dir)) {
    const std::string name = entry.path().filename();
    if (name.size() >= suffix.size() && name.substr(name.size() - suffix.size()) == suffix)
      names.push_back(name);
  }
  return names;
}

}  // namespace

std::string read(const fs::path& path) {
  std::ifstream in(path);
  std::stringstream out;
  out << in.rdbuf();
  return out.str();
}

void write(const fs::path& path, const std::string& content) {
  fs::create_directories(path.parent_path());
  std::ofstream(path) << content;
}

int wait_for(int pid) {
  int status = 0;
  ::waitpid(pid, &status, 0);
  return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

Node::Node(const std::vector<std::uint64_t>& device_mib) : fake_runc(HAMI_FAKE_RUNC) {
  std::string pattern = (fs::temp_directory_path() / "hami-node.XXXXXX").string();
  dir = ::mkdtemp(pattern.data());
  root = dir / "runc";
  state = dir / "state";
  for (std::size_t i = 0; i < device_mib.size(); ++i) {
    const fs::path device = dir / "sys/fakegpu" / std::to_string(i);
    write(device / "uuid", "GPU-1111111" + std::to_string(i) + "-0000-0000-0000-000000000000\n");
    write(device / "memory", std::to_string(device_mib[i] << 20U) + "\n");
  }
  // The nodes are /dev/null under another name: every kernel serves them.
  write(dir / "proc/devices", "Character devices:\n  1 mem\n");
  fs::create_directories(dir / "dev");
  for (std::size_t i = 0; i < device_mib.size(); ++i) {
    const fs::path node = dir / "dev" / ("fakegpu" + std::to_string(i));
    if (::mknod(node.c_str(), S_IFCHR | 0666, makedev(1, 3)) != 0)
      throw std::runtime_error("these tests make device nodes: run them as root");
  }
  for (const char* name : {"hami-hook", "libvgpu.so"}) {
    write(dir / "lib" / name, "#!/bin/sh\n");
    ::chmod((dir / "lib" / name).c_str(), 0755);
  }
  fs::create_directories(dir / "out");
  fs::create_directories(dir / "recipes");
  fs::copy_file(fs::path(HAMI_SOURCE_DIR) / "tests/fake/runtime/recipes/nvidia.yaml",
                dir / "recipes/nvidia.yaml");
  ::chmod((dir / "recipes/nvidia.yaml").c_str(), 0644);
  configure("");
}

Node::~Node() {
  std::error_code ignored;
  fs::remove_all(dir, ignored);
}

void Node::configure(const std::string& text, const std::string& low_level) const {
  const std::string d = dir.string();
  write(dir / "config.toml", "[runtime]\nlow_level = \"" + (low_level.empty() ? fake_runc : low_level) +
                                 "\"\n[roots]\ndriver = \"" + d + "\"\ndev = \"" + d + "\"\nproc = \"" + d +
                                 "/proc\"\nsys = \"" + d + "/sys\"\nstate = \"" + state.string() +
                                 "\"\n[paths]\nhook = \"" + d + "/lib/hami-hook\"\nlibvgpu = \"" + d +
                                 "/lib/libvgpu.so\"\n[recipes]\ndirs = [\"" + d + "/recipes\"]\n" + text);
  ::chmod((dir / "config.toml").c_str(), 0644);
}

fs::path Node::bundle(const std::string& name, const std::map<std::string, std::string>& annotations,
                      const std::vector<std::string>& env) {
  const fs::path bundle = dir / "bundles" / name;
  write(bundle / "rootfs" / kLoader, "");
  std::string pairs;
  for (const auto& [key, value] : annotations)
    pairs += (pairs.empty() ? "\"" : ",\"") + key + "\":\"" + value + "\"";
  // Spelt as no serialiser would: a rewritten file is never the same bytes.
  write(bundle / "config.json",
        "{\"ociVersion\": \"1.0.2\" ,\n \"process\":{\"args\":[\"sh\"],\"cwd\":\"/\",\"env\":" +
            json_list(env) + "},\n \"root\":{\"path\":\"rootfs\"}, \"x-unknown\": 1.50,\n \"annotations\":{" +
            pairs + "},\"linux\":{\"resources\":{\"devices\":[{\"allow\":false,\"access\":\"rwm\"}]}}}\n");
  return bundle;
}

Outcome Node::run(std::vector<std::string> args, std::map<std::string, std::string> env) const {
  args.insert(args.begin(), HAMI_RUNTIME);
  return call(std::move(args), std::move(env));
}

Outcome Node::call(std::vector<std::string> args, std::map<std::string, std::string> env) const {
  env.emplace("HAMI_CONFIG_FILE", (dir / "config.toml").string());
  env.emplace("FAKE_RUNC_OUT", (dir / "out").string());
  const std::string start = std::to_string(state::start_time(::getpid()).value_or(0));
  env.emplace("FAKE_RUNC_INIT", std::to_string(::getpid()) + " " + start);
  const fs::path out = dir / ("stdout" + std::to_string(::getpid()));
  const fs::path err = dir / ("stderr" + std::to_string(::getpid()));
  const int out_fd = ::open(out.c_str(), O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
  const int err_fd = ::open(err.c_str(), O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
  Outcome outcome;
  outcome.status = wait_for(spawn(std::move(args), std::move(env), out_fd, err_fd));
  ::close(out_fd);
  ::close(err_fd);
  outcome.out = read(out);
  outcome.err = read(err);
  return outcome;
}

Outcome Node::create(const fs::path& bundle, const std::string& id,
                     std::map<std::string, std::string> env) const {
  return run({"--root", root.string(), "--log", (bundle / "log.json").string(), "--log-format", "json",
              "create", "--bundle", bundle.string(), id},
             std::move(env));
}

int Node::start_create(const fs::path& bundle, const std::string& id,
                       std::vector<std::string> wrapper) const {
  const std::string start = std::to_string(state::start_time(::getpid()).value_or(0));
  const std::map<std::string, std::string> env{{"HAMI_CONFIG_FILE", (dir / "config.toml").string()},
                                               {"FAKE_RUNC_INIT", std::to_string(::getpid()) + " " + start}};
  const int err = ::open((bundle / "stderr").c_str(), O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
  for (const std::string& word : {std::string(HAMI_RUNTIME), std::string("--root"), root.string(),
                                  std::string("create"), std::string("--bundle"), bundle.string(), id})
    wrapper.push_back(word);
  const int pid = spawn(std::move(wrapper), env, err, err);
  ::close(err);
  return pid;
}

std::vector<std::string> Node::leases() const { return names_in(state / "ledger", ".json"); }

std::vector<std::string> Node::container_dirs() const { return names_in(state / "containers", ""); }

std::string Node::recorded(const std::string& what) const { return read(dir / "out" / what); }

}  // namespace hami::fake
