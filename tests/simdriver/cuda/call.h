// What every modelled function begins with: counting, and the faults that a test asked for.
#pragma once

#include "tests/simdriver/cuda/functions.h"

namespace hami::sim {

// True once a test asked for counters or faults; then every call is looked at.
extern bool instrumented;

// Counts the call, delays it, kills the process in it: what the test hooks (hooks.h) asked for. Returns the
// code to fail with, or CUDA_SUCCESS.
CUresult enter(Fn function);

// What was asked for after the call did its work.
void leave(Fn function);

// Counts a call of a function that is exported but not modelled; CUDA_ERROR_NOT_SUPPORTED.
CUresult not_modelled(Fn function);

class Call {
 public:
  explicit Call(Fn function) : function_(function) {
    if (instrumented) code_ = enter(function_);
  }
  ~Call() {
    if (instrumented) leave(function_);
  }
  Call(const Call&) = delete;
  Call& operator=(const Call&) = delete;
  [[nodiscard]] CUresult code() const { return code_; }

 private:
  Fn function_;
  CUresult code_ = CUDA_SUCCESS;
};

}  // namespace hami::sim

// First line of a modelled function that works before cuInit.
#define SIM_CALL(symbol)                                 \
  const hami::sim::Call sim_call{hami::sim::Fn::symbol}; \
  if (sim_call.code() != CUDA_SUCCESS) return sim_call.code()

// First line of a modelled function that needs cuInit.
#define SIM_ENTER(symbol) \
  SIM_CALL(symbol);       \
  if (!hami::sim::is_initialised()) return CUDA_ERROR_NOT_INITIALIZED

// Leaves the function with the error of an expression.
#define SIM_TRY(expression)                            \
  do {                                                 \
    const CUresult sim_result = (expression);          \
    if (sim_result != CUDA_SUCCESS) return sim_result; \
  } while (false)

namespace hami::sim {
bool is_initialised();
}
