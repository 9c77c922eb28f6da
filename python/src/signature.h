// Signatures, as users see them, of functions whose last parameter is the stream.
#pragma once

#include <string>

#include "bind.h"

namespace heddle::python {

// How callers may give the stream: by name alone, or in its place too.
enum class StreamArg : uint8_t { keyword, positional };

// "def name(parameters, *, stream: ... = None) -> result". Behind parameters that hold a star of
// their own, and where the stream is positional, there is none before it.
inline nb::sig signature(const std::string& name, const std::string& parameters,
                         const std::string& result = "array",
                         StreamArg stream = StreamArg::keyword) {
  const bool plain = stream == StreamArg::positional || parameters.find('*') != std::string::npos;
  return nb::sig(
      keep("def " + name + "(" + parameters + (plain ? ", " : ", *, ") +
           "stream: Stream | ThreadLocalStream | Device | DeviceType | None = None) -> " + result));
}

}  // namespace heddle::python
