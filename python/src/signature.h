// Typed signatures for functions whose last parameter is the stream.
#pragma once

#include <deque>
#include <string>

#include "bind.h"

namespace heddle::python {

// nanobind keeps a pointer to a signature: texts put together here live as long as the process.
inline nb::sig keep_signature(std::string text) {
  static std::deque<std::string> kept;
  return nb::sig(kept.emplace_back(std::move(text)).c_str());
}

// "def name(parameters, *, stream: ... = None) -> result"; parameters that end in "*" or hold a
// star argument leave the star out.
inline nb::sig signature(const std::string& name, const std::string& parameters,
                         const std::string& result = "array", const std::string& star = ", *, ") {
  return keep_signature(
      "def " + name + "(" + parameters + star +
      "stream: Stream | ThreadLocalStream | Device | DeviceType | None = None) -> " + result);
}

}  // namespace heddle::python
