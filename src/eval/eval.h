// Evaluation: plans what arrays need (plan.h) under the graph lock, and runs it outside (run.h).
#pragma once

#include "heddle/array.h"

namespace heddle {

// eval() without waiting for the background where that has the work of other threads: it is refused
// at once.
void eval_own(const Arrays& arrays);

}  // namespace heddle
