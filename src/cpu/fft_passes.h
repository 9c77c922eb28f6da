// The passes of a transform whose length is smooth, on fft_width lines at a time.
#pragma once

#include "cpu/fft_plan.h"

namespace heddle::cpu {

// From (re, im) to the same place, by way of (re2, im2), which are as long.
void run_fft_passes(const FftPlan& plan, float* re, float* im, float* re2, float* im2);

}  // namespace heddle::cpu
