#include "oci-config/json_tree.h"

#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <string>
#include <vector>

#include "oci-config/base/json_read.h"
#include "oci-config/json_access.h"

namespace hami::oci {

namespace {

// "-0" stays as it is spelled; json-c would write "0".
JsonPtr minus_zero() {
  JsonPtr zero = made(json_object_new_int64(0));
  char* spelling = ::strdup("-0");  // the value frees it
  end_if_out_of_memory(spelling == nullptr);
  json_object_set_serializer(zero.get(), json_object_userdata_to_json_string, spelling,
                             json_object_free_userdata);
  return zero;
}

class Builder final : public JsonEvents {
 public:
  JsonPtr take() { return std::move(root_); }

  void begin_object() override { open(made(json_object_new_object())); }
  void begin_array() override { open(made(json_object_new_array())); }
  void end() override { open_.pop_back(); }

  bool name(const std::string& name) override {
    if (json_object_object_get_ex(open_.back(), name.c_str(), nullptr) != 0) return false;
    name_ = name;
    return true;
  }

  void text(const std::string& value) override { attach(new_string(value)); }
  void boolean(bool value) override { attach(made(json_object_new_boolean(value ? 1 : 0))); }
  void null() override { attach(nullptr); }

  void integer(bool negative, std::uint64_t magnitude) override {
    if (!negative) {
      attach(made(json_object_new_uint64(magnitude)));
    } else if (magnitude == 0) {
      attach(minus_zero());
    } else {
      attach(made(json_object_new_int64(static_cast<std::int64_t>(0 - magnitude))));
    }
  }

  void real(const std::string& spelling) override {
    const double value =
        std::strtod(spelling.c_str(), nullptr);  // infinite when too big; only the spelling is written
    attach(made(json_object_new_double_s(value, spelling.c_str())));
  }

 private:
  void open(JsonPtr container) {
    open_.push_back(container.get());
    if (open_.size() == 1) {
      root_ = std::move(container);
    } else {
      attach_to(open_[open_.size() - 2], std::move(container));
    }
  }

  void attach(JsonPtr value) { attach_to(open_.back(), std::move(value)); }

  // To the end of an array, or to an object under the last name. A null `value` is JSON's null.
  void attach_to(JsonRef container, JsonPtr value) {
    const int failed = json_object_is_type(container, json_type_array)
                           ? json_object_array_add(container, value.release())
                           : json_object_object_add_ex(container, name_.c_str(), value.release(),
                                                       JSON_C_OBJECT_ADD_KEY_IS_NEW);
    end_if_out_of_memory(failed != 0);
  }

  JsonPtr root_;
  std::vector<JsonRef> open_;  // outermost first; the root owns them
  std::string name_;           // of the member whose value comes next
};

}  // namespace

Result<JsonPtr> read_tree(std::string_view text, int max_depth) {
  Builder builder;
  HAMI_CHECK(read_json(text, max_depth, builder));
  return builder.take();
}

}  // namespace hami::oci
