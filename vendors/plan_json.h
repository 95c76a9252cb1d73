// The hook plan as a file: <state>/containers/<key>/plan.json, written by hami-runtime, read by hami-hook.
#pragma once

#include <string>
#include <string_view>

#include "oci-config/base/result.h"
#include "vendors/hook_plan.h"

namespace hami::vendors {

// Limits of a plan: above any recipe, small enough that a hook cannot be kept busy by one.
inline constexpr std::size_t kMaxPlanBytes = 1U << 20U;
inline constexpr std::size_t kMaxPlanItems = 4096;  // links, directories and overrides each

// One line of compact JSON with a newline. A plan that `validate` refuses is refused here too, before a
// container that depends on it is created.
[[nodiscard]] Result<std::string> to_json(const HookPlan& plan);

// Fails with invalid_spec on anything but a plan of this version: unknown, missing or repeated members, wrong
// types, and what `validate` refuses. Names the member: "links[3].path".
[[nodiscard]] Result<HookPlan> parse_plan(std::string_view text);

// Paths are absolute, without empty, "." or ".." components and shorter than PATH_MAX; directories hold no
// line break or blank (they become lines of a loader configuration); link targets are neither empty nor
// longer than PATH_MAX; overridden files are below /proc/ and their lines are single lines; nothing holds a
// NUL byte; at most kMaxPlanItems of each. Fails with invalid_spec.
[[nodiscard]] Result<> validate(const HookPlan& plan);

}  // namespace hami::vendors
