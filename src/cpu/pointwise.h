// From groups of pointwise nodes to tile programs.
#pragma once

#include <span>

#include "cpu/memory_order.h"
#include "cpu/tile/bytecode.h"
#include "eval/backend.h"

namespace heddle::cpu {

// Runs groups of which none reads another's results, and gives their kept nodes memory.
void run_pointwise(std::span<const PointwiseGroup> groups);

// Input 0 of a kernel that takes a prologue: the array, or the expression before it. An expression
// whose order would read several large operands across their memory is stored first.
class InputSource {
 public:
  explicit InputSource(tile::Source source, BufferRef stored = {})
      : stored_(std::move(stored)), source_(std::move(source)) {}
  operator const tile::Source&() const { return source_; }

 private:
  BufferRef stored_;  // what the source reads
  tile::Source source_;
};
InputSource source_of(const Work& work);
// With its dimensions in another order.
InputSource source_of(const Work& work, const Order& order);
// The strides of the array, or those that the expression would have in memory.
Strides strides_of(const Work& work);

}  // namespace heddle::cpu
