// Which thread may evaluate work of which stream.
#pragma once

#include <cstdint>
#include <stdexcept>

#include "heddle/device.h"

namespace heddle {

struct WrongThread : std::runtime_error {
  using std::runtime_error::runtime_error;
};

// Throws WrongThread unless the calling thread owns stream `index` (or anyone may use it).
void check_stream(int index);

// The calling thread, for handing work over to another one.
int64_t this_thread_number();

// While it lives, the calling thread may evaluate what thread `number` may, or might before it
// ended.
class ActingForThread {
 public:
  explicit ActingForThread(int64_t number);
  ~ActingForThread();
  ActingForThread(const ActingForThread&) = delete;
  ActingForThread& operator=(const ActingForThread&) = delete;
};

}  // namespace heddle
