// The engine's threads. A caller shares out work that is claimed piece by piece: it begins at once,
// threads of the pool join in as the system gives them cores, and the caller waits for those that
// came, never for one that is still to come. So a busy machine slows a loop by what it takes away
// and not by the wait for every thread to get its turn.
#pragma once

#include <type_traits>

namespace heddle {

// Whether the calling thread is one of those that share work, or of an OpenMP region of the
// program's own: then it has no others to share with.
bool in_parallel();

namespace detail {
using ShareFn = void (*)(void* context, int worker);
void share_work(int threads, void* context, ShareFn fn);
}  // namespace detail

// Calls f(0) on the calling thread and f(i) on up to `threads` - 1 others, as they come, of which
// there may be fewer or none; i >= 1 numbers the pool's threads and is the same each time. Returns
// when all that came have returned. Who comes after f(0) has returned is turned away, so f must
// claim its work and end when nothing is left. `f` must not throw.
template <class F>
void share(int threads, F&& f) {
  using Fn = std::remove_reference_t<F>;
  detail::share_work(threads, const_cast<std::remove_const_t<Fn>*>(&f),
                     [](void* c, int worker) { (*static_cast<Fn*>(c))(worker); });
}

}  // namespace heddle
