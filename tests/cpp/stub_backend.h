// A device to copy: what one takes at least, computed element by element. Another device is a
// folder src/<device>/ with a class like this and its kernels; programs choose it by a stream.
#pragma once

#include <atomic>

#include "eval/backend.h"

namespace heddle {

// float32 arrays, a handful of pointwise operations, products of matrices; everything else is
// refused by name. Its memory is the host's, as the other backends' is.
class StubBackend final : public Backend {
 public:
  void run(const Work& work) override;
  void run(std::span<const PointwiseGroup> groups) override;
  // Kernels here want their inputs in memory.
  bool takes_prologue(const Op&) const override { return false; }

  std::atomic<int> ops{0}, groups{0};  // how many have run
};

// It outlives threads that still evaluate at the end of the process.
StubBackend& stub_backend();

}  // namespace heddle
