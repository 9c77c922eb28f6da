// What tests ask of code that is refused.
#pragma once

#include <exception>
#include <string>

namespace heddle::test {

// The message of what `f` throws, or "nothing".
template <class F>
std::string what_throws(F&& f) {
  try {
    f();
  } catch (const std::exception& e) {
    return e.what();
  }
  return "nothing";
}

}  // namespace heddle::test
