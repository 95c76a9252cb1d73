// YAML tree → Recipe. Inner header of the loader: recipe_decoder.cc has the pieces, recipe_sections.cc the
// top-level sections, recipe_blocks.cc the inject blocks.
#pragma once

#include <functional>
#include <initializer_list>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "vendors/recipe.h"
#include "vendors/yaml_tree.h"

namespace hami::vendors {

// The variables a text may use, with their types.
using Scope = std::map<std::string, ValueType>;

// Where a template ends up; decides what is checked.
enum class Use {
  text,            // value of a variable, target of a link
  name,            // name of an environment variable
  host_path,       // begins with ${root.…}
  rooted_path,     // host path below a root: absolute
  container_path,  // absolute, or begins with ${ctr.libdir}
  directory,       // absolute; only searched
  relative_path,
};

// Reads values of a tree into a recipe. The first error is kept; after it every call does nothing, so callers
// need no checks of their own.
class Decoder {
 public:
  enum class Presence { required, optional };

  struct Field {
    std::string_view key;
    std::function<void(const yaml::Node&)> read;
    Presence presence = Presence::optional;
  };

  explicit Decoder(std::string_view file) : file_(file) {}

  // All sections of `root` that are there, over what `recipe` already has. Keys of the file itself
  // (apiVersion, kind, extends) are the caller's.
  void recipe(const yaml::Node& root, Recipe& recipe);

  [[nodiscard]] const std::optional<Error>& error() const { return error_; }
  void refuse(yaml::Position at, std::string_view cause, std::string hint = {});

  // A map with these keys and no other, read in the order given here. Names the nearest key when one is
  // unknown.
  void object(const yaml::Node& node, const std::vector<Field>& fields);

  void string(const yaml::Node& node, std::string& out);
  // A list of texts, or one text.
  void strings(const yaml::Node& node, std::vector<std::string>& out);
  // Letters, digits and -_./ only: names that appear in paths, variables and messages.
  void word(const yaml::Node& node, std::string& out);
  void words(const yaml::Node& node, std::vector<std::string>& out);
  void number(const yaml::Node& node, std::uint32_t& out, std::uint32_t max);
  void boolean(const yaml::Node& node, bool& out);

  template <typename E>
  struct Choice {
    std::string_view word;
    E value;
  };
  template <typename E>
  void choice(const yaml::Node& node, E& out, std::initializer_list<Choice<E>> choices) {
    std::string text;
    string(node, text);
    if (error_) return;
    std::vector<std::string_view> known;
    for (const auto& choice : choices) {
      if (choice.word == text) {
        out = choice.value;
        return;
      }
      known.push_back(choice.word);
    }
    unknown(node.at, "value", text, known);
  }

 private:
  // recipe_sections.cc
  void metadata(const yaml::Node& node, Metadata& out);
  void roots(const yaml::Node& node, std::map<std::string, Root>& out);
  void search(const yaml::Node& node, SearchPaths& out);
  void variables(const yaml::Node& node, std::map<std::string, Variable>& out, const Scope& scope);
  void variable(const yaml::Node& node, Variable& out, const Scope& scope);
  void reading(const yaml::Node& node, Reading& out, const Scope& scope);
  void predicate(const yaml::Node& node, Predicate& out);
  void devices(const yaml::Node& node, const Recipe& recipe, DeviceTable& out);
  // A host path with one '*', in its last component.
  void pattern(const yaml::Node& node, const Scope& scope, std::string& out);
  void pci_filter(const yaml::Node& node, PciFilter& out);
  void instances(const yaml::Node& node, const Recipe& recipe, InstanceTable& out);
  void check_fields(const yaml::Node& node, const Recipe& recipe);
  void request(const yaml::Node& node, RequestRules& out);
  void capabilities(const yaml::Node& node, Capabilities& out);
  void gates(const yaml::Node& node, std::map<std::string, Gate>& out);
  void neutralize(const yaml::Node& node, Neutralize& out);
  void slice(const yaml::Node& node, const Recipe& recipe, SliceRules& out);
  void modes(const yaml::Node& node, const Recipe& recipe, std::map<std::string, SliceRules>& out);
  void subdevice(const yaml::Node& node, const Recipe& recipe, SubdeviceRules& out);
  void driver_call(const yaml::Node& node, const Scope& scope, DriverCall& out);
  void slice_templates(const yaml::Node& node, std::vector<SliceTemplate>& out);
  void resources(const yaml::Node& node, Resources& out);
  void memory_resource(const yaml::Node& node, MemoryResource& out);
  void cores_resource(const yaml::Node& node, CoresResource& out);
  void models(const yaml::Node& node, std::vector<ModelResources>& out);
  void support(const yaml::Node& node, std::map<std::string, Certainty>& out);
  void percent(const yaml::Node& node, Percent& out);

