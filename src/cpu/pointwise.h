// From groups of pointwise nodes to tile programs.
#pragma once

#include "cpu/tile/program.h"
#include "eval/backend.h"

namespace heddle::cpu {

// Runs the group and gives its kept nodes their memory.
void run_pointwise(const PointwiseGroup& group);

// Input 0 of a kernel that takes a prologue: the array, or the expression before it.
tile::Source source_of(const Work& work);

}  // namespace heddle::cpu
