// Which thread may evaluate work of which stream.
#pragma once

#include <cstdint>
#include <stdexcept>

#include "heddle/device.h"

namespace heddle {

class Backend;  // eval/backend.h

struct WrongThread : std::runtime_error {
  using std::runtime_error::runtime_error;
};

// Throws WrongThread unless the calling thread owns stream `index` (or anyone may use it). Gives
// the backend that it was made with, if any.
Backend* check_stream(int index);
// A new stream on a backend, which must outlive its work.
Stream make_stream_on(Backend& backend, bool everybodys);

// Work without a stream of its own belongs to `s` while it lives, on the calling thread.
class DefaultStreamScope {
 public:
  explicit DefaultStreamScope(const Stream& s);
  ~DefaultStreamScope();
  DefaultStreamScope(const DefaultStreamScope&) = delete;
  DefaultStreamScope& operator=(const DefaultStreamScope&) = delete;

 private:
  int previous_;
};

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
