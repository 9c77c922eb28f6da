// The slots of the class `array` that stand in their own files.
#pragma once

#include <vector>

#include "bind.h"

namespace heddle::python {

void add_operator_slots(std::vector<PyType_Slot>& slots);  // array_operators.cpp
void add_buffer_slots(std::vector<PyType_Slot>& slots);    // array_interchange.cpp

}  // namespace heddle::python
