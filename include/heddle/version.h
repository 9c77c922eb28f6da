// The version of the library that is linked, which may differ from the one the headers came with.
#pragma once

#include <string_view>

namespace heddle {

// "major.minor.patch". The view is valid for the life of the process; any thread may call.
std::string_view version();

}  // namespace heddle
