// What eval_cpu hands its computation to.
#pragma once

#include <functional>
#include <map>
#include <utility>
#include <vector>

#include "mlx/array.h"
#include "mlx/scheduler.h"

namespace mlx::core::cpu {

// Runs what it is given at once (mlx/scheduler.h), so inputs, outputs and temporaries need no care.
struct CommandEncoder {
 public:
  explicit CommandEncoder(Stream) {}
  CommandEncoder(const CommandEncoder&) = delete;
  CommandEncoder& operator=(const CommandEncoder&) = delete;

  void set_input_array(const array&) {}
  void set_output_array(array&) {}
  void add_temporary(array) {}
  void add_temporaries(std::vector<array>) {}
  std::vector<array>& temporaries() { return temporaries_; }

  template <class F, class... Args>
  void dispatch(F&& f, Args&&... args) {
    std::bind(std::forward<F>(f), std::forward<Args>(args)...)();
  }

 private:
  std::vector<array> temporaries_;
};

// Of the calling thread: encoders are not shared.
inline CommandEncoder& get_command_encoder(Stream stream) {
  thread_local std::map<int, CommandEncoder> encoders;
  return encoders.try_emplace(stream.index, stream).first->second;
}

}  // namespace mlx::core::cpu