  // recipe_blocks.cc
  void inject(const yaml::Node& node, const Recipe& recipe, std::vector<Block>& out);
  void block(const yaml::Node& node, const Recipe& recipe, Block& out);
  void device_path(const yaml::Node& node, std::string& out);
  void device_node(const yaml::Node& node, DeviceNodeRule& out);
  void mount(const yaml::Node& node, MountRule& out);
  void library(const yaml::Node& node, LibraryRule& out);
  void binary(const yaml::Node& node, BinaryRule& out);
  void file_list(const yaml::Node& node, FileListRule& out);
  void firmware(const yaml::Node& node, FirmwareRule& out);
  void config(const yaml::Node& node, ConfigRule& out);
  void symlink(const yaml::Node& node, SymlinkRule& out);
  void syscalls(const yaml::Node& node, std::vector<std::string>& out);
  void proc_override(const yaml::Node& node, ProcOverrideRule& out);
  void env(const yaml::Node& node, EnvRule& out);
  void file(const yaml::Node& node, FileRule& out);
  void refusal(const yaml::Node& node, RefuseRule& out);
  void certainty(const yaml::Node& node, Certainty& out);
  Field when(Condition& out);

  void unknown(yaml::Position at, std::string_view what, std::string_view got,
               const std::vector<std::string_view>& known);
  void template_text(const yaml::Node& node, std::string& out, const Scope& scope, Use use);
  void templates(const yaml::Node& node, std::vector<std::string>& out, const Scope& scope, Use use);
  void condition(const yaml::Node& node, Condition& out, const Scope& scope);
  void condition_words(const yaml::Node& node, const Condition& condition, const Scope& scope);
  void value_type(const yaml::Node& node, ValueType& out);
  void env_name(const yaml::Node& node, std::string& out);
  void bytes(const yaml::Node& node, Bytes& out);
  // A map whose keys are names and whose values `read` takes.
  template <typename F>
  void entries(const yaml::Node& node, std::string_view what, F read) {
    if (error_) return;
    if (node.kind != yaml::Node::Kind::map) return not_a_map(node, what);
    for (std::size_t i = 0; i < node.keys.size() && !error_; ++i) read(node.keys[i], node.children[i]);
  }
  void not_a_map(const yaml::Node& node, std::string_view what);

  // Calls `read` for every item of a list, or for the one item that is not a list.
  template <typename T, typename F>
  void each(const yaml::Node& node, std::vector<T>& out, F read) {
    const bool is_list = node.kind == yaml::Node::Kind::list;
    const std::size_t count = is_list ? node.children.size() : 1;
    for (std::size_t i = 0; i < count && !error_; ++i) {
      T item{};
      read(is_list ? node.children[i] : node, item);
      out.push_back(std::move(item));
    }
  }

  // Position of a byte of a scalar's text, as well as it is known.
  static yaml::Position inside(const yaml::Node& node, std::size_t offset);

  std::string_view file_;
  std::optional<Error> error_;
  Scope block_scope_;  // of the inject block that is being read
  std::vector<std::string> known_capabilities_;
  std::vector<std::string> known_gates_;
};

// Variables that are known before a recipe is: roots and the host.
[[nodiscard]] const Scope& host_scope();

// Variables of the whole node: roots, host, container layout and the recipe's `vars`.
[[nodiscard]] Scope node_scope(const Recipe& recipe);

// Those and ${dev.…}: what the device table gives, and index and ordinal (position in the container).
[[nodiscard]] Scope device_scope(const Recipe& recipe);

// Those and ${slice.…}.
[[nodiscard]] Scope slice_scope(const Recipe& recipe);

// Why an expanded or literal path must not be used that way; empty when it may. The lists are in
// recipe_paths.cc. malformed_path: it is not absolute with plain components, which the others ask for too.
[[nodiscard]] std::string_view malformed_path(std::string_view path);
[[nodiscard]] std::string_view forbidden_host_path(std::string_view path);
[[nodiscard]] std::string_view forbidden_container_path(std::string_view path);
[[nodiscard]] std::string_view forbidden_device_path(std::string_view path);

}  // namespace hami::vendors
