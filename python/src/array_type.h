// The slots of the class `array` that stand in their own files.
#pragma once

#include <vector>

#include "bind.h"

namespace heddle::python {

void add_operator_slots(std::vector<PyType_Slot>& slots);  // array_operators.cpp
void bind_operator_names(nb::class_<Array>& c);          // __div__ and __rdiv__, which no slot has
void add_buffer_slots(std::vector<PyType_Slot>& slots);  // array_interchange.cpp

}  // namespace heddle::python
