// One rendering in progress. Inner header of render: render.cc has the flow, render_nodes.cc device nodes,
// render_files.cc everything that becomes a mount.
#pragma once

#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "vendors/mount_list.h"
#include "vendors/node.h"
#include "vendors/render.h"

namespace hami::vendors {

class Renderer {
 public:
  // `driver` and `dev` are the opened roots; all arguments must outlive the renderer.
  Renderer(const Recipe& recipe, const Inventory& inventory, const ContainerFacts& facts,
           const HostDir& driver, const HostDir& dev, const LibraryIndex& libraries, Variables variables);

  [[nodiscard]] Result<Rendered> run(const std::vector<Slice>& slices, std::vector<std::string> capabilities);

 private:
  // render.cc
  Result<> block(const Block& block, const std::vector<const Slice*>& slices);
  Result<> edits(const Block& block);
  Result<> symlink(const SymlinkRule& rule);
  Result<> proc_override(const ProcOverrideRule& rule);
  Result<> env(const EnvRule& rule);
  Result<> file(const FileRule& rule);
  Result<> refusal(const RefuseRule& rule);
  void enter_all(const std::vector<const Slice*>& slices);
  void enter(const Slice& slice, std::size_t ordinal);
  [[nodiscard]] bool holds_now(const Condition& condition) const;

  // render_nodes.cc
  Result<> device_node(const DeviceNodeRule& rule);
  Result<> one_node(const DeviceNodeRule& rule, const std::string& path,
                    const std::vector<std::string>& hosts);
  [[nodiscard]] bool has_kernel_name(const HostFile& node) const;
  // Fails when none of the block's nodes was given.
  Result<> needs_node(const Block& block, std::size_t before);
  [[nodiscard]] std::optional<std::string> wrong_numbers(const DeviceNodeRule& rule, const HostFile& node,
                                                         const std::string& minor) const;

  // render_kernel.cc
  Result<> kernel_memory(const std::vector<const Slice*>& slices);

  // render_files.cc
  Result<> library(const LibraryRule& rule);
  Result<> add_library(const Library& found, const LibraryRule& rule);
  Result<> binary(const BinaryRule& rule);
  Result<> firmware(const FirmwareRule& rule);
  Result<> config(const ConfigRule& rule);
  Result<> mount(const MountRule& rule);
  Result<> add_mount(std::string source, std::string destination, std::vector<std::string> options);
  [[nodiscard]] std::optional<HostFile> first_file(const std::vector<std::string>& directories,
                                                   const std::string& name) const;

  // render_lists.cc
  Result<> file_list(const FileListRule& rule);
  Result<> give_listed(const Listed& entry);
  Result<> listed_file(const std::string& path, ListedKind kind);
  Result<> listed_link(const std::string& path);
  Result<> listed_end(const std::string& path);

  // Something is not on this node: an error when it is required, a line in `skipped` otherwise.
  enum class Need { required, optional };
  Result<> missing(Need need, std::string what, std::string hint = {});

  const Recipe& recipe_;
  const Inventory& inventory_;
  const ContainerFacts& facts_;
  const HostDir& driver_;
  const HostDir& dev_;
  const LibraryIndex& libraries_;
  ConditionFacts conditions_;  // its variables are those of templates too
  std::multimap<std::string, std::uint32_t> majors_;
  std::map<std::string, std::set<std::string>> given_;  // library name → container directories that got it
  Rendered out_;
};

}  // namespace hami::vendors
