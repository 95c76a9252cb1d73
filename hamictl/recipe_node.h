// A node built from a recipe's test description, in a directory of its own.
#pragma once

#include <string>

#include "oci-config/base/result.h"
#include "vendors/discovery.h"
#include "vendors/recipe_tests.h"

namespace hami::hamictl {

// Removed with everything in it when this goes.
class RecipeNode {
 public:
  // Fails with denied where device nodes cannot be made: that needs root and CAP_MKNOD.
  [[nodiscard]] static Result<RecipeNode> build(const vendors::TestNode& description);
  RecipeNode(RecipeNode&& other) noexcept : directory_(std::move(other.directory_)) {
    other.directory_.clear();
  }
  RecipeNode& operator=(RecipeNode&&) = delete;
  RecipeNode(const RecipeNode&) = delete;
  RecipeNode& operator=(const RecipeNode&) = delete;
  ~RecipeNode();

  [[nodiscard]] const std::string& directory() const { return directory_; }
  [[nodiscard]] vendors::HostRoots roots() const;

 private:
  explicit RecipeNode(std::string directory) : directory_(std::move(directory)) {}
  Result<> fill(const vendors::TestNode& description) const;
  Result<> write(const std::string& path, std::string_view content, unsigned mode = 0644) const;
  Result<> entry(const vendors::TestNode& description, std::uint32_t n) const;
  Result<> device_node(const std::string& path, const std::string& numbers) const;

  std::string directory_;
};

}  // namespace hami::hamictl
