// A value of each thread's that is made at its first use and destroyed with the thread. A
// thread_local of such a type is looked up twice at each use, its guard and itself, each time by a
// call; this one once.
#pragma once

namespace heddle {

// The one T of the calling thread: T is a type for this purpose alone.
template <class T>
[[gnu::noinline, gnu::visibility("hidden")]] T& make_per_thread() {
  thread_local T value;
  return value;
}
template <class T>
[[gnu::visibility("hidden")]] T& per_thread() {
  constinit thread_local T* found = nullptr;
  if (!found) [[unlikely]]
    found = &make_per_thread<T>();
  return *found;
}

}  // namespace heddle
