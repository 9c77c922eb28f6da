// Arrays as text.
#pragma once

#include <string>

#include "heddle/array.h"

namespace heddle {

// to_string(a) with the words of a language for the bools: "True"/"False" in Python.
std::string to_string(const Array& a, const char* true_word, const char* false_word);

}  // namespace heddle
