// Which thread may evaluate work of which stream.
#pragma once

#include "heddle/device.h"

namespace heddle {

// Throws std::runtime_error unless the calling thread owns stream `index` (or anyone may use it).
void check_stream(int index);

}  // namespace heddle
