// Rules for activations that are written out (see transforms/rewrite.h). They are asked after those
// of layout_rules().
#pragma once

#include "transforms/rewrite.h"

namespace heddle::nn {

// gelu by erf, by tanh and by a sigmoid, in any order and grouping of their factors, as the
// functions of the same name: halves in float32, and right at infinity and in the derivative there.
Rules activation_rules();

}  // namespace heddle::nn
