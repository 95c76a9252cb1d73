// A directory that looks like a node with an NVIDIA driver, built by the test itself.
#pragma once

#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstring>
#include <filesystem>
#include <fstream>
#include <string>
#include <utility>
#include <vector>

#include "oci-config/base/files.h"
#include "vendors/discovery.h"
#include "vendors/recipe_yaml.h"

namespace hami::vendors {

// Bytes of a loader's cache in the new format: one entry per (name, path), all for x86-64 unless told
// otherwise.
inline std::string ld_cache(const std::vector<std::pair<std::string, std::string>>& entries,
                            std::uint32_t flags = 0x0303) {
  const auto u32 = [](std::uint32_t value) {
    std::string bytes;
    for (int i = 0; i < 4; ++i) bytes += static_cast<char>((value >> (8 * i)) & 0xffU);
    return bytes;
  };
  const std::size_t texts_at = 48 + entries.size() * 24;
  std::string table;
  std::string texts;
  for (const auto& [name, path] : entries) {
    const auto key = static_cast<std::uint32_t>(texts_at + texts.size());
    texts += name + '\0';
    const auto value = static_cast<std::uint32_t>(texts_at + texts.size());
    texts += path + '\0';
    table += u32(flags) + u32(key) + u32(value) + u32(0) + std::string(8, '\0');
  }
  return "glibc-ld.so.cache1.1" + u32(static_cast<std::uint32_t>(entries.size())) +
         u32(static_cast<std::uint32_t>(texts.size())) + std::string(1, '\2') + std::string(19, '\0') +
         table + texts;
}

class FakeNode {
 public:
  static constexpr const char* kVersion = "550.90.07";

  FakeNode() {
    std::string name = testing::TempDir() + "node-XXXXXX";
    dir_ = std::filesystem::canonical(::mkdtemp(name.data()));
  }
  FakeNode(const FakeNode&) = delete;
  FakeNode& operator=(const FakeNode&) = delete;
  ~FakeNode() { std::filesystem::remove_all(dir_); }

  [[nodiscard]] const std::string& dir() const { return dir_; }
  [[nodiscard]] std::string path(const std::string& below) const { return dir_ + "/" + below; }

  void write(const std::string& below, const std::string& content, mode_t mode = 0644) const {
    std::filesystem::create_directories(std::filesystem::path(path(below)).parent_path());
    std::ofstream(path(below), std::ios::binary) << content;
    ::chmod(path(below).c_str(), mode);
  }
  void link(const std::string& below, const std::string& target) const {
    std::filesystem::create_directories(std::filesystem::path(path(below)).parent_path());
    std::filesystem::remove(path(below));
    std::filesystem::create_symlink(target, path(below));
  }
  [[nodiscard]] bool node(const std::string& below, unsigned major, unsigned minor,
                          mode_t mode = 0666) const {
    std::filesystem::create_directories(std::filesystem::path(path(below)).parent_path());
    std::filesystem::remove(path(below));
    if (::mknod(path(below).c_str(), S_IFCHR | mode, makedev(major, minor)) != 0) return false;
    return ::chmod(path(below).c_str(), mode) == 0;
  }
  void socket(const std::string& below) const {
    std::filesystem::create_directories(std::filesystem::path(path(below)).parent_path());
    // A socket's address is short, so it is made where we stand.
    const auto here = std::filesystem::current_path();
    std::filesystem::current_path(std::filesystem::path(path(below)).parent_path());
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::strncpy(address.sun_path, "socket", sizeof address.sun_path - 1);
    const UniqueFd fd(::socket(AF_UNIX, SOCK_STREAM, 0));
    EXPECT_EQ(::bind(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address), 0);
    std::filesystem::current_path(here);
  }

  void gpu(const std::string& bdf, int minor, const std::string& uuid) const {
    write("proc/driver/nvidia/gpus/" + bdf + "/information",
          "Model: \t\t NVIDIA A100-SXM4-80GB\nIRQ:   \t\t 52\nGPU UUID: \t " + uuid +
              "\nBus Type: \t PCIe\nDevice Minor: \t " + std::to_string(minor) + "\nGPU Excluded:\t No\n");
    write("sys/bus/pci/devices/" + bdf + "/numa_node", "1\n");
    std::filesystem::create_directories(
        path("sys/bus/pci/devices/" + bdf + "/drm/card" + std::to_string(minor + 1)));
    std::filesystem::create_directories(
        path("sys/bus/pci/devices/" + bdf + "/drm/renderD" + std::to_string(minor + 128)));
  }

