// A low-level runtime that runs nothing: it writes down how it was called, and keeps a container's state file
// as runc does, so that the ledger finds the container alive.
//
// $FAKE_RUNC_OUT: directory for argv, env, fds, cwd (one item a line; nothing is written without it).
// $FAKE_RUNC_INIT: "<pid> <start>" of the process that plays the container. $FAKE_RUNC_STATUS: exit status.

#include <dirent.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>
#include <string_view>

namespace fs = std::filesystem;

namespace {

std::string env(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? "" : value;
}

void write_down(const fs::path& dir, int argc, char** argv) {
  std::ofstream words(dir / "argv");
  for (int i = 0; i < argc; ++i) words << argv[i] << "\n";
  std::ofstream variables(dir / "env");
  for (char** entry = environ; *entry != nullptr; ++entry) variables << *entry << "\n";
  std::ofstream(dir / "cwd") << fs::current_path().string() << "\n";
  words.close();
  variables.close();
  // Last, and read before it is written: none of our own files may be in it.
  std::string open;
  for (int fd = 0; fd < 64; ++fd) {
    char target[4096];
    const std::string link = "/proc/self/fd/" + std::to_string(fd);
    const ssize_t n = ::readlink(link.c_str(), target, sizeof target);
    if (n > 0) open += std::to_string(fd) + " " + std::string(target, static_cast<std::size_t>(n)) + "\n";
  }
  std::ofstream(dir / "fds") << open;
}

void keep_state(int argc, char** argv) {
  fs::path root = "/run/fake";
  std::string command;
  for (int i = 1; i < argc; ++i) {
    const std::string_view word = argv[i];
    if (word == "--root" && i + 1 < argc) root = argv[++i];
    if (word == "create" || word == "delete") command = word;
  }
  const fs::path dir = root / argv[argc - 1];
  if (command == "delete") fs::remove_all(dir);
  if (command != "create" || env("FAKE_RUNC_INIT").empty()) return;
  const std::string init = env("FAKE_RUNC_INIT");
  const auto blank = init.find(' ');
  fs::create_directories(dir);
  std::ofstream(dir / "state.json") << "{\"init_process_pid\":" << init.substr(0, blank)
                                    << ",\"init_process_start\":" << init.substr(blank + 1) << "}";
}

}  // namespace

int main(int argc, char** argv) {
  if (!env("FAKE_RUNC_OUT").empty()) write_down(env("FAKE_RUNC_OUT"), argc, argv);
  keep_state(argc, argv);
  if (argc > 1 && std::string_view(argv[1]) == "--version") std::puts("runc version 1.2.3");
  return std::atoi(env("FAKE_RUNC_STATUS").c_str());
}
