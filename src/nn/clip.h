// What C++'s and Python's clipping of gradients stand on.
#pragma once

#include <utility>

#include "heddle/distributed.h"

namespace heddle::nn {

// The gradients, scaled down where their norm, taken over all of them and over the processes of the
// group, exceeds a limit; and that norm, in float32 or wider. Gradients keep their dtypes.
std::pair<Arrays, Array> clipped(const Arrays& gradients, const Array& max_norm,
                                 const distributed::Group& group);

}  // namespace heddle::nn
