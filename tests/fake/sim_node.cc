#include "tests/fake/sim_node.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <stdexcept>
#include <thread>

namespace hami::fake {
namespace {

int exit_status(int wait_status) {
  return WIFEXITED(wait_status) ? WEXITSTATUS(wait_status) : 128 + WTERMSIG(wait_status);
}

void set_environment(const std::string& node, const std::map<std::string, std::string>& env) {
  setenv("SIMGPU_STATE", (node + "/state").c_str(), 1);
  setenv("LD_LIBRARY_PATH", HAMI_SIM_DIR, 1);
  for (const char* name : {"CUDA_VISIBLE_DEVICES", "SIMGPU_FAULTS", "SIMGPU_COUNTS", "LD_PRELOAD"})
    unsetenv(name);
  for (const auto& [name, value] : env) setenv(name.c_str(), value.c_str(), 1);
}

[[noreturn]] void become(const std::vector<std::string>& argv) {
  std::vector<char*> words;
  for (const auto& word : argv) words.push_back(const_cast<char*>(word.c_str()));
  words.push_back(nullptr);
  execvp(words[0], words.data());
  std::fprintf(stderr, "cannot run %s\n", words[0]);
  _exit(127);
}

// Reads both pipes until they end, so that neither can fill up.
void drain(int out_fd, int err_fd, Outcome& outcome) {
  pollfd fds[2] = {{out_fd, POLLIN, 0}, {err_fd, POLLIN, 0}};
  std::string* texts[2] = {&outcome.out, &outcome.err};
  for (int open = 2; open > 0;) {
    poll(fds, 2, -1);
    for (int i = 0; i < 2; ++i) {
      if (fds[i].fd < 0 || fds[i].revents == 0) continue;
      char buffer[4096];
      const ssize_t size = ::read(fds[i].fd, buffer, sizeof buffer);
      if (size > 0) {
        texts[i]->append(buffer, static_cast<std::size_t>(size));
      } else {
        fds[i].fd = -1;
        --open;
      }
    }
  }
}

}  // namespace

SimNode::SimNode(const std::string& config) {
  char name[] = "/tmp/hami-fake.XXXXXX";
  if (mkdtemp(name) == nullptr) abort();
  path_ = name;
  write("config", config);
  const Outcome made = run({sim_file("simgpu-init"), file("config"), file("state")});
  if (made.status != 0) {
    std::fprintf(stderr, "%s", made.err.c_str());
    abort();
  }
}

SimNode::~SimNode() {
  std::error_code ignored;
  std::filesystem::remove_all(path_, ignored);
}

Outcome SimNode::run(const std::vector<std::string>& argv,
                     const std::map<std::string, std::string>& env) const {
  int out[2];
  int err[2];
  if (pipe2(out, O_CLOEXEC) != 0 || pipe2(err, O_CLOEXEC) != 0) abort();
  const pid_t child = fork();
  if (child == 0) {
    dup2(out[1], STDOUT_FILENO);
    dup2(err[1], STDERR_FILENO);
    set_environment(path_, env);
    become(argv);
  }
  close(out[1]);
  close(err[1]);
  Outcome outcome;
  drain(out[0], err[0], outcome);
  close(out[0]);
  close(err[0]);
  int status = 0;
  waitpid(child, &status, 0);
  outcome.status = exit_status(status);
  return outcome;
}

pid_t SimNode::start(const std::string& name, const std::vector<std::string>& argv,
                     const std::map<std::string, std::string>& env) const {
  const std::string output = file(name + ".out");
  const pid_t child = fork();
  if (child != 0) return child;
  const int fd = open(output.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
  dup2(fd, STDOUT_FILENO);
  dup2(fd, STDERR_FILENO);
  set_environment(path_, env);
  become(argv);
}

int SimNode::in_child(const std::function<void()>& body,
                      const std::map<std::string, std::string>& env) const {
  std::fflush(nullptr);
  const pid_t child = fork();
  if (child == 0) {
    prctl(PR_SET_PDEATHSIG, SIGKILL);  // nobody is left behind when a test kills the process that called us
    set_environment(path_, env);
    body();
    std::fflush(nullptr);
    _exit(::testing::Test::HasFailure() ? 1 : 0);
  }
  int status = 0;
  waitpid(child, &status, 0);
  return exit_status(status);
}

std::uint64_t SimNode::stat(const std::string& record, const std::string& key,
                            const std::string& having) const {
  std::istringstream lines(run({sim_file("simgpu-stat"), file("state")}).out);
  for (std::string line; std::getline(lines, line);) {
    if (line.rfind(record + " ", 0) != 0 || line.find(having) == std::string::npos) continue;
    const auto at = line.find(" " + key + "=");
    if (at == std::string::npos)
      throw std::invalid_argument("simgpu-stat says nothing of '" + key + "': " + line);
    return std::stoull(line.substr(at + key.size() + 2));
  }
  return 0;
}

void SimNode::write(const std::string& name, const std::string& text) const {
  std::ofstream(file(name)) << text;
}

std::string SimNode::read(const std::string& name) const {
  std::ostringstream text;
  text << std::ifstream(file(name)).rdbuf();
  return text.str();
}

bool eventually(const std::function<bool()>& done) {
  for (int i = 0; i < 500; ++i) {
    if (done()) return true;
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
  return done();
}

std::string sim_file(const std::string& name) { return std::string(HAMI_SIM_DIR "/") + name; }
std::string client() { return HAMI_BIN_DIR "/cudacli"; }
std::string linked_client() { return HAMI_BIN_DIR "/cudacli-linked"; }

std::vector<std::string> client_through(const std::string& door, std::initializer_list<std::string> rest) {
  std::vector<std::string> argv = {door == "linked" ? linked_client() : client(), "--via", door};
  argv.insert(argv.end(), rest);
  return argv;
}

}  // namespace hami::fake
