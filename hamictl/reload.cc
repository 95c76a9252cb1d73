#include "hamictl/reload.h"

#include <signal.h>
#include <spawn.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>

#include "oci-config/base/files.h"
#include "oci-config/base/text.h"

namespace hami::hamictl {

namespace {

constexpr const char* kDockerPid = "/var/run/docker.pid";

// The process that wrote the pid file, if it still is dockerd: the number may belong to somebody else by now.
Result<pid_t> docker_pid() {
  HAMI_TRY(const std::string written, files::read(kDockerPid, 64));
  const auto pid = text::parse_u64(text::trim(written));
  if (!pid || *pid == 0 || *pid > INT32_MAX) {
    return fail(Errc::io, text::cat({"read ", text::quote(kDockerPid), ": not a process id"}));
  }
  HAMI_TRY(const std::string name, files::read(text::cat({"/proc/", text::number(*pid), "/comm"}), 64));
  if (text::trim(name) == "dockerd") return static_cast<pid_t>(*pid);
  return fail(Errc::not_found, text::cat({"process ", text::number(*pid), " is not dockerd"}),
              "is Docker running?");
}

bool runs_systemd() {
  struct stat info {};
  return ::stat("/run/systemd/system", &info) == 0 && S_ISDIR(info.st_mode);
}

Result<> run_systemctl(const char* verb, const char* unit) {
  const std::array<const char*, 4> argv{"systemctl", verb, unit, nullptr};
  const std::array<const char*, 2> env{"PATH=/usr/sbin:/usr/bin:/sbin:/bin", nullptr};
  pid_t pid = 0;
  // posix_spawn's signature predates const; it does not write to either.
  const int error =
      ::posix_spawn(&pid, "/usr/bin/systemctl", nullptr, nullptr, const_cast<char* const*>(argv.data()),
                    const_cast<char* const*>(env.data()));
  errno = error;
  if (error != 0) return fail_errno("execute", "/usr/bin/systemctl");
  int status = 0;
  if (::waitpid(pid, &status, 0) != pid) return fail_errno("wait for", "systemctl");
  if (WIFEXITED(status) && WEXITSTATUS(status) == 0) return {};
  return fail(Errc::io, text::cat({"systemctl ", verb, " ", unit, " failed"}),
              text::cat({"see journalctl -u ", unit}));
}

Result<std::string> notice_docker(const ConfigureRequest& request) {
  // A reload does not notice that default-runtime went away, and CDI is set up when the daemon starts.
  const bool needs_restart = request.options.enable_cdi || (request.undo && request.options.set_default);
  if (needs_restart) return std::string("restart Docker: systemctl restart docker");
  if (!request.reload)
    return std::string("a reload is enough: kill -HUP $(cat /var/run/docker.pid), or --reload");
  HAMI_TRY(const pid_t pid, docker_pid());
  if (::kill(pid, SIGHUP) != 0) return fail_errno("signal", "dockerd");
  return std::string();
}

Result<std::string> notice_unit(const ConfigureRequest& request, const char* verb, const char* unit) {
  if (!request.reload || !runs_systemd()) {
    return text::cat({"then: systemctl ", verb, " ", unit, " (running containers go on)"});
  }
  HAMI_CHECK(run_systemctl(verb, unit));
  return std::string();
}

}  // namespace

Result<std::string> make_engine_notice(const ConfigureRequest& request) {
  switch (request.engine) {
    case Engine::docker:
      return notice_docker(request);
    case Engine::containerd:
      return notice_unit(request, "restart", "containerd");
    case Engine::crio:
      return notice_unit(request, "reload", "crio");
    case Engine::podman:
      return std::string();  // reads its files at every start
  }
  return std::string();
}

}  // namespace hami::hamictl
