#include <nanobind/nanobind.h>

#include <string>

#include "heddle/version.h"

namespace nb = nanobind;

NB_MODULE(core, m) { m.attr("__version__") = std::string(heddle::version()).c_str(); }