  // What hami-probe would say, from a shell script.
  void probe(const std::string& script) const { write("bin/probe", "#!/bin/sh\n" + script + "\n", 0755); }
  void probe_says(const std::string& devices) const { probe("echo '{\"devices\":[" + devices + "]}'"); }

  // Kernel side of a driver with two GPUs.
  void nvidia_kernel() const {
    write("proc/devices",
          "Character devices:\n  1 mem\n195 nvidia\n226 drm\n235 nvidia-uvm\n\nBlock devices:\n  8 sd\n");
    write("proc/driver/nvidia/version", std::string("NVRM version: NVIDIA UNIX x86_64 Kernel Module  ") +
                                            kVersion +
                                            "  Fri May 31 09:35:42 UTC 2024\nGCC version:  12.2.0\n");
    write("proc/driver/nvidia/params",
          "ResmanDebugLevel: 4294967295\nModifyDeviceFiles: 1\nDeviceFileUID: 0\n");
    write("proc/sys/kernel/random/boot_id", "11111111-2222-3333-4444-555555555555\n");
    gpu("0000:3b:00.0", 1, "GPU-aaaaaaaa-0000-0000-0000-000000000001");
    gpu("0000:1a:00.0", 0, "GPU-aaaaaaaa-0000-0000-0000-000000000000");
    probe_says(
        R"({"bdf":"00000000:1A:00.0","uuid":"GPU-aaaaaaaa-0000-0000-0000-000000000000","model":"NVIDIA A100","memory":85899345920},)"
        R"({"bdf":"00000000:3B:00.0","uuid":"GPU-aaaaaaaa-0000-0000-0000-000000000001","model":"NVIDIA A100","memory":85899345920})");
  }

  // A library with its version in the name and a SONAME link beside it.
  void library(const std::string& directory, const std::string& name, const std::string& soname = ".so.1",
               const std::string& version = kVersion) const {
    const std::string file = name + ".so." + version;
    write(directory + "/" + file, "not really ELF");
    link(directory + "/" + name + soname, file);
  }

  // User side as Debian's and Ubuntu's multiarch packages and the .run installer on them lay it out.
  void nvidia_user(const std::string& libdir = "usr/lib/x86_64-linux-gnu") const {
    for (const auto* name : {"libcuda", "libnvidia-ml", "libnvidia-ptxjitcompiler"}) library(libdir, name);
    write("usr/bin/nvidia-smi", "#!/bin/sh\n", 0755);
    write(std::string("usr/lib/firmware/nvidia/") + kVersion + "/gsp_ga10x.bin", "firmware");
    write(std::string("usr/lib/firmware/nvidia/") + kVersion + "/gsp_tu10x.bin", "firmware");
    link("lib", "usr/lib");
    write("etc/ld.so.cache",
          ld_cache({{"libcuda.so.1", "/" + libdir + "/libcuda.so.1"},
                    {"libcuda.so", "/" + libdir + "/libcuda.so.1"},
                    {"libnvidia-ml.so.1", "/" + libdir + "/libnvidia-ml.so.1"},
                    {"libnvidia-ptxjitcompiler.so.1", "/" + libdir + "/libnvidia-ptxjitcompiler.so.1"}}));
  }

  // False when nodes cannot be made here.
  [[nodiscard]] bool nvidia_nodes() const {
    return node("dev/nvidiactl", 195, 255) && node("dev/nvidia0", 195, 0) && node("dev/nvidia1", 195, 1) &&
           node("dev/nvidia-uvm", 235, 0) && node("dev/nvidia-uvm-tools", 235, 1);
  }

  [[nodiscard]] HostRoots roots() const {
    HostRoots roots;
    roots.driver = dir_;
    roots.dev = dir_;
    roots.proc = path("proc");
    roots.sys = path("sys");
    roots.state_dir = path("run");
    roots.probe_program = path("bin/probe");
    return roots;
  }

 private:
  std::string dir_;
};

inline Recipe nvidia_recipe() {
  const auto yaml = files::read(HAMI_VENDORS_DIR "/nvidia.yaml", 1U << 20U);
  EXPECT_TRUE(yaml);
  auto recipe = parse_recipe(yaml.value_or(""), "nvidia.yaml");
  EXPECT_TRUE(recipe) << (recipe ? "" : recipe.error().line());
  return recipe.value_or(Recipe{});
}

}  // namespace hami::vendors
