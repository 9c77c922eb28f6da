// From groups of pointwise nodes to tile programs.
#pragma once

#include <span>

#include "cpu/tile/bytecode.h"
#include "eval/backend.h"

namespace heddle::cpu {

// Runs groups of which none reads another's results, and gives their kept nodes memory.
void run_pointwise(std::span<const PointwiseGroup> groups);

// Input 0 of a kernel that takes a prologue: the array, or the expression before it.
tile::Source source_of(const Work& work);

}  // namespace heddle::cpu
